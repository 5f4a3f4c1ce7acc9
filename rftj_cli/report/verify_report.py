"""What `rftj reward verify` prints: each question with its answer, then what stands behind it. No text of samples."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from shlex import quote
from typing import Any

from rftj_cli.errors import counted
from rftj_cli.report.blocks import Block, Facts, Grid, Heading, Lines, to_markdown
from rftj_cli.report.bundle_report import as_data
from rftj_cli.report.copied import advise
from rftj_cli.report.documents import show_json
from rftj_cli.report.words import duration, interval, money, number
from rftj_cli.reward.forecast import Forecast
from rftj_cli.reward.spending import Spending
from rftj_cli.reward.verification import SCHEMA, Verification


def show(found: Verification, *, json: bool, markdown: bool, quiet: bool) -> None:
    """Print the verification in the wanted form."""
    if json:
        show_json(document(found))
        return
    blocks = list(_blocks(found))
    if markdown:
        sys.stdout.write(to_markdown(blocks))
        return
    from rftj_cli.report import console

    console.show(blocks)
    if found.exit_code == 0 and not quiet and found.bundle is not None and not found.bundle.replays:
        advise("next", f"rftj reward deploy {quote(str(found.bundle.path))}")


def teller(*, quiet: bool) -> Callable[[Spending], None]:
    """What says, before the real judge is asked, how often it is and what that costs."""

    def tell(ahead: Spending) -> None:
        if not quiet:
            print(f"asking the real judge about {counted(ahead.rows, 'row')}: about {_spent(ahead)}", file=sys.stderr)

    return tell


def _spent(one: Spending) -> str:
    known = one.input_tokens is not None and one.output_tokens is not None
    tokens = f", {one.input_tokens:,} tokens in and {one.output_tokens:,} out" if known else ""
    cost = f"cost unknown ({one.price})" if one.cost is None else f"{money(one.cost)} (prices: {one.price})"
    return f"{counted(one.calls, 'call')}{tokens}, {cost}"


def document(found: Verification) -> dict[str, Any]:
    """The verification as plain data."""
    groups = Counter(one.case.group for one in found.conformance)
    return {
        "schema": SCHEMA,
        "decision": found.decision,
        "exit_code": found.exit_code,
        "target": found.target,
        "bundle": None if found.bundle is None else as_data(found.bundle),
        "run": {"folder": str(found.run.folder), "judge_fingerprint": found.run.rubric.judge_fingerprint,
                "reward_fingerprint": found.run.rubric.reward_fingerprint},
        "findings": found.findings,
        "conformance": {
            "events": dict(groups),
            "faults": [{"event": f"{one.case.group}, {one.case.name}", "faults": one.faults}
                       for one in found.conformance if one.faults],
        },
        "parity": found.parity,
        "repeat": found.repeat,
        "known": found.known,
        "timing": found.timing,
        "forecast": found.forecast,
        "spending": found.spending,
        "notes": found.notes,
    }  # fmt: skip


def _blocks(found: Verification) -> Iterator[Block]:
    run = found.run.rubric
    facts = [("verify", found.decision + _meaning(found)), ("function", found.target)]
    if found.bundle is not None:
        one = found.bundle
        facts.append(
            ("pinned", f"judge {one.judge_fingerprint[:8]}, reward {one.reward_fingerprint[:8]}, rftj {one.rftj}")
        )
    facts.append(("run", f"{found.run.folder}, judge {run.judge_fingerprint[:8]}, reward {run.reward_fingerprint[:8]}"))
    yield Facts(facts)
    yield Heading("Questions")
    yield Grid(["", "", ""], [[one.name, one.answer, one.text] for one in found.findings], left=3)
    details = [f"{one.name}: {line}" for one in found.findings for line in one.details]
    if details:
        yield Heading("What is wrong" if found.exit_code == 1 else "Details")
        yield Lines(details)
    if found.timing is not None:
        one_row = number(1000 * found.timing.row, 2)
        yield Heading("On this machine, with recorded replies")
        yield Facts([("start", f"{found.timing.init:.2f} s"), ("a row", f"{one_row} ms of its own, warm"),
                     ("memory", f"{found.timing.memory} MB")])  # fmt: skip
    if found.forecast is not None and found.exit_code != 1:
        yield from _forecast(found.forecast)
    if found.repeat is not None and found.repeat.components is not None:
        parts = found.repeat.components
        yield Heading("The same rows again, live")
        yield Facts([("rewards changed", f"{interval(found.repeat.changed)} of {found.repeat.rows} rows in {found.repeat.repeats}"),
                     ("SD within a row", interval(parts.sem, 3)), ("reliability (ICC)", interval(parts.icc))])  # fmt: skip
    if found.spending is not None:
        how = "asked" if found.spending.measured else "asked, as foretold"
        yield Heading("The real judge")
        yield Facts([(how, f"about {counted(found.spending.rows, 'row')}: {_spent(found.spending)}")])
    if found.notes:
        yield Heading("Notes")
        yield Lines(found.notes)


def _meaning(found: Verification) -> str:
    return {
        0: ": it scores as the judge was measured",
        1: ": do not train with it",
        3: ": not everything could be shown",
    }[found.exit_code]


def _forecast(found: Forecast) -> Iterator[Block]:
    job = found.job
    shape = f"{counted(job.prompts, 'prompt')} a step x {job.group} answers, {counted(job.batch, 'row')} an invocation"
    whole = f"{counted(job.records, 'prompt')} x {counted(job.epochs, 'epoch')}: {found.calls:,} judge calls"
    latency = f"{found.latency_p50:.3g} s (median), {found.latency_p95:.3g} s (95%)"
    yield Heading("Ahead: a training job (simulated)")
    yield Facts(
        [
            ("the job", f"{shape}, {job.concurrency} at a time, timeout {job.timeout:g} s"),
            ("judge", f"{found.calls_a_sample:.3g} calls a row, {latency}"),
            ("an invocation", f"{found.invocation_p50:.3g} s (median), {found.invocation_p99:.3g} s (99%)"),
            (
                "a step",
                f"{duration(found.step)} of reward beside the rollouts, {found.calls_a_minute:,.0f} judge calls a minute",
            ),
            ("the whole job", f"{whole}, {duration(3600 * found.hours)} of reward"),
            ("method", found.method),
        ]
    )
    if found.obstacles:
        yield Lines(found.obstacles)

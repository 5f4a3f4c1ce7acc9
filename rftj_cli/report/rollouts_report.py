"""What `rftj rft sample` prints when it is done."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote
from typing import Any

from rftj_cli.errors import counted
from rftj_cli.report.blocks import Block, Entries, Facts, Heading
from rftj_cli.report.copied import advise
from rftj_cli.report.documents import show_json
from rftj_cli.report.words import cut, duration, money
from rftj_cli.rft.rollout_file import MOST_FAILURES
from rftj_cli.rft.rollouts import Sampled

SCHEMA = "rftj.rollouts/1"


def show(sampled: Sampled, *, json: bool, quiet: bool) -> None:
    """Print the summary of one command."""
    if json:
        show_json(document(sampled))
        return
    from rftj_cli.report import console

    console.show(list(_blocks(sampled)))
    if not quiet:
        advise("next", f"rftj score RUBRIC {quote(str(sampled.wish.out))}")


def document(sampled: Sampled) -> dict[str, Any]:
    """The summary as plain data."""
    written, manifest = sampled.written, sampled.manifest
    return {
        "schema": SCHEMA,
        "out": str(sampled.wish.out),
        "run": str(sampled.wish.where),
        "source": manifest.source,
        "settings": manifest.settings,
        "n": sampled.wish.n,
        "prompts": {
            "file": str(sampled.wish.prompts),
            "rows": sampled.gathering.rows,
            "with_answers": sampled.gathering.answered,
            "prompts": written.prompts,
            "with_one_answer_only": written.uniform,
        },
        "rollouts": {
            "wanted": sampled.expected.rollouts,
            "written": written.rollouts,
            "failed": len(written.failures),
            "cut": written.cut,
            "mean_output_tokens": written.mean_tokens,
        },
        "failures": written.failures[:MOST_FAILURES],
        "cost": manifest.cost,
        "input_tokens": manifest.input_tokens,
        "output_tokens": manifest.output_tokens,
        "this_command": {
            **sampled.tally.document(sampled.tally.snapshot().elapsed),
            "cost_unknown": sampled.budget.uncertain,
            "replies_without_usage": sampled.budget.unmetered,
        },
        "warnings": list(sampled.warnings),
    }


def _blocks(sampled: Sampled) -> Iterator[Block]:
    yield Facts(_rows(sampled))
    failures = sampled.written.failures
    if failures:
        shown = "" if len(failures) <= MOST_FAILURES else f" (the first {MOST_FAILURES} of {len(failures):,})"
        yield Heading(f"Failed: no answer, and no sample{shown}")
        yield Entries([(f"{one.id}  {one.stage}", [cut(one.reason, 160)]) for one in failures[:MOST_FAILURES]])


def _rows(sampled: Sampled) -> list[tuple[str, str]]:
    written, manifest, tally, wish = sampled.written, sampled.manifest, sampled.tally, sampled.wish
    prompts = f"{written.prompts:,}"
    if sampled.gathering.answered:
        prompts += f" of {counted(sampled.gathering.rows, 'row')}; answers and labels in these are left out"
    failed = f", {counted(len(written.failures), 'failure')}" if written.failures else ""
    limit = f", {written.cut:,} cut at {wish.max_tokens:,} tokens" if written.cut else ""
    rows = [
        ("written", f"{wish.out}: {counted(written.rollouts, 'rollout')}{failed}{limit}"),
        ("model", f"{wish.model}, temperature {wish.temperature:g}, seed {wish.seed}"),
        ("prompts", f"{prompts}; {counted(wish.n, 'answer')} each"),
        ("kept in", str(wish.where)),
        ("this time", f"{tally.done:,} sampled, {_calls(sampled)}, {duration(tally.snapshot().elapsed)}"),
    ]
    if manifest.calls:
        tokens = f"{manifest.input_tokens:,} tokens in, {manifest.output_tokens:,} out"
        cost = "unknown" if manifest.cost is None else f"{money(manifest.cost)} in all"
        rows.append(("cost", f"{cost} for these rollouts ({tokens})"))
    if written.mean_tokens is not None:
        rows.append(("length", f"{written.mean_tokens:,.0f} tokens a rollout on average"))
    return rows + [("warning", one) for one in sampled.warnings]


def _calls(sampled: Sampled) -> str:
    retries = f", {counted(sampled.tally.retries, 'retry')}" if sampled.tally.retries else ""
    return counted(sampled.tally.calls, "call") + retries

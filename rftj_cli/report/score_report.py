"""What `rftj score` prints when it is done."""

from __future__ import annotations

from shlex import quote
from typing import Any

from rftj_cli.errors import counted
from rftj_cli.files.runs import Manifest
from rftj_cli.measure.failing import Given
from rftj_cli.report.copied import advise
from rftj_cli.report.documents import show_json, to_plain
from rftj_cli.report.words import duration, failures_of, money, number
from rftj_cli.running.account import Tally
from rftj_cli.running.score import Scored
from rftj_cli.running.selection import Part

SCHEMA = "rftj.score/1"
MOST = 1_000  # failures in the document; `rftj show RUN --failures` has all
FEW = 20  # calls: fewer say nothing of a rate


def show(scored: Scored, given: Given, *, json: bool, quiet: bool) -> None:
    """Print the summary of one command."""
    if json:
        show_json(document(scored))
        return
    from rftj_cli.report import console
    from rftj_cli.report.blocks import Facts

    console.show([Facts(_rows(scored))])
    if not quiet:
        advise("next", f"rftj calibrate {quote(str(scored.run.folder))}{given.options}")


def show_nothing(part: Part, *, json: bool) -> None:
    """Say that no sample is left to judge. Nothing was written."""
    if json:
        nothing = {"schema": SCHEMA, "run": None, "status": "nothing to judge", "selection": part.selection}
        show_json({**nothing, "notes": list(part.notes)})
        return
    assert part.selection is not None
    print(f"nothing to judge: {part.selection.words}")
    for note in part.notes:
        print(f"note: {note}")


def document(scored: Scored) -> dict[str, Any]:
    """The summary as plain data: the run as it stands, and this command's own part."""
    manifest, tally = scored.run.manifest, scored.tally
    return {
        "schema": SCHEMA,
        "run": str(scored.run.folder),
        "rubric": {
            "name": scored.run.rubric.name,
            "judge_fingerprint": manifest.judge_fingerprint,
            "reward_fingerprint": manifest.reward_fingerprint,
            "model": manifest.model,
        },
        "status": manifest.status,
        "selection": to_plain(scored.selection),
        "counts": manifest.counts,
        "failures": _failures(scored),
        "reward": {
            "mean": scored.rewards.mean,
            "low": scored.rewards.low,
            "high": scored.rewards.high,
            "without": scored.rewards.without,
        },
        "cost": manifest.cost,
        "input_tokens": manifest.input_tokens,
        "output_tokens": manifest.output_tokens,
        "this_command": {
            **tally.document(tally.snapshot().elapsed),
            "cost_unknown": scored.budget.uncertain,
            "replies_without_usage": scored.budget.unmetered,
            "cache_saving": scored.cache_saving,
            "samples_not_in_file": scored.absent,
            "replies_without_sample": scored.strangers,
        },
        "notes": list(scored.notes),
    }


def _failures(scored: Scored) -> list[dict[str, str]]:
    """The samples of the run that failed, the first MOST of them."""
    store = scored.run.store()
    failed = store.failed(limit=MOST)
    store.close()
    return [{"sample": id, "stage": stage} for id, stage in failed]


def judged(manifest: Manifest) -> str:
    """`143 of 144 samples: 133 verdicts, 2 failures (2 unparsed), 8 skipped`."""
    counts = manifest.counts
    verdicts = counts.get("stage_verdict", 0)
    failures = failures_of({name.removeprefix("stage_"): n for name, n in counts.items() if name.startswith("stage_")})
    return f"{counts['judged']:,} of {counted(counts['samples'], 'sample')}: {counted(verdicts, 'verdict')}, {failures}"


def _rows(scored: Scored) -> list[tuple[str, str]]:
    manifest, tally = scored.run.manifest, scored.tally
    rows = [
        ("run", str(scored.run.folder)),
        ("judge", f"{manifest.model}, fingerprint {manifest.judge_fingerprint[:8]}"),
        ("judged", judged(manifest)),
    ]
    if scored.selection is not None:
        rows.insert(2, ("chosen", scored.selection.words))
    if scored.absent:
        are = "is" if scored.absent == 1 else "are"
        rows.append(
            ("not in file", f"{counted(scored.absent, 'sample')} of this run {are} not in {manifest.samples_path}")
        )
    if scored.imported is not None and scored.strangers:
        strangers = counted(scored.strangers, "reply")
        belong = "belongs" if scored.strangers == 1 else "belong"
        rows.append(("unused", f"{strangers} in {scored.imported.path} {belong} to no sample"))
    rows.append(("this time", _this_time(tally)))
    if scored.rewards.mean is not None:
        low, high = number(scored.rewards.low), number(scored.rewards.high)
        none = f", {scored.rewards.without:,} without" if scored.rewards.without else ""
        rows.append(("reward", f"mean {number(scored.rewards.mean)}, from {low} to {high}{none}"))
    if tally.calls:
        rows += _service(scored)
    return rows + [("note", note) for note in scored.notes]


def _this_time(tally: Tally) -> str:
    calls = f"{counted(tally.calls, 'call')}, {counted(tally.reused, 'reply')} reused"
    if tally.retries:
        calls += f", {counted(tally.retries, 'retry')}"
    if tally.repaired:
        calls += f", {counted(tally.repaired, 'reply')} repaired (JSON inside prose)"
    if tally.votes_lost:
        calls += f", {counted(tally.votes_lost, 'vote')} lost (no verdict in the reply; the other votes decide)"
    if tally.saved:
        calls += f", {counted(tally.saved, 'vote')} saved"
    return f"{tally.done:,} judged, {calls}, {duration(tally.snapshot().elapsed)}"


def _service(scored: Scored) -> list[tuple[str, str]]:
    """How the service was to be had, and what it cost."""
    tally, manifest = scored.tally, scored.run.manifest
    p50, p95 = tally.latencies.quantile(0.5), tally.latencies.quantile(0.95)
    rows = [("latency", f"{duration(p50)} median, {duration(p95)} for 95 of 100")]
    if tally.traffic is not None and tally.calls >= FEW:
        rate = f"{60 * tally.calls / max(1e-9, tally.snapshot().elapsed):,.0f} calls a minute"
        if tally.traffic.allowed is not None:
            rate += f", {60 * tally.traffic.allowed:,.0f} allowed at the end"
        if tally.traffic.throttled:
            rate += f"; throttled {tally.traffic.throttled:,} times"
        rows.append(("rate", rate))
    tokens = f"{manifest.input_tokens:,} tokens in, {manifest.output_tokens:,} out"
    cost = "unknown" if manifest.cost is None else f"{money(manifest.cost)} in all"
    rows.append(("cost", f"{cost} for this run ({tokens})"))
    if scored.budget.unmetered:
        replies = counted(scored.budget.unmetered, "reply")
        rows.append(("estimated", f"{replies} without usage: the service does not say what it bills for them"))
    if tally.cache_read_tokens or tally.cache_write_tokens:
        cached = f"{tally.cache_read_tokens:,} tokens read, {tally.cache_write_tokens:,} written"
        saving = scored.cache_saving
        rows.append(("cache", cached if saving is None else f"{cached}: {money(saving)} saved"))
    if tally.lost_tokens or tally.unknown:
        lost = f"{tally.lost_tokens:,} tokens billed for replies that could not be used"
        unknown = f"; {counted(tally.unknown, 'call')} failed that may have been billed" if tally.unknown else ""
        rows.append(("lost", lost + unknown))
    return rows

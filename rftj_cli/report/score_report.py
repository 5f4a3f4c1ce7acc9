"""What `rftj score` prints when it is done."""

from __future__ import annotations

import json as jsons
import sys
from typing import Any

from rftj_cli.report.words import counted, duration, money, number
from rftj_cli.running.score import Scored

SCHEMA = "rftj.score/1"


def show(scored: Scored, *, json: bool, quiet: bool) -> None:
    """Print the summary of one command."""
    if json:
        print(jsons.dumps(document(scored), indent=2, ensure_ascii=False))
        return
    from rftj_cli.report import console
    from rftj_cli.report.blocks import Facts

    console.show([Facts(_rows(scored))])
    if not quiet:
        print(f"next: rftj calibrate {scored.run.folder}", file=sys.stderr)


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
        "counts": manifest.counts,
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
            "judged": tally.done,
            "samples_not_in_file": scored.absent,
            "replies_without_sample": None if scored.imported is None else scored.imported.strangers,
            "calls": tally.calls,
            "reused": tally.reused,
            "retries": tally.retries,
            "repaired": tally.repaired,
            "cost": tally.cost if tally.priced else None,
            "latency_p50": tally.latency(0.5),
            "latency_p95": tally.latency(0.95),
        },
    }


def _rows(scored: Scored) -> list[tuple[str, str]]:
    manifest, tally = scored.run.manifest, scored.tally
    counts = manifest.counts
    verdicts = counts.get("stage_verdict", 0)
    failed = {name.removeprefix("stage_"): n for name, n in counts.items() if name.startswith("stage_")}
    stages = ", ".join(f"{n:,} {name}" for name, n in failed.items() if name != "verdict")
    failures = counted(counts["judged"] - verdicts, "failure") + (f" ({stages})" if stages else "")
    rows = [
        ("run", str(scored.run.folder)),
        ("judge", f"{manifest.model}, fingerprint {manifest.judge_fingerprint[:8]}"),
        (
            "judged",
            f"{counts['judged']:,} of {counted(counts['samples'], 'sample')}: {counted(verdicts, 'verdict')}, {failures}",
        ),
    ]
    if scored.absent:
        are = "is" if scored.absent == 1 else "are"
        rows.append(
            ("not in file", f"{counted(scored.absent, 'sample')} of this run {are} not in {manifest.samples_path}")
        )
    if scored.imported is not None and scored.imported.strangers:
        strangers = counted(scored.imported.strangers, "reply")
        belong = "belongs" if scored.imported.strangers == 1 else "belong"
        rows.append(("unused", f"{strangers} in {scored.imported.path} {belong} to no sample"))
    calls = f"{counted(tally.calls, 'call')}, {counted(tally.reused, 'reply')} reused"
    if tally.retries:
        calls += f", {counted(tally.retries, 'retry')}"
    if tally.repaired:
        calls += f", {counted(tally.repaired, 'reply')} repaired (JSON inside prose)"
    rows.append(("this time", f"{tally.done:,} judged, {calls}, {duration(tally.snapshot().elapsed)}"))
    if scored.rewards.mean is not None:
        low, high = number(scored.rewards.low), number(scored.rewards.high)
        none = f", {scored.rewards.without:,} without" if scored.rewards.without else ""
        rows.append(("reward", f"mean {number(scored.rewards.mean)}, from {low} to {high}{none}"))
    if tally.calls:
        latency = f"{duration(tally.latency(0.5))} median, {duration(tally.latency(0.95))} for 95 of 100"
        rows.append(("latency", latency))
        tokens = f"{manifest.input_tokens:,} tokens in, {manifest.output_tokens:,} out"
        rows.append(("cost", f"{money(manifest.cost)} in all for this run ({tokens})"))
    return rows

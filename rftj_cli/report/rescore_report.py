"""What `rftj rescore` prints: ids, levels and rewards, no text of samples."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from shlex import quote
from typing import Any

from rftj_cli.errors import counted
from rftj_cli.report.blocks import Block, Facts, Grid, Heading, to_markdown
from rftj_cli.report.copied import advise
from rftj_cli.report.documents import show_json
from rftj_cli.report.score_report import judged
from rftj_cli.report.words import duration, flip_in_words, number
from rftj_cli.running.rescore import SCHEMA, Change, Rescored

SHOWN = 10


def show(rescored: Rescored, *, json: bool, markdown: bool, quiet: bool) -> None:
    """Print the result in the wanted form."""
    if json:
        show_json(document(rescored))
        return
    blocks = list(_blocks(rescored))
    if markdown:
        sys.stdout.write(to_markdown(blocks))
        return
    from rftj_cli.report import console

    console.show(blocks)
    if not quiet:
        advise("next", f"rftj calibrate {quote(str(rescored.run.folder))}")


def document(rescored: Rescored) -> dict[str, Any]:
    """The result as plain data."""
    run, changes = rescored.run, rescored.changes
    return {
        "schema": SCHEMA,
        "run": str(run.folder),
        "of": str(rescored.of.folder),
        "rubric": {
            "name": run.rubric.name,
            "judge_fingerprint": run.rubric.judge_fingerprint,
            "reward_fingerprint": run.rubric.reward_fingerprint,
            "changed": rescored.rubric_changes,
        },
        "status": run.manifest.status,
        "counts": run.manifest.counts,
        "verdicts": {"compared": changes.verdicts, "changed": changes.flipped, "moved": changes.moved},
        "rewards": {"changed": changes.rewards, "before": rescored.before, "after": rescored.after},
        "votes_lost": dict(zip(("before", "after"), changes.votes_lost, strict=True)),
        "failures": {"mended": changes.mended, "new": changes.broken, "other_stage": changes.restaged},
        "skipped": dict(zip(("before", "after"), changes.skipped, strict=True)),
        "samples_changed": changes.samples,
        "worst": changes.worst,
        "seconds": round(rescored.seconds, 3),
    }


def _blocks(rescored: Rescored) -> Iterator[Block]:
    run, changes = rescored.run, rescored.changes
    moved = f"; {changes.moved:,} kept their level with another value" if changes.moved else ""
    before, after = changes.votes_lost
    lost = [("votes lost", f"{before:,} -> {after:,} (no verdict in the reply; the other votes decide)")]
    yield Facts(
        [
            ("run", f"{run.folder} (rescore of {rescored.of.folder})"),
            ("judge", f"{run.manifest.model}, fingerprint {run.manifest.judge_fingerprint[:8]}"),
            ("rubric", "; ".join(rescored.rubric_changes) or "nothing changed"),
            ("judged", f"{judged(run.manifest)}; no calls, $0, {duration(rescored.seconds)}"),
            ("verdicts", f"{changes.flipped:,} of {changes.verdicts:,} changed{moved}"),
            ("failures", f"{changes.mended:,} mended, {changes.broken:,} new, {changes.restaged:,} for another reason"),
            *([("skipped", " -> ".join(f"{one:,}" for one in changes.skipped))] if any(changes.skipped) else []),
            *(lost if before or after else []),
            ("rewards", _rewards(rescored)),
        ]
    )
    if changes.worst:
        shown = changes.worst[:SHOWN]
        yield Heading(f"Changed most ({len(shown)} of {counted(changes.samples, 'sample')}), before -> after")
        yield Grid(["sample", "reward", "verdict"], [_row(one) for one in shown], tail=1)


def _rewards(rescored: Rescored) -> str:
    before, after = rescored.before, rescored.after
    none = f"; without one: {before.without:,} -> {after.without:,}" if before.without or after.without else ""
    return f"{rescored.changes.rewards:,} changed; mean {number(before.mean)} -> {number(after.mean)}{none}"


def _row(one: Change) -> list[str]:
    words = "; ".join(map(flip_in_words, one.flips)) or "the same"
    return [one.sample, f"{number(one.reward_before)} -> {number(one.reward_after)}", words]

"""A run's manifest while it is written: begun before the first call, brought up to date after the last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rftj_cli import __version__
from rftj_cli.files.runs import Manifest, Selection, read_manifest, siblings
from rftj_cli.files.samples import SampleFile
from rftj_cli.files.store import Store
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.running.account import Tally

_COUNTED: Final = {"samples": "samples", "judged": "outcomes"}


def begun(
    rubric: Rubric,
    rubric_path: Path,
    samples: SampleFile,
    source: str | None,
    folder: Path,
    store: Store | None,
    selection: Selection | None = None,
    *,
    internal: bool = False,
) -> Manifest:
    """The manifest of a run that is about to go on, or to begin; `source` is None where this command brings no reply."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    known = read_manifest(folder)
    before = sources_before(known, store)
    sources = before if source is None or source in before else (*before, source)
    return Manifest(
        name=folder.name,
        rubric=dict(rubric.source),
        rubric_path=str(rubric_path),
        judge_fingerprint=rubric.judge_fingerprint,
        reward_fingerprint=rubric.reward_fingerprint,
        samples_path=str(samples.path),
        columns=dict(samples.columns),
        model=rubric.judge.model,
        source=_named(sources),
        rftj_version=__version__,
        started=now if known is None else known.started,
        updated=now,
        status="running",
        counts={what: 0 if store is None else store.count(table) for what, table in _COUNTED.items()},
        cost=0.0 if known is None else known.cost,
        input_tokens=0 if known is None else known.input_tokens,
        output_tokens=0 if known is None else known.output_tokens,
        calls=0 if known is None else known.calls,
        seconds=0.0 if known is None else known.seconds,
        history=() if known is None else known.history,
        learned={} if known is None else known.learned,
        selections=_selections(known, selection),
        sources=sources,
        internal=internal and (known is None or known.internal),
    )


def _named(sources: tuple[str, ...]) -> str:
    return " and ".join(sources)


def sources_before(known: Manifest | None, store: Store | None) -> tuple[str, ...]:
    """Where the replies came from that a run holds already, also those that a killed command has left uncounted."""
    return () if known is None or store is None or not store.count("replies") else known.came_from


def without_new_source(manifest: Manifest, before: tuple[str, ...]) -> Manifest:
    """The manifest of a command that brought no reply: where the replies came from is what it was `before`."""
    return replace(manifest, sources=before, source=_named(before)) if before else manifest


def _selections(known: Manifest | None, new: Selection | None) -> tuple[Selection, ...]:
    """How the samples of a run were chosen, once this command has added its own."""
    before = () if known is None else known.selections
    return before if new is None or new in before else (*before, new)


def ended(
    manifest: Manifest,
    store: Store,
    samples: int,
    tally: Tally,
    seconds: float,
    learned: Mapping[str, Any],
    source: str,
) -> Manifest:
    """The manifest after a command, counted from the store itself; `samples` is how many its whole file holds."""
    stages = store.stages()
    cost, input_tokens, output_tokens, calls = store.spent()
    judged = sum(stages.values())
    now = datetime.now(UTC).isoformat(timespec="seconds")
    traffic = [] if tally.traffic is None else tally.traffic.history
    this = {"at": now, "source": source, **tally.document(seconds), "limiter": traffic}
    return replace(
        manifest,
        updated=now,
        status="complete" if judged >= samples else "partial",
        selections=() if judged >= samples else manifest.selections,
        counts={
            "samples": max(samples, store.count("samples")),
            "judged": judged,
            "failed": judged - stages.get("verdict", 0),
            **{f"stage_{name}": n for name, n in stages.items()},
        },
        cost=cost,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        calls=calls,
        seconds=round(manifest.seconds + seconds, 3),
        history=(*manifest.history, this),
        learned={**manifest.learned, **learned},
    )


def learned_before(folder: Path, model: str, source: str) -> dict[str, Any]:
    """What this run has learned of its judge, else what the newest run beside it has that called the same one."""
    own = read_manifest(folder)
    if own is not None and own.learned:
        return own.learned
    others = [read_manifest(one) for one in siblings(folder, model)]
    known = [one for one in others if one is not None and source in one.came_from and one.learned]
    return max(known, key=lambda one: one.updated).learned if known else {}

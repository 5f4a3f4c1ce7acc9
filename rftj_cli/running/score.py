"""`score`: a rubric and a file of samples to a run folder, continued wherever it stopped."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from rftj_cli import __version__
from rftj_cli.errors import CannotTell, InputError, Interrupted
from rftj_cli.files.prices import Price
from rftj_cli.files.runs import (
    Lock,
    Manifest,
    Run,
    default_folder,
    make_private,
    open_run,
    read_manifest,
    siblings,
    write_manifest,
)
from rftj_cli.files.samples import SampleFile
from rftj_cli.files.store import Rewards, SampleRow, Store
from rftj_cli.kernel.asks import names_used
from rftj_cli.kernel.evaluate import Task, prepare
from rftj_cli.kernel.outcome import Judge
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.running.account import Progress, Silent, Tally
from rftj_cli.running.budget import Budget
from rftj_cli.running.changes import refuse_changes
from rftj_cli.running.engine import Engine
from rftj_cli.running.preflight import Forecast, is_settled, place, preflight
from rftj_cli.running.recordings import ImportedFile, Recordings, Stores
from rftj_cli.running.signals import stops_on_signals

MakeJudge = Callable[[threading.Event], Judge]


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run: none of it changes a verdict.

    `replay` are recordings that must answer everything; `make_judge` is called only where a live call is needed;
    `source` names the live judge in the manifest. `max_cost` is US dollars for this command.
    """

    make_judge: MakeJudge
    source: str
    folder: Path | None = None
    replay: Recordings | None = None
    fresh: bool = False
    workers: int = 16
    price: Price | None = None
    max_cost: float | None = None
    progress: Callable[[Forecast, Path], Progress] = field(default=lambda forecast, folder: Silent())

    @property
    def imported(self) -> ImportedFile | None:
        """The replies by sample id, where these are replayed."""
        return self.replay if isinstance(self.replay, ImportedFile) else None


@dataclass(frozen=True, slots=True)
class Scored:
    """What one `score` command did: the run as it is now, and this command's own totals."""

    run: Run
    forecast: Forecast
    tally: Tally
    rewards: Rewards
    imported: ImportedFile | None = None

    @property
    def absent(self) -> int:
        """How many samples of the run are not in the file of this command."""
        return self.run.manifest.counts["samples"] - self.forecast.samples

    def refuse_failures(self, limit: float) -> None:
        """Raise `CannotTell` where more than this share of the judged samples failed.

        Skipped samples do not count: a check or the response itself settled them, the judge was not asked.
        """
        counts = self.run.manifest.counts
        judged, failed = counts["judged"], counts["failed"] - counts.get("stage_skipped", 0)
        if judged and failed / judged > limit:
            raise CannotTell(
                f"{failed} of {judged} samples failed ({failed / judged:.1%}), more than --max-failures {limit:g}\n"
                f"  everything is kept in {self.run.folder}"
            )


def score(rubric: Rubric, rubric_path: Path, samples: SampleFile, settings: Settings) -> Scored:
    """Judge what the run folder does not hold yet.

    Raises `InputError` before anything is written or called, `CannotTell` where the judge or the budget ends the run,
    `Interrupted` on Ctrl-C; whatever was judged is kept in all cases.
    """
    if settings.max_cost is not None and math.isnan(settings.max_cost):
        raise InputError("not a number", key="--max-cost", found=settings.max_cost, expected="US dollars")
    if settings.max_cost is not None and settings.price is None:
        raise InputError(
            "--max-cost needs the price of the model, and it is unknown", hint="give it with --prices FILE"
        )
    folder = settings.folder or default_folder(rubric)
    refuse_changes(rubric, folder)
    existing = Store.existing(folder / "store.sqlite")
    recordings = _recordings(rubric, folder, existing, settings)
    forecast = preflight(
        rubric,
        samples,
        store=existing,
        recordings=recordings,
        must_replay=settings.replay is not None,
        price=settings.price,
    )
    stop = threading.Event()
    judge = settings.make_judge(stop) if forecast.calls else None
    if existing is not None:
        existing.close()
    make_private(folder)
    with Lock(folder):
        refuse_changes(rubric, folder)  # again, since another command may have made the run meanwhile
        return _judge(rubric, rubric_path, samples, settings, folder, forecast, judge, stop)


def _judge(
    rubric: Rubric,
    rubric_path: Path,
    samples: SampleFile,
    settings: Settings,
    folder: Path,
    forecast: Forecast,
    judge: Judge | None,
    stop: threading.Event,
) -> Scored:
    if read_manifest(folder) is None:  # first of all: a folder with a store is a run, whenever its writer is killed
        write_manifest(folder, _manifest(rubric, rubric_path, samples, settings, folder, None))
    store = Store(folder / "store.sqlite", write=True)
    reader = Store(folder / "store.sqlite", write=False)
    tally = Tally(forecast.samples - forecast.settled, settings.progress(forecast, folder))
    budget = Budget(settings.price, settings.max_cost)
    manifest = _manifest(rubric, rubric_path, samples, settings, folder, store)
    manifest = replace(manifest, counts={**manifest.counts, "samples": forecast.samples})  # a kill leaves this behind
    write_manifest(folder, manifest)
    engine = Engine(
        judge,
        store,
        workers=settings.workers,
        recordings=_recordings(rubric, folder, reader, settings),
        price=settings.price,
        budget=budget,
        tally=tally,
        stop=stop,
    )
    began = time.monotonic()
    interrupted = threading.Event()
    try:
        with stops_on_signals(stop, interrupted):
            engine.run(_tasks(rubric, samples, reader, settings.imported))
    finally:
        tally.progress.close(tally.snapshot())
        manifest = _updated(manifest, store, forecast, tally, time.monotonic() - began)
        write_manifest(folder, manifest)
        rewards = store.rewards()
        reader.close()
        store.close()
    if interrupted.is_set():
        raise Interrupted(f"{manifest.counts['judged']} of {forecast.samples} samples are kept in {folder}")
    if budget.exhausted:
        raise CannotTell(
            f"--max-cost {settings.max_cost:g} reached: {manifest.counts['judged']} of {forecast.samples} samples are "
            f"judged and kept in {folder}\n  the same command with a higher ceiling goes on"
        )
    return Scored(open_run(str(folder)), forecast, tally, rewards, settings.imported)


def _tasks(
    rubric: Rubric, samples: SampleFile, store: Store, imported: ImportedFile | None
) -> Iterator[tuple[SampleRow, Task]]:
    names = names_used(rubric)
    for _, sample in samples:
        if imported is not None:
            imported.meet(sample.id)
        if not is_settled(store, sample.id):
            group, cluster, split = place(sample, names)
            yield SampleRow(sample, sample.fingerprint(names), group, cluster, split), prepare(rubric, sample)


def _recordings(rubric: Rubric, folder: Path, own: Store | None, settings: Settings) -> list[Recordings]:
    """Where replies may be found, nearest first: this run, then what is replayed, then runs beside this one."""
    found: list[Recordings] = [] if own is None else [Stores((own,), "this run")]
    if settings.replay is not None:
        return [*found, settings.replay]
    if not settings.fresh:
        others = [
            store
            for one in siblings(folder, rubric.judge.model)
            if _live_source(one) == settings.source and (store := Store.existing(one / "store.sqlite")) is not None
        ]
        found += [Stores(others, "runs of this project")] if others else []
    return found


def _live_source(folder: Path) -> str | None:
    manifest = read_manifest(folder)
    return None if manifest is None else manifest.source


_COUNTED = {"samples": "samples", "judged": "outcomes"}


def _manifest(
    rubric: Rubric, rubric_path: Path, samples: SampleFile, settings: Settings, folder: Path, store: Store | None
) -> Manifest:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    known = read_manifest(folder)
    source = settings.source if settings.replay is None else settings.replay.name
    return Manifest(
        name=folder.name,
        rubric=dict(rubric.source),
        rubric_path=str(rubric_path),
        judge_fingerprint=rubric.judge_fingerprint,
        reward_fingerprint=rubric.reward_fingerprint,
        samples_path=str(samples.path),
        columns=dict(samples.columns),
        model=rubric.judge.model,
        source=source,
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
    )


def _updated(manifest: Manifest, store: Store, forecast: Forecast, tally: Tally, seconds: float) -> Manifest:
    """The manifest after this command, counted from the store itself."""
    stages = store.stages()
    cost, input_tokens, output_tokens, calls = store.spent()
    judged = sum(stages.values())
    now = datetime.now(UTC).isoformat(timespec="seconds")
    this = {
        "at": now,
        "source": manifest.source,
        "judged": tally.done,
        "calls": tally.calls,
        "reused": tally.reused,
        "retries": tally.retries,
        "cost": tally.cost if tally.priced else None,
        "seconds": round(seconds, 3),
        "latency_p50": tally.latency(0.5),
        "latency_p95": tally.latency(0.95),
    }
    return replace(
        manifest,
        updated=now,
        status="complete" if judged >= forecast.samples else "partial",
        counts={
            "samples": max(forecast.samples, store.count("samples")),
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
    )

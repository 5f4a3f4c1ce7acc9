"""`score`: a rubric and a file of samples to a run folder, continued wherever it stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rftj_cli.errors import CannotTell, InputError, Interrupted
from rftj_cli.files.prices import Price
from rftj_cli.files.runs import (
    Lock,
    Manifest,
    Run,
    Selection,
    default_folder,
    make_private,
    open_run,
    read_manifest,
    seal,
    write_manifest,
)
from rftj_cli.files.samples import SampleFile
from rftj_cli.files.store import Store
from rftj_cli.files.store_rows import Rewards
from rftj_cli.kernel.dialect import notes_of
from rftj_cli.kernel.outcome import Judge
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.votes import refuse_fixed_votes
from rftj_cli.running.account import Progress, Silent, Tally
from rftj_cli.running.budget import Budget
from rftj_cli.running.calling import Live, Pace, live_of, refuse_unpriced
from rftj_cli.running.changes import refuse_changes
from rftj_cli.running.engine import KEPT, Engine
from rftj_cli.running.feed import Feed
from rftj_cli.running.manifests import begun, ended, learned_before, sources_before, without_new_source
from rftj_cli.running.parts import Parts
from rftj_cli.running.preflight import Forecast, preflight
from rftj_cli.running.recordings import ImportedFile, Recordings, close_borrowed, nearest_first
from rftj_cli.running.signals import stops_on_signals
from rftj_cli.running.tokens import Meter

MakeJudge = Callable[[Mapping[str, Any]], Judge]


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run: none of it changes a verdict.

    `replay` are recordings that must answer everything; `make_judge` is called only where a live call is needed, with
    what is known of the model; `source` names the live judge in the manifest. `timeout` is seconds (None: 120, and 300 for
    the first call), `max_cost` US dollars
    for this command, `rpm` and `tpm` requests and tokens a minute. With `adaptive` settled votes are not asked.
    `selection` says how the samples were chosen, where they are a part of their file; `internal` is a run that is made for
    a purpose of rftj's own (see `Manifest`). `paid` hears of the budget at the end,
    also where the command fails.
    """

    make_judge: MakeJudge
    source: str
    folder: Path | None = None
    replay: Recordings | None = None
    fresh: bool = False
    workers: int = 16
    timeout: float | None = None
    rpm: float | None = None
    tpm: float | None = None
    adaptive: bool = False
    price: Price | None = None
    max_cost: float | None = None
    progress: Callable[[Forecast, Path], Progress] = field(default=lambda forecast, folder: Silent())
    selection: Selection | None = None
    internal: bool = False
    paid: Callable[[Budget], None] = field(default=lambda budget: None)

    @property
    def name(self) -> str:
        """Where the replies of this command come from."""
        return self.source if self.replay is None else self.replay.name

    def whole(self, forecast: Forecast) -> int:
        """How many samples the file holds, those that were not chosen included."""
        return forecast.samples if self.selection is None else self.selection.of

    def recordings(self, rubric: Rubric, folder: Path, own: Store | None) -> list[Recordings]:
        """Where replies may be found, nearest first."""
        return nearest_first(folder, own, self.replay, None if self.fresh else rubric.judge.model, self.source)

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
    imported: ImportedFile | None
    budget: Budget
    notes: tuple[str, ...] = ()
    selection: Selection | None = None

    @property
    def cache_saving(self) -> float | None:
        """US dollars that this command saved by cached prompts; None where that is unknown."""
        price, tally = self.forecast.price, self.tally
        return None if price is None else price.saving(tally.cache_read_tokens, tally.cache_write_tokens)

    @property
    def absent(self) -> int:
        """How many samples of the run are not in the file of this command."""
        whole = self.forecast.samples if self.selection is None else self.selection.of
        return self.run.manifest.counts["samples"] - whole

    @property
    def strangers(self) -> int | None:
        """How many imported replies belong to no sample; None where none are imported, or only a part is judged."""
        return None if self.imported is None or self.selection is not None else self.imported.strangers

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
    Pace(settings.workers, settings.timeout, settings.rpm, settings.tpm).refuse_nonsense()
    refuse_unpriced(settings.max_cost, settings.price)
    if settings.adaptive:
        refuse_fixed_votes(rubric)
    folder = settings.folder or default_folder(rubric)
    refuse_changes(rubric, folder)
    learned = learned_before(folder, rubric.judge.model, settings.source)
    meter = Meter(learned.get("tokens"))
    existing = Store.existing(folder / "store.sqlite")
    recordings = settings.recordings(rubric, folder, existing)
    read = samples.state()
    try:
        forecast = preflight(
            rubric,
            samples,
            store=existing,
            recordings=recordings,
            must_replay=settings.replay is not None,
            price=settings.price,
            meter=meter,
        )
        judge = settings.make_judge(learned.get("accepted", {})) if forecast.calls else None
    finally:
        close_borrowed(recordings)
        if existing is not None:
            existing.close()
    make_private(folder)
    with Lock(folder):
        refuse_changes(rubric, folder)  # again, since another command may have made the run meanwhile
        stop = threading.Event()
        pace = Pace(settings.workers, settings.timeout, settings.rpm, settings.tpm)
        live = None if judge is None else live_of(judge, rubric.judge, pace, meter, stop, learned.get("rates"))
        scored = _judge(rubric, rubric_path, samples, settings, folder, forecast, live, read)
    if samples.state() != read:
        raise _changed(samples)
    return scored


def _judge(
    rubric: Rubric,
    rubric_path: Path,
    samples: SampleFile,
    settings: Settings,
    folder: Path,
    forecast: Forecast,
    live: Live | None,
    read: tuple[int, ...] | None,
) -> Scored:
    chosen, whole, traffic = settings.selection, settings.whole(forecast), None if live is None else live.traffic
    manifest, store, before = _begun(rubric, rubric_path, samples, settings, folder, forecast)
    reader = Store(folder / "store.sqlite", write=False)
    tally = Tally(forecast.samples - forecast.settled, settings.progress(forecast, folder), traffic)
    stop, meter = (threading.Event(), Meter()) if live is None else (live.stop, live.meter)
    budget, recordings = Budget(settings.price, settings.max_cost, meter), settings.recordings(rubric, folder, reader)
    feed = Feed(rubric, samples, reader, settings.imported, forecast, manifest.history, settings.source, read)
    parts = Parts(
        store, recordings, settings.price, budget, tally, meter, stop, traffic, settings.adaptive,
        spread=feed.spread, known_good=feed.known_good,
    )  # fmt: skip
    began, interrupted = time.monotonic(), threading.Event()
    try:
        with stops_on_signals(stop, interrupted):
            Engine(parts, None if live is None else live.pool()).run(feed)
    finally:
        tally.progress.close(tally.snapshot())
        settings.paid(budget)
        seconds, learned = time.monotonic() - began, {} if live is None else live.learned()
        manifest = ended(manifest, store, whole, tally, seconds, learned, settings.name)
        if not tally.calls + tally.reused:
            manifest = without_new_source(manifest, before)
        if store.present:
            write_manifest(folder, manifest)
        rewards = store.rewards()
        close_borrowed(recordings)
        reader.close()
        store.close()
        if folder.exists():
            seal(folder)
    if interrupted.is_set():
        raise Interrupted(f"{manifest.counts['judged']} of {whole} samples are kept in {folder}")
    if budget.exhausted:
        raise CannotTell(
            f"--max-cost {settings.max_cost:g} reached: {manifest.counts['judged']} of {whole} samples are "
            f"judged and kept in {folder}\n  the same command with a higher ceiling goes on"
        )
    notes = () if live is None else notes_of(live.judge)
    return Scored(open_run(str(folder)), forecast, tally, rewards, settings.imported, budget, notes, chosen)


def _changed(samples: SampleFile) -> InputError:
    return InputError(
        "the samples file was written again during the run",
        file=samples.path,
        expected="the file that was checked before the first call",
        hint=f"{KEPT}, where the samples that are judged are still the same",
    )


def _begun(
    rubric: Rubric, rubric_path: Path, samples: SampleFile, settings: Settings, folder: Path, forecast: Forecast
) -> tuple[Manifest, Store, tuple[str, ...]]:
    """The manifest as a kill would leave it, the store, and where the replies came from that it holds already."""
    chosen, internal, known = settings.selection, settings.internal, read_manifest(folder)
    if known is None:  # first of all: a folder with a store is a run, whenever its writer is killed
        first = begun(rubric, rubric_path, samples, settings.name, folder, None, chosen, internal=internal)
        write_manifest(folder, first)
    store = Store(folder / "store.sqlite", write=True)
    before = sources_before(known, store)
    told = settings.name if forecast.samples > forecast.settled or not before else None
    manifest = begun(rubric, rubric_path, samples, told, folder, store, chosen, internal=internal)
    manifest = replace(manifest, counts={**manifest.counts, "samples": settings.whole(forecast)})
    write_manifest(folder, manifest)
    return manifest, store, before

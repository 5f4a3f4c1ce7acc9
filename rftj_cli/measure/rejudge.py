"""The same judge again on some samples of a run: fresh replies, in a run folder of its own beside the run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rftj_cli.errors import InputError
from rftj_cli.files.prices import price_of
from rftj_cli.files.runs import Run, Selection
from rftj_cli.files.samples import SampleFile
from rftj_cli.files.store import Store
from rftj_cli.files.typed import typed
from rftj_cli.kernel.compile import compile_rubric
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.sample import Sample
from rftj_cli.kernel.secrets import shown_url
from rftj_cli.running.account import Progress, Silent
from rftj_cli.running.calling import FIRST_TIMEOUT
from rftj_cli.running.live import Endpoint, default_workers
from rftj_cli.running.preflight import Forecast
from rftj_cli.running.recordings import Recordings, chosen
from rftj_cli.running.score import Settings, score

MOST = 25  # repeats: beyond that nothing is learned of one sample


@dataclass(frozen=True, slots=True)
class Again:
    """How to ask again: `votes` replies a sample, by whom, for how much."""

    votes: int = 0
    base_url: str | None = None
    region: str | None = None
    replay: Path | None = None
    import_replies: Path | None = None
    workers: int | None = None
    prices: Path | None = None
    max_cost: float | None = None
    progress: Callable[[Forecast, Path], Progress] = field(default=lambda forecast, folder: Silent())

    @property
    def options(self) -> str:
        """How the judge is asked, as it would be typed again; what the environment says is not repeated."""
        url = None if self.base_url == os.environ.get("OPENAI_BASE_URL") else self.base_url and shown_url(self.base_url)
        prices = None if str(self.prices) == os.environ.get("RFTJ_PRICES") else self.prices
        recorded = {"replay": self.replay, "import_replies": self.import_replies}
        return typed(base_url=url, region=self.region, **recorded, workers=self.workers, prices=prices)


@dataclass(frozen=True, slots=True)
class StoredSamples(SampleFile):
    """Some samples of a run, exactly as they were judged, whatever their file holds by now."""

    store: Store = field(kw_only=True)
    ids: frozenset[str] = field(kw_only=True)

    def __iter__(self) -> Iterator[tuple[int, Sample]]:
        for number, (row, _) in enumerate(self.store.outcomes(), 1):
            if row.sample.id in self.ids:
                yield number, row.sample


def validate(run: Run, again: Again) -> Recordings | None:
    """The recordings to replay, if any. Raises `InputError` for options that make no sense together."""
    if not 0 <= again.votes <= MOST:
        raise InputError("--rejudge", found=again.votes, expected=f"0 to {MOST}; 3 is a good number")
    if not again.votes:
        for name in ("base_url", "region", "replay", "import_replies", "workers", "prices", "max_cost"):
            # OPENAI_BASE_URL and RFTJ_PRICES may be set for other commands: they are no wish to re-judge.
            if getattr(again, name) is not None and name not in ("base_url", "prices"):
                raise InputError(f"--{name.replace('_', '-')} belongs to --rejudge", expected="--rejudge 3")
        return None
    recordings = chosen(again.replay, again.import_replies)
    own = f"replay of {run.folder}"
    known = recordings is not None and recordings.name in (own, *run.manifest.came_from)
    same = again.replay is not None and again.replay.resolve() == run.folder.resolve()
    if same or (known and again.votes <= run.rubric.judge.votes):
        raise InputError(
            "these are the replies that are to be repeated: the judge would agree with itself", found=str(again.replay or
            again.import_replies), expected="a live judge, or replies recorded in further votes",
        )  # fmt: skip
    return recordings


def rejudge(run: Run, ids: frozenset[str], again: Again, recordings: Recordings | None) -> Run:
    """Ask the judge `again.votes` more times about these samples; what was asked before is not asked again.

    Raises what `score` raises: `CannotTell` where the judge or the budget ends it, `Interrupted` on Ctrl-C.
    """
    rubric, manifest = voted(run, again.votes), run.manifest
    workers = again.workers or default_workers(rubric.judge)
    endpoint = Endpoint(rubric.judge, workers, again.base_url, again.region, FIRST_TIMEOUT)
    settings = Settings(
        make_judge=endpoint.connect,
        source=endpoint.name,
        folder=folder_of(run, again.votes),
        replay=recordings,
        fresh=True,
        workers=workers,
        price=price_of(rubric.judge.model, again.prices, rubric.judge.tier),
        max_cost=again.max_cost,
        progress=again.progress,
        selection=Selection(len(ids), manifest.counts.get("samples", len(ids)), "disagreeing", (str(run.folder),)),
        internal=True,
    )
    store = run.store()
    samples = StoredSamples(Path(manifest.samples_path), rubric.kind, manifest.columns, store=store, ids=ids)
    try:
        return score(rubric, Path(manifest.rubric_path), samples, settings).run
    finally:
        store.close()


def folder_of(run: Run, votes: int) -> Path:
    """Where the repeated judgements lie: each number of votes has a folder."""
    return run.folder.with_name(f"{run.folder.name}-again-{votes}")


def voted(run: Run, votes: int) -> Rubric:
    """The run's rubric with so many votes."""
    source: dict[str, Any] = dict(run.rubric.source)
    return compile_rubric({**source, "judge": {**source["judge"], "votes": votes}})

"""What the command line of `rftj score` says of how to judge, kept as it was given: a rubric may be loaded many times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from rftj_cli.files.prices import price_of
from rftj_cli.files.rubrics import load_rubric
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.running.account import Progress
from rftj_cli.running.calling import FIRST_TIMEOUT
from rftj_cli.running.live import Endpoint, default_workers
from rftj_cli.running.preflight import Forecast
from rftj_cli.running.recordings import Recordings
from rftj_cli.running.score import Scored, Settings, score
from rftj_cli.running.selection import Part


@dataclass(frozen=True, slots=True)
class Order:
    """The options, as they were given; what depends on the rubric's model is settled when the rubric is known."""

    rubric: Path
    overrides: tuple[str, ...]
    progress: Callable[[Forecast, Path], Progress]
    folder: Path | None = None
    replay: Recordings | None = None
    fresh: bool = False
    workers: int | None = None
    rpm: float | None = None
    tpm: float | None = None
    adaptive: bool = False
    base_url: str | None = None
    region: str | None = None
    transport: Literal["auto", "boto3"] = "auto"
    timeout: float | None = None
    max_cost: float | None = None
    prices: Path | None = None

    def load(self) -> Rubric:
        """The rubric as its file says now."""
        return load_rubric(self.rubric, self.overrides)

    def settings(self, rubric: Rubric) -> Settings:
        """How to run this rubric."""
        at_once = self.workers or default_workers(rubric.judge)
        timeout = self.timeout or FIRST_TIMEOUT
        endpoint = Endpoint(rubric.judge, at_once, self.base_url, self.region, timeout, self.transport)
        return Settings(
            make_judge=endpoint.connect,
            source=endpoint.name,
            folder=self.folder,
            replay=self.replay,
            fresh=self.fresh,
            workers=at_once,
            timeout=self.timeout,
            rpm=self.rpm,
            tpm=self.tpm,
            adaptive=self.adaptive,
            price=price_of(rubric.judge.model, self.prices, rubric.judge.tier),
            max_cost=self.max_cost,
            progress=self.progress,
        )

    def judge(self, rubric: Rubric, part: Part, settings: Settings | None = None) -> Scored:
        """Judge these samples."""
        settings = replace(settings or self.settings(rubric), selection=part.selection)
        scored = score(rubric, self.rubric, part.samples, settings)
        return replace(scored, notes=(*part.notes, *scored.notes))

"""`score` in process, as the command calls it, against a server that counts what it is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from making import write_rows, write_rubric

from rftj_cli.files.prices import Price
from rftj_cli.files.rubrics import load_rubric
from rftj_cli.files.runs import Run
from rftj_cli.files.samples import SampleFile
from rftj_cli.kernel.outcome import Judge
from rftj_cli.running.live import Endpoint
from rftj_cli.running.recordings import chosen
from rftj_cli.running.score import Scored, Settings, score
from rftj_cli.testing import FakeJudgeServer


class Project:
    """A folder with a rubric, samples and a judge; `score` runs the command."""

    def __init__(self, folder: Path, server: FakeJudgeServer) -> None:
        self.folder, self.server = folder, server
        self.rubric = write_rubric(folder)
        self.samples = folder / "samples.jsonl"

    def rows(self, rows: list[dict[str, Any]]) -> None:
        write_rows(self.samples, rows)

    def change(self, **changes: Any) -> None:
        write_rubric(self.folder, **changes)

    def score(
        self,
        *,
        run: str | None = None,
        replay: str | None = None,
        imported: str | None = None,
        overrides: tuple[str, ...] = (),
        fresh: bool = False,
        workers: int = 4,
        price: Price | None = None,
        max_cost: float | None = None,
        timeout: float = 20,
        rpm: float | None = None,
        tpm: float | None = None,
        adaptive: bool = False,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> Scored:
        loaded = load_rubric(self.rubric, overrides)
        endpoint = Endpoint(loaded.judge, workers=workers, base_url=self.server.base_url, timeout=timeout)

        def connect(stop: threading.Event) -> Judge:
            meanwhile()  # what another command does between this one's first look at the folder and its lock
            return endpoint.connect(stop)

        settings = Settings(
            make_judge=connect,
            source=endpoint.name,
            folder=None if run is None else Path(run),
            replay=chosen(None if replay is None else Path(replay), None if imported is None else Path(imported)),
            fresh=fresh,
            workers=workers,
            timeout=timeout,
            rpm=rpm,
            tpm=tpm,
            adaptive=adaptive,
            price=price,
            max_cost=max_cost,
        )
        return score(loaded, self.rubric, SampleFile(self.samples, loaded.kind), settings)

    @property
    def asked(self) -> list[str]:
        """The texts that the judge was asked about, in order of arrival."""
        return [
            body["messages"][-1]["content"].split("\n")[0].removeprefix("Judge this: ") for body in self.server.bodies
        ]


def outcomes(run: Run) -> dict[str, str]:
    """Sample id -> level or stage."""
    found = {}
    for row, outcome in run.store().outcomes():
        done = outcome.outcome
        found[row.sample.id] = done.stage if hasattr(done, "stage") else done.ratings[0].level
    return found

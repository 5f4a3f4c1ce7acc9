"""The live judge of a run: which service, and how it is reached."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from rftj_cli.judges import make_judge
from rftj_cli.kernel.outcome import CallError, Judge
from rftj_cli.kernel.rubric import JudgeSettings


def default_workers(settings: JudgeSettings) -> int:
    """Calls at the same time. The local model answers one at a time, and in order it can reuse a shared prefix."""
    return 1 if settings.backend == "local" else 16


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A judge that is connected to only when a call is needed."""

    settings: JudgeSettings
    workers: int
    base_url: str | None = None
    region: str | None = None
    timeout: float = 120.0

    @property
    def name(self) -> str:
        """Where live replies come from; replies are shared only between runs of the same."""
        where = self.base_url if self.settings.backend == "openai" else self.region
        return self.settings.model if where is None else f"{self.settings.model} at {where}"

    def connect(self, stop: threading.Event) -> Judge:
        """The judge, with retries that a stop interrupts. Raises `InputError` where it is not set up."""
        judge = make_judge(
            self.settings, workers=self.workers, base_url=self.base_url, region=self.region, timeout=self.timeout
        )

        def pause(seconds: float) -> None:
            if stop.wait(seconds):
                raise CallError("call", "stopped while waiting to try again", retry=True)

        judge.sleep = pause
        return judge

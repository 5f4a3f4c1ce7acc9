"""The live judge of a run: which service, how it is reached, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rftj_cli.files.prices import FREE
from rftj_cli.judges import Options, make_judge
from rftj_cli.kernel.outcome import Judge
from rftj_cli.kernel.rubric import JudgeSettings
from rftj_cli.kernel.secrets import shown_url

_WORKERS = {"bedrock": 64, "openai": 16}


def default_workers(settings: JudgeSettings) -> int:
    """Calls at the same time. Bedrock refuses what is too much; a server of one's own lets it wait until it is too late.

    What runs in this process gains nothing by threads, and in order the local model can reuse a shared prefix.
    """
    return 1 if settings.backend in FREE else _WORKERS.get(settings.backend, 16)


def is_service(settings: JudgeSettings) -> bool:
    """Whether calls go to somebody who may throttle, fail or bill."""
    return settings.backend not in FREE


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A judge that is connected to only when a call is needed."""

    settings: JudgeSettings
    workers: int
    base_url: str | None = None
    region: str | None = None
    timeout: float = 120.0
    transport: Literal["auto", "boto3"] = "auto"

    @property
    def name(self) -> str:
        """Where live replies come from; replies are shared only between runs of the same."""
        url = None if self.base_url is None else shown_url(self.base_url)
        where = url if self.settings.backend == "openai" else self.region
        return self.settings.model if where is None else f"{self.settings.model} at {where}"

    def connect(self, known: Mapping[str, Any]) -> Judge:
        """The judge; `known` is what was learned of it before. Raises `InputError` where it is not set up."""
        options = Options(
            workers=self.workers,
            base_url=self.base_url,
            region=self.region,
            timeout=self.timeout,
            transport=self.transport,
            known=known,
        )
        return make_judge(self.settings, options)

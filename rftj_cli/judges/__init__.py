"""The backends: a visible table name -> factory, then what other packages bring under the entry point `rftj.judges`.

`judge.model` is `BACKEND:MODEL`. A backend that cannot be had is an error that says how to get it: no judge is ever
chosen in place of another, least of all one that needs no model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from rftj_cli.errors import InputError, listed, nearest
from rftj_cli.kernel.dialect import HttpJudge
from rftj_cli.kernel.outcome import Judge, JudgeFactory
from rftj_cli.kernel.rubric import JudgeSettings

GROUP: Final = "rftj.judges"


@dataclass(frozen=True, slots=True)
class Options:
    """What a backend is told beside the rubric's settings.

    `timeout` in seconds is a whole call's deadline. `transport` is `boto3` where Bedrock is to be called through it,
    else `auto`. `known` is what an earlier command of the run has learned of the model (`Learned.document`).
    """

    workers: int
    base_url: str | None = None
    region: str | None = None
    timeout: float = 120.0
    transport: Literal["auto", "boto3"] = "auto"
    known: Mapping[str, Any] = field(default_factory=dict)


def make_judge(settings: JudgeSettings, options: Options) -> Judge:
    """The judge that the settings name. It makes one attempt a call: retries are `kernel/retry.py`'s.

    Raises `InputError` for an unknown backend, and for one that is not set up on this machine.
    """
    return _factory(settings.backend)(settings, options)


def backends() -> tuple[str, ...]:
    """The names of all backends, ours first."""
    return (*_TABLE, *sorted(name for name in _plugins() if name not in _TABLE))


_Make = Callable[[JudgeSettings, Options], Judge]


def _factory(backend: str) -> _Make:
    if backend in _TABLE:
        return _TABLE[backend]
    plugin = _plugins().get(backend)
    if plugin is None:
        hint = nearest(backend, backends())
        raise InputError(
            "unknown judge backend", key="judge.model", found=backend, expected=listed(backends()), hint=hint
        )
    return lambda settings, options: _load(plugin)(
        settings.model,
        workers=options.workers,
        base_url=options.base_url,
        region=options.region,
        timeout=options.timeout,
    )


def _plugins() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _load(plugin: EntryPoint) -> JudgeFactory:
    """A plug-in's factory, called with the model and the keywords workers, base_url, region and timeout."""
    try:
        factory: JudgeFactory = plugin.load()
    except Exception as error:  # a plug-in is other people's code: whatever it raises, it is what cannot be used
        raise InputError(
            f"the judge plug-in {plugin.value} cannot be loaded: {error}", key="judge.model", found=plugin.name
        ) from error
    return factory


def _bedrock(settings: JudgeSettings, options: Options) -> Judge:
    from rftj_cli.judges.curl import Curl
    from rftj_cli.judges.surroundings import proxy_for
    from rftj_cli.kernel.bedrock import Access, BotoJudge, ConverseDialect

    named = _named(settings, "bedrock")
    access = Access(named, region=options.region, allow_regions=settings.allow_regions, timeout=options.timeout)
    if options.transport == "boto3":
        proxy_for(urlsplit(access.url))  # one that cannot be used is refused as it is without boto3
        return BotoJudge(access, settings, workers=options.workers, timeout=options.timeout, known=options.known)
    return HttpJudge(
        ConverseDialect(access, settings, options.known), Curl(options.workers, access.url), options.timeout
    )


def _openai(settings: JudgeSettings, options: Options) -> Judge:
    from rftj_cli.judges.curl import Curl
    from rftj_cli.judges.openai import ChatDialect, ChatEndpoint

    endpoint = ChatEndpoint(_named(settings, "openai"), base_url=options.base_url)
    return HttpJudge(
        ChatDialect(endpoint, settings, options.known), Curl(options.workers, endpoint.url), options.timeout
    )


def _local(settings: JudgeSettings, options: Options) -> Judge:
    from rftj_cli.judges.local import LocalJudge

    return LocalJudge(settings.model)


def _lexical(settings: JudgeSettings, options: Options) -> Judge:
    from rftj_cli.judges.lexical import LexicalJudge

    return LexicalJudge(settings.model)


def _length(settings: JudgeSettings, options: Options) -> Judge:
    from rftj_cli.judges.lexical import LengthJudge

    return LengthJudge(settings.model)


def _replay(settings: JudgeSettings, options: Options) -> Judge:
    raise InputError(
        "this judge exists only as recordings",
        key="judge.model",
        found=settings.model,
        hint="Give its replies: --replay RUN, or --import-replies FILE; or name another judge: --set judge.model=...",
    )


def _named(settings: JudgeSettings, backend: str) -> str:
    if settings.model in (backend, f"{backend}:"):
        raise InputError("no model is named", key="judge.model", found=settings.model, expected=f"{backend}:MODEL")
    return settings.model


_TABLE: Final[Mapping[str, _Make]] = {
    "bedrock": _bedrock,
    "openai": _openai,
    "local": _local,
    "lexical": _lexical,
    "length": _length,
    "replay": _replay,
}

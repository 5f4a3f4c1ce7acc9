"""Options and commands as they would be typed again, so that a suggested command reads what this one read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from rftj_cli.files.runs import Manifest


def typed(**options: object) -> str:
    """` --labels x --wide`, with a space before each; None, False and what is empty are left out."""
    parts = []
    for name, value in options.items():
        option = f"--{name.strip('_').replace('_', '-')}"
        if value is True:
            parts.append(option)
        elif isinstance(value, Mapping):
            parts += [f"{option} {quote(f'{wanted}={found}')}" for wanted, found in value.items()]
        elif isinstance(value, tuple):
            parts += [f"{option} {quote(str(one))}" for one in value]
        elif value is not None and value is not False:
            parts.append(f"{option} {quote(str(value))}")
    return "".join(f" {part}" for part in parts)


def score_command(manifest: Manifest, *, samples: Path | str | None = None, **options: object) -> str:
    """The `rftj score` that made a run, with other options or on other samples."""
    file = manifest.samples_path if samples is None else samples
    given = typed(map=manifest.columns, **place_of(manifest), **options)
    return f"rftj score {quote(manifest.rubric_path)} {quote(str(file))}{given}"


def place_of(manifest: Manifest) -> dict[str, str]:
    """The option that leads to where a run's judge was called; none where that was the default."""
    place = manifest.source.partition(f"{manifest.model} at ")[2]
    return {} if not place else {"base_url" if "://" in place else "region": place}

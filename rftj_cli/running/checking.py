"""`check`: everything that can be found out without a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rftj_cli.files.prices import Price
from rftj_cli.files.samples import Placed, SampleFile
from rftj_cli.kernel.asks import Ask
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.running.lint import count_fields, lint
from rftj_cli.running.preflight import Forecast, preflight

SCHEMA = "rftj.check/1"


@dataclass(frozen=True, slots=True)
class Checked:
    """A valid rubric (with samples and labels, where given), its first prompt, its forecast, and its known faults."""

    rubric: Rubric
    forecast: Forecast | None
    first: Ask | None
    labels: int
    warnings: Sequence[str]


def check(rubric: Rubric, samples: SampleFile | None, labels: Sequence[Placed], price: Price | None) -> Checked:
    """Raises `InputError` for the first fault of the samples."""
    if samples is None:
        return Checked(rubric, None, None, len(labels), tuple(lint(rubric, {})))
    forecast = preflight(rubric, samples, price=price)
    seen: dict[str, int] = {}
    inline = 0
    for _, sample in samples:
        count_fields(sample.fields, seen)
        inline += len(sample.labels)
    return Checked(rubric, forecast, forecast.first, len(labels) or inline, tuple(lint(rubric, seen)))

"""`check`: everything that can be found out without a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rftj_cli.files.prices import Price
from rftj_cli.files.runs import default_folder, read_manifest
from rftj_cli.files.samples import Placed, SampleFile
from rftj_cli.kernel.asks import Ask, names_used
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.running.lint import count_fields, lint, lint_matches, matches_itself
from rftj_cli.running.preflight import Forecast, preflight
from rftj_cli.running.tokens import Meter

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
    """Raises `InputError` for the first fault of the samples.

    Where the rubric was run before, in its default folder, the forecast knows what its replies used.
    """
    if samples is None:
        return Checked(rubric, None, None, len(labels), tuple(lint(rubric, {})))
    before = read_manifest(default_folder(rubric))
    meter = Meter(None if before is None else before.learned.get("tokens"))
    forecast = preflight(rubric, samples, price=price, meter=meter)
    seen: dict[str, int] = {}
    inline, names, matching = 0, names_used(rubric), list[str]()
    for _, sample in samples:
        count_fields(sample.fields, seen)
        inline += len(sample.labels)
        if matches_itself(rubric, {name: value for name, value in sample.fields.items() if name in names}):
            matching.append(sample.id)
    warnings = (*lint(rubric, seen), *lint_matches(matching, forecast.samples))
    return Checked(rubric, forecast, forecast.first, len(labels) or inline, warnings)

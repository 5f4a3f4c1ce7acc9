"""Labels checked against a rubric and its samples before anything is judged."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rftj_cli.errors import InputError
from rftj_cli.files.samples import Placed, SampleFile, inline_labels, read_labels
from rftj_cli.kernel.asks import names_used
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.measure.truth import Known, settle


def validated_labels(
    rubric: Rubric,
    samples: SampleFile | None,
    labels: str | None,
    *,
    wide: bool,
    columns: Mapping[str, str] | None = None,
    rule: str | None = None,
    ignore_unknown: bool = False,
    elsewhere: frozenset[str] = frozenset(),
) -> list[Placed]:
    """The labels of a file, or those in the samples. Raises `InputError` for one that fits no sample or criterion.

    elsewhere: criteria of other rubrics, whose labels are passed over
    """
    if samples is None:
        if labels is not None:
            raise InputError(
                "labels can only be checked against samples", expected="rftj check RUBRIC SAMPLES --labels FILE"
            )
        return []
    placed = (
        read_labels(Path(labels), wide=wide, columns=columns).placed if labels is not None else inline_labels(samples)
    )
    other = elsewhere - {criterion.id for criterion in rubric.criteria}
    placed = [one for one in placed if one.label.criterion not in other]
    if placed:
        names = names_used(rubric)
        known = {s.id: Known.of(rubric, s, s.fingerprint(names)) for _, s in samples}
        settle(placed, known, rule=rule, ignore_unknown=ignore_unknown)
    return placed

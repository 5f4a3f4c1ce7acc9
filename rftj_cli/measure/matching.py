"""Two runs on the same samples: every unit with both verdicts and its truth, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rftj_cli.errors import InputError
from rftj_cli.files.ledger import item_hash
from rftj_cli.files.runs import Run
from rftj_cli.kernel.rubric import Scale
from rftj_cli.kernel.sample import Sample
from rftj_cli.measure.calibrate import Question, joined_of
from rftj_cli.measure.join import Joined, RewardRow, Unit
from rftj_cli.measure.levels import Levels
from rftj_cli.measure.truth import Truths
from rftj_cli.stats.agreement import Kind
from rftj_cli.stats.arrays import Bools, Floats, Ints

ALL = "all"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the baseline has a sample, and what it is: other rubrics may see other fields, so group and split are its."""

    split: str
    group: str
    cluster: str
    hash: str


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One side with everything that was judged and labelled there."""

    run: Run
    truths: Truths
    joined: Joined
    places: Mapping[str, Place]


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """The units of one criterion that are in both runs: level codes (n,), -1 for no verdict and for no truth.

    `cluster` are codes (n,); `first` and `second` the units themselves, in the same order.
    """

    id: str
    scale: Scale
    kind: Kind
    truth: Ints
    a: Ints
    b: Ints
    cluster: Ints
    first: Sequence[Unit]
    second: Sequence[Unit]
    pitfall: bool = False

    @property
    def both(self) -> Bools:
        """Units with two verdicts."""
        return np.asarray((self.a >= 0) & (self.b >= 0))

    @property
    def labelled(self) -> Bools:
        """Units with two verdicts and a truth."""
        return np.asarray(self.both & (self.truth >= 0))

    def credit(self, verdicts: Ints) -> Floats:
        """How right each verdict (n,) is: 1 or 0; of pairs .5 for a tie, and nan where the labels prefer neither side."""
        if self.kind != "preference":
            return np.asarray((verdicts == self.truth).astype(np.float64))
        credit = np.where(verdicts == 1, 0.5, (verdicts == self.truth).astype(np.float64))
        return np.where(self.truth == 1, np.nan, credit)


def measured(run: Run, question: Question) -> tuple[Measured, Sample | None]:
    """A run joined with its labels, all splits, and its first sample."""
    truths, joined = joined_of(run, question)
    places, first = {}, None
    store = run.store()
    for row, _ in store.outcomes():
        first = first or row.sample
        places[row.sample.id] = Place(row.split, row.group, row.cluster, item_hash(row.sample.id, row.sample.fields))
    store.close()
    return Measured(run, truths, joined, places), first


def pair_clusters(base: Measured, ids: Sequence[str], rows: Mapping[str, RewardRow]) -> int:
    """How many clusters hold two answers to one task that the labels tell apart."""
    truths: dict[str, set[float | None]] = {}
    for id in ids:
        truths.setdefault(base.places[id].group, set()).add(rows[id].truth)
    return len({base.places[id].cluster for id in ids if len(truths[base.places[id].group]) > 1})


def in_split(base: Measured, others: Sequence[Measured], split: str) -> list[str]:
    """The samples of the baseline's split that every side has judged. Raises `InputError` where there are none."""
    wanted = [id for id, place in base.places.items() if split in (ALL, place.split)]
    if not wanted:
        known = ", ".join(f"{name} {count}" for name, count in sorted(base.joined.splits.items())) or "none"
        raise InputError(
            f"no judged sample is in the split {split}", file=base.run.folder, key="--split", found=split,
            expected=f"a split that has samples ({known}), or all",
        )  # fmt: skip
    for other in others:
        _same_content(base, other, wanted)
    shared = [id for id in wanted if all(id in other.places for other in others)]
    if not shared:
        raise InputError(
            "the runs have no sample in common", file=others[0].run.folder, expected=f"samples of {base.run.folder}"
        )
    return shared


def _same_content(base: Measured, other: Measured, ids: Sequence[str]) -> None:
    for id in ids:
        place = other.places.get(id)
        if place is not None and place.hash != base.places[id].hash:
            raise InputError(
                "the two runs judged different responses under one id", file=other.run.folder, key="id", found=id,
                expected=f"the response that {base.run.folder} judged",
            )  # fmt: skip


def match(a: Measured, b: Measured, base: Measured, ids: Sequence[str], id: str) -> Matched:
    """The units of criterion `id` on the samples `ids`; clusters are those of the baseline, truth where either has it."""
    chosen = set(ids)
    second = {(unit.sample, unit.item): unit for unit in b.joined.units[id] if unit.sample in chosen}
    first = [unit for unit in a.joined.units[id] if (unit.sample, unit.item) in second]
    others = [second[unit.sample, unit.item] for unit in first]
    scale = a.joined.scales[id]
    keys = np.array([base.places[unit.sample].cluster for unit in first], dtype=object)
    return Matched(
        id=id,
        scale=scale,
        kind=Levels.kind_of(scale),
        truth=_codes([_truth(one) if _truth(one) is not None else _truth(two) for one, two in zip(first, others, strict=True)]),
        a=_codes([unit.level for unit in first]),
        b=_codes([unit.level for unit in others]),
        cluster=np.unique(keys, return_inverse=True)[1].astype(np.int64),
        first=first,
        second=others,
        pitfall=base.joined.pitfalls.get(id, False),
    )  # fmt: skip


def _truth(unit: Unit) -> int | None:
    return None if unit.truth is None else unit.truth.level


def _codes(levels: Sequence[int | None]) -> Ints:
    return np.array([-1 if level is None else level for level in levels], dtype=np.int64)

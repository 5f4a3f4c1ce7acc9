"""Which samples to label next: drawn by stratum of the judge's verdict and spread over groups, with known chances.

Within a stratum every sample has the same chance, so each labelled one stands for N/n of them: that is its weight. Labels
that there are already count as drawn at random within their stratum; the file holds them too, with their new weight, so
that one file is the whole sample; a stratum that has its part of the labels gets no new ones. (Labels chosen otherwise, disagreements say, cannot be part of an estimate.)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rftj_cli.errors import InputError
from rftj_cli.files.escapes import csv_text
from rftj_cli.files.text import write_whole
from rftj_cli.measure.join import Joined, Unit
from rftj_cli.measure.truth import Truths
from rftj_cli.stats.power import neyman

COLUMNS = ("id", "item", "rater", "criterion", "value", "weight")
RARE = 5  # samples: strata that hold fewer are one


@dataclass(slots=True)
class Stratum:
    """Samples with the same verdicts: all of them, those that are labelled, how many of these the judge has wrong."""

    name: str
    samples: list[str] = field(default_factory=list)
    labelled: list[str] = field(default_factory=list)
    wrong: int = 0
    chosen: list[str] = field(default_factory=list)

    @property
    def weight(self) -> float:
        """How many samples each labelled or chosen one stands for."""
        return len(self.samples) / max(1, len(self.labelled) + len(self.chosen))


@dataclass(frozen=True, slots=True)
class Drawn:
    """A stratum in numbers: its samples, those labelled before, those chosen now, and how many each stands for."""

    name: str
    samples: int
    labelled: int
    chosen: int
    weight: float


@dataclass(frozen=True, slots=True)
class Draw:
    """What was drawn, by stratum, and where it was written."""

    strata: tuple[Drawn, ...]
    criteria: tuple[str, ...]
    labels: int
    blank: int
    seed: int
    written: str


def draw_next(joined: Joined, truths: Truths, count: int, out: Path, *, criterion: str | None, seed: int) -> Draw:
    """Draw `count` samples and write them with the labels there are. Raises `InputError` where nothing is left to label."""
    refuse_target(out)
    criteria = tuple(joined.units) if criterion is None else (criterion,)
    by_sample = _verdicts(joined, criteria)
    strata = _strata(by_sample, {id: joined.scales[id].names for id in criteria})
    sizes, have = [len(one.samples) for one in strata], [len(one.labelled) for one in strata]
    if sizes == have:
        raise InputError("every judged sample has its labels: nothing is left to draw", found=f"--next {count}")
    errors = [(one.wrong + 1) / (len(one.labelled) + 2) for one in strata]
    clusters = {row.sample: row.cluster for row in joined.rewards}
    rng = np.random.default_rng(seed)
    for one, n in zip(strata, neyman(sizes, errors, count, have=have).tolist(), strict=True):
        known = set(one.labelled)
        one.chosen = _spread([s for s in one.samples if s not in known], clusters, n, rng)
    failed = _failed(joined, by_sample, criteria)
    rows = _rows(strata, failed, joined, truths, criteria)
    write_labels(out, rows)
    blank = sum(row["value"] == "" for row in rows)
    drawn = tuple(Drawn(s.name, len(s.samples), len(s.labelled), len(s.chosen), s.weight) for s in (*strata, *failed))
    return Draw(drawn, criteria, len(rows) - blank, blank, seed, str(out))


def refuse_target(out: Path, option: str = "--out") -> None:
    """Raise `InputError` for a file that cannot be written or would be overwritten."""
    if out.suffix.lower() not in (".jsonl", ".csv"):
        raise InputError(f"{option}: unknown kind of file", found=str(out), expected=".jsonl or .csv")
    if out.exists():
        raise InputError("this file exists; nothing is overwritten", file=out, hint=f"name another with {option}")
    if not out.parent.is_dir():
        raise InputError(f"{option}: no such folder", file=out.parent)


def _verdicts(joined: Joined, criteria: Sequence[str]) -> dict[str, dict[str, list[Unit]]]:
    """The judged units of each sample by criterion; samples without a verdict tell no stratum."""
    found: dict[str, dict[str, list[Unit]]] = {}
    for id in criteria:
        for unit in joined.units.get(id, ()):
            if unit.level is not None:
                found.setdefault(unit.sample, {}).setdefault(id, []).append(unit)
    return found


def _strata(by_sample: Mapping[str, Mapping[str, Sequence[Unit]]], names: Mapping[str, Sequence[str]]) -> list[Stratum]:
    """Samples by their verdicts (of items the worst), in the order of the names; rare combinations are one stratum."""
    found: dict[tuple[int, ...], Stratum] = {}
    for sample, units in by_sample.items():
        key = tuple(min(unit.level or 0 for unit in of) for of in units.values())
        one = found.setdefault(key, Stratum(", ".join(names[id][level] for id, level in zip(units, key, strict=True))))
        one.samples.append(sample)
        decided = [u for of in units.values() for u in of if u.truth is not None and u.truth.level is not None]
        if any(u.truth is not None for of in units.values() for u in of):
            one.labelled.append(sample)
            one.wrong += any(u.truth is not None and u.truth.level != u.level for u in decided)
    strata = [found[key] for key in sorted(found)]
    rare = [one for one in strata if len(one.samples) < RARE]
    if len(rare) < 2:
        return strata
    together = Stratum("other verdicts")
    for one in rare:
        together.samples += one.samples
        together.labelled += one.labelled
        together.wrong += one.wrong
    return [*(one for one in strata if len(one.samples) >= RARE), together]


def _failed(joined: Joined, by_sample: Mapping[str, object], criteria: Sequence[str]) -> list[Stratum]:
    """The samples without any verdict, where some have labels: none is drawn, and the labels there are stay in the file."""
    one = Stratum("no verdict")
    for unit in (unit for id in criteria for unit in joined.units.get(id, ())):
        if unit.sample not in by_sample:
            one.samples.append(unit.sample)
            one.labelled += [unit.sample] if unit.truth is not None else []
    one.samples, one.labelled = list(dict.fromkeys(one.samples)), list(dict.fromkeys(one.labelled))
    return [one] if one.labelled else []


def _spread(samples: list[str], clusters: Mapping[str, str], n: int, rng: np.random.Generator) -> list[str]:
    """`n` of the samples with equal chances, spread over clusters: every N/n-th in an order that keeps clusters together."""
    if n == 0:
        return []
    place = {cluster: i for i, cluster in enumerate(rng.permutation(sorted({clusters[s] for s in samples})))}
    order = sorted(rng.permutation(samples).tolist(), key=lambda sample: place[clusters[sample]])
    step = len(order) / n
    start = float(rng.random()) * step
    return [order[int(start + i * step)] for i in range(n)]


def _rows(
    strata: Sequence[Stratum], failed: Sequence[Stratum], joined: Joined, truths: Truths, criteria: Sequence[str]
) -> list[dict[str, object]]:
    weight = {sample: one.weight for one in (*strata, *failed) for sample in (*one.labelled, *one.chosen)}
    chosen = [sample for one in strata for sample in one.chosen]
    rows: list[dict[str, object]] = []
    for (sample, item, id), truth in truths.of.items():
        if sample in weight and id in criteria:
            names = joined.scales[id].names
            for rater, level in truth.raters.items():
                value = "cannot_tell" if level is None else names[level]
                rows.append(_row(sample, item, rater, id, value, weight[sample]))
    waiting: dict[str, list[tuple[str, str | None]]] = {}
    for id in criteria:
        for unit in joined.units[id]:
            if unit.truth is None:
                waiting.setdefault(unit.sample, []).append((id, unit.item))
    for sample in (*(sample for one in strata for sample in one.labelled), *chosen):
        rows += [_row(sample, item, "", id, "", weight[sample]) for id, item in waiting.get(sample, ())]
    return rows


def _row(sample: str, item: str | None, rater: str, criterion: str, value: str, weight: float) -> dict[str, object]:
    return dict(zip(COLUMNS, (sample, item or "", rater, criterion, value, round(weight, 6)), strict=True))


def write_labels(
    out: Path, rows: Sequence[Mapping[str, object]], columns: Sequence[str] = COLUMNS, keep: Sequence[str] = ("value",)
) -> None:
    """Write rows of labels as .jsonl (empty cells are left out, but for those to `keep`) or .csv."""
    if out.suffix.lower() == ".jsonl":
        kept = [{key: value for key, value in row.items() if value != "" or key in keep} for row in rows]
        write_whole(out, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept))
        return
    write_whole(out, csv_text(columns, ([row[name] for name in columns] for row in rows)))

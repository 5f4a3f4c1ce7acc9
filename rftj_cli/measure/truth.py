"""Labels to one truth for each sample, item and criterion; every rater is kept, none is averaged away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rftj_cli.errors import InputError, listed, nearest
from rftj_cli.files.samples import Placed
from rftj_cli.kernel.asks import BadItems, items_of, rubric_for
from rftj_cli.kernel.rubric import Criterion, Rubric, Scale
from rftj_cli.kernel.sample import CANNOT_TELL, Sample

ADJUDICATED = "adjudicated"
Key = tuple[str, str | None, str]  # sample, item, criterion


@dataclass(slots=True)
class Truth:
    """The labels of one unit and what they come to. Levels are indices; a rater's None is `cannot_tell`.

    `numbers` are the labels that lie between the levels of a numeric scale, `value` the truth where it does.
    """

    raters: dict[str, int | None] = field(default_factory=dict)
    level: int | None = None
    numbers: dict[str, float] = field(default_factory=dict)
    value: float | None = None
    reason: str = ""
    sources: set[str] = field(default_factory=set)
    weight: float | None = None  # of the labels: 1/inclusion probability, on any scale

    @property
    def between(self) -> bool:
        """Whether the truth is a number and none of the levels."""
        return self.value is not None

    @property
    def decided(self) -> bool:
        """Whether there is a truth."""
        return self.level is not None or self.value is not None

    @property
    def said(self) -> bool:
        """Whether any rater said more than `cannot_tell`."""
        return bool(self.numbers) or any(level is not None for level in self.raters.values())

    def name(self, names: Sequence[str]) -> str:
        """The truth in words: its level, or the number between two."""
        return names[self.level] if self.level is not None else f"{self.value:g}"

    def number(self, scale: Scale) -> float:
        """The truth on the numbers of its scale."""
        if self.value is not None:
            return self.value
        assert self.level is not None
        return scale.values[self.level]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a sample when a label for it is read. `items` None: it is not known which it has."""

    rubric: Rubric
    fingerprint: str
    items: tuple[str, ...] | None = None

    @staticmethod
    def of(rubric: Rubric, sample: Sample, fingerprint: str) -> Known:
        """What a rubric makes of a sample."""
        own, items = rubric_for(rubric, sample), None
        if own.items is not None:
            try:
                items = tuple(part.id for part in items_of(str(sample.fields.get("response")), own.items))
            except BadItems:
                items = None  # such a sample fails: labels of its items are labels without a verdict
        return Known(own, fingerprint, items)


@dataclass(frozen=True, slots=True)
class Truths:
    """All truths, the raters in order of appearance, and how the truth was taken from them."""

    of: Mapping[Key, Truth]
    items: Mapping[tuple[str, str], tuple[str, ...]]  # the labelled items of a sample and criterion
    passed_over: int  # labels of samples outside the run, where the user said that there are such
    raters: tuple[str, ...]
    rule: str
    blank: int = 0  # rows of a plan without a value yet


def settle(
    placed: Iterable[Placed],
    samples: Mapping[str, Known],
    *,
    later: frozenset[str] = frozenset(),
    ignore_unknown: bool = False,
    rule: str | None = None,
) -> Truths:
    """One truth a unit. `later` are ids that are known but not judged yet: their labels are passed over.

    `rule` is `adjudicated`, `majority` or a rater; None takes the adjudicated label where there is one, else the strict
    majority (ordered scales: the median). Raises `InputError` with file and row for a label that fits nothing.
    """
    of: dict[Key, Truth] = {}
    raters: dict[str, None] = {}
    scales: dict[str, Scale] = {}
    passed_over = 0
    for one in placed:
        known = samples.get(one.label.id)
        if known is None:
            if one.label.id not in later:
                passed_over += _pass_over(one, samples, ignore_unknown)
            continue
        criterion = _criterion(one, known)
        scales[criterion.id] = criterion.scale
        _add(of.setdefault((one.label.id, one.label.item, criterion.id), Truth()), one, criterion)
        raters[one.label.rater] = None
    if rule is not None and rule != "majority" and rule not in raters:
        raise InputError(
            "--truth: no label is by this rater", found=rule, expected="majority or one of " + listed(list(raters)),
            hint=nearest(rule, ["majority", *raters]),
        )  # fmt: skip
    items: dict[tuple[str, str], list[str]] = {}
    for (sample, item, id), truth in of.items():
        truth.level, truth.value = _decide(truth, scales[id], rule)
        if item is not None:
            items.setdefault((sample, id), []).append(item)
    labelled = {key: tuple(found) for key, found in items.items()}
    return Truths(of, labelled, passed_over, tuple(raters), _rule_in_words(rule, raters))


def _pass_over(one: Placed, samples: Mapping[str, Known], ignore_unknown: bool) -> int:
    """1, where the user said that there are labels of other samples."""
    if ignore_unknown:
        return 1
    hint = nearest(one.label.id, samples) or "labels of more samples than were judged: --ignore-unknown"
    raise InputError(
        "a label for an unknown sample", file=one.file, row=one.row, key="id", found=one.label.id, hint=hint
    )  # fmt: skip


def _add(truth: Truth, one: Placed, criterion: Criterion) -> None:
    label = one.label
    if label.rater in truth.raters or label.rater in truth.numbers:
        raise InputError(
            f"rater {label.rater} labels {criterion.id} of this sample twice",
            file=one.file, row=one.row, key="rater", found=label.id,
        )  # fmt: skip
    if truth.weight not in (None, label.weight):
        raise InputError(
            "labels of one sample have different weights: a weight belongs to the sample, not to the rater",
            file=one.file, row=one.row, key="weight", found=label.weight, expected=f"{truth.weight:g}",
        )  # fmt: skip
    truth.weight = label.weight
    number = _between(label.value, criterion.scale)
    if number is None:
        truth.raters[label.rater] = _level(one, criterion)
    elif number in criterion.scale.values:
        truth.raters[label.rater] = criterion.scale.values.index(number)
    else:
        truth.numbers[label.rater] = number
    truth.sources.add(label.source)
    truth.reason = truth.reason or label.reason


def _rule_in_words(rule: str | None, raters: Mapping[str, None]) -> str:
    if rule is not None:
        return rule
    if ADJUDICATED in raters:
        return "adjudicated, else majority"
    return "majority" if len(raters) > 1 else next(iter(raters), "none")


def _criterion(one: Placed, known: Known) -> Criterion:
    """The criterion that a label answers; the label fits it, its item and its text."""
    found = _named(one, known.rubric)
    item, items, sha = one.label.item, known.items, one.label.sample_sha
    if (found.on == "item") != (item is not None):
        raise InputError(
            "this criterion is judged item by item" if found.on == "item" else "this criterion is of the whole response",
            file=one.file, row=one.row, key="item", found=item, expected="an item" if found.on == "item" else "no item",
        )  # fmt: skip
    if items is not None and item is not None and item not in items:
        raise InputError(
            "a label for an unknown item", file=one.file, row=one.row, key="item", found=item,
            expected="one of " + listed(items) if items else "no item: the response holds none", hint=nearest(item, items),
        )  # fmt: skip
    if sha and not (len(sha) >= 8 and known.fingerprint.startswith(sha)):
        raise InputError(
            "this label was given to another text of the sample", file=one.file, row=one.row, key="sample_sha",
            found=sha, expected=known.fingerprint[:12], hint="label the sample again, or judge the text that was labelled",
        )  # fmt: skip
    return found


def _named(one: Placed, rubric: Rubric) -> Criterion:
    """The criterion of that name, or the only one where the label names none."""
    name, ids = one.label.criterion, [criterion.id for criterion in rubric.criteria]
    if name is None and len(ids) == 1:
        return rubric.criteria[0]
    if name is None:
        raise InputError(
            "this label does not say which criterion it answers", file=one.file, row=one.row, key="criterion",
            expected="one of " + ", ".join(ids),
        )  # fmt: skip
    found = rubric.criterion(name)
    if found is None:
        raise InputError(
            "a label for a criterion that the rubric does not have",
            file=one.file, row=one.row, key="criterion", found=name, expected="one of " + ", ".join(ids),
            hint=nearest(name, ids) or "labels that answer another rubric's criteria: --truth-rubric FILE",
        )  # fmt: skip
    return found


def _between(value: object, scale: Scale) -> float | None:
    """A number inside a numeric scale that names no level, without the dust of its arithmetic; None for anything else."""
    if not scale.measured or isinstance(value, bool) or scale.find(value) is not None:
        return None
    try:
        number = float(str(value))
    except ValueError:
        return None
    return round(number, 10) if min(scale.values) < number < max(scale.values) else None


def _level(one: Placed, criterion: Criterion) -> int | None:
    value = one.label.value
    if isinstance(value, str) and value.casefold() == CANNOT_TELL:
        return None
    level = criterion.scale.find(value)
    if level is None and criterion.scale.kind == "pass_fail":
        level = {"1": 1, "0": 0, "true": 1, "false": 0, "yes": 1, "no": 0}.get(str(value).casefold().removesuffix(".0"))
    if level is None:
        names = criterion.scale.names
        raise InputError(
            f"unknown label for {criterion.id}", file=one.file, row=one.row, key="value", found=value,
            expected="one of " + ", ".join((*names, CANNOT_TELL)), hint=nearest(str(value), names),
        )  # fmt: skip
    return level


def _decide(truth: Truth, scale: Scale, rule: str | None) -> tuple[int | None, float | None]:
    """The level that the labels come to, or the number where it is none of the levels."""
    one = None if rule == "majority" else rule
    if rule is None and (ADJUDICATED in truth.raters or ADJUDICATED in truth.numbers):
        one = ADJUDICATED
    if truth.numbers:
        known = {
            rater: scale.values[level] for rater, level in truth.raters.items() if level is not None
        } | truth.numbers
        number = known.get(one) if one else _middle([x for rater, x in known.items() if rater != ADJUDICATED])
        return (scale.values.index(number), None) if number in scale.values else (None, number)
    if one is not None:
        return truth.raters.get(one), None
    votes = [level for rater, level in truth.raters.items() if level is not None and rater != ADJUDICATED]
    if scale.kind in ("levels", "numeric"):
        middle = _middle(votes)
        return None if middle is None else int(middle), None
    level, count = Counter(votes).most_common(1)[0] if votes else (None, 0)
    return (level if 2 * count > len(votes) else None), None


def _middle(votes: Sequence[float]) -> float | None:
    """The median, None where there are two different ones."""
    if not votes:
        return None
    ranked = sorted(votes)
    low, high = ranked[(len(votes) - 1) // 2], ranked[len(votes) // 2]
    return low if low == high else None

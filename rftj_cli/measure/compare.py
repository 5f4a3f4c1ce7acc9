"""`diff-prompts`: judges on the same samples and labels to a `Comparison`.

runs --join--> units with truth --match--> pairs of verdicts --> what flipped, differences, a word
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from rftj_cli.errors import InputError, nearest
from rftj_cli.files.ledger import Look, find_ledger, take_look
from rftj_cli.files.runs import Run, open_run
from rftj_cli.kernel.sample import SPLITS, Sample
from rftj_cli.measure.answers import answer_of, held_over
from rftj_cli.measure.calibrate import CHARGED, Question
from rftj_cli.measure.cautions import refuse_examples, warnings_of
from rftj_cli.measure.comparison import About, Against, Comparison, Flip, SliceChange
from rftj_cli.measure.differences import criterion_change, flips_of, pooled, reward_change, slice_changes
from rftj_cli.measure.matching import ALL, Matched, Measured, in_split, match, measured
from rftj_cli.measure.prompt_diff import what_changed
from rftj_cli.measure.tried import best_of_tried, tried_beside
from rftj_cli.measure.trust import refuse_chosen
from rftj_cli.measure.values import Terms
from rftj_cli.stats.estimate import LEVEL, Estimate
from rftj_cli.stats.looks import level_of_look
from rftj_cli.stats.shares import share
from rftj_cli.stats.verdicts import holm

MOST_FLIPS = 200  # kept in the report
WORSE_FIRST = ("broken", "still_wrong", "unlabelled", "fixed")


@dataclass(frozen=True, slots=True)
class CompareQuestion:
    """What to compare on what. `split`: train, dev, test, anchor or all; `margin`: the largest difference that does not matter.

    `on`: what the answer is about: a criterion, `reward` or `all criteria` (default: the reward where the labels rank
    answers, else the only criterion, else all). `repeats`: runs of a side's judge, made again.
    """

    labels: str | None = None
    wide: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    label_columns: Mapping[str, str] = field(default_factory=dict)
    truth: str | None = None
    ignore_unknown: bool = False
    split: str = "dev"
    by: tuple[str, ...] = ()
    seed: int = 0
    frozen: bool = False
    margin: float | None = None
    on: str | None = None
    repeats: tuple[str, ...] = ()


def compare(runs: Sequence[tuple[str, Run]], question: CompareQuestion) -> Comparison:
    """The first run as the baseline, every other against it; `runs` are (name, run).

    Raises `InputError` for labels that fit nothing, samples that differ, and prompts that show an evaluated sample.
    """
    _refuse(question, [run for _, run in runs])
    for run in (*(run for _, run in runs), *map(open_run, question.repeats)):
        refuse_chosen(run, "a comparison")
    plain = Question(
        labels=question.labels, wide=question.wide, columns=question.columns,
        label_columns=question.label_columns, truth=question.truth, by=question.by, seed=question.seed,
        ignore_unknown=question.ignore_unknown, needed=False,
        elsewhere=frozenset(criterion.id for _, run in runs for criterion in run.rubric.criteria),
    )  # fmt: skip
    everyone = [measured(run, plain) for _, run in runs]
    sides, samples = [one for one, _ in everyone], [sample for _, sample in everyone]
    base, again = sides[0], [measured(open_run(name), plain)[0] for name in question.repeats]
    ids = in_split(base, sides[1:], question.split)
    for (name, _), side in zip(runs, sides, strict=True):
        refuse_examples(side.run, name, ids, question.split)
    looks = _looks(base, sides, ids, question)
    terms = Terms(question.seed, max((level_of_look(look.number) for look in looks), default=LEVEL))
    names = [name for name, _ in runs]
    setting = _Setting(base, names, sides, again, ids, terms, question, samples)
    candidates = held_over([_against(setting, index) for index in range(1, len(sides))])
    tried = tried_beside([side.run for side in sides])
    return Comparison(
        baseline=names[0],
        candidates=candidates,
        split=question.split,
        truth=base.truths.rule,
        samples=len(ids),
        clusters=len({base.places[id].cluster for id in ids}),
        labelled=any(one.labelled for each in candidates for one in each.criteria.values()),
        seed=question.seed,
        level=terms.level,
        looks=looks,
        best=best_of_tried(base, ids, tried, terms),
        warnings=warnings_of(base, sides, names, ids, candidates, question.split),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Setting:
    """What all candidates of a comparison share."""

    base: Measured
    names: Sequence[str]
    sides: Sequence[Measured]
    again: Sequence[Measured]
    ids: Sequence[str]
    terms: Terms
    question: CompareQuestion
    samples: Sequence[Sample | None]


def _refuse(question: CompareQuestion, runs: Sequence[Run]) -> None:
    folders = [run.folder.resolve() for run in runs]
    if len(set(folders)) < len(folders):
        twice = next(run.folder for run in runs if folders.count(run.folder.resolve()) > 1)
        raise InputError(
            "one run stands on two sides", found=str(twice), expected="runs of different judges, or --repeat"
        )
    judges = {run.rubric.judge_fingerprint for run in runs}
    for name in question.repeats:
        again = open_run(name)
        if again.folder.resolve() in folders:
            raise InputError(
                "--repeat: this run is a side itself", found=name, expected="another run of the same judge"
            )
        if again.rubric.judge_fingerprint not in judges:
            raise InputError(
                "--repeat: no side has this judge", found=name, expected="a run of one of the sides' judges"
            )
    known = (*SPLITS, ALL)
    if question.split not in known:
        raise InputError(
            "unknown split", key="--split", found=question.split, expected="one of " + ", ".join(known),
            hint=nearest(question.split, known),
        )  # fmt: skip
    if question.margin is not None and not 0 < question.margin < 1:
        raise InputError("bad margin", key="--margin", found=question.margin, expected="a number between 0 and 1")


def _looks(base: Measured, sides: Sequence[Measured], ids: Sequence[str], question: CompareQuestion) -> list[Look]:
    """The looks at the test split that this comparison is: one for each judge."""
    if question.split != CHARGED:
        return []
    items = {base.places[id].hash for id in ids}
    looks: list[Look] = []
    for judge, name in {side.run.rubric.judge_fingerprint: side.run.rubric.name for side in sides}.items():
        look = take_look(find_ledger(), judge=judge, rubric=name, split=CHARGED, items=items, frozen=question.frozen)
        unwritten = sum(not one.recorded for one in looks)  # of this comparison: --frozen counts them all the same
        looks.append(look if look.recorded else replace(look, number=look.number + unwritten))
    return looks


def _against(setting: _Setting, index: int) -> Against:
    """One candidate against the baseline."""
    base, side, terms, question = setting.base, setting.sides[index], setting.terms, setting.question
    matches, not_compared = _matches(base, side, setting.ids)
    criteria = {
        one.id: criterion_change(one, terms, question.margin, (_own(setting, base, one), _own(setting, side, one)))
        for one in matches
    }
    rewards = None
    if base.run.rubric.kind == "rubric":
        rewards = reward_change(base, side, base, setting.ids, terms, question.margin)
    places = {id: place.cluster for id, place in base.places.items()}
    whole, strict = pooled(matches, places, terms), pooled(matches, places, terms, failures_wrong=True)
    labelled = {places[u.sample] for one in matches for u, used in zip(one.first, one.labelled, strict=True) if used}
    flips = _flips(base, matches)
    first, own = setting.samples[0], setting.samples[index]
    assert first is not None and own is not None
    return Against(
        before=_about(setting.names[0], base, base, setting),
        after=_about(setting.names[index], side, base, setting),
        what=what_changed(base.run.rubric, side.run.rubric, (first, own)),
        criteria=criteria,
        reward=rewards,
        pooled=whole,
        slices=_slices(matches, question.by, terms),
        flips=flips[:MOST_FLIPS],
        flipped=len(flips),
        not_compared=not_compared,
        answer=answer_of(
            criteria, rewards, (whole, strict), clusters=len(labelled), on=question.on, margin=question.margin
        ),
    )


def _matches(base: Measured, side: Measured, ids: Sequence[str]) -> tuple[list[Matched], list[str]]:
    """The criteria that both have on one scale; and those that cannot be compared, with the reason."""
    found, not_compared = [], []
    for id in dict.fromkeys([*base.joined.scales, *side.joined.scales]):
        scales = [one.joined.scales.get(id) for one in (base, side)]
        if scales[0] is None or scales[1] is None:
            not_compared.append(f"{id}: only in {'the second' if scales[0] is None else 'the first'}")
        elif scales[0].names != scales[1].names:
            not_compared.append(f"{id}: other levels ({', '.join(scales[0].names)} and {', '.join(scales[1].names)})")
        else:
            found.append(match(base, side, base, ids, id))
    return found, not_compared


def _own(setting: _Setting, side: Measured, one: Matched) -> Estimate | None:
    """How often repeat runs of this side's judge give another verdict than it."""
    same = side.run.rubric.judge_fingerprint
    for other in setting.again:
        if (
            other.run.rubric.judge_fingerprint == same
            and other.run.folder != side.run.folder
            and one.id in other.joined.scales
        ):
            pair = match(side, other, setting.base, [id for id in setting.ids if id in other.places], one.id)
            if pair.both.any():
                apart = (pair.a != pair.b)[pair.both]
                return share(apart, clusters=pair.cluster[pair.both], level=setting.terms.level)
    return None


def _about(name: str, side: Measured, base: Measured, setting: _Setting) -> About:
    manifest = side.run.manifest
    store = side.run.store()
    usage = store.usage()
    store.close()
    wanted = [id for id, place in base.places.items() if setting.question.split in (ALL, place.split)]
    chosen = set(setting.ids)
    failed = {row.sample for row in side.joined.rewards if row.sample in chosen and not row.verdict}
    return About(
        name=name,
        rubric=side.run.rubric.name,
        judge_fingerprint=manifest.judge_fingerprint,
        reward_fingerprint=side.run.rubric.reward_fingerprint,
        model=manifest.model,
        run=str(side.run.folder),
        compared=len(setting.ids),
        missing=sum(id not in side.places for id in wanted),
        failed=len(failed),
        skipped=sum(row.sample in failed and not row.failed for row in side.joined.rewards),
        cost=manifest.cost,
        calls=manifest.calls,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        seconds=usage.seconds,
    )


def _flips(base: Measured, matches: Sequence[Matched]) -> list[Flip]:
    """Everything that flipped, the worst first."""
    store = base.run.store()
    moved = {u.sample for one in matches for u, w in zip(one.first, one.second, strict=True) if u.level != w.level}
    texts = {id: _text(store.fields(id)) for id in moved}
    store.close()
    found = [flip for one in matches for flip in flips_of(one, texts)]
    return sorted(found, key=lambda flip: (WORSE_FIRST.index(flip.became), -flip.distance))


def _text(fields: Mapping[str, object]) -> str:
    text = fields.get("response")
    return str(text) if text is not None else f"A: {fields.get('response_a')}\nB: {fields.get('response_b')}"


def _slices(matches: Sequence[Matched], by: tuple[str, ...], terms: Terms) -> list[SliceChange]:
    found = slice_changes(matches, by, terms)
    adjusted = (
        holm([1.0 if one.right.p.value is None else one.right.p.value for one in found]).tolist() if found else []
    )
    return [replace(one, right=replace(one.right, p_holm=float(p))) for one, p in zip(found, adjusted, strict=True)]

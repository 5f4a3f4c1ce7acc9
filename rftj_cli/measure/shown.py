"""`rftj show`: everything about one sample of a run, and lists of samples to pick one from. Reads only; calls nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from shlex import quote
from typing import Any, Final

from rftj_cli.errors import InputError, nearest
from rftj_cli.files.runs import Run
from rftj_cli.files.samples import Placed
from rftj_cli.files.store_rows import OutcomeRow, ReplyRow, SampleRow
from rftj_cli.kernel.asks import Ask, rubric_for
from rftj_cli.kernel.checks import CheckResult
from rftj_cli.kernel.evaluate import Task, prepare
from rftj_cli.kernel.outcome import Ballot, Failure, Outcome, Reward
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.measure.calibrate import Question
from rftj_cli.measure.join import labels_of
from rftj_cli.measure.truth import Known, Truths, settle

SCHEMA: Final = "rftj.show/1"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as it was sent, with what it asks about: the votes of one item in one order share it."""

    item: str | None
    order: str
    criteria: tuple[str, ...]
    system: str
    turns: tuple[tuple[str, str], ...]
    user: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One call: the reply verbatim, or the stage and reason of its failure. `seconds` of the call, `cost` in US dollars
    (None: the price is unknown). `prompt` counts from 0; None where the prompt cannot be made again to the letter.
    `ballots` are what was read in the reply."""

    prompt: int | None
    item: str | None
    order: str
    vote: int
    text: str | None
    reasoning: str
    stop: str | None
    stop_reason: str
    stage: str | None
    reason: str | None
    input_tokens: int
    output_tokens: int
    seconds: float
    cost: float | None
    reused: bool
    ballots: tuple[Ballot, ...]


@dataclass(frozen=True, slots=True)
class Labelled:
    """What the labels say of one criterion (and item): each rater's level (None: cannot tell), and the truth."""

    criterion: str
    item: str | None
    raters: Mapping[str, str | float | None]
    truth: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One sample of a run."""

    run: str
    model: str
    sample: str
    group: str
    cluster: str
    split: str
    fields: Mapping[str, Any]
    prompts: tuple[Prompt, ...]
    replies: tuple[Answer, ...]
    outcome: Outcome | None
    checks: tuple[CheckResult, ...]
    reward: Reward | None
    labels: tuple[Labelled, ...]
    truth: str | None
    notes: tuple[str, ...] = ()
    schema: str = SCHEMA


def show_sample(run: Run, id: str, question: Question) -> Shown:
    """Everything that a run knows of a sample. Raises `InputError` for an id that it does not hold."""
    store = run.store()
    try:
        row = store.sample(id)
        if row is None:
            hint = nearest(id, store.ids()) or f"`rftj show {quote(str(run.folder))}` lists the samples"
            raise InputError("the run has no such sample", file=run.folder, key="id", found=id, hint=hint)
        settled = next((outcome for _, outcome in store.outcomes([id])), None)
        task, why = _task(run.rubric, row)
        prompts, places = _prompts(() if task is None else task.asks)
        replies = tuple(_answer(one, places, settled) for one in store.replies_of(id))
    finally:
        store.close()
    truths = truths_now(run, question, row)
    notes = [why] if why else []
    if any(one.prompt is None for one in replies) and not why:
        notes.append("a reply whose prompt cannot be made again to the letter from what the run keeps has no number")
    if settled is None:
        notes.append("not judged yet: `rftj score` goes on with the run")
    return Shown(
        str(run.folder), run.manifest.model, id, row.group, row.cluster, row.split, row.sample.fields, prompts, replies,
        None if settled is None else settled.outcome, () if settled is None else settled.checks,
        None if settled is None else settled.reward, tuple(_labelled(run.rubric, row, truths)),
        truths.rule if truths.of else None, tuple(notes),
    )  # fmt: skip


def _task(rubric: Rubric, row: SampleRow) -> tuple[Task | None, str]:
    try:
        return prepare(rubric, row.sample), ""
    except InputError as error:  # another rftj judged it
        return None, f"the prompt cannot be made again: {error.problem}"


def _prompts(asks: Sequence[Ask]) -> tuple[tuple[Prompt, ...], dict[str, int]]:
    """The distinct prompts, and the number of each request's by its key."""
    found, places = dict[Prompt, int](), dict[str, int]()
    for ask in asks:
        criteria, request = tuple(one.id for one in ask.criteria), ask.request
        prompt = Prompt(ask.item, ask.order, criteria, request.system, request.turns, request.user)
        places[request.key] = found.setdefault(prompt, len(found))
    return tuple(found), places


def _answer(row: ReplyRow, places: Mapping[str, int], settled: OutcomeRow | None) -> Answer:
    asked = set(row.criteria.split(","))
    ballots = () if settled is None else settled.outcome.ballots
    own = tuple(
        one
        for one in ballots
        if (one.item, one.order, one.vote) == (row.item, row.order, row.vote) and one.criterion in asked
    )
    place, reply = places.get(row.key), row.reply
    if isinstance(reply, Exception):
        return Answer(
            place, row.item, row.order, row.vote, None, "", None, "", reply.stage, reply.reason, reply.input_tokens,
            reply.output_tokens, 0.0, row.cost, row.reused, (),
        )  # fmt: skip
    return Answer(
        place, row.item, row.order, row.vote, reply.text, reply.reasoning, reply.stop, reply.stop_reason, None, None,
        reply.input_tokens, reply.output_tokens, reply.seconds, row.cost, row.reused, own,
    )  # fmt: skip


def truths_now(run: Run, question: Question, row: SampleRow) -> Truths:
    """The truth of one sample, by the labels as they are now; none where there are none."""
    labels = labels_of(
        run, question.labels, wide=question.wide, needed=False,
        columns=question.columns if question.labels is None else question.label_columns,
    )  # fmt: skip
    own: list[Placed] = [one for one in labels.placed if one.label.id == row.sample.id]
    rule = question.truth if own else None
    return settle(own, {row.sample.id: Known.of(run.rubric, row.sample, row.fingerprint)}, rule=rule)


def _labelled(rubric: Rubric, row: SampleRow, truths: Truths) -> list[Labelled]:
    own, found = rubric_for(rubric, row.sample), []
    for (_, item, id), truth in truths.of.items():
        criterion = own.criterion(id)
        if criterion is None:
            continue
        names = criterion.scale.names
        raters: dict[str, str | float | None] = {
            rater: None if level is None else names[level] for rater, level in truth.raters.items()
        }
        decided = truth.name(names) if truth.decided else None
        found.append(Labelled(id, item, raters | truth.numbers, decided, truth.reason))
    return found


def without_text(shown: Shown) -> Shown:
    """The same without a word of samples, judges and raters."""
    return replace(
        shown,
        fields={},
        prompts=tuple(replace(one, system="", turns=(), user="") for one in shown.prompts),
        replies=tuple(
            replace(
                one,
                text=None if one.text is None else "",
                reasoning="",
                reason=None if one.reason is None else "",
                ballots=tuple(replace(each, reason="") for each in one.ballots),
            )
            for one in shown.replies
        ),
        outcome=_bare(shown.outcome),
        checks=tuple(replace(one, why="") for one in shown.checks),
        labels=tuple(replace(one, reason="") for one in shown.labels),
        notes=(*shown.notes, "no text of samples, judges and raters is shown (--show-text)"),
    )


def _bare(outcome: Outcome | None) -> Outcome | None:
    if outcome is None:
        return None
    ballots = tuple(replace(one, reason="") for one in outcome.ballots)
    if isinstance(outcome, Failure):
        return replace(outcome, reason="", ballots=ballots)
    return replace(outcome, ratings=tuple(replace(one, reason="") for one in outcome.ratings), ballots=ballots)

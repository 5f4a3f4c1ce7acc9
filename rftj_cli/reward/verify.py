"""`reward verify`: does the function score exactly as the judge was measured, and will training get what it needs?

    contents     the zip is what this rftj packs for its rubric          conformance   every shape, every bad row
    parity       the run's rewards, to the last bit, from its replies    repeat        the same event, the same answer
    known        a regression set of good and bad answers                forecast      time, limits and quota of a job

A question is answered `yes`, `no` or `not shown`: any no is FAIL, and what was asked and not shown is not a PASS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from rftj_cli.errors import CannotTell, InputError
from rftj_cli.files.runs import Run
from rftj_cli.files.scratch import ended_in_order
from rftj_cli.files.zips import read_zip
from rftj_cli.kernel.answering import MALFORMED
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.reward.bundle import Bundle, bundle_of, rubric_of
from rftj_cli.reward.cases import Good, cases
from rftj_cli.reward.conformance import Expected, Found, failure, faults_of, scores_of
from rftj_cli.reward.deployed import DeployedFunction
from rftj_cli.reward.forecast import NO_LATENCY, Forecast, Job, forecast
from rftj_cli.reward.known import Known, Verified, read_known
from rftj_cli.reward.local import Invocation, Limits, LocalFunction
from rftj_cli.reward.parity import Function, Measured, Parity, Recorded, compare, recorded
from rftj_cli.reward.repeats import Repeated, repeated
from rftj_cli.reward.replaying import answered_by
from rftj_cli.reward.spending import Metered, Spending, foretold
from rftj_cli.reward.verification import (
    NO_TIMES,
    Finding,
    Question,
    Timing,
    Verification,
    code_of,
    contents,
    decided,
    notes_of,
    nothing,
    of_conformance,
    of_determinism,
    of_forecast,
    of_known,
    of_parity,
    of_repeat,
    pinning,
    unanswered,
)

ROWS: Final = 3  # good rows in a case
TIMED_OUT: Final = "Sandbox.Timedout"  # a function that does not answer at all is not asked fifty times more
LIVE: Final = 16  # samples that a deployed function is asked about


@dataclass(slots=True)
class _Gathered:
    """What is found on the way."""

    findings: list[Finding] = field(default_factory=list)
    conformance: tuple[Found, ...] = ()
    parity: Parity | None = None
    repeat: Repeated | None = None
    known: tuple[Verified, ...] = ()
    timing: Timing | None = None
    notes: list[str] = field(default_factory=list)
    spending: Spending | None = None


Tell = Callable[[Spending], object]


def untold(spending: Spending) -> None:
    """Say nothing of what will be spent."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A zip and a run, read: `given` is what of the run can be compared with a function of the zip's rubric."""

    path: Path
    members: dict[str, bytes]
    bundle: Bundle | None
    rubric: Rubric
    given: Recorded


def _opened(path: Path, run: Run) -> _Opened:
    members = read_zip(path)
    bundle = bundle_of(path, members) if "bundle.json" in members else None
    rubric = run.rubric if bundle is None else rubric_of(path, members)
    return _Opened(path, members, bundle, rubric, recorded(run, rubric))


@ended_in_order()
def verify_zip(path: Path, run: Run, question: Question, tell: Tell = untold) -> Verification:
    """A zip against the run that its rubric was measured with. `tell` is given what the real judge will cost, if asked."""
    return _verified(_opened(path, run), run, question, tell)


def _verified(opened: _Opened, run: Run, question: Question, tell: Tell) -> Verification:
    path, bundle, rubric, given = opened.path, opened.bundle, opened.rubric, opened.given
    _refuse_empty(given, run, rubric)
    known = [] if question.known is None else read_known(question.known, run, rubric)
    found = _Gathered([contents(bundle, opened.members, run, rubric)])
    if question.live:
        rows = len(given.measured[: question.live]) * question.repeats
        _foretell(foretold(rows, given, run, rubric, question.prices), question, tell)
    found.notes += notes_of(bundle, run, rubric)
    with _locally(path, question.job, given, known) as function:
        _examine(function, given, rubric, bundle, question, found)
        if known:
            found.known = tuple(_try_known(function, known))
    if question.live:
        limits = Limits(question.job.timeout, question.job.memory)
        with LocalFunction(path, limits, pass_credentials=True) as live:
            metered = Metered(live)
            found.repeat = repeated(metered, given.measured[: question.live], question.repeats)
            found.spending = metered.spent(rubric, question.prices)
    return conclude(str(path), bundle, run, rubric, given, found, question)


def _refuse_empty(given: Recorded, run: Run, rubric: Rubric) -> None:
    if not given.measured:
        raise CannotTell(f"{run.folder}: the run holds nothing to compare with: {nothing(given, run, rubric)}")


def _foretell(ahead: Spending, question: Question, tell: Tell) -> None:
    ahead.refuse_beyond(question.max_cost)
    tell(ahead)


@ended_in_order()
def verify_deployed(
    arn: str, run: Run, question: Question, function: DeployedFunction | None = None, tell: Tell = untold
) -> Verification:
    """A function in AWS. That its code is the bundle is shown by its hash, the bundle's parity on this machine.

    Its judge is the real one: every invocation is billed, and rewards may differ from the run's by the judge's own noise.
    """
    function = function or DeployedFunction(arn)
    about = function.about()
    opened = None if question.zip is None else _opened(question.zip, run)
    local = None if opened is None else _verified(opened, run, replace(question, live=0), untold)
    bundle, rubric = (None, run.rubric) if opened is None else (opened.bundle, opened.rubric)
    given = recorded(run, rubric) if opened is None else opened.given
    _refuse_empty(given, run, rubric)
    live = given.measured[: question.live or LIVE]
    tried = [Good(one.row, one.reward) for one in _varied(given.measured)]
    rows = len(tried) + sum(len(case.ids) - len(case.bad) for case in cases(tried)) + len(live) * question.repeats
    ahead = foretold(rows, given, run, rubric, question.prices)
    _foretell(ahead, question, tell)
    found = _Gathered([code_of(about, question.zip, bundle)], notes=pinning(function.arn), spending=ahead)
    if local is not None:
        found.parity, found.known, found.timing = local.parity, local.known, local.timing
        kept = ("parity", "deterministic", "known", "contents")
        found.findings += [replace(one, name=f"zip: {one.name}") for one in local.findings if one.name in kept]
        found.notes += local.notes
    found.conformance = tuple(conformance(function, given.measured, rubric, bundle, exact=False))
    found.findings.append(of_conformance(found.conformance))
    found.repeat = repeated(function, live, question.repeats)
    return conclude(arn, bundle, run, rubric, given, found, question)


def conclude(
    target: str, bundle: Bundle | None, run: Run, rubric: Rubric, given: Recorded, found: _Gathered, question: Question
) -> Verification:
    """The findings that follow from what was gathered, and the decision."""
    known = [] if target.startswith("arn:") else of_known(found.known, question)
    found.findings += [*known, *of_repeat(found.repeat)]
    ahead = _ahead(target, given, bundle, found, question)
    broken = found.timing is None and not target.startswith("arn:")
    found.findings.append(of_forecast(ahead, NO_TIMES if broken else NO_LATENCY))
    return decided(
        Verification(target, bundle, run, tuple(found.findings), found.conformance, found.parity, found.repeat, found.known,
                     found.timing, ahead, tuple(found.notes), found.spending)
    )  # fmt: skip


@contextmanager
def _locally(path: Path, job: Job, given: Recorded, known: Sequence[Known]) -> Iterator[LocalFunction]:
    lines = [*given.lines, *(line for one in known for line in one.lines or ())]
    with answered_by(lines) as replies, LocalFunction(path, Limits(job.timeout, job.memory), replies) as function:
        yield function


def _examine(
    function: LocalFunction,
    given: Recorded,
    rubric: Rubric,
    bundle: Bundle | None,
    question: Question,
    found: _Gathered,
) -> None:
    """Parity, conformance and repetition of a function that answers from recorded replies."""
    batch = [one.row for one in given.measured[: question.job.batch]]
    first = function.invoke(batch)
    if first.error is not None and first.error.type == TIMED_OUT:
        found.findings += unanswered(failure(first.error), len(batch))
        return
    same = [first, function.invoke(batch), function.invoke(batch)]
    found.timing = _timing(same, len(batch))
    found.parity = compare(function, given, question.job.batch)
    found.findings.append(of_parity(found.parity))
    rows = question.job.batch if len(given.measured) < question.job.batch else 0
    found.conformance = tuple(conformance(function, given.measured, rubric, bundle, exact=True, batch=rows))
    found.findings.append(of_conformance(found.conformance))
    found.findings.append(of_determinism([one.raw for one in same if one.error is None], len(same)))


def _timing(same: Sequence[Invocation], rows: int) -> Timing | None:
    """Times of invocations with one event, the first of them cold; None where one failed: failing is no measure of work."""
    if any(one.error is not None for one in same):
        return None
    warm = min(one.duration_s for one in same[1:])
    return Timing(same[0].init_s, warm / rows, max(one.max_memory_mb for one in same))


def conformance(
    function: Function,
    measured: Sequence[Measured],
    rubric: Rubric,
    bundle: Bundle | None,
    *,
    exact: bool,
    batch: int = 0,
) -> Iterator[Found]:
    """Every case; with `exact` a row must get the reward that it gets alone, whatever stands beside it. `batch`: the rows
    of a full one, 0 where none is to be sent."""
    good = []
    for one in _varied(measured):
        scores = scores_of(function.invoke([one.row]).payload)
        score = scores[0] if len(scores) == 1 else None
        good.append(Good(one.row, float(score) if isinstance(score, (int, float)) else one.reward))
    form = None if bundle is None else bundle.settings["envelope"]
    fallback = None if bundle is None else rubric.reward.on_content_failure
    marked = None if bundle is None else MALFORMED
    expected = Expected(rubric.reward.low, rubric.reward.high, form, fallback, marked)
    for case in cases(good, batch):
        case = case if exact else replace(case, rewards=(None,) * len(case.rewards))
        try:
            invocation = function.invoke(case.event)
        except InputError as error:  # Lambda would refuse it: the job sends more than it takes
            yield Found(case, (f"{error.problem}: fewer rows an invocation (--batch)",))
            continue
        if invocation.error is not None:
            yield Found(case, (f"the function failed: {failure(invocation.error)}",))
        elif invocation.not_json is not None:
            yield Found(case, (f"the response is not JSON: {invocation.not_json}",))
        else:
            yield Found(case, faults_of(case, invocation.payload, expected))


def _varied(measured: Sequence[Measured]) -> list[Measured]:
    """A few samples whose rewards differ, so that a mix-up shows."""
    found: dict[float, Measured] = {}
    for one in measured:
        found.setdefault(one.reward, one)
    chosen = list(found.values())[:ROWS]
    return (chosen + [one for one in measured if one not in chosen])[:ROWS]


def _try_known(function: LocalFunction, known: Sequence[Known]) -> Iterator[Verified]:
    for one in known:
        score = None
        if one.lines is not None:
            scores = scores_of(function.invoke([one.row]).payload)
            score = scores[0] if scores and isinstance(scores[0], (int, float)) else None
        yield Verified(one.id, one.low, one.high, None if score is None else float(score))


def _ahead(
    target: str, given: Recorded, bundle: Bundle | None, found: _Gathered, question: Question
) -> Forecast | None:
    seconds = [question.judge_latency] if question.judge_latency is not None else given.seconds
    calls = sum(one.calls for one in given.measured) / len(given.measured)
    if calls and not seconds:
        return None
    if found.timing is None and not target.startswith("arn:"):
        return None  # the function failed: what it needs is not known
    own = 0.0 if found.timing is None else found.timing.row
    workers = 64 if bundle is None else int(bundle.settings["concurrency"])
    return forecast(question.job, seconds, calls, own, workers, seed=question.seed)

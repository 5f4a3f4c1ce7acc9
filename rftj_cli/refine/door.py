"""`refine`: a rubric, samples and labels to a `Refinement`, and to a new rubric file where edits held up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rftj_cli.errors import CannotTell, InputError
from rftj_cli.files.prices import price_of
from rftj_cli.files.rubrics import load_rubric
from rftj_cli.files.samples import SampleFile
from rftj_cli.kernel.canonical import digest
from rftj_cli.kernel.outcome import Judge
from rftj_cli.kernel.rubric import JudgeSettings, Rubric
from rftj_cli.measure.calibrate import Question
from rftj_cli.measure.comparison import Comparison
from rftj_cli.measure.labelled import validated_labels
from rftj_cli.measure.prompt_diff import word_diff
from rftj_cli.measure.sides import Judging
from rftj_cli.refine.bench import DEV, TEST, Bench, Purse, right_on
from rftj_cli.refine.edits import parts_of
from rftj_cli.refine.proposer import JOURNALS, Proposer
from rftj_cli.refine.search import Search, search
from rftj_cli.refine.values import Candidate, Front, Refinement, Spent, Step
from rftj_cli.refine.writing import refuse_existing, write_refined
from rftj_cli.running.budget import Budget
from rftj_cli.running.live import Endpoint

SEARCHES = ("plain", "gepa")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be refined and how: `most` candidates, `max_cost` US dollars for judges and proposer together.

    `proposer` is BACKEND:MODEL; `out` the new file (default: beside the old, NAME-refined.yaml); without `test` no
    held-out verdict is made.
    """

    rubric: Path
    samples: Path
    proposer: str
    question: Question
    judging: Judging
    most: int = 6
    on: str | None = None
    max_cost: float | None = None
    out: Path | None = None
    search: str = "plain"
    by: tuple[str, ...] = ()
    test: bool = True
    frozen: bool = False
    proposer_url: str | None = None
    told: Callable[[Step], None] = field(default=lambda step: None)


def refine(wish: Wish) -> Refinement:
    """Propose, test, keep; then one look at test. The old rubric is never changed.

    Raises `InputError` before anything is paid for where the input cannot be used.
    """
    rubric = load_rubric(wish.rubric)
    out = wish.out or wish.rubric.with_name(f"{wish.rubric.stem}-refined{wish.rubric.suffix}")
    refuse_existing(out)
    proposer, bench = _ready(wish, rubric)
    base = bench.judge(str(wish.rubric), rubric)
    state = _search(wish, bench, proposer, base)
    kept = [step for step in state.steps if step.fate == "kept"]
    held_out, note = _held_out(wish, bench, base, state.incumbent) if kept else (None, "no edit was kept")
    worse = held_out is not None and any(
        one.answer is not None and one.answer.change.word == "worse" for one in held_out.candidates
    )
    written, warnings = None, list[str]()
    if kept and not worse:
        warnings = write_refined(out, wish.rubric, state.incumbent.rubric, kept, held_out, note)
        written = str(out)
    return Refinement(
        rubric=str(wish.rubric),
        written=written,
        proposer=wish.proposer,
        search=wish.search,
        seed=wish.question.seed,
        samples=bench.count(DEV),
        steps=state.steps,
        pareto=_front(state),
        stopped=state.stopped,
        prompt=tuple(word_diff(_parts(rubric), _parts(state.incumbent.rubric))),
        held_out=held_out,
        held_out_note="worse on the held-out samples: nothing was written" if worse else note,
        spent=_spent(bench.purse, proposer),
        cannot_tell=state.cut or bench.cut,
        warnings=warnings,
    )


def _ready(wish: Wish, rubric: Rubric) -> tuple[Proposer, Bench]:
    """Everything that can be wrong is found here, before the first call."""
    if wish.search not in SEARCHES:
        raise InputError("unknown search", key="--search", found=wish.search, expected=", ".join(SEARCHES))
    settings = JudgeSettings(wish.proposer, temperature=None)
    price = price_of(wish.proposer, wish.judging.prices)
    if wish.max_cost is not None and price is None:
        raise InputError(
            "--max-cost needs the price of the proposer, and it is unknown", key="--proposer", found=wish.proposer,
            hint="give it with --prices FILE",
        )  # fmt: skip
    budget = Budget(price, wish.max_cost)
    endpoint = Endpoint(settings, 1, wish.proposer_url or wish.judging.base_url, wish.judging.region)
    journal = JOURNALS / f"{rubric.name}-{digest([rubric.judge_fingerprint, wish.proposer])[:8]}.jsonl"
    proposer = Proposer(wish.proposer, lambda: _connected(endpoint), budget, journal, wish.question.seed)
    samples = SampleFile(wish.samples, rubric.kind, wish.question.columns)
    bench = Bench(samples, wish.question, wish.judging, Purse(wish.max_cost, budget), wish.by, wish.on)
    proposer.lend = bench.purse.lend
    bench.read(rubric, str(wish.rubric))
    placed = validated_labels(
        rubric, samples, wish.question.labels, wide=wish.question.wide, columns=wish.question.label_columns,
        rule=wish.question.truth, ignore_unknown=wish.question.ignore_unknown,
    )  # fmt: skip
    if not bench.count(DEV):
        splits = sorted(set(bench.splits.values()))
        raise InputError("no sample is in the split dev", file=wish.samples, found=splits, expected="samples of dev")
    bench.with_labels = frozenset(one.label.id for one in placed)
    if not bench.labelled(DEV):
        raise InputError(
            "no sample of the split dev has a label", file=wish.question.labels or wish.samples,
            hint="edits are made on dev, by its labels",
        )  # fmt: skip
    if not parts_of(rubric):
        raise InputError("the rubric has no text that could be edited", file=wish.rubric, key="prompt")
    return proposer, bench


def _connected(endpoint: Endpoint) -> Judge:
    """The proposer; what is wrong with it is said of --proposer, not of the judge."""
    try:
        return endpoint.connect({})
    except InputError as error:
        hint = None if "--replay" in (error.hint or "") else error.hint
        raise InputError(
            error.problem, key="--proposer", found=endpoint.settings.model, expected=error.expected or "BACKEND:MODEL",
            hint=hint,
        ) from None  # fmt: skip


def _search(wish: Wish, bench: Bench, proposer: Proposer, base: Candidate) -> Search:
    if wish.search == "plain":
        return search(bench, proposer, base, wish.most, wish.told)
    from rftj_cli.refine.evolution import evolve

    return evolve(bench, proposer, base, wish.most, wish.told)


def _held_out(wish: Wish, bench: Bench, base: Candidate, last: Candidate) -> tuple[Comparison | None, str | None]:
    """The last incumbent against the first prompt on samples that no edit was made on, or why there is no such verdict."""
    if not wish.test:
        return None, "not asked for (--no-test)"
    if not bench.labelled(TEST):
        return None, "no labelled sample is in the split test"
    try:
        first, second = (bench.judge(one.name, one.rubric, TEST) for one in (base, last))
    except CannotTell as error:
        bench.cut = True
        return None, str(error)
    return bench.compare(first, second, TEST, frozen=wish.frozen), None


def _front(state: Search) -> list[Front]:
    """The candidates that no other beats or equals on every target at once, by the share right on each target's units."""
    if not state.targets:
        return []
    rows = [
        Front(
            candidate.name, str(candidate.run.folder),
            {name: right_on(one.units, joined.units.get(one.criterion, [])) / len(one.units) for name, one in state.targets.items()},
        )
        for candidate, joined in state.judged
    ]  # fmt: skip
    return [one for one in rows if not any(_beats(other.right, one.right) for other in rows if other is not one)]


def _beats(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    return all(one[name] >= other[name] for name in other) and any(one[name] > other[name] for name in other)


def _parts(rubric: Rubric) -> str:
    return "\n\n".join(parts_of(rubric).values())


def _spent(purse: Purse, proposer: Proposer) -> Spent:
    return Spent(
        proposals=proposer.asked,
        proposals_reused=proposer.reused,
        proposer_tokens=proposer.tokens,
        proposer_cost=proposer.budget.spent,
        judge_calls=purse.calls,
        judge_cost=purse.judges if purse.priced else None,
    )

"""The search by GEPA (Agrawal et al. 2025, `pip install rftj[refine]`): candidates evolve from a Pareto front over samples.

rftj keeps the judging, the guards and the proposer, so that what a sample says never reaches the model unfenced; GEPA chooses
what to mutate and what to keep. Its best candidate is then held to the same rule as an edit of the plain search.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from rftj_cli.errors import CannotTell, InputError
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.measure.calibrate import joined_of
from rftj_cli.measure.join import Unit
from rftj_cli.refine.bench import Bench
from rftj_cli.refine.cases import shown
from rftj_cli.refine.edits import Refused, edited, parts_of, rewritten
from rftj_cli.refine.proposer import Assignment, Case, Proposer
from rftj_cli.refine.search import Search, holds_up
from rftj_cli.refine.values import Candidate, Edit, Step

MINIBATCH = 6  # samples that one mutation looks at


def evolve(
    bench: Bench, proposer: Proposer, base: Candidate, most: int, told: Callable[[Step], None] = lambda step: None
) -> Search:
    """Up to `most` proposals; the best candidate by its mean credit on dev is compared with the first prompt."""
    try:
        from gepa.api import optimize
    except ImportError:
        raise InputError(
            "--search gepa needs the package gepa", key="--search", hint="pip install 'rftj[refine]'"
        ) from None
    state = Search(base)
    state.judged.append((base, bench.joined(base)))
    adapter = Adapter(bench, proposer, base, most, state, told)
    ids = adapter.labelled(base)
    result: Any = optimize(
        seed_candidate=parts_of(base.rubric), trainset=ids, valset=ids, adapter=cast(Any, adapter), seed=bench.question.seed,
        reflection_minibatch_size=min(MINIBATCH, len(ids)), stop_callbacks=[lambda _: adapter.over], logger=_Silent(),
        skip_perfect_score=True, max_metric_calls=(most + 1) * (len(ids) + 2 * MINIBATCH),
    )  # fmt: skip
    perfect = max(result.val_aggregate_scores) >= 1.0
    ended = "no disagreement is left on dev" if perfect else "the evolution ended"
    state.stopped = adapter.stopped or (f"--max-candidates {most} reached" if adapter.proposed >= most else ended)
    state.cut = bool(adapter.stopped)
    best = adapter.rubric_of(result.candidates[result.best_idx])
    if best is not None and best.judge_fingerprint != base.rubric.judge_fingerprint:
        _settle(bench, state, best, told)
    return state


def _settle(bench: Bench, state: Search, best: Rubric, told: Callable[[Step], None]) -> None:
    """GEPA's best candidate against the first prompt, by the rule of the plain search."""
    number = len(state.steps) + 1
    candidate = bench.judge(f"candidate {number}", best)
    (against,) = bench.compare(state.incumbent, candidate).candidates
    keep, why = holds_up(against)
    old, new = parts_of(state.incumbent.rubric), parts_of(best)
    changed = [name for name in new if new[name] != old.get(name)]
    edit = Edit(
        ", ".join(changed), "", "\n\n".join(new[name] for name in changed), "the best candidate of the evolution"
    )
    words = sum(len(text.split()) for text in new.values()) - sum(len(text.split()) for text in old.values())
    state.judged.append((candidate, bench.joined(candidate)))
    step = Step(number, None, edit, "kept" if keep else "rejected", why, 0, str(candidate.run.folder), against, words)
    state.steps.append(step)
    told(step)
    if keep:
        state.incumbent = candidate


class _Silent:
    """GEPA would print to standard output, where results go."""

    def log(self, message: str) -> None:
        """Keeps quiet."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One labelled unit as a candidate judges it; `why` is the label's reason."""

    unit: Unit
    criterion: str
    verdict: str
    label: str
    why: str

    @property
    def right(self) -> bool:
        """Whether the verdict is the label."""
        return self.verdict == self.label


@dataclass(slots=True)
class Adapter:
    """What GEPA calls: judge a candidate on samples, tell what went wrong, propose new texts."""

    bench: Bench
    proposer: Proposer
    base: Candidate
    most: int
    state: Search
    told: Callable[[Step], None]
    proposed: int = 0
    stopped: str = ""

    @property
    def over(self) -> bool:
        """Whether the search has to end."""
        return bool(self.stopped) or self.proposed >= self.most

    def labelled(self, base: Candidate) -> list[str]:
        """The samples of dev whose verdicts can be right or wrong."""
        _, joined = joined_of(base.run, self.bench.question)
        known = {
            unit.sample
            for units in joined.units.values()
            for unit in units
            if unit.truth and unit.truth.level is not None
        }
        return sorted(id for id, split in self.bench.splits.items() if split == "dev" and id in known)

    def rubric_of(self, candidate: Mapping[str, str]) -> Rubric | None:
        """The rubric with these texts; None where a guard refuses them."""
        if dict(candidate) == parts_of(self.base.rubric):
            return self.base.rubric
        try:
            return rewritten(self.base.rubric, candidate, self.bench.quotable)
        except Refused:
            return None

    def evaluate(self, batch: list[str], candidate: dict[str, str], capture_traces: bool = False) -> Any:
        """Mean credit of each sample over its labelled criteria; 0 where the texts are refused or the money has ended."""
        from gepa.core.adapter import EvaluationBatch

        rubric, seen = self.rubric_of(candidate), dict[str, list[Seen]]()
        if rubric is not None and not self.stopped:
            try:
                judged = self.bench.judge(f"candidate {self.proposed}", rubric, ids=frozenset(batch))
                seen = self._seen(judged, batch)
            except CannotTell as error:
                self.stopped = str(error)
        scores = [float(np.mean([one.right for one in seen.get(id, [])] or [False])) for id in batch]
        return EvaluationBatch(outputs=list(batch), scores=scores, trajectories=[seen.get(id, []) for id in batch])

    def _seen(self, judged: Candidate, batch: Sequence[str]) -> dict[str, list[Seen]]:
        """What a candidate says of the labelled units of some samples."""
        _, joined = joined_of(judged.run, self.bench.question)
        wanted, found = set(batch), dict[str, list[Seen]]()
        for id, units in joined.units.items():
            names = joined.scales[id].names
            for unit in units:
                if unit.sample in wanted and unit.truth is not None and unit.truth.level is not None:
                    verdict = "no verdict" if unit.level is None else names[unit.level]
                    seen = Seen(unit, id, verdict, names[unit.truth.level], unit.truth.reason)
                    found.setdefault(unit.sample, []).append(seen)
        return found

    def make_reflective_dataset(
        self, candidate: dict[str, str], eval_batch: Any, components_to_update: list[str]
    ) -> Any:
        """The wrong verdicts of a batch, for every part that may change."""
        wrong = [one for seen in eval_batch.trajectories for one in seen if not one.right]
        return {name: [{"seen": one} for one in wrong] for name in components_to_update}

    def propose_new_texts(
        self,
        candidate: dict[str, str],
        reflective_dataset: Mapping[str, Sequence[Mapping[str, Any]]],
        components_to_update: list[str],
    ) -> dict[str, str]:
        """New texts for some parts, by rftj's own proposer and under its guards; an unusable proposal changes nothing."""
        texts = {}
        for name in components_to_update:
            self.proposed += 1
            wrong = [record["seen"] for record in reflective_dataset[name]]
            try:
                texts[name], edit = self._proposed(candidate, name, wrong)
                why = "a candidate of the evolution, not its best or a part of it"
                step = Step(len(self.state.steps) + 1, None, edit, "rejected", why, 0, None, None, 0)
                self.state.steps.append(step)
            except CannotTell as error:
                self.stopped, texts[name] = str(error), candidate[name]
            except Refused as refusal:
                texts[name] = candidate[name]
                step = Step(len(self.state.steps) + 1, None, None, "refused", f"{name}: {refusal}", 0, None, None, 0)
                self.state.steps.append(step)
                self.told(step)
        return texts

    def _proposed(self, candidate: Mapping[str, str], name: str, wrong: Sequence[Seen]) -> tuple[str, Edit]:
        rubric = self.rubric_of(candidate)
        if rubric is None or not wrong:
            raise Refused("nothing to mend in this part")
        store = self.base.run.store()
        cases = [
            Case(
                shown(store.fields(one.unit.sample), self.base.rubric, one.unit.item),
                f"{one.criterion}: {one.verdict}",
                one.unit.reason,
                one.label,
                one.why,
            )
            for one in wrong[:MINIBATCH]
        ]
        store.close()
        criteria = ", ".join(dict.fromkeys(one.criterion for one in wrong))
        what = "the judge differs from the labels"
        own = {name: candidate[name]}
        edit = self.proposer.edit(Assignment(own, criteria, what, (), len(wrong), len(self.bench.splits), cases))
        return parts_of(edited(rubric, edit, self.bench.quotable))[name], edit

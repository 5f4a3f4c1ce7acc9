"""The word for a whole comparison, and what it is after Holm's adjustment where several candidates were compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rftj_cli.errors import InputError, nearest
from rftj_cli.measure.comparison import POOLED, REWARD, Against, Answer, CriterionChange, Paired, RewardChange
from rftj_cli.stats.verdicts import SHARE_MARGIN, hedged, held, holm, judge_change


def answer_of(
    criteria: Mapping[str, CriterionChange],
    reward: RewardChange | None,
    whole: tuple[Paired | None, Paired | None],
    *,
    clusters: int,
    on: str | None,
    margin: float | None,
) -> Answer | None:
    """What the comparison comes to; None where no label tells. `whole`: all criteria, and that with failures as wrong;
    `clusters`: that their labelled units are in.

    Rewards decide by themselves only where both sides make them by one rule: the labels' own reward is made by the baseline's.
    """
    labelled = [id for id, one in criteria.items() if one.change is not None]
    ranked = reward is not None and reward.one_rule and reward.pair_accuracy is not None
    ranked = (
        ranked
        and reward is not None
        and reward.pair_accuracy is not None
        and reward.pair_accuracy.difference.low is not None
    )
    on = on or (REWARD if ranked else labelled[0] if len(labelled) == 1 else POOLED)
    if on not in (REWARD, POOLED, *criteria):
        known = (REWARD, POOLED, *criteria)
        raise InputError("no such criterion", key="--on", found=on, expected=", ".join(known), hint=nearest(on, known))
    if on == REWARD and reward is not None and reward.pair_accuracy is not None and reward.change is not None:
        return Answer(REWARD, "pair", reward.change, reward.pair_accuracy.difference)
    if on in criteria and criteria[on].change is not None:
        one = criteria[on]
        assert one.change is not None
        return Answer(on, one.unit, one.change, one.numbers[one.decides].difference)
    if on == POOLED and whole[0] is not None:
        change = hedged(
            judge_change(whole[0].difference, margin or SHARE_MARGIN, clusters=clusters),
            None if whole[1] is None else whole[1].difference,
        )
        return Answer(POOLED, "verdict", change, whole[0].difference)
    return None


def held_over(candidates: list[Against]) -> list[Against]:
    """The words that their p-values hold, after Holm's adjustment over several candidates: of the answer, and of each criterion."""
    count = len(candidates)
    answers = _adjusted([_p_of(one) for one in candidates])
    by_id = {
        id: _adjusted([_criterion_p(one, id) for one in candidates])
        for id in dict.fromkeys(id for one in candidates for id in one.criteria)
    }
    found = []
    for index, one in enumerate(candidates):
        answer = one.answer
        if answer is not None:
            shown = answers[index] if count > 1 else None
            answer = replace(answer, change=held(answer.change, answers[index], count), p_holm=shown)
        criteria = {id: _held_criterion(each, by_id[id][index], count) for id, each in one.criteria.items()}
        found.append(replace(one, answer=answer, criteria=criteria))
    return found


def _held_criterion(one: CriterionChange, p: float | None, count: int) -> CriterionChange:
    if one.change is None:
        return one
    numbers = {**one.numbers, one.decides: replace(one.numbers[one.decides], p_holm=p if count > 1 else None)}
    return replace(one, change=held(one.change, p, count), numbers=numbers)


def _p_of(one: Against) -> float | None:
    if one.answer is None:
        return None
    if one.answer.on == REWARD:
        return None if one.reward is None or one.reward.pair_accuracy is None else one.reward.pair_accuracy.p.value
    if one.answer.on == POOLED:
        return None if one.pooled is None else one.pooled.p.value
    return _criterion_p(one, one.answer.on)


def _criterion_p(one: Against, id: str) -> float | None:
    each = one.criteria.get(id)
    return None if each is None or each.decides not in each.numbers else each.numbers[each.decides].p.value


def _adjusted(given: Sequence[float | None]) -> list[float | None]:
    known = [p for p in given if p is not None]
    raised = iter(holm(known).tolist() if known else [])
    return [None if p is None else next(raised) for p in given]

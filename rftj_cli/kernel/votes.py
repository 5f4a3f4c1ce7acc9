"""Which votes are still worth asking for: none once the majority stands whatever the rest would say.

answers so far --needed--> the next asks, or none
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rftj_cli.errors import InputError
from rftj_cli.kernel.asks import Ask
from rftj_cli.kernel.conclude import ballots_of
from rftj_cli.kernel.evaluate import Task
from rftj_cli.kernel.outcome import CallError, Reply
from rftj_cli.kernel.rubric import Rubric

Answers = Sequence[Reply | CallError | None]


def refuse_fixed_votes(rubric: Rubric) -> None:
    """Raise `InputError` where every vote counts, so that none can be left out."""
    judge = rubric.judge
    if judge.votes < 3:
        raise InputError("there is no vote to save", key="--adaptive-votes", found=f"judge.votes: {judge.votes}",
                         expected="judge.votes of 3 or more")  # fmt: skip
    if judge.vote == "mean" or rubric.kind == "preference":
        why = "judge.vote: mean" if judge.vote == "mean" else "kind: preference"
        raise InputError("every vote moves the mean, so none can be left out", key="--adaptive-votes", found=why,
                         expected="kind: rubric with judge.vote: majority")  # fmt: skip


def needed(task: Task, answers: Answers) -> list[int]:
    """The indexes of the asks to make next. First as many votes as make a majority, then one at a time while it is open.

    `answers` has one entry an ask; None is not asked yet. A lost vote is a vote that no level got.
    """
    series: dict[tuple[str | None, str, tuple[str, ...]], list[int]] = {}
    for index, ask in enumerate(task.asks):
        series.setdefault((ask.item, ask.order, tuple(c.id for c in ask.criteria)), []).append(index)
    found: list[int] = []
    for indexes in series.values():
        votes = len(indexes)
        open_ = [index for index in indexes if answers[index] is None]
        cast = votes - len(open_)
        first = votes // 2 + 1
        if cast < first:
            found += open_[: first - cast]
        elif open_ and not _settled(task, [(task.asks[i], answers[i]) for i in indexes], votes):
            found.append(open_[0])
    return found


def _settled(task: Task, asked: Sequence[tuple[Ask, Reply | CallError | None]], votes: int) -> bool:
    """Whether each criterion has a level that leads by more than the votes not asked, and that more than half are cast."""
    levels: dict[str, list[str]] = {criterion.id: [] for criterion in asked[0][0].criteria}
    left = 0
    for ask, answer in asked:
        if answer is None:
            left += 1
            continue
        for ballot in ballots_of(task.rubric, task.sample, ask, answer):
            if ballot.level is not None:
                levels[ballot.criterion].append(ballot.level)
    return all(_leads(Counter(these), left) and 2 * len(these) > votes for these in levels.values())


def _leads(counts: Counter[str], left: int) -> bool:
    ranked = [count for _, count in counts.most_common(2)]
    return bool(ranked) and ranked[0] > (ranked[1] if len(ranked) > 1 else 0) + left

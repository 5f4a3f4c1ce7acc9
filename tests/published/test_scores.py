"""Numeric scores that others recorded: votes on RewardBench 2, and continuous scores on arena answers."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from rftj_cli.files.runs import open_run

from .replaying import calibrate, replay, shared, value

Row = dict[str, Any]

# collection, size, k: items, correct, tied
ENSEMBLES = [
    pytest.param("base_both_k8", "full", 1, (1729, 1240, 353)),
    pytest.param("base_both_k8", "full", 3, (1730, 1357, 164), marks=pytest.mark.slow),
    pytest.param("base_both_k8", "full", 8, (1730, 1410, 77), marks=pytest.mark.slow),
    pytest.param("base_both_k8", "mini", 1, (1728, 1119, 430), marks=pytest.mark.slow),
    pytest.param("base_both_k8", "mini", 8, (1730, 1370, 75), marks=pytest.mark.slow),
    pytest.param("base_full_k8_t0.0", "full", 8, (1730, 1334, 192), marks=pytest.mark.slow),
]


def rubric(votes: int) -> Row:
    return {
        "name": "rb2",
        "criteria": [{"id": "score", "question": "How good is it?", "scale": {"min": 1, "max": 10}}],
        "prompt": {"user": "{{ response }}"},  # the texts were not published: the place stands for the response
        "parse": {"regex": r"^(\d+)$"},
        "judge": {"model": "replay:published", "votes": votes, "vote": "mean"},
    }


def scored(folder: Path, items: Sequence[Row], size: str, votes: int) -> Path:
    samples, replies = [], []
    for item in items:
        group = f"{item['subset']} {item['id']}"
        for place, scores in enumerate(item[f"{size}_scores"]):
            id = f"{group} {place}"
            samples.append({"id": id, "group": group, "response": id, "label": 10 if place == 0 else 1})
            texts = [None if score is None else str(score) for score in scores[:votes]]
            replies += [{"id": id, "vote": vote, "text": text} for vote, text in enumerate(texts)]
    return replay(folder, rubric(votes), samples, replies)


@pytest.mark.parametrize(("collection", "size", "votes", "expected"), ENSEMBLES)
def test_reward_bench_2(collection: str, size: str, votes: int, expected: tuple[int, int, int], home: Path) -> None:
    """The first response is right if its mean over k votes is strictly highest; any tie for the highest is counted."""
    rows = shared("rb2_ensembling/scores.jsonl.gz")
    run = scored(home, [one for one in rows if one["collection"] == collection and not one["refused"]], size, votes)
    store = open_run(str(run)).store()
    rewards: dict[str, list[float | None]] = {}
    means: dict[str, list[float | None]] = {}  # over whatever was scored, as published
    for row, outcome in store.outcomes():
        cast = [float(ballot.level) for ballot in outcome.outcome.ballots if ballot.level is not None]
        rewards.setdefault(row.group, []).append(outcome.reward.value)
        means.setdefault(row.group, []).append(fmean(cast) if cast else None)
        if outcome.reward.value is not None:
            assert outcome.reward.value == pytest.approx((fmean(cast) - 1) / 9)
    store.close()
    complete = [[mean for mean in of if mean is not None] for of in means.values() if None not in of]
    correct = sum(first > max(rest) for first, *rest in complete)
    tied = sum(of.count(max(of)) > 1 for of in complete)
    assert (len(complete), correct, tied) == expected
    # A verdict of rftj needs more than half of its votes: it leaves these items out where the published rule does not.
    refused = len(complete) - sum(None not in of for of in rewards.values())
    assert 0 <= refused <= 2

    # rftj's own figure beside it: pairs of the first response with each other one, ties counted half.
    reward = calibrate(run)["reward"]
    pairs = [(first, other) for of in rewards.values() for first in of[:1] for other in of[1:]]
    both = [(first, other) for first, other in pairs if first is not None and other is not None]
    right, level = sum(a > b for a, b in both), sum(a == b for a, b in both)
    assert (reward["pairs"], reward["right"], reward["tied"]) == (len(both), right, level)
    assert value(reward["estimates"], "pair_accuracy") == pytest.approx((right + level / 2) / len(both))
    # Strict top-1 is the published figure, of the items of which rftj has every verdict.
    whole = [of for of in rewards.values() if None not in of]
    strict = sum(first > max(rest) for first, *rest in whole)  # type: ignore[operator,type-var]
    shared_ = sum((first == max(of)) / of.count(max(of)) for of in whole for first in of[:1])  # type: ignore[type-var]
    assert reward["estimates"]["top_1_strict"]["n"] == len(whole)
    assert value(reward["estimates"], "top_1_strict") == pytest.approx(strict / len(whole))
    assert value(reward["estimates"], "top_1") == pytest.approx(shared_ / len(whole))
    assert abs(strict - correct) <= refused
    print(
        f"{collection} {size} k={votes}: {correct}/{len(complete)} = {correct / len(complete):.4f}, {tied} tied, {refused} more refused;",
        end=" ",
    )
    print(f"pair accuracy {value(reward['estimates'], 'pair_accuracy'):.4f}")


POLICIES = {
    "base": (480, {"mean_judge": 0.840, "mean_truth": 0.754, "pearson": 0.390, "spearman": 0.446, "bias": 0.086}),
    "unhelpful": (50, {"mean_judge": 0.292, "mean_truth": 0.159}),
}


def test_arena_scores(home: Path) -> None:
    """Continuous scores against an oracle, through `--table`, by policy."""
    with Path("scores.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["policy", "judge_score", "oracle"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(shared("cje_arena_reward/items.jsonl.gz"))
    report = calibrate("--table", "scores.csv", "--judge", "judge_score", "--human", "oracle", "--by", "policy")
    assert (report["counts"]["samples"], report["counts"]["labelled"]) == (4150, 630)
    for policy, (n, figures) in POLICIES.items():
        part = report["slices"]["policy"][policy]["oracle"]
        assert part["n"] == n
        found = {name: value(part["estimates"], name) for name in figures}
        assert found == pytest.approx(figures, abs=5e-4), policy
        print(policy, n, {name: round(number, 4) for name, number in found.items()})

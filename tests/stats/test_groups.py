from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import growth
from sklearn.metrics import roc_auc_score

from rftj_cli.stats.groups import pair_accuracy, pair_accuracy_difference

DATA = Path(__file__).resolve().parents[2] / "datasets" / "contract-review"


def rows(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (DATA / name).read_text().splitlines()]


def test_contract_review() -> None:
    """The 1-10 ratings of the contract comments rank 177 of 214 pairs right and tie 22: .879."""
    marks = {"pass": 1.0, "fail": 0.0, "vague": 0.0, "usable": 0.5, "ready": 1.0}
    weight = {"grounding": 2, "consistency": 2, "actionability": 1}
    truth: dict[str, float] = {}
    for row in rows("labels.jsonl"):
        truth[row["id"]] = truth.get(row["id"], 0.0) + weight[row["criterion"]] * marks[row["value"]]
    group = {row["id"]: row["group"] for row in rows("samples.jsonl")}
    score = {}
    for row in rows("replies/rating-1-10.jsonl"):
        if found := re.search(r"\[\[(\d+)\]\]", row["text"]):
            score[row["id"]] = float(found[1])
    ids = sorted(score)
    result = pair_accuracy([group[i] for i in ids], [truth[i] for i in ids], [score[i] for i in ids])
    assert (result.right, result.tied, result.pairs) == (177, 22, 214)
    assert result.estimate.value == pytest.approx(0.879, abs=5e-4)


def test_large_groups_are_counted_as_small_ones() -> None:
    """A large group next to small ones changes how all are counted, not what is found."""
    rng = np.random.default_rng(4)
    group, truth, score = rng.permutation(np.arange(400) // 8), rng.integers(0, 4, 400), rng.integers(0, 4, 400)
    small = pair_accuracy(group, truth, score)
    large = pair_accuracy(np.append(group, [99] * 40), np.append(truth, [0] * 40), np.append(score, [0] * 40))
    assert small == large and small.pairs > 500


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 3)), max_size=40))
def test_counts_equal_those_of_all_pairs(data: list[tuple[int, int, int]]) -> None:
    """Right and tied pairs are those that a look at every pair of a group finds."""
    pairs = [(a, b) for i, a in enumerate(data) for b in data[:i] if a[0] == b[0] and a[1] != b[1]]
    right = sum((a[1] - b[1]) * (a[2] - b[2]) > 0 for a, b in pairs)
    found = pair_accuracy(*(np.array([row[i] for row in data]) for i in range(3)))
    assert (found.pairs, found.right, found.tied) == (len(pairs), right, sum(a[2] == b[2] for a, b in pairs))


def test_one_group_is_the_auc() -> None:
    """Inside one group with labels 0 and 1 the pair accuracy is the area under the ROC curve; two give an interval."""
    rng = np.random.default_rng(0)
    truth, score = rng.integers(0, 2, 50), rng.integers(0, 8, 50)
    found = pair_accuracy(np.zeros(50), truth, score)
    assert found.estimate.value == pytest.approx(roc_auc_score(truth, score))
    assert (found.estimate.low, found.estimate.note) == (None, "only 1 group with pairs: no interval")


def test_two_readings() -> None:
    """Pooled pairs weigh by pairs, the other reading by groups."""
    group = [0, 0, 0, 0, 1, 1]
    found = pair_accuracy(group, [0, 1, 2, 3, 0, 1], [0, 1, 2, 3, 1, 0])
    assert found.estimate.value == pytest.approx(6 / 7)
    assert found.by_group.value == pytest.approx(1 / 2)
    assert (found.estimate.n, found.by_group.n, found.groups) == (7, 2, 2)


def test_perfect_order_keeps_a_width() -> None:
    """Twenty groups in perfect order do not prove that every pair will be."""
    group = np.repeat(np.arange(20), 3)
    found = pair_accuracy(group, np.tile([0, 1, 2], 20), np.tile([5, 6, 9], 20)).estimate
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low is not None and 0.8 < found.low < 0.9


@pytest.mark.parametrize(("groups", "clustered"), [(12, False), (36, False), (36, True), (100, False)])
def test_one_more_wrong_pair_makes_no_bound_better(groups: int, clustered: bool) -> None:
    """One wrong pair in each of more and more groups of four answers: neither end of the interval rises."""
    group, truth = np.repeat(np.arange(groups), 4), np.tile(np.arange(4.0), groups)
    score, ends = truth.copy(), []
    for wrong in range(groups + 1):
        found = pair_accuracy(group, truth, score, clusters=group // 2 if clustered else None)
        ends.append((found.estimate.low, found.estimate.high, found.by_group.low, found.by_group.high))
        if wrong < groups:
            score[[wrong * 4, wrong * 4 + 1]] = score[[wrong * 4 + 1, wrong * 4]]
    assert (np.diff(np.array(ends, dtype=np.float64), axis=0) <= 1e-12).all()


def test_ties_are_half_right() -> None:
    """A judge that says the same of every response knows nothing: one half, all tied."""
    group = np.repeat(np.arange(20), 3)
    found = pair_accuracy(group, np.tile([0, 1, 2], 20), np.ones(60))
    assert (found.estimate.value, found.tie_rate.value) == (0.5, 1.0)


def test_knowing_the_prompt_is_not_enough() -> None:
    """A score that depends on the group alone has no pair right."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(50), 4)
    found = pair_accuracy(group, (rng.random(200) < group / 50).astype(float), group)
    assert found.estimate.value == 0.5


def test_no_pairs_is_missing() -> None:
    """Groups whose labels are all alike hold no pair."""
    found = pair_accuracy([0, 0, 1], [1, 1, 0], [1, 2, 3])
    assert found.estimate.note == "no group holds two items that the labels tell apart"
    assert found.pairs == 0 and pair_accuracy([], [], []).estimate.value is None


def test_clusters_of_groups() -> None:
    """Groups that repeat each other in clusters widen the interval; a group in two clusters is a fault."""
    rng = np.random.default_rng(3)
    truth, score = np.tile(rng.integers(0, 3, 80), 3), np.tile(rng.integers(0, 9, 80), 3)
    group = np.arange(240) // 4
    plain, wide = pair_accuracy(group, truth, score), pair_accuracy(group, truth, score, clusters=group % 20)
    assert plain.estimate.value == wide.estimate.value
    assert wide.estimate.high - wide.estimate.low > 1.4 * (plain.estimate.high - plain.estimate.low)  # type: ignore[operator]
    with pytest.raises(ValueError, match="two clusters"):
        pair_accuracy([0, 0], [0, 1], [0, 1], clusters=[0, 1])


def large_group(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(group, truth, score) with a twentieth of the rows in one group, and groups of eight."""
    rng = np.random.default_rng(0)
    group = np.concatenate([np.zeros(rows // 20, dtype=int), 1 + np.arange(rows - rows // 20) // 8])
    return group, rng.integers(0, 3, rows), rng.random(rows)


def test_many_rows_cost_no_more_each() -> None:
    """Pairs are counted in O(n log n), also inside one large group: eight times the rows cost far less than 64 times."""
    small, large = large_group(25_000), large_group(200_000)
    assert growth(lambda: pair_accuracy(*small), lambda: pair_accuracy(*large)) < 40
    assert pair_accuracy(*large).estimate.value == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("groups", [10, 20])
def test_a_few_large_groups_do_not_make_the_interval_too_narrow(groups: int) -> None:
    """One group in five of 20 answers, the others of 2 to 5: with t(G - 1) the interval held the truth in 82 to 83%."""

    def drawn(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        sizes = np.where(rng.random(count) < 0.2, 20, rng.integers(2, 6, count))
        keys = np.repeat(np.arange(count), sizes)
        truth = (rng.random(keys.size) < rng.beta(2, 2, count)[keys]).astype(float)
        noise = np.exp(rng.normal(size=count) * 0.7)[keys] * 0.8
        return keys, truth, truth + rng.normal(size=keys.size) * noise

    true = pair_accuracy(*drawn(np.random.default_rng(1), 20_000)).estimate.value
    rng, hits, made = np.random.default_rng(groups), 0, 0
    assert true is not None
    for _ in range(150):
        one = pair_accuracy(*drawn(rng, groups)).estimate
        if one.low is not None and one.high is not None:
            hits, made = hits + (one.low <= true <= one.high), made + 1
    assert hits / made >= 0.91


def test_one_wrong_pair_does_not_tell_more_than_none() -> None:
    """Groups of 20 answers: without an error each is one voice, and one wrong pair of 190 is no more."""
    group, truth = np.repeat(np.arange(12), 20), np.tile(np.arange(20.0), 12)
    score = truth.copy()
    score[[0, 1]] = score[[1, 0]]
    none, wrong = (pair_accuracy(group, truth, one).estimate for one in (truth, score))
    assert none.value == 1 and wrong.value is not None and 0.99 < wrong.value < 1
    assert wrong.low <= none.low  # type: ignore[operator]


@given(st.integers(0, 39), st.integers(0, 2**32 - 1))
def test_pairs_that_b_breaks_never_give_it_a_better_bound(at: int, seed: int) -> None:
    """40 groups of two: B turns one pair more."""
    rng = np.random.default_rng(seed)
    group, truth = np.repeat(np.arange(40), 2), np.tile([0.0, 1.0], 40)
    a, b = (np.where((rng.random(40) < 0.2).repeat(2), 1 - truth, truth) for _ in range(2))
    worse = b.copy()
    worse[2 * at : 2 * at + 2] = [1.0, 0.0]
    before, after = (pair_accuracy_difference(group, truth, a, one)[0] for one in (b, worse))
    for end in ("low", "high"):
        assert getattr(after, end) <= getattr(before, end) + 1e-9

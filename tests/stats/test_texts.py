"""Clusters of texts, the words that tell them apart, and the tree beneath."""

from __future__ import annotations

import random

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import silhouette_score

from rftj_cli.stats.linkage import cut, mean_silhouette, ward
from rftj_cli.stats.texts import cluster_texts, telling_words, words

COMMON = [f"word{i}" for i in range(400)]


def themed(n: int, themes: int, seed: int = 0) -> list[list[str]]:
    """Texts of 12 common words, and 6 of the theme's own; text i has theme i % themes."""
    rng = random.Random(seed)
    own = [[f"theme{k}x{i}" for i in range(12)] for k in range(max(1, themes))]
    return [rng.choices(own[i % themes], k=6) * bool(themes) + rng.choices(COMMON, k=12) for i in range(n)]


def plain(n: int, seed: int = 0) -> list[list[str]]:
    rng = random.Random(seed)
    return [rng.choices(COMMON, k=30) for _ in range(n)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The Quotes, the quote's 36 months; a-b!", ["quotes", "quote", "months"]),
        ("Straße ÜBER straße", ["strasse", "über", "strasse"]),
        ("合同条款无效 OK", ["合同", "同条", "条款", "款无", "无效", "ok"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("договор недействителен", ["договор", "недействителен"]),
        ("x" * 50 + " \x1b[31m <b>bold</b> {{ name }}", ["31m", "bold", "name"]),
        ("", []),
    ],
)
def test_words_of_any_script(text: str, found: list[str]) -> None:
    assert words(text) == found


@pytest.mark.parametrize(("n", "themes"), [(40, 2), (60, 3), (300, 4), (2500, 3)])
def test_texts_of_one_theme_are_one_cluster(n: int, themes: int) -> None:
    found = cluster_texts(themed(n, themes))
    assert found.count == themes and found.capped == (n > 1000)
    for code in range(themes):
        members = np.bincount(np.flatnonzero(found.of == code) % themes)
        assert members.max() >= 0.95 * members.sum()


def test_texts_without_a_theme_are_seldom_divided() -> None:
    """Ten deals of the same words make a false division one time in ten at most, give or take."""
    divided = sum(cluster_texts(plain(40, seed)).count > 1 for seed in range(40))
    assert divided <= 9


def test_a_text_like_no_other_is_in_no_cluster() -> None:
    texts = [*themed(20, 2), ["unheard", "words", "alone"], []]
    assert cluster_texts(texts).of.tolist()[-2:] == [-1, -1]


@pytest.mark.parametrize("texts", [[], [[]], [["one"]], [["a"], ["b"]], [[], [], []]])
def test_nothing_in_common_is_no_cluster(texts: list[list[str]]) -> None:
    found = cluster_texts(texts)
    assert found.count == 0 and found.of.tolist() == [-1] * len(texts)


def test_equal_texts_are_one_cluster() -> None:
    assert cluster_texts([["same", "words"]] * 12).of.tolist() == [0] * 12


def test_the_larger_cluster_comes_first_and_the_seed_decides_chance() -> None:
    texts = themed(30, 3)
    uneven = [text for i, text in enumerate(texts) if i % 3 == 0 or i < 12]
    found = cluster_texts(uneven, seed=5)
    counts = np.bincount(found.of[found.of >= 0]).tolist()
    assert counts == sorted(counts, reverse=True)
    assert cluster_texts(uneven, seed=5).of.tolist() == found.of.tolist()


def test_telling_words_are_those_that_the_others_lack() -> None:
    inside = [["days", "calendar", "both"]] * 8 + [["days", "both"]] * 2
    outside = [["both", "quote"]] * 10
    assert telling_words(inside, outside) == ("days", "calendar")
    assert telling_words(outside, outside) == () == telling_words([], outside)


def test_the_tree_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(size=(60, 5)) + 4 * rng.integers(0, 2, (60, 1))
    squared = ((points[:, None] - points[None]) ** 2).sum(-1)
    tree = ward(squared)
    for parts in (2, 3, 5, 9):
        ours = cut(tree, 60, parts)
        theirs = AgglomerativeClustering(parts, linkage="ward").fit_predict(points)
        pairs = {(a, b) for a, b in zip(ours.tolist(), theirs.tolist(), strict=True)}
        assert len(pairs) == parts, "the same division by other names"
        distance = np.sqrt(squared)
        assert mean_silhouette(distance, ours) == pytest.approx(silhouette_score(distance, ours, metric="precomputed"))


def test_one_part_has_no_silhouette() -> None:
    assert mean_silhouette(np.zeros((3, 3)), np.zeros(3, dtype=np.int64)) == 0.0

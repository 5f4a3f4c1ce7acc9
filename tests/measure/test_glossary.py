"""Every estimate that a report holds is explained on the glossary page, by its name in JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from making import pair_data
from reporting import calibrated, labels, rftj, scored

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "glossary.md").read_text(encoding="utf-8")
NAMES = set(
    re.findall(r"`([a-z_0-9]+)`", "\n".join(line.split("|")[2] for line in PAGE.splitlines() if line.count("|") > 3))
)
BY_DATA = {"pairwise_kappa", "right", "lift", "outcome"}  # whose keys are raters, numbers of votes or bins
ESTIMATE = {"value", "low", "high", "n", "method", "note"}
RNG = np.random.default_rng(5)
SCALES: dict[str, Any] = {
    "binary": "pass_fail",
    "ordinal": ["1", "2", "3"],
    "nominal": {"labels": ["red", "green", "blue"]},
    "numeric": {"min": 1, "max": 5},
}


def estimates(node: Any, name: str = "") -> Iterator[str]:
    """The name of every estimate of a document: the key that holds it."""
    if isinstance(node, dict):
        if ESTIMATE <= node.keys():
            yield name
            return
        for key, inner in node.items():
            yield from estimates(inner, name if name in BY_DATA else key)
    elif isinstance(node, list):
        for inner in node:
            yield from estimates(inner, name)


def run_of(home: Path, kind: str, name: str = "run", shift: int = 0) -> tuple[Path, Path]:
    """A run with three votes, two failures, unlabelled samples, two raters, and a metric that production recorded."""
    scale = SCALES[kind]
    levels = {"binary": ["fail", "pass"], "nominal": ["red", "green", "blue"], "numeric": list("12345")}.get(
        kind, list("123")
    )
    ids = [f"s{i}" for i in range(60)]
    rows = [
        {"id": id, "response": "word " * (1 + i % 9), "group": f"g{i // 3}", "sold": i % 2, "time": i}
        for i, id in enumerate(ids)
    ]
    cast = [
        (id, vote, levels[int(RNG.integers(len(levels)) if vote else (i + shift) % len(levels))])
        for i, id in enumerate(ids)
        for vote in range(3)
    ]
    replies = [
        {"id": id, "vote": vote, "text": json.dumps({"quality": level}) if id not in ids[:2] else "?"}
        for id, vote, level in cast
    ]
    criteria = [{"id": "quality", "question": "Good?", "scale": scale}]
    judge = {"model": "replay:recorded", "votes": 3, "temperature": 1, "vote": "majority"}
    reward = {"on_failure": {"content": 0}}
    run = scored(home, {}, name=name, rows=rows, replies=replies, criteria=criteria, judge=judge, reward=reward)
    said = [
        {"id": id, "rater": rater, "value": levels[(i + (i % 4 == 0 and rater == "ben")) % len(levels)]}
        for i, id in enumerate(ids[:50]) for rater in ("ann", "ben", "cem")
    ]  # fmt: skip
    return run, labels(home, said, f"{name}-labels.jsonl")


def unknown(document: Any) -> list[str]:
    names = set(estimates(document))
    assert names
    return sorted(names - NAMES)


@pytest.mark.parametrize("kind", SCALES)
def test_every_number_of_a_scale_is_in_the_glossary(kind: str, home: Path) -> None:
    run, file = run_of(home, kind)
    assert not unknown(calibrated(run, "--labels", file, "--metric", "sold", "--metric", "time", "--by", "sold"))
    (home / "other").mkdir()
    other, _ = run_of(home / "other", kind, "other", shift=1)
    assert not unknown(rftj("diff-prompts", run, other, "--labels", file, "--split", "all", "--json").document)
    assert not unknown(rftj("plan", run, "--labels", file, "--json").document)


def test_every_number_of_comparisons_and_means_is_in_the_glossary(home: Path) -> None:
    ids = [f"p{i}" for i in range(30)]
    rows = [{"id": id, "response_a": "a " * (1 + i % 5), "response_b": "b", "prompt": id} for i, id in enumerate(ids)]
    replies = [
        {"id": id, "order": order, "text": json.dumps({"preference": "AB"[i % 2]})}
        for i, id in enumerate(ids[1:])
        for order in ("given", "swapped")
    ]
    replies += [{"id": ids[0], "order": order, "text": "?"} for order in ("given", "swapped")]
    changes = pair_data(judge={"model": "replay:recorded"})
    run = scored(home, {}, rows=rows, replies=replies, **{"criteria": None, **changes})
    said = [
        {"id": id, "rater": rater, "value": ["A", "tie", "B"][(i + j) % 3 if i % 5 == 0 else i % 3]}
        for i, id in enumerate(ids)
        for j, rater in enumerate(("ann", "ben", "cem"))
    ]
    found = calibrated(run, "--labels", labels(home, said))
    assert not unknown(found) and "first_place_wins" in set(estimates(found))
    (home / "means").mkdir()
    run, _ = run_of(home / "means", "numeric")
    found = calibrated(
        run, "--labels", labels(home, [{"id": f"s{i}", "value": 1.5 + i % 3} for i in range(40)], "m.jsonl")
    )
    assert not unknown(found) and found["criteria"]["quality"]["scale"] == "continuous"


def test_the_words_of_trust_and_of_gates_are_in_the_glossary() -> None:
    """What a report decides, and the rows of its first screen."""
    for word in (
        "yes, no, not shown",
        "PASS, FAIL",
        "UNDECIDED",
        "majority, length, lexical",
        "rater against the rest",
        "better, worse",
        "equivalent, not worse",
        "fixed, broken, still wrong",
    ):
        assert f"| {word} |" in PAGE, word
    terms = [
        line.split("|")[1].strip() for line in PAGE.splitlines() if line.count("|") > 3 and not line.startswith("|---")
    ]
    rows = [term for term in terms if term != "term"]
    assert len(rows) == len(set(rows)), "a term is explained once"

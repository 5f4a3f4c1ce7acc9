"""`rftj check`: what it shows, and every known fault of rubrics, each with a rubric that has it and one that has not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from making import write_rows
from reporting import labels, refused, rftj, succeed

FENCED = {"user": "Judge this: {{ response | fence }}"}
CLEAN: Mapping[str, Any] = {
    "name": "clean",
    "criteria": [{"id": "quality", "question": "Is it good?"}],
    "prompt": FENCED,
    "judge": {"model": "openai:fake"},
    "reward": {"on_failure": {"service": 0, "content": 0}},
}
PAIR: Mapping[str, Any] = {
    "name": "pair",
    "kind": "preference",
    "prompt": {"user": "{{ response_a | fence }} {{ response_b | fence }}"},
    "judge": {"model": "openai:fake"},
}
ROW: Mapping[str, Any] = {"id": "s0", "prompt": "Say it.", "response": "it"}
BOTH: Mapping[str, Any] = {"id": "s0", "response_a": "a", "response_b": "b"}


def levels(count: int, **more: Any) -> list[dict[str, Any]]:
    scale = [{"level": f"l{i}", **more} for i in range(count)]
    return [{"id": "quality", "question": "?", "scale": scale}]


ITEMS = [{"id": "quality", "question": "?", "on": "item"}]
# name, what is said, keys of the rubric that has the fault, keys of the one that has not, fields of the sample
FAULTS: list[tuple[str, str, Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]] = [
    ("baseline", "`lexical` is a baseline", {"judge": {"model": "lexical"}}, {}, {}),
    (
        "matching samples", "parse.regex matches the text of 1 of 1 samples (the first is s0)",
        {"parse": {"regex": r"(?i)\bit\b"}}, {"parse": {"regex": r"Verdict: (\w+)"}}, {},
    ),
    ("unseen", "never shows `response`", {"prompt": {"user": "Is it good?"}}, {}, {}),
    (
        "unseen item", "never shows `item`: every item of a response is the same question",
        {"criteria": ITEMS, "items": {"path": "$.c"}},
        {"criteria": ITEMS, "items": {"path": "$.c"}, "prompt": {"user": "{{ response | fence }} {{ item | fence }}"}}, {},
    ),
    (
        "unused reference", "the samples have `reference`, and the prompt never shows it",
        {}, {"prompt": {"user": "{{ response | fence }} {{ reference | fence }}"}}, {"reference": "x"},
    ),
    (
        "unused part", "the samples have `context.law`, and the prompt never shows it",
        {"prompt": {"user": "{{ response | fence }} {{ context.case | fence }}"}},
        {"prompt": {"user": "{{ response | fence }} {{ context | fence }}"}}, {"context": {"law": "x", "case": "y"}},
    ),
    ("unfenced", "not fenced: response", {"prompt": {"user": "{{ response }}"}}, {}, {}),
    (
        "fenced once, bare once", "not fenced: response",
        {"prompt": {"user": "{{ response | fence }} {{ response }}"}},
        {"prompt": {"user": "{% if response %}{{ response | fence }}{% endif %}"}}, {},
    ),
    (
        "one part bare", "not fenced: context",
        {"prompt": {"user": "{{ response | fence }} {{ context.law | fence }} {{ context.case }}"}},
        {"prompt": {"user": "{{ response | fence }} {{ context.law | fence }} {{ context.case | fence }}"}},
        {"context": {"law": "x", "case": "y"}},
    ),
    (
        "unnamed criterion", "does not ask for quality by name",
        {"prompt": {**FENCED, "answer_format": "none"}},
        {"prompt": {"user": "{{ response | fence }} Rate its quality.", "answer_format": "none"}}, {},
    ),
    ("many levels", "quality: 6 levels", {"criteria": levels(6, **{"is": "x"})}, {"criteria": levels(5, **{"is": "x"})}, {}),
    ("undefined levels", "the levels are not defined", {"criteria": levels(3)}, {"criteria": levels(3, **{"is": "x"})}, {}),
    (
        "votes at 0", "3 votes at temperature 0",
        {"judge": {"model": "openai:fake", "votes": 3}},
        {"judge": {"model": "openai:fake", "votes": 3, "temperature": 0.7}}, {},
    ),
    (
        "even votes", "2 votes can tie",
        {"judge": {"model": "openai:fake", "votes": 2, "temperature": 1}},
        {"judge": {"model": "openai:fake", "votes": 2, "temperature": 1, "votes_tie": "worst"}}, {},
    ),
    ("error in training", "reward.on_failure.content is `error`", {"reward": {}}, {}, {}),
    (
        "idle check", "check short has weight 0 and gates nothing",
        {"checks": [{"id": "short", "type": "max_words", "max": 3, "weight": 0}]},
        {"checks": [{"id": "short", "type": "max_words", "max": 3, "weight": 1}]}, {},
    ),
]  # fmt: skip


def warned(home: Path, rubric: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    (home / "rubric.yaml").write_text(yaml.safe_dump(dict(rubric)))
    rows = write_rows(home / "samples.jsonl", [row])
    found: list[str] = succeed("check", home / "rubric.yaml", rows, "--json").document["warnings"]
    return found


@pytest.mark.parametrize(("says", "faulty", "clean", "fields"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_a_fault_is_named_where_it_is_and_only_there(
    home: Path, says: str, faulty: Mapping[str, Any], clean: Mapping[str, Any], fields: Mapping[str, Any]
) -> None:
    assert any(says in text for text in warned(home, {**CLEAN, **faulty}, {**ROW, **fields}))
    assert warned(home, {**CLEAN, **clean}, {**ROW, **fields}) == []


def test_one_order_alone_is_a_fault_of_comparisons(home: Path) -> None:
    assert any("`orders: given`" in text for text in warned(home, {**PAIR, "orders": "given"}, BOTH))
    assert warned(home, PAIR, BOTH) == []
    bare = {**PAIR, "prompt": {"user": "{{ response_a | fence }} {{ response_b }}"}}
    assert any("not fenced: response_b" in text for text in warned(home, bare, BOTH))


def test_strict_says_no_where_there_is_a_fault(home: Path) -> None:
    (home / "faulty.yaml").write_text(yaml.safe_dump({**CLEAN, "prompt": {"user": "{{ response }}"}}))
    (home / "clean.yaml").write_text(yaml.safe_dump(dict(CLEAN)))
    assert rftj("check", home / "faulty.yaml").code == 0
    assert rftj("check", home / "faulty.yaml", "--strict").code == 1
    assert rftj("check", home / "faulty.yaml", "--strict", "--json").code == 1
    assert rftj("check", home / "clean.yaml", "--strict").code == 0


def test_it_shows_the_prompt_and_the_forecast_and_calls_nobody(home: Path) -> None:
    (home / "rubric.yaml").write_text(yaml.safe_dump({**CLEAN, "judge": {"model": "openai:fake", "votes": 3}}))
    rows = write_rows(home / "s.jsonl", [{**ROW, "id": f"s{i}", "label": "pass"} for i in range(5)])
    before = sorted(home.rglob("*"))
    said = succeed("check", home / "rubric.yaml", rows)
    assert "Judge this:" in said.out and "Answer with one JSON object" in said.out and "it" in said.out
    assert "15 calls, about" in said.out and "unknown: give it with --prices FILE" in said.out
    document = succeed("check", home / "rubric.yaml", rows, "--json").document
    assert document["schema"] == "rftj.check/1"
    assert document["forecast"]["calls"] == 15 and document["forecast"]["samples"] == 5
    assert document["labels"] == 5 and document["forecast"]["cost"] is None
    assert "Judge this:" in document["prompt"]["user"]
    assert sorted(home.rglob("*")) == before


def test_labels_are_checked_against_the_rubric(home: Path) -> None:
    (home / "rubric.yaml").write_text(yaml.safe_dump(dict(CLEAN)))
    rows = write_rows(home / "s.jsonl", [ROW])
    file = labels(home, [{"id": "s0", "value": "pas"}])
    error = refused("check", home / "rubric.yaml", rows, "--labels", file)
    assert (error["row"], error["key"], error["hint"]) == (1, "value", "did you mean `pass`?")
    assert "samples" in refused("check", home / "rubric.yaml", "--labels", file)["problem"]
    wide = labels(home, [{"id": "s0", "quality": "pass"}])
    assert succeed("check", home / "rubric.yaml", rows, "--labels", wide, "--wide", "--json").document["labels"] == 1

"""Reading samples and the labels in them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import sample

from rftj_cli.errors import InputError
from rftj_cli.kernel.sample import Label, read_label, read_sample, split_of

ALL = frozenset({"domain"})


def test_messages_that_end_in_an_assistant_turn_give_prompt_and_response() -> None:
    row = {"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]}
    read = read_sample(row, "rubric")
    assert (read.fields["prompt"], read.fields["response"]) == ("Q", "A")
    assert read.fields["messages"] == [{"role": "user", "content": "Q"}]


def test_several_turns_become_one_prompt_without_the_system_turn() -> None:
    turns = [("system", "S"), ("user", "Q1"), ("assistant", "A1"), ("user", "Q2"), ("assistant", "A2")]
    read = read_sample({"messages": [{"role": role, "content": text} for role, text in turns]}, "rubric")
    assert read.fields["prompt"] == "user: Q1\n\nassistant: A1\n\nuser: Q2"
    assert read.fields["response"] == "A2"


def test_content_blocks_are_joined() -> None:
    blocks = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    read = read_sample(
        {"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": blocks}]}, "rubric"
    )
    assert read.fields["response"] == "one\ntwo"


def test_an_explicit_response_goes_before_the_last_turn() -> None:
    row = {"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}], "response": "mine"}
    assert read_sample(row, "rubric").fields["response"] == "mine"


def test_a_prompt_without_an_answer_is_refused_and_named_so() -> None:
    with pytest.raises(InputError, match="rftj rft sample"):
        read_sample({"messages": [{"role": "user", "content": "Q"}]}, "rubric")


@pytest.mark.parametrize(
    ("messages", "key"),
    [
        ("text", "messages"),
        ([], "messages"),
        (["hi"], "messages[0]"),
        ([{"role": "user"}], "messages[0]"),
        ([{"role": "user", "content": [{"image": "x"}]}], "messages[0].content"),
        ([{"role": "user", "content": 3}], "messages[0].content"),
    ],
)
def test_bad_messages_are_refused_at_their_place(messages: object, key: str) -> None:
    with pytest.raises(InputError) as caught:
        read_sample({"messages": messages}, "rubric")
    assert caught.value.key == key


def test_reference_answer_is_the_reference() -> None:
    assert sample(reference_answer="R").fields["reference"] == "R"


def test_a_preference_sample_has_two_responses() -> None:
    assert sample("preference").fields == {"response_a": "a", "response_b": "b"}


@pytest.mark.parametrize(
    ("row", "kind", "says"),
    [
        ({"response_a": "a", "response_b": "b"}, "rubric", "sample for a preference rubric"),
        ({"response": "a"}, "preference", "sample for a rubric rubric"),
        ({"response_a": "a"}, "preference", "no response"),
        ({"respones": "a"}, "rubric", "did you mean `respones`"),
        ({"answer": "a"}, "rubric", "--map response=YOUR_COLUMN"),
        ({"response": 3}, "rubric", "wrong type"),
        ({"response": None}, "rubric", "no response"),
        ({"response": "a", "prompt": 3}, "rubric", "wrong type"),
        ({"response": "a", "split": "tset"}, "rubric", "did you mean `test`"),
        ({"response": "a", "id": True}, "rubric", "bad id"),
        ({"response": "a", "id": " "}, "rubric", "bad id"),
        ({"response": "a", "id": 1.5}, "rubric", "bad id"),
        ({"response": "a", "group": {}}, "rubric", "wrong type"),
        ({"response": "a", "criteria": {}}, "rubric", "wrong type"),
    ],
)
def test_a_row_that_is_no_sample_is_refused(row: dict[str, Any], kind: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_sample(row, kind)


def test_an_empty_response_is_a_response() -> None:
    assert sample(response="").fields["response"] == ""


def test_an_id_is_made_of_the_content_and_not_of_the_labels() -> None:
    one = read_sample({"response": "r", "prompt": "p"}, "rubric")
    same = read_sample({"prompt": "p", "response": "r", "label": "pass", "split": "dev"}, "rubric")
    other = read_sample({"prompt": "p", "response": "r2"}, "rubric")
    assert one.id == same.id != other.id


def test_whole_numbers_are_ids() -> None:
    assert sample(id=7).id == "7"


def test_the_group_is_the_task_and_not_the_answer() -> None:
    one = sample(id="a", prompt="p", response="r1", context={"x": 1})
    two = sample(id="b", prompt="p", response="r2", context={"x": 1})
    three = sample(id="c", prompt="p", response="r1", context={"x": 2})
    assert one.group_of(ALL) == two.group_of(ALL) != three.group_of(ALL)
    assert sample(group=7).group_of(ALL) == "7"


def test_pairs_of_one_prompt_are_one_group() -> None:
    one = sample("preference", prompt="p", response_a="1")
    two = sample("preference", prompt="p", response_b="2")
    assert one.group_of(ALL) == two.group_of(ALL)


def test_the_fingerprint_covers_what_the_judge_may_see_and_nothing_else() -> None:
    base = sample(prompt="p", accepted=True).fingerprint(ALL)
    for fields in ({"accepted": False}, {"label": "pass"}, {"group": "g"}, {"split": "dev"}, {"id": "other"}):
        assert sample(**{"prompt": "p", **fields}).fingerprint(ALL) == base, fields
    for fields in ({"prompt": "q"}, {"response": "x"}, {"domain": "law"}, {"context": "c"}, {"reference": "r"},
                   {"criteria": [{"id": "a", "question": "Q"}]}):  # fmt: skip
        assert sample(**{"prompt": "p", **fields}).fingerprint(ALL) != base, fields


@given(st.text())
def test_a_cluster_is_always_in_the_same_split(cluster: str) -> None:
    assert split_of(cluster) == split_of(cluster) in ("train", "dev", "test")


def test_splits_are_about_20_40_40() -> None:
    counts = Counter(split_of(f"cluster-{i}") for i in range(20_000))
    assert abs(counts["train"] / 20_000 - 0.2) < 0.01
    assert abs(counts["dev"] / 20_000 - 0.4) < 0.01


def test_the_split_of_a_known_cluster_is_pinned() -> None:
    """These must never change: people's splits would."""
    assert [split_of(f"c{i}") for i in range(8)] == PINNED


PINNED = ["train", "dev", "test", "dev", "test", "dev", "test", "dev"]


@pytest.mark.parametrize(
    ("fields", "labels"),
    [
        ({"label": "pass"}, [Label("s1", "pass")]),
        ({"label": True}, [Label("s1", "pass")]),
        ({"label": 4}, [Label("s1", 4)]),
        ({"label": " A "}, [Label("s1", "A")]),
        ({"label": {"tone": "kind", "depth": 3, "left": None}}, [Label("s1", "kind", "tone"), Label("s1", 3, "depth")]),
        (
            {
                "labels": [
                    {"rater": "r1", "criterion": "tone", "value": "kind", "item": 2, "source": "model", "weight": "2"}
                ]
            },
            [Label("s1", "kind", "tone", "2", "r1", source="model", weight=2.0)],
        ),
        ({"label": "cannot_tell"}, [Label("s1", "cannot_tell")]),
        ({"labels": []}, []),
    ],
)
def test_labels_are_read_in_every_shape(fields: dict[str, Any], labels: list[Label]) -> None:
    assert list(sample(**fields).labels) == labels


@pytest.mark.parametrize(
    ("labels", "key"),
    [
        ([{"rater": "r1"}], "labels[0].value"),
        ([{"value": "pass", "ratter": "r1"}], "labels[0].ratter"),
        ([{"value": "pass", "source": "robot"}], "labels[0].source"),
        ([{"value": "pass", "weight": 0}], "labels[0].weight"),
        ([{"value": "pass", "weight": "many"}], "labels[0].weight"),
        ([{"value": "pass", "id": "another"}], "labels[0].id"),
        (["pass"], "labels[0]"),
        ({"tone": ["kind"]}, "labels.tone"),
    ],
)
def test_a_bad_label_is_refused_at_its_place(labels: object, key: str) -> None:
    with pytest.raises(InputError) as caught:
        sample(labels=labels)
    assert caught.value.key == key


def test_a_label_row_needs_an_id() -> None:
    with pytest.raises(InputError) as caught:
        read_label({"value": "pass"})
    assert caught.value.key == "id"


@pytest.mark.parametrize("mark", ["\n::error::x", "\r", "\x1b[31m", "\x00", "\x85", "\u2028"])
@pytest.mark.parametrize("key", ["id", "group", "cluster"])
def test_names_are_one_line_without_control_characters(key: str, mark: str) -> None:
    with pytest.raises(InputError, match="control character") as caught:
        read_sample({"id": "s1", "response": "r", key: f"a{mark}"}, "rubric")
    assert caught.value.key == key and mark not in str(caught.value)


@pytest.mark.parametrize("key", ["id", "rater", "criterion", "item"])
def test_names_in_labels_are_one_line_too(key: str) -> None:
    with pytest.raises(InputError, match="control character") as caught:
        read_label({"id": "s1", "value": "pass", key: "a\n::error::x"})
    assert caught.value.key == key


def test_a_criterion_in_inline_labels_is_one_line_too() -> None:
    with pytest.raises(InputError, match="control character"):
        read_sample({"response": "r", "labels": {"a\nb": "pass"}}, "rubric")


def test_a_row_of_an_rft_set_brings_the_fields_of_its_metadata() -> None:
    """The reference and the fields that a trainer would send in `metadata` are those of the sample."""
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    metadata = {
        "reference_answer": "r",
        "context": {"x": 1},
        "response": "old",
        "label": "pass",
        "group": "g",
        "id": "m",
    }
    sample = read_sample({"id": "s", "messages": turns, "metadata": metadata, "domain": "law"}, "rubric")
    assert (sample.id, sample.group, sample.labels) == ("s", None, ())
    assert (sample.fields["response"], sample.fields["reference"], sample.fields["domain"]) == ("a", "r", "law")
    assert sample.fields["context"] == {"x": 1} and sample.fields["metadata"] == metadata

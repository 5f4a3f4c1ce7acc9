"""What trainers send, in every documented shape: rows are read alike, ids go back as they came, nothing stale is judged."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import rubric

from rftj_cli.errors import InputError
from rftj_cli.kernel.asks import asks
from rftj_cli.kernel.events import BadEvent, envelope, event_row, prompt_hash, read_event, read_row, response_hash
from rftj_cli.kernel.sample import Sample, read_sample

TURNS: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Is it compliant?"},
    {"role": "assistant", "content": "No."},
]
ROW: dict[str, Any] = {"id": "123", "messages": TURNS, "metadata": {"reference_answer": "no", "my_key": "sample-001"}}


def changed(**changes: Any) -> dict[str, Any]:
    return {**ROW, **changes}


def blocks(text: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text}]


def gateway(event: object) -> dict[str, Any]:
    return {"isBase64Encoded": True, "body": base64.b64encode(json.dumps(event).encode()).decode()}


EVENTS: dict[str, Any] = {
    "a list": [ROW],
    "one row": ROW,
    "a batch": {"batch": [ROW]},
    "trajectories": {"trajectories": [ROW]},
    "a body of text": {"httpMethod": "POST", "body": json.dumps([ROW])},
    "a body in base64": gateway([ROW]),
    "a body as data": {"body": [ROW]},
    "a body with one row": {"body": json.dumps(ROW)},
    "a body with a batch": {"body": json.dumps({"batch": [ROW]})},
    "a batch in base64": gateway({"batch": [ROW]}),
    "nova_assistant": [changed(messages=[*TURNS[:2], {"role": "nova_assistant", "content": "No."}])],
    "content blocks": [changed(messages=[{**turn, "content": blocks(turn["content"])} for turn in TURNS])],
    "the reference at the top": [
        {"id": "123", "messages": TURNS, "reference_answer": "no", "metadata": {"my_key": "sample-001"}}
    ],
    "all at the top": [{"id": "123", "messages": TURNS, "reference_answer": "no", "my_key": "sample-001"}],
    "ground_truth": [changed(metadata={"ground_truth": "no", "my_key": "sample-001"})],
    "null before the top": [
        changed(metadata={"reference_answer": None, "my_key": "sample-001"}, reference_answer="no")
    ],
    "metadata first": [changed(reference_answer="an older one")],
}


@pytest.mark.parametrize("form", EVENTS)
def test_every_shape_is_the_same_sample(form: str) -> None:
    (row,) = read_event(EVENTS[form])
    assert (row.id, row.response, row.fault) == ("123", "No.", "")
    assert row.sample is not None
    seen = row.sample.seen(frozenset({"my_key"}))
    assert seen == {
        "response": "No.", "prompt": "Is it compliant?", "reference": "no", "my_key": "sample-001", "messages": TURNS[:2],
    }  # fmt: skip
    assert row.prompt_sha256 == read_row(ROW).prompt_sha256
    assert row.response_sha256 == response_hash("No.")


@pytest.mark.parametrize(
    "event",
    [None, "text", 7, 1.5, True, {"batch": 3}, {"trajectories": None}, {"batch": {"a": ROW}}, {"body": "{"}, {"body": ""},
     {"body": "\"a text\""}, {"body": None}, {"body": "%%", "isBase64Encoded": True}, {"body": "[" * 100_000}],
)  # fmt: skip
def test_an_event_without_rows_is_refused_in_words_that_repeat_none_of_it(event: object) -> None:
    with pytest.raises(BadEvent) as caught:
        read_event(event)
    assert "a text" not in str(caught.value) and "ROW" not in str(caught.value)


def test_an_empty_list_holds_no_rows() -> None:
    assert read_event([]) == ()


@pytest.mark.parametrize("column", ["batch", "trajectories", "body"])
def test_a_row_with_a_column_of_such_a_name_is_a_row(column: str) -> None:
    (row,) = read_event(changed(**{column: 3}))
    assert row.sample is not None and row.sample.fields[column] == 3


DEEP: list[Any] = []
for _ in range(5000):
    DEEP = [DEEP]
MALFORMED: dict[str, Any] = {
    "a text": "row",
    "null": None,
    "a list": [1],
    "a number": 3,
    "no messages": {"id": "1"},
    "null messages": {"id": "1", "messages": None},
    "empty messages": {"id": "1", "messages": []},
    "messages of text": {"id": "1", "messages": "hello"},
    "a message of text": {"id": "1", "messages": ["hello"]},
    "a message without a role": {"id": "1", "messages": [{"content": "a"}]},
    "no answer": {"id": "1", "messages": TURNS[:2]},
    "an answer that is not the last turn": {"id": "1", "messages": [*TURNS, TURNS[1]]},
    "an image": {"id": "1", "messages": [*TURNS[:2], {"role": "assistant", "content": [{"image": {"source": "x"}}]}]},
    "null content": {"id": "1", "messages": [*TURNS[:2], {"role": "assistant", "content": None}]},
    "content of a number": {"id": "1", "messages": [*TURNS[:2], {"role": "assistant", "content": 3}]},
    "criteria of text": {"id": "1", "messages": TURNS, "metadata": {"criteria": "be good"}},
    "a prompt of a number": {"id": "1", "messages": TURNS, "metadata": {"prompt": 3}},
    "too deep": {"id": "1", "messages": DEEP},
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_row_says_what_is_wrong_and_changes_no_other_row(name: str) -> None:
    alone, before = read_row(ROW), read_event([ROW, MALFORMED[name], ROW])
    assert (before[0], before[2]) == (alone, alone)
    assert before[1].sample is None and before[1].fault
    assert before[1].id == ("1" if isinstance(MALFORMED[name], dict) else None)


@pytest.mark.parametrize("metadata", [["a"], "text", 3, False, {}])
def test_metadata_that_is_no_object_is_a_column_like_any_other(metadata: object) -> None:
    row = read_row(changed(metadata=metadata))
    assert row.sample is not None and row.sample.fields["metadata"] == metadata


IDS = [
    None,
    "",
    "123",
    7,
    0,
    -1,
    1.5,
    2**70,
    True,
    "x" * 10_240,
    {"a": [1, {"b": None}]},
    [1, [2]],
    "\u00fc\u4f60\U0001f600",
]


@pytest.mark.parametrize("id", IDS, ids=range(len(IDS)))
def test_an_id_goes_back_as_it_came(id: object) -> None:
    row = read_row(changed(id=id))
    assert row.id == id and type(row.id) is type(id) and row.sample is not None


def test_a_missing_id_is_null_and_ids_may_repeat() -> None:
    rows = read_event([{"messages": TURNS}, ROW, ROW])
    assert [row.id for row in rows] == [None, "123", "123"]


@pytest.mark.parametrize(
    ("id", "sent"),
    [(float("nan"), None), (float("inf"), None), ({"a": [float("nan")]}, {"a": [None]}), ("a\ud800b", "a?b")],
)
def test_an_id_that_could_not_be_sent_is_mended_so_that_the_others_get_their_rewards(id: object, sent: object) -> None:
    row = read_row(changed(id=id))
    assert row.id == sent
    json.dumps(row.id, ensure_ascii=False, allow_nan=False).encode()


def test_an_id_with_thousands_of_levels_can_be_written() -> None:
    assert len(json.dumps(read_row(changed(id=DEEP)).id)) < 1000


STALE = {"response": "STALE", "response_a": "STALE", "response_b": "STALE", "label": "STALE", "group": "STALE"}


@pytest.mark.parametrize("place", ["top", "metadata"])
def test_an_old_response_in_the_data_never_reaches_the_judge(place: str) -> None:
    row = changed(**STALE) if place == "top" else changed(metadata={**ROW["metadata"], **STALE})
    read = read_row(row)
    assert read.response == "No." and read.sample is not None
    everything = "{{ response }} {{ prompt }} {{ messages }} {{ reference }} {{ my_key }}"
    (ask,) = asks(rubric(prompt={"user": everything}), read.sample)
    assert "STALE" not in ask.request.user and "No." in ask.request.user


def test_a_row_without_an_answer_is_not_judged_by_its_old_response() -> None:
    assert read_row({"id": "1", "messages": TURNS[:2], "response": "STALE"}).sample is None


def test_metadata_can_be_named_as_in_a_samples_file() -> None:
    made = rubric(prompt={"user": "{{ metadata.my_key }} {{ response }}"})
    sample, row = read_sample(ROW, "rubric"), read_row(ROW)
    assert row.sample is not None
    assert asks(made, sample)[0].request.key == asks(made, row.sample)[0].request.key


text = st.text(max_size=20)
plain = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | text
)
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=6
)
content = text | st.lists(text.map(lambda one: {"type": "text", "text": one}), min_size=1, max_size=3)
turn = st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "content": content})
names = st.text("abcdefgh_", min_size=1, max_size=8)
asked = st.one_of(
    st.fixed_dictionaries({"response": text, "prompt": text}),
    st.fixed_dictionaries({"response": text}),
    st.fixed_dictionaries(
        {"messages": st.builds(lambda turns, last: [*turns, {"role": "assistant", "content": last}],
                               st.lists(turn, max_size=4), content)},
        optional={"prompt": text},
    ),
)  # fmt: skip
criteria = st.just([{"id": "own", "question": "And this?", "weight": 2}])
known = st.fixed_dictionaries(
    {},
    optional={
        "reference": values, "reference_answer": values, "context": values, "group": st.text("ab", min_size=1),
        "metadata": st.dictionaries(names, values, max_size=2), "criteria": criteria, "labels": st.just({"quality": "pass"}),
    },
)  # fmt: skip
rows = st.builds(lambda a, b, c: {"id": "s1", **a, **b, **c}, st.dictionaries(names, values, max_size=3), known, asked)


def back(sample: Sample) -> Sample:
    """What the reward function reads of the row in which a trainer sends this sample, after its travel as JSON."""
    row = read_row(json.loads(json.dumps(event_row(sample))))
    assert row.sample is not None and row.id == sample.id
    assert row.prompt_sha256 == prompt_hash(sample) and row.response_sha256 == response_hash(row.response)
    return row.sample


@given(rows)
def test_a_sample_that_travels_as_an_event_is_the_same_sample(row: dict[str, Any]) -> None:
    """Nothing is lost or changed; an event has messages and metadata in any case, and a prompt that they give."""
    sample = read_sample(row, "rubric")
    read = back(sample)
    added = {"messages", "metadata", "prompt"} - set(sample.fields)
    if sample.fields.get("reference") is None:
        added.add("reference")  # of a `ground_truth`
    assert {key: value for key, value in read.fields.items() if key not in added} == dict(sample.fields)
    assert read.criteria == sample.criteria


@given(rows)
def test_the_judge_is_asked_the_same_by_the_reward_function_as_by_score(row: dict[str, Any]) -> None:
    made = rubric(prompt={"system": "Be strict.", "user": "".join(
        f"{{% if {name} is defined %}}{{{{ {name} }}}}{{% endif %}}"
        for name in ("prompt", "reference", "reference_answer", "context", "a", "b", "c") if name in row or name != "prompt"
    ) + "{{ response | fence }}"})  # fmt: skip
    sample = read_sample(row, "rubric")
    try:
        expected = [ask.request.key for ask in asks(made, sample)]
    except InputError:
        return
    assert [ask.request.key for ask in asks(made, back(sample))] == expected


def test_answers_to_one_prompt_share_its_hash_and_nothing_else() -> None:
    other = changed(id="9", messages=[*TURNS[:2], {"role": "assistant", "content": "Yes."}], metadata={"k": 1})
    first, second = read_row(ROW), read_row(other)
    assert first.prompt_sha256 == second.prompt_sha256 and first.response_sha256 != second.response_sha256
    assert read_row(changed(messages=[TURNS[1], TURNS[2]])).prompt_sha256 != first.prompt_sha256


RESULT = {"id": "\ud800\u2028\u00fc", "aggregate_reward_score": 0.5, "metrics_list": []}


def test_the_envelopes() -> None:
    assert envelope([RESULT], "list") == [RESULT]
    wrapped = envelope([RESULT], "http")
    assert isinstance(wrapped, dict) and (wrapped["statusCode"], json.loads(wrapped["body"])) == (200, [RESULT])
    wrapped["body"].encode("ascii")

"""The Lambda handler: one result a row whatever comes, in time, in the trainer's envelope, and logs without texts."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import rubric

from rftj_cli.errors import InputError
from rftj_cli.kernel.events import BadEvent
from rftj_cli.kernel.handler import Handler, load
from rftj_cli.kernel.outcome import CallError, Reply, Request
from rftj_cli.kernel.recorded import recorded_line
from rftj_cli.kernel.retry import time_left
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.scoring import Scorer
from rftj_cli.reward.bundle import Packing, members_of
from rftj_cli.testing import FakeJudgeServer

FAILS = {"on_failure": {"service": 0.25, "content": 0.5}}
PASS = '{"quality": {"reason": "fine", "level": "pass"}}'


class Context:
    """What Lambda gives beside the event."""

    aws_request_id = "8f5e"

    def __init__(self, milliseconds: float) -> None:
        self.end = time.monotonic() + milliseconds / 1000

    def get_remaining_time_in_millis(self) -> int:
        return int(1000 * (self.end - time.monotonic()))


def row(response: object = "number 1.", id: object = "a", **fields: Any) -> dict[str, Any]:
    return {
        "id": id,
        "messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": response}],
        **fields,
    }


class Written:
    """Log lines."""

    def __init__(self) -> None:
        self.text = ""

    def __call__(self, text: str) -> None:
        self.text += text

    @property
    def lines(self) -> list[dict[str, Any]]:
        def refused(word: str) -> None:
            raise AssertionError(word)

        assert self.text == "" or self.text.endswith("\n")
        assert self.text.isascii()
        return [json.loads(line, parse_constant=refused) for line in self.text.splitlines()]


def handler(
    judge: Callable[[Request], Reply] | None = None, made: Rubric | None = None, **kw: Any
) -> tuple[Handler, Written]:
    written = Written()
    scorer = Scorer(made or rubric(reward=FAILS), judge or (lambda request: Reply(PASS)))
    return Handler(scorer, write=written, **kw), written


BAD = ["a row", None, [1], 3, {}, {"id": "x"}, {"messages": []}, row(None), row(3), row([{"image": {}}]),
       {"id": "u", "messages": [{"role": "user", "content": "Q"}]}, row(metadata={"criteria": 3}), row(metadata={"criteria": [{}]})]  # fmt: skip


def test_every_row_has_one_result_in_its_place() -> None:
    mixed = [one for bad in BAD for one in (bad, row(id=f"good {len(str(bad))}"))]
    run, written = handler()
    results = run(mixed, None)
    assert isinstance(results, list) and len(results) == len(mixed)
    for given_, result in zip(mixed, results, strict=True):
        good = str(isinstance(given_, dict) and given_.get("id")).startswith("good")
        assert result["aggregate_reward_score"] == (1.0 if good else 0.5)
        assert result["id"] == (given_.get("id") if isinstance(given_, dict) else None)
    assert len(written.lines) == len(mixed)


def test_a_large_response_and_lone_surrogates_are_judged() -> None:
    run, written = handler()
    results = run([row("x" * (1 << 20)), row("\ud800 \u2028"), row("\u4f60" * 1000)], None)
    assert [one["aggregate_reward_score"] for one in results] == [1.0] * 3  # type: ignore[attr-defined]
    assert written.lines[0]["response_chars"] == 1 << 20


def test_nan_in_an_event_costs_nothing_but_itself() -> None:
    own = rubric(prompt={"user": "{{ x }} {{ response }}"}, reward=FAILS)
    run, written = handler(made=own, form="http")
    result = run(
        [row(id=math.nan, metadata={"x": math.nan}), row(metadata={"x": math.inf}), row(metadata={"x": 1})], None
    )
    assert isinstance(result, dict)
    assert [one["id"] for one in json.loads(result["body"])] == [None, "a", "a"] and len(written.lines) == 3


def test_an_event_without_rows_is_refused() -> None:
    run, written = handler()
    with pytest.raises(BadEvent):
        run({"batch": "x"}, None)
    assert run([], None) == [] and written.text == ""


def late(request: Request) -> Reply:
    left = time_left(60)
    time.sleep(left)
    raise CallError("timeout", f"nothing in {left} s", retry=True)


@pytest.mark.parametrize("milliseconds", [900, 300, 0, -50])
def test_the_answer_comes_before_lambda_ends(milliseconds: float) -> None:
    run, written = handler(late)
    context = Context(milliseconds)
    results = run([row() for _ in range(5)], context)
    assert context.get_remaining_time_in_millis() > 0 or milliseconds <= 300
    assert [one["aggregate_reward_score"] for one in results] == [0.25] * 5  # type: ignore[attr-defined]
    assert {line["failure"] for line in written.lines} == {"timeout"}
    assert {line["request"] for line in written.lines} == {"8f5e"}


def test_the_reserve_for_the_answer_is_a_tenth_within_bounds() -> None:
    seen: list[float] = []

    def judge(request: Request) -> Reply:
        seen.append(time_left(1e9))
        return Reply(PASS)

    run, _ = handler(judge)
    for seconds in (10, 60):
        run([row()], Context(1000 * seconds))
    run([row()], None)
    assert seen == pytest.approx([9, 58, 298], abs=2)


def test_the_http_envelope_is_json_in_json() -> None:
    run, _ = handler(form="http")
    result = run({"body": json.dumps([row(id="\u00fc\ud800")])}, None)
    assert isinstance(result, dict) and result["statusCode"] == 200
    assert [one["aggregate_reward_score"] for one in json.loads(result["body"])] == [1.0]
    json.dumps(result, ensure_ascii=False).encode()


markers = st.text("QZXJK", min_size=12, max_size=20)


@given(markers, st.sampled_from(["good", "prose", "bad", "other", "error", "bug"]), st.sampled_from(BAD))
@settings(max_examples=60)
def test_no_text_of_a_sample_or_of_the_judge_stands_in_the_log(marker: str, kind: str, bad: Any) -> None:
    def judge(request: Request) -> Reply:
        assert marker in request.user
        if kind == "error":
            raise CallError("call", f"the service says {marker}")
        if kind == "bug":
            raise ValueError(marker)
        said = {
            "good": json.dumps({"quality": {"reason": marker, "level": "pass"}}),
            "prose": f'{marker}: {{"quality": "pass"}}',
            "bad": json.dumps({"quality": marker}),
            "other": json.dumps({marker: "pass"}),
        }
        return Reply(said[kind], reasoning=marker)

    own = rubric(
        prompt={"user": "{{ prompt }} {{ response }} {{ reference }} {{ context }}"},
        checks=[{"id": "same", "type": "equals_reference"}, {"id": "js", "type": "json_valid"}],
        reward=FAILS,
    )
    run, written = handler(judge, own)
    fields = {"reference_answer": f"r {marker}", "context": {f"k{marker}": f"c {marker}"}, "domain": marker}
    turns = [{"role": "user", "content": f"p {marker}"}, {"role": "assistant", "content": f"a {marker}"}]
    event = [
        {"id": "a", "messages": turns, "metadata": fields},
        {
            "id": "b",
            "messages": turns,
            "metadata": {**fields, "criteria": [{"id": "x", "question": marker, marker: 1}]},
        },
        {"id": "c", "messages": turns, "metadata": {"reference": marker}},  # no context
        {"id": "d", "messages": [{"role": marker, "content": [{marker: marker}]}]},
        bad,
    ]
    results = run(event, None)
    assert isinstance(results, list) and len(results) == 5
    assert marker not in written.text and len(written.lines) == 5
    assert marker not in json.dumps(results)


@given(
    st.lists(st.sampled_from([*BAD, row(), row("z")]), max_size=6), st.sampled_from([PASS, "x", '{"quality": "fail"}'])
)
@settings(max_examples=60)
def test_scores_are_finite_floats_in_range_and_both_fingerprints_are_logged(rows: list[Any], said: str) -> None:
    own = rubric(reward={**FAILS, "range": [-1, 3]})
    run, written = handler(lambda request: Reply(said), own)
    for result in run(rows, None):  # type: ignore[attr-defined]
        score = result["aggregate_reward_score"]
        assert type(score) is float and -1 <= score <= 3
        assert all(
            type(one["value"]) is float and one["type"] in ("Reward", "Metric") for one in result["metrics_list"]
        )
    for line in written.lines:
        assert (line["judge_fingerprint"], line["reward_fingerprint"]) == (
            own.judge_fingerprint,
            own.reward_fingerprint,
        )


words = st.sampled_from(["id", "messages", "role", "content", "text", "metadata", "criteria", "prompt", "reference_answer",
                         "batch", "body", "trajectories", "isBase64Encoded", "context", "question", "assistant", "user", "\ud800"])  # fmt: skip
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | words
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=5), max_leaves=25
)
near = st.fixed_dictionaries(
    {"messages": st.lists(st.fixed_dictionaries({"role": words, "content": anything}), max_size=3)},
    optional={"id": anything, "metadata": anything, "criteria": anything, "prompt": anything},
)


@given(st.lists(near | anything, max_size=5) | anything | st.fixed_dictionaries({"batch": st.lists(near, max_size=3)}))
@settings(max_examples=120)
def test_any_event_is_answered_row_by_row_or_refused_as_a_whole(event: Any) -> None:
    """The good row at the end of a list has its reward, whatever stands before it; answer and log can be sent."""
    for form in ("list", "http"):
        run, written = handler(form=form)
        given_ = [*event, row()] if isinstance(event, list) else event
        try:
            answer: Any = run(given_, Context(20_000))
        except BadEvent as error:
            assert not isinstance(event, list) and len(str(error)) < 100
            continue
        results = json.loads(answer["body"]) if form == "http" else answer
        json.dumps(answer, ensure_ascii=False, allow_nan=False).encode()
        assert len(results) == len(written.lines)
        if isinstance(event, list):
            assert len(results) == len(event) + 1 and results[-1]["aggregate_reward_score"] == 1.0


def test_a_rubric_whose_failures_have_no_reward_is_not_taken() -> None:
    with pytest.raises(RuntimeError, match="on_failure"):
        Handler(Scorer(rubric(), None))
    checks = rubric(criteria=None, checks=[{"id": "j", "type": "json_valid"}], reward={"on_failure": {"content": 0}})
    Handler(Scorer(checks, None))


def unpacked(folder: Path, made: Rubric, packing: Packing | None = None) -> Path:
    for name in ("bundle.json", "rubric.json"):
        (folder / name).write_bytes(members_of(made, packing or Packing())[name])
    return folder


BEDROCK = "bedrock:us.amazon.nova-2-lite-v1:0"


def bedrock(**judge: Any) -> Rubric:
    return rubric(judge={"model": BEDROCK, **judge}, reward=FAILS)


def account(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", url)
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "key-of-the-tests")
    monkeypatch.setenv("AWS_REGION", "us-east-1")


def test_a_bundle_calls_bedrock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeJudgeServer(PASS, api_key="key-of-the-tests") as server:
        account(monkeypatch, server.url)
        run = load(unpacked(tmp_path, bedrock()))
        results = run([row(f"number {i}.", id=i) for i in range(20)], Context(30_000))
        assert [one["aggregate_reward_score"] for one in results] == [1.0] * 20  # type: ignore[attr-defined]
        assert server.requests == 20
    ready, *lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (ready["schema"], ready["judge"]) == ("rftj.reward-ready/1", BEDROCK)
    assert [line["id"] for line in lines] == list(range(20)) and all(line["input_tokens"] for line in lines)


def test_a_rubric_that_was_changed_is_refused_at_load(tmp_path: Path) -> None:
    folder = unpacked(tmp_path, bedrock())
    text = (folder / "rubric.json").read_text()
    (folder / "rubric.json").write_text(text.replace("Is it good?", "Is it bad?"))
    with pytest.raises(RuntimeError, match="judge_fingerprint"):
        load(folder)
    (folder / "rubric.json").write_text(text.replace('"service":0.25', '"service":0.75'))
    with pytest.raises(RuntimeError, match="reward_fingerprint"):
        load(folder)


def test_recorded_replies_are_the_judge_where_the_environment_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keys: list[str] = []
    own = rubric(judge={"model": "replay:m"}, reward=FAILS)
    handler(lambda request: keys.append(request.key) or Reply(PASS), own)[0]([row("b"), row("a")], None)
    said = [Reply('{"quality": "fail"}'), CallError("throttled", "then")]
    (tmp_path / "replies.jsonl").write_text(
        "".join(recorded_line(k, a) + "\n" for k, a in zip(sorted(keys), said, strict=True))
    )
    monkeypatch.setenv("RFTJ_REPLIES", str(tmp_path / "replies.jsonl"))
    run = load(unpacked(tmp_path, own))
    assert json.loads(capsys.readouterr().out)["judge"] == "recorded replies"
    results = run([row("b"), row("a"), row("c")], None)
    scores = [one["aggregate_reward_score"] for one in results]  # type: ignore[attr-defined]
    assert sorted(scores[:2]) == [0.0, 0.25] and scores[2] == 0.25  # a miss is a failed call


@pytest.mark.parametrize("model", ["replay:m", "openai:m"])
def test_a_judge_that_lambda_cannot_call_is_refused_at_load(tmp_path: Path, model: str) -> None:
    folder = unpacked(tmp_path, rubric(judge={"model": "replay:m"}, reward=FAILS))
    if model != "replay:m":
        changed = rubric(judge={"model": model}, reward=FAILS)
        (folder / "rubric.json").write_text(json.dumps(changed.source))
        told = json.loads((folder / "bundle.json").read_text())
        (folder / "bundle.json").write_text(json.dumps({**told, "judge_fingerprint": changed.judge_fingerprint}))
    with pytest.raises(RuntimeError, match="cannot be called from Lambda"):
        load(folder)


def test_checks_alone_need_no_account(tmp_path: Path) -> None:
    checks = rubric(criteria=None, checks=[{"id": "j", "type": "json_valid"}], reward={"on_failure": {"content": 0}})
    results = load(unpacked(tmp_path, checks))([row("{}"), row("{")], None)
    assert [one["aggregate_reward_score"] for one in results] == [1.0, 0.0]  # type: ignore[attr-defined]


def test_allow_regions_holds_in_lambda_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account(monkeypatch, "http://127.0.0.1:9")
    folder = unpacked(tmp_path, bedrock(allow_regions=["eu-west-1"]))
    with pytest.raises(InputError, match="allow_regions"):
        load(folder)


def test_a_bundle_answers_in_its_targets_envelope(tmp_path: Path) -> None:
    checks = rubric(criteria=None, checks=[{"id": "j", "type": "json_valid"}], reward={"on_failure": {"content": 0}})
    result = load(unpacked(tmp_path, checks, Packing("sagemaker")))([row("{}")], None)
    assert isinstance(result, dict) and json.loads(result["body"])[0]["aggregate_reward_score"] == 1.0

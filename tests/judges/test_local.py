"""The local judge: what is said without it, and the real model where it is installed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from rftj_cli.errors import InputError
from rftj_cli.judges.install import model_path
from rftj_cli.judges.local import LocalJudge
from rftj_cli.kernel.outcome import CallError, Request

library = pytest.mark.skipif(find_spec("xllamacpp") is None, reason="xllamacpp is not installed (extra `local`)")
REQUEST = Request(
    model="local",
    system="You judge comments on contracts.",
    user="Contract: the client may leave at any time. Comment: clause 1 is vague. Answer with one JSON object.",
    temperature=0.0,
    max_tokens=100,
    seed=None,
    answers={"grounding": ("fail", "pass"), "actionability": ("vague", "usable", 'ready "now" with édits')},
    reason="before",
    json=True,
)


@pytest.fixture(scope="module")
def judge() -> Iterator[LocalJudge]:
    if find_spec("xllamacpp") is None:
        pytest.skip("xllamacpp is not installed (extra `local`)")
    if not model_path().is_file():
        pytest.skip("the small model is not installed (`rftj local install`)")
    yield LocalJudge("local")


@library
def test_a_missing_model_names_the_way_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RFTJ_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="rftj local install"):
        LocalJudge("local")
    with pytest.raises(InputError, match=r"none\.gguf"):
        LocalJudge(f"local:{tmp_path}/none.gguf")


@library
def test_a_file_that_is_no_model_is_said_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.gguf").write_text("no model")
    with pytest.raises(InputError, match="GGUF"):
        LocalJudge(f"local:{tmp_path}/x.gguf")
    assert capfd.readouterr() == ("", "")


def test_every_criterion_gets_a_level_and_its_probabilities(
    judge: LocalJudge, capfd: pytest.CaptureFixture[str]
) -> None:
    reply = judge(REQUEST)
    verdict = json.loads(reply.text)
    assert list(verdict) == list(REQUEST.answers)
    assert reply.probabilities is not None
    for criterion, levels in REQUEST.answers.items():
        shares = reply.probabilities[criterion]
        assert tuple(shares) == levels
        assert sum(shares.values()) == pytest.approx(1)
        assert verdict[criterion] == max(shares, key=lambda level: shares[level])
    assert reply.input_tokens > 30
    assert capfd.readouterr() == ("", ""), "the library must not write to the terminal"


def test_the_same_request_gives_the_same_reply_whatever_came_before(judge: LocalJudge) -> None:
    first = judge(REQUEST)
    judge(replace(REQUEST, user=REQUEST.user[:60] + "something else entirely"))
    second = judge(REQUEST)
    judge(replace(REQUEST, system="Another start."))
    third = judge(REQUEST)
    assert first.text == second.text == third.text
    assert first.probabilities == second.probabilities == third.probabilities


def test_a_temperature_draws_by_vote_and_repeats_itself(judge: LocalJudge) -> None:
    warm = replace(REQUEST, temperature=1.0, answers={"grounding": ("fail", "pass")})
    texts = [judge(replace(warm, vote=vote)).text for vote in range(8)]
    assert len(set(texts)) == 2
    assert judge(replace(warm, vote=3)).text == texts[3]


def test_a_model_of_the_users_own_gives_reasons(judge: LocalJudge) -> None:
    own = LocalJudge(f"local:{model_path()}")
    for reason in ("before", "after"):
        verdict = json.loads(own(replace(REQUEST, reason=reason, answers={"grounding": ("fail", "pass")})).text)
        assert set(verdict["grounding"]) == {"level", "reason"}
    free = own(replace(REQUEST, json=False, max_tokens=5))
    assert (free.stop, free.probabilities) == ("max_tokens", None)


def test_a_prompt_longer_than_the_context_is_said_so(judge: LocalJudge) -> None:
    with pytest.raises(CallError, match="more than the local model's context of 8192") as caught:
        judge(replace(REQUEST, user="word " * 9000))
    assert (caught.value.stage, caught.value.retry, caught.value.fatal) == ("call", False, False)

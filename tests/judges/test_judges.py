"""The table of backends, and that none stands in for another."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rftj_cli.errors import InputError
from rftj_cli.judges import backends, make_judge
from rftj_cli.judges.lexical import LengthJudge, LexicalJudge
from rftj_cli.judges.openai import OpenAIJudge
from rftj_cli.kernel.retry import Retry
from rftj_cli.kernel.rubric import JudgeSettings


def test_every_backend_is_wrapped_in_the_retry_policy() -> None:
    judge = make_judge(JudgeSettings("lexical:0.4"), workers=2, timeout=7)
    assert isinstance(judge, Retry)
    assert isinstance(judge.judge, LexicalJudge)
    assert (judge.judge.threshold, judge.deadline) == (0.4, 7)
    assert isinstance(make_judge(JudgeSettings("length"), workers=1).judge, LengthJudge)
    url = "http://127.0.0.1:1/v1"
    assert isinstance(make_judge(JudgeSettings("openai:m"), workers=1, base_url=url).judge, OpenAIJudge)


def test_an_unknown_backend_is_named_with_its_nearest_and_all() -> None:
    with pytest.raises(InputError) as caught:
        make_judge(JudgeSettings("bedrok:nova"), workers=1)
    assert "did you mean `bedrock`?" in str(caught.value)
    assert "lexical" in str(caught.value)
    assert set(backends()) >= {"bedrock", "openai", "local", "lexical", "length", "replay"}


@pytest.mark.parametrize("model", ["bedrock", "openai:"])
def test_a_backend_without_a_model_is_refused(model: str) -> None:
    with pytest.raises(InputError, match="no model is named"):
        make_judge(JudgeSettings(model), workers=1)


def test_recordings_need_recordings() -> None:
    with pytest.raises(InputError, match="only as recordings") as caught:
        make_judge(JudgeSettings("replay:claude"), workers=1)
    assert "--replay" in str(caught.value)
    assert "--import-replies" in str(caught.value)


def test_naming_the_judges_loads_no_heavy_library() -> None:
    code = (
        "import sys, rftj_cli.judges, rftj_cli.judges.openai, rftj_cli.judges.local, rftj_cli.kernel.bedrock;"
        "print([m for m in ('boto3', 'botocore', 'urllib3', 'xllamacpp', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

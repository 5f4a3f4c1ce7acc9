"""The table of backends, and that none stands in for another."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rftj_cli.errors import InputError
from rftj_cli.judges import Options, backends, make_judge
from rftj_cli.judges.curl import Curl
from rftj_cli.judges.lexical import LengthJudge, LexicalJudge
from rftj_cli.kernel.dialect import HttpJudge
from rftj_cli.kernel.rubric import JudgeSettings

ONE = Options(workers=1)


def test_every_backend_makes_its_judge() -> None:
    judge = make_judge(JudgeSettings("lexical:0.4"), ONE)
    assert isinstance(judge, LexicalJudge) and judge.threshold == 0.4
    assert isinstance(make_judge(JudgeSettings("length"), ONE), LengthJudge)
    openai = make_judge(JudgeSettings("openai:m"), Options(workers=1, base_url="http://127.0.0.1:1/v1", timeout=7))
    assert isinstance(openai, HttpJudge) and openai.timeout == 7
    assert isinstance(openai.transport, Curl)


def test_an_unknown_backend_is_named_with_its_nearest_and_all() -> None:
    with pytest.raises(InputError) as caught:
        make_judge(JudgeSettings("bedrok:nova"), ONE)
    assert "did you mean `bedrock`?" in str(caught.value)
    assert "lexical" in str(caught.value)
    assert set(backends()) >= {"bedrock", "openai", "local", "lexical", "length", "replay"}


@pytest.mark.parametrize("model", ["bedrock", "openai:"])
def test_a_backend_without_a_model_is_refused(model: str) -> None:
    with pytest.raises(InputError, match="no model is named"):
        make_judge(JudgeSettings(model), ONE)


def test_recordings_need_recordings() -> None:
    with pytest.raises(InputError, match="only as recordings") as caught:
        make_judge(JudgeSettings("replay:claude"), ONE)
    assert "--replay" in str(caught.value)
    assert "--import-replies" in str(caught.value)


def test_naming_the_judges_loads_no_heavy_library() -> None:
    code = (
        "import sys, rftj_cli.judges, rftj_cli.judges.openai, rftj_cli.judges.local, rftj_cli.kernel.bedrock;"
        "print([m for m in ('boto3', 'botocore', 'urllib3', 'pycurl', 'xllamacpp', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

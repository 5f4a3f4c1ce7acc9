"""Ollama: found where OLLAMA_HOST says, suggested, and never chosen."""

from __future__ import annotations

import pytest

from rftj_cli.errors import InputError
from rftj_cli.judges.ollama import address, suggestion
from rftj_cli.judges.openai import ChatEndpoint
from rftj_cli.testing import FakeJudgeServer


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OLLAMA_HOST"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:9999", "http://127.0.0.1:9999"),
        ("gpu-box", "http://gpu-box:11434"),
        ("gpu-box:80", "http://gpu-box:80"),
        ("http://gpu-box:5000/", "http://gpu-box:5000"),
        ("https://gpu-box", "https://gpu-box:443"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("host:port", "http://host:11434"),
    ],
)
def test_the_forms_of_ollama_host(host: str, url: str) -> None:
    assert address(host) == url


def test_the_server_that_answers_is_suggested_with_its_models(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeJudgeServer(models=["qwen3:8b", "llama3.3:70b"]) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        with pytest.raises(InputError) as caught:
            ChatEndpoint("openai:gpt-5-mini")
        assert server.requests == 0, "it is suggested, not used"
    assert f"--model openai:qwen3:8b --base-url {server.url}/v1" in str(caught.value.hint)
    assert "llama3.3:70b" in str(caught.value.hint)


def test_a_server_that_does_not_answer_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    assert "nothing answers" in suggestion()


def test_a_server_without_a_model_is_told_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeJudgeServer(models=[]) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        assert "ollama pull" in suggestion()

"""The fake service itself: its log, its counts, and as a process of its own."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from asking import bedrock, chat, connected, converse, got, text_of

from rftj_cli.errors import InputError
from rftj_cli.testing import Answer, FakeJudgeServer, Faults
from rftj_cli.testing.threads import Threads


def test_requests_and_finished_replies_are_logged(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with FakeJudgeServer("pass", log=log, faults=Faults(script=["ok"])) as server:
        chat(server, max_tokens=10, key="secret-key")
    first, second = map(json.loads, log.read_text().splitlines())
    assert (first["event"], first["number"], first["body"]["max_tokens"]) == ("request", 0, 10)
    assert first["path"] == "/v1/chat/completions"
    assert (second["event"], second["number"], second["text"], second["fault"]) == ("reply", 0, "pass", "ok")
    assert first["time"] <= second["time"]
    assert "secret-key" not in log.read_text()


def test_a_reply_that_never_left_is_not_logged(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with FakeJudgeServer("pass", log=log, latency=0.1) as server:
        with pytest.raises(TimeoutError):
            chat(server, timeout=0.02)
        time.sleep(0.15)
    assert [json.loads(line)["event"] for line in log.read_text().splitlines()] == ["request"]
    assert server.billed.replies == 1, "the model ran all the same"


def test_half_a_surrogate_pair_is_logged_and_sent(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with FakeJudgeServer("so \ud83d", log=log) as server:
        assert chat(server).choice["message"]["content"] == "so \ud83d"
    assert json.loads(log.read_text().splitlines()[1])["text"] == "so \ud83d"


@pytest.mark.parametrize("threads", [0, 4])
def test_a_rule_makes_the_reply_from_the_body(threads: int) -> None:
    with FakeJudgeServer(lambda body: Answer(body["messages"][-1]["content"].upper()), threads=threads) as server:
        assert chat(server, "so?").choice["message"]["content"] == "SO?"


@pytest.mark.parametrize(("rule", "says"), [(lambda body: body["nothing"], "KeyError"), (lambda body: 3, "not 3")])
def test_a_rule_that_fails_is_a_500_that_says_so(rule: Any, says: str) -> None:
    with FakeJudgeServer(rule) as server:
        found = chat(server)
    assert found.status == 500
    assert says in found.error["message"]
    assert server.billed.replies == 0


def test_a_counter_that_fails_is_a_500_too() -> None:
    with FakeJudgeServer(count_tokens=lambda text: int(text), latency=0.001) as server:
        assert "ValueError" in chat(server).error["message"]


def test_rules_that_block_run_side_by_side() -> None:
    together = threading.Barrier(8, timeout=5)

    def rule(body: dict[str, Any]) -> str:
        together.wait()
        return "pass"

    with FakeJudgeServer(rule) as server:
        asking = [threading.Thread(target=chat, args=(server,)) for _ in range(8)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
    assert server.billed.replies == 8


def test_one_job_after_another_takes_one_thread() -> None:
    threads, seen = Threads(4), set()
    for _ in range(50):
        done = threading.Event()
        threads.run(threading.get_ident, lambda ident, done=done: (seen.add(ident), done.set()))
        assert done.wait(5)
    threads.stop()
    assert len(seen) == 1


def test_replies_faults_and_latency_may_change_while_it_runs() -> None:
    with FakeJudgeServer("one") as server:
        assert chat(server).choice["message"]["content"] == "one"
        server.rule, server.faults = "two", Faults(script=["ok", "503"])
        assert chat(server).status == 503
        assert chat(server).choice["message"]["content"] == "two"


def test_only_as_many_bodies_are_kept_as_asked_for() -> None:
    with FakeJudgeServer(keep=2) as server:
        for number in range(4):
            chat(server, f"number {number}")
    assert [body["messages"][0]["content"] for body in server.bodies] == ["number 0", "number 1"]
    assert server.requests == 4


def test_models_and_profiles_are_listed() -> None:
    profiles = {"us.amazon.nova-2-lite-v1:0": ["us-east-1", "us-west-2"]}
    with FakeJudgeServer(models=["a", "b"], profiles=profiles) as server:
        connection = connected(server)
        assert [one["id"] for one in got(connection, "GET", "/v1/models").document["data"]] == ["a", "b"]
        assert [one["name"] for one in got(connection, "GET", "/api/tags").document["models"]] == ["a", "b"]
        assert got(connection, "GET", "/nowhere").status == got(connection, "POST", "/v1/models", {}).status == 404
        client = bedrock(server, service="bedrock")
        arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-2-lite-v1:0"
        for name in (next(iter(profiles)), arn):
            found = client.get_inference_profile(inferenceProfileIdentifier=name)
            assert [one["modelArn"] for one in found["models"]] == [
                "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-2-lite-v1:0",
                "arn:aws:bedrock:us-west-2::foundation-model/amazon.nova-2-lite-v1:0",
            ]
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.get_inference_profile(inferenceProfileIdentifier="eu.amazon.nova-2-lite-v1:0")
        connection.close()
    assert server.requests == 0, "only requests for replies count"


def test_counts_are_there_for_other_processes() -> None:
    with FakeJudgeServer("pass", faults=Faults(script=["ok", "503", "ok"])) as server:
        for _ in range(3):
            chat(server)
        connection = connected(server)
        counts = got(connection, "GET", "/__fake__").document
        connection.close()
    assert counts["faults"] == {"ok": 2, "503": 1}
    assert (counts["requests"], counts["throttled"], counts["billed"]["replies"]) == (3, 0, 2)
    assert counts["connections"] == 4


@contextmanager
def process(*flags: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "rftj_cli.testing.server", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None and child.stderr is not None
        try:
            yield child, child.stdout.readline().strip()
            child.terminate()
            assert child.wait(300) == 0
            assert child.stderr.read() == ""
        finally:
            child.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_ends_silently_amid_its_work(number: signal.Signals) -> None:
    with process("--latency", "0.01") as (child, url):

        def go_on() -> None:
            while child.poll() is None:
                with suppress(OSError, http.client.HTTPException):
                    ask(url, "so?")

        threads = [threading.Thread(target=go_on) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        child.send_signal(number)
        for thread in threads:
            thread.join(5)


def ask(url: str, content: Any, **more: Any) -> Any:
    address = urlsplit(url)
    assert address.hostname
    connection = http.client.HTTPConnection(address.hostname, address.port or 80, timeout=5)
    body = {"messages": [{"role": "user", "content": content}], **more}
    try:
        return got(connection, "POST", "/v1/chat/completions", body)
    finally:
        connection.close()


def test_as_a_process_of_its_own(tmp_path: Path) -> None:
    replies = tmp_path / "replies.jsonl"
    replies.write_text('{"match": "cat", "reply": "meow"}\n\n{"match": "dog", "reply": "woof"}\n')
    with process("--reply", "else", "--replies", str(replies), "--rpm", "180", "--model-refuses", "seed,frills") as (
        child,
        url,
    ):
        parts = [{"type": "text", "text": "a dog"}]
        assert ask(url, "a cat and a dog").choice["message"]["content"] == "meow"
        assert ask(url, parts).choice["message"]["content"] == "woof"
        assert ask(url, "a cow").choice["message"]["content"] == "else"
        assert [ask(url, "", seed=1).status, ask(url, "", frills=1).status] == [400, 400]
        assert ask(url, "").status == 429
        child.send_signal(signal.SIGUSR1)
        assert child.stdout is not None
        assert json.loads(child.stdout.readline())["throttled"] == 1


def test_a_process_with_wrong_flags_says_why(tmp_path: Path) -> None:
    for flags in (["--script", "rest"], ["--replies", str(tmp_path / "none")]):
        command = [sys.executable, "-m", "rftj_cli.testing.server", *flags]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert flags[1] in done.stderr


def test_an_entry_that_is_none_is_located(tmp_path: Path) -> None:
    from rftj_cli.testing.replies import Matched

    path = tmp_path / "replies.jsonl"
    path.write_text('{"match": "a", "reply": "b"}\n{"match": "a"}\n')
    with pytest.raises(InputError, match="row 2"):
        Matched.read(path, "")


def test_a_real_bedrock_client_gets_its_reply() -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-2-lite-v1:0"
    with FakeJudgeServer("pass") as server:
        assert text_of(converse(bedrock(server), model=arn)) == "pass"
    assert server.bodies == [{"messages": [{"role": "user", "content": [{"text": "Is it so?"}]}]}]

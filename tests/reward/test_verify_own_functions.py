"""`reward verify` on what users bring: rubrics of the plainest kind, and functions that fail in part."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from making import write_rows, write_rubric

from rftj_cli.kernel.events import event_row, read_row
from rftj_cli.kernel.sample import read_sample
from rftj_cli.main import run
from rftj_cli.reward.cases import Case, Good, bad_rows, with_ground_truth
from rftj_cli.reward.conformance import Expected, failure, faults_of
from rftj_cli.reward.forecast import Job, forecast, reserve

pytest.importorskip("awslambdaric", reason="needs the extra `lambda` (Linux)")
CHECKS = [{"id": "short", "type": "max_words", "max": 2}]
FAILING = """
    if {when}:
        {what}
    return handle(event, context)
"""


@pytest.fixture
def plain(home: Path) -> Path:
    """A bundle and a run whose rubric needs a row's answer and nothing else."""
    rubric = write_rubric(home, criteria=[], checks=CHECKS, prompt={"user": "{{ response | fence }}"},
                          judge={"model": "bedrock:none"}, reward={"on_failure": {"service": 0, "content": 0}})  # fmt: skip
    rows = [{"id": f"s{i}", "prompt": "q", "response": "a " * i} for i in range(1, 5)]
    samples = write_rows(home / "samples.jsonl", rows)
    assert run(["score", str(rubric), str(samples), "--run", "runs/plain", "-q"]) == 0
    assert run(["reward", "build", str(rubric), "--out", "plain.zip", "-q"]) == 0
    return home


def verified(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any], dict[str, Any]]:
    capsys.readouterr()
    code = run(["reward", "verify", *arguments, "--json"])
    found = json.loads(capsys.readouterr().out)
    return code, found, {one["name"]: one for one in found["findings"]}


def failing(when: str, what: str) -> Path:
    """The bundle whose handler does something else where `when` holds."""
    import zipfile

    with zipfile.ZipFile("plain.zip") as given, zipfile.ZipFile("failing.zip", "w") as made:
        for name in given.namelist():
            data = given.read(name)
            if name == "lambda_function.py":
                code = "\nhandle = lambda_handler\n\n\ndef lambda_handler(event, context):" + FAILING
                data += code.format(when=when, what=what).encode()
            made.writestr(name, data)
    return Path("failing.zip")


def test_a_rubric_that_needs_the_answer_alone_passes(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row whose metadata is no object can be judged where nothing of it is needed: that is no fault."""
    code, _, found = verified(capsys, "plain.zip", "runs/plain")
    assert (code, found["conformance"]["answer"]) == (0, "yes")


def test_no_event_takes_away_a_column_called_metadata() -> None:
    """It is data that a prompt may need (`{{ metadata.law }}`): without it a sound function would be told to fail."""
    fields = {"prompt": "q", "response": "a", "metadata": {"law": "x"}}
    row = event_row(read_sample({"id": "s", **fields}, "rubric"))
    (event,) = [case.event for case in bad_rows([Good(row, 1.0)]) if case.name == "metadata null"]
    assert isinstance(event, list)
    found = read_row(event[1]).sample
    assert found is not None and found.fields["metadata"] == {"law": "x"}


def test_the_reference_may_be_called_ground_truth() -> None:
    """AWS's samples for open-weight models send it so, beside `extra_info`: the row is the same sample."""
    row = event_row(read_sample({"id": "s", "prompt": "q", "response": "a", "reference": "r"}, "rubric"))
    sent = with_ground_truth(row)
    assert "reference_answer" not in sent["metadata"]
    found = read_row(sent).sample
    assert found is not None and found.fields["reference"] == "r"


def test_a_free_row_may_get_either_answer_and_needs_its_id() -> None:
    """Judged or marked, any score of the range will do; another row's id will not."""
    case = Case("bad row", "x", [], ("a",), (None,), frozenset(), frozenset({0}))
    expected = Expected(0, 1, "list", 0.0, "rftj_malformed")
    assert faults_of(case, [{"id": "a", "aggregate_reward_score": 0.7}], expected) == ()
    assert "id" in faults_of(case, [{"id": "b", "aggregate_reward_score": 0.7}], expected)[0]


def test_a_function_that_fails_for_the_jobs_batch_is_caught(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run of 4 samples never fills a batch of 64: a batch of that size is sent all the same."""
    zip_ = failing("isinstance(event, list) and len(event) > 50", "raise ValueError('too many rows')")
    _, _, found = verified(capsys, str(zip_), "runs/plain")
    assert found["parity"]["answer"] == "yes"
    assert found["conformance"]["details"] == [
        "the function failed: ValueError: too many rows (shape `a full batch of 64`)"
    ]


def test_a_function_that_fails_has_no_times_and_no_forecast(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How fast it fails says nothing of how fast it works; its error is told in a line, without a stack."""
    zip_ = failing("True", "raise ValueError('no')")
    code, document, found = verified(capsys, str(zip_), "runs/plain")
    assert (code, document["timing"], document["forecast"]) == (1, None, None)
    assert found["forecast"]["answer"] == found["deterministic"]["answer"] == "not shown"
    assert found["parity"]["details"] == ["ValueError: no"]


def test_a_function_that_hangs_is_asked_once(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Fifty more events would each take the whole timeout."""
    zip_ = failing("True", "__import__('time').sleep(60)")
    code, _, found = verified(capsys, str(zip_), "runs/plain", "--timeout", "1")
    assert (code, found["parity"]["answer"], found["conformance"]["answer"]) == (1, "no", "not shown")
    assert "--timeout" in found["parity"]["details"][0]


@pytest.mark.parametrize("option", ["--judge-latency=inf", "--quota=inf", "--prompts=1000000000"])
def test_numbers_that_no_job_has_are_refused(plain: Path, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A forecast of them would be endless, or hold numbers that are none."""
    assert run(["reward", "verify", "plain.zip", "runs/plain", option]) == 2


def test_the_forecast_knows_what_the_function_keeps_for_its_answer() -> None:
    """Of 10 s it keeps 1: calls of 9.5 s are failures there, though nothing times out."""
    assert (reserve(10), reserve(300), reserve(1)) == (1, 2, 0.25)
    assert forecast(Job(timeout=10), [9.5, 9.5], 1.0, 0.0, 64, seed=0).over_timeout == 1


def test_a_step_takes_no_more_prompts_than_there_are() -> None:
    """A job of 10 prompts and steps of 64 has one step of 10."""
    found = forecast(Job(prompts=64, records=10, group=8, batch=8, concurrency=1), [1.0, 1.0], 1.0, 0.0, 8, seed=0)
    assert (found.step, found.job.prompts, found.calls) == (10.0, 10, 80)


def test_a_huge_job_is_simulated_with_fewer_draws_and_says_so() -> None:
    """Beyond 20 million jobs on workers there are fewer draws, and never fewer than two."""
    job = Job(prompts=10_000, group=8, batch=1, concurrency=100, records=10**6)
    assert "250 draws" in forecast(job, [1.0, 1.0], 1.0, 0.0, 1, seed=0).method


def test_an_error_is_one_line_without_the_requests_id() -> None:
    """The id differs in every invocation: with it one fault would be told once an event."""

    class Error:
        type = "Runtime.ExitError"
        message = "RequestId: 1a-2b Error: Runtime exited with error: signal: killed"

    assert failure(Error()) == (
        "Runtime.ExitError: Runtime exited with error: signal: killed (more memory than --memory allows?)"
    )


def test_a_run_of_another_judge_is_named_so(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its replies answer other requests; the message names what differs, not a fault of the run."""
    rubric = {
        "prompt": {"user": "{{ response | fence }} {{ criteria }}"},
        "reward": {"on_failure": {"service": 0, "content": 0}},
    }
    one = write_rubric(plain, criteria=[{"id": "good", "question": "Good?"}], judge={"model": "bedrock:m"}, **rubric)
    (plain / "said.jsonl").write_text(
        "".join(f'{{"id": "s{i}", "text": "{{\\"good\\": \\"pass\\"}}"}}\n' for i in (1, 2, 3, 4))
    )
    assert run(["score", str(one), "samples.jsonl", "--import-replies", "said.jsonl", "--run", "runs/good", "-q"]) == 0
    other = write_rubric(plain, criteria=[{"id": "good", "question": "Bad?"}], judge={"model": "bedrock:m"}, **rubric)
    assert run(["reward", "build", str(other), "--out", "other.zip", "-q"]) == 0
    capsys.readouterr()
    assert run(["reward", "verify", "other.zip", "runs/good"]) == 3
    assert "another judge" in capsys.readouterr().err


def test_invoke_takes_the_replies_of_a_run(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--replies takes a run folder; a file that `rftj score` reads is of another form, and is told apart."""
    rubric = write_rubric(plain, criteria=[{"id": "good", "question": "Good?"}], judge={"model": "bedrock:m"},
                          prompt={"user": "{{ response | fence }}"}, reward={"on_failure": {"service": 0, "content": 0}})  # fmt: skip
    (plain / "said.jsonl").write_text(
        "".join(f'{{"id": "s{i}", "text": "{{\\"good\\": \\"pass\\"}}"}}\n' for i in (1, 2, 3, 4))
    )
    assert (
        run(["score", str(rubric), "samples.jsonl", "--import-replies", "said.jsonl", "--run", "runs/good", "-q"]) == 0
    )
    assert run(["reward", "build", str(rubric), "--out", "a b.zip"]) == 0
    assert "verify 'a b.zip' RUN" in capsys.readouterr().err
    row = {"id": 1, "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a a "}]}
    (plain / "event.json").write_text(json.dumps([row]))
    assert run(["reward", "invoke", "a b.zip", "event.json", "--replies", "runs/good", "--raw"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["aggregate_reward_score"] == 1.0
    assert run(["reward", "invoke", "a b.zip", "event.json", "--replies", "said.jsonl"]) == 2
    assert "--replies runs/NAME" in capsys.readouterr().err


def test_a_bundle_with_another_rubric_is_not_deployed(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its function would not start: the fingerprints of rubric.json are not those of bundle.json."""
    import zipfile

    with zipfile.ZipFile("plain.zip") as given, zipfile.ZipFile("other.zip", "w") as made:
        for name in given.namelist():
            made.writestr(name, given.read(name).replace(b'"max":2', b'"max":3'))
    plan = ["reward", "deploy", "other.zip", "--dry-run", "--offline", "--region", "us-east-1"]
    assert run(plan) == 2
    assert "would not start" in capsys.readouterr().err


def test_sigterm_leaves_no_folder_and_no_process(plain: Path, tmp_path: Path) -> None:
    """A CI job out of time ends as Ctrl-C does: nothing that was unpacked stays."""
    zip_, scratch = failing("True", "__import__('time').sleep(60)"), tmp_path / "scratch"
    scratch.mkdir()
    command = [sys.executable, "-m", "rftj_cli", "reward", "verify", str(zip_), "runs/plain"]
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(scratch)}) as process:
        end = time.monotonic() + 20
        while not list(scratch.glob("rftj-lambda-*/task/lambda_function.py")) and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(300) == 143
    assert list(scratch.iterdir()) == []


def test_a_batch_that_lambda_refuses_is_a_finding(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """64 rows of 200 kB are more than the 6 MB of an invocation, though the run's two are not."""
    samples = write_rows(
        plain / "large.jsonl", [{"id": f"s{i}", "prompt": "q", "response": "x" * 200_000} for i in (1, 2)]
    )
    assert run(["score", "rubric.yaml", str(samples), "--run", "runs/large", "-q"]) == 0
    code, _, found = verified(capsys, "plain.zip", "runs/large")
    assert (code, found["parity"]["answer"]) == (1, "yes")
    assert "--batch" in found["conformance"]["details"][0]
    assert verified(capsys, "plain.zip", "runs/large", "--batch", "16")[0] == 0

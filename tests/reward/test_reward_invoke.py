"""`rftj reward invoke`: what it prints where, and its exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from reporting import rftj
from zips import ECHO, zipped

pytest.importorskip("awslambdaric")


def event_file(folder: Path, text: str = '[{"id": "1"}]') -> Path:
    path = folder / "event.json"
    path.write_text(text, encoding="utf-8")
    return path


def piped(text: bytes, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    """The command as a process, with standard input."""
    line = [sys.executable, "-m", "rftj_cli", "reward", "invoke", *map(str, arguments)]
    return subprocess.run(line, input=text, capture_output=True, timeout=600, check=False)


def test_response_is_the_only_output(tmp_path: Path) -> None:
    """The response stands on standard output; times, memory and log on standard error, and not under --quiet."""
    path = zipped(tmp_path, "def lambda_handler(event, context):\n    print('seen\\x1b[2J')\n    return event\n")
    said = rftj("reward", "invoke", path, event_file(tmp_path, '\ufeff{"a": "ż"}'))
    assert (said.code, said.out) == (0, '{\n  "a": "ż"\n}\n')
    assert (
        said.err.startswith("time    cold start 0.")
        and "\nmemory  " in said.err
        and said.err.endswith("log     seen�[2J\n")
    )
    quiet = rftj("reward", "invoke", path, event_file(tmp_path), "--quiet")
    assert (quiet.code, quiet.err) == (0, "")


def test_json_tells_every_invocation(tmp_path: Path) -> None:
    """One document with response, limits, times and the log of each."""
    path = zipped(tmp_path, "def lambda_handler(event, context):\n    print('seen')\n    return event\n")
    arguments = ("--times", 5, "--memory", 256, "--timeout", 5)
    said = rftj("reward", "invoke", path, event_file(tmp_path), "--json", *arguments)
    found = json.loads(said.out)
    assert (said.code, said.err, found["schema"]) == (0, "", "rftj.invocation/1")
    assert found["response"] == [{"id": "1"}] and found["error"] is None and found["failed"] == 0
    assert found["limits"] == {"timeout": 5, "memory": 256, "concurrency": 1, "init": 10}
    assert [one["cold"] for one in found["invocations"]] == [True, False, False, False, False]
    assert (found["init"]["n"], found["cold"]["n"], found["warm"]["n"]) == (1, 1, 4)
    assert 0 < found["warm"]["latency_p50"] <= found["warm"]["latency_p95"] <= found["warm"]["latency_p100"]
    assert all(one["logs"] == ["seen"] and one["billed_ms"] >= 1 for one in found["invocations"])
    assert len({one["request_id"] for one in found["invocations"]}) == 5


def test_several_at_once(tmp_path: Path) -> None:
    """--parallel starts as many environments, and the summary counts them."""
    path = zipped(tmp_path, "import os, time\ndef lambda_handler(e, c):\n    time.sleep(0.1)\n    return os.getpid()\n")
    said = rftj("reward", "invoke", path, event_file(tmp_path), "--times", 6, "--parallel", 3)
    assert said.code == 0 and "6 invocations: 3 cold, 3 warm\n" in said.err and "the responses differ" in said.err


@pytest.mark.parametrize(
    ("source", "options", "kind"),
    [
        ("raise ValueError('no')", (), "ValueError: no"),
        ("os._exit(1)", (), "Runtime.ExitError: RequestId: "),
        ("time.sleep(60)", ("--timeout", "0.3"), "Sandbox.Timedout: RequestId: "),
        ("return bytearray(300 << 20) and 1", ("--memory", "128"), "Runtime.ExitError: RequestId: "),
        ("return 'x' * 7_000_000", (), "Function.ResponseSizeTooLarge: Response payload size"),
    ],
)
def test_a_function_that_fails(tmp_path: Path, source: str, options: tuple[str, ...], kind: str) -> None:
    """Exit code 3; Lambda's payload on standard output, its error in one line on standard error, also under --quiet."""
    path = zipped(tmp_path, f"import os, time\ndef lambda_handler(event, context):\n    {source}\n")
    said = rftj("reward", "invoke", path, event_file(tmp_path), "--quiet", *options)
    assert said.code == 3 and said.err.startswith(f"the function failed: {kind}") and said.err.count("\n") == 1
    assert json.loads(said.out)["errorType"] == kind.split(":")[0]
    found = rftj("reward", "invoke", path, event_file(tmp_path), "--json", *options)
    assert found.code == 3 and found.document["error"]["type"] == kind.split(":")[0]
    assert (found.document["failed"], found.document["response"]) == (1, None)


def test_some_of_many_fail(tmp_path: Path) -> None:
    """A response is shown where there is one, and the failures are counted."""
    source = """
        import os
        count = 0
        def lambda_handler(event, context):
            global count
            count += 1
            assert count % 2 == 0, "odd"
            return count
    """
    said = rftj("reward", "invoke", zipped(tmp_path, source), event_file(tmp_path), "--times", 4)
    assert said.code == 3 and said.out == "2\n"
    assert said.err.endswith("the function failed 2 of 4 times: AssertionError: odd\n")


@pytest.mark.parametrize(
    ("result", "out"),
    [("b'\\xff\\x00'", b"\xff\x00"), ("float('nan')", b"NaN"), ("{'a': 1}", b'{"a": 1}')],
)
def test_raw_response(tmp_path: Path, result: str, out: bytes) -> None:
    """--raw prints the bytes as they came."""
    path = zipped(tmp_path, f"def lambda_handler(event, context):\n    return {result}\n")
    done = piped(b"1", path, "-", "--raw", "--quiet")
    assert (done.returncode, done.stdout) == (0, out)


def test_response_that_is_no_json(tmp_path: Path) -> None:
    """It is printed as it came, with a note; in the document it is null, with the reason."""
    path = zipped(tmp_path, "def lambda_handler(event, context):\n    return float('inf')\n")
    said = rftj("reward", "invoke", path, event_file(tmp_path), "--quiet")
    assert (said.code, said.out) == (0, "Infinity")
    assert said.err == "note: the response is not JSON: Infinity is no number in JSON\n"
    found = rftj("reward", "invoke", path, event_file(tmp_path), "--json").document
    assert found["response"] is None and "Infinity" in found["response_not_json"]
    large = zipped(tmp_path, "def lambda_handler(event, context):\n    return b'1e999'\n")
    assert "1e999" in rftj("reward", "invoke", large, event_file(tmp_path), "--json").document["response_not_json"]


def test_halves_of_surrogate_pairs_are_written_as_json_can(tmp_path: Path) -> None:
    """A character that no encoding has does not end the command."""
    path = zipped(
        tmp_path, "def lambda_handler(event, context):\n    print(ascii(event))\n    raise ValueError(event)\n"
    )
    for options in ((), ("--json",)):
        done = piped(b'"\\ud800 x"', path, "-", *options)
        assert done.returncode == 3 and b'Traceback (most recent call last):\n  File "/' not in done.stderr
        assert json.loads(done.stdout)


def test_variables_and_replies(tmp_path: Path) -> None:
    """--env and --replies reach the function; the path of the replies is absolute."""
    source = """
        import os
        def lambda_handler(event, context):
            return [os.environ.get("RFTJ_REPLIES"), os.environ.get("GREETING"), os.environ.get("EMPTY")]
    """
    (tmp_path / "replies.jsonl").write_text("{}\n")
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        said = rftj(
            "reward", "invoke", zipped(tmp_path, source), event_file(tmp_path),
            "--replies", "replies.jsonl", "--env", "GREETING=a=b", "--env", "EMPTY=",
        )  # fmt: skip
    finally:
        os.chdir(before)
    assert json.loads(said.out) == [str(tmp_path.resolve() / "replies.jsonl"), "a=b", ""]


@pytest.mark.parametrize(
    ("event", "options", "problem"),
    [
        (
            "{\n  1,\n}",
            (),
            "row 2: the event is not JSON: Expecting property name enclosed in double quotes: line 2 column 3",
        ),
        ("", (), "the event is empty"),
        ("NaN", (), "NaN is no number"),
        ("[" * 100_000, (), "nested too deeply"),
        ("{} {}", (), "Extra data: line 1 column 4"),
        ('"' + "x" * 6_291_455 + '"', (), "RequestEntityTooLarge"),
        ("1", ("--env", "A"), "without a value"),
        ("1", ("--env", "AWS_LAMBDA_RUNTIME_API=x"), "Lambda sets"),
        ("1", ("--replies", "nothing.jsonl"), "no such file of replies"),
        ("1", ("--raw", "--json"), "two forms"),
        ("1", ("--handler", ""), "handler"),
        ("1", ("--times", "0"), "--times"),
        ("1", ("--memory", "100"), "--memory"),
        ("1", ("--timeout", "nan"), "--timeout"),
        ("1", ("--timeout", "901"), "--timeout"),
    ],
)
def test_wrong_input(tmp_path: Path, event: str, options: tuple[str, ...], problem: str) -> None:
    """Exit code 2, and the message says what is wrong and where."""
    said = rftj("reward", "invoke", zipped(tmp_path, ECHO), event_file(tmp_path, event), *options)
    assert said.code == 2 and problem in said.err + said.out and "Traceback" not in said.err


def test_wrong_files(tmp_path: Path) -> None:
    """A missing zip or event, what is no zip, and text that is not UTF-8 name the file."""
    path, event = zipped(tmp_path, ECHO), event_file(tmp_path)
    (tmp_path / "latin.json").write_bytes(b'{\n"a": "\xe9"}')
    for zip_, given, problem in (
        (tmp_path / "fn.zi", event, "did you mean"),
        (path, tmp_path / "evnt.json", "did you mean"),
        (event, event, "not a zip"),
        (path, tmp_path / "latin.json", "latin.json, row 2: the file is not UTF-8"),
        (tmp_path, event, "folder"),
    ):
        said = rftj("reward", "invoke", zip_, given)
        assert said.code == 2 and problem in said.err


@pytest.mark.parametrize(
    ("text", "problem"),
    [(b"", b"standard input: the event is empty"), (b"{", b"standard input, row 1"), (b"\xff", b"not UTF-8")],
)
def test_wrong_standard_input(tmp_path: Path, text: bytes, problem: bytes) -> None:
    """Standard input is named as such."""
    done = piped(text, zipped(tmp_path, ECHO), "-")
    assert done.returncode == 2 and problem in done.stderr


def test_event_from_standard_input(tmp_path: Path) -> None:
    """`-` reads the event from a pipe."""
    done = piped('["é"]'.encode(), zipped(tmp_path, ECHO), "-", "--raw", "--quiet")
    assert json.loads(done.stdout) == ["é"]


def test_interrupted(tmp_path: Path) -> None:
    """Ctrl-C leaves at once with 130, and nothing behind."""
    path = zipped(tmp_path, "import time\nprint('here')\ndef lambda_handler(e, c):\n    time.sleep(600)\n")
    (tmp_path / "temporary").mkdir()
    line = [
        sys.executable,
        "-m",
        "rftj_cli",
        "reward",
        "invoke",
        path,
        event_file(tmp_path),
        "--times",
        "9",
        "--parallel",
        "3",
    ]
    with subprocess.Popen(
        [str(one) for one in line], stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path / "temporary")}
    ) as started:
        until = time.monotonic() + 20
        while len(list((tmp_path / "temporary").glob("*/tmp-*"))) < 3 and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.3)
        started.send_signal(signal.SIGINT)
        _, said = started.communicate(timeout=300)
    assert started.returncode == 130 and b"Traceback" not in said
    assert list((tmp_path / "temporary").iterdir()) == []

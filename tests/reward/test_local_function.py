"""A zip runs on this machine as it would in AWS Lambda: what it gets, what it gives, and what it cannot see."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from zips import ECHO, zipped

from rftj_cli.errors import InputError
from rftj_cli.reward.local import FunctionError, Invocation, Limits, LocalFunction
from rftj_cli.testing import FakeJudgeServer

pytest.importorskip("awslambdaric")


def run(folder: Path, source: str, event: object = None, **given: Any) -> Invocation:
    """One event, handled by a fresh function."""
    with LocalFunction(zipped(folder, source), **given) as function:
        return function.invoke(event)


@pytest.mark.parametrize(
    "event",
    [
        [{"id": "1", "messages": [{"role": "user", "content": "?"}]}],
        {"a": {"b": [1, 2.5, None, True]}},
        "a string",
        7,
        None,
        [],
        {"text": "żółć 漢字 🙂 \u2028 \x00"},
    ],
)
def test_events_of_every_shape_come_back_as_they_went(tmp_path: Path, event: object) -> None:
    """Lists, objects, strings, numbers, null and every character survive the way there and back."""
    invocation = run(tmp_path, ECHO, event)
    assert invocation.error is None and invocation.not_json is None
    assert invocation.payload == event
    assert json.loads(invocation.raw) == event


def test_half_of_a_surrogate_pair(tmp_path: Path) -> None:
    """It arrives; sent back it is escaped by the client of Python 3.11, and from 3.12 on it ends the process, as in AWS."""
    assert run(tmp_path, "def lambda_handler(event, context):\n    return len(event)\n", "\ud800").payload == 1
    echoed = run(tmp_path, ECHO, "\ud800")
    if sys.version_info < (3, 12):
        assert echoed.payload == "\ud800"
    else:
        assert echoed.error is not None and echoed.error.type == "Runtime.ExitError"


def test_bytes_are_sent_as_they_are(tmp_path: Path) -> None:
    """An event given as bytes is JSON already."""
    assert run(tmp_path, ECHO, b' {"a":  1} ').payload == {"a": 1}


def test_first_invocation_is_cold_and_later_ones_are_warm(tmp_path: Path) -> None:
    """A module is imported once in an environment, and its initialisation is measured apart."""
    source = """
        import os, time
        time.sleep(0.1)
        count = 0
        def lambda_handler(event, context):
            global count
            count += 1
            return [os.getpid(), count]
    """
    with LocalFunction(zipped(tmp_path, source)) as function:
        first, second = function.invoke({}), function.invoke({})
    assert (first.cold, second.cold) == (True, False)
    assert first.init_s > 0.1 and second.init_s == 0
    assert first.payload[0] == second.payload[0] and (first.payload[1], second.payload[1]) == (1, 2)
    assert first.billed_ms > 100 and second.billed_ms > 0
    assert 5 < first.max_memory_mb < 100


def test_function_sees_what_lambda_shows_it(tmp_path: Path) -> None:
    """The context and the environment variables are Lambda's; the working folder is the zip's."""
    source = """
        import os, sys
        def lambda_handler(event, context):
            return {"env": dict(os.environ), "cwd": os.getcwd(), "here": os.path.dirname(__file__),
                    "left": context.get_remaining_time_in_millis(), "id": context.aws_request_id,
                    "arn": context.invoked_function_arn, "memory": context.memory_limit_in_mb,
                    "name": context.function_name, "version": context.function_version, "argv": sys.argv,
                    "encoding": [sys.stdout.encoding, sys.getfilesystemencoding()], "quit": str(type(exit))}
    """
    invocation = run(tmp_path, source, {}, limits=Limits(timeout=5, memory=256), environment={"RFTJ_REPLIES": "/x"})
    seen, env = invocation.payload, invocation.payload["env"]
    assert seen["cwd"] == seen["here"] == env["LAMBDA_TASK_ROOT"]
    assert seen["id"] == invocation.request_id and 4000 < seen["left"] <= 5000
    assert (seen["memory"], seen["version"]) == ("256", "$LATEST")
    assert seen["arn"].startswith("arn:aws:lambda:us-east-1:") and seen["arn"].endswith(seen["name"])
    assert env["_HANDLER"] == "lambda_function.lambda_handler" and env["TZ"] == ":UTC"
    assert env["AWS_REGION"] == env["AWS_DEFAULT_REGION"] == "us-east-1" and env["RFTJ_REPLIES"] == "/x"
    assert env["AWS_LAMBDA_RUNTIME_API"].startswith("127.0.0.1:")
    assert seen["encoding"] == ["utf-8", "utf-8"] and "Quitter" in seen["quit"]


def test_environment_of_the_developer_stays_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of this process reaches the function, and no credentials are found but on request."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("OPENAI_API_KEY", "other")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    source = """
        import os, boto3
        def lambda_handler(event, context):
            found = boto3.Session().get_credentials()
            return [dict(os.environ), found and found.access_key]
    """
    env, key = run(tmp_path, source).payload
    assert key is None and env["AWS_REGION"] == "us-east-1"
    assert not {"AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "OPENAI_API_KEY", "HOME"} & set(env)
    env, key = run(tmp_path, source, pass_credentials=True).payload
    assert key == "key" and env["AWS_SECRET_ACCESS_KEY"] == "secret" and env["AWS_REGION"] == "eu-west-1"
    assert env["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] == "http://127.0.0.1:1"
    assert not {"OPENAI_API_KEY", "PYTHONPATH"} & set(env)


@pytest.mark.parametrize("module", ["pandas", "typer", "numpy", "yaml", "rich", "pytest", "certifi", "pip", "rftj_cli"])
def test_packages_of_the_developer_stay_outside(tmp_path: Path, module: str) -> None:
    """What is installed beside rftj cannot be imported: a package that the zip forgot fails here as it would in AWS."""
    invocation = run(tmp_path, f"import {module}\n\ndef lambda_handler(event, context):\n    return 1\n")
    assert invocation.error is not None
    assert invocation.error.type == "Runtime.ImportModuleError"
    assert invocation.error.message == f"Unable to import module 'lambda_function': No module named '{module}'"


def test_packages_of_lambda_and_of_the_zip_are_there(tmp_path: Path) -> None:
    """boto3 and what it needs, the standard library, and the zip's own modules, which come first."""
    source = """
        import json, sqlite3, ssl, boto3, botocore.session, jmespath, s3transfer, urllib3, dateutil.parser, six, helper
        import snapshot_restore_py
        def lambda_handler(event, context):
            boto3.client("s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
            return [snapshot_restore_py.WHOSE, helper.NAME]
    """
    path = zipped(tmp_path, source, helper="NAME = 'ours'", snapshot_restore_py="WHOSE = 'zip'")
    with LocalFunction(path) as function:
        assert function.invoke({}).payload == ["zip", "ours"]


def test_nothing_is_written_beside_the_code(tmp_path: Path) -> None:
    """The unpacked zip is read-only and no compiled files appear in it; temporary files have a folder of their own."""
    source = """
        import os, tempfile, helper
        def lambda_handler(event, context):
            with tempfile.NamedTemporaryFile() as file:
                file.write(b"x")
            modes = [oct(os.stat(one).st_mode & 0o777) for one in (".", "lambda_function.py")]
            return [sorted(os.listdir(".")), modes, tempfile.gettempdir(), os.environ["LAMBDA_TASK_ROOT"]]
    """
    with LocalFunction(zipped(tmp_path, source, helper="")) as function:
        names, modes, temporary, task = function.invoke({}).payload
        assert Path(temporary).is_dir() and Path(temporary).parent == Path(task).parent
    assert names == ["helper.py", "lambda_function.py"] and modes == ["0o555", "0o444"]
    assert not Path(task).parent.exists()


def test_a_function_that_raises_is_reported_as_lambda_reports_it(tmp_path: Path) -> None:
    """Type, message and stack trace, in the result and in the log; the environment stays warm."""
    source = """
        def lambda_handler(event, context):
            raise ValueError("wrong: é")
    """
    with LocalFunction(zipped(tmp_path, source)) as function:
        first, second = function.invoke({}), function.invoke({})
    assert first.error == FunctionError("ValueError", "wrong: é", first.error.stack_trace, "Unhandled")  # type: ignore[union-attr]
    assert 'raise ValueError("wrong: é")' in "".join(first.error.stack_trace)  # type: ignore[union-attr]
    said = json.loads(first.raw)
    assert (said["errorType"], said["errorMessage"], said["requestId"]) == ("ValueError", "wrong: é", first.request_id)
    assert first.payload is None and not second.cold
    assert first.logs[0] == "[ERROR] ValueError: wrong: é" and first.logs[1].startswith("Traceback")
    assert any(line.startswith('  File "/var/task/lambda_function.py", line 3') for line in first.logs)
    assert '"/var/task/lambda_function.py"' in first.error.stack_trace[0]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("import nothing_such", "Runtime.ImportModuleError", "No module named 'nothing_such'"),
        ("def x(:", "Runtime.UserCodeSyntaxError", "Syntax error in module"),
        ("x = 1", "Runtime.HandlerNotFound", "Handler 'lambda_handler' missing on module 'lambda_function'"),
        ("1 / 0", "ZeroDivisionError", "division by zero"),
        ("raise SystemExit(3)", "Runtime.ExitError", "Runtime exited with error: exit status 3"),
        ("import os\nos._exit(0)", "Runtime.ExitError", "Runtime exited without providing a reason"),
        ("import os\nos.abort()", "Runtime.ExitError", "Runtime exited with error: signal: aborted"),
    ],
)
def test_a_function_that_cannot_start_is_reported(tmp_path: Path, source: str, kind: str, message: str) -> None:
    """A fault of the initialisation, each in Lambda's words; the next event finds a cold environment again."""
    with LocalFunction(zipped(tmp_path, source)) as function:
        invocations = [function.invoke({}), function.invoke({})]
    for one in invocations:
        assert one.error is not None and one.cold and one.payload is None
        assert one.error.type == kind and message in one.error.message
        assert json.loads(one.raw)["errorType"] == kind


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("sys.exit(2)", "exit status 2"),
        ("sys.exit()", "without providing a reason"),
        ("os._exit(7)", "exit status 7"),
        ("os.kill(os.getpid(), 9)", "signal: killed"),
        ("os.kill(os.getpid(), 11)", "signal: segmentation fault"),
        ("os.close(1), os.close(2), os._exit(1)", "exit status 1"),
        ("os.spawnvp(os.P_NOWAIT, 'sleep', ['sleep', '60']), os._exit(1)", "exit status 1"),
    ],
)
def test_a_process_that_ends_is_reported_and_replaced(tmp_path: Path, body: str, message: str) -> None:
    """The event that ended it fails; the next one gets a new process."""
    source = f"""
        import os, sys
        def lambda_handler(event, context):
            print("before")
            if event: {body}
            return "fine"
    """
    with LocalFunction(zipped(tmp_path, source)) as function:
        failed, after, warm = function.invoke(1), function.invoke(0), function.invoke(0)
    assert failed.error is not None and failed.error.type == "Runtime.ExitError" and message in failed.error.message
    assert failed.request_id in failed.error.message and failed.logs[0] == "before"
    assert (after.payload, after.cold, warm.cold) == ("fine", True, False)


@pytest.mark.parametrize("handler", ["lambda_function.other", "other.lambda_handler", "nodot", "sys.exit"])
def test_handler_that_is_not_there(tmp_path: Path, handler: str) -> None:
    """A wrong handler is Lambda's error, not ours."""
    invocation = run(tmp_path, ECHO, handler=handler)
    assert invocation.error is not None and invocation.error.type.startswith("Runtime.")


def test_handler_in_a_package(tmp_path: Path) -> None:
    """The handler may be any function of any module."""
    with LocalFunction(zipped(tmp_path, "x = 1", other=ECHO), handler="other.lambda_handler") as function:
        assert function.invoke([1]).payload == [1]


@pytest.mark.parametrize("handler", ["", "a b.c", "x" * 129, "a\n.b"])
def test_handler_that_is_no_name(tmp_path: Path, handler: str) -> None:
    """What Lambda would not take as a handler is refused."""
    with pytest.raises(InputError, match="handler"):
        LocalFunction(zipped(tmp_path, ECHO), handler=handler)


@pytest.mark.parametrize(
    ("result", "payload", "raw", "why"),
    [
        ("b'\\xff\\x00'", None, b"\xff\x00", "not UTF-8"),
        ("b'{\"a\": 1}'", {"a": 1}, b'{"a": 1}', None),
        ("float('nan')", None, b"NaN", "NaN is no number"),
        ("None", None, b"null", None),
        ("b''", None, b"", "Expecting value"),
        ("b'[' * 500 + b']' * 500", None, b"[" * 500 + b"]" * 500, "nested too deeply"),
        ("b'[' * 100000", None, b"[" * 100_000, "nested too deeply"),
    ],
)
def test_response_that_is_no_json_is_kept_as_it_came(
    tmp_path: Path, result: str, payload: object, raw: bytes, why: str | None
) -> None:
    """A response of bytes or with NaN is no error in Lambda; the result says that it is not JSON."""
    invocation = run(tmp_path, f"def lambda_handler(event, context):\n    return {result}\n")
    assert (invocation.error, invocation.payload, invocation.raw) == (None, payload, raw)
    assert why in invocation.not_json if why else invocation.not_json is None  # type: ignore[operator]


def test_response_that_cannot_be_json(tmp_path: Path) -> None:
    """A result that the runtime client cannot write is a failed function."""
    invocation = run(tmp_path, "def lambda_handler(event, context):\n    return {1, 2}\n")
    assert invocation.error is not None and invocation.error.type == "Runtime.MarshalError"


def test_logs_stand_in_order_and_belong_to_their_event(tmp_path: Path) -> None:
    """stdout, stderr, logging and the output of child processes form one log; a line without an end is a line."""
    source = """
        import logging, os, sys
        print("imported")
        def lambda_handler(event, context):
            print("out", event)
            print("err", event, file=sys.stderr)
            logging.warning("warned")
            os.system("echo child")
            os.write(1, b"\\xff raw\\r\\n\\n")
            sys.stdout.write("no end")
    """
    with LocalFunction(zipped(tmp_path, source)) as function:
        first, second = function.invoke(1), function.invoke(2)
    assert first.logs[:3] == ("imported", "out 1", "err 1")
    assert first.logs[3].startswith("[WARNING]") and first.request_id in first.logs[3]
    assert first.logs[4:] == ("child", "� raw", "", "no end")
    assert second.logs[:2] == ("out 2", "err 2") and len(second.logs) == 7


def test_endless_log_does_not_fill_the_memory(tmp_path: Path) -> None:
    """The first 4 MB of an event's log are kept, the rest is counted."""
    source = """
        def lambda_handler(event, context):
            for _ in range(100):
                print("x" * 99_999)
            return "done"
    """
    invocation = run(tmp_path, source)
    assert invocation.payload == "done"
    assert invocation.logs[-1] == f"... {10_000_000 - (4 << 20):,} more bytes of log were not kept"
    assert sum(len(line) + 1 for line in invocation.logs[:-1]) <= (4 << 20) + 1


def test_child_processes_end_with_the_function(tmp_path: Path) -> None:
    """What the function started in the background is killed with it."""
    source = """
        import subprocess
        def lambda_handler(event, context):
            return subprocess.Popen(["sleep", "600"]).pid
    """
    pid = run(tmp_path, source).payload
    status = Path(f"/proc/{pid}/stat")
    assert not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"_HANDLER": "x"}, "Lambda sets"),
        ({"AWS_LAMBDA_RUNTIME_API": "evil:80"}, "Lambda sets"),
        ({"LAMBDA_TASK_ROOT": "/"}, "Lambda sets"),
        ({"A B": "x"}, "not a name"),
        ({"": "x"}, "not a name"),
        ({"X": "x"}, "not a name"),
        ({"É1": "x"}, "not a name"),
        ({"AB": "\0"}, "no text"),
        ({"AB": "x" * 5000}, "more environment variables"),
    ],
)
def test_environment_variables_that_lambda_refuses(tmp_path: Path, given: dict[str, str], problem: str) -> None:
    """Names, values and sizes that Lambda does not take are refused before anything runs."""
    with pytest.raises(InputError, match=problem):
        LocalFunction(zipped(tmp_path, ECHO), environment=given)


@pytest.mark.parametrize("limits", [{"timeout": 0}, {"timeout": 901}, {"memory": 64}, {"concurrency": 0}])
def test_limits_that_lambda_refuses(limits: dict[str, Any]) -> None:
    """Limits beyond Lambda's own are refused."""
    with pytest.raises(InputError, match="Lambda's limits"):
        Limits(**limits)


@pytest.mark.parametrize("event", [b"{", b"\xff", b"", float("nan"), b"NaN", {1, 2}, b"[" * 100_000, object()])
def test_event_that_is_no_json(tmp_path: Path, event: object) -> None:
    """Lambda refuses an event that is no JSON; so does this, before it starts a process."""
    with LocalFunction(zipped(tmp_path, ECHO)) as function, pytest.raises(InputError, match="not JSON"):
        function.invoke(event)


def test_region_follows_the_variables(tmp_path: Path) -> None:
    """A region that is given counts for both variables."""
    source = """
        import os
        def lambda_handler(event, context):
            return [os.environ["AWS_REGION"], os.environ["AWS_DEFAULT_REGION"], context.invoked_function_arn]
    """
    here, default, arn = run(tmp_path, source, environment={"AWS_REGION": "eu-north-1"}).payload
    assert here == default == "eu-north-1" and ":eu-north-1:" in arn


def test_folder_is_private(tmp_path: Path) -> None:
    """Only this user can look into the unpacked function."""
    source = """
        import os
        def lambda_handler(event, context):
            return os.path.dirname(os.environ["LAMBDA_TASK_ROOT"])
    """
    with LocalFunction(zipped(tmp_path, source)) as function:
        assert os.stat(function.invoke({}).payload).st_mode & 0o777 == 0o700


def test_function_reaches_its_judge_with_the_credentials_of_the_developer(
    tmp_path: Path, server: FakeJudgeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `pass_credentials` the endpoint and keys of this process are the function's, and Bedrock answers."""
    for name, value in (("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b"), ("REGION", "us-west-2")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", server.url)
    source = """
        import boto3
        client = boto3.client("bedrock-runtime")
        def lambda_handler(event, context):
            messages = [{"role": "user", "content": [{"text": event}]}]
            said = client.converse(modelId="us.amazon.nova-2-lite-v1:0", messages=messages)
            return [said["output"]["message"]["content"][0]["text"], client.meta.region_name]
    """
    invocation = run(tmp_path, source, "Is it good?", pass_credentials=True)
    assert invocation.error is None, invocation.error
    assert invocation.payload[1] == "us-west-2" and "pass" in invocation.payload[0]

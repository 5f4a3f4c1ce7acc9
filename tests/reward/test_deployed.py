"""`reward verify ARN`: the function in AWS, stood for by the zip on this machine behind a hand-written cloud."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rftj_cli.cloud import Call, check
from rftj_cli.errors import CannotTell, InputError
from rftj_cli.files.runs import Run, open_run
from rftj_cli.main import run
from rftj_cli.reward.deployed import DeployedFunction
from rftj_cli.reward.spending import Spending
from rftj_cli.reward.verification import Question, Verification

pytest.importorskip("awslambdaric", reason="needs the extra `lambda` (Linux)")
from rftj_cli.reward.local import LocalFunction
from rftj_cli.reward.verify import verify_deployed

ROOT = Path(__file__).resolve().parents[2]
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:rftj-contract-review:7"


class CloudOfOne:
    """Lambda with one function, which runs here; every call is checked against AWS's own models."""

    def __init__(self, function: LocalFunction, sha: str) -> None:
        self.function, self.sha, self.calls = function, sha, list[str]()

    def __call__(self, call: Call) -> dict[str, Any]:
        check(call)
        self.calls.append(call.operation)
        if call.operation == "get_function_configuration":
            return {"CodeSha256": self.sha, "Timeout": 300, "MemorySize": 512}
        done = self.function.invoke(call.parameters["Payload"])
        return {"Payload": io.BytesIO(done.raw), **({"FunctionError": "Unhandled"} if done.error else {})}


@pytest.fixture
def measured(home: Path) -> Run:
    data, prompt = ROOT / "datasets/contract-review", str(ROOT / "prompts/contract-review/brief.yaml")
    rule = ["--set", "reward.on_failure.service=0"]
    replies = ["--import-replies", str(data / "replies/brief.jsonl")]
    assert run(["score", prompt, str(data / "samples.jsonl"), *replies, *rule, "--run", "runs/r", "-q"]) == 0
    assert run(["reward", "build", prompt, *rule, "--out", "r.zip", "-q"]) == 0
    return open_run("runs/r")


@pytest.fixture
def cloud(measured: Run) -> Iterator[CloudOfOne]:
    from rftj_cli.files.scratch import scratch_file
    from rftj_cli.reward.bundle import read_bundle
    from rftj_cli.reward.parity import recorded

    lines = "".join(line + "\n" for line in recorded(measured, measured.rubric).lines)
    with (
        scratch_file(lines, "replies.jsonl") as replies,
        LocalFunction(Path("r.zip"), environment={"RFTJ_REPLIES": str(replies)}) as function,
    ):
        yield CloudOfOne(function, read_bundle(Path("r.zip")).sha256)


def verified(cloud: CloudOfOne, measured: Run, question: Question, arn: str = ARN) -> Verification:
    return verify_deployed(arn, measured, question, DeployedFunction(arn, cloud))  # type: ignore[arg-type]


def answers(found: Verification) -> dict[str, str]:
    return {one.name: one.answer for one in found.findings}


def test_a_deployed_bundle_is_proven_by_its_hash(cloud: CloudOfOne, measured: Run) -> None:
    """AWS runs the bundle byte for byte, the bundle has parity here, and the function answers every event."""
    found = verified(cloud, measured, Question(zip=Path("r.zip")))
    assert found.decision == "PASS", found.findings
    assert answers(found)["deployed code"] == answers(found)["zip: parity"] == answers(found)["conformance"] == "yes"
    assert found.repeat is not None and found.repeat.rows == 16
    assert found.notes == ()


def test_what_a_deployed_function_will_be_asked_is_told_before(cloud: CloudOfOne, measured: Run) -> None:
    """The rows of the events that can be judged, and 16 samples three times: each is a call that AWS bills."""
    told: list[tuple[Spending, int]] = []
    function = DeployedFunction(ARN, cloud)  # type: ignore[arg-type]
    found = verify_deployed(ARN, measured, Question(), function, lambda ahead: told.append((ahead, len(cloud.calls))))
    ((ahead, calls),) = told
    assert calls == 1 and "invoke" not in cloud.calls[:1]  # its configuration is all that was asked for
    rows = 3 + 35 + (13 * 2 + 3 + 6 * 3) + 48  # alone, in shapes, beside and as odd rows, repeated
    assert (ahead.rows, ahead.calls) == (rows, rows) and found.spending == ahead
    assert (ahead.measured, ahead.input_tokens) == (False, None)
    with pytest.raises(InputError, match="max-cost"):
        verified(cloud, measured, Question(max_cost=1.0))


def test_without_the_zip_the_code_is_not_shown(cloud: CloudOfOne, measured: Run) -> None:
    """Nothing says which code it is: that is no PASS."""
    found = verified(cloud, measured, Question())
    assert (found.exit_code, answers(found)["deployed code"]) == (3, "not shown")


def test_other_code_in_aws_is_rejected(cloud: CloudOfOne, measured: Run) -> None:
    """The hash of AWS is not the bundle's."""
    cloud.sha = "AAAA"
    found = verified(cloud, measured, Question(zip=Path("r.zip")))
    assert (found.exit_code, answers(found)["deployed code"]) == (1, "no")


@pytest.mark.parametrize(
    ("suffix", "said"), [("", "no published version"), (":live", "the alias live"), (":$LATEST", "no published")]
)
def test_an_arn_that_may_change_is_noted(suffix: str, said: str, cloud: CloudOfOne, measured: Run) -> None:
    """An alias or $LATEST can come to mean other code while training goes on."""
    found = verified(cloud, measured, replace(Question(), zip=Path("r.zip")), ARN.removesuffix(":7") + suffix)
    assert any(said in note for note in found.notes)


def test_a_function_that_fails_is_rejected(measured: Run, home: Path) -> None:
    """An error of the function is told in AWS's words."""
    (home / "f.py").write_text("def lambda_handler(event, context): raise KeyError('no such thing')\n")
    import zipfile

    with zipfile.ZipFile("f.zip", "w") as made:
        made.write("f.py", "lambda_function.py")
    with LocalFunction(Path("f.zip")) as function:
        found = verified(CloudOfOne(function, ""), measured, Question())
    assert found.exit_code == 1
    assert any("no such thing" in line for one in found.findings for line in one.details)


def test_what_is_no_arn_is_named() -> None:
    """The expected form is shown."""
    with pytest.raises(InputError, match="not the ARN"):
        DeployedFunction("arn:aws:lambda:eu-west-1:12:function:x")


def test_a_run_that_holds_nothing_is_said_to(cloud: CloudOfOne, measured: Run) -> None:
    """There is nothing to send, and nothing is asked."""
    from rftj_cli.files.runs import seal
    from rftj_cli.files.store import Store

    store = Store(measured.folder / "store.sqlite", write=True)
    store._db.execute("DELETE FROM outcomes")
    store.close()
    seal(measured.folder)
    with pytest.raises(CannotTell, match="nothing to compare with"):
        verified(cloud, measured, Question())
    assert "invoke" not in cloud.calls

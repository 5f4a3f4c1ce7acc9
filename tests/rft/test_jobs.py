"""`rftj rft submit`, `status` and `stop`: plans checked by AWS's own models, and executed against moto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from making import some_rows, write_rows, write_rubric
from moto import mock_aws
from rft_commands import Done, Rftj

from rftj_cli.cloud import Call, Cloud, CloudError, check
from rftj_cli.errors import InputError
from rftj_cli.rft import jobs
from rftj_cli.rft.submit import JobWish, execute, inspect, plan_job
from rftj_cli.testing import FakeJudgeServer

ROLE = "arn:aws:iam::123456789012:role/rft"
REWARD = "arn:aws:lambda:us-east-1:123456789012:function:reward:7"
JOB = ("--name", "job-1", "--role", ROLE, "--reward", REWARD, "--s3", "s3://bucket/pre")
JUDGE = "bedrock:us.amazon.nova-2-lite-v1:0"


@pytest.fixture
def data(rftj: Rftj) -> Path:
    """A prepared data set of 1,000 prompts."""
    write_rubric(Path(), judge={"model": JUDGE})
    rows = [{"id": f"p{i}", "prompt": f"Name number {i}, please.", "cluster": f"c{i}"} for i in range(1000)]
    write_rows(Path("rows.jsonl"), rows)
    done = rftj("rft", "prepare", "rows.jsonl", "--out", "data", "--rubric", "rubric.yaml")
    assert done.code == 0, done.out
    return Path("data")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An account with a bucket and a published reward function."""
    for name, value in (("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x"), ("AWS_REGION", "us-east-1")):
        monkeypatch.setenv(name, value)
    with mock_aws():
        cloud = Cloud("us-east-1")
        cloud(Call("s3", "create_bucket", {"Bucket": "bucket"}))
        yield cloud


class Account:
    """A fake of the calls that `Cloud` makes: answers by operation, and a record of what was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers, self.asked = answers, list[Call]()

    def __call__(self, call: Call) -> dict[str, Any]:
        check(call)
        self.asked.append(call)
        found = self.answers.get(call.operation, {})
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(found, str):
            raise CloudError(call, found, "said by AWS")
        return dict(found)


def function(**configuration: Any) -> dict[str, Any]:
    return {"Configuration": {"Version": "7", "State": "Active", **configuration}}


def account(**answers: Any) -> Account:
    created = {"jobArn": "arn:aws:bedrock:us-east-1:123456789012:model-customization-job/a.b:1/abcdefghijkl"}
    return Account(**{"get_function": function(), "create_model_customization_job": created, **answers})


def wish(data: Path, **more: Any) -> JobWish:
    return JobWish(**{"folder": data, "name": "job-1", "role": ROLE, "reward": REWARD, "s3": "s3://bucket/pre", **more})


def test_a_dry_run_needs_no_credentials_and_shows_every_call(rftj: Rftj, data: Path) -> None:
    """The plan is data: two services, the grader by its version, and no text of the data."""
    done = rftj(
        "rft", "submit", data, *JOB, "--dry-run", "--json", "--learning-rate", "1e-4", "--reasoning-effort", "low"
    )
    assert done.code == 0, done.err
    upload, create = done.document["plan"]
    assert (upload["operation"], upload["parameters"]["Body"]) == (
        "put_object",
        f"<{(data / 'train.jsonl').stat().st_size:,} bytes>",
    )
    assert upload["parameters"]["ServerSideEncryption"] == "AES256"
    assert upload["parameters"]["ExpectedBucketOwner"] == "123456789012"
    parameters = create["parameters"]
    assert parameters["customizationType"] == "REINFORCEMENT_FINE_TUNING"
    rft = parameters["customizationConfig"]["rftConfig"]
    assert rft["graderConfig"] == {"lambdaGrader": {"lambdaArn": REWARD}}
    assert rft["hyperParameters"] == {
        "epochCount": 1, "batchSize": 128, "learningRate": 1e-4, "maxPromptLength": 8192, "trainingSamplePerPrompt": 8,
        "reasoningEffort": "low",
    }  # fmt: skip
    assert {tag["key"] for tag in parameters["jobTags"]} >= {"rftj:judge-fingerprint", "rftj:reward-fingerprint"}
    assert done.document["job_arn"] is None and not (data / "job.json").exists()
    shown = rftj("rft", "submit", data, *JOB, "--dry-run")
    assert "nothing was sent" in shown.out and "Name number" not in shown.out


def test_the_forecast_is_the_documented_formula(rftj: Rftj, data: Path) -> None:
    """1,000 prompts x 8 rollouts x 3 epochs are 24,000 calls; measured tokens and the price give the cost."""
    done = rftj("rft", "submit", data, *JOB, "--dry-run", "--json", "--epochs", 3)
    forecast = done.document["forecast"]
    assert (forecast["calls"], forecast["steps"], forecast["evaluations"]) == (24_000, 24, 0)
    assert not forecast["answers_counted"]  # a cost that looks whole and is not
    shown = rftj("rft", "submit", data, *JOB, "--dry-run", "--epochs", 3)
    assert "without the answers' own tokens" in " ".join(shown.out.split())
    manifest = json.loads((data / "prepare.json").read_text(encoding="utf-8"))
    judging = {"calls": 1, "input_tokens": 3000, "output_tokens": 400, "of_answers": "real"}
    (data / "prepare.json").write_text(json.dumps({**manifest, "judging": judging}), encoding="utf-8")
    cost = rftj("rft", "submit", data, *JOB, "--dry-run", "--json", "--epochs", 3).document["forecast"]["cost"]
    assert cost == pytest.approx(24_000 * (3000 * 0.33 + 400 * 2.75) / 1e6)  # about $50, as AWS's example has it
    over = rftj("rft", "submit", data, *JOB, "--dry-run", "--epochs", 3, "--max-cost", 50)
    assert over.code == 3 and "about $50.16, more than --max-cost 50" in over.err
    assert rftj("rft", "submit", data, *JOB, "--dry-run", "--epochs", 3, "--max-cost", 51).code == 0


def test_a_run_measures_what_judging_takes(rftj: Rftj, data: Path) -> None:
    """Tokens of the run's replies times the calls an answer; a run of another judge is refused."""
    write_rows(Path("samples.jsonl"), some_rows(4))
    with FakeJudgeServer('{"quality": {"reason": "fine", "level": "pass"}}') as server:
        write_rubric(Path(), judge={"model": "openai:m"})
        assert rftj("rft", "prepare", "rows.jsonl", "--out", "other", "--rubric", "rubric.yaml").code == 0
        assert rftj("score", "rubric.yaml", "samples.jsonl", "--base-url", server.base_url, "--run", "r").code == 0
        given = server.billed.input / 4
    done = rftj("rft", "submit", "other", *JOB, "--dry-run", "--json", "--run", "r")
    forecast = done.document["forecast"]
    assert forecast["input_tokens"] == pytest.approx(8000 * given) and "measured on 4 answers" in forecast["method"]
    assert forecast["cost"] is None and "--prices" in forecast["note"]
    assert rftj("rft", "submit", "other", *JOB, "--dry-run", "--max-cost", 1).code == 2
    refused = rftj("rft", "submit", data, *JOB, "--dry-run", "--run", "r")
    assert refused.code == 2 and "another judge" in refused.err


def test_evaluations_are_counted(rftj: Rftj) -> None:
    """Every so many steps the eval records are answered once."""
    write_rows(Path("rows.jsonl"), [{"id": f"p{i}", "prompt": f"Name number {i}, please."} for i in range(2000)])
    assert rftj("rft", "prepare", "rows.jsonl", "--out", "data", "--split", "train").code == 0
    done = rftj(
        "rft", "submit", "data", *JOB, "--dry-run", "--json", "--epochs", 2, "--batch-size", 16, "--eval-interval", 50
    )
    forecast, manifest = done.document["forecast"], json.loads(Path("data/prepare.json").read_text(encoding="utf-8"))
    train, evals = (manifest["parts"][name]["records"] for name in ("train", "eval"))
    assert forecast["steps"] == -(-train // 16) * 2
    assert forecast["evaluations"] == forecast["steps"] // 50
    assert forecast["eval_answers"] == evals * forecast["evaluations"]
    assert forecast["calls"] is None and "--rubric" in forecast["note"]
    assert done.document["plan"][2]["parameters"]["validationDataConfig"]["validators"][0]["s3Uri"].endswith(
        "eval.jsonl"
    )


@pytest.mark.parametrize(
    ("more", "key"),
    [
        (("--reward", REWARD.rpartition(":")[0]), "--reward"),
        (("--reward", REWARD.rpartition(":")[0] + ":$LATEST"), "--reward"),
        (("--reward", "reward"), "--reward"),
        (("--reward", REWARD + ":8"), "--reward"),
        (("--role", "rft"), "--role"),
        (("--s3", "bucket/pre"), "--s3"),
        (("--s3", "s3://B"), "--s3"),
        (("--output", "s3://bucket/ü"), "--output"),
        (("--name", "job_1"), "--name"),
        (("--name", "j" * 64), "--name"),
        (("--name", "job.1"), "--model-name"),
        (("--kms-key", "key"), "--kms-key"),
        (("--bucket-owner", "me"), "--bucket-owner"),
        (("--base-model", "a b"), "--base-model"),
        (("--region", "us-west-2"), "--region"),
        (("--epochs", "0"), "--epochs"),
        (("--epochs", "51"), "--epochs"),
        (("--batch-size", "8"), "--batch-size"),
        (("--samples-per-prompt", "17"), "--samples-per-prompt"),
        (("--learning-rate", "0.01"), "--learning-rate"),
        (("--learning-rate", "nan"), "--learning-rate"),
        (("--max-prompt-length", "0"), "--max-prompt-length"),
        (("--max-tokens", "0"), "--max-tokens"),
        (("--reasoning-effort", "medum"), "--reasoning-effort"),
        (("--eval-interval", "101"), "--eval-interval"),
        (("--max-cost", "nan"), "--max-cost"),
        (("--max-cost", "-1"), "--max-cost"),
    ],
)  # fmt: skip
def test_what_aws_would_refuse_is_refused_here(rftj: Rftj, data: Path, more: tuple[str, str], key: str) -> None:
    """Each value by AWS's own rule, named, before anything is sent."""
    done = rftj("rft", "submit", data, *JOB, "--dry-run", *more)
    assert done.code == 2 and f"key `{key}`" in done.err, done.err


def test_a_reward_without_a_version_is_taken_only_on_demand(rftj: Rftj, data: Path) -> None:
    """An alias is warned about, since it can be moved."""
    bare = REWARD.rpartition(":")[0]
    done = rftj("rft", "submit", data, *JOB, "--dry-run", "--json", "--reward", bare, "--allow-unpinned")
    assert done.code == 0 and "pinned to no version" in done.document["warnings"][0]
    alias = rftj("rft", "submit", data, *JOB, "--dry-run", "--json", "--reward", f"{bare}:live")
    assert alias.code == 0 and "the alias live, which can be moved" in alias.document["warnings"][0]


def test_only_data_that_was_checked_and_is_unchanged_is_submitted(rftj: Rftj, data: Path) -> None:
    """Its hash stands in prepare.json; data for another target is refused."""
    assert rftj("rft", "submit", "nowhere", *JOB, "--dry-run").code == 2
    Path("bare").mkdir()
    assert "was not checked" in rftj("rft", "submit", "bare", *JOB, "--dry-run").err
    with (data / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"messages": []}\n')
    assert "changed after it was checked" in rftj("rft", "submit", data, *JOB, "--dry-run").err
    assert rftj("rft", "prepare", "rows.jsonl", "--out", "hp", "--target", "hyperpod").code == 0
    assert "another target" in rftj("rft", "submit", "hp", *JOB, "--dry-run").err
    good = json.loads(Path("hp/prepare.json").read_text(encoding="utf-8"))
    bad = [
        {"parts": {}},
        {"parts": {"../x": good["parts"]["train"]}},
        {"judging": {}},
        {"rubric": 3},
        {"max_prompt_length": "x"},
    ]
    for text in ("{", "[]", "{}", *(json.dumps({**good, "target": "bedrock", **one}) for one in bad)):
        Path("hp/prepare.json").write_text(text, encoding="utf-8")
        assert rftj("rft", "submit", "hp", *JOB, "--dry-run").code == 2, text


def publish(aws: Cloud, description: str = "") -> str:
    """A function with one published version; its ARN."""
    import io
    import zipfile

    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as file:
        file.writestr("a.py", "")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    aws(Call("iam", "create_role", {"RoleName": "rft", "AssumeRolePolicyDocument": trust}))
    made = aws(Call("lambda", "create_function", {
        "FunctionName": "reward", "Runtime": "python3.12", "Role": ROLE, "Handler": "a.b", "Description": description,
        "Code": {"ZipFile": code.getvalue()}, "Publish": True,
    }))  # fmt: skip
    return f"{made['FunctionArn'].removesuffix(':1')}:1"


def submit(rftj: Rftj, data: Path, reward: str, *more: object) -> Done:
    return rftj("rft", "submit", data, *JOB, "--reward", reward, "--json", *more)


def test_a_job_is_uploaded_started_noted_and_not_started_twice(rftj: Rftj, data: Path, aws: Cloud) -> None:
    """The data stands in S3 under its hash; job.json holds everything; the same command again changes nothing."""
    reward = publish(aws)
    assert submit(rftj, data, reward).code == 2  # nobody can be asked
    done = submit(rftj, data, reward, "--yes")
    assert done.code == 0, done.out
    assert (done.document["reward_version"], done.document["submitted_before"]) == ("1", False)
    key = done.document["plan"][0]["parameters"]["Key"]
    stored = aws(Call("s3", "get_object", {"Bucket": "bucket", "Key": key}))
    assert stored["Body"].read() == (data / "train.jsonl").read_bytes() and stored["ServerSideEncryption"] == "AES256"
    job = json.loads((data / "job.json").read_text(encoding="utf-8"))
    assert job["parameters"]["customizationConfig"]["rftConfig"]["graderConfig"]["lambdaGrader"]["lambdaArn"] == reward
    again = submit(rftj, data, reward, "--yes")
    assert again.code == 0 and again.document["submitted_before"] and again.document["job_arn"] == job["job_arn"]
    assert len(aws(Call("bedrock", "list_model_customization_jobs"))["modelCustomizationJobSummaries"]) == 1
    taken = submit(rftj, data, reward, "--yes", "--epochs", 2)
    assert taken.code == 2 and "of this name already" in taken.out
    second = submit(rftj, data, reward, "--yes", "--epochs", 2, "--name", "job-2")
    assert second.code == 0
    assert [one["job_name"] for one in json.loads((data / "job.json").read_text(encoding="utf-8"))["earlier"]] == [
        "job-1"
    ]


def test_status_and_stop_by_folder_and_by_name(rftj: Rftj, data: Path, aws: Cloud) -> None:
    """0 while it goes on; 3 once it is stopped; a second stop finds nothing to do."""
    assert submit(rftj, data, publish(aws), "--yes").code == 0
    status = rftj("rft", "status", data, "--json")
    assert (status.code, status.document["status"], status.document["name"]) == (0, "InProgress", "job-1")
    assert status.document["model_arn"] is None and status.document["failure"] is None
    assert rftj("rft", "stop", data).code == 2
    stopped = rftj("rft", "stop", data, "--yes", "--quiet")
    assert stopped.code == 0 and "stopped" in stopped.out
    again = rftj("rft", "stop", "job-1", "--region", "us-east-1")
    assert again.code == 0 and "it was stopped before" in again.out
    after = rftj("rft", "status", "job-1", "--watch")
    assert after.code == 3 and "status   stopped" in after.out


def test_an_unknown_job_is_named_with_its_nearest(rftj: Rftj, data: Path, aws: Cloud) -> None:
    """Where the account may list its jobs."""
    assert rftj("rft", "status", "job-1").code == 2
    assert submit(rftj, data, publish(aws), "--yes").code == 0
    done = rftj("rft", "status", "jop-1")
    assert done.code == 2 and "did you mean `job-1`?" in done.err
    for wrong in ("job 1", "x" * 64, "arn:aws:s3:::bucket", "rows.jsonl/", "."):
        assert rftj("rft", "status", wrong).code == 2


def test_without_credentials_the_error_says_so(rftj: Rftj, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is sent."""
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "none")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for words in (("rft", "submit", data, *JOB, "--yes"), ("rft", "status", "job-1", "--region", "us-east-1")):
        done = rftj(*words)
        assert done.code == 2 and "credentials" in done.err


def test_a_reward_that_is_not_there_or_of_another_rubric_is_refused(data: Path) -> None:
    """The version's own description says which rubric it is, then the function's tags; before any upload."""
    plan = plan_job(wish(data))
    with pytest.raises(InputError, match="no such function"):
        execute(plan, account(get_function="ResourceNotFoundException"))
    other = account(
        get_function=function(Description="rftj 0.1.0 reward tested judge 0123456789ab reward 0123456789ab zip 1")
    )
    with pytest.raises(InputError, match="another rubric"):
        execute(plan, other)
    tagged = account(get_function={**function(), "Tags": {"rftj:reward-fingerprint": "f" * 64}})
    with pytest.raises(InputError, match="another rubric"):
        execute(plan, tagged)
    assert all(len(one.asked) == 1 for one in (other, tagged))
    rubric = plan.manifest["rubric"]
    same = f"rftj 0.1.0 reward tested judge {rubric['judge_fingerprint'][:12]} reward {rubric['reward_fingerprint'][:12]} zip 1"
    assert inspect(
        plan, account(get_function={**function(Description=same), "Tags": {"rftj:reward-fingerprint": "f" * 64}})
    )


def test_who_may_not_look_at_the_function_is_warned_and_goes_on(data: Path) -> None:
    """The role that trains needs the right to invoke it, not the one who submits."""
    done = execute(plan_job(wish(data)), account(get_function="AccessDeniedException"))
    assert done.job_arn is not None and done.version is None and "could not be looked at" in done.warnings[0]


def test_every_failure_of_aws_is_an_answer_and_nothing_is_noted(data: Path) -> None:
    """No job.json where no job was started."""
    plan = plan_job(wish(data))
    for operation in ("get_function", "put_object", "create_model_customization_job"):
        with pytest.raises(CloudError):
            execute(plan, account(**{operation: "ThrottlingException"}))
        assert not (data / "job.json").exists()


def test_the_token_is_that_of_the_job(data: Path) -> None:
    """The same job has the same token, any other parameter another one."""
    token = plan_job(wish(data)).token
    assert token == plan_job(wish(data)).token
    assert token != plan_job(wish(data, output="s3://bucket/other")).token
    keyed = plan_job(wish(data, kms_key="arn:aws:kms:us-east-1:123456789012:alias/mine"))
    assert keyed.calls[0].parameters["ServerSideEncryption"] == "aws:kms" and keyed.token == token


def described(status: str, **more: Any) -> dict[str, Any]:
    created = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)
    return {
        "jobName": "job-1", "jobArn": "arn:1", "status": status, "creationTime": created, "roleArn": ROLE,
        "outputDataConfig": {"s3Uri": "s3://bucket/out"}, "baseModelArn": "arn:model", **more,
    }  # fmt: skip


def test_a_job_is_followed_to_its_end() -> None:
    """Each change is told once; a failure brings AWS's message, a completed job its model."""
    training = {
        "statusDetails": {"validationDetails": {"status": "Completed"}, "trainingDetails": {"status": "InProgress"}}
    }
    end = datetime(2026, 11, 25, 2, 0, tzinfo=UTC) + timedelta(hours=2)
    ask = Account(get_model_customization_job=[
        described("InProgress"), described("InProgress"), described("InProgress", **training),
        described("Completed", endTime=end, outputModelArn="arn:new"),
    ])  # fmt: skip
    slept: list[float] = []
    seen = list(jobs.watch(jobs.Named("job-1", None), ask, 5, slept.append))
    assert [one.status for one in seen] == ["InProgress", "InProgress", "Completed"] and slept == [5, 5, 5]
    assert seen[1].phases == {"data checked": "Completed", "training": "InProgress"}
    assert (seen[-1].model_arn, seen[-1].seconds, seen[-1].exit_code) == ("arn:new", 7200, 0)
    failed = Account(get_model_customization_job=described("Failed", failureMessage="The reward timed out."))
    status = jobs.status_of(jobs.Named("job-1", None), failed)
    assert (status.exit_code, status.failure) == (3, "The reward timed out.")


def test_another_job_under_the_same_name_is_not_taken_for_the_folders_own() -> None:
    """job.json knows the ARN."""
    with pytest.raises(InputError, match="another one"):
        jobs.status_of(jobs.Named("job-1", None, "arn:2"), Account(get_model_customization_job=described("InProgress")))

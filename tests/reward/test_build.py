"""`rftj reward build`, and the zip that it makes in a bare interpreter, as Lambda has it."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import yaml
from making import data

from rftj_cli.files.rubrics import load_rubric
from rftj_cli.files.zips import read_zip
from rftj_cli.main import run
from rftj_cli.reward.bundle import Packing, build, read_bundle
from rftj_cli.testing import FakeJudgeServer

BEDROCK = "bedrock:us.amazon.nova-2-lite-v1:0"
FAILS = {"on_failure": {"service": 0, "content": 0}}
BOTO3 = ("boto3", "botocore", "jmespath", "s3transfer", "urllib3", "dateutil", "six")
PASS = '{"quality": {"reason": "fine", "level": "pass"}}'
BARE = Path(__file__).with_name("bare.py")


def rubric_file(folder: Path, **changes: Any) -> Path:
    path = folder / "rubric.yaml"
    path.write_text(yaml.safe_dump(data(**{"judge": {"model": BEDROCK}, "reward": FAILS, **changes})))
    return path


def rftj(*words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(["reward", "build", *words])
    return code, out.getvalue(), err.getvalue()


def test_the_zip_is_named_after_the_rubric_and_its_reward(home: Path) -> None:
    made = load_rubric(rubric_file(home))
    code, out, err = rftj("rubric.yaml")
    path = home / "dist" / f"tested-{made.reward_fingerprint[:8]}.zip"
    assert code == 0 and path.is_file()
    for word in (
        str(path.relative_to(home)),
        BEDROCK,
        made.judge_fingerprint[:8],
        "0 to 1",
        "a bare list",
        read_bundle(path).sha256,
    ):
        assert word in out
    assert "GRPO" in err and "next: rftj reward verify dist/" in err
    before = path.read_bytes()
    assert ", unchanged" not in out and ", unchanged" in rftj("rubric.yaml")[1] and path.read_bytes() == before
    assert rftj("rubric.yaml", "--quiet")[2] == ""


def test_json_is_one_document(home: Path) -> None:
    rubric_file(home)
    code, out, err = rftj("rubric.yaml", "--json", "--out", "x/reward.zip", "--target", "sagemaker")
    told = json.loads(out)
    assert code == 0 and err == "" and told["schema"] == "rftj.bundle-built/1"
    assert told["zip"] == "x/reward.zip" and told["settings"]["envelope"] == "http" and told["unchanged"] is False
    assert any("--envelope list" in note for note in told["notes"])
    assert told["size"] == (home / "x/reward.zip").stat().st_size
    assert (
        json.loads(rftj("rubric.yaml", "--json", "--out", "x/reward.zip", "--target", "sagemaker")[1])["unchanged"]
        is True
    )


def test_settings_are_packed(home: Path) -> None:
    rubric_file(home)
    key = "arn:aws:kms:eu-west-1:123456789012:key/0a-1b"
    code, _, err = rftj("rubric.yaml", "--out", "r.zip", "--concurrency", "9", "--envelope", "http", "--target", "hyperpod",
                        "--record", "s3://my-bucket/a/b/", "--record-rate", "0.5", "--record-key", key)  # fmt: skip
    assert code == 0 and "50.00% of the answers go to s3://my-bucket/a/b/" in err
    assert read_bundle(home / "r.zip").settings == {
        "envelope": "http", "concurrency": 9,
        "record": {"bucket": "my-bucket", "prefix": "a/b/", "rate": 0.5, "kms_key": key},
    }  # fmt: skip
    assert rftj("rubric.yaml", "--out", "s.zip", "--record", "s3://my-bucket")[0] == 0
    assert read_bundle(home / "s.zip").settings["record"] == {
        "bucket": "my-bucket",
        "prefix": "",
        "rate": 0.01,
        "kms_key": None,
    }


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--target", "vertex"], "vertex"),
        (["--envelope", "xml"], "xml"),
        (["--concurrency", "0"], "concurrency"),
        (["--record", "my-bucket/p"], "--record"),
        (["--record", "s3://B"], "--record"),
        (["--record", "s3://bucket/a*/b"], "--record"),
        (["--record", "s3://bucket/${aws:username}"], "--record"),
        (["--record", "s3://bucket", "--record-rate", "2"], "record-rate"),
        (["--record", "s3://bucket", "--record-rate", "nan"], "record-rate"),
        (["--record", "s3://bucket", "--record-rate", "0"], "record-rate"),
        (["--record", "s3://bucket", "--record-key", "my-key"], "--record-key"),
        (["--record", "s3://b-1", "--record-key", "arn:aws:kms:eu-west-1:123456789012:alias/mine"], "--record-key"),
        (["--record-rate", "0.1"], "--record"),
        (["--record-key", "k"], "--record"),
        (["--out", "."], "folder"),
        (["--set", "reward.on_failure.service=error"], "reward.on_failure.service"),
        (["--set", "judge.model=openai:m"], "judge.model"),
        (["--model", "local"], "judge.model"),
        (["--set", "nonsense=1"], "nonsense"),
    ],
)
def test_wrong_input_is_named_and_nothing_is_written(home: Path, words: list[str], says: str) -> None:
    rubric_file(home)
    code, out, err = rftj("rubric.yaml", *words)
    assert code == 2 and says in err and "Traceback" not in err and out == ""
    assert sorted(path.name for path in home.iterdir()) == ["rubric.yaml"]


def test_an_unfit_rubric_is_refused_with_its_file_and_key(home: Path) -> None:
    rubric_file(home, reward={"on_failure": {"content": 0}})
    code, _, err = rftj("rubric.yaml")
    assert code == 2 and "rubric.yaml, key `reward.on_failure.service`" in err and "GRPO" in err
    assert rftj("rubric.yaml", "--set", "reward.on_failure.service=0.5")[0] == 0
    told = json.loads(rftj("rubric.yaml", "--json")[1])
    assert (told["schema"], told["exit_code"], told["key"]) == ("rftj.error/1", 2, "reward.on_failure.service")


def test_a_replay_judge_is_packed_and_said_to_be_a_rehearsal(home: Path) -> None:
    rubric_file(home, judge={"model": "replay:m"})
    code, _, err = rftj("rubric.yaml")
    assert code == 0 and "cannot be deployed" in err


def python(name: str) -> str:
    """The path of an interpreter that works; the test is skipped where there is none."""
    found = shutil.which(name)
    if found is None or subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip(f"no {name} here")
    return found


def packages(folder: Path) -> Path:
    """A folder with boto3 and what it needs, as every Lambda runtime for Python holds it, and nothing else."""
    place = folder / "packages"
    place.mkdir()
    for name in BOTO3:
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.origin is not None
        source = Path(spec.origin)
        (place / (name if source.stem == "__init__" else source.name)).symlink_to(
            source.parent if source.stem == "__init__" else source
        )
    return place


def bare(
    interpreter: str, folder: Path, file: Path, event: object, **variables: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the bundle answers in an interpreter of its own, and its log lines."""
    zip = folder / "reward.zip"
    zip.write_bytes(build(load_rubric(file), Packing()))
    place = folder / "unpacked"
    for name, content in read_zip(zip).items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    done = subprocess.run(
        [interpreter, "-I", "-S", "-B", str(BARE), str(place), str(packages(folder))],
        input=json.dumps(event), env={"AWS_REGION": "us-east-1", "HOME": str(folder), **variables},
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *lines, told = [json.loads(line) for line in done.stdout.splitlines()]
    return told, lines


def row(response: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": "a",
        "messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": response}],
        **fields,
    }


PYTHONS = [sys.executable, "python3.12", "python3.13"]


@pytest.mark.parametrize("name", PYTHONS, ids=["this", "3.12", "3.13"])
def test_a_bundle_runs_in_a_bare_interpreter(name: str, tmp_path: Path) -> None:
    """Only the zip, the standard library and boto3: a model on Bedrock is called, and every module's origin is known."""
    file = rubric_file(tmp_path, checks=[{"id": "obj", "type": "json_schema", "schema": {"type": "object"}}])
    with FakeJudgeServer(PASS, api_key="key") as server:
        told, lines = bare(
            python(name), tmp_path, file, [row("{}"), row("[]"), "bad", row("{}", criteria=3)],
            AWS_ENDPOINT_URL_BEDROCK_RUNTIME=server.url, AWS_BEARER_TOKEN_BEDROCK="key",
        )  # fmt: skip
    assert [one["aggregate_reward_score"] for one in told["results"]] == [1.0, 0.5, 0.0, 0.0]
    assert [line.get("outcome") for line in lines] == [None, "verdict", "verdict", "malformed", "malformed"]
    modules = told["modules"]
    assert {one for one in modules.values()} == {"bundle", "packages", "standard"}
    assert {name.partition(".")[0] for name, one in modules.items() if one == "packages"} <= set(BOTO3)
    heavy = {"pandas", "numpy", "scipy", "typer", "rich", "yaml", "msgspec", "pyarrow", "pycurl", "orjson", "certifi"}
    assert not heavy & {name.partition(".")[0] for name in modules}
    assert {"markupsafe._native", "jinja2.sandbox", "fastjsonschema", "rftj_cli.kernel.http"} <= {
        name for name, one in modules.items() if one == "bundle"
    }
    assert "markupsafe._speedups" not in modules


@pytest.mark.parametrize("name", PYTHONS, ids=["this", "3.12", "3.13"])
def test_recorded_replies_need_neither_boto3_nor_a_network(name: str, tmp_path: Path) -> None:
    file = rubric_file(tmp_path, judge={"model": "replay:m"})
    (tmp_path / "replies.jsonl").write_text("")
    told, lines = bare(python(name), tmp_path, file, [row("x")], RFTJ_REPLIES=str(tmp_path / "replies.jsonl"))
    assert told["results"][0]["metrics_list"] == [{"name": "rftj_failed", "value": 1.0, "type": "Metric"}]
    assert lines[0]["judge"] == "recorded replies" and lines[1]["failure"] == "call"
    assert not {"boto3", "botocore", "http.client", "ssl"} & set(told["modules"])


@pytest.mark.parametrize("name", PYTHONS[1:], ids=["3.12", "3.13"])
def test_the_same_bytes_of_another_python(name: str, tmp_path: Path) -> None:
    """What is packed does not hang on the version of Python that packs it, as far as the zip itself goes."""
    interpreter = python(name)
    code = (
        "import sys, importlib.util as u; s = u.spec_from_file_location('z', sys.argv[1]); m = u.module_from_spec(s); "
        "sys.path.insert(0, sys.argv[2]); s.loader.exec_module(m); "
        "sys.stdout.buffer.write(m.zip_bytes({'a/b': b'1' * 999, '\\xfc': b'', 'c.py': b'x'}))"
    )
    from rftj_cli.files import zips

    root = str(Path(zips.__file__).parents[2])
    made = subprocess.run(
        [interpreter, "-I", "-c", code, zips.__file__, root], capture_output=True, check=True, env=dict(os.environ)
    )
    assert made.stdout == zips.zip_bytes({"a/b": b"1" * 999, "\xfc": b"", "c.py": b"x"})

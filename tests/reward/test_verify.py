"""`reward verify`: a function that scores as it was measured passes; whatever a trainer's own verifier overlooks does not."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from making import write_rows, write_rubric

from rftj_cli.main import run
from rftj_cli.testing import FakeJudgeServer, Faults

pytest.importorskip("awslambdaric", reason="needs the extra `lambda` (Linux)")
ROOT = Path(__file__).resolve().parents[2]
CRITERIA = [
    {"id": "quality", "question": "Is it good?", "weight": 2},
    {"id": "depth", "question": "How deep?", "scale": [{"level": "low"}, {"level": "mid"}, {"level": "high"}]},
    {"id": "padded", "question": "Is it padded?", "weight": -1},
]
REWARD = {"range": [-1, 1], "on_failure": {"service": 0, "content": -1}}


def said(body: Mapping[str, Any]) -> str:
    """A reply that hangs on the prompt alone."""
    prompt = json.dumps(body["messages"])
    draw = hashlib.sha256(prompt.encode()).digest()
    levels = {"quality": ("pass", "fail")[draw[0] % 2], "depth": ("low", "mid", "high")[draw[1] % 3],
              "padded": ("pass", "fail")[draw[2] % 2]}  # fmt: skip
    if draw[3] % 50 == 0:
        return "I would rather not say."
    return json.dumps({name: {"reason": "so", "level": level} for name, level in levels.items()})


def rows(count: int) -> list[dict[str, Any]]:
    """Samples of every form: prompts and messages, references, fields, odd characters."""
    made: list[dict[str, Any]] = []
    for i in range(count):
        row: dict[str, Any] = {"id": f"s{i}", "response": f"answer {i} \u00e9\u4e16\U0001f600 {{{{ x }}}}\n"}
        if i % 3:
            row["prompt"] = f"question {i // 8}"
        else:
            row["messages"] = [{"role": "system", "content": "be brief"}, {"role": "user", "content": f"q{i // 8}"},
                               {"role": "assistant", "content": row.pop("response")}]  # fmt: skip
        if i % 2:
            row["reference"] = {"answer": i, "why": ["a", None, 1.5]} if i % 4 == 1 else f"reference {i}"
        row["context"] = {"domain": f"d{i % 5}", "n": i}
        made.append(row)
    return made


def bedrock(folder: Path, **changes: Any) -> Path:
    user = '{{ prompt | fence("q") }}\n{{ context.domain }} {{ reference | default("") }}\n{{ response | fence("a") }}\n{{ criteria }}'
    checks = [
        {"id": "short", "type": "max_chars", "max": 500, "essential": True},
        {"id": "odd", "type": "regex", "pattern": "[13579]"},
    ]
    given = {"criteria": CRITERIA, "checks": checks, "reward": REWARD, "prompt": {"system": "You judge.", "user": user},
             "judge": {"model": "bedrock:us.amazon.nova-2-lite-v1:0"}, **changes}  # fmt: skip
    return write_rubric(folder, **given)


def in_aws(monkeypatch: pytest.MonkeyPatch, server: FakeJudgeServer) -> None:
    for name, value in {"AWS_ACCESS_KEY_ID": "AKIAFAKE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1",
                        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": server.url}.items():  # fmt: skip
        monkeypatch.setenv(name, value)


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = run(["reward", "verify", *arguments, "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, found


def answers(found: Mapping[str, Any]) -> dict[str, str]:
    return {one["name"]: one["answer"] for one in found["findings"]}


def edited(source: Path, target: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """The zip with its members changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(source) as given, zipfile.ZipFile(out, "w") as made:
        for name in given.namelist():
            made.writestr(name, change(name, given.read(name)))
    target.write_bytes(out.getvalue())
    return target


def foreign(folder: Path, code: str) -> Path:
    with zipfile.ZipFile(folder / "foreign.zip", "w") as made:
        made.writestr("lambda_function.py", code)
    return folder / "foreign.zip"


@pytest.fixture
def contract(home: Path) -> Path:
    """The bundled example as a run and a bundle."""
    data, prompt = ROOT / "datasets/contract-review", ROOT / "prompts/contract-review/brief.yaml"
    replies = str(data / "replies/brief.jsonl")
    assert (
        run(
            [
                "score",
                str(prompt),
                str(data / "samples.jsonl"),
                "--import-replies",
                replies,
                "--run",
                "runs/brief",
                "-q",
            ]
        )
        == 0
    )
    assert (
        run(["reward", "build", str(prompt), "--set", "reward.on_failure.service=0", "--out", "brief.zip", "-q"]) == 0
    )
    return home


@pytest.mark.parametrize("name", ["brief", "defined", "no-contract", "rating-1-10"])
def test_contract_review_scores_the_same_in_the_function(
    name: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every sample of the bundled example gets the run's reward, to the last bit, through AWS's own runtime client."""
    data, prompt = ROOT / "datasets/contract-review", str(ROOT / f"prompts/contract-review/{name}.yaml")
    replies = ["--import-replies", str(data / f"replies/{name}.jsonl")]
    rule = ["--set", "reward.on_failure.service=0", "--set", "reward.on_failure.content=0"]
    assert (
        run(
            [
                "score",
                prompt,
                str(data / "samples.jsonl"),
                *replies,
                *rule,
                "--run",
                "runs/r",
                "-q",
                "--max-failures",
                "1",
            ]
        )
        == 0
    )
    assert run(["reward", "build", prompt, *rule, "--out", "r.zip", "-q"]) == 0
    code, found = document(capsys, "r.zip", "runs/r")
    assert (code, found["decision"]) == (0, "PASS"), found["findings"]
    assert found["parity"]["equal"] == found["parity"]["compared"] == 144
    assert found["notes"] == []


def test_two_thousand_samples_score_the_same_on_replay_and_on_a_faulty_service(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run's rewards come out of the zip: from its replies, and from a service that fails one call in ten."""
    from rftj_cli.files.runs import open_run
    from rftj_cli.reward.local import Limits, LocalFunction
    from rftj_cli.reward.parity import compare, recorded

    samples = write_rows(home / "samples.jsonl", rows(2000))
    faults = Faults(rate=0.1, kinds=("500", "503", "reset", "malformed"), seed=3)
    with FakeJudgeServer(said, faults=faults) as server:
        in_aws(monkeypatch, server)
        assert run(["score", str(bedrock(home)), str(samples), "--run", "runs/r", "-q", "--max-failures", "1"]) == 0
        assert run(["reward", "build", str(home / "rubric.yaml"), "--out", "r.zip", "-q"]) == 0
        code, found = document(capsys, "r.zip", "runs/r")
        assert (code, found["decision"]) == (0, "PASS"), found["findings"]
        assert found["parity"]["equal"] == found["parity"]["compared"] == 2000
        assert found["forecast"]["latency_p50"] > 0
        opened = open_run("runs/r")
        before = server.requests
        server.faults = Faults(rate=0.1, kinds=("429", "500", "503", "reset", "malformed"), seed=4)
        with LocalFunction(Path("r.zip"), Limits(timeout=120), pass_credentials=True) as function:
            live = compare(function, recorded(opened, opened.rubric), 1000)
        assert (live.equal, live.compared, live.errors) == (2000, 2000, ())
        assert server.requests > before + 2000  # some calls were made again


def test_a_changed_line_of_the_kernel_is_rejected(contract: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line of the reward's arithmetic changed: its file is named, and the rewards that differ."""
    old, new = (
        b"return (total - lowest) / (highest - lowest)",
        b"return (total - lowest) / (highest - lowest) * (1 - 1e-9)",
    )
    edited(Path("brief.zip"), Path("bad.zip"), lambda name, data: data.replace(old, new))
    code, found = document(capsys, "bad.zip", "runs/brief")
    assert (code, answers(found)["contents"], answers(found)["parity"]) == (1, "no", "no")
    assert any("kernel/reward.py: changed" in line for one in found["findings"] for line in one["details"])
    assert 0 < found["parity"]["equal"] < 144  # a reward of 0 is 0 still


def test_a_comment_in_the_kernel_is_rejected_too(contract: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What changes no reward today is not what was measured all the same."""
    edited(
        Path("brief.zip"), Path("bad.zip"), lambda name, data: data + b"# x\n" if name.endswith("votes.py") else data
    )
    code, found = document(capsys, "bad.zip", "runs/brief")
    assert (code, answers(found)["contents"], answers(found)["parity"]) == (1, "no", "yes")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            '"aggregate_reward_score": value, "metrics_list"',
            '"aggregate_reward_score": str(value), "metrics_list"',
            "no finite number",
        ),
        (
            '"aggregate_reward_score": value, "metrics_list"',
            '"aggregate_reward_score": True, "metrics_list"',
            "no finite number",
        ),
        (
            '"aggregate_reward_score": value, "metrics_list"',
            '"aggregate_reward_score": 1e9, "metrics_list"',
            "outside 0 to 1",
        ),
        ('{"id": row.id, "aggregate', '{"id": row.id or "0", "aggregate', 'id "0" for the row null'),
        ('{"id": row.id, "aggregate', '{"id": None, "aggregate', "id null for the row"),
        ('"value": float(part.u or 0)', '"value": str(part.u)', "value is no finite number"),
        ('"type": "Reward"', '"type": "Score"', 'type "Score"'),
        ("MALFORMED: 1.0}", 'MALFORMED: float("nan")}', "NaN"),
    ],
)
def test_blind_spots_of_other_verifiers(
    old: str, new: str, said: str, contract: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scores that are text, true, NaN or out of range, ids that are not echoed, metrics that are none: each is named."""

    def change(name: str, data: bytes) -> bytes:
        if not name.endswith("kernel/answering.py"):
            return data
        assert old.encode() in data
        return data.replace(old.encode(), new.encode())

    edited(Path("brief.zip"), Path("bad.zip"), change)
    code, found = document(capsys, "bad.zip", "runs/brief")
    assert (code, answers(found)["conformance"]) == (1, "no")
    assert said in json.dumps(found["conformance"]["faults"], ensure_ascii=False).replace('\\"', '"')


def test_a_function_that_takes_the_question_for_the_answer_is_rejected(
    contract: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row without an assistant turn, which AWS's verifiers send, must not be judged as if the user had answered."""
    old = b'if turns[-1]["role"] in ("assistant", "nova_assistant"):'
    edited(Path("brief.zip"), Path("bad.zip"), lambda name, data: data.replace(old, b"if True:"))
    code, found = document(capsys, "bad.zip", "runs/brief")
    assert (code, answers(found)["conformance"]) == (1, "no")
    assert any("no assistant turn" in one["event"] for one in found["conformance"]["faults"])


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "def lambda_handler(event, context): return [{'id': r['id'], 'aggregate_reward_score': .5} for r in event]",
            "failed",
        ),
        ("def lambda_handler(event, context): return []", "0 results for 3 rows"),
        ("def lambda_handler(event, context): return 'ok'", "neither a list"),
        ("import nothing_like_this", "No module named 'nothing_like_this'"),
    ],
)
def test_a_function_of_others_is_held_to_the_same(
    code: str, said: str, contract: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A zip that rftj did not make is tried all the same, and what it does wrong is named."""
    exit_code, found = document(capsys, str(foreign(contract, code + "\n")), "runs/brief")
    assert (exit_code, answers(found)["contents"]) == (1, "no")
    assert said in json.dumps(found["findings"], ensure_ascii=False) + json.dumps(found["conformance"])


def test_another_judge_is_rejected(contract: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run of another prompt proves nothing for this bundle."""
    prompt = str(ROOT / "prompts/contract-review/defined.yaml")
    assert run(["reward", "build", prompt, "--set", "reward.on_failure.service=0", "--out", "other.zip", "-q"]) == 0
    assert run(["reward", "verify", "other.zip", "runs/brief", "-q"]) == 3
    assert "nothing to compare" in capsys.readouterr().err


def test_another_reward_is_rejected(contract: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same judge with other weights is another reward: the samples that differ are named."""
    prompt = str(ROOT / "prompts/contract-review/brief.yaml")
    rule = ["--set", "reward.on_failure.service=0", "--set", "reward.combine=all_pass"]
    assert run(["reward", "build", prompt, *rule, "--out", "other.zip", "-q"]) == 0
    code, found = document(capsys, "other.zip", "runs/brief")
    assert (code, answers(found)["contents"], answers(found)["parity"]) == (1, "yes", "no")
    assert "reward.combine" in found["notes"][0]


def test_the_envelope_is_the_targets(contract: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """SageMaker's open-weight trainer takes an HTTP response, and gets one."""
    prompt = str(ROOT / "prompts/contract-review/brief.yaml")
    options = ["--set", "reward.on_failure.service=0", "--target", "sagemaker", "--out", "s.zip", "-q"]
    assert run(["reward", "build", prompt, *options]) == 0
    code, found = document(capsys, "s.zip", "runs/brief")
    assert (code, found["bundle"]["settings"]["envelope"]) == (0, "http")


def test_known_answers_hold_or_are_named(contract: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A regression set passes within its bounds, fails outside them, and is not shown where nobody has judged it."""
    samples = [json.loads(line) for line in (ROOT / "datasets/contract-review/samples.jsonl").read_text().splitlines()]
    write_rows(Path("good.jsonl"), [{**samples[3], "min_reward": 0.9}, {**samples[0], "max_reward": 0.2}])
    assert answers(document(capsys, "brief.zip", "runs/brief", "--known", "good.jsonl")[1])["known"] == "yes"
    write_rows(Path("bad.jsonl"), [{**samples[0], "min_reward": 0.9}])
    code, found = document(capsys, "brief.zip", "runs/brief", "--known", "bad.jsonl")
    assert (code, answers(found)["known"]) == (1, "no")
    write_rows(Path("new.jsonl"), [{**samples[0], "id": "n", "response": "new", "min_reward": 0.9}])
    code, found = document(capsys, "brief.zip", "runs/brief", "--known", "new.jsonl")
    assert (code, answers(found)["known"]) == (3, "not shown")
    write_rows(Path("none.jsonl"), [samples[0]])
    assert run(["reward", "verify", "brief.zip", "runs/brief", "--known", "none.jsonl"]) == 2
    assert "row 1" in (error := capsys.readouterr().err) and "min_reward" in error


def test_equal_answers_are_compared_where_the_judge_said_the_same(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two replies with the same words and other latencies are one; with other words the sample is left out, and said so."""
    given = [
        {"id": f"s{i}", "prompt": "q", "response": f"answer {i % 4}", "context": {"domain": "d"}} for i in range(16)
    ]
    samples = write_rows(home / "samples.jsonl", given)
    with FakeJudgeServer(said) as server:
        in_aws(monkeypatch, server)
        assert run(["score", str(bedrock(home)), str(samples), "--run", "runs/same", "-q", "--max-failures", "1"]) == 0
        server.rule = lambda body: said({"messages": [body["messages"], server.requests]})
        assert (
            run(
                [
                    "score",
                    str(bedrock(home)),
                    str(samples),
                    "--run",
                    "runs/noisy",
                    "--fresh",
                    "-q",
                    "--max-failures",
                    "1",
                ]
            )
            == 0
        )
    assert run(["reward", "build", str(home / "rubric.yaml"), "--out", "r.zip", "-q"]) == 0
    code, found = document(capsys, "r.zip", "runs/same")
    assert (code, found["parity"]["compared"], found["parity"]["left_out"]) == (0, 16, {})
    code, found = document(capsys, "r.zip", "runs/noisy")
    (why,) = found["parity"]["left_out"]
    assert code == 0 and "two different replies" in why


def test_a_live_judge_is_asked_again(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --live the judge itself answers, several times, and its noise is reported with an interval."""
    samples = write_rows(home / "samples.jsonl", rows(40))
    with FakeJudgeServer(said) as server:
        in_aws(monkeypatch, server)
        assert run(["score", str(bedrock(home)), str(samples), "--run", "runs/r", "-q", "--max-failures", "1"]) == 0
        assert run(["reward", "build", str(home / "rubric.yaml"), "--out", "r.zip", "-q"]) == 0
        before = server.requests
        code, found = document(capsys, "r.zip", "runs/r", "--live", "10", "--repeats", "3")
        assert (code, server.requests - before) == (0, 30)
        assert found["repeat"]["changed"]["value"] == 0 and found["repeat"]["equal"]["value"] == 1
        server.rule = lambda body: said({"messages": [body["messages"], server.requests]})
        code, found = document(capsys, "r.zip", "runs/r", "--live", "10")
        assert code == 0 and found["repeat"]["changed"]["value"] > 0.5


def test_a_live_judge_is_priced_before_and_after(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Calls, tokens and dollars are said before, counted after, and held against --max-cost, which asks nobody."""
    samples = write_rows(home / "samples.jsonl", rows(40))
    with FakeJudgeServer(said) as server:
        in_aws(monkeypatch, server)
        assert run(["score", str(bedrock(home)), str(samples), "--run", "runs/r", "-q", "--max-failures", "1"]) == 0
        assert run(["reward", "build", str(home / "rubric.yaml"), "--out", "r.zip", "-q"]) == 0
        before = server.requests
        capsys.readouterr()
        live = ["reward", "verify", "r.zip", "runs/r", "--live", "10", "--repeats", "3"]
        assert run([*live, "--max-cost", "0.000001"]) == 3 and server.requests == before
        assert "more than --max-cost 1e-06: it was not asked" in capsys.readouterr().err
        assert run([*live, "--max-cost", "1"]) == 0
        told = capsys.readouterr()
        assert "asking the real judge about 30 rows: about 30 calls, " in told.err and " out, $0.0" in told.err
        assert "about 30 rows: 30 calls, " in told.out
        _, found = document(capsys, *live[2:])
        assert found["spending"]["measured"] and found["spending"]["calls"] == 30 and found["spending"]["cost"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.zip", "runs/brief"], "no such file"),
        (["brief.zip", "runs/none"], "no such run"),
        (["runs/brief/run.json", "runs/brief"], "not a zip"),
        (["runs", "runs/brief"], "a folder"),
        (["arn:aws:lambda:eu-west-1:1:function:x", "runs/brief"], "not the ARN of a Lambda function"),
        (["brief.zip", "runs/brief", "--known", "none.jsonl"], "no such regression set"),
    ],
)
def test_wrong_input_is_named(
    arguments: list[str], said: str, contract: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is missing or is something else is an error of the input."""
    assert run(["reward", "verify", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_the_function_answers_before_lambda_ends_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge that hangs costs rewards, not the invocation: every row has its constant within the function's timeout."""
    from rftj_cli.reward.local import Limits, LocalFunction

    with FakeJudgeServer(said, latency=30.0) as server:
        in_aws(monkeypatch, server)
        assert run(["reward", "build", str(bedrock(home)), "--out", "r.zip", "-q"]) == 0
        event = [{"id": str(i), "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
                  "metadata": {"context": {"domain": "d"}}} for i in range(80)]  # fmt: skip
        with LocalFunction(Path("r.zip"), Limits(timeout=3), pass_credentials=True) as function:
            done = function.invoke(event)
    assert done.error is None
    assert [row["id"] for row in done.payload] == [str(i) for i in range(80)]
    assert {row["aggregate_reward_score"] for row in done.payload} == {0.0}  # on_failure.service
    assert all({"name": "rftj_failed", "value": 1.0, "type": "Metric"} in row["metrics_list"] for row in done.payload)
    assert all(json.loads(line)["failure"] == "timeout" for line in done.logs if "reward-log" in line)


def test_contract_review_scores_the_same_on_a_faulty_service(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bundled samples, judged by the fake Bedrock with faults: the zip that calls it itself gives the same rewards."""
    from rftj_cli.files.runs import open_run
    from rftj_cli.reward.local import Limits, LocalFunction
    from rftj_cli.reward.parity import compare, recorded

    def level(body: Mapping[str, Any]) -> str:
        draw = hashlib.sha256(json.dumps(body["messages"]).encode()).digest()
        return json.dumps({"grounding": ("pass", "fail")[draw[0] % 2], "consistency": ("pass", "fail")[draw[1] % 2],
                           "actionability": ("vague", "usable", "ready")[draw[2] % 3]})  # fmt: skip

    prompt = str(ROOT / "prompts/contract-review/brief.yaml")
    settings = ["--set", "judge.model=bedrock:us.amazon.nova-2-lite-v1:0", "--set", "reward.on_failure.service=0"]
    faults = Faults(rate=0.1, kinds=("500", "503", "reset", "malformed"), seed=5)
    with FakeJudgeServer(level, faults=faults) as server:
        in_aws(monkeypatch, server)
        samples = str(ROOT / "datasets/contract-review/samples.jsonl")
        assert run(["score", prompt, samples, *settings, "--run", "runs/r", "-q"]) == 0
        assert run(["reward", "build", prompt, *settings, "--out", "r.zip", "-q"]) == 0
        opened = open_run("runs/r")
        with LocalFunction(Path("r.zip"), Limits(timeout=120), pass_credentials=True) as function:
            live = compare(function, recorded(opened, opened.rubric), 64)
    assert (live.equal, live.compared, live.errors) == (144, 144, ())
    assert document(capsys, "r.zip", "runs/r")[1]["parity"]["equal"] == 144

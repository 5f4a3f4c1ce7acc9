"""`rftj rft sample`: rollouts through the runner of `rftj score`, against a server that counts what it is asked."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from making import write_rows, write_rubric
from rft_commands import Rftj, rows_in

from rftj_cli.kernel.outcome import Request
from rftj_cli.testing import Answer, FakeJudgeServer, Faults

PROMPTS: list[dict[str, Any]] = [
    {"id": "p1", "prompt": "Name a river.", "reference": "Rhine", "domain": "geo"},
    {"id": "p2", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Name a lake."}]},
]


@pytest.fixture
def poet() -> FakeJudgeServer:
    """A model that never says the same twice."""
    numbers = itertools.count(1)
    return FakeJudgeServer(lambda body: f"answer {next(numbers)}")


def sample(rftj: Rftj, server: FakeJudgeServer, *more: object, prompts: str = "prompts.jsonl", n: int = 3) -> Any:
    return rftj(
        "rft",
        "sample",
        prompts,
        "--model",
        "openai:m",
        "--base-url",
        server.base_url,
        "-n",
        n,
        "--out",
        "out.jsonl",
        *more,
    )


def test_each_prompt_gets_n_answers_that_score_takes_as_they_are(rftj: Rftj, poet: FakeJudgeServer) -> None:
    """The samples keep every field of their prompt, and `rftj score` judges them."""
    write_rows(Path("prompts.jsonl"), PROMPTS)
    with poet:
        done = sample(rftj, poet)
    assert done.code == 0, done.err
    rows = rows_in("out.jsonl")
    assert [row["id"] for row in rows] == ["p1-1", "p1-2", "p1-3", "p2-1", "p2-2", "p2-3"]
    assert len({row["response"] for row in rows}) == 6
    first = rows[0]
    assert (first["group"], first["reference"], first["domain"]) == ("p1", "Rhine", "geo")
    assert first["rollout"] == {"model": "openai:m", "temperature": 1.0, "k": 1, "stop": "end", "output_tokens": 3}
    assert rows[3]["messages"] == PROMPTS[1]["messages"]
    write_rubric(Path())
    with FakeJudgeServer('{"quality": {"reason": "fine", "level": "pass"}}') as judge:
        scored = rftj("score", "rubric.yaml", "out.jsonl", "--base-url", judge.base_url, "--json")
    assert (scored.code, scored.document["counts"]["stage_verdict"]) == (0, 6)


def test_the_calls_of_one_prompt_differ_and_hold_nobody_to_json(rftj: Rftj, poet: FakeJudgeServer) -> None:
    """Each answer has a seed of its own, and no schema is asked for."""
    write_rows(Path("prompts.jsonl"), PROMPTS[1:])
    with poet:
        sample(rftj, poet, "--seed", 7, "--max-tokens", 99)
    bodies = poet.bodies
    assert sorted(body["seed"] for body in bodies) == [7, 8, 9]
    assert all("response_format" not in body and body["max_tokens"] == 99 for body in bodies)
    assert bodies[0]["messages"] == PROMPTS[1]["messages"]


def test_faults_are_survived_and_what_stays_broken_is_listed(rftj: Rftj, poet: FakeJudgeServer) -> None:
    """A refusal or an empty text is a failure with its reason, and never an answer."""
    write_rows(Path("prompts.jsonl"), PROMPTS)
    poet.faults = Faults(script=["ok", "429", "reset", "filtered", "refusal"])
    with poet:
        done = sample(rftj, poet, "--json", "--max-failures", 1, "--workers", 1)
    document = done.document
    assert done.code == 0
    assert document["rollouts"] == {
        "wanted": 6, "written": 4, "failed": 2, "cut": 0, "mean_output_tokens": document["rollouts"]["mean_output_tokens"]
    }  # fmt: skip
    assert sorted(one["stage"] for one in document["failures"]) == ["filtered", "refused"]
    assert len(rows_in("out.jsonl")) == 4
    assert document["this_command"]["retries"] == 2


def test_too_many_failures_are_no_answer(rftj: Rftj) -> None:
    """Beyond --max-failures the command cannot tell, and the report has said which."""
    write_rows(Path("prompts.jsonl"), PROMPTS)
    with FakeJudgeServer(Answer("", stop="max_tokens")) as server:
        done = sample(rftj, server)
    assert done.code == 3
    assert "6 of 6 rollouts failed" in done.err
    assert "p1-1  truncated" in done.out


def test_a_cut_answer_is_kept_marked_and_warned_about(rftj: Rftj) -> None:
    """An answer that ended at the limit of tokens is an answer, and half of one."""
    write_rows(Path("prompts.jsonl"), PROMPTS[:1])
    with FakeJudgeServer(Answer("The river is", stop="max_tokens")) as server:
        done = sample(rftj, server)
    assert [row["rollout"]["stop"] for row in rows_in("out.jsonl")] == ["max_tokens"] * 3
    assert "3 of 3 answers were cut at --max-tokens 2048" in " ".join(done.out.split())
    assert "1 of 1 prompts got the same answer each time" in " ".join(done.out.split())


def test_the_same_command_goes_on_where_it_stopped(rftj: Rftj, poet: FakeJudgeServer) -> None:
    """A ceiling ends it without a file; with a higher one only the rest is asked, and the file is the same again."""
    write_rows(Path("prompts.jsonl"), [{"id": f"p{i}", "prompt": f"Prompt {i}."} for i in range(40)])
    Path("prices.yaml").write_text("date: x\nmodels: {'openai:m': {input: 0, output: 1000}}\n", encoding="utf-8")
    with poet:
        short = sample(rftj, poet, "--prices", "prices.yaml", "--max-cost", 0.3, "--max-tokens", 50, "--workers", 2)
        assert short.code == 3 and "--max-cost 0.3 reached" in short.err
        assert not Path("out.jsonl").exists()
        paid = poet.requests
        assert 0 < paid < 120
        whole = sample(rftj, poet, "--prices", "prices.yaml", "--max-tokens", 50, "--json")
        assert whole.code == 0 and poet.requests == 120
        first = Path("out.jsonl").read_bytes()
        again = sample(rftj, poet, "--max-tokens", 50)
        assert again.code == 0 and poet.requests == 120
        more = sample(rftj, poet, "--max-tokens", 50, n=4)
        assert more.code == 0 and poet.requests == 160
    assert len(rows_in("out.jsonl")) == 160
    assert set(first.splitlines()) <= set(Path("out.jsonl").read_bytes().splitlines())


def test_what_came_from_another_endpoint_is_said(rftj: Rftj, poet: FakeJudgeServer, server: FakeJudgeServer) -> None:
    """The name of a model is not the model: a folder may be continued elsewhere, and the report says so."""
    write_rows(Path("prompts.jsonl"), PROMPTS)
    with poet:
        assert sample(rftj, poet).code == 0
    done = sample(rftj, server, n=4)
    assert done.code == 0 and "6 rollouts came from another endpoint" in " ".join(done.out.split())


def test_a_killed_command_loses_at_most_what_was_in_flight(rftj: Rftj, home: Path) -> None:
    """After SIGKILL the same command finishes the rest, and every rollout is there once."""
    write_rows(Path("prompts.jsonl"), [{"id": f"p{i}", "prompt": f"Prompt {i}."} for i in range(50)])
    with FakeJudgeServer("Fine.", latency=0.02) as slow:
        command = [sys.executable, "-m", "rftj_cli", "rft", "sample", "prompts.jsonl", "--model", "openai:m", "-n", "4"]
        command += ["--base-url", slow.base_url, "--out", "out.jsonl", "--workers", "2", "--run", "kept"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while slow.requests < 60 and process.poll() is None:
            time.sleep(0.01)
        process.kill()
        process.wait()
        assert not Path("out.jsonl").exists()
        slow.latency = 0
        done = sample(rftj, slow, "--run", "kept", n=4)
        assert done.code == 0
        assert 200 <= slow.requests <= 200 + 60
    assert len({row["id"] for row in rows_in("out.jsonl")}) == len(rows_in("out.jsonl")) == 200


def test_rollouts_are_prepared_as_the_prompts_they_answer(rftj: Rftj, poet: FakeJudgeServer) -> None:
    """The messages that the model saw become the record's, and its id is the prompt's."""
    rows = [{"id": f"p{i}", "prompt": f"Name number {i}.", "context": f"c{i}", "reference": "r"} for i in range(100)]
    write_rows(Path("prompts.jsonl"), rows)
    Path("t.j2").write_text("{{ prompt }} {{ context }}", encoding="utf-8")
    write_rubric(Path(), prompt={"user": "{{ prompt }} {{ context }} {{ reference }} {{ response }}"})
    with poet:
        assert sample(rftj, poet, "--prompt-template", "t.j2", n=2).code == 0
    done = rftj("rft", "prepare", "out.jsonl", "--out", "data", "--rubric", "rubric.yaml", "--json")
    assert done.code == 0, done.out
    assert done.document["judging"]["of_answers"] == "real"
    assert rows_in("data/train.jsonl")[7] == {
        "id": "p7", "messages": [{"role": "user", "content": "Name number 7. c7"}], "reference_answer": "r", "context": "c7",
        "prompt": "Name number 7.",
    }  # fmt: skip


def test_a_ceiling_holds_from_the_first_call_on(rftj: Rftj) -> None:
    """Before any answer is known each is expected to be as long as it may be."""
    write_rows(Path("prompts.jsonl"), [{"id": f"p{i}", "prompt": f"Prompt {i}."} for i in range(40)])
    Path("prices.yaml").write_text("date: x\nmodels: {'openai:m': {input: 0, output: 1000}}\n", encoding="utf-8")
    with FakeJudgeServer("word " * 400) as server:
        done = sample(rftj, server, "--prices", "prices.yaml", "--max-cost", 5, "--workers", 64)
        assert done.code == 3
        assert server.billed.output / 1000 <= 5


def test_changed_settings_have_a_folder_of_their_own(rftj: Rftj, poet: FakeJudgeServer) -> None:
    """One folder never mixes two temperatures, nor another prompt under a known id."""
    write_rows(Path("prompts.jsonl"), PROMPTS)
    with poet:
        assert sample(rftj, poet, "--run", "rolled").code == 0
        other = sample(rftj, poet, "--run", "rolled", "--temperature", 0.5)
        assert other.code == 2 and "another temperature" in other.err
        write_rows(Path("prompts.jsonl"), [{**PROMPTS[0], "prompt": "Name a sea."}])
        changed = sample(rftj, poet, "--run", "rolled", n=4)
        assert changed.code == 2 and "another prompt under the same id" in changed.err


def test_samples_are_prompts_without_their_answers(rftj: Rftj, poet: FakeJudgeServer) -> None:
    """Rows that hold answers and labels give one prompt a group, and neither goes into the new samples."""
    rows = [
        {"id": f"a{i}", "group": "a", "prompt": "Name a river.", "response": f"old {i}", "label": "pass", "seen": i}
        for i in range(2)
    ]
    write_rows(Path("prompts.jsonl"), rows)
    with poet:
        done = sample(rftj, poet)
    assert "1 of 2 rows; answers and labels in these are left out" in " ".join(done.out.split())
    assert [row["id"] for row in rows_in("out.jsonl")] == ["a-1", "a-2", "a-3"]
    assert all(
        "label" not in row and "seen" not in row and "old" not in row["response"] for row in rows_in("out.jsonl")
    )


def test_templates_make_what_the_model_sees_and_keep_what_the_judge_sees(rftj: Rftj, poet: FakeJudgeServer) -> None:
    """A template is rendered from the row's fields; sample text in it is data."""
    write_rows(
        Path("prompts.jsonl"), [{"id": "p", "prompt": "Review {{ reference }}.", "context": {"text": "A clause."}}]
    )
    Path("t.j2").write_text("{{ prompt }}\n\n{{ context.text }}\n", encoding="utf-8")
    with poet:
        bare = sample(rftj, poet)
        assert "not shown the `context` of 1 of 1 prompts" in " ".join(bare.out.split())
        assert sample(rftj, poet, "--prompt-template", "t.j2", "--system", "You are {{ id }}.").code == 2
        done = sample(rftj, poet, "--prompt-template", "t.j2", "--system", "You are careful.")
    assert done.code == 0 and "not shown" not in done.out
    row = rows_in("out.jsonl")[0]
    asked = [
        {"role": "system", "content": "You are careful."},
        {"role": "user", "content": "Review {{ reference }}.\n\nA clause."},
    ]
    assert row["messages"] == asked and row["prompt"] == "Review {{ reference }}."
    assert poet.bodies[-1]["messages"] == asked


def test_a_conversation_is_sent_turn_by_turn_to_both_services(
    rftj: Rftj, poet: FakeJudgeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Earlier turns keep their roles; Converse gets them alternating, as it wants them."""
    turns = [
        ("system", "Be brief."),
        ("user", "Hi."),
        ("user", "Are you there?"),
        ("assistant", "Yes."),
        ("user", "Name a sea."),
    ]
    messages = [{"role": role, "content": text} for role, text in turns]
    write_rows(Path("prompts.jsonl"), [{"id": "p", "messages": messages}])
    with poet:
        assert sample(rftj, poet, n=1).code == 0
        assert poet.bodies[-1]["messages"] == messages
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", poet.url)
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "key")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        done = rftj(
            "rft",
            "sample",
            "prompts.jsonl",
            "--model",
            "bedrock:us.amazon.nova-2-lite-v1:0",
            "-n",
            2,
            "--out",
            "b.jsonl",
        )
    assert done.code == 0, done.err
    body = poet.bodies[-1]
    assert body["system"] == [{"text": "Be brief."}]
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][0]["content"] == [{"text": "Hi."}, {"text": "Are you there?"}]
    assert not {"outputConfig", "toolConfig"} & set(body)
    assert len({row["response"] for row in rows_in("b.jsonl")}) == 2


def test_turns_do_not_change_the_keys_of_requests_without_them() -> None:
    """Replies that were recorded before there were turns are found as before."""
    plain = Request("m", "s", "u", 0.0, 10, None, {}, "none", False)
    assert plain.key == "5c769829c45d1a6b2c82ae56b0b1054f23c16f9f2e44c0df56e54be7a093c7ea"
    with_turns = Request("m", "s", "u", 0.0, 10, None, {}, "none", False, turns=(("user", "a"), ("assistant", "b")))
    assert plain.key != with_turns.key


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"text": "x"}, "no prompt"),
        ({"prompt": " "}, "an empty prompt"),
        ({"messages": []}, "expected: a list of {role, content}"),
        ({"messages": [{"role": "user"}]}, "expected: {role, content}"),
        ({"messages": [{"role": "tool", "content": "x"}, {"role": "user", "content": "x"}]}, "cannot be sent as text"),
        ({"messages": [{"role": "system", "content": "x"}]}, "not the user's"),
        ({"prompt": "x", "metadata": {"prompt": "y"}}, "two values under one name"),
        ({"prompt": "x", "response": 3}, "wrong type"),
        ({"prompt": "x", "id": []}, "bad id"),
    ],
)
def test_a_row_that_is_no_prompt_is_named(rftj: Rftj, server: FakeJudgeServer, row: dict[str, Any], said: str) -> None:
    """File, row and key, before any call."""
    write_rows(Path("prompts.jsonl"), [PROMPTS[0], row])
    done = sample(rftj, server)
    assert done.code == 2 and "row 2" in done.err and said in " ".join(done.err.split())
    assert server.requests == 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--model", "lexical"), "writes no answers"),
        (("--model", "bedrok:x"), "did you mean `bedrock`?"),
        (("--model", "openai:"), "no model is named"),
        (("--out", "prompts.jsonl"), "cannot be written over"),
        (("--out", "x.csv"), "JSON Lines"),
        (("--out", "other.jsonl"), "holds no rollouts"),
        (("--max-cost", "1"), "--max-cost needs the price"),
        (("--prompt-template", "none.j2"), "no such prompt template"),
        (("--system", "{% if %}"), "the template is wrong"),
        (("--temperature", "nan"), "less than or equal to 2"),
        (("--run", "prompts.jsonl"), "not a folder of rollouts"),
        (("--run", "."), "something else than rollouts"),
        (("-n", "0"), "-n"),
    ],
)
def test_options_that_cannot_be_are_refused(
    rftj: Rftj, server: FakeJudgeServer, more: tuple[str, str], said: str
) -> None:
    """Each names itself, and nobody is called."""
    write_rows(Path("prompts.jsonl"), PROMPTS)
    write_rows(Path("other.jsonl"), [{"id": 1, "response": "mine"}])
    done = sample(rftj, server, *more)
    assert done.code == 2 and said in " ".join(done.err.split()), done.err
    assert server.requests == 0 and rows_in("other.jsonl") == [{"id": 1, "response": "mine"}]


def test_an_error_with_json_is_one_document(rftj: Rftj, server: FakeJudgeServer) -> None:
    """As everywhere."""
    done = sample(rftj, server, "--json")
    assert json.loads(done.out)["schema"] == "rftj.error/1"


def test_without_out_the_file_is_called_after_the_prompts(rftj: Rftj, poet: FakeJudgeServer) -> None:
    """The same command twice writes the same file; a file of that name that holds no rollouts is left alone."""
    write_rows(Path("prompts.jsonl"), PROMPTS)
    words = ["rft", "sample", "prompts.jsonl", "--model", "openai:m", "-n", 2, "--temperature", 1]
    with poet:
        words += ["--base-url", poet.base_url]
        assert [rftj(*words).code for _ in range(2)] == [0, 0]
        assert len(rows_in("prompts-rollouts.jsonl")) == 4
        write_rows(Path("prompts-rollouts.jsonl"), PROMPTS)
        assert rftj(*words).code == 2

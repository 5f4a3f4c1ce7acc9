"""`rftj rft prepare`: every rule of the service, and the proof that the reward reads what was measured."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from making import write_rows, write_rubric
from rft_commands import Done, Rftj, rows_in

from rftj_cli.files.rubrics import load_rubric
from rftj_cli.kernel.asks import asks
from rftj_cli.kernel.events import read_row
from rftj_cli.kernel.sample import read_sample
from rftj_cli.rft.parity import event_of

NEEDY = {"prompt": {"user": "{{ prompt }} {{ context.text }} {{ reference }} {{ response }}"}}


def prompts(count: int = 100, **more: Any) -> list[dict[str, Any]]:
    return [{"id": f"p{i}", "prompt": f"Name number {i}, please.", **more} for i in range(count)]


def user(text: str = "Name a river, please.") -> dict[str, str]:
    return {"role": "user", "content": text}


def prepare(rftj: Rftj, rows: list[dict[str, Any]], *more: object) -> Done:
    write_rows(Path("rows.jsonl"), rows)
    return rftj("rft", "prepare", "rows.jsonl", "--out", "data", "--json", *more)


def rules(done: Done, severity: str = "error") -> dict[str, int]:
    return {one["rule"]: one["count"] for one in done.document["rules"] if one["severity"] == severity}


def test_prompts_become_records_with_their_hash(rftj: Rftj) -> None:
    """One record a prompt, its reference under AWS's name; the manifest tells the bytes; again the same bytes."""
    done = prepare(rftj, prompts(reference="r", domain="d", label="pass", split="dev"))
    assert done.code == 0, done.out
    row = rows_in("data/train.jsonl")[0]
    assert row == {"id": "p0", "messages": [user("Name number 0, please.")], "reference_answer": "r", "domain": "d"}
    manifest = json.loads(Path("data/prepare.json").read_text(encoding="utf-8"))
    data = Path("data/train.jsonl").read_bytes()
    assert manifest["parts"]["train"]["sha256"] == hashlib.sha256(data).hexdigest()
    before = [path.read_bytes() for path in sorted(Path("data").iterdir())]
    assert prepare(rftj, prompts(reference="r", domain="d", label="pass", split="dev")).code == 0
    assert [path.read_bytes() for path in sorted(Path("data").iterdir())] == before


def test_samples_become_one_record_a_group_without_answers_and_labels(rftj: Rftj) -> None:
    """What differs between the answers of a group is no property of the prompt, and is left out."""
    rows = [
        {"id": f"{row['id']}-{k}", "group": row["id"], "prompt": row["prompt"], "response": f"r{k}", "accepted": k,
         "labels": {"quality": "pass"}, "domain": "d"}
        for row in prompts() for k in range(2)
    ]  # fmt: skip
    done = prepare(rftj, rows)
    assert done.code == 0
    assert rows_in("data/train.jsonl")[3] == {"id": "p3", "messages": [user("Name number 3, please.")], "domain": "d"}
    assert "accepted" in done.document["findings"][-1]["problem"]
    assert not any(word in Path("data/train.jsonl").read_text(encoding="utf-8") for word in ("response", "label", "r1"))


@pytest.mark.parametrize(
    ("row", "rule", "key"),
    [
        ({"messages": []}, "messages", "messages"),
        ({"messages": "hello"}, "messages", "messages"),
        ({"messages": [{"role": "user"}]}, "messages", "messages[0]"),
        ({"messages": [{**user(), "name": "x"}]}, "extra-key", "messages[0].name"),
        ({"messages": [{"role": "human", "content": "x"}]}, "role", "messages[0].role"),
        ({"messages": [user(), {"role": "system", "content": "x"}, user()]}, "system-first", "messages[1].role"),
        ({"messages": [{"role": "system", "content": "x"}]}, "user", "messages"),
        ({"messages": [user(), {"role": "bot", "content": "x"}]}, "last-turn", "messages[1]"),
        ({"messages": [{"role": "user", "content": [{"image": "x"}]}]}, "text-only", "messages[0].content"),
        ({"messages": [user(" ")]}, "empty", "messages[0].content"),
        ({"prompt": ""}, "empty", "messages[0].content"),
        ({"prompt": "Name a river, please.", "reference_answer": 3}, "reference", "reference_answer"),
        ({"prompt": "Name a river, please.", "reference": [1]}, "reference", "reference_answer"),
        ({"prompt": "Name a river, please.", "reference_answer": {}}, "reference", "reference_answer"),
        ({"prompt": "Name a river, please.", "reference_answer": " "}, "reference", "reference_answer"),
        ({"prompt": "Name a river, please.", "metadata": "x"}, "reserved", "metadata"),
        ({"prompt": "Name number 3, please."}, "duplicate-messages", "messages"),
        ({"id": "p3", "prompt": "Name a river, please."}, "duplicate-id", "id"),
        ({"prompt": "river " * 20_000}, "prompt-length", "messages"),
        ({"prompt": "x" * 6_000_001}, "record-size", "messages"),
        ({"text": "x"}, "unreadable", "prompt"),
        ({"prompt": "x", "id": {}}, "unreadable", "id"),
    ],
)
def test_a_faulty_row_is_found_named_and_can_be_left_out(rftj: Rftj, row: dict[str, Any], rule: str, key: str) -> None:
    """File, row and key; nothing is written, unless faulty rows are to be dropped: then they are counted."""
    done = prepare(rftj, [*prompts(), row])
    assert done.code == 2 and not Path("data").exists()
    assert rule in rules(done)
    finding = next(one for one in done.document["findings"] if one["rule"] == rule)
    assert (finding["file"], finding["row"], finding["key"]) == ("rows.jsonl", 101, key)
    dropped = prepare(rftj, [*prompts(), row], "--drop-faulty")
    assert dropped.code == 0
    assert sum(dropped.document["dropped"].values()) == 1
    assert len(rows_in("data/train.jsonl")) == 100


def test_fewer_than_a_hundred_records_are_an_error_that_nothing_gets_around(rftj: Rftj) -> None:
    """AWS's rule, also after faulty rows were dropped; for Nova on SageMaker it holds for eval too."""
    assert rules(prepare(rftj, prompts(99))) == {"too-few": 1}
    assert rules(prepare(rftj, [*prompts(99), {"prompt": ""}], "--drop-faulty")) == {"too-few": 1}
    done = prepare(rftj, prompts(160), "--split", "train")
    assert done.code == 0 and "too-few" in rules(done, "advice")
    assert rules(prepare(rftj, prompts(160), "--split", "train", "--target", "sagemaker")) == {"too-few": 1}
    assert rules(prepare(rftj, prompts(160), "--split", "anchor")) == {"too-few": 1}  # an empty eval.jsonl is none


def test_train_and_eval_share_no_prompt_and_no_cluster(rftj: Rftj) -> None:
    """A split goes by cluster; a file of its own is searched for what the training has seen."""
    done = prepare(rftj, [{**row, "cluster": f"c{i // 4}"} for i, row in enumerate(prompts(400))], "--split", "test")
    assert done.code == 0
    clusters = [{row["cluster"] for row in rows_in(f"data/{name}.jsonl")} for name in ("train", "eval")]
    assert not clusters[0] & clusters[1] and len(clusters[1]) > 20
    write_rows(
        Path("eval.jsonl"),
        [
            {"id": "e1", "prompt": "Name number 3, please."},
            {"id": "e2", "prompt": "A new one.", "cluster": "p7"},
            {"id": "e3", "prompt": "A third."},
        ],
    )
    leaky = prepare(rftj, prompts(), "--eval", "eval.jsonl")
    assert rules(leaky) == {"leak": 2}
    assert {one["key"] for one in leaky.document["findings"] if one["rule"] == "leak"} == {"messages", "cluster"}
    assert prepare(rftj, prompts(), "--split", "tset").code == 2
    assert prepare(rftj, prompts(), "--split", "test", "--eval", "eval.jsonl").code == 2


@pytest.mark.parametrize("target", ["bedrock", "sagemaker", "hyperpod"])
def test_the_reward_reads_from_an_event_what_score_reads_from_the_sample(rftj: Rftj, target: str) -> None:
    """For every target the requests to the judge are the same, also where a template made the messages."""
    rubric = load_rubric(write_rubric(Path(), **NEEDY))
    Path("t.j2").write_text("{{ prompt }}\n{{ context.text }}", encoding="utf-8")
    rows = [{**row, "context": {"text": f"c{i}"}, "reference": {"a": i}, "extra": 1} for i, row in enumerate(prompts())]
    done = prepare(rftj, rows, "--rubric", "rubric.yaml", "--prompt-template", "t.j2", "--target", target)
    assert done.code == 0, done.out
    assert done.document["rubric"]["judge_fingerprint"] == rubric.judge_fingerprint
    assert done.document["judging"]["calls"] == 1
    record = rows_in("data/train.jsonl")[5]
    assert record["messages"] == [user("Name number 5, please.\nc5")] and "extra" not in json.dumps(record)
    offline = read_sample({**rows[5], "response": "an answer"}, "rubric")
    online = read_row(event_of(record, "an answer", target)).sample  # type: ignore[arg-type]
    assert online is not None
    assert [one.request.key for one in asks(rubric, offline)] == [one.request.key for one in asks(rubric, online)]


def test_what_the_judge_would_miss_is_named(rftj: Rftj) -> None:
    """A field that the row has not, that differs within a group, or that the event would bring otherwise."""
    write_rubric(Path(), **NEEDY)
    missing = prepare(rftj, prompts(), "--rubric", "rubric.yaml")
    assert rules(missing)["judge-misses"] == 100
    assert "context.text" in missing.document["findings"][0]["problem"]
    rows = [
        {**row, "id": f"{row['id']}-{k}", "group": row["id"], "response": "r", "context": {"text": f"{k}"}, "reference": "x"}
        for row in prompts() for k in range(2)
    ]  # fmt: skip
    assert rules(prepare(rftj, rows, "--rubric", "rubric.yaml"))["differing"] == 100
    write_rubric(Path(), prompt={"user": "{{ messages }} {{ response }}"})
    Path("t.j2").write_text("Dear model, {{ prompt }}", encoding="utf-8")
    rows = [{**row, "messages": [user(row["prompt"])]} for row in prompts()]
    other = prepare(rftj, rows, "--rubric", "rubric.yaml", "--prompt-template", "t.j2")
    assert rules(other)["judge-differs"] == 100
    assert other.document["findings"][0]["key"] == "messages"
    write_rubric(Path(), checks=[{"id": "same", "type": "equals_reference"}])
    assert rules(prepare(rftj, prompts(), "--rubric", "rubric.yaml"))["judge-misses"] == 100


def test_fields_that_no_judge_needs_stay_out_unless_they_are_kept(rftj: Rftj) -> None:
    """With a rubric the record holds what its judge reads, what the service knows, and what --keep names."""
    write_rubric(Path())
    done = prepare(rftj, prompts(domain="d", note="n", tools=[]), "--rubric", "rubric.yaml", "--keep", "domain")
    assert done.code == 0
    assert set(rows_in("data/train.jsonl")[0]) == {"id", "messages", "domain", "tools"}


def test_a_field_to_keep_that_cannot_be_kept_is_an_error(rftj: Rftj) -> None:
    """A slip in --keep, or a field that differs between the answers of a group, would be missed after the training."""
    write_rubric(Path())
    slip = prepare(rftj, prompts(domain="d"), "--rubric", "rubric.yaml", "--keep", "domian")
    assert slip.code == 2 and "no row has this field" in slip.out and "domain" in slip.document["hint"]
    rows = [
        {**row, "group": row["id"], "id": f"{row['id']}-{k}", "at": k, "response": "r"}
        for row in prompts()
        for k in range(2)
    ]
    differs = prepare(rftj, rows, "--rubric", "rubric.yaml", "--keep", "at")
    assert differs.code == 2 and "differs between the answers" in differs.out


def test_only_data_for_bedrock_is_submitted(rftj: Rftj) -> None:
    """The advice to submit is not given where submit would refuse."""
    write_rows(Path("rows.jsonl"), prompts())
    for target in ("bedrock", "hyperpod"):
        said = rftj("rft", "prepare", "rows.jsonl", "--out", target, "--target", target)
        assert said.code == 0 and ("rft submit" in said.err) == (target == "bedrock")


def test_warnings_do_not_hold_it_up(rftj: Rftj) -> None:
    """A short prompt, one near the limit, a context that the model does not see, a template that gives it the answer."""
    rows = [*prompts(), {"id": "s", "prompt": "Go."}, {"id": "n", "prompt": "word " * 95}]
    done = prepare(rftj, [{**row, "context": "C.", "reference": "R."} for row in rows], "--max-prompt-length", 105)
    assert done.code == 0
    assert rules(done, "warning") == {"near-empty": 1, "prompt-length": 1, "context": 1}
    Path("t.j2").write_text("{{ prompt }} {{ reference }} {{ context }}", encoding="utf-8")
    done = prepare(rftj, [{**row, "context": "C.", "reference": "R."} for row in rows], "--prompt-template", "t.j2")
    assert "reference-shown" in rules(done, "warning")


def test_findings_are_counted_whole_and_listed_in_part(rftj: Rftj) -> None:
    """A file with one fault in every row is not printed row by row."""
    done = prepare(rftj, [{"id": f"p{i}", "prompt": "Name a river, please."} for i in range(500)])
    assert rules(done) == {"duplicate-messages": 499, "too-few": 1}
    assert len(done.document["findings"]) == 4
    shown = rftj("rft", "prepare", "rows.jsonl", "--out", "data")
    assert shown.code == 2 and "(the first 4 of 500)" in shown.out and len(shown.out.splitlines()) < 25


def test_what_others_wrote_is_not_written_over(rftj: Rftj) -> None:
    """A file that is not ours, the data of a job, a path that is a file."""
    Path("data").mkdir()
    Path("data/train.jsonl").write_text("mine", encoding="utf-8")
    done = prepare(rftj, prompts())
    assert done.code == 2 and Path("data/train.jsonl").read_text(encoding="utf-8") == "mine"
    Path("data/train.jsonl").unlink()
    assert prepare(rftj, prompts()).code == 0
    Path("data/job.json").write_text("{}", encoding="utf-8")
    assert prepare(rftj, prompts(), "--max-prompt-length", 4000).code == 0  # the same bytes
    assert prepare(rftj, prompts(101)).code == 2
    write_rows(Path("rows.jsonl"), prompts())
    assert rftj("rft", "prepare", "rows.jsonl", "--out", "rows.jsonl").code == 2


@pytest.mark.parametrize(
    "text", ["", "[]", '{"prompt": "a"}\n{"prompt": \n', '{"prompt": "\ud800"}', '{"prompt": NaN}']
)
def test_a_file_that_cannot_be_read_is_one_error(rftj: Rftj, text: str) -> None:
    """No traceback, whatever the file holds."""
    Path("rows.jsonl").write_text(text, encoding="utf-8", errors="surrogatepass")
    done = rftj("rft", "prepare", "rows.jsonl", "--out", "data")
    assert done.code == 2 and done.err.startswith("error: rows.jsonl")


def test_a_preference_rubric_is_no_reward(rftj: Rftj) -> None:
    """It compares two answers, and the trainer has one."""
    write_rubric(Path(), kind="preference", criteria=None, prompt={"user": "{{ response_a }} {{ response_b }}"})
    assert prepare(rftj, prompts(), "--rubric", "rubric.yaml").code == 2


def test_an_rft_row_is_a_prompt_for_sample_and_prepare_alike(rftj: Rftj) -> None:
    """What prepare wrote for HyperPod can be prepared for Bedrock: the fields under metadata are the row's own."""
    assert prepare(rftj, prompts(reference="r", domain="d"), "--target", "hyperpod").code == 0
    assert rows_in("data/train.jsonl")[0]["metadata"] == {"reference_answer": "r", "domain": "d"}
    done = rftj("rft", "prepare", "data/train.jsonl", "--out", "again")
    assert done.code == 0, done.out
    assert rows_in("again/train.jsonl")[0]["reference_answer"] == "r"

"""Wrong input through the real entry: exit code 2, a message that locates the fault, and nothing written.

Each case is one line of a table: what the folder holds beside a good rubric and good samples, the command, and what the
message must say. Add cases for other commands to `CASES`; a case whose command makes a run first lists it in `before`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from rftj_cli.main import run
from rftj_cli.testing import FakeJudgeServer

RUBRIC = """\
name: tested
criteria:
  - id: quality
    question: Is it good?
prompt:
  user: "Judge this: {{ response }}"
judge:
  model: openai:fake
"""
ROWS = [json.dumps({"id": f"s{i}", "prompt": "p", "response": f"number {i}"}) for i in range(20)]
SAMPLES = "\n".join(ROWS) + "\n"
SCORE = ("score", "rubric.yaml", "samples.jsonl")
Content = str | bytes | None


@dataclass(frozen=True)
class Case:
    """`files`: name -> content (None: absent). `says`: all must stand in the message. `before`: commands that succeed."""

    name: str
    says: tuple[str, ...]
    files: Mapping[str, Content] = field(default_factory=dict)
    command: tuple[str, ...] = SCORE
    before: tuple[tuple[str, ...], ...] = ()


def samples(name: str, content: Content, *says: str, file: str = "samples.jsonl") -> Case:
    """`rftj score` over a file of bad samples."""
    return Case(name, (file, *says), {file: content}, ("score", "rubric.yaml", file))


def row17(name: str, row: object, *says: str) -> Case:
    """Bad samples: row 17 is `row`."""
    text = row if isinstance(row, str) else json.dumps(row)
    return samples(name, "\n".join([*ROWS[:16], text, *ROWS[17:]]), "row 17", *says)


def rubric(name: str, old: str, new: str, *says: str) -> Case:
    """`rftj score` with a bad rubric: `old` replaced by `new`."""
    assert old in RUBRIC, old
    return Case(name, ("rubric.yaml", *says), {"rubric.yaml": RUBRIC.replace(old, new)})


def more(name: str, added: str, *says: str) -> Case:
    """`rftj score` with a bad rubric: lines added at its end."""
    return Case(name, ("rubric.yaml", *says), {"rubric.yaml": RUBRIC + added})


def criterion(name: str, added: str, *says: str) -> Case:
    """`rftj score` with a bad rubric: keys added to its criterion, in line 5 and after."""
    return rubric(name, "question: Is it good?", "question: Is it good?\n    " + added, *says)


def flags(name: str, arguments: tuple[str, ...], *says: str, files: Mapping[str, Content] | None = None) -> Case:
    """`rftj score` with bad arguments."""
    return Case(name, says, files or {}, (*SCORE, *arguments))


def parquet(**columns: list[object]) -> bytes:
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), out)
    return out.getvalue()


RUN = (*SCORE, "--run", "mine")
LEVELS = "scale: [{level: bad, value: 1}, {level: good, value: %s}]"

SAMPLE_CASES = [
    Case("samples-missing", ("sample.jsonl", "no such samples file", "did you mean `samples.jsonl`"),
         command=("score", "rubric.yaml", "sample.jsonl")),
    Case("samples-a-folder", ("this is a folder", "runs-of-mine"), {"runs-of-mine/x": "1"}, ("score", "rubric.yaml", "runs-of-mine")),
    samples("samples-empty", "", "is empty"),
    samples("samples-blank-lines", "\n\n\n", "no rows"),
    samples("samples-latin-1", '{"id": 1, "response": "M\xfcller"}\n'.encode("latin-1"), "row 1", "not UTF-8", "b'\\xfc'", "iconv"),
    samples("samples-utf-16", SAMPLES.encode("utf-16"), "row 1", "not UTF-8"),
    row17("samples-broken-json", '{"id": "s16", "response": ', "broken JSON", '{"id": "s16", "response":'),
    samples("samples-json-array", "[" + ",".join(ROWS) + "]", "row 1", "JSON array", "one object a line"),
    row17("samples-nan", '{"id": "s16", "response": "x", "csat": NaN}', "NaN is not JSON", "null"),
    row17("samples-not-an-object", ["x"], "not a JSON object", "['x']"),
    row17("samples-duplicate-id", {"id": "s3", "response": "x"}, "key `id`", "same id as in row 4", "'s3'"),
    row17("samples-response-a-number", {"id": "a", "response": 3}, "key `response`", "wrong type", "found:    3", "expected: text"),
    row17("samples-response-misspelt", {"id": "a", "respone": "x"}, "key `response`", "no response", "`respone`"),
    row17("samples-response-elsewhere", {"id": "a", "answer": "x"}, "key `response`", "--map response=YOUR_COLUMN"),
    row17("samples-response-null", {"id": "a", "response": None}, "key `response`", "no response"),
    row17("samples-a-pair", {"id": "a", "response_a": "x", "response_b": "y"}, "key `response`", "preference rubric", "kind"),
    row17("samples-half-a-pair", {"id": "a", "response_a": "x"}, "key `response`", "no response"),
    row17("samples-unknown-split", {"id": "a", "response": "x", "split": "tets"}, "key `split`", "'tets'", "train, dev, test, anchor", "`test`"),
    row17("samples-bad-id", {"id": [1], "response": "x"}, "key `id`", "[1]", "text or a whole number"),
    row17("samples-messages-a-text", {"id": "a", "messages": "hi"}, "key `messages`", "'hi'", "a list of {role, content}"),
    row17("samples-messages-without-content", {"id": "a", "messages": [{"role": "user"}]}, "key `messages[0]`", "{role, content}"),
    row17("samples-an-image", {"id": "a", "messages": [{"role": "user", "content": [{"image": "x"}]}]},
          "key `messages[0].content`", "only text"),
    row17("samples-a-prompt-only", {"id": "a", "messages": [{"role": "user", "content": "Q"}]}, "key `messages`", "rftj rft sample"),
    row17("samples-bad-label", {"id": "a", "response": "x", "labels": [{"rater": "r"}]}, "key `labels[0].value`", "missing key"),
    row17("samples-label-of-another", {"id": "a", "response": "x", "labels": [{"id": "b", "value": "pass"}]}, "key `labels[0].id`", "'b'"),
    row17("samples-bad-criteria", {"id": "a", "response": "x", "criteria": [{"id": "c", "qestion": "Q"}]},
          "sample a", "key `criteria[0].question`", "did you mean `qestion`"),
    row17("samples-criteria-repeat-an-id", {"id": "a", "response": "x", "criteria": [{"id": "quality", "question": "Q"}]},
          "sample a", "key `criteria[0].id`", "already", "'quality'"),
    samples("samples-parquet-is-text", SAMPLES, "not a Parquet file", file="samples.parquet"),
    samples("samples-parquet-other-columns", parquet(id=[1], answer=["x"]), "row 1", "key `response`", "--map", file="s.parquet"),
    samples("samples-parquet-numbers", parquet(id=[1, 2], response=[1, 2]), "row 1", "key `response`", "expected: text", file="s.parquet"),
    samples("samples-csv-ragged", "id,response\n1,x\n2,y,z\n", "row 3", "wrong number of columns", "3", "2", file="s.csv"),
    samples("samples-csv-duplicate-column", "id,response,id\n1,x,2\n", "row 1", "same column twice", "'id'", file="s.csv"),
    samples("samples-csv-without-response", "id,answer\n1,x\n", "row 2", "key `response`", "--map", file="s.csv"),
    samples("samples-csv-open-quote", 'id,response\n1,"x\n', "row 2", "broken CSV", file="s.csv"),
    samples("samples-unknown-ending", SAMPLES, "unknown kind of file", ".jsonl", ".parquet", file="samples.txt"),
]  # fmt: skip

RUBRIC_CASES = [
    Case("rubric-missing", ("rubric.yml", "no such rubric", "did you mean `rubric.yaml`"), command=("score", "rubric.yml", "samples.jsonl")),
    Case("rubric-empty", ("rubric.yaml", "is empty"), {"rubric.yaml": ""}),
    Case("rubric-only-comments", ("rubric.yaml", "is empty"), {"rubric.yaml": "# later\n"}),
    Case("rubric-latin-1", ("rubric.yaml", "row 1", "not UTF-8"), {"rubric.yaml": "name: M\xfcller\n".encode("latin-1")}),
    Case("rubric-a-list", ("rubric.yaml", "row 1", "mapping"), {"rubric.yaml": "- name: x\n"}),
    rubric("rubric-broken-yaml", "  user:", "  user: [", "not valid YAML", "row"),
    rubric("rubric-duplicate-key", "name: tested", "name: tested\nname: other", "row 2", "key `name`", "same key twice"),
    more("rubric-alias-in-itself", "description: &a [*a]\n", "alias inside itself"),
    more("rubric-unknown-key", "crtieria: []\n", "row 9", "key `crtieria`", "unknown key", "did you mean `criteria`"),
    more("rubric-unknown-nested-key", "reward: {combin: minimum}\n", "row 9", "key `reward.combin`", "did you mean `combine`"),
    rubric("rubric-wrong-type", "name: tested", "name: [tested]", "row 1", "key `name`", "['tested']", "expected: text"),
    rubric("rubric-no-prompt", 'prompt:\n  user: "Judge this: {{ response }}"\n', "", "key `prompt`", "missing key"),
    rubric("rubric-no-name", "name: tested\n", "", "key `name`", "missing key"),
    rubric("rubric-no-model", "model: openai:fake", "seed: 1", "row 7", "key `judge.model`", "missing key"),
    rubric("rubric-bad-name", "name: tested", "name: a/b", "row 1", "key `name`", "'a/b'", "letters, digits"),
    rubric("rubric-duplicate-criterion", "prompt:", "  - {id: quality, question: Again?}\nprompt:", "row 5", "key `criteria[1].id`", "duplicate id"),
    Case("rubric-undefined-names", ("samples.jsonl", "row 1", "sample s0", "key `prompt.user`", "'respones', 'context.law', 'tone'",
         "did you mean `response`"), {"rubric.yaml": RUBRIC.replace("{{ response }}", "{{ respones }} {{ context.law }} {{ tone }}")}),
    rubric("rubric-template-syntax", "{{ response }}", "{{ response", "row 6", "key `prompt.user`", "does not compile", "line 1"),
    criterion("rubric-all-weights-0", "weight: 0", "key `criteria`", "all weights are 0"),
    criterion("rubric-weight-a-word", "weight: high", "row 5", "key `criteria[0].weight`", "'high'", "a number"),
    criterion("rubric-essential-a-word", "essential: yes", "row 5", "key `criteria[0].essential`", "'yes'", "true or false"),
    criterion("rubric-essential-pitfall", "weight: -1\n    essential: true", "row 6", "key `criteria[0].essential`", "pitfall"),
    criterion("rubric-unknown-scale", "scale: pass-fail", "row 5", "key `criteria[0].scale`", "'pass-fail'", "did you mean `pass_fail`"),
    criterion("rubric-same-level-twice", "scale: [good, bad, Good]", "row 5", "key `criteria[0].scale[2].level`", "same level twice", "'Good'"),
    criterion("rubric-one-level", "scale: [good]", "row 5", "key `criteria[0].scale`", "at least two levels"),
    criterion("rubric-values-not-rising", LEVELS % 1, "row 5", "key `criteria[0].scale[1].value`", "must rise"),
    criterion("rubric-empty-scale", "scale: {min: 5, max: 1}", "row 5", "key `criteria[0].scale`", "empty scale"),
    criterion("rubric-level-a-boolean", "scale: [true, false]", "row 5", "key `criteria[0].scale[0]`"),
    criterion("rubric-comma-in-braces", "scale: [{level: a, is: one, two words}, b]", "row 5", "key `criteria[0].scale[0].two words`", "quotes"),
    criterion("rubric-on-item-without-items", "on: item", "row 5", "key `criteria[0].on`", "`items` section"),
    more("rubric-items-without-on-item", "items: {path: $.comments}\n", "row 9", "key `items`", "on: item"),
    more("rubric-bad-range", "reward: {range: [1, 0]}\n", "row 9", "key `reward.range`", "[1, 0]", "low < high"),
    more("rubric-on-failure-outside", "reward: {on_failure: {content: 2}}\n", "row 9", "key `reward.on_failure.content`", "2", "0 to 1"),
    more("rubric-bad-regex", "parse: {regex: '('}\n", "row 9", "key `parse.regex`", "not a regular expression"),
    more("rubric-map-unknown-level", "parse: {regex: '(Y|N)', map: {Y: pass, N: fial}}\n", "row 9", "key `parse.map.N`", "'fial'", "did you mean `fail`"),
    rubric("rubric-regex-of-several", "prompt:", "  - {id: tone, question: Kind?}\nparse: {regex: x}\nprompt:", "row 6", "key `parse`", "per_criterion"),
    rubric("rubric-votes-tie", "openai:fake", "openai:fake\n  votes_tie: tie", "row 9", "key `judge.votes_tie`", "failure, worst or best"),
    more("rubric-bad-schema", "checks: [{id: c, type: json_schema, schema: {type: objekt}}]\n", "row 9", "key `checks[0].schema`", "not a JSON schema"),
    more("rubric-unknown-check", "checks: [{id: c, type: max_word, max: 3}]\n", "row 9", "key `checks[0].type`", "'max_word'", "did you mean `max_words`"),
    Case("rubric-check-needs-reference", ("samples.jsonl", "row 1", "sample s0", "key `reference`"),
         {"rubric.yaml": RUBRIC + "checks: [{id: c, type: equals_reference}]\n"}),
    Case("rubric-missing-prompt-file", ("judge.md, key `prompt.user`: no such prompt file",),
         {"rubric.yaml": RUBRIC.replace('user: "Judge this: {{ response }}"', "file: judge.md")}),
    Case("rubric-missing-schema-file", ("s.json, key `checks[0].schema`: no such JSON schema",),
         {"rubric.yaml": RUBRIC + "checks: [{id: c, type: json_schema, schema: s.json}]\n"}),
    Case("rubric-broken-schema-file", ("s.json, key `checks[0].schema`", "not valid JSON"),
         {"rubric.yaml": RUBRIC + "checks: [{id: c, type: json_schema, schema: s.json}]\n", "s.json": "{"}),
    rubric("rubric-prompt-file-and-user", "prompt:", "prompt:\n  file: x.md", "row 6", "key `prompt.file`", "one of the two"),
]  # fmt: skip

FLAG_CASES = [
    flags("set-without-equals", ("--set", "judge.temperature"), "bad --set", "judge.temperature", "key.path=value"),
    flags("set-misspelt", ("--set", "judge.temprature=1"), "key `judge.temprature`", "did you mean `temperature`"),
    flags("set-with-brackets", ("--set", "judge.x[0]y=1"), "unknown key"),
    flags("map-unknown-column", ("--map", "response=anser"), "no column `anser`", "samples.jsonl"),
    flags("map-without-equals", ("--map", "response"), "bad --map", "'response'", "name=column"),
    flags("unknown-backend", ("--set", "judge.model=opneai:x"), "judge.model", "'opneai'", "did you mean `openai`"),
    flags("backend-without-model", ("--set", "judge.model='openai:'"), "judge.model", "no model", "openai:MODEL"),
    flags("bad-base-url", ("--base-url", "localhost:8000"), "--base-url", "'localhost:8000'", "http(s)://"),
    flags("recordings-only", ("--set", "judge.model=replay:x"), "judge.model", "exists only as recordings", "--replay"),
    flags("replay-missing", ("--replay", "mine"), "mine", "no such"),
    flags("replay-last-without-runs", ("--replay", "@last"), "no run yet"),
    flags("replay-a-folder-that-is-no-run", ("--replay", "stuff"), "stuff", "not a run", files={"stuff/x": "1"}),
    flags("replay-misses", ("--replay", "r.jsonl"), "no recorded reply for sample s0 and 19 others", "key `id`",
          files={"r.jsonl": '{"request": "abc", "text": "x"}'}),
    flags("replay-file-by-id", ("--replay", "r.jsonl"), "r.jsonl", "row 1", "key `request`", "--import-replies",
          files={"r.jsonl": '{"id": "s0", "text": "x"}'}),
    flags("replay-and-import", ("--replay", "a", "--import-replies", "b"), "exclude each other"),
    flags("import-misses", ("--import-replies", "r.jsonl"), "no recorded reply for sample s1",
          files={"r.jsonl": '{"id": "s0", "text": "x"}'}),
    flags("import-bad-row", ("--import-replies", "r.jsonl"), "r.jsonl", "row 2", "key `txt`", "unknown key", "did you mean `text`",
          files={"r.jsonl": '{"id": "s0", "text": "x"}\n{"id": "s1", "txt": "x"}'}),
    flags("import-wrong-type", ("--import-replies", "r.jsonl"), "r.jsonl", "row 1", "key `text`", "found:    3",
          files={"r.jsonl": '{"id": "s0", "text": 3}'}),
    flags("import-unknown-stop", ("--import-replies", "r.jsonl"), "row 1", "key `stop`", "'stopped'", "max_tokens",
          files={"r.jsonl": '{"id": "s0", "text": "x", "stop": "stopped"}'}),
    flags("import-twice", ("--import-replies", "r.jsonl"), "r.jsonl", "row 2", "two replies for the same call",
          files={"r.jsonl": '{"id": "s0", "text": "x"}\n{"id": "s0", "text": "y"}'}),
    flags("max-cost-without-price", ("--max-cost", "5"), "--max-cost needs the price", "--prices"),
    flags("max-cost-nan", ("--max-cost", "nan"), "--max-cost"),
    flags("bad-prices", ("--prices", "p.yaml"), "p.yaml", "row 2", "openai:fake.input",
          files={"p.yaml": "models:\n  openai:fake: {input: free, output: 1}\n"}),
    flags("run-a-folder-that-is-no-run", ("--run", "stuff"), "stuff", "not a run, and not empty", files={"stuff/x": "1"}),
    flags("run-a-file", ("--run", "stuff"), "stuff", "not a run", files={"stuff": "1"}),
    flags("run-a-damaged-run", ("--run", "stuff"), "run.json", "not a run manifest", files={"stuff/run.json": "{"}),
    Case("run-of-another-rubric", ("mine", "made with another rubric", "judge.temperature: 0.0 -> 1.0", "--run DIR"),
         command=(*RUN, "--set", "judge.temperature=1"), before=(RUN,)),
    Case("run-of-other-content", ("sample s0", "other content under the same id", "row 1", "key `prompt`"),
         {"others.jsonl": '{"id": "s0", "response": "number 0"}'}, ("score", "rubric.yaml", "others.jsonl", "--run", "mine"), (RUN,)),
    flags("unknown-flag", ("--wrokers", "3"), "--wrokers"),
    flags("workers-0", ("--workers", "0"), "--workers"),
    Case("no-samples", ("samples",), command=("score", "rubric.yaml")),
    Case("unknown-command", ("scroe",), command=("scroe", "rubric.yaml")),
]  # fmt: skip

CASES = [*SAMPLE_CASES, *RUBRIC_CASES, *FLAG_CASES]


@pytest.fixture(scope="module")
def service() -> Iterator[FakeJudgeServer]:
    with FakeJudgeServer() as fake:
        yield fake


@pytest.fixture
def judge(service: FakeJudgeServer, monkeypatch: pytest.MonkeyPatch) -> FakeJudgeServer:
    monkeypatch.setenv("OPENAI_BASE_URL", service.base_url)
    return service


def prepare(folder: Path, files: Mapping[str, Content]) -> None:
    for name, content in {"rubric.yaml": RUBRIC, "samples.jsonl": SAMPLES, **files}.items():
        if content is not None:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())


def listing(folder: Path) -> dict[str, bytes]:
    """All files but those that SQLite shares between readers."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path): path.read_bytes() for path in files if not path.name.endswith(("-shm", "-wal"))}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_wrong_input_is_exit_2_with_a_message_that_locates_it(
    case: Case, home: Path, judge: FakeJudgeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(home, case.files)
    for command in case.before:
        assert run(list(command)) == 0, capsys.readouterr().err
    before, asked = listing(home), judge.requests
    capsys.readouterr()
    code = run(list(case.command))
    out, err = capsys.readouterr()
    assert code == 2, err
    assert out == ""
    assert "Traceback" not in err
    assert [said for said in case.says if said not in err] == [], err
    assert listing(home) == before, "something was written"
    assert judge.requests == asked, "the judge was called"


@pytest.mark.parametrize("case", CASES[::5], ids=lambda case: case.name)
def test_with_json_the_error_is_one_document(
    case: Case, home: Path, judge: FakeJudgeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(home, case.files)
    for command in case.before:
        assert run(list(command)) == 0
    capsys.readouterr()
    assert run([*case.command, "--json"]) == 2
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert (document["schema"], document["exit_code"]) == ("rftj.error/1", 2)
    assert err == ""
    assert [said for said in case.says if said not in document["message"]] == []


GOOD: list[tuple[str, str, bytes]] = [
    ("bom", "s.jsonl", b"\xef\xbb\xbf" + SAMPLES.encode()),
    ("crlf", "s.jsonl", SAMPLES.replace("\n", "\r\n").encode()),
    ("blank-lines", "s.jsonl", SAMPLES.replace("\n", "\n\n").encode()),
    ("no-last-newline", "s.jsonl", SAMPLES.rstrip().encode()),
    ("csv-crlf-bom", "s.csv", b'\xef\xbb\xbfid,response\r\n1,"x, ""y""\r\nz"\r\n'),
    ("tsv", "s.tsv", b"id\tresponse\n1\tx, y\n"),
    ("parquet", "s.parquet", parquet(id=[1, 2], response=["x", "y"], csat=[1.0, float("nan")])),
    ("messages", "s.jsonl", b'{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]}'),
]


@pytest.mark.parametrize(("name", "file", "content"), GOOD, ids=[name for name, _, _ in GOOD])
def test_what_only_looks_odd_is_scored(
    name: str, file: str, content: bytes, home: Path, judge: FakeJudgeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(home, {file: content})
    assert run(["score", "rubric.yaml", file, "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["counts"]["failed"] == 0
    assert err == ""

"""Wrong input to `calibrate`, `gate`, `check` and `demo`: exit code 2, located, no traceback, and nothing written.

The folder holds a run `runs/mine` of 20 samples (s0..s19, verdict pass), `labels.jsonl`, `gate.yaml` and `table.csv`;
`files` replaces or adds, `says` must all stand in the message.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from making import write_rows
from reporting import rftj, scored

LABELS = [{"id": f"s{i}", "rater": "anna", "value": "pass" if i % 3 else "fail"} for i in range(20)]
RULES = "min: {kappa: 0.5}\n"
TABLE = "human,judge,group\npass,pass,a\nfail,pass,a\nfail,fail,b\n"
CALIBRATE = ("calibrate", "runs/mine", "--labels", "labels.jsonl")
GATE = ("gate", "runs/mine", "--labels", "labels.jsonl", "--rules", "gate.yaml")
OF_TABLE = ("calibrate", "--table", "table.csv", "--judge", "judge", "--human", "human")
Content = str | bytes | None


@dataclass(frozen=True)
class Case:
    name: str
    says: tuple[str, ...]
    command: tuple[str, ...]
    files: Mapping[str, Content] = field(default_factory=dict)


def label(name: str, *says: str, options: tuple[str, ...] = (), **changes: object) -> Case:
    """`calibrate` with a labels file whose row 7 is changed."""
    rows = [{**row, **changes} if i == 6 else row for i, row in enumerate(LABELS)]
    text = "".join(json.dumps({k: v for k, v in row.items() if v is not None}) + "\n" for row in rows)
    return Case(name, ("labels.jsonl, row 7", *says), (*CALIBRATE, *options), {"labels.jsonl": text})


def labels(name: str, content: Content, *says: str, file: str = "labels.jsonl", options: tuple[str, ...] = ()) -> Case:
    return Case(name, (file, *says), ("calibrate", "runs/mine", "--labels", file, *options), {file: content})


def rules(name: str, text: Content, *says: str) -> Case:
    return Case(name, ("gate.yaml", *says), GATE, {"gate.yaml": text})


def table(name: str, content: Content, *says: str, options: tuple[str, ...] = (), file: str = "table.csv") -> Case:
    command = ("calibrate", "--table", file, "--judge", "judge", "--human", "human", *options)
    return Case(name, says, command, {file: content})


RUN_CASES = [
    Case("no-such-run", ("runs/mien", "no such run", "did you mean `runs/mine`?"), ("calibrate", "runs/mien")),
    Case("gate-no-such-run", ("runs/mien", "no such run"), ("gate", "runs/mien", "--rules", "gate.yaml")),
    Case("not-a-run", ("elsewhere", "not a run", "run.json"), ("calibrate", "elsewhere"), {"elsewhere/x": "1"}),
    Case("last-of-none", ("there is no run yet", "rftj score"), ("calibrate", "@last"), {"runs/mine": None}),
    Case("manifest-broken", ("run.json", "not a run manifest"), CALIBRATE, {"runs/mine/run.json": '{"name": '}),
    Case("manifest-of-others", ("run.json", "not a run manifest"), CALIBRATE, {"runs/mine/run.json": '{"name": "x"}'}),
    Case("manifest-empty", ("run.json", "not a run manifest"), CALIBRATE, {"runs/mine/run.json": ""}),
    Case("store-missing", ("store.sqlite", "no store"), CALIBRATE, {"runs/mine/store.sqlite": None}),
    Case("store-no-database", ("store.sqlite", "not a run store"), CALIBRATE, {"runs/mine/store.sqlite": "rubbish " * 900}),
    Case("store-empty", ("store.sqlite", "not a run store"), CALIBRATE, {"runs/mine/store.sqlite": ""}),
    Case("neither-run-nor-table", ("give a run, or --table FILE",), ("calibrate",)),
    Case("both-run-and-table", ("give a run, or --table FILE",), (*CALIBRATE, "--table", "table.csv")),
    Case("judge-of-a-run", ("--judge", "belongs to --table"), (*CALIBRATE, "--judge", "judge")),
    Case("unknown-split", ("--split", "'tset'", "train, dev, test, anchor", "did you mean `test`?"), (*CALIBRATE, "--split", "tset")),
    Case("empty-split", ("no judged sample is in the split anchor", "dev"), (*CALIBRATE, "--split", "anchor")),
    Case("unknown-slice", ("key `domian`", "such a field", "did you mean `domain`?"), (*CALIBRATE, "--by", "domian")),
    *[Case(f"seed-below-zero-{command[0]}-{len(command)}", ("--seed", "0"), (*command, "--seed", "-1")) for command in (CALIBRATE, OF_TABLE, GATE, ("plan",), ("plan", "runs/mine"))],
    Case("no-labels-anywhere", ("runs/mine.jsonl", "no labels", "--labels FILE"), ("calibrate", "runs/mine")),
    Case("truth-unknown-rater", ("--truth", "'ana'", "anna", "did you mean `anna`?"), (*CALIBRATE, "--truth", "ana")),
    Case("truth-rubric-missing", ("other.yaml", "no such rubric"), (*CALIBRATE, "--truth-rubric", "other.yaml")),
    Case("rows-of-no-kind", ("--rows", "rows.xlsx", ".csv, .jsonl or .parquet"), (*CALIBRATE, "--rows", "rows.xlsx")),
    Case("map-without-equals", ("bad --map-labels", "'value'", "name=column"), (*CALIBRATE, "--map-labels", "value")),
    Case("map-no-such-column", ("labels.jsonl", "--map-labels: no column `vaule`", "did you mean `value`?"), (*CALIBRATE, "--map-labels", "label=vaule")),
]  # fmt: skip
LABEL_CASES = [
    Case("labels-missing", ("label.jsonl", "no such labels file", "did you mean `labels.jsonl`?"), ("calibrate", "runs/mine", "--labels", "label.jsonl")),
    labels("labels-empty", "", "is empty"),
    labels("labels-blank", "\n\n", "has no rows"),
    labels("labels-an-array", "[{}]", "row 1", "JSON Lines"),
    labels("labels-broken", '{"id": "s0", "value": "pass"}\n{"id"', "row 2", "broken JSON"),
    labels("labels-latin-1", '{"id": "s0", "value": "pass", "reason": "M\xfcll"}\n'.encode("latin-1"), "row 1", "not UTF-8", "iconv"),
    labels("labels-of-no-kind", "id\n", "unknown kind of file", ".csv", file="labels.xlsx"),
    labels("labels-ragged", "id,value\ns0,pass\ns1\n", "row 3", "wrong number of columns", "found:    1", "expected: 2", file="labels.csv"),
    labels("labels-same-column", "id,value,value\ns0,pass,pass\n", "row 1", "the same column twice", file="labels.csv"),
    labels("labels-wide-unasked", "id,quality\ns0,pass\n", "row 2", "key `quality`", "--wide", file="labels.csv"),
    labels("labels-wide-unknown", "id,qualty\ns0,pass\n", "row 2", "did you mean `quality`?", file="labels.csv", options=("--wide",)),
    label("label-unknown-key", "key `raters`", "did you mean `rater`?", raters="bob"),
    label("label-no-id", "key `id`", "missing key", id=None),
    label("label-no-value", "key `value`", "missing key", value=None),
    label("label-empty-value", "key `value`", "empty value", value=" "),
    label("label-unknown-level", "key `value`", "'passs'", "fail, pass, cannot_tell", "did you mean `pass`?", value="passs"),
    label("label-a-list", "key `value`", "wrong type", value=["pass"]),
    label("label-out-of-scale", "key `value`", "found:    2", value=2),
    label("label-unknown-sample", "key `id`", "'s99'", id="s99"),
    label("label-in-another-case", "key `id`", "'S1'", "did you mean `s1`?", id="S1"),
    label("label-unknown-criterion", "key `criterion`", "'qualty'", "did you mean `quality`?", criterion="qualty"),
    label("label-twice", "key `rater`", "twice", id="s5"),
    label("label-an-item", "key `item`", "of the whole response", item="c1"),
    label("label-bad-sha", "key `sample_sha`", "another text", sample_sha="0123456789"),
    label("label-bad-weight", "key `weight`", "a number above 0", weight=-1),
    label("label-bad-source", "key `source`", "human, production, model", source="robot"),
]  # fmt: skip
TABLE_CASES = [
    Case("table-without-columns", ("--table needs --judge COL and --human COL",), ("calibrate", "--table", "table.csv")),
    Case("table-missing", ("tabel.csv", "no such table", "did you mean `table.csv`?"), ("calibrate", "--table", "tabel.csv", "--judge", "a", "--human", "b")),
    Case("table-no-column", ("table.csv", "key `jugde`", "did you mean `judge`?"), ("calibrate", "--table", "table.csv", "--judge", "jugde", "--human", "human")),
    Case("table-no-group", ("table.csv", "key `grup`", "did you mean `group`?"), (*OF_TABLE, "--group", "grup")),
    Case("table-no-slice", ("table.csv", "key `domain`", "no such column"), (*OF_TABLE, "--by", "domain")),
    Case("table-with-labels", ("--labels belongs to a run",), (*OF_TABLE, "--labels", "labels.jsonl")),
    Case("levels-twice", ("--levels", "'fail,FAIL'"), (*OF_TABLE, "--levels", "fail,FAIL")),
    Case("levels-too-few", ("--levels", "at least two"), (*OF_TABLE, "--levels", "pass")),
    Case("levels-not-all", ("table.csv, row 3", "key `human`", "'fail'", "low, pass"), (*OF_TABLE, "--levels", "low,pass")),
    Case("levels-and-positive", ("--positive and --levels exclude",), (*OF_TABLE, "--levels", "fail,pass", "--positive", "pass")),
    Case("positive-no-level", ("--positive", "'good'", "pass, fail"), (*OF_TABLE, "--positive", "good")),
    table("table-empty", "", "table.csv", "is empty"),
    table("table-only-header", "human,judge\n", "table.csv"),
    table("table-no-label", "human,judge\n,pass\n", "table.csv", "no row has a label"),
    table("table-latin-1", "human,judge\npass,pass\nf\xe4il,pass\n".encode("latin-1"), "table.csv, row 3", "not UTF-8"),
    table("table-ragged", "human,judge\npass,pass\nfail\n", "table.csv, row 3", "wrong number of columns"),
    table("table-unclosed-quote", 'human,judge\npass,pass\nfail,"fail\npass,pass\n', "table.csv", "broken CSV"),
    table("table-same-column", "human,judge,judge\npass,pass,pass\n", "table.csv", "the same column twice"),
    table("table-no-level", "human,judge\npass,pass\nfail,maybe\n", "table.csv, row 3", "key `judge`", "'maybe'", "--values maybe=LEVEL"),
    table("table-missing-word", "human,judge\npass,pass\nfail,fail\nNaN,pass\n", "table.csv, row 4", "key `human`", "'NaN'", "empty"),
    table("table-no-kind", "x", "table.xlsx", file="table.xlsx"),
    table("table-broken-jsonl", '{"human": 1, "judge": 1}\n{"human"\n', "table.jsonl, row 2", file="table.jsonl"),
    table("table-object-as-label", '{"human": "x", "judge": "x"}\n{"human": {"a": 1}, "judge": "x"}\n', "table.jsonl, row 2", "key `human`", "{'a': 1}", "not one value", file="table.jsonl"),
    table("table-list-as-verdict", '{"human": "x", "judge": ["x"]}\n', "table.jsonl, row 1", "key `judge`", file="table.jsonl"),
    table("table-not-parquet", "PAR1 rubbish", "table.parquet", "not a Parquet file", file="table.parquet"),
]  # fmt: skip
RULE_CASES = [
    Case("rules-missing", ("gates.yaml", "no such rules file", "did you mean `gate.yaml`?"), (*GATE[:-1], "gates.yaml")),
    rules("rules-empty", "", "is empty"),
    rules("rules-comments", "# later\n", "is empty"),
    rules("rules-a-list", "- min\n", "row 1", "mapping"),
    rules("rules-broken", "min: {kappa: 0.5\n", "not valid YAML", "row 2"),
    rules("rules-key-twice", "min: {kappa: 0.5}\nmin: {kappa: 0.6}\n", "row 2", "key `min`", "the same key twice"),
    rules("rules-unknown-key", "min: {kappa: 0.5}\nmax_failure: 0.1\n", "row 2", "key `max_failure`", "did you mean `max_failures`?"),
    rules("rules-unknown-estimate", "min:\n  kapa: 0.5\n", "row 2", "key `min.kapa`", "found:    'kapa'", "did you mean `kappa`?"),
    rules("rules-unknown-criterion", "criteria:\n  qualty: {min: {kappa: 0.5}}\n", "row 2", "key `criteria.qualty`", "*, quality", "did you mean `quality`?"),
    rules("rules-no-number", "min:\n  kappa: high\n", "row 2", "key `min.kappa`", "'high'", "a number"),
    rules("rules-nan", "min:\n  kappa: .nan\n", "row 2", "key `min.kappa`", "nan"),
    rules("rules-yes", "max_flips: true\n", "row 1", "key `max_flips`", "a number"),
    rules("rules-share", "max_failures: 5\n", "row 1", "key `max_failures`", "0 to 1"),
    rules("rules-split", "min: {kappa: 0.5}\nsplit: tests\n", "row 2", "key `split`", "did you mean `test`?"),
    rules("rules-on", "on: high\nmin: {kappa: 0.5}\n", "row 1", "key `on`", "low, value"),
    rules("rules-undecided", "undecided: pass\nmin: {kappa: 0.5}\n", "row 1", "key `undecided`", "fail, warn"),
    rules("rules-nothing", "undecided: warn\n", "decide nothing", "max_failures"),
    rules("rules-latin-1", "# M\xfcller\n".encode("latin-1"), "row 1", "not UTF-8"),
    Case("gate-labels-missing", ("nowhere.jsonl", "no such labels file"), (*GATE[:2], "--labels", "nowhere.jsonl", *GATE[4:])),
    Case("gate-unknown-rater", ("--truth", "'ana'", "did you mean `anna`?"), (*GATE, "--truth", "ana")),
    Case("check-labels", ("labels.jsonl, row 2", "key `value`", "did you mean `pass`?"), ("check", "runs/mine.yaml", "runs/mine.jsonl", "--labels", "labels.jsonl"),
         {"labels.jsonl": '{"id": "s0", "value": "pass"}\n{"id": "s1", "value": "pas"}\n'}),
    Case("demo-foreign", ("elsewhere", "not empty, and not a demo"), ("demo", "elsewhere"), {"elsewhere/x": "1"}),
]  # fmt: skip
CASES = [*RUN_CASES, *LABEL_CASES, *TABLE_CASES, *RULE_CASES]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that every case starts from."""
    home = tmp_path_factory.mktemp("made")
    (home / "runs").mkdir()
    before = Path.cwd()
    os.chdir(home)
    try:
        rows = [{"id": f"s{i}", "prompt": f"p{i}", "response": "r", "domain": "x", "split": "dev"} for i in range(20)]
        scored(Path("runs"), {row["id"]: "pass" for row in rows}, name="mine", rows=rows)
    finally:
        os.chdir(before)
    write_rows(home / "labels.jsonl", LABELS)
    (home / "gate.yaml").write_text(RULES)
    (home / "table.csv").write_text(TABLE)
    return home


def prepare(made: Path, home: Path, files: Mapping[str, Content]) -> None:
    shutil.copytree(made, home, dirs_exist_ok=True)
    for name, content in files.items():
        path = home / name
        if content is None and path.is_dir():
            shutil.rmtree(path)
        elif content is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())


def listing(folder: Path) -> dict[str, bytes]:
    """All files but those that SQLite shares between readers."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path): path.read_bytes() for path in files if not path.name.endswith(("-shm", "-wal"))}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_wrong_input_is_exit_2_with_a_message_that_locates_it(case: Case, made: Path, home: Path) -> None:
    prepare(made, home, case.files)
    before = listing(home)
    said = rftj(*case.command)
    assert said.code == 2, said.err + said.out
    assert said.out == ""
    assert "Traceback" not in said.err
    assert [word for word in case.says if word not in said.err] == [], said.err
    assert listing(home) == before, "something was written"


@pytest.mark.parametrize("case", CASES[::4], ids=lambda case: case.name)
def test_with_json_the_error_is_one_document(case: Case, made: Path, home: Path) -> None:
    prepare(made, home, case.files)
    said = rftj(*case.command, "--json")
    assert said.code == 2 and said.err == ""
    assert (said.document["schema"], said.document["exit_code"]) == ("rftj.error/1", 2)
    assert [word for word in case.says if word not in said.document["message"]] == []


def test_the_folder_that_the_cases_start_from_is_good(made: Path, home: Path) -> None:
    prepare(made, home, {})
    for command in (CALIBRATE, OF_TABLE, ("check", "runs/mine.yaml", "runs/mine.jsonl", "--labels", "labels.jsonl")):
        assert rftj(*command).code == 0
    assert rftj(*GATE).code in (1, 3)

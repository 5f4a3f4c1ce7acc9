"""`calibrate --table`: the same from every format, what the fast readers cannot read, and continuous scores."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas
import pytest

from rftj_cli.errors import InputError
from rftj_cli.files.columns import read_columns
from rftj_cli.measure.sources import Source, TableColumns, measure
from rftj_cli.measure.values import Calibration

ROWS = [
    {"id": "1", "human": "pass", "judge": "fail", "note": "a, b"},
    {"id": "2", "human": None, "judge": "pass", "note": 'two\n"lines"'},
    {"id": "3", "human": "fail", "judge": " pass ", "note": "x"},
]


def write(path: Path) -> Path:
    frame = pandas.DataFrame(ROWS)
    if path.suffix in (".csv", ".tsv"):
        frame.to_csv(path, index=False, sep="," if path.suffix == ".csv" else "\t")
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        path.write_text("\n".join(json.dumps(row) for row in ROWS))
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "t.json", "t.parquet"])
def test_every_format_gives_the_same_columns(name: str, tmp_path: Path) -> None:
    """Empty and missing cells are empty text, and white space around a value is none of it."""
    read = read_columns(write(tmp_path / name), ["human", "judge", "human"])
    assert {key: [one.values[code] for code in one.codes] for key, one in read.items()} == {
        "human": ["pass", "", "fail"],
        "judge": ["fail", "pass", "pass"],
    }


@pytest.mark.parametrize("name", ["long.csv", "long.jsonl"])
def test_a_row_longer_than_a_block(name: str, tmp_path: Path) -> None:
    """What Arrow cannot hold in one block is read row by row."""
    path, long = tmp_path / name, "x" * 3_000_000
    rows = [{"a": "1", "b": long if i == 5 else "", "c": "2"} for i in range(10)]
    if path.suffix == ".csv":
        pandas.DataFrame(rows).to_csv(path, index=False)
    else:
        path.write_text("\n".join(map(json.dumps, rows)))
    read = read_columns(path, ["a", "c"])
    assert read["a"].values == ["1"] and read["c"].codes.tolist() == [0] * 10


@pytest.mark.parametrize(
    ("name", "text", "row", "words"),
    [
        ("b.csv", "a,b\n1,2\n3\n", 3, "wrong number of columns"),
        ("b.jsonl", '{"a": 1, "b": 2}\n{"a": 1,\n', 2, "broken JSON"),
        ("b.jsonl", '{"a": 1, "b": 2}\n{"a": 1,\n"b": 1}\n', 2, "broken JSON"),
        ("b.jsonl", '{"a": 1, "b": 2} {"a": 1}\n', 1, "broken JSON"),
        ("b.jsonl", '{"a": 1}\n', None, "no such column"),
        ("b.csv", "a,c\n1,2\n", None, "no such column"),
    ],
)
def test_faults_are_located(name: str, text: str, row: int | None, words: str, tmp_path: Path) -> None:
    """The row-by-row reader names the row of a fault that a fast reader met."""
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_columns(tmp_path / name, ["a", "b"])
    assert caught.value.row == row


def test_continuous_scores(tmp_path: Path) -> None:
    """Scores of many values are correlated, with failures, by slice, and the finding says how far they are off."""
    rng = np.random.default_rng(0)
    truth = rng.random(120).round(3)
    frame = pandas.DataFrame({"truth": truth, "score": (truth + 0.1).round(3), "part": ["x", "y", "y"] * 40})
    frame["score"] = frame["score"].astype(str)
    frame.loc[0, "score"] = "refused"
    frame.to_csv(tmp_path / "t.csv", index=False)
    columns = TableColumns(judge=("score",), human=("truth",), no_verdict="refused")
    report = measure(Source(None, table=tmp_path / "t.csv", columns=columns, by=("part",)))
    found = report.criteria["truth"]
    assert (found.scale, found.failed, found.estimates["spearman"].n) == ("continuous", 1, 119)
    assert found.estimates["bias"].value == pytest.approx(0.1)
    assert report.findings == [
        "truth: scores 119 rows 0.1 above the labels on average; rank correlation 1.00, at least 0.97"
    ]
    assert report.warnings == ["truth: 1 of 120 labelled rows have no verdict (1 no verdict)"]
    assert {value: part["truth"]["n"] for value, part in report.slices["part"].items()} == {"x": 40, "y": 80}
    assert report.slices["part"]["x"]["truth"]["estimates"]["bias"].n == 39


def scores(path: Path, *last: str) -> Path:
    """A table of 2,500 pairs of scores, all different, and one more row."""
    rng = np.random.default_rng(3)
    truth = rng.random(2_500).round(6)
    rows = [f"{one},{other}" for one, other in zip(truth, (truth + rng.normal(0, 0.1, 2_500)).round(6), strict=True)]
    path.write_text("truth,score\n" + "\n".join([*rows, *last]) + "\n")
    return path


def continuous(path: Path, **more: str) -> Calibration:
    columns = TableColumns(judge=("score",), human=("truth",), **more)  # type: ignore[arg-type]
    return measure(Source(None, table=path, columns=columns))


def test_very_many_numbers_are_read_without_their_text(tmp_path: Path) -> None:
    """Both ways of reading give the same: with --no-verdict the cells are read as text."""
    path = scores(tmp_path / "t.csv", ",0.5", "0.25,", "1e-3, 2.5e-1 ")
    read = read_columns(path, ["truth", "score"], numeric=["truth", "score"])
    assert read["truth"].numbers is not None and np.isnan(read["truth"].numbers[-3])
    found, as_text = continuous(path), continuous(path, no_verdict="none")
    assert found.criteria == as_text.criteria and found.counts == as_text.counts
    assert found.criteria["truth"].estimates["spearman"].n == 2_501 and found.criteria["truth"].failed == 1


@pytest.mark.parametrize(
    ("last", "key", "said", "words"),
    [
        ("0.5,refused", "score", "'refused'", "not a number"),
        ("0.5,nan", "score", "'nan'", "is this a verdict, or none?"),
        ("-,0.5", "truth", "'-'", "is this a label, or none?"),
        ("1_0,0.5", "truth", "'1_0'", "is this a label, or none?"),
        ("0.5,1e200", "score", "1e+200", "too large"),
    ],
)
def test_a_word_among_very_many_numbers_is_named(tmp_path: Path, last: str, key: str, said: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        continuous(scores(tmp_path / "t.csv", last))
    error = caught.value
    assert (error.row, error.key, error.found) == (2_502, key, said) and words in error.problem


def test_numbers_against_words_are_named(tmp_path: Path) -> None:
    path = scores(tmp_path / "t.csv")
    path.write_text("\n".join(["truth,score", *(f"pass,{i / 7}" for i in range(2_500))]) + "\n")
    with pytest.raises(InputError, match="not a level of the labels") as caught:
        continuous(path)
    assert (caught.value.row, caught.value.key) == (2, "score")

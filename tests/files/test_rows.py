"""Rows of JSON Lines, CSV, TSV and Parquet."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import write_rows

from rftj_cli.errors import InputError
from rftj_cli.files.columns import read_columns
from rftj_cli.files.maps import read_map
from rftj_cli.files.rows import Table
from rftj_cli.files.samples import SampleFile, read_labels
from rftj_cli.files.text import read_text


def rows(path: Path, content: bytes | str, **columns: str) -> list[tuple[int, dict[str, Any]]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(Table(path, columns=columns))


def fault(path: Path, content: bytes | str) -> InputError:
    with pytest.raises(InputError) as caught:
        rows(path, content)
    assert caught.value.file == str(path)
    return caught.value


def test_json_lines_are_numbered_by_their_line(tmp_path: Path) -> None:
    assert rows(tmp_path / "a.jsonl", '{"a": 1}\n\n{"a": 2}') == [(1, {"a": 1}), (3, {"a": 2})]


def test_a_byte_order_mark_and_crlf_are_no_matter(tmp_path: Path) -> None:
    expected = [(1, {"a": "ü"}), (2, {"a": "x"})]
    assert rows(tmp_path / "a.jsonl", b'\xef\xbb\xbf{"a": "\xc3\xbc"}\r\n{"a": "x"}\r\n') == expected
    found = rows(tmp_path / "a.csv", b"\xef\xbb\xbfa,b\r\n\xc3\xbc,1\r\n")
    assert found == [(2, {"a": "ü", "b": "1"})]


def test_csv_fields_may_hold_quotes_commas_and_newlines(tmp_path: Path) -> None:
    found = rows(tmp_path / "a.csv", 'id,response\n1,"say ""hi"", then\nleave"\n2,x\n')
    assert [row for _, row in found] == [{"id": "1", "response": 'say "hi", then\nleave'}, {"id": "2", "response": "x"}]
    assert found[1][0] == 4


def test_tsv_is_split_at_tabs(tmp_path: Path) -> None:
    assert rows(tmp_path / "a.tsv", "a\tb\n1,2\t3\n") == [(2, {"a": "1,2", "b": "3"})]


def test_an_empty_csv_field_is_no_field(tmp_path: Path) -> None:
    assert rows(tmp_path / "a.csv", "a,b\n1,\n") == [(2, {"a": "1"})]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1), min_size=1))
def test_any_csv_that_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, values: list[str]) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["value"], *([value] for value in values)])
    assert [row["value"] for _, row in Table(path)] == values


def parquet(path: Path, **columns: list[Any]) -> Path:
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def test_parquet_rows_are_numbered_by_their_place(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", id=[1, 2], response=["x", "y"], context=[{"law": ["a"]}, None])
    assert list(Table(path)) == [
        (1, {"id": 1, "response": "x", "context": {"law": ["a"]}}),
        (2, {"id": 2, "response": "y", "context": None}),
    ]


def test_nan_in_parquet_is_a_missing_value(tmp_path: Path) -> None:
    """Data frames write what is missing that way; JSON has no NaN."""
    path = parquet(tmp_path / "a.parquet", response=["x"], csat=[float("nan")], more=[{"a": [float("nan"), 1.0]}])
    assert list(Table(path)) == [(1, {"response": "x", "csat": None, "more": {"a": [None, 1.0]}})]


def test_infinity_in_parquet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        list(Table(parquet(tmp_path / "a.parquet", csat=[1.0, float("inf")])))
    assert (caught.value.row, caught.value.key) == (2, "csat")


@pytest.mark.parametrize(
    ("name", "content", "row", "says"),
    [
        ("a.jsonl", b'{"a": "\xe4"}\n', 1, "not UTF-8"),
        ("a.csv", b"a\n\xe4\n", 2, "not UTF-8"),
        ("a.jsonl", '{"a": 1}\n{"a": \n', 2, "broken JSON"),
        ("a.jsonl", '{"a": NaN}\n', 1, "NaN is not JSON"),
        ("a.jsonl", '{"a": Infinity}\n', 1, "Infinity is not JSON"),
        ("a.jsonl", '{"a": "NaN}\n', 1, "broken JSON"),
        ("a.jsonl", "[" * 100_000, 1, "JSON array"),
        ("a.jsonl", '{"a":' + "[" * 100_000, 1, "broken JSON"),
        ("a.jsonl", '"text"\n', 1, "not a JSON object"),
        ("a.jsonl", '{"a": "\\ud800"}\n', 1, "half a surrogate pair (\\ud800)"),
        ("a.jsonl", '{"a": "\\udc00 and more"}\n', 1, "half a surrogate pair (\\udc00)"),
        ("a.csv", "id;response\n1;2\n", 1, "looks separated by semicolons"),
        ("a.json", '[{"a": 1}]\n', 1, "one JSON array"),
        ("a.jsonl", "\n\n", None, "no rows"),
        ("a.csv", "a,b\n", None, "no rows"),
        ("a.csv", "a,b\n1,2\n3\n", 3, "wrong number of columns"),
        ("a.csv", "a,a\n1,2\n", 1, "same column twice"),
        ("a.csv", "a,\n1,2\n", 1, "has no name"),
        ("a.csv", 'a\n"open\n', 2, "broken CSV"),
        ("a.csv", 'a\n"x"y\n', 2, "broken CSV"),
        ("a.parquet", "PAR1 text", None, "not a Parquet file"),
        ("a.xlsx", "x", None, "unknown kind of file"),
        ("a.jsonl", "", None, "is empty"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(
    tmp_path: Path, name: str, content: Any, row: int | None, says: str
) -> None:
    error = fault(tmp_path / name, content)
    assert says in error.problem
    assert error.row == row


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    write_rows(tmp_path / "samples.jsonl", [{"a": 1}])
    with pytest.raises(InputError, match="did you mean .*samples.jsonl"):
        list(Table(tmp_path / "sample.jsonl"))
    with pytest.raises(InputError, match="this is a folder"):
        list(Table(tmp_path))


@pytest.mark.parametrize("read", [lambda path: list(Table(path)), lambda path: read_text(path, "rubric")])
def test_a_pipe_is_no_input(tmp_path: Path, read: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "a.jsonl")
    with pytest.raises(InputError, match="not a regular file\n  .*save it to a file first"):
        read(tmp_path / "a.jsonl")


def test_a_table_separated_by_semicolons_is_named_so(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("judge;human\npass;fail\n")
    with pytest.raises(InputError, match="semicolons"):
        read_columns(tmp_path / "t.csv", ["judge", "human"])


def test_other_column_names_are_mapped(tmp_path: Path) -> None:
    found = rows(tmp_path / "a.csv", "answer,score\nx,4\n", response="answer", label="score")
    assert found == [(2, {"response": "x", "label": "4"})]


def test_two_columns_may_swap_their_names(tmp_path: Path) -> None:
    found = rows(
        tmp_path / "a.jsonl", '{"response_a": "x", "response_b": "y"}', response_a="response_b", response_b="response_a"
    )
    assert found == [(1, {"response_a": "y", "response_b": "x"})]


@pytest.mark.parametrize("content", ["answer,score\nx,\ny,4\n", "answer,score\ny,4\nx,\n"])
def test_a_mapped_column_may_be_empty_in_some_rows(tmp_path: Path, content: str) -> None:
    found = [row for _, row in rows(tmp_path / "a.csv", content, response="answer", label="score")]
    assert {"response": "x"} in found and {"response": "y", "label": "4"} in found


def test_a_mapped_column_that_no_row_has_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no column `anser`") as caught:
        rows(tmp_path / "a.csv", "answer,score\nx,4\n", response="anser")
    assert caught.value.hint == "did you mean `answer`?"


def test_a_mapped_column_may_not_hide_another(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is a column `response` already"):
        rows(tmp_path / "a.csv", "answer,response\nx,4\n", response="answer")


def test_map_options_are_read() -> None:
    assert read_map(["response=answer,label = human score", "id=key"]) == {
        "response": "answer", "label": "human score", "id": "key",
    }  # fmt: skip
    with pytest.raises(InputError, match="bad --map"):
        read_map(["response"])


def test_the_same_id_twice_is_refused_with_both_rows(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.jsonl", [{"id": n, "response": "x"} for n in (1, 2, 1)])
    with pytest.raises(InputError, match="row 3.*same id as in row 1"):
        list(SampleFile(path, "rubric"))


def test_wide_labels_have_one_column_a_criterion(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("id,rater,tone,depth\ns1,r1,kind,\ns2,r1,rude,3\n")
    found = [
        (placed.row, placed.label.id, placed.label.criterion, placed.label.value)
        for placed in read_labels(path, wide=True).placed
    ]
    assert found == [(2, "s1", "tone", "kind"), (3, "s2", "tone", "rude"), (3, "s2", "depth", "3")]
    with pytest.raises(InputError, match="--wide"):
        read_labels(path)

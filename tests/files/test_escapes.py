"""CSV cells and JSON documents with hostile text: one line a row, read back exactly, and nothing hidden in them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pandas
import pytest

from rftj_cli.files.escapes import cell, csv_text, json_safe, restored

HOSTILE = (
    "a\rb", "a\nb", "a\r\nb", "\r=1+1", "\t=1+1", " =1+1", "=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)",
    "=cmd|' /C calc'!A0", "\uff1d1+1", "nul\x00byte", "\x1b[31mred", "\x85next", "\udc80 half", "\ud83d", "a\u2028b",
    "a\u2029b", "\ufeffmark", "\u202egnp.exe", "\u2066isolate\u2069", "zero\u200bwidth", '"', '""', 'say "no", then', "'",
    "'quoted'", "''", "'\\n", "\\", "\\n", "\\u202e", "C:\\new\\table", "a,b;c\td", "x" * 100_000, "=" + "y" * 100_000, " ", " a ",
)  # fmt: skip
PLAIN = (
    "",
    "pass",
    "-1",
    "+0.5",
    "3",
    "a, b",
    'the "excerpt"',
    "C:\\new",
    "$\\frac{1}{2}$",
    "größer 判断 עברית 👩‍👩‍👧 می‌خواهم",
)


@pytest.mark.parametrize("text", [*HOSTILE, *PLAIN], ids=lambda text: ascii(text[:12]))
def test_every_text_comes_back(text: str) -> None:
    """And no cell holds a line end, a hidden character, or the start of a formula."""
    written = cell(text)
    assert restored(written) == text
    assert written == text if text in PLAIN else all(c.isprintable() or c == "\u200d" for c in written)
    assert text in PLAIN or not written.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))


def test_no_two_texts_have_one_cell() -> None:
    texts = {*HOSTILE, *PLAIN}
    assert len({cell(text) for text in (*texts, *map(cell, texts))}) == len({*texts, *map(cell, texts)})


@pytest.mark.parametrize("text", ["'tis", "'Hello'", "'\\q", "'\\u20", "it's", "'\\u0041"])
def test_what_a_person_wrote_stays(text: str) -> None:
    assert restored(text) == text


def test_pandas_reads_the_rows_that_were_written() -> None:
    """With its defaults, a row a line, whatever the texts are."""
    rows = [(f"s{number}", text, None, number, number / 3) for number, text in enumerate(HOSTILE)]
    written = csv_text(["id", "reason", "=none", "n", "share"], rows)
    assert written.count("\n") == len(rows) + 1 and len(written.splitlines()) == len(rows) + 1
    found = pandas.read_csv(io.BytesIO(written.encode()))
    assert [*found.columns] == ["id", "reason", "'=none", "n", "share"] and len(found) == len(rows)
    assert [*found["id"]] == [row[0] for row in rows]
    assert [restored(text) for text in found["reason"]] == list(HOSTILE)
    assert found["'=none"].isna().all() and [*found["share"]] == [row[4] for row in rows]
    assert [restored(row[1]) for row in csv.reader(io.StringIO(written))][1:] == list(HOSTILE)


@pytest.mark.parametrize("text", [*HOSTILE, *PLAIN], ids=lambda text: ascii(text[:12]))
def test_a_document_shows_what_it_holds(text: str) -> None:
    """Nothing hidden is printed as it is; the document means the same, and letters stay letters."""
    document = json_safe(json.dumps({"reason": text, "n": [1]}, ensure_ascii=False, indent=2))
    assert json.loads(document) == {"reason": text, "n": [1]}
    assert all(c.isprintable() or c in "\n\u200c\u200d" for c in document)
    assert text not in PLAIN or json.dumps(text, ensure_ascii=False) in document


@pytest.mark.parametrize("text", [*HOSTILE, *PLAIN], ids=lambda text: ascii(text[:12]))
def test_the_way_back_is_that_of_the_documentation(text: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "samples-and-labels.md").read_text()
    made: dict[str, Any] = {}
    exec(page.partition("## CSV that rftj writes")[2].partition("```python\n")[2].partition("```")[0], made)  # noqa: S102 - the page is our own
    assert made["restored"](cell(text)) == text

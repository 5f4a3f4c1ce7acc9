"""The recorded replies from which a reward function answers on this machine: of a run folder, or of a file of them.

runs/NAME + the rubric in the zip --replies_of--> {"request": "<hash>", "text": ...} lines --answered_by--> the variable that
names their file to the function
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rftj_cli.errors import InputError
from rftj_cli.files.runs import open_run
from rftj_cli.files.scratch import scratch_file
from rftj_cli.files.text import existing, read_text
from rftj_cli.files.zips import read_zip
from rftj_cli.kernel.handler import REPLIES
from rftj_cli.reward.bundle import rubric_of
from rftj_cli.reward.parity import recorded


@contextmanager
def answered_by(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """The environment in which a reward function answers from these lines, for as long as it runs."""
    with scratch_file("".join(line + "\n" for line in lines), "replies.jsonl") as made:
        yield {REPLIES: str(made)}


@contextmanager
def replies_of(path: Path | None, zip: Path) -> Iterator[dict[str, str]]:
    """The same from a run, or from a file of lines; without either an empty one. Raises `InputError` for what this bundle
    could not read."""
    if path is None:
        yield {}
        return
    members = read_zip(zip)
    if path.is_dir():
        found = recorded(open_run(str(path)), rubric_of(zip, members))
        if not found.lines:
            why = "; ".join(found.left_out) or "it holds no reply"
            raise InputError(f"no reply of this run answers the bundle's judge: {why}", file=path)
        with answered_by(found.lines) as environment:
            yield environment
        return
    existing(path, "file of replies")
    if "bundle.json" in members:
        _check(path)
    yield {REPLIES: str(path.resolve())}


def _check(path: Path) -> None:
    for number, line in enumerate(read_text(path, "file of replies").splitlines(), 1):
        if line.strip() and not _names_request(line):
            raise InputError(
                "this line does not name the request that it answers", file=path, row=number,
                expected='{"request": "<hash>", "text": "..."}',
                hint="judge the samples with `rftj score` (--import-replies reads such a file), and give its run folder: "
                "--replies runs/NAME",
            )  # fmt: skip


def _names_request(line: str) -> bool:
    try:
        row = json.loads(line)
    except ValueError:
        return False
    return isinstance(row, dict) and isinstance(row.get("request"), str) and ("text" in row or "stage" in row)

"""Reading reward logs from files: streamed, plain or gzip, one file or a folder of them, and what was added since.

LogFiles(path).read(intake) --messages--> Intake (results; bad lines named; everything else counted)
"""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from rftj_cli.errors import InputError, listed
from rftj_cli.files.reward_log_columns import LogBuilder
from rftj_cli.files.reward_log_lines import BadLine, entry_of, noise, results_in, texts, values_in
from rftj_cli.files.text import existing

NAMED, LONGEST_LINE, SMALL_FILE = 20, 1 << 26, 1 << 26
WHAT = "reward log"


@dataclass(frozen=True, slots=True)
class Bad:
    """A line that could not be used."""

    file: str
    line: int
    problem: str


@dataclass(slots=True)
class Intake:
    """What came out of the logs so far. `bad` holds the first of `bad_lines`; `other` counts lines of other kinds."""

    builder: LogBuilder = field(default_factory=LogBuilder)
    bad: list[Bad] = field(default_factory=list)
    bad_lines: int = 0
    lines: int = 0
    other: Counter[str] = field(default_factory=Counter)

    def line(self, line: bytes, file: str, number: int, source: int) -> int:
        """Take a line (or a message) in; how many results it held."""
        self.lines += 1
        found = texts(line)
        if not found:
            self.other[noise(line)] += 1
        return sum(self.result(text, file, number, source) for text in found)

    def result(self, text: bytes, file: str, number: int, source: int) -> int:
        """Take a result's JSON in; 1, or 0 where it is bad."""
        try:
            self.builder.add(entry_of(text), text, source)
        except BadLine as error:
            self.spoilt(file, number, str(error))
            return 0
        return 1

    def spoilt(self, file: str, number: int, problem: str) -> None:
        """Count a bad line, and keep the first ones."""
        self.bad_lines += 1
        if len(self.bad) < NAMED:
            self.bad.append(Bad(file, number, problem))

    def refuse_empty(self, file: object, hint: str | None = None) -> None:
        """Raise `InputError` where there is no result: say what there was, and give a hint."""
        if self.builder.n:
            return
        if self.bad_lines:
            first = self.bad[0]
            raise InputError(
                f"all {self.bad_lines:,} lines of the reward log are bad; the first: {first.problem}",
                file=first.file, row=first.line, expected="rftj.reward-log/1, as the reward function prints it",
            )  # fmt: skip
        kinds = [f"{count:,} {'blank' if kind == 'blank' else kind}" for kind, count in self.other.most_common()]
        raise InputError(
            "no line of a reward log in it", file=file, found=f"{self.lines:,} lines: {listed(kinds)}" if kinds else None,
            expected='lines that hold {"schema": "rftj.reward-log/1", ...}',
            hint=hint or "the function that `rftj reward build` makes prints one for every result",
        )  # fmt: skip


@dataclass(slots=True)
class _Place:
    """How far a file was read: bytes of a plain file, lines of a compressed one; its size then."""

    number: int
    size: int = -1
    offset: int = 0
    lines: int = 0


class LogFiles:
    """A log file, or the files of a folder; each `read` takes in what is new."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._places: dict[Path, _Place] = {}
        if not path.is_dir():
            existing(path, WHAT)

    def read(self, intake: Intake, *, final: bool = True) -> int:
        """How many results were new. A last line without its end waits for it unless this is `final`."""
        before = intake.builder.n
        for file in self._files():
            place = self._places.setdefault(file, _Place(len(self._places)))
            size = file.stat().st_size
            if size != place.size or final:
                self._read(file, place, intake, final)
                place.size = size
        return intake.builder.n - before

    def _files(self) -> list[Path]:
        if not self.path.is_dir():
            return [self.path]
        found = sorted(
            one
            for one in self.path.rglob("*")
            if one.is_file() and not any(part.startswith(".") for part in one.relative_to(self.path).parts)
        )
        if not found:
            raise InputError("the folder holds no file", file=self.path, expected="reward logs")
        return found

    def _read(self, file: Path, place: _Place, intake: Intake, final: bool) -> None:
        held, spoilt = 0, (len(intake.bad), intake.bad_lines)
        try:
            with file.open("rb") as raw:
                packed = raw.read(2) == b"\x1f\x8b"
                raw.seek(0 if packed or file.stat().st_size < place.offset else place.offset)
                if packed:
                    lines = _unpacked(raw, place, intake, str(file))
                else:
                    lines = _plain(raw, place, final)
                for line in lines:
                    held += intake.line(line, str(file), place.lines, place.number)
        except OSError as error:
            raise InputError(f"cannot read the {WHAT}: {error.strerror or error}", file=file) from None
        hopeless = final and not held and not packed and intake.bad_lines > spoilt[1]
        if hopeless and file.stat().st_size < SMALL_FILE:
            _whole(file, place, intake, spoilt)


def _plain(raw: BinaryIO, place: _Place, final: bool) -> Iterator[bytes]:
    if raw.tell() == 0:
        place.lines = 0
    place.offset = raw.tell()
    while line := raw.readline(LONGEST_LINE):
        if not final and not line.endswith(b"\n") and len(line) < LONGEST_LINE:
            return
        place.offset += len(line)
        place.lines += 1
        yield line


def _unpacked(raw: BinaryIO, place: _Place, intake: Intake, name: str) -> Iterator[bytes]:
    """The lines of a gzip file that were not read before."""
    known, number = place.lines, 0
    try:
        with gzip.open(raw) as file:
            while line := file.readline(LONGEST_LINE):
                number += 1
                if number > known:
                    place.lines = number
                    yield line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        intake.spoilt(name, number + 1, f"the gzip file is damaged or cut off: {error}")


def _whole(file: Path, place: _Place, intake: Intake, spoilt: tuple[int, int]) -> None:
    """A document that is written over many lines, such as `jq` prints results: no line of it can be read alone."""
    text = file.read_bytes().decode("utf-8", "replace")
    found = [one for value in values_in(text) for one in results_in(value)]
    if found:
        intake.bad, intake.bad_lines = intake.bad[: spoilt[0]], spoilt[1]
    for number, one in enumerate(found, start=1):
        intake.result(one, str(file), number, place.number)

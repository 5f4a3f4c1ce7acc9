"""The ledger of looks at test splits: `.rftj/ledger.jsonl` in the project, one line for each judge that met the items.

A look is charged when a judge fingerprint meets test items for the first time, not when the same judge is run again.
Which items were met is kept as their hashes: all of them up to 4,096, beyond the smallest (lines of earlier versions hold
128). A set is compared with them whole, so a part of a test set is recognised by any of its items whose hash was kept, and a
test set that grew by those it had; items that are added later do not make a set a new one.
"""

from __future__ import annotations

import fcntl
import hashlib
import heapq
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rftj_cli.errors import InputError

SCHEMA = "rftj.look/1"
LEDGER = Path(".rftj") / "ledger.jsonl"
SKETCH = (
    4096  # hashes kept of a set of items: of 50,000 a part of 100 is missed in 1 of 5,000 cases, one of 20 in 1 of 6
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: which judge met which items, and when (ISO 8601, UTC)."""

    judge: str
    rubric: str
    split: str
    items: int
    sketch: tuple[str, ...]
    time: str


@dataclass(frozen=True, slots=True)
class Look:
    """What this measurement's look is: the `number`-th judge to meet these items.

    `charged`: it was written now; `recorded`: it stands in the ledger (not so with `--frozen` and a new judge).
    """

    number: int
    charged: bool
    recorded: bool
    ledger: str


def item_hash(id: str, fields: Mapping[str, object]) -> str:
    """What makes a sample the same item whatever the rubric shows of it: its id and its response(s)."""
    text = "\0".join([id, *(str(fields.get(name, "")) for name in ("response", "response_a", "response_b"))])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def find_ledger(start: Path | None = None) -> Path:
    """The project's ledger: that of the nearest folder upwards that has one, else beside `.git`, else here."""
    here = (start or Path.cwd()).resolve()
    folders = [here, *here.parents]
    for folder in folders:
        if (folder / LEDGER).is_file():
            return folder / LEDGER
    root = next((folder for folder in folders if (folder / ".git").exists()), here)
    return root / LEDGER


def take_look(path: Path, *, judge: str, rubric: str, split: str, items: Iterable[str], frozen: bool) -> Look:
    """Count the look of `judge` at these items (hashes), and write it unless it is known or the ledger is `frozen`."""
    hashes = set(items)
    entry = Entry(
        judge, rubric, split, len(hashes), tuple(heapq.nsmallest(SKETCH, hashes)), datetime.now(UTC).isoformat("T", "seconds")
    )  # fmt: skip
    if frozen:
        number, known = _number(_read(path), entry, hashes)
        return Look(number, False, known, str(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # two measurements at once are two looks
            number, known = _number(_read(path), entry, hashes)
            if not known:
                text = path.read_text(encoding="utf-8")
                mend = "\n" if text and not text.endswith("\n") else ""  # an editor or a merge may have taken it
                file.write(mend + json.dumps({"schema": SCHEMA, **asdict(entry)}) + "\n")
    except OSError as error:
        raise InputError(
            f"this look cannot be charged: {error.strerror or error}", file=path,
            hint="make it writable, or only read it with --frozen",
        ) from None  # fmt: skip
    return Look(number, not known, True, str(path))


def _number(entries: list[Entry], mine: Entry, hashes: set[str]) -> tuple[int, bool]:
    """Which judge on these items this is, and whether it is known."""
    met: dict[str, None] = {}
    for one in entries:
        if one.split == mine.split and not hashes.isdisjoint(one.sketch):
            met.setdefault(one.judge)
    judges = list(met)
    return (judges.index(mine.judge) + 1, True) if mine.judge in met else (len(judges) + 1, False)


def _read(path: Path) -> list[Entry]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the ledger cannot be read: {error}", file=path) from None
    return [_entry(line, path, row) for row, line in enumerate(lines, 1) if line.strip()]


def _entry(line: str, path: Path, row: int) -> Entry:
    try:
        data = json.loads(line)
        if data["schema"] != SCHEMA:
            raise ValueError(f"schema {data['schema']!r} instead of {SCHEMA!r}")
        sketch = tuple(str(one) for one in data["sketch"])
        return Entry(
            str(data["judge"]), str(data["rubric"]), str(data["split"]), int(data["items"]), sketch, str(data["time"])
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"this line of the ledger cannot be read: {error}", file=path, row=row,
            hint="take it back from git: a line that is lost makes later claims too strong",
        ) from None  # fmt: skip

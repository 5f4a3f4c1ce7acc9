"""`run repair`: what can still be read of a damaged run store, in a new run folder that `score` goes on with.

copy of the store --rows one by one, each decoded--> store of a new run; the damaged run is only read

A row counts as readable when SQLite returns it and its JSON is what a run writes. An outcome whose sample is lost is left
out: `score` makes it again, from the replies where these are there.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec

from rftj_cli.errors import InputError
from rftj_cli.files.damage import UNREADABLE
from rftj_cli.files.runs import Lock, Run, is_foreign, make_private, seal, write_manifest
from rftj_cli.files.store import Store
from rftj_cli.files.typed import score_command
from rftj_cli.kernel.checks import CheckResult
from rftj_cli.kernel.outcome import Failure, Reply, Reward, Verdict

SCHEMA: Final = "rftj.repair/1"
TABLES: Final = {"samples": 8, "replies": 12, "outcomes": 6}  # and how many columns they have


@dataclass(frozen=True, slots=True)
class Saved:
    """One table of the store: rows saved, and rows known to be lost. `lost` None: how many there were cannot be told."""

    saved: int
    lost: int | None


@dataclass(frozen=True, slots=True)
class Repaired:
    """What became of a damaged run; `judged` and `of` count samples of the new one, `command` goes on with it."""

    run: Path
    folder: Path
    tables: dict[str, Saved]
    judged: int
    of: int
    command: str


def repair(run: Run, to: Path | None) -> Repaired:
    """Save what can be read of a run's store into a new folder. Raises `InputError` where nothing can be read."""
    path = run.folder / "store.sqlite"
    if not path.is_file() or not path.stat().st_size:
        raise InputError("this run has no store: there is nothing to repair", file=path)
    folder = _target(run, to)
    with Lock(run.folder), tempfile.TemporaryDirectory(prefix="rftj-") as scratch:
        copy = Path(scratch) / path.name
        for ending in ("", "-wal"):
            source = path.with_name(path.name + ending)
            if source.exists():
                shutil.copyfile(source, copy.with_name(copy.name + ending))
        rows = {table: _rows(copy, table) for table in TABLES}
    known = {row[1] for row in rows["samples"][0]}
    outcomes = [row for row in rows["outcomes"][0] if row[0] in known]
    saved = {**{table: found for table, (found, _) in rows.items()}, "outcomes": outcomes}
    if not any(saved.values()):
        raise InputError("nothing of this store can be read", file=path, hint="judge the samples again in a new run")
    _write(run, folder, saved)
    tables = {}
    for table, (_, there) in rows.items():
        wanted = max(there or 0, run.manifest.counts.get("judged", 0) if table == "outcomes" else 0)
        tables[table] = Saved(len(saved[table]), max(0, wanted - len(saved[table])) if there or wanted else None)
    of, command = run.manifest.counts.get("samples", len(known)), score_command(run.manifest, run=folder)
    return Repaired(run.folder, folder, tables, len(outcomes), of, command)


def _target(run: Run, to: Path | None) -> Path:
    if to is not None:
        if is_foreign(to) or to.resolve().is_relative_to(run.folder.resolve()):
            raise InputError("there is something already, or it lies in the run itself", file=to, key="--to",
                             hint="a repair writes a new run: name another folder")  # fmt: skip
        return to
    beside = run.folder.resolve()
    names = (f"{beside.name}-repaired{'' if number == 1 else f'-{number}'}" for number in count(1))
    return next(one for one in (run.folder.parent / name for name in names) if not is_foreign(one))


def _rows(path: Path, table: str) -> tuple[list[tuple[Any, ...]], int | None]:
    """The readable rows of a table, in order, and how many there were, as far as the rest tells (None: it cannot)."""
    found: dict[Any, tuple[Any, ...]] = {}
    db = sqlite3.connect(path)
    try:
        key = "sample" if table == "outcomes" else "seq"
        ends = [_walk(db, f"SELECT * FROM {table} ORDER BY {key} {way}", found) for way in ("ASC", "DESC")]
        if None not in ends:
            return _whole(table, found), len(found)
        if table == "outcomes":
            others: dict[Any, tuple[Any, ...]] = {}
            _walk(db, "SELECT id FROM samples", others)
            wanted: Iterator[Any] = iter(others)
        else:
            wanted = iter(range(1, max(found, default=0)))
        for one in wanted:
            if one not in found:
                _walk(db, f"SELECT * FROM {table} WHERE {key} = ?", found, (one,))
    finally:
        db.close()
    there = max(found, default=None) if table != "outcomes" else None
    return _whole(table, found), there


def _whole(table: str, found: dict[Any, tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted((row for row in found.values() if _is_whole(table, row)), key=lambda row: row[0])


def _walk(
    db: sqlite3.Connection, query: str, found: dict[Any, tuple[Any, ...]], given: tuple[Any, ...] = ()
) -> int | None:
    """Add the rows of a query by their first column; how many there were, None where reading broke off."""
    met = 0
    try:
        for row in db.execute(query, given):
            found.setdefault(row[0], row)
            met += 1
    except (sqlite3.DatabaseError, UnicodeDecodeError, MemoryError):
        return None
    return met


def _is_whole(table: str, row: tuple[Any, ...]) -> bool:
    """Whether a row holds what a run writes."""
    decode = msgspec.json.decode
    if len(row) != TABLES[table]:
        return False
    try:
        if table == "samples":
            texts = row[1:6]
            decode(row[6], type=dict[str, Any])
            decode(row[7], type=list[str])
        elif table == "replies":
            texts = (*row[1:3], row[4], row[6], *(row[8:10] if row[7] is None else ()))
            if row[7] is not None:
                decode(row[7], type=Reply)
        else:
            texts = row[:1]
            decode(row[3], type=Verdict if row[1] == "verdict" else Failure)
            decode(row[4], type=Reward)
            decode(row[5], type=tuple[CheckResult, ...])
    except UNREADABLE:
        return False
    return all(isinstance(one, str) for one in texts)


def _write(run: Run, folder: Path, saved: dict[str, list[tuple[Any, ...]]]) -> None:
    make_private(folder)
    with Lock(folder):
        now = datetime.now(UTC).isoformat(timespec="seconds")
        counts = {**run.manifest.counts, "judged": len(saved["outcomes"])}
        manifest = replace(run.manifest, name=folder.name, status="partial", updated=now, counts=counts)
        write_manifest(folder, manifest)
        store = Store(folder / "store.sqlite", write=True)
        try:
            store.fill(saved)
            stages = store.stages()
            failed = len(saved["outcomes"]) - stages.get("verdict", 0)
            counts = {
                "samples": max(counts.get("samples", 0), len(saved["samples"])), "judged": len(saved["outcomes"]),
                "failed": failed, **{f"stage_{name}": number for name, number in stages.items()},
            }  # fmt: skip
            done = len(saved["outcomes"]) >= run.manifest.wanted
            write_manifest(folder, replace(manifest, counts=counts, status="complete" if done else "partial"))
        finally:
            store.close()
            seal(folder)

"""The run store: one SQLite file that holds every sample, reply and outcome of a run and survives `kill -9`.

Write-ahead log with full synchronisation; one connection writes, in batches; whatever a commit has acknowledged is on
disk. Readers open it read-only at any time, also while a run is going on.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import wraps
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import msgspec

from rftj_cli.errors import CannotTell, InputError
from rftj_cli.files.store_rows import INSERTS, OutcomeRow, Rewards, Row, SampleRow, Usage
from rftj_cli.kernel.checks import CheckResult
from rftj_cli.kernel.outcome import CallError, Failure, Outcome, Reply, Reward, Stage, Verdict
from rftj_cli.kernel.sample import Sample

SCHEMA = """
CREATE TABLE IF NOT EXISTS samples (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, fingerprint TEXT NOT NULL,
  grp TEXT NOT NULL, cluster TEXT NOT NULL, split TEXT NOT NULL, fields BLOB NOT NULL, criteria BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS replies (
  seq INTEGER PRIMARY KEY, key TEXT NOT NULL, sample TEXT NOT NULL, item TEXT, ord TEXT NOT NULL, vote INTEGER NOT NULL,
  criteria TEXT NOT NULL, reply BLOB, stage TEXT, reason TEXT, cost REAL, reused INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS replies_key ON replies (key);
CREATE TABLE IF NOT EXISTS outcomes (
  sample TEXT PRIMARY KEY, kind TEXT NOT NULL, stage TEXT, body BLOB NOT NULL, reward BLOB NOT NULL,
  checks BLOB NOT NULL) WITHOUT ROWID;
"""


# What reading a damaged store may raise: SQLite's own errors, and values that are not what was written.
UNREADABLE: Final = (sqlite3.DatabaseError, msgspec.DecodeError, ValueError, TypeError)
_Given = ParamSpec("_Given")
_Read = TypeVar("_Read")


def damaged(path: Path, error: Exception) -> InputError:
    """What to say of a store that cannot be read, and how to save the rest."""
    return InputError(
        f"not a run store, or a damaged one: {error}", file=path,
        hint=f"what can still be read is saved into a new folder by `rftj run repair {path.parent}`",
    )  # fmt: skip


def _reads(method: Callable[_Given, _Read]) -> Callable[_Given, _Read]:
    """A method of a store that reads: damage is the user's input error, not a bug."""

    @wraps(method)
    def guarded(*given: _Given.args, **named: _Given.kwargs) -> _Read:
        try:
            return method(*given, **named)
        except UNREADABLE as error:
            store = given[0]
            assert isinstance(store, Store)
            raise damaged(store.path, error) from None

    return guarded


class Store:
    """One open run store. A store opened for reading never changes the file."""

    def __init__(self, path: Path, *, write: bool) -> None:
        self.path = path
        try:
            if write:
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # its log gets the same mode
                self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=FULL")
                self._db.executescript(f"BEGIN; {SCHEMA} COMMIT;")
            else:
                if not path.exists():
                    raise InputError("this run has no store", file=path)
                self._db = _for_reading(path)
        except sqlite3.DatabaseError as error:
            if write and error.sqlite_errorname.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY")):
                raise  # the disk's fault
            raise damaged(path, error) from None
        self._inode = os.stat(path).st_ino

    @classmethod
    def existing(cls, path: Path) -> Store | None:
        """The store at `path` for reading; None where there is none, or its writer was killed before it had any table."""
        if not path.exists():
            return None
        try:
            with closing(_for_reading(path, "sqlite_master")) as db:
                if not db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
                    return None
        except sqlite3.DatabaseError:
            pass  # not a database: opening it says so
        return cls(path, write=False)

    def close(self) -> None:
        self._db.close()

    def write(self, rows: Sequence[Row]) -> None:
        """Write a batch; when this returns, it is on disk. Raises `CannotTell` where the file is no longer there."""
        if not self.present:
            raise CannotTell(f"the run folder was removed or replaced meanwhile: {self.path.parent}")
        db = self._db
        db.execute("BEGIN")
        try:
            for kind, (statement, values) in INSERTS.items():
                db.executemany(statement, [values(row) for row in rows if type(row) is kind])
            db.execute("COMMIT")
        except BaseException as error:
            if db.in_transaction:  # a commit that failed may have ended it: a full disk does
                db.execute("ROLLBACK")
            if isinstance(error, sqlite3.DatabaseError) and error.sqlite_errorname in (
                "SQLITE_CORRUPT",
                "SQLITE_NOTADB",
            ):
                raise damaged(self.path, error) from None
            raise

    def fill(self, tables: Mapping[str, Sequence[tuple[Any, ...]]]) -> None:
        """Write rows as another store held them, by table; a row that contradicts an earlier one is left out."""
        self._db.execute("BEGIN")
        for table, rows in tables.items():
            if rows:
                self._db.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({','.join('?' * len(rows[0]))})", rows)
        self._db.execute("COMMIT")

    @property
    def present(self) -> bool:
        """Whether the open file is still the one in the run folder: a removed one takes writes, and loses them."""
        try:
            return os.stat(self.path).st_ino == self._inode
        except OSError:
            return False

    @_reads
    def fingerprint(self, id: str) -> str | None:
        """The fingerprint under which a sample is known, if it is."""
        row = self._db.execute("SELECT fingerprint FROM samples WHERE id = ?", (id,)).fetchone()
        return None if row is None else str(row[0])

    @_reads
    def fields(self, id: str) -> dict[str, object]:
        """The fields of a known sample."""
        row = self._db.execute("SELECT fields FROM samples WHERE id = ?", (id,)).fetchone()
        fields: dict[str, object] = msgspec.json.decode(row[0])
        return fields

    @_reads
    def settled(self, id: str) -> tuple[str, Stage | None] | None:
        """(`verdict` or `failure`, stage) of a sample that has an outcome."""
        row: tuple[str, Stage | None] | None
        row = self._db.execute("SELECT kind, stage FROM outcomes WHERE sample = ?", (id,)).fetchone()
        return row

    @_reads
    def reply(self, key: str) -> Reply | None:
        """A stored reply to exactly this request."""
        row = self._db.execute(
            "SELECT reply FROM replies WHERE key = ? AND reply IS NOT NULL LIMIT 1", (key,)
        ).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=Reply)

    def answer(self, sample: str, key: str) -> Reply | CallError | None:
        """What this sample's request got: its reply, else the last failure of the call."""
        return self._answer("key = ? AND sample = ?", (key, sample))

    def answer_at(
        self, sample: str, item: str | None, order: str, vote: int, criteria: str
    ) -> Reply | CallError | None:
        """What a sample got for one of its calls, whatever the request was; slow: the store has no index for it."""
        where = "sample = ? AND item IS ? AND ord = ? AND vote = ? AND criteria = ?"
        return self._answer(where, (sample, item, order, vote, criteria))

    @_reads
    def _answer(self, where: str, values: tuple[object, ...]) -> Reply | CallError | None:
        order = "reply IS NULL, CASE WHEN reply IS NULL THEN -seq ELSE seq END"
        query = f"SELECT reply, stage, reason FROM replies WHERE {where} ORDER BY {order} LIMIT 1"
        row = self._db.execute(query, values).fetchone()
        if row is None:
            return None
        return CallError(row[1], row[2]) if row[0] is None else msgspec.json.decode(row[0], type=Reply)

    @_reads
    def count(self, what: str) -> int:
        """How many rows `samples`, `replies` or `outcomes` holds."""
        return int(self._db.execute(f"SELECT COUNT(*) FROM {what}").fetchone()[0])

    @_reads
    def stages(self) -> dict[str, int]:
        """How many samples ended as `verdict`, and how many failed at each stage."""
        rows = self._db.execute("SELECT COALESCE(stage, kind), COUNT(*) FROM outcomes GROUP BY 1 ORDER BY 1")
        return {str(stage): int(count) for stage, count in rows}

    @_reads
    def spent(self) -> tuple[float | None, int, int, int]:
        """(US dollars, input tokens, output tokens, calls) of the replies that this run itself paid for.

        The cost is None where the price of any of them was unknown.
        """
        cost, priced, calls = self._db.execute(
            "SELECT COALESCE(SUM(cost), 0), COUNT(cost), COUNT(*) FROM replies WHERE NOT reused"
        ).fetchone()
        tokens = self._db.execute(
            "SELECT COALESCE(SUM(json_extract(reply, '$.input_tokens')), 0),"
            " COALESCE(SUM(json_extract(reply, '$.output_tokens')), 0)"
            " FROM replies WHERE NOT reused AND reply IS NOT NULL"
        ).fetchone()
        return float(cost) if priced == calls else None, int(tokens[0]), int(tokens[1]), int(calls)

    @_reads
    def usage(self) -> Usage:
        """Mean tokens and seconds of a reply, recorded and reused ones too; None where no reply tells them."""
        asked = (
            "json_extract(CAST(reply AS TEXT), '$.input_tokens')",
            "json_extract(CAST(reply AS TEXT), '$.output_tokens')",
        )
        took = "json_extract(CAST(reply AS TEXT), '$.seconds')"
        means = ", ".join(f"AVG(NULLIF({one}, 0))" for one in (*asked, took))
        return Usage(*self._db.execute(f"SELECT {means} FROM replies WHERE reply IS NOT NULL").fetchone())

    @_reads
    def rewards(self) -> Rewards:
        """The rewards of the run in short."""
        value = "json_extract(CAST(reward AS TEXT), '$.value')"
        query = f"SELECT AVG({value}), MIN({value}), MAX({value}), COUNT(*) - COUNT({value}) FROM outcomes"
        return Rewards(*self._db.execute(query).fetchone())

    def outcomes(self, ids: Iterable[str] | None = None) -> Iterator[tuple[SampleRow, OutcomeRow]]:
        """Every judged sample (or those of `ids`) with its outcome, in the order of the samples (or of `ids`)."""
        query = (
            "SELECT s.id, s.fingerprint, s.grp, s.cluster, s.split, s.fields, s.criteria, o.kind, o.body, o.reward,"
            " o.checks FROM samples s JOIN outcomes o ON o.sample = s.id"
        )
        try:
            if ids is None:
                yield from map(_outcome, self._db.execute(f"{query} ORDER BY s.seq"))
            else:
                for id in ids:
                    yield from map(_outcome, self._db.execute(f"{query} WHERE s.id = ?", (id,)))
        except UNREADABLE as error:
            raise damaged(self.path, error) from None

    def ids(self) -> Iterator[str]:
        """The ids of all known samples."""
        try:
            yield from (str(row[0]) for row in self._db.execute("SELECT id FROM samples ORDER BY seq"))
        except UNREADABLE as error:
            raise damaged(self.path, error) from None


def _outcome(found: tuple[Any, ...]) -> tuple[SampleRow, OutcomeRow]:
    id, fingerprint, group, cluster, split, fields, criteria, kind, body, reward, checks = found
    sample = Sample(id, msgspec.json.decode(fields), group, cluster, split, (), tuple(msgspec.json.decode(criteria)))
    outcome: Outcome
    if kind == "verdict":
        outcome = msgspec.json.decode(body, type=Verdict)
    else:
        outcome = msgspec.json.decode(body, type=Failure)
    given = msgspec.json.decode(reward, type=Reward)
    results = msgspec.json.decode(checks, type=tuple[CheckResult, ...])
    return SampleRow(sample, fingerprint, group, cluster, split), OutcomeRow(id, outcome, given, results)


def _for_reading(path: Path, table: str = "samples") -> sqlite3.Connection:
    """A read-only connection. Where the medium cannot be written, SQLite cannot share a log: there nobody writes."""
    for mode in ("mode=ro", "mode=ro&immutable=1"):
        db = sqlite3.connect(f"file:{_quoted(path)}?{mode}", uri=True, check_same_thread=False)
        try:
            db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()
            return db
        except sqlite3.OperationalError:
            db.close()
            log = path.with_name(f"{path.name}-wal")
            if mode != "mode=ro" or os.access(path.parent, os.W_OK) or (log.exists() and log.stat().st_size):
                raise
    raise AssertionError("unreachable")


def _quoted(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")

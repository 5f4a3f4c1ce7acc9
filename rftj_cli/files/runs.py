"""Run folders: where they are, their manifest (`run.json`), and the lock that keeps two writers apart.

runs/NAME-<8 of the judge fingerprint>/   readable by its owner alone
    run.json       what was judged with what: rubric, fingerprints, settings, counts, cost, times
    store.sqlite   every sample, reply and outcome
    lock           held while a run is being written
    .gitignore     keeps all of it out of the repository around it
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import msgspec

from rftj_cli.errors import InputError, nearest
from rftj_cli.files.checksum import checksum
from rftj_cli.files.damage import damaged
from rftj_cli.files.store import Store
from rftj_cli.files.text import write_whole
from rftj_cli.kernel.compile import compile_rubric
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.secrets import redacted

SCHEMA = "rftj.run/1"
RUNS = Path("runs")
STORE = "store.sqlite"


@dataclass(frozen=True, slots=True)
class Selection:
    """How a part of a samples file was chosen: `chosen` of its `of` samples.

    By what came out in other `runs` (`only`: failing, failures, flipped, disagreeing), by split, and of these `sample` at random.
    """

    chosen: int
    of: int
    only: str | None = None
    runs: tuple[str, ...] = ()
    split: str | None = None
    sample: int | None = None
    seed: int = 0

    @property
    def words(self) -> str:
        """`failing of runs/x, split dev: 12 of 144`."""
        parts = [] if self.only is None else [f"{self.only} {'between' if len(self.runs) > 1 else 'of'} {self._runs}"]
        parts += [] if self.split is None else [f"split {self.split}"]
        parts += [] if self.sample is None else [f"at most {self.sample:,} at random (seed {self.seed})"]
        return f"{', '.join(parts) or 'all'}: {self.chosen:,} of {self.of:,}"

    @property
    def _runs(self) -> str:
        return " and ".join(self.runs)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a run is. Times are ISO 8601 in UTC, `cost` US dollars (None: the model's price is unknown).

    `learned` is what calling the judge has shown: what the model accepts, how many tokens its requests and replies have
    beside the estimate, and the rates at which the service began to refuse. `selections` say how a part of the samples was
    chosen, where not all of the file were judged; `counts` has the samples of the whole file all the same. `source` is where
    the replies came from, in words, `sources` the same one by one. An `internal` run was made by rftj for a purpose of its
    own, and is never `@last`. `store_crc` is the checksum of the store at rest, None while it is written.
    """

    name: str
    rubric: dict[str, Any]
    rubric_path: str
    judge_fingerprint: str
    reward_fingerprint: str
    samples_path: str
    columns: dict[str, str]
    model: str
    source: str
    rftj_version: str
    started: str
    updated: str
    status: Literal["running", "complete", "partial"]
    counts: dict[str, int]
    cost: float | None
    input_tokens: int
    output_tokens: int
    calls: int
    seconds: float
    history: tuple[dict[str, Any], ...] = ()
    learned: dict[str, Any] = field(default_factory=dict)
    selections: tuple[Selection, ...] = ()
    sources: tuple[str, ...] = ()
    internal: bool = False
    store_crc: int | None = None
    schema: str = SCHEMA

    @property
    def wanted(self) -> int:
        """How many samples the run is to hold: all of the file, or those that were chosen."""
        return max([one.chosen for one in self.selections], default=self.counts.get("samples", 0))

    @property
    def came_from(self) -> tuple[str, ...]:
        """Where its replies came from, each once. Runs of older versions tell it by their history, else by `source`."""
        called = [one["source"] for one in self.history if one.get("calls") and "source" in one]
        return self.sources or tuple(dict.fromkeys(called)) or (self.source,)

    @property
    def by_outcome(self) -> tuple[Selection, ...]:
        """The selections that chose samples by what came out: agreement on these says nothing of others."""
        return tuple(one for one in self.selections if one.only is not None)


@dataclass(frozen=True, slots=True)
class _Schema:
    schema: str = SCHEMA


@dataclass(frozen=True, slots=True)
class Run:
    """An existing run folder, opened for reading."""

    folder: Path
    manifest: Manifest
    rubric: Rubric

    def store(self) -> Store:
        """Its store, read-only. Raises `InputError` where it is damaged."""
        refuse_damage(self.folder, self.manifest)
        return Store(self.folder / STORE, write=False)


def default_folder(rubric: Rubric, runs: Path = RUNS) -> Path:
    """Where a rubric's run goes unless the user says otherwise."""
    return runs / f"{rubric.name}-{rubric.judge_fingerprint[:8]}"


def open_run(name: str) -> Run:
    """The run at a path, or the newest one for `@last`. Raises `InputError` where there is none."""
    folder = last_run() if name == "@last" else Path(name)
    if folder.is_file() and folder.name == "run.json":
        folder = folder.parent
    if not folder.is_dir():
        hint = nearest(str(folder), [str(one) for one in all_runs()])
        raise InputError("no such run", file=folder, hint=hint or "`rftj score` makes one")
    manifest = read_manifest(folder)
    if manifest is None:
        raise InputError("this folder is not a run: it has no run.json", file=folder)
    return Run(folder, manifest, compile_rubric(manifest.rubric))


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a run folder, None where there is none."""
    path = folder / "run.json"
    try:
        data = path.read_bytes()
        schema = msgspec.json.decode(data, type=_Schema).schema
        if schema != SCHEMA and schema.startswith("rftj.run/"):
            raise InputError(
                "this run was written by another version of rftj", file=path, key="schema", found=schema, expected=SCHEMA,
                hint="use the version that wrote it, or a newer one",
            )  # fmt: skip
        return msgspec.json.decode(data, type=Manifest)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not a run manifest: {error}", file=path) from None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace `run.json` in one step."""
    whole = msgspec.to_builtins(manifest)
    document = json.loads(redacted(json.dumps(whole)))
    document["rubric"] = whole["rubric"]  # as the user wrote it, which the fingerprints are of
    write_whole(folder / "run.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def seal(folder: Path) -> None:
    """Note the checksum of a store that nobody writes any more."""
    manifest = read_manifest(folder)
    if manifest is not None:
        write_manifest(folder, replace(manifest, store_crc=checksum(folder / STORE)))


def refuse_damage(folder: Path, manifest: Manifest) -> None:
    """Raise `InputError` where the store's bytes are not those that were written. One that is being written is not looked at."""
    found = None if manifest.store_crc is None else checksum(folder / STORE)
    if found is not None and found != manifest.store_crc and read_manifest(folder) == manifest:
        raise damaged(folder / STORE, ValueError("its bytes are not those that were written"))


def all_runs(runs: Path = RUNS) -> list[Path]:
    """The run folders in `runs`."""
    try:
        return sorted(one for one in runs.iterdir() if (one / "run.json").exists())
    except OSError:
        return []


def last_run() -> Path:
    """The run that the user had written last, by its manifest; not one that a command made for a purpose of its own."""
    for folder in sorted(all_runs(), key=lambda folder: (folder / "run.json").stat().st_mtime, reverse=True):
        manifest = read_manifest(folder)
        if manifest is not None and not manifest.internal:
            return folder
    raise InputError("there is no run yet", file=RUNS, hint="`rftj score RUBRIC SAMPLES` makes one")


def is_foreign(folder: Path) -> bool:
    """Whether a place without a manifest holds something else than what a run leaves that was killed as it began."""
    if not folder.is_dir():
        return folder.exists()
    return any(not _is_beginning(one) for one in folder.iterdir())


def _is_beginning(path: Path) -> bool:
    if path.name == "store.sqlite":
        return path.stat().st_size == 0
    return path.name in ("lock", ".gitignore") or path.name.startswith((".run.json-", "..gitignore-"))


def siblings(folder: Path, model: str) -> list[Path]:
    """Other runs beside this one that were judged by the same model: their replies can be reused."""
    found = []
    for other in sorted(folder.parent.glob("*/run.json")) if folder.parent.is_dir() else []:
        if other.parent.resolve() != folder.resolve():
            try:
                manifest = read_manifest(other.parent)
            except InputError:
                continue  # a damaged neighbour is its own problem
            if manifest is not None and manifest.model == model:
                found.append(other.parent)
    return found


class Lock:
    """The writer's lock on a run folder: a second `rftj score` on the same run is refused, not mixed in."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"

    def __enter__(self) -> Self:
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise InputError("another rftj is writing this run", file=self._path.parent, hint="wait for it") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)


def make_private(folder: Path, what: str = "run folder") -> None:
    """Create a folder that only its owner can read; where it is new, version control leaves it out."""
    ignore = folder / ".gitignore"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise InputError(f"cannot make the {what}: {error.strerror}", file=folder) from None
    if not (ignore.exists() or (folder / "run.json").exists()):
        write_whole(ignore, "*\n")

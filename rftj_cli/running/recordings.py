"""Replies that exist already: from this run, from runs beside it, or recorded elsewhere and replayed.

A recording answers a call only if it was given to exactly that request. Replies that are keyed by sample id are bound,
the first time they are read, to the hash of the request that each answers; a changed prompt then misses.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rftj_cli.errors import InputError, nearest
from rftj_cli.files.rows import Table
from rftj_cli.files.runs import make_private, open_run, read_manifest, refuse_damage, siblings
from rftj_cli.files.store import Store
from rftj_cli.files.text import read_text, write_whole
from rftj_cli.kernel.asks import Ask
from rftj_cli.kernel.outcome import CallError, Reply
from rftj_cli.kernel.stops import BROKEN, stop_of

BINDINGS = Path(".rftj") / "imports"
_KEYS = ("request", "id", "item", "criterion", "order", "vote", "text", "stop", "input_tokens", "output_tokens")
_STOPS = ("end", "max_tokens", "filtered", "refused")
EMPTY = (
    "the recorded reply is empty: if the judge was cut off, filtered or refused, say so with `stop` in the replies file"
)


class Recordings(Protocol):
    """Where a recorded reply may be found. `name` says so in the manifest."""

    @property
    def name(self) -> str: ...

    def find(self, sample: str, ask: Ask) -> Reply | CallError | None: ...


@dataclass(frozen=True, slots=True)
class Stores:
    """Replies of runs, by the exact request. `borrowed` stores were opened for one command and are closed with it."""

    stores: Sequence[Store]
    name: str = "runs"
    borrowed: bool = False

    def find(self, sample: str, ask: Ask) -> Reply | None:
        key = ask.request.key
        return next((reply for store in self.stores if (reply := store.reply(key)) is not None), None)


class KeyedFile:
    """A JSONL file of replies by the hash of their request (`{"request": ..., "text": ...}`)."""

    def __init__(self, path: Path) -> None:
        self.name = f"replay of {path}"
        self._replies: dict[str, Reply | CallError] = {}
        for row, data in Table(path, "replies file"):
            if not isinstance(data.get("request"), str):
                raise InputError(
                    "this reply does not say which request it answers",
                    file=path,
                    row=row,
                    key="request",
                    hint="replies by sample id are read with --import-replies",
                )
            reply = _reply(data, path, row)
            if self._replies.setdefault(data["request"], reply) != reply:
                raise InputError("two different replies to one request", file=path, row=row, key="request")

    def find(self, sample: str, ask: Ask) -> Reply | CallError | None:
        return self._replies.get(ask.request.key)


class ImportedFile:
    """A JSONL file of replies by sample id (and order, vote, item, criterion), bound to their requests on first use."""

    def __init__(self, path: Path, bindings: Path = BINDINGS) -> None:
        self.name = f"import of {path}"
        self.path = path
        self._replies: dict[tuple[str, ...], Reply | CallError] = {}
        content = hashlib.sha256()
        for row, data in Table(path, "replies file"):
            key = _place(data, path, row)
            if key in self._replies:
                raise InputError("two replies for the same call", file=path, row=row, key="id", found=data["id"])
            self._replies[key] = _reply(data, path, row)
            content.update(json.dumps(data, sort_keys=True).encode())
        content.update(
            path.name.encode("utf-8", "surrogatepass")
        )  # two prompts may have been answered with the same words
        self._binding = bindings / f"{content.hexdigest()[:16]}.json"
        self._bound = self._read_binding()
        self._new: dict[str, str] = {}
        self._strangers = {place[0] for place in self._replies}

    def find(self, sample: str, ask: Ask) -> Reply | CallError | None:
        """The reply, if there is one. Raises `InputError` where it was given to another request."""
        key = (sample, ask.order, str(ask.vote), ask.item or "", ask.criteria[0].id if len(ask.criteria) == 1 else "")
        place = key if key in self._replies else (*key[:4], "")
        reply = self._replies.get(place)
        if reply is None:
            return None
        name = "|".join(key)  # by the call, not by the row: one row may answer the calls for several criteria
        request = ask.request.key
        if self._bound.get(name, request) != request:
            raise InputError(
                f"the recorded reply for sample {sample} answers another prompt than this rubric's",
                file=self.path,
                key="id",
                found=sample,
                hint=f"the file was imported before, for other requests ({self._binding}): a changed prompt, model or "
                "setting needs a live judge",
            )
        self._new[name] = request
        return reply

    def meet(self, sample: str) -> None:
        """Take note that this command has such a sample."""
        self._strangers.discard(sample)

    @property
    def strangers(self) -> int:
        """How many replies belong to none of the samples met."""
        return sum(place[0] in self._strangers for place in self._replies)

    def bind(self) -> None:
        """Remember which request each reply that was asked for answers."""
        if self._new.items() - self._bound.items():
            make_private(self._binding.parent, "folder of import bindings")
            write_whole(self._binding, json.dumps({**self._bound, **self._new}, indent=0, sort_keys=True) + "\n")

    def _read_binding(self) -> dict[str, str]:
        if not self._binding.exists():
            return {}
        try:
            bound = json.loads(read_text(self._binding, "import binding"))
        except ValueError as error:
            raise InputError(f"not a binding: {error}", file=self._binding) from None
        return {str(key): str(value) for key, value in bound.items()}


def replayed(path: Path) -> Recordings:
    """The recordings behind `--replay`: a run folder, or a file keyed by request."""
    if path.is_dir() or str(path) == "@last":
        return Stores((open_run(str(path)).store(),), f"replay of {path}")
    return KeyedFile(path)


def _place(data: dict[str, Any], path: Path, row: int) -> tuple[str, ...]:
    for key in data:
        if key not in _KEYS:
            expected = "one of " + ", ".join(_KEYS)
            raise InputError("unknown key", file=path, row=row, key=key, expected=expected, hint=nearest(key, _KEYS))
    if data.get("id") is None:
        raise InputError("missing key", file=path, row=row, key="id", hint=nearest("id", data))
    order = data.get("order", "given")
    if order not in ("given", "swapped"):
        raise InputError("unknown order", file=path, row=row, key="order", found=order, expected="given or swapped")
    vote = data.get("vote", 0)
    if isinstance(vote, bool) or not isinstance(vote, int) or vote < 0:
        raise InputError("bad vote", file=path, row=row, key="vote", found=vote, expected="0, 1, 2, ...")
    return str(data["id"]), order, str(vote), str(data.get("item") or ""), str(data.get("criterion") or "")


def _reply(data: dict[str, Any], path: Path, row: int) -> Reply | CallError:
    text, stop = data.get("text"), data.get("stop", "end")
    if text is not None and not isinstance(text, str):
        raise InputError("wrong type", file=path, row=row, key="text", found=text, expected="text, or null")
    known = stop_of(stop) if isinstance(stop, str) and stop not in _STOPS else stop
    if known == BROKEN:
        return CallError("call", f"the service broke the recorded reply off (stop: {stop})")
    if known not in _STOPS:
        expected = f"one of {', '.join(_STOPS)}, or the service's own word for one of them"
        raise InputError("unknown stop", file=path, row=row, key="stop", found=stop, expected=expected)
    if known == "end" and not (text or "").strip():
        return CallError("unparsed", EMPTY)  # what is recorded stays empty however often it is read
    tokens = {name: data[name] for name in ("input_tokens", "output_tokens") if isinstance(data.get(name), int)}
    return Reply(text or "", stop=known, **tokens)


def chosen(replay: Path | None, imported: Path | None) -> Recordings | None:
    """What the user wants replayed, if anything."""
    if replay is not None and imported is not None:
        raise InputError("--replay and --import-replies exclude each other")
    if imported is not None:
        return ImportedFile(imported)
    return None if replay is None else replayed(replay)


def nearest_first(
    folder: Path, own: Store | None, replay: Recordings | None, model: str | None, source: str
) -> list[Recordings]:
    """Where replies may be found: this run, then what is replayed, else runs beside it that the same judge answered.

    Without a `model`, runs beside this one are left alone.
    """
    found: list[Recordings] = [] if own is None or not own.count("replies") else [Stores((own,), "this run")]
    if replay is not None:
        return [*found, replay]
    if model is not None:
        others = [
            store
            for one in siblings(folder, model)
            if _from(one, source) and (store := Store.existing(one / "store.sqlite")) is not None
        ]
        found += [Stores(others, "runs of this project", borrowed=True)] if others else []
    return found


def close_borrowed(recordings: Sequence[Recordings]) -> None:
    """Close what `nearest_first` has opened; a second time does no harm."""
    for one in recordings:
        if isinstance(one, Stores) and one.borrowed:
            for store in one.stores:
                store.close()


def _from(folder: Path, source: str) -> bool:
    """Whether all replies of a run came from there. Raises `InputError` where its store is damaged."""
    manifest = read_manifest(folder)
    if manifest is None or manifest.came_from != (source,):
        return False
    refuse_damage(folder, manifest)
    return True

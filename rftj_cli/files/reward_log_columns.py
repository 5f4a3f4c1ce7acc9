"""A reward log in memory: a column of numbers for each key, so that millions of results fit.

entry --LogBuilder.add--> array.array, bytearray --LogBuilder.log--> RewardLog (numpy, ordered by time, no line twice)
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate
from typing import Any, Final, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from rftj_cli.files.reward_log_lines import OUTCOMES, STAGES, Entry, seconds

Numbers = NDArray[np.float64]
Codes = NDArray[np.int64]
MOST_PARTS: Final = 64
MOST_VERSIONS: Final = 32
VARIOUS: Final = ("various", "various")  # fingerprints beyond these
NAMELESS: Final = 1 << 63  # a malformed row has no hashes: it gets a number of its own, with 24 zero bytes after it
_NAN: Final = float("nan")
_NUMBERS: Final = ("latency_ms", "calls", "attempts", "input_tokens", "output_tokens", "response_words")


@dataclass(frozen=True, slots=True, eq=False)
class RewardLog:
    """Results in the order of time. Each array has one entry a result; NaN and -1 stand for what the log does not say.

    at: seconds since 1970;  prompt, response: codes of the texts, their SHA-256 in prompt_hash, response_hash (n, 32)
    reward: NaN where there is none;  outcome, stage: places in OUTCOMES and STAGES;  essential: place in `essentials`
    parts: u of each criterion and check, of `pitfalls` (negative weight) 1 is bad;  version: place in `versions`, pairs of judge and reward fingerprint
    """

    at: Numbers
    prompt: Codes
    response: Codes
    prompt_hash: NDArray[np.uint8]
    response_hash: NDArray[np.uint8]
    id_from: Codes
    id_to: Codes
    reward: Numbers
    outcome: Codes
    stage: Codes
    essential: Codes
    version: Codes
    latency_ms: Numbers
    calls: Numbers
    attempts: Numbers
    input_tokens: Numbers
    output_tokens: Numbers
    response_words: Numbers
    parts: dict[str, Numbers]
    essentials: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    ids: bytes
    twice: int = 0
    unnamed_parts: int = 0
    pitfalls: frozenset[str] = frozenset()

    @property
    def n(self) -> int:
        """How many results."""
        return int(self.at.size)

    @property
    def named(self) -> NDArray[np.bool_]:
        """(n,) whether the prompt and the response have hashes; those of malformed rows have none."""
        return np.asarray(self.prompt_hash[:, 8:].any(axis=1))

    def prompts(self, inside: NDArray[Any] | slice = slice(None)) -> int:
        """How many prompts are known (among the results `inside`)."""
        return int(np.unique(self.prompt[inside][self.named[inside]]).size)

    def take(self, index: NDArray[Any]) -> RewardLog:
        """Some of the results, by place or by mask."""
        cut = {
            field.name: value[index]
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), np.ndarray)
        }
        return replace(self, **cut, parts={name: u[index] for name, u in self.parts.items()})

    def id_of(self, place: int) -> object:
        """The id of a result as it came."""
        return msgspec.json.decode(self.ids[self.id_from[place] : self.id_to[place]])

    def hashes(self, place: int) -> tuple[str, str]:
        """prompt_sha256 and response_sha256 of a result; "" of a malformed row."""
        if not self.prompt_hash[place, 8:].any():
            return "", ""
        return self.prompt_hash[place].tobytes().hex(), self.response_hash[place].tobytes().hex()


class LogBuilder:
    """Takes results as they are read."""

    def __init__(self) -> None:
        self._at, self._reward, self._lines = array("d"), array("d"), array("q")
        self._outcome, self._stage, self._essential, self._version = array("b"), array("b"), array("i"), array("i")
        self._file, self._id_sizes = array("i"), array("i")
        self._numbers = {name: array("d") for name in _NUMBERS}
        self._prompt, self._response, self._ids = bytearray(), bytearray(), bytearray()
        self._parts: dict[str, array[float]] = {}
        self._essentials: dict[str, int] = {}
        self._versions: dict[tuple[str, str], int] = {}
        self._unnamed: set[str] = set()
        self._pitfalls: set[str] = set()

    @property
    def n(self) -> int:
        """How many results so far."""
        return len(self._at)

    def add(self, entry: Entry, text: bytes, file: int) -> Self:
        """A result; `text` is its JSON, which tells a line that stands in two files from two lines."""
        self._parts_of(entry)
        self._pitfalls.update(entry.pitfalls)
        reward = entry.aggregate_reward_score
        self._at.append(seconds(entry.at))
        self._reward.append(_NAN if reward is None else reward)
        self._lines.append(hash(text))
        self._file.append(file)
        self._outcome.append(OUTCOMES.index(entry.outcome))
        self._stage.append(STAGES.index(entry.failure) if entry.failure in STAGES else -1)
        essential = entry.essential
        self._essential.append(
            -1 if essential is None else self._essentials.setdefault(essential, len(self._essentials))
        )
        version = (entry.judge_fingerprint or "", entry.reward_fingerprint or "")
        if version not in self._versions and len(self._versions) >= MOST_VERSIONS:
            version = VARIOUS
        self._version.append(self._versions.setdefault(version, len(self._versions)))
        for name, column in self._numbers.items():
            value = getattr(entry, name)
            column.append(_NAN if value is None else value)
        nameless = (NAMELESS + self.n).to_bytes(8, "little") + bytes(24)
        self._prompt += bytes.fromhex(entry.prompt_sha256) or nameless
        self._response += bytes.fromhex(entry.response_sha256) or nameless
        id = bytes(entry.id)
        self._ids += id
        self._id_sizes.append(len(id))
        return self

    def _parts_of(self, entry: Entry) -> None:
        """One column a part; those that a log has in hundreds (rows with criteria of their own) are counted only."""
        n = self.n
        for name, u in (entry.parts or {}).items():
            column = self._parts.get(name)
            if column is None:
                if len(self._parts) >= MOST_PARTS:
                    if len(self._unnamed) < 10_000:
                        self._unnamed.add(name)
                    continue
                column = self._parts[name] = array("d")
            if len(column) < n:
                column.extend([_NAN] * (n - len(column)))
            column.append(_NAN if u is None else u)

    def log(self) -> RewardLog:
        """What was taken so far, in the order of time. A line that an earlier file holds too counts once."""
        n = self.n
        kept = _once(np.array(self._lines), np.array(self._file))
        order = kept[np.argsort(np.array(self._at)[kept], kind="stable")]
        ends = np.fromiter(accumulate(self._id_sizes), np.int64, n)
        # Views of what may yet grow: each is indexed, which copies, and gone before the next result is added.
        prompt_hash, response_hash = (
            np.frombuffer(raw, np.uint8).reshape(n, 32)[order] for raw in (self._prompt, self._response)
        )
        return RewardLog(
            at=_view(self._at)[order],
            prompt=_codes(prompt_hash),
            response=_codes(response_hash),
            prompt_hash=prompt_hash,
            response_hash=response_hash,
            id_from=(ends - _view(self._id_sizes))[order],
            id_to=ends[order],
            reward=_view(self._reward)[order],
            outcome=_view(self._outcome)[order].astype(np.int64),
            stage=_view(self._stage)[order].astype(np.int64),
            essential=_view(self._essential)[order].astype(np.int64),
            version=_view(self._version)[order].astype(np.int64),
            **{name: _view(column)[order] for name, column in self._numbers.items()},
            parts={name: _padded(column, n)[order] for name, column in self._parts.items()},
            essentials=tuple(self._essentials),
            versions=tuple(self._versions),
            ids=bytes(self._ids),
            twice=n - int(kept.size),
            unnamed_parts=len(self._unnamed),
            pitfalls=frozenset(self._pitfalls),
        )


def _view(values: array[Any]) -> NDArray[Any]:
    return np.frombuffer(values, values.typecode)


def _padded(column: array[float], n: int) -> Numbers:
    out = np.full(n, _NAN)
    out[: len(column)] = column
    return out


def _codes(hashes: NDArray[np.uint8]) -> Codes:
    """Codes by the first 8 of 32 bytes: two texts of a million share them with a chance of 3 in 10^8."""
    keys = np.ascontiguousarray(hashes[:, :8]).view(np.uint64).ravel()
    return np.unique(keys, return_inverse=True)[1].astype(np.int64)


def _once(lines: NDArray[Any], file: NDArray[Any]) -> Codes:
    """The places to keep: the k-th copy of a line within one file is the k-th copy within another."""
    n = lines.size
    order = np.lexsort((np.arange(n), file, lines))
    fresh = np.ones(n, np.bool_)
    fresh[1:] = (lines[order][1:] != lines[order][:-1]) | (file[order][1:] != file[order][:-1])
    starts = np.flatnonzero(fresh)
    copy = np.arange(n) - np.repeat(starts, np.diff(np.append(starts, n)))
    ranked = np.lexsort((order, copy, lines[order]))
    same = np.zeros(n, np.bool_)
    a, b = lines[order][ranked], copy[ranked]
    same[1:] = (a[1:] == a[:-1]) & (b[1:] == b[:-1])
    return np.sort(order[ranked[~same]])


def hashes_of(texts: Sequence[str]) -> NDArray[np.uint8]:
    """(n, 32) bytes of hexadecimal SHA-256s."""
    return np.frombuffer(bytes.fromhex("".join(texts)), np.uint8).reshape(len(texts), 32)

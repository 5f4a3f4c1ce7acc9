"""Which results people should look at: the suspicious ones, and a random part that stays honest.

The suspicious are taken for certain (probability 1); of the rest as many are drawn from the early, the middle and the late
windows. Each row says with what probability it was taken: with weights 1/probability the mean over all rows estimates the
mean over all results (Horvitz and Thompson 1952).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rftj_cli.files.reward_log_columns import RewardLog
from rftj_cli.files.reward_log_lines import OUTCOMES
from rftj_cli.files.reward_records import read_records
from rftj_cli.files.text import write_whole
from rftj_cli.reward.watch_frame import Frame
from rftj_cli.reward.watch_signs import Found, pointer
from rftj_cli.reward.watch_values import EARLY, LATE, MIDDLE, Chosen

PARTS = {0: EARLY, 2: MIDDLE, 1: LATE}


@dataclass(frozen=True, slots=True)
class Pick:
    """A result to label: its place in the log, why, and with what probability it was taken."""

    place: int
    why: str
    probability: float


def write_choice(frame: Frame, found: Found, path: Path, size: int, seed: int, records: Path | None) -> Chosen:
    """Write the rows, suspicious first; with records the texts too."""
    log = frame.log
    picks = choose(frame, found, size, seed)
    keys = {log.hashes(pick.place) for pick in picks}
    texts = {} if records is None else read_records(records, keys)
    rows, known = [], set[str]()
    for priority, pick in enumerate(picks, start=1):
        row = _row(log, frame, pick, priority)
        text = texts.get((row["prompt_sha256"], row["response_sha256"]))
        row["id"] = _unique(row["id"], row["response_sha256"], known)
        rows.append({**(text or {}), **row})
    write_whole(path, "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows))
    suspicious = sum(not pick.why.startswith("random") for pick in picks)
    joined = None if records is None else len(keys & texts.keys())
    return Chosen(str(path), len(rows), suspicious, len(rows) - suspicious, seed, joined)


def choose(frame: Frame, found: Found, size: int, seed: int) -> list[Pick]:
    """At most half of `size` suspicious results, taken from the signs in turn; the rest at random by part."""
    suspicious = _suspicious(found, size // 2)
    side = frame.side
    free = frame.log.named
    free[[pick.place for pick in suspicious]] = False
    rng = np.random.default_rng(seed)
    strata = [np.flatnonzero(free & (side == code)) for code in PARTS] if (side >= 0).any() else [np.flatnonzero(free)]
    sizes = _allotted([stratum.size for stratum in strata], size - len(suspicious))
    drawn = []
    for code, stratum, count in zip(PARTS, strata, sizes, strict=False):
        places = rng.choice(stratum, count, replace=False)
        name = f"random, {PARTS[code]} windows" if len(strata) > 1 else "random"
        drawn += [Pick(int(place), name, count / stratum.size) for place in sorted(places)]
    return suspicious + drawn


def _suspicious(found: Found, most: int) -> list[Pick]:
    picks: dict[int, Pick] = {}
    depth = max((places.size for places in found.ranked), default=0)
    for rank in range(depth):
        for sign, places in zip(found.signs, found.ranked, strict=True):
            if len(picks) >= most:
                return [*picks.values()]
            if rank < places.size:
                name = sign.name if sign.part is None else f"{sign.name} {sign.part}"
                picks.setdefault(int(places[rank]), Pick(int(places[rank]), name, 1.0))
    return [*picks.values()]


def _allotted(sizes: Sequence[int], wanted: int) -> list[int]:
    """Equal numbers, where they are there; what one part lacks the others give."""
    out = [0] * len(sizes)
    for place, left in zip(np.argsort(sizes, kind="stable"), range(len(sizes), 0, -1), strict=True):
        out[place] = min(int(sizes[place]), -(-(wanted - sum(out)) // left))
    return out


def _row(log: RewardLog, frame: Frame, pick: Pick, priority: int) -> dict[str, Any]:
    one = pointer(log, pick.place)
    return {
        "id": one.id, "why": pick.why, "priority": priority, "reward": one.reward,
        "outcome": OUTCOMES[int(log.outcome[pick.place])], "at": one.at, "part": PARTS.get(int(frame.side[pick.place])),
        "prompt_sha256": one.prompt_sha256, "response_sha256": one.response_sha256,
        "probability": pick.probability, "weight": 1 / pick.probability,
    }  # fmt: skip


def _unique(id: object, response: str, known: set[str]) -> str:
    """An id of its own: all answers to one prompt may have come with one id, or with none."""
    base = id if isinstance(id, str) and id else response[:12] if id in (None, "") else json.dumps(id)
    candidates: Iterator[str] = iter([base, f"{base}-{response[:8]}"])
    name = next((one for one in candidates if one not in known), None) or f"{base}-{response[:8]}-{len(known)}"
    known.add(name)
    return name

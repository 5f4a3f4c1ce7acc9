"""Has the judge changed, or the model that is trained? Results of a run that the reward function scored again tell.

run --(prompt_sha256, response_sha256)--> the log's results of the same texts --> differences to the run's own rewards
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rftj_cli.errors import InputError
from rftj_cli.files.reward_log_columns import RewardLog, hashes_of
from rftj_cli.files.runs import Run, open_run
from rftj_cli.files.store_rows import OutcomeRow
from rftj_cli.kernel.events import prompt_hash, response_hash
from rftj_cli.kernel.outcome import Verdict
from rftj_cli.reward.watch_values import Drift
from rftj_cli.stats.arrays import Bools, Floats, Ints
from rftj_cli.stats.drift import exchange_e_process
from rftj_cli.stats.shares import mean

ALPHA = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Anchors:
    """The samples of a run that a log may hold again: keys (a,) of prompt and response, and the run's rewards (a,)."""

    name: str
    keys: Ints
    reward: Floats
    low: float
    high: float
    judge_fingerprint: str
    reward_fingerprint: str
    frozen: bool


def read_anchors(name: str) -> Anchors:
    """The anchors of a run: its split `anchor` where it has one, else all its samples with a reward."""
    run = open_run(name)
    rows = _rows(run)
    if not rows:
        raise InputError(
            "no sample with a prompt, a response and a reward", file=run.folder, expected="samples with `prompt` or `messages`",
            hint="anchors are recognised by the hashes of their prompt and their response",
        )  # fmt: skip
    frozen = [row for row in rows if row[0] == "anchor"]
    used = frozen or rows
    by_key = {_key(prompt, response): reward for _, prompt, response, reward in used}
    settings = run.rubric.reward
    return Anchors(
        str(run.folder), np.fromiter(by_key, np.int64, len(by_key)), np.array([*by_key.values()], np.float64),
        settings.low, settings.high, run.manifest.judge_fingerprint, run.manifest.reward_fingerprint, bool(frozen),
    )  # fmt: skip


def _rows(run: Run) -> list[tuple[str, str, str, float]]:
    store = run.store()
    try:
        out = []
        for row, one in store.outcomes():
            response = row.sample.fields.get("response")
            if isinstance(response, str) and one.reward.value is not None and _judged(one):
                out.append((row.split, prompt_hash(row.sample), response_hash(response), one.reward.value))
        return out
    finally:
        store.close()


def _judged(one: OutcomeRow) -> bool:
    """A verdict, or a failed essential check: the reward of any other failure is a constant and no measurement."""
    return isinstance(one.outcome, Verdict) or any(part.essential and part.u == 0 for part in one.reward.parts)


def places_in(log: RewardLog, anchors: Anchors) -> tuple[Bools, Ints]:
    """Which results (n,) are of anchors, and of which: a place in `anchors` for each of these."""
    mixed = _mixed(log)
    order = np.argsort(anchors.keys)
    place = np.searchsorted(anchors.keys[order], mixed).clip(0, max(0, anchors.keys.size - 1))
    hit = anchors.keys[order][place] == mixed
    return hit, order[place[hit]].astype(np.int64)


def drift_of(log: RewardLog, anchors: Anchors) -> Drift:
    """What the anchors' scores in the log say of the judge."""
    hit, of = places_in(log, anchors)
    found = log.take(hit)
    scored = ~np.isnan(found.reward) & (found.outcome == 0)
    of, again = of[scored], found.reward[scored]
    span = anchors.high - anchors.low
    inside = np.clip((again - anchors.low) / span, 0, 1)
    first = np.clip((anchors.reward - anchors.low) / span, 0, 1)
    bet = exchange_e_process(of, inside, first, alpha=ALPHA)
    known = {log.versions[code] for code in np.unique(found.version).tolist()}
    same = known <= {(anchors.judge_fingerprint, anchors.reward_fingerprint)}
    note = None if same else (
        "the log's reward is not the run's (other fingerprints): a difference may be that of the rubrics"
    )  # fmt: skip
    if not again.size:
        note = "no result of the log has the prompt and the response of a sample of the run"
    return Drift(
        run=anchors.name,
        anchors=int(anchors.keys.size),
        matched=int(np.unique(of).size),
        results=int(again.size),
        failed=int((~scored).sum()),
        same_judge=same,
        drifted=bet.stopped is not None,
        e_value=bet.e_value,
        p=bet.p,
        stopped=bet.stopped,
        alpha=ALPHA,
        difference=mean(again - anchors.reward[of], clusters=of),
        note=note,
    )


def _key(prompt: str, response: str) -> int:
    """Eight bytes of a prompt and its response together."""
    raw = hashes_of([prompt, response])
    return int(_mix(raw[:1], raw[1:])[0])


def _mixed(log: RewardLog) -> Ints:
    return _mix(log.prompt_hash, log.response_hash)


def _mix(
    prompt: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], response: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> Ints:
    a, b = (np.ascontiguousarray(one[:, :8]).view(np.uint64).ravel() for one in (prompt, response))
    with np.errstate(over="ignore"):
        return (a * np.uint64(0x9E3779B97F4A7C15) ^ b).view(np.int64)

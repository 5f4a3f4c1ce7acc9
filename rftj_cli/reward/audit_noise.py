"""How far the judge agrees with itself: the votes of one run, or a second run of the same rubric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rftj_cli.errors import InputError
from rftj_cli.files.runs import Run
from rftj_cli.files.typed import score_command
from rftj_cli.kernel.outcome import Verdict
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.measure.beyond import repeats
from rftj_cli.measure.join import Joined
from rftj_cli.measure.levels import KINDS
from rftj_cli.measure.values import Repeats, Terms
from rftj_cli.reward.audit_answers import shares
from rftj_cli.reward.audit_values import Noise
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.exact import exact, exactly
from rftj_cli.stats.repeatability import NO_REPEAT, components, retest, votes_worth
from rftj_cli.stats.shares import share


def of_votes(joined: Joined, terms: Terms) -> Noise | None:
    """What the votes of a run say; None where it has one vote a sample."""
    found: dict[str, Repeats] = {}
    for id, units in joined.units.items():
        scale = joined.scales[id]
        one = repeats(KINDS.get(scale.kind, "ordinal"), scale, units, terms)
        if one is not None and one.retest.pair_flip_rate.value is not None:
            found[id] = one
    if not found:
        return None
    by = exactly({id: one.retest.pair_flip_rate for id, one in found.items()}, terms.level)
    worst = max(by, key=lambda id: by[id].value or 0.0)
    noisiest = found[worst]
    votes = max(one.votes for one in found.values())
    return Noise("votes", votes, by, by[worst], None, noisiest.components, noisiest.worth, noisiest.right)


@dataclass(frozen=True, slots=True)
class _Seen:
    cluster: str
    reward: float | None
    ratings: Mapping[tuple[str, str | None], str]


def of_repeat(run: Run, other: Run, terms: Terms) -> Noise:
    """What a second run of the same rubric says. Raises `InputError` where it is no second judging of the same samples."""
    if other.manifest.calls == 0 and other.manifest.source == run.manifest.source:
        raise InputError(
            "--repeat: this run made no calls of its own: its replies are those of the first", file=other.folder,
            hint=f"`{score_command(run.manifest, fresh=True)} --run DIR` asks again",
        )  # fmt: skip
    first, second = _seen(run), _seen(other)
    shared = [id for id in first if id in second]
    if not shared:
        raise InputError("--repeat: the two runs have no sample in common", file=other.folder, found=str(run.folder))
    by = exactly(_flips(run.rubric, first, second, shared, terms), terms.level)
    have = [id for id in shared if first[id].reward is not None and second[id].reward is not None]
    keys = [first[id].cluster for id in have]
    both = np.stack([shares([side[id].reward for id in have], run.rubric) for side in (first, second)], axis=1)
    changed = exact(share(np.abs(both[:, 0] - both[:, 1]) > 1e-9, clusters=keys, level=terms.level), terms.level)
    parts = components(both, level=terms.level)
    known = [one for one in by.values() if one.value is not None]
    flips = max(known, key=lambda one: one.value or 0.0) if known else Estimate.missing(0, NO_REPEAT)
    return Noise("repeat", 2, by, flips, changed, parts, None if parts is None else votes_worth(parts))


def _seen(run: Run) -> dict[str, _Seen]:
    store, found = run.store(), {}
    for row, one in store.outcomes():
        ratings = one.outcome.ratings if isinstance(one.outcome, Verdict) else ()
        levels = {(rating.criterion, rating.item): rating.level for rating in ratings}
        found[row.sample.id] = _Seen(row.cluster, one.reward.value, levels)
    store.close()
    return found


def _flips(
    rubric: Rubric, first: Mapping[str, _Seen], second: Mapping[str, _Seen], shared: list[str], terms: Terms
) -> dict[str, Estimate]:
    found = {}
    for criterion in rubric.criteria:
        pairs, keys = [], []
        for id in shared:
            for (name, item), level in first[id].ratings.items():
                again = second[id].ratings.get((name, item))
                if name == criterion.id and again is not None:
                    pairs.append([criterion.scale.names.index(level), criterion.scale.names.index(again)])
                    keys.append(first[id].cluster)
        if pairs:
            runs = np.array(pairs, dtype=np.int64)
            names = criterion.scale.names
            found[criterion.id] = retest(
                runs, len(names), clusters=keys, seed=terms.seed, level=terms.level
            ).pair_flip_rate
    return found

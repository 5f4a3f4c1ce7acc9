"""The judges that were tried on the same labels, and how much of the best one's agreement is luck of the choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rftj_cli.errors import InputError
from rftj_cli.files.runs import Run, all_runs, open_run
from rftj_cli.kernel.asks import SAMPLE_READERS
from rftj_cli.kernel.outcome import Verdict
from rftj_cli.measure.comparison import Best
from rftj_cli.measure.matching import Matched, Measured, match
from rftj_cli.measure.values import Terms
from rftj_cli.stats.optimism import best_of

Key = tuple[str, str | None]


def tried_beside(runs: Sequence[Run]) -> list[Run]:
    """These runs and those in the folders around them, one for each judge; baselines that read no prompt are no tries."""
    found = {run.rubric.judge_fingerprint: run for run in runs}
    folders = {run.folder.parent.resolve(): run.folder.parent for run in runs}  # as they were named
    for folder in folders.values():
        for path in all_runs(folder):
            try:
                run = open_run(str(path))
            except InputError:
                continue  # a damaged neighbour is its own problem
            if run.rubric.judge.backend not in SAMPLE_READERS:
                found.setdefault(run.rubric.judge_fingerprint, run)
    return list(found.values())


def best_of_tried(base: Measured, ids: Sequence[str], tried: Sequence[Run], terms: Terms) -> dict[str, Best]:
    """For each labelled criterion the best of the tried judges that have a verdict on every unit the baseline has one on."""
    levels = [_levels(run) for run in tried]
    found = {}
    for id in base.joined.scales:
        own = match(base, base, base, ids, id)
        if own.labelled.any():
            best = _best(own, tried, [one.get(id, {}) for one in levels], terms)
            if best is not None:
                found[id] = best
    return found


def _best(own: Matched, tried: Sequence[Run], levels: Sequence[Mapping[Key, str]], terms: Terms) -> Best | None:
    use, names = own.labelled, list(own.scale.names)
    keys = [(unit.sample, unit.item) for unit, used in zip(own.first, use, strict=True) if used]
    columns, left_out = {}, []
    for run, given in zip(tried, levels, strict=True):
        verdicts = [given.get(key) for key in keys]
        if all(verdict in names for verdict in verdicts):
            columns[str(run.folder)] = [names.index(str(verdict)) for verdict in verdicts]
        elif any(verdict in names for verdict in verdicts):
            left_out.append(str(run.folder))
    if len(columns) < 2:
        return None
    optimism = best_of(
        own.truth[use],
        np.array(list(columns.values()), dtype=np.int64).T,
        len(names),
        kind="quadratic" if own.kind == "ordinal" else "nominal",
        values=own.scale.values if own.kind == "ordinal" else None,
        clusters=own.cluster[use],
        seed=terms.seed,
        level=terms.level,
    )
    return Best(list(columns)[optimism.best], tuple(columns), tuple(left_out), optimism)


def _levels(run: Run) -> dict[str, dict[Key, str]]:
    """criterion -> unit -> level of everything a run judged."""
    found: dict[str, dict[Key, str]] = {}
    store = run.store()
    for row, outcome in store.outcomes():
        if isinstance(outcome.outcome, Verdict):
            for rating in outcome.outcome.ratings:
                found.setdefault(rating.criterion, {})[row.sample.id, rating.item] = rating.level
    store.close()
    return found

"""The reference answers, judged as if they were responses: a judge that does not know the best answer rewards others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rftj_cli.files.runs import Run
from rftj_cli.files.samples import HeldSamples, SampleFile
from rftj_cli.kernel.asks import names_used
from rftj_cli.kernel.canonical import canonical
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.sample import Sample
from rftj_cli.reward.audit_answers import Answer, attainable
from rftj_cli.reward.audit_values import References
from rftj_cli.running.preflight import place
from rftj_cli.stats.exact import exact
from rftj_cli.stats.shares import share

ENDING = "-reference"  # of the id of a reference that is judged as a response


def as_responses(rubric: Rubric, samples: SampleFile) -> HeldSamples:
    """The references of a file as samples of their own, one for each task: `ID-reference`, in the group of sample ID."""
    rows = tuple(_each(rubric, samples))
    return HeldSamples(samples.path, samples.kind, samples.columns, rows=rows)


def _each(rubric: Rubric, samples: SampleFile) -> Iterator[tuple[int, Sample]]:
    names, seen = names_used(rubric), set[tuple[str, str]]()
    for row, sample in samples:
        text = written(sample.fields.get("reference"))
        group, cluster, _ = place(sample, names)
        if text is None or (group, text) in seen:
            continue
        seen.add((group, text))
        fields = {**sample.fields, "response": text}
        yield row, replace(sample, id=sample.id + ENDING, fields=fields, group=group, cluster=cluster, labels=())


def written(reference: object) -> str | None:
    """A reference as the text of an answer: anything but text as canonical JSON; None where there is none."""
    if reference is None or (isinstance(reference, str) and not reference.strip()):
        return None
    return reference if isinstance(reference, str) else canonical(reference)


def any_reference(run: Run) -> bool:
    """Whether a sample of the run carries a reference."""
    store = run.store()
    found = any(written(row.sample.fields.get("reference")) is not None for row, _ in store.outcomes())
    store.close()
    return found


def references_of(
    run: Run, judged: Sequence[Answer], answers: Sequence[Answer], rubric: Rubric, labels: Rubric, level: float
) -> References:
    """The rewards of the references (`judged`) beside those of the answers to the same prompts."""
    best: dict[str, float] = {}
    labelled: dict[str, float] = {}
    for one in answers:
        if one.reward is not None:
            best[one.group] = max(one.reward, best.get(one.group, one.reward))
        if one.truth is not None:
            labelled[one.group] = max(one.truth, labelled.get(one.group, one.truth))
    met = [(one, one.reward) for one in judged if one.group in best]
    have = [(one, reward) for one, reward in met if reward is not None and one.stage is None]
    keys = [one.cluster for one, _ in have]
    wins = [reward >= best[one.group] - 1e-9 for one, reward in have]
    top, best_label = attainable(rubric)[1] - 1e-9, labels.reward.high - 1e-9
    reachable = [(one, reward) for one, reward in have if labelled.get(one.group, -math.inf) >= best_label]
    where_labelled = share(
        [reward >= top for _, reward in reachable], clusters=[one.cluster for one, _ in reachable], level=level,
        note=None if reachable else "no answer has the best reward by the labels",
    )  # fmt: skip
    return References(
        run=str(run.folder),
        compared=len(have),
        failed=len(met) - len(have),
        best=exact(share(wins, clusters=keys, level=level), level),
        at_top=exact(share([reward >= top for _, reward in have], clusters=keys, level=level), level),
        where_labelled=exact(where_labelled, level),
        beaten=tuple(one.sample.removesuffix(ENDING) for (one, _), won in zip(have, wins, strict=True) if not won),
    )

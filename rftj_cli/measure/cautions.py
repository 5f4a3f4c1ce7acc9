"""What a comparison must not pass over: prompts that show an evaluated sample, weights, missing samples, labels by models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rftj_cli.errors import InputError, listed
from rftj_cli.files.runs import Run
from rftj_cli.kernel.asks import criteria_text
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.sample import RESPONSES, Sample
from rftj_cli.measure.calibrate import CHARGED
from rftj_cli.measure.comparison import Against
from rftj_cli.measure.matching import ALL, Measured

SHORTEST = 40  # characters: a shorter response may stand in a prompt by chance


def refuse_examples(run: Run, name: str, ids: Sequence[str], split: str) -> None:
    """Raise `InputError` where the prompt quotes the response of a sample that it is evaluated on: examples are of train."""
    chosen = set(ids)
    store = run.store()
    refuse_shown(run.rubric, name, (row.sample for row, _ in store.outcomes() if row.sample.id in chosen), split)
    store.close()


def refuse_shown(rubric: Rubric, name: str, samples: Iterable[Sample], split: str) -> None:
    """The same for samples that are not judged yet."""
    text = _flat("\n".join([rubric.prompt.system, rubric.prompt.user, criteria_text(rubric.criteria)]))
    shown = [sample.id for sample in samples if _quoted(sample, rubric, text)]
    if shown:
        raise InputError(
            f"the prompt of {name} shows {listed(shown)}, which it is evaluated on ({split})", key="prompt", found=shown[0],
            expected="examples from the split train alone", hint="a judge that has seen the answer looks better than it is",
        )  # fmt: skip


def _quoted(sample: Sample, rubric: Rubric, text: str) -> bool:
    """Whether a response stands word for word in the rubric's prompt or criteria."""
    responses = (_flat(str(sample.fields.get(name) or "")) for name in RESPONSES[rubric.kind])
    return any(len(response) >= SHORTEST and response in text for response in responses)


def _flat(text: str) -> str:
    return " ".join(text.split()).casefold()


def warnings_of(
    base: Measured,
    sides: Sequence[Measured],
    names: Sequence[str],
    ids: Sequence[str],
    candidates: Sequence[Against],
    split: str,
) -> list[str]:
    """Plain sentences on what the numbers rest on."""
    found, chosen = [], set(ids)
    wanted = sum(split in (ALL, place.split) for place in base.places.values())
    if len(ids) < wanted:
        found.append(f"compared on {len(ids):,} of {wanted:,} samples: the others were not judged by every side")
    for name, side in zip(names, sides, strict=True):
        without = [row for row in side.joined.rewards if row.sample in chosen and not row.verdict]
        if without:
            skipped = len(without) - sum(row.failed for row in without)
            of_these = f" ({skipped:,} skipped: no judge was asked)" if skipped else ""
            found.append(
                f"{name}: samples without a verdict, left out of its numbers: {len(without):,} of {len(ids):,}{of_these}"
            )
    if split == ALL and CHARGED in base.joined.splits:
        found.append("all samples, those of test too: what is chosen on them cannot be claimed on test afterwards")
    for name, side in zip(names[1:], sides[1:], strict=True):
        places = ((base.places[id], side.places[id]) for id in ids)
        if any((one.split, one.cluster) != (other.split, other.cluster) for one, other in places):
            found.append(
                f"{name} shows other fields than {names[0]}, and the samples name no group: groups, clusters and splits are "
                f"those of {names[0]}; name `group` in the samples"
            )
    sources = {source for truth in base.truths.of.values() for source in truth.sources}
    if "model" in sources:
        found.append("the labels were made by a model: right means right by that model")
    between = sum(truth.between for (id, _, _), truth in base.truths.of.items() if id in chosen)
    if between:
        found.append(
            f"{between:,} labels lie between the levels, as means of raters do: verdicts on them are left out here, their "
            "reward is compared"
        )
    weights = {truth.weight for truth in base.truths.of.values() if truth.weight is not None}
    if len(weights) > 1:
        found.append("the labels have weights: both sides are compared on the labelled samples as they are, unweighted")
    for one in candidates:
        if one.before.judge_fingerprint == one.after.judge_fingerprint:
            found.append(f"{one.after.name}: the same judge as {one.before.name}: verdicts that flip are its own noise")
        found += [f"{one.after.name}: not compared: {reason}" for reason in one.not_compared]
    return found

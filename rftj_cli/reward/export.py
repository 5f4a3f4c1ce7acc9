"""A rubric for other judges of Amazon's: a RewardPrompt of SageMaker, custom metrics of Bedrock Evaluations.

Neither holds what a rubric is: what is lost is said line by line, and a rubric that does not fit is refused with all
reasons at once. Agreement measured with rftj holds for rftj's judge, not for what is exported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rftj_cli.errors import InputError, listed, nearest
from rftj_cli.files.text import write_whole
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.reward.export_evaluations import evaluations
from rftj_cli.reward.export_prompt import Literal, Misfit, Piece, Slot, pieces
from rftj_cli.reward.export_sagemaker import VARIABLES, reward_prompt

FORMS: Final = ("sagemaker", "bedrock-evaluations")


@dataclass(frozen=True, slots=True)
class Export:
    """A rubric in another form. `metrics` are the names of Bedrock's metrics, none for a RewardPrompt."""

    form: str
    text: str
    metrics: tuple[str, ...]
    variables: Mapping[str, str]
    lost: tuple[str, ...]
    notes: tuple[str, ...]


def export(rubric: Rubric, form: str, variables: Sequence[str] = (), evaluator: str | None = None) -> Export:
    """The rubric in that form. Raises `InputError` with every reason for which it does not fit."""
    if form not in FORMS:
        raise InputError(
            "unknown form", key="--to", found=form, expected="one of " + listed(FORMS), hint=nearest(form, FORMS)
        )
    parts = pieces(rubric)
    _refuse(_misfits(rubric, parts), form)
    clean = [one for one in parts if isinstance(one, Literal | Slot)]
    if form == "sagemaker":
        if evaluator is not None:
            raise InputError("the training job names its own reward model", key="--evaluator", found=evaluator)
        names = _renamed(variables)
        text, lost, notes = reward_prompt(rubric, clean, names)
        used = {field: names[field] for field in names if any(isinstance(p, Slot) and p.name == field for p in clean)}
        return Export(form, text, (), used, (*_lost(rubric, clean), *lost), notes)
    if variables:
        raise InputError("the variables of Bedrock Evaluations have fixed names", key="--variable", found=variables[0])
    made = evaluations(rubric, clean, evaluator)
    _refuse(made.misfits, form)
    return Export(form, made.text, made.metrics, made.variables, (*_lost(rubric, clean), *made.lost), made.notes)


def write_export(exported: Export, path: Path) -> None:
    """Write the file."""
    if path.is_dir():
        raise InputError("this is a folder", file=path, key="--out", expected="a file's name")
    write_whole(path, exported.text)


def _renamed(given: Sequence[str]) -> dict[str, str]:
    """rftj's field -> the template's variable."""
    names = dict(VARIABLES)
    for one in given:
        field, equals, name = one.partition("=")
        field = "reference" if field == VARIABLES["reference"] else field
        if not equals or field not in names:
            raise InputError(
                "bad --variable",
                key="--variable",
                found=one,
                hint=nearest(field, names),
                expected="FIELD=NAME with one of " + listed(list(names)),
            )
        if not all(part.isidentifier() and part.isascii() for part in name.split(".")):
            raise InputError(
                "no variable can be called so",
                key="--variable",
                found=name,
                expected="letters, digits and _, with dots between names",
            )
        names[field] = name
    if len(set(names.values())) < len(names):
        raise InputError("two fields have one variable", key="--variable", found=dict(names))
    return names


def _misfits(rubric: Rubric, parts: Sequence[Piece]) -> list[str]:
    """What no form can hold."""
    if rubric.kind == "preference":
        return ["it compares two responses: these services score one"]
    found = [one.why for one in parts if isinstance(one, Misfit)]
    found += [f"the labels of {one.id} have no values" for one in rubric.criteria if not one.scale.valued]
    if not found and not any(isinstance(one, Slot) and one.name == "response" for one in parts):
        found.append("the prompt never shows the response")
    if not rubric.criteria:
        found.append("it has no criterion: checks alone need no judge")
    if rubric.items is not None:
        found.append("it judges the items of a response one by one (`items`)")
    return found


def _refuse(reasons: Sequence[str], form: str) -> None:
    if reasons:
        raise InputError(f"the rubric does not fit {form}:" + "".join(f"\n  - {one}" for one in dict.fromkeys(reasons)))


def _lost(rubric: Rubric, parts: Sequence[Literal | Slot]) -> list[str]:
    """What neither form carries over."""
    judge, reward = rubric.judge, rubric.reward
    found = [f"check {one.id} ({one.type}): rules are not carried out" for one in rubric.checks]
    if judge.votes > 1:
        found.append(f"votes: one reply decides, not the {judge.vote} of {judge.votes}")
    if judge.calls == "per_criterion":
        found.append("calls: how the criteria are asked for is the service's")
    if judge.reason != "none" and rubric.asks_for_json:
        found.append("reasons: the service asks for an explanation in its own way, or not at all")
    if any(isinstance(one, Slot) and one.label is not None for one in parts):
        found.append("fences: the lines around a text are the same for every text, so that a text can imitate them")
    if rubric.parse is not None:
        found.append("parser: the service reads the reply in its own way")
    if judge.allow_regions:
        found.append(f"allow_regions: nothing keeps the judge within {listed(judge.allow_regions)}")
    if judge.guardrail is not None:
        found.append("guardrail: not applied")
    if reward.map:
        found.append("reward.map: what calibration learned is not applied")
    found.append("failures: what an unusable reply counts for is the service's")
    settings = f"temperature {'default' if judge.temperature is None else f'{judge.temperature:g}'}"
    return [*found, f"settings: {settings}, max_tokens {judge.max_tokens} and the like are the service's"]

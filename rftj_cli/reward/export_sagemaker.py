"""A rubric as the `.jinja` file of a RewardPrompt, for SageMaker's serverless RLAIF: one prompt that ends in one number.

AWS's SDK documents neither the names of the variables nor how the number is read from the reply.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from rftj_cli.errors import InputError
from rftj_cli.kernel.asks import criteria_text
from rftj_cli.kernel.rubric import Criterion, Rubric
from rftj_cli.kernel.template import fence
from rftj_cli.reward.export_prompt import Literal, Slot

VARIABLES: Final[Mapping[str, str]] = {"prompt": "prompt", "response": "response", "reference": "reference_answer"}
KNOWN_REWARD_MODELS: Final = ("openai.gpt-oss-", "qwen.qwen3-")  # of the SDK's list in 2026-11
_TAGS: Final = re.compile(r"\{[{%#]|[}%#]\}")


def reward_prompt(
    rubric: Rubric, parts: Sequence[Literal | Slot], names: Mapping[str, str]
) -> tuple[str, list[str], tuple[str, ...]]:
    """The template, what is lost beside what always is, and what its user must know."""
    placed = any(isinstance(one, Slot) and one.name == "answer_format" for one in parts)
    says_itself = not placed and (not rubric.asks_for_json or rubric.prompt.answer_format == "none")
    text = "".join(_written(rubric, one, names) for one in parts)
    if not placed and not says_itself:
        text += f"\n\n{_literal(scoring(rubric))}"
    return text.strip("\n") + "\n", _lost(rubric), _notes(rubric, names, says_itself)


def scoring(rubric: Rubric) -> str:
    """How the model is to come to one number, in words: what rftj computes, it must compute itself."""
    low, high, span = f"{rubric.reward.low:g}", f"{rubric.reward.high:g}", rubric.reward.high - rubric.reward.low
    if len(rubric.criteria) == 1 and rubric.criteria[0].weight > 0:
        [one] = rubric.criteria
        points = [(level.name, rubric.reward.low + span * one.scale.share(level.value)) for level in one.scale.levels]
        return f"Answer with one number and nothing else: {_points(points)}."
    lines = ["Work out one score:"]
    for one in rubric.criteria:
        levels = [(level.name, one.scale.share(level.value)) for level in one.scale.levels]
        lines.append(f"- points for {one.id}: {_points(levels)}")
    lines.append(f"- share = {_share(rubric)}")
    lines.append(f"- score = {low} + {span:g} * share" if (low, high) != ("0", "1") else "- score = share")
    for one in rubric.criteria:
        if one.essential:
            lines.append(f"- but if {one.id} has 0 points, score = {low}")
    return "\n".join([*lines, f"Answer with the score alone: one number from {low} to {high}, and nothing else."])


def _share(rubric: Rubric) -> str:
    """The combination as a formula of points."""
    weighed = [one for one in rubric.criteria if one.weight != 0]
    if rubric.reward.combine == "weighted_mean":
        lowest = sum(one.weight for one in weighed if one.weight < 0)
        highest = sum(one.weight for one in weighed if one.weight > 0)
        total = " + ".join(f"{one.weight:g} * {one.id}" for one in weighed).replace("+ -", "- ") or "1"
        top = f"({total})" if lowest == 0 else f"({total} + {-lowest:g})"
        return f"{top} / {highest - lowest:g}" if weighed else "1"
    good = [one.id if one.weight > 0 else f"1 - {one.id}" for one in weighed]
    if rubric.reward.combine == "minimum":
        return f"the smallest of {', '.join(good)}"
    return f"1 if each of {', '.join(good)} is 1, else 0"


def _points(levels: Sequence[tuple[str, float]]) -> str:
    return ", ".join(f"{round(points, 4):g} for {name}" for name, points in levels)


def _written(rubric: Rubric, part: Literal | Slot, names: Mapping[str, str]) -> str:
    if isinstance(part, Literal):
        return _literal(part.text)
    if part.name == "criteria":
        return _literal(_fenced(criteria_text(rubric.criteria), part.label))
    if part.name == "answer_format":
        return _literal(_fenced(scoring(rubric), part.label))
    return _fenced(f"{{{{ {names[part.name]} }}}}", part.label)


def _fenced(text: str, label: str | None) -> str:
    return text if label is None else fence(text, label)


def _literal(text: str) -> str:
    """Text that the other template engine must not read as its own."""
    if not _TAGS.search(text):
        return text
    if "endraw" in text:
        raise InputError("the prompt holds text that a template cannot hold as text", found="endraw")
    return f"{{% raw %}}{text}{{% endraw %}}"


def _lost(rubric: Rubric) -> list[str]:
    found = []
    if len(rubric.criteria) > 1:
        found.append(
            f"weights: the model is told the arithmetic of {len(rubric.criteria)} criteria and may get it wrong"
        )
        found.append("parts: the training job sees one number, not one for each criterion")
    found += [f"essential {one.id}: a sentence in the prompt, not a rule" for one in _essential(rubric)]
    return found


def _essential(rubric: Rubric) -> list[Criterion]:
    return [one for one in rubric.criteria if one.essential]


def _notes(rubric: Rubric, names: Mapping[str, str], says_itself: bool) -> tuple[str, ...]:
    model = rubric.judge.model.partition(":")[2]
    guess = ", ".join(names.values())
    found = [
        f"AWS does not document the variables of a RewardPrompt: {guess} are a guess. Try a job on a few rows",
        "other names: --variable response=NAME",
        "AWS does not document how the score is read from the reply either",
    ]
    if says_itself:
        found.append("the prompt says itself how to answer, so no instruction for one number was added")
    if not model.startswith(KNOWN_REWARD_MODELS):
        found.append(f"{model}: not on the SDK's list of reward models (2026-11: gpt-oss and Qwen3 alone)")
    return (*found, "calibrate what is exported anew: it is another judge than the one that rftj measured")

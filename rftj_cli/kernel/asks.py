"""What is asked of the judge about one sample: every combination of vote, order, item and (if wanted) criterion.

Sample --items, orders, votes, calls--> Ask (what it is for) + Request (what is sent)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from rftj_cli.errors import InputError
from rftj_cli.kernel.compile import read_criteria
from rftj_cli.kernel.outcome import Order, Request
from rftj_cli.kernel.rubric import Criterion, Items, Rubric
from rftj_cli.kernel.sample import Sample
from rftj_cli.kernel.scales import majority_of_labels
from rftj_cli.kernel.template import render, shared_head, template_names

SAMPLE_READERS = frozenset({"lexical", "length"})  # baselines that read the sample, not the prompt
SWAPPED = {"A": "B", "B": "A", "tie": "tie"}


@dataclass(frozen=True, slots=True)
class Ask:
    """One call: which criteria it answers, for which item, in which order, as which vote."""

    criteria: tuple[Criterion, ...]
    item: str | None
    order: Order
    vote: int
    request: Request


@dataclass(frozen=True, slots=True)
class Part:
    """An item of a response: its id and its text."""

    id: str
    content: object


class BadItems(Exception):
    """The response does not hold the items that the rubric says it holds; the message says why."""


def names_used(rubric: Rubric) -> frozenset[str]:
    """The top-level names that the rubric's templates use."""
    return template_names(rubric.prompt.system) | template_names(rubric.prompt.user)


def rubric_for(rubric: Rubric, sample: Sample) -> Rubric:
    """The rubric with the criteria that the sample itself brings."""
    if not sample.criteria:
        return rubric
    own = read_criteria(list(sample.criteria), "criteria", rubric.items is not None)
    majority_of_labels(own, rubric.judge)
    known = {criterion.id for criterion in rubric.criteria} | {check.id for check in rubric.checks}
    for index, criterion in enumerate(own):
        if criterion.id in known:
            raise InputError("the rubric has this id already", key=f"criteria[{index}].id", found=criterion.id)
        known.add(criterion.id)
    return replace(rubric, criteria=(*rubric.criteria, *own))


def asks(rubric: Rubric, sample: Sample) -> tuple[Ask, ...]:
    """All calls for one sample, vote by vote. `rubric` is the one made by `rubric_for`.

    Raises `InputError` where a template misses a name, `BadItems` where the response's items cannot be read.
    """
    found: list[Ask] = []
    orders: tuple[Order, ...] = ("given",)
    if rubric.kind == "preference" and rubric.orders == "both":
        orders = ("given", "swapped")
    targets = _targets(rubric, sample)
    for order in orders:
        for part, criteria in targets:
            request = _request(rubric, sample, criteria, part, order)
            for vote in range(rubric.judge.votes):
                voted = request if vote == 0 else replace(request, vote=vote)
                found.append(Ask(criteria, None if part is None else part.id, order, vote, voted))
    return tuple(sorted(found, key=lambda ask: ask.vote))


def _targets(rubric: Rubric, sample: Sample) -> list[tuple[Part | None, tuple[Criterion, ...]]]:
    whole = tuple(criterion for criterion in rubric.criteria if criterion.on == "response")
    each = tuple(criterion for criterion in rubric.criteria if criterion.on == "item")
    targets: list[tuple[Part | None, tuple[Criterion, ...]]] = [(None, whole)] if whole else []
    if rubric.items is not None and each:
        targets += [(part, each) for part in items_of(str(sample.fields["response"]), rubric.items)]
    if rubric.judge.calls == "per_criterion":
        return [(part, (criterion,)) for part, criteria in targets for criterion in criteria]
    return targets


def items_of(response: str, items: Items) -> list[Part]:
    """The items that a response holds, in order; none where the list is empty.

    Raises `BadItems` where the response is no JSON, has no list at the path, has more items than `max` or repeats an id.
    """
    try:
        value: object = json.loads(response)
    except (ValueError, RecursionError) as error:
        raise BadItems(f"the response is not JSON: {error}") from None
    for key in items.path.split(".")[1:]:
        if not isinstance(value, Mapping) or key not in value:
            raise BadItems(f"the response has no `{key}` on the path {items.path}")
        value = value[key]
    if not isinstance(value, list):
        raise BadItems(f"{items.path} is not a list")
    if len(value) > items.max:
        raise BadItems(f"{len(value)} items, more than items.max = {items.max}")
    parts: list[Part] = []
    for index, content in enumerate(value):
        named = content.get(items.id) if items.id is not None and isinstance(content, Mapping) else None
        parts.append(Part(str(index) if named is None else str(named), content))
    if len({part.id for part in parts}) != len(parts):
        raise BadItems("two items have the same id")
    return parts


def _request(
    rubric: Rubric, sample: Sample, criteria: tuple[Criterion, ...], part: Part | None, order: Order
) -> Request:
    judge = rubric.judge
    seen = sample.seen(names_used(rubric))
    if order == "swapped":
        seen["response_a"], seen["response_b"] = seen["response_b"], seen["response_a"]
    reads_sample = judge.backend in SAMPLE_READERS
    system, user = ("", "") if reads_sample else _prompt(rubric, seen, criteria, part)
    return Request(
        model=judge.model,
        system=system,
        user=user,
        temperature=judge.temperature,
        max_tokens=judge.max_tokens,
        seed=judge.seed,
        answers={criterion.id: criterion.scale.names for criterion in criteria},
        reason=judge.reason if rubric.asks_for_json else "none",
        json=rubric.asks_for_json,
        sample=_for_baseline(seen, part) if reads_sample else None,
        structure=judge.structure,
        logprobs=judge.logprobs,
        guardrail=judge.guardrail,
        shared=0 if reads_sample or judge.cache == "off" else _shared(rubric, criteria),
    )


def _shared(rubric: Rubric, criteria: tuple[Criterion, ...]) -> int:
    """The length of the user prompt's head that is the same for every sample; -1 where the system prompt is not."""
    if template_names(rubric.prompt.system) - {"criteria", "answer_format"}:
        return -1
    return len(shared_head(rubric.prompt.user, criteria_text(criteria), answer_format(criteria, rubric.judge.reason)))


def _for_baseline(seen: dict[str, object], part: Part | None) -> dict[str, object]:
    if part is not None:
        seen["response"] = part.content if isinstance(part.content, str) else json.dumps(part.content)
    return seen


def _prompt(
    rubric: Rubric, seen: dict[str, object], criteria: tuple[Criterion, ...], part: Part | None
) -> tuple[str, str]:
    answer = answer_format(criteria, rubric.judge.reason)
    values = {**seen, "criteria": criteria_text(criteria), "answer_format": answer}
    if part is not None:
        values["item"] = part.content
    elif rubric.items is not None:
        values["item"] = ""  # a template shared by both kinds of criteria may test for it
    prompt = rubric.prompt
    system = render(prompt.system, values, key="prompt.system") if prompt.system else ""
    user = render(prompt.user, values, key="prompt.user")
    placed = "answer_format" in names_used(rubric)
    if not placed and rubric.asks_for_json and prompt.answer_format == "auto":
        user = f"{user}\n\n{answer}"
    return system, user


@lru_cache(maxsize=256)
def criteria_text(criteria: tuple[Criterion, ...]) -> str:
    """The criteria as `{{ criteria }}` shows them to the judge."""
    blocks = []
    for number, criterion in enumerate(criteria, 1):
        lines = [f"{number}. {criterion.id}: {criterion.question}"]
        meanings = [level for level in criterion.scale.levels if level.meaning]
        # Labels without order are each shown: a label between two others cannot be guessed from them.
        every = criterion.scale.levels if meanings and criterion.scale.kind == "nominal" else meanings
        lines += [f"   - {level.name}: {level.meaning}" if level.meaning else f"   - {level.name}" for level in every]
        if not meanings:
            lines.append("   - " + " | ".join(criterion.scale.names))
        blocks.append("\n".join(lines))
    return "\n".join(blocks)


@lru_cache(maxsize=256)
def answer_format(criteria: tuple[Criterion, ...], reason: str) -> str:
    """The instruction how to answer: one JSON object, with a reason before, after or without the verdict."""
    shape: dict[str, object] = {}
    for criterion in criteria:
        level = " | ".join(criterion.scale.names)
        if reason == "none":
            shape[criterion.id] = level
        else:
            pair = {"reason": "one or two sentences", "level": level}
            shape[criterion.id] = pair if reason == "before" else dict(reversed(pair.items()))
    text = json.dumps(shape, ensure_ascii=False, indent=1 if reason != "none" else None)
    return "Answer with one JSON object and nothing else. Use exactly one of the listed levels for each:\n" + text

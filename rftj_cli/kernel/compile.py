"""From plain data (a parsed YAML file, or the rubric.json of a bundle) to a `Rubric`; every fault names its key.

Whoever opens files has already replaced `file:` references by their text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from rftj_cli.errors import InputError, nearest
from rftj_cli.kernel.checks import compile_check, no_essential_pitfall
from rftj_cli.kernel.compile_reward import read_reward
from rftj_cli.kernel.fields import Fields
from rftj_cli.kernel.rubric import (
    SAMPLINGS,
    Check,
    Criterion,
    Items,
    JudgeSettings,
    Kind,
    Parse,
    Prompt,
    Rubric,
)
from rftj_cli.kernel.scales import PREFERENCE, majority_of_labels, no_weight_without_values, read_scale
from rftj_cli.kernel.template import template_faults
from rftj_cli.kernel.thinking import TAGS

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")


def compile_rubric(data: object) -> Rubric:
    """The rubric that `data` describes. Raises `InputError` with the key path of the first fault."""
    root = Fields(data)
    kind = cast(Kind, root.choice("kind", ("rubric", "preference"), "rubric"))
    name = root.text("name")
    if re.search(r"[^\w.-]", name):
        raise InputError("a name is used in paths", key="name", found=name, expected="letters, digits, . _ -")
    items = _items(root, kind)
    criteria = _preference_criterion(root) if kind == "preference" else _criteria(root, items)
    checks = tuple(compile_check(Fields(row, f"checks[{i}]")) for i, row in enumerate(root.rows("checks", [])))
    judge = _judge(root)
    rubric = Rubric(
        name=name,
        kind=kind,
        description=root.text("description", ""),
        criteria=criteria,
        checks=checks,
        items=items,
        prompt=_prompt(root),
        judge=judge,
        parse=_parse(root, criteria, judge),
        reward=read_reward(root),
        orders=_orders(root, kind),
        sampling=_sampling(root),
        source=cast(Mapping[str, object], data),
    )
    root.done()
    _whole(rubric)
    return rubric


def read_criteria(rows: list[Any], at: str, items: bool = False) -> tuple[Criterion, ...]:
    """A list of criteria, from a rubric or from the `criteria` of one sample."""
    return tuple(_criterion(Fields(row, f"{at}[{i}]"), items) for i, row in enumerate(rows))


def _criteria(root: Fields, items: Items | None) -> tuple[Criterion, ...]:
    rows = root.rows("criteria", [])
    return read_criteria(rows, "criteria", items is not None)


def _criterion(fields: Fields, items: bool) -> Criterion:
    id = _identifier(fields)
    scale = read_scale(fields)
    criterion = Criterion(
        id=id,
        question=fields.text("question"),
        scale=scale,
        weight=fields.number("weight", 1.0 if scale.valued else 0.0),
        essential=fields.flag("essential", False),
        on=fields.choice("on", ("response", "item"), "response"),
    )
    fields.done()
    no_essential_pitfall(fields, criterion.weight, criterion.essential)
    no_weight_without_values(fields, criterion)
    if criterion.on == "item" and not items:
        raise InputError("`on: item` needs an `items` section that says where the items stand", key=fields.path("on"))
    return criterion


def _identifier(fields: Fields) -> str:
    id = fields.text("id")
    if not IDENTIFIER.match(id):
        raise InputError("bad id", key=fields.path("id"), found=id, expected="letters, digits, _ or -, no digit first")
    if id == "reward":  # reports and gate rules give this name to the reward itself
        raise InputError(
            "this id is taken", key=fields.path("id"), found=id, hint="`reward` names the reward in reports"
        )
    return str(id)


def _preference_criterion(root: Fields) -> tuple[Criterion, ...]:
    rows = root.rows("criteria", [{"id": "preference", "question": "Which response is better?"}])
    if len(rows) != 1:
        raise InputError(
            "a preference rubric has one criterion", key="criteria", found=len(rows), expected="`preference`, or none"
        )
    fields = Fields(rows[0], "criteria[0]")
    if fields.text("id") != "preference":
        raise InputError(
            "a preference rubric's criterion has a fixed id",
            key="criteria[0].id",
            found=fields.raw("id"),
            expected="preference",
        )
    question = fields.text("question", "Which response is better?")
    fields.done()
    return (Criterion("preference", question, PREFERENCE),)


def _items(root: Fields, kind: Kind) -> Items | None:
    if not root.has("items"):
        root.raw("items", None)
        return None
    if kind == "preference":
        raise InputError("a preference rubric compares whole responses", key="items", expected="no items")
    fields = Fields(root.raw("items"), "items")
    path = fields.text("path")
    if not re.match(r"\$(\.[\w-]+)*\Z", path):
        raise InputError("bad path", key="items.path", found=path, expected="$ or $.key.key")
    items = Items(
        path=path,
        id=fields.text("id", None),
        max=fields.integer("max", 20, low=1),
        empty=fields.choice("empty", ("fail", "pass", "error"), "error"),
        combine=fields.choice("combine", ("mean", "minimum"), "mean"),
    )
    fields.done()
    return items


def _prompt(root: Fields) -> Prompt:
    fields = Fields(root.raw("prompt"), "prompt")
    prompt = Prompt(
        system=fields.text("system", ""),
        user=fields.text("user"),
        answer_format=fields.choice("answer_format", ("auto", "none"), "auto"),
    )
    fields.done()
    for key, text in (("prompt.system", prompt.system), ("prompt.user", prompt.user)):
        fault = template_faults(text)
        if fault:
            raise InputError(f"the template does not compile: {fault[1]}", key=key, hint=f"line {fault[0]} of the text")
    return prompt


def _judge(root: Fields) -> JudgeSettings:
    fields = Fields(root.raw("judge"), "judge")
    temperature = fields.raw("temperature", 0.0)
    if temperature != "default":
        temperature = fields.number("temperature", 0.0, low=0, high=2)
    judge = JudgeSettings(
        model=fields.text("model"),
        temperature=None if temperature == "default" else temperature,
        max_tokens=fields.integer("max_tokens", 1024, low=1),
        seed=fields.integer("seed", None, low=0) if fields.has("seed") else fields.raw("seed", None),
        votes=fields.integer("votes", 1, low=1, high=1000),
        vote=fields.choice("vote", ("majority", "mean"), "majority"),
        votes_tie=fields.choice("votes_tie", ("failure", "worst", "best", "tie"), "failure"),
        calls=fields.choice("calls", ("together", "per_criterion"), "together"),
        reason=fields.choice("reason", ("before", "after", "none"), "before"),
        structure=fields.choice("structure", ("auto", "schema", "tool", "text"), "auto"),
        logprobs=fields.flag("logprobs", False),
        guardrail=_guardrail(fields),
        allow_regions=tuple(str(region) for region in fields.rows("allow_regions", [])),
        cache=fields.choice("cache", ("auto", "off"), "auto"),
        tier=fields.choice("tier", ("default", "priority", "flex", "reserved"), "default"),
    )
    fields.done()
    return judge


def _guardrail(judge: Fields) -> str | None:
    if not judge.has("guardrail"):
        judge.raw("guardrail", None)
        return None
    fields = Fields(judge.raw("guardrail"), "judge.guardrail")
    version = fields.raw("version", "DRAFT")
    if isinstance(version, bool) or not isinstance(version, (str, int)) or not str(version):
        raise InputError("bad version", key="judge.guardrail.version", found=version, expected="a number, or DRAFT")
    id = fields.text("id")
    fields.done()
    return f"{id}:{version}"  # an id may be an ARN: the version stands behind the last colon


def _parse(root: Fields, criteria: tuple[Criterion, ...], judge: JudgeSettings) -> Parse | None:
    if not root.has("parse"):
        root.raw("parse", None)
        return None
    fields = Fields(root.raw("parse"), "parse")
    regex = fields.text("regex", None)
    try:
        re.compile(regex or "")
    except re.error as error:
        raise InputError(f"not a regular expression: {error}", key="parse.regex", found=regex) from None
    if regex is None and fields.has("map"):
        raise InputError("a map needs a regex whose words it translates", key="parse.map", expected="parse.regex")
    if regex is not None and len(criteria) != 1 and judge.calls == "together":
        raise InputError(
            "a regex reads one verdict a reply, and this rubric asks for several",
            key="parse",
            expected="one criterion, or `judge.calls: per_criterion`",
        )
    words = {} if not fields.has("map") else Fields(fields.raw("map"), "parse.map").raw_items()
    fields.raw("map", None)
    for word, level in words.items():
        for criterion in criteria:
            if criterion.scale.find(level) is None:
                raise InputError(
                    "the map names a level that the scale does not have",
                    key=f"parse.map.{word}",
                    found=level,
                    expected="one of " + ", ".join(criterion.scale.names),
                    hint=nearest(str(level), criterion.scale.names),
                )
    take, thinking = fields.choice("take", ("first", "last"), None), _thinking(fields)
    fields.done()
    return Parse(regex, {str(word).casefold(): str(level) for word, level in words.items()}, take, thinking)


def _thinking(parse: Fields) -> tuple[str, ...]:
    """The tags of thinking blocks, in lower case."""
    tags = parse.raw("thinking", list(TAGS))
    if tags == "none":
        return ()
    if not isinstance(tags, list) or not all(isinstance(tag, str) and IDENTIFIER.match(tag) for tag in tags):
        raise InputError(
            "bad tags", key="parse.thinking", found=tags, expected="none, or a list such as [think, reasoning]"
        )
    return tuple(dict.fromkeys(tag.casefold() for tag in tags))


def _orders(root: Fields, kind: Kind) -> Any:
    if kind == "rubric" and root.has("orders"):
        raise InputError("only a preference rubric has orders", key="orders", hint="did you mean `kind: preference`?")
    return root.choice("orders", ("both", "given"), "both")


def _sampling(root: Fields) -> Any:
    """How the samples that have labels were chosen from all: what corrected rates may assume."""
    fields = Fields(root.raw("labels", {}), "labels")
    found = fields.choice("sampling", SAMPLINGS, None)
    fields.done()
    return found


def _whole(rubric: Rubric) -> None:
    """Faults that no single key shows."""
    if rubric.kind == "preference" and rubric.checks:
        raise InputError("checks test one response; a preference rubric has two", key="checks", expected="no checks")
    if not rubric.criteria and not rubric.checks:
        raise InputError("a rubric needs at least one criterion or check", key="criteria")
    _unique(rubric.criteria, "criteria")
    _unique((*rubric.criteria, *rubric.checks), "checks", len(rubric.criteria))
    weights = [c.weight for c in rubric.criteria] + [check.weight for check in rubric.checks]
    if rubric.rewards and not any(weights) and not any(check.essential for check in rubric.checks):
        raise InputError("all weights are 0, so the reward is undefined", key="criteria", expected="a weight not 0")
    if rubric.judge.votes_tie == "tie" and rubric.kind != "preference":
        raise InputError(
            "only a preference scale has a tie", key="judge.votes_tie", found="tie", expected="failure, worst or best"
        )
    majority_of_labels(rubric.criteria, rubric.judge)
    if rubric.judge.votes_tie in ("worst", "best") and rubric.kind == "preference":
        raise InputError(
            "a preference has no worst level",
            key="judge.votes_tie",
            found=rubric.judge.votes_tie,
            expected="failure or tie",
        )
    if rubric.items is not None and not any(criterion.on == "item" for criterion in rubric.criteria):
        raise InputError("`items` is given, but no criterion says `on: item`", key="items")


def _unique(parts: tuple[Criterion | Check, ...], key: str, offset: int = 0) -> None:
    seen: set[str] = set()
    for index, part in enumerate(parts):
        if part.id in seen:
            raise InputError("duplicate id", key=f"{key}[{index - offset}].id", found=part.id)
        seen.add(part.id)

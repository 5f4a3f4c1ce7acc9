"""Known faults of judge rubrics: what validates, and will still measure badly."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from rftj_cli.kernel.asks import names_used
from rftj_cli.kernel.conclude import texts_of
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.sample import RESPONSES, STANDARD

MANY_LEVELS = 5
_EXPRESSION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


def lint(rubric: Rubric, seen: Mapping[str, int]) -> Iterator[str]:
    """Sentences about the rubric. `seen` counts the samples that have each field (nested ones as `context.excerpt`)."""
    if rubric.judge.backend in ("lexical", "length"):
        yield f"`{rubric.judge.backend}` is a baseline, not a judge: it reads no prompt"
    yield from _prompt(rubric, seen)
    yield from _scales(rubric)
    yield from _settings(rubric)


def _prompt(rubric: Rubric, seen: Mapping[str, int]) -> Iterator[str]:
    text = f"{rubric.prompt.system}\n{rubric.prompt.user}"
    names = names_used(rubric)
    for name in RESPONSES[rubric.kind]:
        if name not in names and not (rubric.items is not None and "item" in names):
            yield f"the prompt never shows `{name}`: the judge cannot see what it judges"
    if any(criterion.on == "item" for criterion in rubric.criteria) and "item" not in names:
        yield "criteria are `on: item`, and the prompt never shows `item`: every item of a response is the same question"
    for field in seen:
        top, _, inner = field.partition(".")
        shown = top in names and (not inner or re.search(rf"\b{re.escape(top)}\b(?!\s*\.)|{re.escape(inner)}\b", text))
        if (
            top in ("reference", "context")
            and not shown
            and (inner or top not in {f.partition(".")[0] for f in seen if "." in f})
        ):
            yield f"the samples have `{field}`, and the prompt never shows it to the judge"
    shown_names = sorted(_unfenced(text, names & {*RESPONSES[rubric.kind], "reference", "context", "prompt", "item"}))
    if shown_names:
        yield (
            f"not fenced: {', '.join(shown_names)}; text of a sample can pose as instructions to the judge "
            "(write {{ " + shown_names[-1] + " | fence }})"
        )
    if rubric.prompt.answer_format == "none" and rubric.asks_for_json:
        missing = [criterion.id for criterion in rubric.criteria if criterion.id not in text]
        if missing:
            yield f"`answer_format: none`, and the prompt does not ask for {', '.join(missing)} by name"


def _unfenced(text: str, names: frozenset[str]) -> set[str]:
    """The names that some expression shows without a fence, and those that none shows with one (`{% for %}`)."""
    bare, fenced = set[str](), set[str]()
    for expression in _EXPRESSION.findall(text):
        inside = bool(re.search(r"\|\s*fence\b", expression))
        (fenced if inside else bare).update(re.findall(r"(?<![.\w'\"])[A-Za-z_]\w*", expression))
    return set(names) - (fenced - bare)


def _scales(rubric: Rubric) -> Iterator[str]:
    for criterion in rubric.criteria:
        levels = criterion.scale.levels
        if criterion.scale.kind in ("numeric", "levels") and len(levels) > MANY_LEVELS:
            yield f"{criterion.id}: {len(levels)} levels; judges agree better with people on few, or on pass and fail"
        if criterion.scale.kind in ("levels", "nominal") and not any(level.meaning for level in levels):
            words = "labels" if criterion.scale.kind == "nominal" else "levels"
            yield f"{criterion.id}: the {words} are not defined (`is:` says what each means)"
    if not rubric.rewards:
        yield "no label has a value: the rubric measures and gives no reward (`{label: NAME, value: NUMBER}`)"


def _settings(rubric: Rubric) -> Iterator[str]:
    if rubric.judge.votes > 1 and rubric.judge.temperature == 0:
        yield f"{rubric.judge.votes} votes at temperature 0: nearly the same reply is paid for several times"
    if rubric.judge.votes % 2 == 0 and rubric.judge.vote == "majority" and rubric.judge.votes_tie == "failure":
        yield f"{rubric.judge.votes} votes can tie, and a tie is a failure (an odd number, or `votes_tie`)"
    if rubric.kind == "preference" and rubric.orders == "given":
        yield "`orders: given`: one order alone, so a bias for the first place cannot be seen"
    reward = rubric.reward
    if rubric.kind == "rubric" and rubric.rewards and reward.on_content_failure is None:
        yield "reward.on_failure.content is `error`: good for measuring, but in training an answer needs a reward"
    for check in rubric.checks:
        if not check.essential and check.weight == 0:
            yield f"check {check.id} has weight 0 and gates nothing: it has no effect"


def matches_itself(rubric: Rubric, shown: Mapping[str, object]) -> bool:
    """Whether `parse.regex` finds a verdict in what the prompt shows of one sample."""
    regex = None if rubric.parse is None else rubric.parse.regex
    return regex is not None and any(re.search(regex, text) for text in texts_of(shown))


def lint_matches(matching: Sequence[str], samples: int) -> Iterator[str]:
    """The sentence on samples in which `parse.regex` finds a verdict, by their ids."""
    if matching:
        yield (
            f"parse.regex matches the text of {len(matching):,} of {samples:,} samples (the first is {matching[0]}): where a reply "
            "repeats that text outside quotation marks it is read as the verdict; let the regex ask for words that no sample has"
        )


def count_fields(fields: Mapping[str, object], into: dict[str, int]) -> None:
    """Count the fields of one sample, one level deep."""
    for name, value in fields.items():
        if isinstance(value, Mapping):
            for inner in value:
                into[f"{name}.{inner}"] = into.get(f"{name}.{inner}", 0) + 1
        elif name in STANDARD:
            into[name] = into.get(name, 0) + 1

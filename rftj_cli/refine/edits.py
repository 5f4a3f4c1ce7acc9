"""Edits of a rubric: which parts may be edited, what a proposed edit must never do, and the rubric that it makes."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rftj_cli.errors import InputError
from rftj_cli.kernel.asks import names_used
from rftj_cli.kernel.compile import compile_rubric
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.refine.values import Edit

LONGEST = 2000  # characters that one edit may add
SHINGLE = 10  # words in a row: as many from a sample are a quotation
_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}|\{\{|\}\}|\{%|%\}|\{#|#\}", re.DOTALL)
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+"
)  # a character of Chinese, Japanese or Korean is a word


class Refused(Exception):
    """An edit that is not tried; the message says why."""


def parts_of(rubric: Rubric) -> dict[str, str]:
    """The texts of a rubric that may be edited, by name: those that its prompt shows the judge."""
    shown = "criteria" in names_used(rubric)
    return {name: text for name, text, _ in _places(_data(rubric)) if shown or name.startswith("prompt.")}


def _data(rubric: Rubric) -> dict[str, Any]:
    return copy.deepcopy(dict(rubric.source))


def _places(data: dict[str, Any]) -> Iterator[tuple[str, str, tuple[Any, str]]]:
    """(name, text, (mapping, key) that holds it) of every editable part."""
    prompt = data.get("prompt")
    for key in ("system", "user"):
        if isinstance(prompt, dict) and isinstance(prompt.get(key), str):
            yield f"prompt.{key}", prompt[key], (prompt, key)
    for criterion in data.get("criteria") or []:
        if isinstance(criterion.get("question"), str):
            yield f"criteria.{criterion['id']}.question", criterion["question"], (criterion, "question")
        scale = criterion.get("scale")
        levels = scale.get("labels") if isinstance(scale, dict) else scale
        for level in levels if isinstance(levels, list) else []:
            if isinstance(level, dict) and isinstance(level.get("is"), str):
                name = level.get("level", level.get("label"))
                yield f"criteria.{criterion['id']}.scale.{name}", level["is"], (level, "is")


def edited(rubric: Rubric, edit: Edit, quotable: Shingles) -> Rubric:
    """The rubric with the edit. Raises `Refused` for an edit that does not fit, touches template code, or quotes a sample."""
    parts = parts_of(rubric)
    if edit.part not in parts:
        raise Refused(f"there is no part {edit.part!r}; parts: {', '.join(parts)}")
    text = parts[edit.part]
    if edit.find and text.count(edit.find) != 1:
        raise Refused(f"the words to replace stand {text.count(edit.find)} times in {edit.part}, not once")
    new = text.replace(edit.find, edit.replace) if edit.find else f"{text.rstrip()}\n{edit.replace}"
    return rewritten(rubric, {edit.part: new}, quotable)


def rewritten(rubric: Rubric, texts: Mapping[str, str], quotable: Shingles) -> Rubric:
    """The rubric with new texts for some parts. Raises `Refused` as `edited` does."""
    data = _data(rubric)
    for name, old, (place, key) in list(_places(data)):
        if name in texts and texts[name] != old:
            _refuse(name, old, texts[name], quotable)
            place[key] = texts[name]
    try:
        made = compile_rubric(data)
    except InputError as error:
        raise Refused(f"the rubric does not compile any more: {error.problem}") from None
    if made.judge_fingerprint == rubric.judge_fingerprint:
        raise Refused("it changes nothing")
    return made


def _refuse(name: str, old: str, new: str, quotable: Shingles) -> None:
    if not new.strip():
        raise Refused(f"it empties {name}")
    if _TAG.findall(old) != _TAG.findall(new):
        raise Refused("it changes template code: what the judge is shown, and its fences, stay as they are")
    if len(new) - len(old) > LONGEST:
        raise Refused(f"it adds {len(new) - len(old):,} characters, more than {LONGEST:,}")
    if quoted := quotable.first(new, old):
        raise Refused(f"it quotes a sample that it would be tested on: {quoted!r}")


class Shingles:
    """Runs of words in the texts of samples that a prompt must not show: `held` ones, unless texts of train have them too."""

    def __init__(self, held: Iterable[str], train: Iterable[str] = ()) -> None:
        self._known = {run for text in held for run in _runs(text)} - {run for text in train for run in _runs(text)}

    def first(self, new: str, old: str) -> str | None:
        """The first quotation in `new` that `old` does not have."""
        before = set(_runs(old))
        return next((" ".join(run) for run in _runs(new) if run in self._known and run not in before), None)


def _runs(text: str) -> Iterator[tuple[str, ...]]:
    words = [word.casefold() for word in _WORD.findall(text)]
    for index in range(len(words) - SHINGLE + 1):
        yield tuple(words[index : index + SHINGLE])

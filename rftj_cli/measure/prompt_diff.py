"""What changed between two rubrics: the prompt as the judge reads it, word by word, and every setting that differs.

The prompts are rendered for one sample whose texts are replaced by their names, `{{response}}`: what a sample brings is
the same on both sides, and no text of a sample is shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from difflib import SequenceMatcher
from typing import Any

from rftj_cli.errors import InputError
from rftj_cli.kernel.asks import BadItems, asks, rubric_for
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.sample import Sample
from rftj_cli.measure.comparison import Piece, Setting, WhatChanged

_WORD = re.compile(r"\s+|[^\s]+")
_TOKEN = re.compile(r"(</?[\w.\-]+?)-[0-9a-f]{8,}(>)")  # of a fence: it follows from the text that it encloses
_PLACEHOLDER = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)
MOST_COMPARED = 4_000_000  # pairs of words


def what_changed(before: Rubric, after: Rubric, samples: tuple[Sample, Sample]) -> WhatChanged:
    """The difference between two rubrics, with prompts as rendered for a sample like these: one of each side.

    Both prompts are rendered for the fields of both samples, so that what only one side's file has changes nothing else. Where one
    cannot be rendered, the templates of both are compared.
    """
    fields = _union(samples[0].fields, samples[1].fields)
    texts = [rendered(rubric, replace(samples[0], fields=fields)) for rubric in (before, after)]
    if None in texts:
        texts = [_template(rubric) for rubric in (before, after)]
    return WhatChanged(tuple(word_diff(*(text or "" for text in texts))), tuple(_settings(before, after)))


def _union(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of both mappings, those of `one` first; mappings inside them likewise."""
    found = {**one, **{name: value for name, value in other.items() if one.get(name) is None}}
    for name, value in one.items():
        if isinstance(value, Mapping) and isinstance(other.get(name), Mapping):
            found[name] = _union(value, other[name])
    return found


def _template(rubric: Rubric) -> str:
    """The templates of a prompt, with placeholders as the rendered prompt shows them: `{{response}}`."""
    text = "\n\n".join(part for part in (rubric.prompt.system, rubric.prompt.user) if part)
    return _PLACEHOLDER.sub(lambda found: "{{" + "".join(found[1].split()) + "}}", text)


def rendered(rubric: Rubric, sample: Sample) -> str | None:
    """The first request about a sample, with names in place of its texts; None where that cannot be rendered."""
    try:
        calls = asks(rubric_for(rubric, sample), _named(rubric, sample))
    except (InputError, BadItems):
        return None
    if not calls:
        return None
    request = calls[0].request
    text = "\n\n".join(part for part in (request.system, request.user) if part)
    return _TOKEN.sub(r"\1\2", text)


def _named(rubric: Rubric, sample: Sample) -> Sample:
    """The sample with every text replaced by its name; a response that holds items keeps their shape."""
    fields = {name: _name(value, name) for name, value in sample.fields.items()}
    if rubric.items is not None and "response" in fields:
        try:
            whole = json.loads(str(sample.fields["response"]))
        except ValueError:
            whole = None
        fields["response"] = json.dumps(_name(whole, "item"), ensure_ascii=False)
    return replace(sample, fields=fields)


def _name(value: object, name: str) -> object:
    if isinstance(value, str):
        return "{{" + name + "}}"
    if isinstance(value, Mapping):
        return {key: _name(one, f"{name}.{key}") for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_name(one, name) for one in value[:1]]
    return value


def word_diff(before: str, after: str) -> Iterator[Piece]:
    """Pieces that spell both texts: lines are matched first, then the words of lines that were replaced."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    pieces: list[Piece] = []
    for what, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what == "replace":
            pieces += _words("".join(old[i:j]), "".join(new[k:m]))
        else:
            pieces += _pieces(what, old[i:j], new[k:m])
    yield from _joined(pieces)


def _words(before: str, after: str) -> list[Piece]:
    old, new = _WORD.findall(before), _WORD.findall(after)
    head = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    rest = min(len(old), len(new)) - head
    tail = next((i for i in range(rest) if old[-1 - i] != new[-1 - i]), rest)
    a, b = old[head : len(old) - tail], new[head : len(new) - tail]
    found = [Piece("same", "".join(old[:head]))] if head else []
    if len(a) * len(b) > MOST_COMPARED:  # matching is quadratic: a stretch that long is shown as replaced
        found += _pieces("replace", a, b)
    else:
        for what, i, j, k, m in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
            found += _pieces(what, a[i:j], b[k:m])
    return [*found, Piece("same", "".join(old[len(old) - tail :]))] if tail else found


def _pieces(what: str, old: Sequence[str], new: Sequence[str]) -> list[Piece]:
    if what == "equal":
        return [Piece("same", "".join(old))]
    both = (Piece("gone", "".join(old)), Piece("new", "".join(new)))
    return [piece for piece in both if piece.text]


def _joined(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Neighbours of one kind in one piece; a lone word (or space) between two changes reads better as a part of them."""
    merged: list[Piece] = []
    pending: dict[str, str] = {"gone": "", "new": ""}

    def flush() -> None:
        merged.extend(Piece(what, text) for what, text in pending.items() if text)
        pending.update(gone="", new="")

    for index, piece in enumerate(pieces):
        last = index == len(pieces) - 1
        lone = piece.what == "same" and "\n" not in piece.text and len(piece.text.split()) <= 1
        bridge = lone and any(pending.values()) and not last
        if bridge:
            pending.update({what: text + piece.text for what, text in pending.items()})
        elif piece.what == "same":
            flush()
            merged.append(piece)
        else:
            pending[piece.what] += piece.text
    flush()
    yield from merged


def _settings(before: Rubric, after: Rubric) -> Iterator[Setting]:
    """Every key that differs outside the prompt's own words."""
    for effect, old, new in (
        ("verdicts", before.judge_content, after.judge_content),
        ("reward", before.reward_content, after.reward_content),
        ("nothing", _rest(before), _rest(after)),
    ):
        for key, a, b in _leaves(old, new):
            if not key.startswith(("prompt.system", "prompt.user")):
                yield Setting(key, a, b, effect)


def _rest(rubric: Rubric) -> dict[str, Any]:
    judge = asdict(rubric.judge)
    known = rubric.judge_content["judge"]
    assert isinstance(known, dict)
    serving = {key: value for key, value in judge.items() if key not in known}
    return {"name": rubric.name, "description": rubric.description, "judge": serving}


def _leaves(old: Any, new: Any, at: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(key path, before, after) of everything that differs; lists of things with ids are matched by id."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys([*old, *new]):
            yield from _leaves(old.get(key), new.get(key), f"{at}.{key}" if at else str(key))
    elif _has_ids(old) and _has_ids(new):
        by_id = [{one["id"]: {k: v for k, v in one.items() if k != "id"} for one in side} for side in (old, new)]
        for id in dict.fromkeys([*by_id[0], *by_id[1]]):
            yield from _leaves(by_id[0].get(id), by_id[1].get(id), f"{at}.{id}")
    elif old != new:
        yield at, old, new


def _has_ids(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(one, Mapping) and "id" in one for one in value)

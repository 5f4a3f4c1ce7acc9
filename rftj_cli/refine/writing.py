"""The new rubric file: the old one with the kept edits, headed by what each of them fixed and broke."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from rftj_cli.errors import InputError
from rftj_cli.files.rewriting import keeps_the_rest, rewritten
from rftj_cli.files.text import read_text, write_whole
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.measure.comparison import Comparison
from rftj_cli.refine.values import Step


def refuse_existing(path: Path) -> None:
    """Raise `InputError` where the new file exists already: a rubric is never overwritten."""
    if path.exists():
        raise InputError(
            "this file exists, and a rubric is never overwritten", file=path, hint="name another: --out FILE"
        )
    if not path.parent.is_dir():
        raise InputError("no such folder", file=path.parent)


def write_refined(
    path: Path, old: Path, rubric: Rubric, kept: Sequence[Step], held_out: Comparison | None, note: str | None
) -> list[str]:
    """Write the refined rubric beside the old; what is to be said of the file."""
    text = read_text(old, "rubric")
    head = "".join(f"# {line}".rstrip() + "\n" for line in changelog(old, kept, held_out, note))
    write_whole(path, head + "\n" + rewritten(text, rubric.source))
    if keeps_the_rest(text, rubric.source):
        return []
    return [f"{path}: the whole rubric was written anew, without the comments of {old.name}"]


def changelog(old: Path, kept: Sequence[Step], held_out: Comparison | None, note: str | None) -> Iterator[str]:
    """What each edit was meant to mend and what it did on dev, and what the held-out samples say of all of them."""
    yield f"Made by `rftj refine` from {old.name}. Read the edits before this rubric is used: a model wrote them."
    for step in kept:
        assert step.edit is not None and step.against is not None
        yield ""
        yield from _wrapped(f"Edit {step.number}, {step.edit.part}: {step.edit.why}")
        if step.target is not None:
            meant = f"{len(step.target.units)} errors on {step.target.criterion} ({step.target.direction})"
            yield from _wrapped(f"  for {meant}: {step.mended} of them are right now")
        for one in step.against.criteria.values():
            yield f"  {one.id}: fixed {one.fixed}, broken {one.broken}"
        yield f"  on dev {step.why}"
    yield ""
    if held_out is None:
        yield from _wrapped(f"Held-out verdict: none ({note})")
        return
    for side in held_out.candidates:
        if side.answer is None:
            yield "Held-out verdict: none (no labels on test)"
            continue
        found, change = side.answer.difference, side.answer.change
        value = "-" if found.value is None else f"{found.value:+.3f}"
        bounds = "" if found.low is None or found.high is None else f" [{found.low:.3f}, {found.high:.3f}]"
        word = change.word.replace("_", " ")
        yield from _wrapped(
            f"Held-out verdict on {held_out.samples} samples of test: {word}, {value}{bounds} by {side.answer.on}"
        )


def _wrapped(text: str) -> list[str]:
    """Lines of a comment. Whatever a model wrote stays inside them: YAML ends a line at more characters than Python does."""
    lead = " " * (len(text) - len(text.lstrip(" ")))
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return textwrap.wrap(line, 108, initial_indent=lead, subsequent_indent=lead)

"""Write the real outputs and the real help into the pages: `make docs`, or `python tests/docs/refresh.py [PAGE...]`.

An output that differs only in what is normalised stays as it is. Where lines were left out with `...` the same stretches
are left out again, if their first and last lines are still there; else the whole output is written, and said so.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from pages import ELLIPSIS, HELP, PAGES, ROOT, Folder, blocks, help_of, normal, same, steps


def refreshed(text: str, folder: Folder, name: str) -> str:
    """The page with real outputs."""
    text = HELP.sub(lambda match: help_of(match.group(1)), text)
    pieces, at = [], 0
    for block in blocks(text):
        if block.language == "console":
            pieces += [text[at : block.start], _console(block.text, folder, name)]
            at = block.end
        elif fault := folder.prepare(block):
            print(f"{name}: {fault}", file=sys.stderr)
    return "".join(pieces) + text[at:]


def _console(text: str, folder: Folder, name: str) -> str:
    lines = []
    for step in steps(text):
        real = folder.run(step.command)
        lines.append(f"$ {step.command}")
        lines += step.shown if same(step.shown, real) else _shortened(step.shown, real, f"{name}: {step.command}")
    return "\n".join(lines).rstrip("\n") + "\n"


def _shortened(shown: list[str], real: list[str], where: str) -> list[str]:
    """The real output with the stretches left out that were left out before."""
    if ELLIPSIS not in shown:
        print(f"changed: {where}")
        return real
    plain, at, kept = [normal(line) for line in real], 0, []
    parts: list[list[str]] = [[]]
    for line in shown:
        parts.append([]) if line == ELLIPSIS else parts[-1].append(line)
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if number:
            kept.append(ELLIPSIS)
        if not part:
            continue
        start = 0 if number == 0 else _find(plain, normal(part[0]), at)
        end = len(real) - 1 if last else _find(plain, normal(part[-1]), start if start is not None else at)
        if start is None or end is None:
            print(f"left out anew, look at it: {where}")
            return real
        kept += real[start : end + 1]
        at = end + 1
    print(f"changed: {where}")
    return kept


def _find(lines: list[str], line: str, start: int) -> int | None:
    return next((index for index in range(start, len(lines)) if lines[index] == line), None)


def main(names: list[str]) -> None:
    """Refresh the named pages, or all."""
    for page in [Path(name).resolve() for name in names] or PAGES:
        before = page.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            after = refreshed(before, Folder(Path(folder).resolve()), str(page.relative_to(ROOT)))
        if after != before:
            page.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

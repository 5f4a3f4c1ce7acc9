r"""Commands and ARNs in output are copied: a command too long for its line goes on after ` \`, an ARN is never broken."""

from __future__ import annotations

import os
import re
import sys

from rftj_cli.report.words import plain

NOTE = "   # "  # between a command and what is said of it
FURTHER = "    "  # before the further lines of a command
QUOTED = re.compile(r"`((?:rftj|aws) [^`\n]+)`")
_COMMAND = re.compile(r"rftj |cd .*&& rftj |aws (?:cloudformation|lambda|s3) [a-z-]+ ")
_WORD = re.compile(r"""(?:[^\s'"]|'[^']*'|"[^"]*")+""")
_INLINE = 40  # characters of a command that may stay inside a sentence


def is_command(line: str) -> bool:
    """Whether a line is a command to run, and no sentence that names one."""
    return _COMMAND.match(line) is not None


def continued(command: str, width: int) -> list[str]:
    r"""A command in lines of at most `width`, broken between options, each but the last with ` \` at its end.

    What cannot be broken (a path, an ARN) is longer than `width` if it must be.
    """
    first, *groups = _groups(command)
    lines = [first]
    for index, group in enumerate(groups):
        room = width - (0 if index == len(groups) - 1 else len(" \\"))
        if len(lines[-1]) + 1 + len(group) <= room:
            lines[-1] += f" {group}"
        else:
            lines[-1] += " \\"
            lines += _further(group, room)
    return lines


def _further(group: str, room: int) -> list[str]:
    """A group on a line of its own; where that is too long, an option's value stands under it."""
    if len(FURTHER) + len(group) <= room or not group.startswith("--"):
        return [FURTHER + group]
    option, _, value = group.partition(" ")
    return [f"{FURTHER}{option} \\", FURTHER * 2 + value] if value else [FURTHER + option]


def _groups(command: str) -> list[str]:
    """The words of a command; an option stays with its value."""
    groups: list[str] = []
    for word in _WORD.findall(command):
        valued = groups and groups[-1].startswith("--") and " " not in groups[-1] and not word.startswith("-")
        if valued:
            groups[-1] += f" {word}"
        else:
            groups.append(word)
    return groups


def advise(label: str, command: str) -> None:
    """`next: rftj ...` on standard error."""
    first, *rest = continued(plain(command), _width() - len(label) - 2)
    print("\n".join([f"{label}: {first}", *rest]), file=sys.stderr)


def set_apart(message: str) -> str:
    """A message for standard error: long commands in its sentences get lines of their own."""
    width = _width()
    return "\n".join(_apart(line, width) if len(line) > width else line for line in message.split("\n"))


def _apart(line: str, width: int) -> str:
    indent = " " * (len(line) - len(line.lstrip()))
    parts, at = list[str](), 0
    for match in QUOTED.finditer(line):
        if len(match[1]) > _INLINE:
            before = line[at : match.start()].strip()
            parts += [indent + before] if before else []
            parts += [f"{indent}  {one}" for one in continued(match[1], width - len(indent) - 2)]
            at = match.end()
    after = line[at:].strip(" ;,")
    return "\n".join([*parts, indent + after] if after else parts)


def _width() -> int:
    """The columns of standard error; no limit where it is no terminal."""
    if (columns := os.environ.get("COLUMNS", "")).isdigit():
        return int(columns)
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError, AttributeError):
        return sys.maxsize

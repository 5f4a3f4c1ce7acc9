"""YAML with line numbers: duplicate keys are refused, and a fault at a key path is located at its line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from rftj_cli.errors import InputError
from rftj_cli.files.text import Reader, read_text

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Loader(_Base):  # type: ignore[misc]
    """The safe loader, with the booleans of YAML 1.2: `on`, `yes`, `no` and `off` are words (`on: item`, level `no`)."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, regex) for tag, regex in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in _Base.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF")
)


class Document:
    """A parsed YAML file: its plain data, and the line at which each key path stands."""

    def __init__(self, path: Path, what: str, read: Reader = read_text) -> None:
        self.path = path
        text = read(path, what)
        try:
            node = yaml.compose(text, Loader=Loader)
        except yaml.MarkedYAMLError as error:
            row = None if error.problem_mark is None else error.problem_mark.line + 1
            raise InputError(f"not valid YAML: {error.problem}", file=path, row=row) from None
        except (yaml.YAMLError, RecursionError) as error:
            raise InputError(f"not valid YAML: {error}", file=path) from None
        if node is None:
            raise InputError(f"the {what} is empty", file=path)
        self.lines: dict[str, int] = {}
        try:
            self._walk(node, "")
            self.data: Any = yaml.load(text, Loader=Loader)
        except RecursionError:
            raise InputError("nested too deeply, or an alias inside itself", file=path) from None
        except (yaml.YAMLError, ValueError) as error:
            raise InputError(f"not valid YAML: {error}", file=path) from None
        if not isinstance(self.data, Mapping):
            raise InputError(f"a {what} is a mapping of keys to values", file=path, row=1, found=self.data)

    def locate(self, error: InputError) -> InputError:
        """The error with this file and the line of its key (or of the nearest enclosing key).

        An error in another file, one that this file names, stays there.
        """
        if error.file is not None:
            return error
        key = error.key or ""
        while key and key not in self.lines:
            key = re.sub(r"(\.[^.\[]*|\[[^.\[]*|\A[^.\[]+)\Z", "", key)
        return error.located(file=self.path, row=self.lines.get(key))

    def _walk(self, node: yaml.Node, at: str) -> None:
        self.lines.setdefault(at, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                path = f"{at}.{key.value}" if at else str(key.value)
                row = key.start_mark.line + 1
                if str(key.value) in seen:
                    raise InputError("the same key twice", file=self.path, row=row, key=path)
                seen.add(str(key.value))
                self.lines[path] = row
                self._walk(value, path)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self.lines[f"{at}[{index}]"] = value.start_mark.line + 1
                self._walk(value, f"{at}[{index}]")


@contextmanager
def located(path: Path, what: str) -> Iterator[Document]:
    """The document at `path`; an `InputError` raised inside about one of its keys gets its file and line."""
    document = Document(path, what)
    try:
        yield document
    except InputError as error:
        if error.file is not None or error.key is None:
            raise
        raise document.locate(error) from None

"""Sandboxed Jinja: rendering a judge's prompt from a sample.

Text of a sample is only ever a value, never template code, and `{{ x | fence }}` encloses it between lines that carry a
token which the text does not contain, so that it cannot end its own enclosure and pose as instructions. All names that
a template misses are listed at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import ChainableUndefined, Template, TemplateError, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from rftj_cli.errors import InputError, listed, nearest


class _Missing(ChainableUndefined):
    """An undefined name: `is defined` and `default()` may ask about it; any other use is noted."""

    def _note(self) -> str:
        name = self._undefined_name or ""
        _noted.append(str(name))
        return ""

    def __str__(self) -> str:
        return self._note()

    def __html__(self) -> str:
        return self._note()

    def __bool__(self) -> bool:
        self._note()
        return False

    def __eq__(self, other: object) -> bool:
        self._note()
        return False

    def __ne__(self, other: object) -> bool:
        self._note()
        return True

    def __hash__(self) -> int:
        self._note()
        return 0

    def __iter__(self) -> Any:
        self._note()
        return iter(())

    def __len__(self) -> int:
        self._note()
        return 0

    def __getattr__(self, name: str) -> _Missing:
        if name[:2] == "__":
            raise AttributeError(name)
        return _Missing(name=f"{self._undefined_name}.{name}")

    def __getitem__(self, name: object) -> _Missing:  # type: ignore[override]
        return _Missing(name=f"{self._undefined_name}.{name}")


class _Noted:
    """Names missed while one template renders, kept apart by thread."""

    def __init__(self) -> None:
        import threading

        self._local = threading.local()

    def append(self, name: str) -> None:
        self.names().append(name)

    def names(self) -> list[str]:
        if not hasattr(self._local, "names"):
            self._local.names = []
        names: list[str] = self._local.names
        return names

    def take(self) -> list[str]:
        names = list(dict.fromkeys(self.names()))
        self.names().clear()
        return names


_noted = _Noted()


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox; a missing key of a sample's mapping is undefined under its full name."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping):
            return obj[attribute] if attribute in obj else _Missing(name=_path(obj, attribute))
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Mapping):
            return obj[argument] if argument in obj else _Missing(name=_path(obj, argument))
        return super().getitem(obj, argument)


class _Node(dict[str, Any]):
    """A mapping of the sample that knows its own name, so that a missing key can be reported as `context.x`."""

    name = ""


def _path(obj: object, key: object) -> str:
    prefix = getattr(obj, "name", "")
    return f"{prefix}.{key}" if prefix else str(key)


def _node(value: object, name: str) -> object:
    if isinstance(value, Mapping):
        node = _Node({str(key): _node(item, f"{name}.{key}") for key, item in value.items()})
        node.name = name
        return node
    if isinstance(value, (list, tuple)):
        return [_node(item, f"{name}[{index}]") for index, item in enumerate(value)]
    return value


def _text(value: object) -> object:
    """How a value is written into a prompt: text as it is, data as JSON."""
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, indent=2)
    return "" if value is None else value


def fence(value: object, name: str = "text") -> str:
    """`value` between two lines with a token that it does not contain; the same text gets the same token."""
    if isinstance(value, _Missing):
        return str(value)
    text = str(_text(value))
    seed = text.encode("utf-8", "surrogatepass")
    token = hashlib.sha256(seed).hexdigest()[:8]
    while token in text:
        seed += b"."
        token = hashlib.sha256(seed).hexdigest()[:8]
    return f"<{name}-{token}>\n{text}\n</{name}-{token}>"


_environment = _Environment(
    undefined=_Missing, autoescape=False, keep_trailing_newline=False, finalize=_text, trim_blocks=True
)
_environment.globals.clear()
_environment.filters["fence"] = fence


@lru_cache(maxsize=64)
def _compiled(source: str) -> Template:
    return _environment.from_string(source)


def template_faults(source: str) -> tuple[int, str] | None:
    """(line, message) of a template that does not compile, else None."""
    try:
        _compiled(source)
    except TemplateSyntaxError as error:
        return error.lineno, error.message or "syntax error"
    except TemplateError as error:
        return 1, str(error)
    return None


@lru_cache(maxsize=64)
def template_names(source: str) -> frozenset[str]:
    """The top-level names that a template uses."""
    return frozenset(meta.find_undeclared_variables(_environment.parse(source)))


@lru_cache(maxsize=256)
def shared_head(source: str, criteria: str, answer_format: str) -> str:
    """What the template renders to before the first thing that may differ from sample to sample."""
    constants = {"criteria": criteria, "answer_format": answer_format}
    head = ""
    for output in _environment.parse(source).body:
        for node in output.nodes if isinstance(output, nodes.Output) else [output]:
            if isinstance(node, nodes.TemplateData):
                head += node.data
            elif isinstance(node, nodes.Name) and node.name in constants:
                head += constants[node.name]
            else:
                return head
    return head


def render(source: str, values: Mapping[str, object], *, key: str = "prompt") -> str:
    """The template with `values` filled in.

    Raises `InputError` that lists every missing name, or the fault of the template (of the sandbox, too).
    """
    known = {name: _node(value, name) for name, value in values.items()}
    _noted.take()
    try:
        text = _compiled(source).render(known)
    except (TemplateError, TypeError, ValueError, ArithmeticError, AttributeError, LookupError) as error:
        raise InputError(f"the template cannot be rendered: {error}", key=key) from None
    missing = _noted.take()
    if missing:
        raise InputError(
            "the prompt uses names that this sample does not have",
            key=key,
            found=missing,
            expected="one of " + listed(sorted(values), 30),
            hint=nearest(missing[0], _paths(values)),
        )
    return text


def _paths(values: Mapping[str, object]) -> list[str]:
    nested = [f"{name}.{key}" for name, value in values.items() if isinstance(value, Mapping) for key in value]
    return [*values, *nested]

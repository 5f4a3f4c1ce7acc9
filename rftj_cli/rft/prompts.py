"""Rows to prompts: what the trained model is asked, once a task, whatever answers and labels the rows hold beside it.

row --read_row--> Asked --gather--> Prompt (one a task) --Template--> the messages that the model sees
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from rftj_cli.errors import InputError, listed
from rftj_cli.files.rows import Table
from rftj_cli.kernel.canonical import digest
from rftj_cli.kernel.sample import Sample, read_sample, split_of
from rftj_cli.kernel.template import render, template_faults, template_names

ANSWERS: Final = ("response", "response_a", "response_b", "rollout")
LABELS: Final = ("label", "labels")
ANSWERERS: Final = ("assistant", "nova_assistant")
PLACES: Final = ("id", "group", "cluster", "split")
_STAND_IN: Final = "An answer."


@dataclass(frozen=True, slots=True)
class Asked:
    """One row without its answer and labels. `group` and `cluster` are None where the row names none."""

    row: int
    id: str | None
    group: str | None
    fields: Mapping[str, Any]
    sample: Sample
    answer: str | None


@dataclass(frozen=True, slots=True)
class Prompt:
    """One task for the model. `fields` are the row's own, without id, places, answers and labels.

    `messages` is what the model is asked. `answers` are those that the rows hold; `differing` names the fields in which
    the rows of one task differ, which are no property of the task and stand in `fields` no more.
    """

    id: str
    row: int
    fields: Mapping[str, Any]
    sample: Sample
    messages: tuple[Mapping[str, str], ...]
    answers: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()
    rendered: bool = False

    @property
    def cluster(self) -> str:
        """The independent unit: the prompt itself where the row names none."""
        return self.sample.cluster or self.id

    @property
    def split(self) -> str:
        """As named, else by the hash of the cluster."""
        return self.sample.split or split_of(self.cluster)

    @property
    def places(self) -> dict[str, str]:
        """Cluster and split, where the row names them."""
        named = {"cluster": self.sample.cluster, "split": self.sample.split}
        return {name: value for name, value in named.items() if value is not None}

    def row_of(self) -> dict[str, Any]:
        """The prompt as a row: as it came, or with the messages that a template made, and the original prompt beside."""
        if not self.rendered:
            return dict(self.fields)
        kept = {name: value for name, value in self.fields.items() if name != "messages"}
        return {**kept, "prompt": self.sample.fields["prompt"], "messages": [dict(one) for one in self.messages]}


@dataclass(frozen=True, slots=True)
class Template:
    """How a prompt becomes messages: Jinja, with the row's fields; without either, the row's own messages."""

    system: str | None = None
    user: str | None = None

    def __post_init__(self) -> None:
        for text, key in ((self.system, "--system"), (self.user, "--prompt-template")):
            fault = None if text is None else template_faults(text)
            if fault is not None:
                raise InputError(f"the template is wrong: {fault[1]}", key=key, row=fault[0])

    @property
    def content(self) -> dict[str, str | None]:
        """The texts, as plain data."""
        return {"system": self.system, "user": self.user}

    @property
    def names(self) -> frozenset[str]:
        """The fields that it shows to the model."""
        texts = [text for text in (self.system, self.user) if text is not None]
        return frozenset[str]().union(*(template_names(text) for text in texts))

    def messages(self, sample: Sample) -> tuple[dict[str, str], ...]:
        """What the model is asked. Raises `InputError` where the template uses a name that the row has not."""
        values = {name: value for name, value in sample.fields.items() if name not in ANSWERS}
        own = _messages_of(sample)
        said = [one for one in own if one["role"] != "system"]
        system = [one for one in own if one["role"] == "system"]
        if self.system is not None:
            system = [{"role": "system", "content": render(self.system, values, key="--system")}]
        if self.user is not None:
            said = [{"role": "user", "content": render(self.user, values, key="--prompt-template")}]
        if self.system is None and self.user is None:
            return tuple(own)
        return (*(one for one in system if one["content"].strip()), *said)


def _messages_of(sample: Sample) -> list[dict[str, str]]:
    messages = sample.fields.get("messages")
    if isinstance(messages, list):
        return [dict(one) for one in messages]
    return [{"role": "user", "content": str(sample.fields["prompt"])}]


def read_row(data: Mapping[str, Any], row: int) -> Asked:
    """One row as a prompt, its answer apart. Raises `InputError` naming the key."""
    fields = _flat({str(key): value for key, value in data.items() if value is not None})
    if "messages" not in fields and "prompt" not in fields:
        raise InputError("no prompt", key="prompt", expected="`prompt` or `messages`")
    id, group = fields.get("id"), fields.get("group")
    fields, answer = _without_answer(fields)
    standing = {name: value for name, value in fields.items() if name not in LABELS}
    sample = read_sample({**standing, "response": _STAND_IN if answer is None else answer}, "rubric")
    own = {name: value for name, value in standing.items() if name not in PLACES}
    # `read_sample` has looked at id and group, so that here they are names
    return Asked(row, None if id is None else sample.id, None if group is None else sample.group, own, sample, answer)


def _flat(fields: dict[str, Any]) -> dict[str, Any]:
    """A row of a HyperPod data set keeps its fields under `metadata`; the reward function reads both places as one."""
    inner = fields.get("metadata")
    if not isinstance(inner, dict):
        return fields
    outer = {name: value for name, value in fields.items() if name != "metadata"}
    for name, value in inner.items():
        if name in outer and outer[name] != value:
            raise InputError("two values under one name, in the row and in its metadata", key=f"metadata.{name}")
    return {**{str(name): value for name, value in inner.items()}, **outer}


def _without_answer(fields: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    answer = fields.get("response")
    if answer is not None and not isinstance(answer, str):
        raise InputError("wrong type", key="response", found=answer, expected="text")
    messages = fields.get("messages")
    kept = {name: value for name, value in fields.items() if name not in ANSWERS}
    if isinstance(messages, list) and messages and _role(messages[-1]) in ANSWERERS:
        if answer is None:
            answer = str(read_sample({"messages": messages}, "rubric").fields["response"])
        kept["messages"] = messages[:-1]
    return kept, answer


def _role(message: object) -> object:
    return message.get("role") if isinstance(message, dict) else None


def rows_of(path: Path, columns: Mapping[str, str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, row) of a file of prompts or samples."""
    yield from Table(path, "prompts file", columns)


@dataclass(slots=True)
class Gathering:
    """Prompts as they are met: rows with an answer are joined by their task, rows without one stand for themselves."""

    names: frozenset[str] = frozenset()
    template: Template = field(default_factory=Template)
    rows: int = 0
    answered: int = 0
    _found: dict[str, Prompt] = field(default_factory=dict)

    def take(self, asked: Asked) -> None:
        """Add one row. Raises `InputError` where it contradicts an earlier row of its task."""
        self.rows += 1
        prompt = self._prompt(asked)
        if asked.answer is None:
            self._found[f"row {asked.row}"] = prompt
            return
        self.answered += 1
        known = self._found.get(f"task {prompt.id}")
        self._found[f"task {prompt.id}"] = prompt if known is None else _joined(known, prompt, asked.row)

    def _prompt(self, asked: Asked) -> Prompt:
        if asked.answer is None:
            id = asked.id or asked.group or "p-" + digest(dict(asked.fields))[:12]
        else:
            id = asked.group or asked.sample.group_of(self.names)
        messages = self.template.messages(asked.sample)
        rendered = self.template != Template()
        answers = () if asked.answer is None else (asked.answer,)
        return Prompt(id, asked.row, asked.fields, asked.sample, messages, answers, (), rendered)

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The prompts, in the order of their first rows."""
        return tuple(self._found.values())


def _joined(known: Prompt, other: Prompt, row: int) -> Prompt:
    if known.messages != other.messages:
        raise InputError(
            f"another prompt than in row {known.row}, though the group is the same", key="group", found=known.id,
            hint="a group is one task: its samples answer the same prompt",
        )  # fmt: skip
    names = {*known.fields, *other.fields} - {"messages", "prompt"}
    differing = {name for name in names if known.fields.get(name) != other.fields.get(name)}
    fields = {name: value for name, value in known.fields.items() if name not in differing}
    sample = known.sample
    if differing:
        sample = replace(sample, fields={name: v for name, v in sample.fields.items() if name not in differing})
    return replace(
        known, fields=fields, sample=sample, answers=known.answers + other.answers,
        differing=tuple(sorted({*known.differing, *differing})),
    )  # fmt: skip


def gather(path: Path, columns: Mapping[str, str], template: Template) -> Gathering:
    """All prompts of a file. Raises `InputError` for the first row that is none."""
    found, seen = Gathering(template=template), dict[str, int]()
    for row, data in rows_of(path, columns):
        try:
            found.take(read_row(data, row))
        except InputError as error:
            raise error.located(file=path, row=row) from None
    for prompt in found.prompts:
        if seen.setdefault(prompt.id, prompt.row) != prompt.row:
            problem = f"the same id as in row {seen[prompt.id]}"
            raise InputError(problem, file=path, row=prompt.row, key="id", found=prompt.id)
    return found


def told_too_much(template: Template) -> str | None:
    """A warning where the model is shown what it is to find by itself."""
    shown = sorted(template.names & {"reference", "reference_answer"})
    return f"the prompt template shows the model {listed(shown)}: the answer itself" if shown else None


def hidden_context(prompts: Sequence[Prompt]) -> str | None:
    """A warning where rows have a context that the messages do not hold: the model would answer without it."""
    hidden = [one for one in prompts if not one.rendered and _pieces(one) and not _shown(one)]
    if not hidden:
        return None
    many = f"{len(hidden)} of {len(prompts)} prompts"
    return f"the model is not shown the `context` of {many}: put it into the messages with --prompt-template FILE"


def _pieces(prompt: Prompt) -> list[str]:
    context = prompt.fields.get("context")
    pieces = list(context.values()) if isinstance(context, Mapping) else [context]
    return [one for one in pieces if isinstance(one, str) and one.strip()]


def _shown(prompt: Prompt) -> bool:
    text = "\n".join(one["content"] for one in prompt.messages)
    return any(piece in text for piece in _pieces(prompt))


def conversation(messages: Sequence[Mapping[str, str]]) -> tuple[str, tuple[tuple[str, str], ...], str]:
    """Messages as (system, earlier turns, last question). Raises `InputError` for what no service takes as text."""
    said = list(messages)
    system: list[str] = []
    while said and said[0]["role"] in ("system", "developer"):
        system.append(said.pop(0)["content"])
    turns: list[tuple[str, str]] = []
    for at, one in enumerate(said, len(messages) - len(said)):
        role = "assistant" if one["role"] in (*ANSWERERS, "bot") else one["role"]
        if role not in ("user", "assistant"):
            raise InputError(
                "a message that cannot be sent as text", key=f"messages[{at}].role", found=one["role"],
                expected="system first, then user and assistant",
            )  # fmt: skip
        turns.append((role, one["content"]))
    if not turns or turns[-1][0] != "user":
        raise InputError("the last message is not the user's", key="messages", expected="a question to the model")
    if not turns[-1][1].strip():
        raise InputError("an empty prompt", key="messages", expected="a question to the model")
    return "\n\n".join(system), tuple(turns[:-1]), turns[-1][1]

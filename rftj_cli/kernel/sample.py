"""One thing to judge, read from a row of a file or an event; and the label that a rater gave it."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from rftj_cli.errors import InputError, nearest
from rftj_cli.kernel.canonical import canonical, digest
from rftj_cli.kernel.numbers import read_number
from rftj_cli.kernel.rubric import Kind

Split = Literal["train", "dev", "test", "anchor"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test", "anchor")
SOURCES = ("human", "production", "model")
CANNOT_TELL = "cannot_tell"
RESPONSES = {"rubric": ("response",), "preference": ("response_a", "response_b")}
STANDARD = ("prompt", "messages", "response", "response_a", "response_b", "reference", "context")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # control characters, line and paragraph separators
# What a trainer's data cannot say of an answer: it is said by the row itself, or is of no concern to a reward.
NOT_FROM_DATA = (
    "id",
    "messages",
    "response",
    "response_a",
    "response_b",
    "group",
    "cluster",
    "split",
    "label",
    "labels",
)
RESERVED = ("id", "group", "cluster", "split", "label", "labels", "criteria")


@dataclass(frozen=True, slots=True)
class Label:
    """What one rater said of one sample (or item). `criterion` None: the rubric's only criterion.

    `sample_sha`, where given, is the fingerprint of the text that was labelled; `weight` is the inverse of the
    probability with which the sample was chosen for labelling.
    """

    id: str
    value: str | float
    criterion: str | None = None
    item: str | None = None
    rater: str = "label"
    reason: str = ""
    source: str = "human"
    guide: str = ""
    sample_sha: str = ""
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One response (or two) with what the judge may look at.

    `fields` holds everything a template may use; ids, groups, splits and labels are never among them. `group` and
    `cluster` are None where the row names none: see `group_of`.
    """

    id: str
    fields: Mapping[str, object]
    group: str | None = None
    cluster: str | None = None
    split: Split | None = None
    labels: tuple[Label, ...] = ()
    criteria: tuple[Mapping[str, object], ...] = ()

    def seen(self, names: frozenset[str]) -> dict[str, object]:
        """What the judge may see: the standard fields, and those that its templates name."""
        return {key: value for key, value in self.fields.items() if key in STANDARD or key in names}

    def fingerprint(self, names: frozenset[str]) -> str:
        """The hash of what the judge may see."""
        return digest([self.seen(names), list(self.criteria)])

    def group_of(self, names: frozenset[str]) -> str:
        """The task that this sample answers: as named, else a hash of all that is seen except the responses."""
        if self.group is not None:
            return self.group
        task = {
            key: value for key, value in self.seen(names).items() if key not in ("response", "response_a", "response_b")
        }
        task.pop("messages", None)  # `prompt` holds them without the answer
        return "g-" + digest([task, list(self.criteria)])[:12]


def split_of(cluster: str) -> Split:
    """20% train, 40% dev, 40% test, by hash of the cluster: rows that are added later move nothing."""
    share = int(hashlib.sha256(f"split:{cluster}".encode("utf-8", "surrogatepass")).hexdigest()[:8], 16) / 2**32
    return "train" if share < 0.2 else "dev" if share < 0.6 else "test"


def read_sample(row: Mapping[str, Any], kind: Kind) -> Sample:
    """One row as a sample of this kind of rubric. Raises `InputError` naming the key."""
    row = {str(key): value for key, value in row.items() if value is not None}
    row = with_metadata(row)
    if "reference_answer" in row and "reference" not in row:
        row["reference"] = row.pop("reference_answer")
    if "messages" in row:
        _read_messages(row)
    for name in RESPONSES[kind]:
        if name not in row:
            raise _no_response(row, name, kind)
        if not isinstance(row[name], str):
            raise InputError("wrong type", key=name, found=row[name], expected="text")
    if "prompt" in row and not isinstance(row["prompt"], str):
        raise InputError("wrong type", key="prompt", found=row["prompt"], expected="text")
    id = _id(row)
    split = row.get("split")
    if split is not None and split not in SPLITS:
        raise InputError(
            "unknown split",
            key="split",
            found=split,
            expected="one of " + ", ".join(SPLITS),
            hint=nearest(str(split), SPLITS),
        )
    criteria = row.get("criteria", [])
    if not isinstance(criteria, list) or not all(isinstance(one, dict) for one in criteria):
        raise InputError("wrong type", key="criteria", found=criteria, expected="a list of criteria")
    return Sample(
        id=id,
        fields={key: value for key, value in row.items() if key not in RESERVED},
        group=_word(row, "group"),
        cluster=_word(row, "cluster"),
        split=cast(Split | None, split),
        labels=_inline_labels(id, row),
        criteria=tuple(criteria),
    )


def with_metadata(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with the fields of its `metadata` beside its own, metadata first: so RFT sets and their events bring them.

    `metadata` stays a field as well, so that a template may say `metadata.key` or `key`.
    """
    metadata = row.get("metadata")
    given = metadata.items() if isinstance(metadata, Mapping) else ()
    known = {key: value for key, value in given if value is not None and key not in (*NOT_FROM_DATA, "metadata")}
    return {**row, **known}


def _no_response(row: Mapping[str, Any], name: str, kind: Kind) -> InputError:
    if "messages" in row and kind == "rubric":
        return InputError(
            "no response: the last message is not the assistant's",
            key="messages",
            hint="a row without an answer is a prompt; `rftj rft sample` generates answers to judge",
        )
    other = "rubric" if kind == "preference" else "preference"
    if all(field in row for field in RESPONSES[cast(Kind, other)]):
        return InputError(
            f"this is a sample for a {other} rubric", key=name, expected=f"`{name}`", hint="see `kind` in the rubric"
        )
    hint = nearest(name, row) or "other column names: --map " + name + "=YOUR_COLUMN"
    return InputError("no response", key=name, expected=f"`{name}`", hint=hint)


def _id(row: Mapping[str, Any]) -> str:
    id = row.get("id")
    if id is None:
        return "s-" + digest({key: value for key, value in row.items() if key not in ("label", "labels", "split")})[:12]
    if isinstance(id, bool) or not isinstance(id, (str, int)) or not str(id).strip():
        raise InputError("bad id", key="id", found=id, expected="text or a whole number")
    return _one_line(str(id), "id")


def _one_line(name: str, key: str) -> str:
    """A name as it may stand in reports and logs, where a line break would begin a line of its own."""
    if _CONTROL.search(name):
        raise InputError("a control character or a line break in a name", key=key, found=name, expected="one line")
    return name


def _word(row: Mapping[str, Any], key: str, prefix: str = "") -> str | None:
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, (dict, list)) or not str(value).strip():
        raise InputError("wrong type", key=prefix + key, found=value, expected="text or a number")
    return _one_line(str(value), prefix + key)


def _read_messages(row: dict[str, Any]) -> None:
    """Chat messages to `prompt` and `response`; an explicit `prompt` or `response` stays."""
    messages = row["messages"]
    if not isinstance(messages, list) or not messages:
        raise InputError("wrong type", key="messages", found=messages, expected="a list of {role, content}")
    turns = [_turn(message, f"messages[{index}]") for index, message in enumerate(messages)]
    if turns[-1]["role"] in ("assistant", "nova_assistant"):
        row.setdefault("response", turns[-1]["content"])
        turns.pop()
    row["messages"] = turns
    asked = [turn for turn in turns if turn["role"] != "system"]
    if len(asked) == 1:
        row.setdefault("prompt", asked[0]["content"])
    else:
        row.setdefault("prompt", "\n\n".join(f"{turn['role']}: {turn['content']}" for turn in asked))


def _turn(message: object, at: str) -> dict[str, str]:
    if not isinstance(message, dict) or "role" not in message or "content" not in message:
        raise InputError("wrong type", key=at, found=message, expected="{role, content}")
    content = message["content"]
    if isinstance(content, list):
        if not all(isinstance(block, dict) and isinstance(block.get("text"), str) for block in content):
            raise InputError("only text can be judged", key=f"{at}.content", found=content, expected='[{"text": ...}]')
        content = "\n".join(block["text"] for block in content)
    if not isinstance(content, str):
        raise InputError("wrong type", key=f"{at}.content", found=content, expected="text")
    return {"role": str(message["role"]), "content": content}


def _inline_labels(id: str, row: Mapping[str, Any]) -> tuple[Label, ...]:
    labels: list[Label] = []
    for key in ("label", "labels"):
        raw = row.get(key)
        if isinstance(raw, dict):
            given = [(_one_line(str(c), key), v) for c, v in raw.items() if v is not None]
            labels += [Label(id, label_value(v, f"{key}.{c}"), c) for c, v in given]
        elif isinstance(raw, list):
            labels += [read_label(_row(one, id, f"{key}[{i}]"), f"{key}[{i}]") for i, one in enumerate(raw)]
        elif raw is not None:
            labels.append(Label(id, label_value(raw, key)))
    return tuple(labels)


def _row(value: object, id: str, at: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError("wrong type", key=at, found=value, expected="{rater, criterion, value}")
    if str(value.get("id", id)) != id:
        raise InputError("a label in a sample is that sample's own", key=f"{at}.id", found=value["id"], expected=id)
    return {**value, "id": id}


def read_label(row: Mapping[str, Any], at: str = "") -> Label:
    """One label row (`id, item, rater, criterion, value, reason, source, guide, sample_sha, weight`)."""
    known = ("id", "item", "rater", "criterion", "value", "reason", "source", "guide", "sample_sha", "weight")
    prefix = f"{at}." if at else ""
    for key in row:
        if key not in known:
            raise InputError(
                "unknown key",
                key=prefix + str(key),
                expected="one of " + ", ".join(known),
                hint=nearest(str(key), known),
            )
    for key in ("id", "value"):
        if row.get(key) is None or str(row[key]).strip() == "":
            raise InputError("missing key" if key not in row else "empty value", key=prefix + key)
    source = row.get("source") or "human"
    if source not in SOURCES:
        raise InputError("unknown source", key=prefix + "source", found=source, expected="one of " + ", ".join(SOURCES))
    words = {key: str(row[key]) for key in ("rater", "reason", "guide", "sample_sha") if row.get(key) not in (None, "")}
    _one_line(words.get("rater", ""), prefix + "rater")
    return Label(
        id=_one_line(str(row["id"]), prefix + "id"),
        value=label_value(row["value"], prefix + "value"),
        criterion=_word(row, "criterion", prefix) if row.get("criterion") != "" else None,
        item=_word(row, "item", prefix) if row.get("item") != "" else None,
        source=source,
        weight=_weight(row.get("weight"), prefix + "weight"),
        **words,
    )


def _weight(raw: object, key: str) -> float:
    if raw is None or raw == "":
        return 1.0
    number = read_number(raw) if isinstance(raw, str) else raw
    weight = float(number) if isinstance(number, (int, float)) and not isinstance(number, bool) else math.nan
    if not (math.isfinite(weight) and weight > 0):
        raise InputError("bad weight", key=key, found=raw, expected="a number above 0")
    return weight


def label_value(raw: object, key: str) -> str | float:
    """A label's value as text or number; the rubric's scale decides later whether it names a level."""
    if isinstance(raw, bool):
        return "pass" if raw else "fail"
    if isinstance(raw, (int, float)):
        if not math.isfinite(raw):
            raise InputError("not a number", key=key, found=raw, expected="a level of the scale")
        return raw
    if isinstance(raw, str):
        return raw.strip()
    raise InputError("wrong type", key=key, found=canonical(raw), expected="a level of the scale")

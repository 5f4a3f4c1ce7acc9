"""What a trainer sends to a reward function, in every documented shape, and the answer it takes.

    list | one row | {"batch": [...]} | {"trajectories": [...]} | {"body": ...}  --read_event--> rows
    row --> Row(id as it came, Sample | fault)          results --envelope--> list | {"statusCode": 200, "body": ...}

The response is the last assistant turn and nothing else: a field of the data set that is called `response` is an old one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from rftj_cli.errors import InputError
from rftj_cli.kernel.canonical import digest
from rftj_cli.kernel.sample import Sample, read_sample

Envelope = Literal["list", "http"]
LISTS: Final = ("batch", "trajectories")
NOT_FROM_DATA: Final = ("id", "messages", "metadata", "response", "response_a", "response_b", "group", "cluster", "split",
                        "label", "labels")  # fmt: skip
REFERENCES: Final = ("reference_answer", "reference", "ground_truth")


class BadEvent(Exception):
    """An event that holds no rows in any documented shape; the message says what it is instead."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of an event. `id` is what came; without a `sample`, `fault` says why it cannot be judged.

    The hashes name the prompt (one for all answers to it) and the response without holding their text.
    """

    id: object
    sample: Sample | None
    fault: str = ""
    prompt_sha256: str = ""
    response_sha256: str = ""

    @property
    def response(self) -> str:
        """The text to score; "" where there is none."""
        return "" if self.sample is None else str(self.sample.fields["response"])


def read_event(event: object) -> tuple[Row, ...]:
    """The rows of an event, in their order. Raises `BadEvent` where it is of no known shape."""
    return tuple(read_row(row) for row in _rows(event))


def _rows(event: object, depth: int = 0) -> Sequence[object]:
    if isinstance(event, list):
        return event
    if not isinstance(event, Mapping):
        raise BadEvent(f"an event is a list of rows or an object, not {_kind(event)}")
    for name in LISTS:
        if name in event:
            if not isinstance(event[name], list):
                raise BadEvent(f"`{name}` is a list of rows, not {_kind(event[name])}")
            found: list[object] = event[name]
            return found
    if "body" in event and "messages" not in event and depth < 2:
        return _rows(_body(event), depth + 1)
    return [event]


def _body(event: Mapping[Any, Any]) -> object:
    """What an API Gateway event carries: JSON text, perhaps in base64, or the data itself."""
    body = event["body"]
    if not isinstance(body, str):
        return body
    try:
        text = base64.b64decode(body, validate=True).decode() if event.get("isBase64Encoded") else body
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadEvent("`body` is not JSON") from None


def read_row(row: object) -> Row:
    """One row with its sample, or with what is wrong with it."""
    if not isinstance(row, Mapping):
        return Row(None, None, f"a row is an object, not {_kind(row)}")
    id = row.get("id")
    try:
        sample = read_sample(sample_row(row), "rubric")
    except InputError as error:
        where = f"{error.key}: " if error.key else ""
        return Row(id, None, where + error.problem)
    except (ValueError, RecursionError, TypeError):
        return Row(id, None, "the row cannot be read")
    return Row(id, sample, "", prompt_hash(sample), response_hash(str(sample.fields["response"])))


def sample_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of an event as a row of a samples file: metadata and top-level fields merged, metadata first."""
    metadata = row.get("metadata")
    if metadata is not None and not isinstance(metadata, Mapping):
        raise InputError("wrong type", key="metadata", found=_kind(metadata), expected="an object")
    if "messages" not in row:
        raise InputError("missing key", key="messages")
    merged = {**row, **{key: value for key, value in (metadata or {}).items() if value is not None}}
    fields = {key: value for key, value in merged.items() if key not in NOT_FROM_DATA}
    reference = next((merged[name] for name in REFERENCES if merged.get(name) is not None), None)
    fields = {key: value for key, value in fields.items() if key not in ("reference_answer", "reference")}
    if reference is not None:
        fields["reference"] = reference
    return {"id": "row", **fields, "messages": row["messages"]}


def event_row(sample: Sample) -> dict[str, Any]:
    """The row in which a trainer would send this sample's response: what `read_row` reads back as the same sample."""
    fields = dict(sample.fields)
    response, reference = fields.pop("response"), fields.pop("reference", None)
    turns = [dict(turn) for turn in _turns(sample)]
    metadata = {key: value for key, value in fields.items() if key not in NOT_FROM_DATA}
    if reference is not None:
        metadata["reference_answer"] = reference
    if sample.criteria:
        metadata["criteria"] = [dict(one) for one in sample.criteria]
    return {"id": sample.id, "messages": [*turns, {"role": "assistant", "content": response}], "metadata": metadata}


def _turns(sample: Sample) -> Sequence[Mapping[str, Any]]:
    """The conversation before the response."""
    turns = sample.fields.get("messages")
    if isinstance(turns, list):
        return turns
    return [{"role": "user", "content": str(sample.fields.get("prompt", ""))}]


def prompt_hash(sample: Sample) -> str:
    """The same for all answers to one conversation: SHA-256 of its canonical JSON, without the answer."""
    return digest([dict(turn) for turn in _turns(sample)])


def response_hash(response: str) -> str:
    """SHA-256 of the response."""
    return hashlib.sha256(response.encode("utf-8", "surrogatepass")).hexdigest()


def envelope(results: Sequence[Mapping[str, object]], form: Envelope) -> object:
    """The answer as the trainer takes it: Bedrock and Nova a bare list, SageMaker's open-weight trainer an HTTP response."""
    if form == "list":
        return list(results)
    body = json.dumps(list(results), ensure_ascii=False, allow_nan=False)
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": body}


def _kind(value: object) -> str:
    names = {str: "text", bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return "null" if value is None else names.get(type(value), type(value).__name__)

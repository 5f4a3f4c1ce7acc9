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
from rftj_cli.kernel.canonical import digest, finite
from rftj_cli.kernel.sample import NOT_FROM_DATA, Sample, read_sample, with_metadata

Envelope = Literal["list", "http"]
LISTS: Final = ("batch", "trajectories")
DEEPEST: Final = 64  # levels of an id that is not a plain value: what goes deeper may not be writable as JSON again


class BadEvent(Exception):
    """An event that holds no rows in any documented shape; the message says what it is instead."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of an event. `id` is what came; without a `sample`, `fault` says why it cannot be judged, in no words of
    the row.

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
    if "messages" in event:  # then it is a row, whatever its other columns are called
        return [event]
    for name in LISTS:
        if name in event:
            if not isinstance(event[name], list):
                raise BadEvent(f"`{name}` is a list of rows, not {_kind(event[name])}")
            found: list[object] = event[name]
            return found
    if "body" in event and depth < 2:
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
    id = echo(row.get("id"))
    try:
        sample = read_sample(sample_row(row), "rubric")
        return Row(id, sample, "", prompt_hash(sample), response_hash(str(sample.fields["response"])))
    except InputError as error:
        return Row(id, None, without_text(error))
    except Exception:  # noqa: BLE001 - whatever a row trips over, the other rows have their rewards
        return Row(id, None, "the row cannot be read")


def echo(id: object) -> object:
    """An id as it goes back: as it came, but for what cannot be sent again.

    NaN is no JSON, the runtime cannot encode a lone surrogate, and too many levels overflow its encoder: any of these
    would cost the whole invocation its rewards.
    """
    if isinstance(id, str):
        return id if id.isascii() else id.encode("utf-8", "replace").decode()
    if id is None or isinstance(id, (bool, int)):
        return id
    return finite(id, DEEPEST)


def without_text(error: InputError) -> str:
    """What is wrong, in rftj's words alone: behind a colon a problem may quote, and a key of `criteria` is the row's."""
    where, cut, _ = (error.key or "row").partition("].")
    return f"{where}{']' if cut else ''}: {error.problem.partition(':')[0]}"


def sample_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of an event as a row of a samples file: without what its data must not say, and with its reference."""
    if row.get("messages") is None:
        raise InputError("missing key", key="messages")
    metadata = row.get("metadata")
    fields = {key: value for key, value in with_metadata(row).items() if key not in NOT_FROM_DATA}
    if isinstance(metadata, Mapping) and "metadata" in metadata:  # the data set has a column of this name
        fields["metadata"] = metadata["metadata"]
    if fields.get("reference") is None and fields.get("reference_answer") is None:
        fields["reference"] = fields.get("ground_truth")
    return {"id": "row", **fields, "messages": row["messages"]}


def event_row(sample: Sample) -> dict[str, Any]:
    """The row in which a trainer would send this sample's response: what `read_row` reads back as the same sample."""
    fields = dict(sample.fields)
    messages = [*(dict(turn) for turn in _turns(sample)), {"role": "assistant", "content": fields.pop("response")}]
    if fields.get("prompt") == read_sample({"messages": messages}, "rubric").fields["prompt"]:
        del fields["prompt"]  # it is made of the messages again
    metadata = {key: value for key, value in fields.items() if key not in NOT_FROM_DATA}
    if "reference" in metadata and "reference_answer" not in metadata:
        metadata["reference_answer"] = metadata.pop("reference")
    if sample.criteria:
        metadata["criteria"] = [dict(one) for one in sample.criteria]
    return {"id": sample.id, "messages": messages, "metadata": metadata}


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
    body = json.dumps(list(results), allow_nan=False)
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": body}


def _kind(value: object) -> str:
    names = {str: "text", bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return "null" if value is None else names.get(type(value), type(value).__name__)

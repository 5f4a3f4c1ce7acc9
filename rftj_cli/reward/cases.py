"""The events that a reward function must stand: every documented shape, and every bad row between two good ones.

    good rows with known rewards --cases--> Case(event, ids and rewards that must come back)

The bad rows are what trainers' own verifiers let through or send themselves: a row without an answer, an id that is null,
content that is no text. None may fail its neighbours, and each gets a result of its own.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Row = Mapping[str, Any]
ANY: Final = None  # a reward that is not known beforehand: any finite number of the range


@dataclass(frozen=True, slots=True)
class Good:
    """A row as a trainer sends it, with the reward that it must get."""

    row: Row
    reward: float


@dataclass(frozen=True, slots=True)
class Case:
    """One event, and what must come back. `bad` are the places of rows that cannot be judged, `free` those of rows that
    some rubrics can judge and others cannot: a result with their id and a number in the range will do."""

    group: str
    name: str
    event: object
    ids: tuple[object, ...]
    rewards: tuple[float | None, ...]
    bad: frozenset[int] = frozenset()
    free: frozenset[int] = frozenset()


def cases(good: Sequence[Good], batch: int = 0) -> list[Case]:
    """All cases, made of one good row or more; with `batch` one of so many rows too."""
    return [*shapes(good), *full_batch(good, batch), *bad_rows(good)]


def full_batch(good: Sequence[Good], batch: int) -> list[Case]:
    """As many rows as the job sends, for a run that holds fewer: the good ones again and again, each with its own id."""
    if not batch:
        return []
    ids = tuple(f"row-{index}" for index in range(batch))
    given = [good[index % len(good)] for index in range(batch)]
    rows = [{**one.row, "id": id} for one, id in zip(given, ids, strict=True)]
    return [Case("shape", f"a full batch of {batch:,}", rows, ids, tuple(one.reward for one in given))]


def shapes(good: Sequence[Good]) -> list[Case]:
    """The documented shapes of an event."""
    first, rows = good[0], [one.row for one in good]

    def case(name: str, event: object, of: Sequence[Good]) -> Case:
        return Case("shape", name, event, tuple(one.row["id"] for one in of), tuple(one.reward for one in of))

    text = json.dumps(rows, ensure_ascii=False)
    return [
        case("list, fields in metadata", rows, good),
        case("list, fields at the top level", [flat(row) for row in rows], good),
        case("the reference as ground_truth", [with_ground_truth(row) for row in rows], good),
        case("one object, fields at the top level", flat(first.row), [first]),
        case("one object, fields in metadata", first.row, [first]),
        case("role nova_assistant, content in blocks", [nova(row) for row in rows], good),
        case("trajectories", {"trajectories": rows}, good),
        case("batch", {"batch": [flat(row) for row in rows]}, good),
        case("HTTP body, JSON text", {"body": text, "isBase64Encoded": False}, good),
        case("HTTP body in base64", {"body": base64.b64encode(text.encode()).decode(), "isBase64Encoded": True}, good),
        case("a list of one", [first.row], [first]),
        case("an empty list", [], []),
        case("one row twice, same id", [first.row, first.row], [first, first]),
        case("reversed order", rows[::-1], list(good)[::-1]),
        case("ids as numbers", [{**row, "id": index} for index, row in enumerate(rows)],
             [Good({"id": index}, one.reward) for index, one in enumerate(good)]),
    ]  # fmt: skip


def flat(row: Row) -> dict[str, Any]:
    """The row with its metadata at the top level."""
    return {**row.get("metadata", {}), "id": row["id"], "messages": row["messages"]}


def with_ground_truth(row: Row) -> dict[str, Any]:
    """The row as AWS's samples for open-weight models send it: the reference under its other name, and `extra_info`."""
    metadata = {"extra_info": {"split": "train"}, **row.get("metadata", {})}
    if "reference_answer" in metadata and "ground_truth" not in metadata:
        metadata["ground_truth"] = metadata.pop("reference_answer")
    return {**row, "metadata": metadata}


def nova(row: Row) -> dict[str, Any]:
    """The row as RFT evaluation on SageMaker sends it: Nova's role, content in blocks, the reference at the top level."""
    turns = [{"role": turn["role"], "content": [{"type": "text", "text": turn["content"]}]} for turn in row["messages"]]
    turns[-1]["role"] = "nova_assistant"
    metadata = dict(row.get("metadata", {}))
    top = {"reference_answer": metadata.pop("reference_answer")} if "reference_answer" in metadata else {}
    return {"id": row["id"], "messages": turns, **top, "metadata": metadata}


def _without_answer(row: Row) -> Row:
    """What AWS's own verifiers send: a row of the training data, nothing generated."""
    return {**row, "messages": row["messages"][:-1]}


def _content(value: object) -> Callable[[Row], object]:
    return lambda row: {**row, "messages": [*row["messages"][:-1], {"role": "assistant", "content": value}]}


BAD: Final[Mapping[str, Callable[[Row], object]]] = {
    "no assistant turn": _without_answer,
    "no messages": lambda row: {"id": row["id"], "metadata": {}},
    "empty messages": lambda row: {**row, "messages": []},
    "messages that are text": lambda row: {**row, "messages": "hello"},
    "a turn without content": lambda row: {**row, "messages": [*row["messages"][:-1], {"role": "assistant"}]},
    "content null": _content(None),
    "content a number": _content(7),
    "content an image": _content([{"type": "image_url", "image_url": {"url": "x"}}]),
    "criteria that are none": lambda row: {**row, "metadata": {**row.get("metadata", {}), "criteria": "all"}},
    "a row that is text": lambda row: "hello",
    "a row that is null": lambda row: None,
    "a row that is a list": lambda row: [row],
    "id null, no answer": lambda row: {**_without_answer(row), "id": None},
}
FREE: Final[Mapping[str, Callable[[Row], object]]] = {  # what the prompt needs may be missing or not
    "metadata a list": lambda row: {**row, "metadata": [1]},
}
ODD: Final[Mapping[str, Callable[[Row], object]]] = {  # these can be judged, and the id must come back as it is
    "id null": lambda row: {**row, "id": None},
    "no id": lambda row: {key: value for key, value in row.items() if key != "id"},
    "id an object": lambda row: {**row, "id": {"a": [1]}},
    "id of 10,000 characters": lambda row: {**row, "id": "x" * 10_000},
    "metadata null": lambda row: {"metadata": None, **flat(row)},  # a column of this name is data, and stays
    "an old response in the data": lambda row: {**row, "metadata": {**row.get("metadata", {}), "response": "old"}},
}


def bad_rows(good: Sequence[Good]) -> list[Case]:
    """Each bad or odd row between two good ones."""
    first, last = good[0], good[-1]
    found = []
    for name, change in {**BAD, **FREE}.items():
        row = change(first.row)
        ids = (first.row["id"], _id(row), last.row["id"])
        event = [first.row, row, last.row]
        place, rewards = frozenset({1}), (first.reward, ANY, last.reward)
        bad, free = (frozenset(), place) if name in FREE else (place, frozenset())
        found.append(Case("bad row", name, event, ids, rewards, bad, free))
    for name, change in ODD.items():
        row = change(first.row)
        ids = (first.row["id"], _id(row), last.row["id"])
        found.append(Case("odd row", name, [first.row, row, last.row], ids, (first.reward, first.reward, last.reward)))
    return found


def _id(row: object) -> object:
    return row.get("id") if isinstance(row, Mapping) else None

"""Builders for tests: rubrics as plain data and as files, samples, and the CLI in process."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from rftj_cli.kernel.asks import Ask, asks, rubric_for
from rftj_cli.kernel.compile import compile_rubric
from rftj_cli.kernel.conclude import conclude
from rftj_cli.kernel.outcome import CallError, Outcome, Reply
from rftj_cli.kernel.rubric import Rubric
from rftj_cli.kernel.sample import Sample, read_sample

LEVELS = ["vague", "usable", "ready"]


def data(**changes: Any) -> dict[str, Any]:
    """The smallest rubric, as a YAML file would hold it; a key set to None is left out."""
    rubric: dict[str, Any] = {
        "name": "tested",
        "criteria": [{"id": "quality", "question": "Is it good?"}],
        "prompt": {"user": "Judge this: {{ response }}"},
        "judge": {"model": "openai:fake"},
        **changes,
    }
    return {key: value for key, value in rubric.items() if value is not None}


def pair_data(**changes: Any) -> dict[str, Any]:
    """The smallest preference rubric."""
    return data(
        **{
            "kind": "preference",
            "criteria": None,
            "prompt": {"user": "A: {{ response_a }}\nB: {{ response_b }}"},
            **changes,
        }
    )


def rubric(**changes: Any) -> Rubric:
    return compile_rubric(data(**changes))


def pairs(**changes: Any) -> Rubric:
    return compile_rubric(pair_data(**changes))


def sample(kind: str = "rubric", **fields: Any) -> Sample:
    row = {"id": "s1", **({"response": "an answer"} if kind == "rubric" else {"response_a": "a", "response_b": "b"})}
    return read_sample({**row, **fields}, kind)  # type: ignore[arg-type]


def judged(rubric: Rubric, sample: Sample, replies: Sequence[str | Reply | CallError]) -> Outcome:
    """The outcome where the calls are answered by `replies`, in the order of `asks`."""
    own = rubric_for(rubric, sample)
    calls: tuple[Ask, ...] = asks(own, sample)
    assert len(calls) == len(replies)
    answers = [Reply(reply) if isinstance(reply, str) else reply for reply in replies]
    return conclude(own, sample, list(zip(calls, answers, strict=True)))


def write_rubric(folder: Path, name: str = "rubric.yaml", **changes: Any) -> Path:
    path = folder / name
    path.write_text(yaml.safe_dump(data(**changes), sort_keys=False), encoding="utf-8")
    return path


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def some_rows(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [{"id": f"s{i}", "prompt": "Say a number.", "response": f"number {i}"} for i in range(start, start + count)]


def growth(small: Callable[[], object], large: Callable[[], object]) -> float:
    """CPU seconds of the large input per CPU second of the small one, each the best of three.

    A ratio is the same on a slow or a loaded machine; a bound on seconds is not.
    """

    def least(work: Callable[[], object]) -> float:
        taken = []
        for _ in range(3):
            began = time.process_time()
            work()
            taken.append(time.process_time() - began)
        return min(taken)

    return least(large) / max(least(small), 1e-4)

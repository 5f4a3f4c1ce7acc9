"""Whether a response is what the trainer needs, read more strictly than the trainer's own verifier does.

AWS's verifiers take a score that is text, NaN or true, an id that is null, results in any order: none of that passes here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rftj_cli.kernel.events import Envelope
from rftj_cli.reward.cases import Case
from rftj_cli.reward.local.outcome import FunctionError

TYPES: Final = ("Metric", "Reward")
MOST: Final = 5  # faults that are told of one response


@dataclass(frozen=True, slots=True)
class Expected:
    """What holds of every result: its range, the envelope, and (where known) what a row that cannot be judged
    gets, and the metric by which it is told from a judged one."""

    low: float
    high: float
    form: Envelope | None = None
    fallback: float | None = None
    marked: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What one case brought: no faults, or these."""

    case: Case
    faults: tuple[str, ...]


def faults_of(case: Case, payload: object, expected: Expected) -> tuple[str, ...]:
    """What is wrong with the response to a case."""
    results, faults = results_of(payload, expected.form)
    if results is None:
        return faults
    found = [*faults]
    if len(results) != len(case.ids):
        found.append(f"{len(results)} results for {len(case.ids)} rows")
    for index, (result, id, reward) in enumerate(zip(results, case.ids, case.rewards, strict=False)):
        wanted = expected.fallback if index in case.bad else reward
        found += [f"result {index + 1}: {fault}" for fault in result_faults(result, id, wanted, expected)]
        if index in case.free:
            continue
        if expected.marked is not None and (index in case.bad) != _has_metric(result, expected.marked):
            what = "this row cannot be judged, and was" if index in case.bad else "this row can be judged, and was not"
            found.append(f"result {index + 1}: {what}")
    return tuple(found[:MOST])


def results_of(payload: object, form: Envelope | None) -> tuple[list[object] | None, tuple[str, ...]]:
    """The list of results in a response, and what is wrong with its envelope. `form` None: either will do."""
    if isinstance(payload, list):
        return payload, ("a bare list, and this target takes an HTTP response",) if form == "http" else ()
    if not isinstance(payload, Mapping) or "statusCode" not in payload:
        return None, (f"neither a list of results nor an HTTP response: {_shown(payload)}",)
    faults = ["an HTTP response, and this target takes a bare list"] if form == "list" else []
    if payload["statusCode"] != 200 or isinstance(payload["statusCode"], bool):
        return None, (*faults, f"statusCode {_shown(payload['statusCode'])}")
    try:
        body = json.loads(payload["body"])
    except (KeyError, TypeError, ValueError):
        return None, (*faults, "its body is not JSON text")
    if not isinstance(body, list):
        return None, (*faults, f"its body holds no list: {_shown(body)}")
    return body, tuple(faults)


def result_faults(result: object, id: object, reward: float | None, expected: Expected) -> list[str]:
    """What is wrong with one result. `reward` None: any in the range."""
    if not isinstance(result, Mapping):
        return [f"not an object: {_shown(result)}"]
    faults = []
    if "id" not in result:
        faults.append("no id")
    elif json.dumps(result["id"], sort_keys=True) != json.dumps(id, sort_keys=True):
        faults.append(f"id {_shown(result['id'])} for the row {_shown(id)}")
    score: Any = result.get("aggregate_reward_score")
    if not _is_number(score):
        faults.append(f"aggregate_reward_score is no finite number: {_shown(score)}")
    elif not expected.low <= score <= expected.high:
        faults.append(f"aggregate_reward_score {score!r} outside {expected.low:g} to {expected.high:g}")
    elif reward is not None and score != reward:
        faults.append(f"aggregate_reward_score {score!r}, not {reward!r}")
    return faults + _metric_faults(result.get("metrics_list", []))


def _metric_faults(metrics: object) -> list[str]:
    if not isinstance(metrics, list):
        return [f"metrics_list is no list: {_shown(metrics)}"]
    for metric in metrics:
        if not isinstance(metric, Mapping) or not isinstance(metric.get("name"), str) or not metric["name"]:
            return [f"a metric without a name: {_shown(metric)}"]
        if not _is_number(metric.get("value")):
            return [f"metric {metric['name']}: value is no finite number: {_shown(metric.get('value'))}"]
        if metric.get("type") not in TYPES:
            return [f"metric {metric['name']}: type {_shown(metric.get('type'))}, not Metric or Reward"]
    return []


def _has_metric(result: object, name: str) -> bool:
    metrics = result.get("metrics_list") if isinstance(result, Mapping) else None
    return isinstance(metrics, list) and any(isinstance(one, Mapping) and one.get("name") == name for one in metrics)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def failure(error: FunctionError) -> str:
    """An error of the function in a line: without its stack, and without the request's id, which differs each time."""
    said = re.sub(r"^RequestId: \S+ Error: ", "", error.message)
    if said.endswith("signal: killed"):
        said += " (more memory than --memory allows?)"
    return f"{error.type}: {said}" if error.type else said


def scores_of(payload: object) -> Sequence[object]:
    """The scores of a response, None where there is none."""
    results, _ = results_of(payload, None)
    return [one.get("aggregate_reward_score") if isinstance(one, Mapping) else None for one in results or []]

"""A rubric as custom metrics of Bedrock Evaluations: one metric a criterion, in the words of `create_evaluation_job`.

lead sentence -> the rubric's prompt, with references in place of values -> the criterion -> the values, last
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rftj_cli.cloud import Call, check
from rftj_cli.errors import InputError
from rftj_cli.kernel.asks import criteria_text
from rftj_cli.kernel.rubric import Criterion, Rubric
from rftj_cli.kernel.template import fence
from rftj_cli.reward.export_prompt import Literal, Slot

VARIABLES: Final[Mapping[str, str]] = {"prompt": "prompt", "response": "prediction", "reference": "ground_truth"}
LONGEST_TEXT, LONGEST_NAME, MOST_METRICS, MOST_LEVELS = 5_000, 63, 10, 10
LONGEST_LEVEL, MOST_WORDS = 100, 5
LEAD: Final = (
    "You judge a response of an AI model by one criterion. Read everything below, then choose exactly one of the "
    "criterion's levels."
)  # AWS wants a task of at least 15 words


@dataclass(frozen=True, slots=True)
class Metrics:
    """The JSON text, the metrics' names, and what stands in the way."""

    text: str
    metrics: tuple[str, ...]
    variables: Mapping[str, str]
    misfits: tuple[str, ...]
    lost: tuple[str, ...]
    notes: tuple[str, ...]


def evaluations(rubric: Rubric, parts: Sequence[Literal | Slot], evaluator: str | None) -> Metrics:
    """The custom metrics of a rubric. Raises `InputError` where no evaluator model is known."""
    model = _evaluator(rubric, evaluator)
    used = {one.name: VARIABLES[one.name] for one in parts if isinstance(one, Slot) and one.name in VARIABLES}
    definitions = [_definition(rubric, one, parts, used) for one in rubric.criteria]
    config = {
        "customMetrics": [{"customMetricDefinition": one} for one in definitions],
        "evaluatorModelConfig": {"bedrockEvaluatorModels": [{"modelIdentifier": model}]},
    }
    misfits = _misfits(rubric, definitions, parts)
    names = tuple(str(one["name"]) for one in definitions)
    if not misfits:
        check(example(config, names))
    text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
    return Metrics(text, names, used, tuple(misfits), tuple(_lost(rubric)), _notes(rubric, parts, names, model))


def example(config: Mapping[str, Any], metrics: Sequence[str]) -> Call:
    """An evaluation job with these metrics, for responses that exist already: the rest of it is a placeholder."""
    dataset = {"name": "samples", "datasetLocation": {"s3Uri": "s3://bucket/samples.jsonl"}}
    automated = {
        "datasetMetricConfigs": [{"taskType": "Custom", "dataset": dataset, "metricNames": list(metrics)}],
        "evaluatorModelConfig": config["evaluatorModelConfig"],
        "customMetricConfig": dict(config),
    }
    source = {"precomputedInferenceSource": {"inferenceSourceIdentifier": "samples"}}
    return Call(
        "bedrock",
        "create_evaluation_job",
        {
            "jobName": "rftj",
            "roleArn": "arn:aws:iam::123456789012:role/role",
            "evaluationConfig": {"automated": automated},
            "inferenceConfig": {"models": [source]},
            "outputDataConfig": {"s3Uri": "s3://bucket/out/"},
        },
    )


def _evaluator(rubric: Rubric, given: str | None) -> str:
    backend, _, model = rubric.judge.model.partition(":")
    found = given or (model if backend == "bedrock" else "")
    if not found:
        raise InputError(
            "the rubric's judge is not on Bedrock, so it cannot evaluate there",
            key="judge.model",
            found=rubric.judge.model,
            hint="name a model: --evaluator amazon.nova-pro-v1:0",
        )
    return found


def _definition(
    rubric: Rubric, criterion: Criterion, parts: Sequence[Literal | Slot], used: Mapping[str, str]
) -> dict[str, Any]:
    body = "".join(_written(one, criterion) for one in parts).strip()
    shown = any(isinstance(one, Slot) and one.name == "criteria" for one in parts)
    named = "" if shown else f"\n\nThe criterion:\n{criteria_text((criterion,))}"
    values = "\n".join(f"{_title(name)}:\n{fence(f'{{{{{variable}}}}}', name)}" for name, variable in used.items())
    return {
        "name": _name(rubric, criterion),
        "instructions": f"{LEAD}\n\n{body}{named}\n\n{values}",
        "ratingScale": [
            {"definition": level.name, "value": {"floatValue": level.value}} for level in criterion.scale.levels
        ],
    }


def _written(part: Literal | Slot, criterion: Criterion) -> str:
    """The values stand at the end, as AWS wants them: where the rubric has them there is a reference."""
    if isinstance(part, Literal):
        return part.text
    if part.name == "criteria":
        return criteria_text((criterion,))
    return "" if part.name == "answer_format" else f"(the {part.name}: see the end)"


def _title(name: str) -> str:
    return f"The {name}"


def _name(rubric: Rubric, criterion: Criterion) -> str:
    name = re.sub(r"[^0-9a-zA-Z_.-]", "-", f"{rubric.name}-{criterion.id}")
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _misfits(rubric: Rubric, definitions: Sequence[dict[str, Any]], parts: Sequence[Literal | Slot]) -> list[str]:
    found = []
    if len(definitions) > MOST_METRICS:
        found.append(f"{len(definitions)} criteria are {len(definitions)} metrics: at most {MOST_METRICS} fit one job")
    if len({one["name"] for one in definitions}) < len(definitions):
        found.append("two metrics would have one name")
    for one, criterion in zip(definitions, rubric.criteria, strict=True):
        length, levels = len(one["instructions"]), criterion.scale.names
        if length > LONGEST_TEXT:
            found.append(f"{criterion.id}: the prompt has {length:,} characters, at most {LONGEST_TEXT:,} fit")
        if len(levels) > MOST_LEVELS:
            found.append(f"{criterion.id}: {len(levels)} levels, at most {MOST_LEVELS} fit")
        long = [name for name in levels if len(name) > LONGEST_LEVEL or len(name.split()) > MOST_WORDS]
        if long:
            found.append(
                f"{criterion.id}: level {long[0]!r} has more than {MOST_WORDS} words or {LONGEST_LEVEL} letters"
            )
    texts = [one.text for one in parts if isinstance(one, Literal)] + [criteria_text(rubric.criteria)]
    if any("{{" in text for text in texts):
        found.append("the prompt holds {{ as text, which the service would read as a variable")
    return found


def _lost(rubric: Rubric) -> list[str]:
    found = [f"essential {one.id}: a metric like the others" for one in rubric.criteria if one.essential]
    found += [f"pitfall {one.id}: its high value is the bad one" for one in rubric.criteria if one.weight < 0]
    if len(rubric.criteria) > 1:
        weights = ", ".join(f"{one.id} {one.weight:g}" for one in rubric.criteria)
        found.append(f"weights: each criterion is a metric of its own; no reward is made of them ({weights})")
    return [*found, "reward: the range and `combine` are not applied: a metric is the level's value"]


def _notes(rubric: Rubric, parts: Sequence[Literal | Slot], metrics: Sequence[str], model: str) -> tuple[str, ...]:
    slots = {one.name for one in parts if isinstance(one, Slot)}
    found = [f"put the metrics' names into datasetMetricConfigs.metricNames too: {', '.join(metrics)}"]
    if "reference" in slots:
        found.append("the reference is {{ground_truth}}: the data set must have referenceResponse")
    if "answer_format" not in slots and (not rubric.asks_for_json or rubric.prompt.answer_format == "none"):
        found.append("the prompt says itself how to answer, and Bedrock adds its own instruction: take yours out")
    if "criteria" not in slots and len(rubric.criteria) > 1:
        found.append("the prompt names all criteria itself: every metric is asked with all of them")
    found.append(f"{model} must be one of the evaluator models of your region: the console lists them")
    if model.startswith(("openai.gpt-oss", "qwen.")):
        found.append("gpt-oss and Qwen were not among the evaluator models known in 2026-11")
    return (*found, "calibrate what is exported anew: it is another judge than the one that rftj measured")

"""Which JSON Schemas the services can hold a model to; they refuse the others before the model runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rftj_cli.testing.problems import Problem, invalid

_UNSUPPORTED: Final = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
)


def converse_schema_problem(body: Mapping[str, Any]) -> Problem | None:
    """What Bedrock refuses in the schemas of a request: that of the answer, and those of strict tools."""
    form = (body.get("outputConfig") or {}).get("textFormat")
    if form:
        try:
            schema = json.loads(form["structure"]["jsonSchema"]["schema"])
        except ValueError:
            return invalid("output_config.format.schema: the schema is not valid JSON.")
        for fault in faults_in(schema):
            return invalid(f"output_config.format.schema: {fault}")
    for tool in (body.get("toolConfig") or {}).get("tools") or ():
        spec = tool.get("toolSpec") or {}
        for fault in faults_in(spec["inputSchema"]["json"]) if spec.get("strict") else ():
            return invalid(f"tools.{spec['name']}.input_schema: {fault}")
    return None


def chat_schema_problem(body: Mapping[str, Any]) -> Problem | None:
    """What OpenAI refuses in the schemas that a request marks as strict; they must also require every property."""
    form = (body.get("response_format") or {}).get("json_schema") or {}
    strict = [("response_format", form.get("name"), form.get("schema"), form.get("strict"))]
    for index, tool in enumerate(body.get("tools") or ()):
        what = tool.get("function") or {}
        strict.append(
            (f"tools[{index}].function.parameters", what.get("name"), what.get("parameters"), what.get("strict"))
        )
    for param, name, schema, marked in strict:
        for fault in faults_in(schema, every_property=True) if marked else ():
            said = f"Invalid schema for {param.partition('[')[0]} '{name}': {fault}"
            return Problem(400, "invalid_json_schema", said, param)
    return None


def faults_in(schema: object, *, every_property: bool = False, at: str = "") -> Iterator[str]:
    """What cannot be held to in a schema, in sentences, each with its place."""
    if not isinstance(schema, Mapping):
        return
    where = f"In context={at or '/'}, "
    kind = schema.get("type")
    unsupported = [name for name in _UNSUPPORTED if name in schema]
    if schema.get("minItems", 0) not in (0, 1):
        unsupported.append("minItems")
    if unsupported:
        yield f"{where}for '{kind}' type, properties {', '.join(unsupported)} are not supported"
    properties = schema.get("properties") or {}
    if kind == "object" or properties:
        if schema.get("additionalProperties") is not False:
            yield f"{where}for 'object' type, 'additionalProperties' must be explicitly set to false"
        missing = sorted(set(properties) - set(schema.get("required") or ()))
        if every_property and missing:
            yield f"{where}'required' must include every key in properties. Missing '{missing[0]}'"
    for path, inner in _inner(schema):
        yield from faults_in(inner, every_property=every_property, at=f"{at}/{path}")


def _inner(schema: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for group in ("properties", "$defs", "definitions"):
        for name, inner in (schema.get(group) or {}).items():
            yield f"{group}/{name}", inner
    for group in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for index, inner in enumerate(schema.get(group) or ()):
            yield f"{group}/{index}", inner
    if "items" in schema:
        yield "items", schema["items"]

"""Whether a request is one that the service knows: Converse as botocore's own description of it says.

botocore is imported on first use: without Bedrock the fake service needs nothing but the standard library.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from rftj_cli.testing.problems import Problem, invalid
from rftj_cli.testing.schemas import chat_schema_problem, converse_schema_problem


@cache
def converse_operation() -> Any:
    """botocore's model of the operation Converse."""
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    described = Loader().load_service_model("bedrock-runtime", "service-2")
    return ServiceModel(described, "bedrock-runtime").operation_model("Converse")


@cache
def _validator() -> Any:
    from botocore.validate import ParamValidator

    return ParamValidator()


def converse_problem(body: Mapping[str, Any], model: str) -> Problem | None:
    """What Bedrock refuses in a body, naming the member; None for a body as it should be."""
    shape = converse_operation().input_shape
    report = _validator().validate({**body, "modelId": model}, shape)
    if report.has_errors():
        return invalid(" ".join(report.generate_report().split()))
    for fault in _beyond(body, shape, ""):
        return invalid(f"1 validation error detected: {fault}")
    for at, message in enumerate(body["messages"]):
        for index, block in enumerate(message["content"]):
            if "text" in block and not block["text"].strip():
                place = f"messages.{at}.content.{index}"
                return invalid(f"The text field in the ContentBlock object at {place} is blank.")
    return converse_schema_problem(body)


def _beyond(value: Any, shape: Any, at: str) -> Iterator[str]:
    """Enumerations and upper bounds, which botocore leaves to the service."""
    if shape.type_name == "structure" and isinstance(value, Mapping):
        if not getattr(shape, "is_document_type", False):
            for name, inner in value.items():
                yield from _beyond(inner, shape.members[name], f"{at}.{name}" if at else name)
    elif shape.type_name == "list":
        for index, inner in enumerate(value):
            yield from _beyond(inner, shape.member, f"{at}.{index}")
    elif enum := getattr(shape, "enum", None):
        if value not in enum:
            yield f"Value '{value}' at '{at}' failed to satisfy constraint: Member must satisfy enum value set: {enum}"
    elif "max" in shape.metadata:
        size = len(value) if isinstance(value, str) else value
        if size > shape.metadata["max"]:
            most = shape.metadata["max"]
            yield f"Value at '{at}' failed to satisfy constraint: Member must be less than or equal to {most}"


def chat_problem(body: Mapping[str, Any]) -> Problem | None:
    """What OpenAI refuses in a body, naming the parameter; None for a body as it should be."""
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        return Problem(400, "missing_required_parameter", "Missing required parameter: 'messages'.", "messages")
    return chat_schema_problem(body)

"""What Bedrock's errors mean, and what their words say that a model does not take."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from test_converse import LONG

from rftj_cli.kernel.dialect import Accepted, Learned
from rftj_cli.kernel.outcome import CallError
from rftj_cli.kernel.refusals import adapted, refused, refused_feature, retry_after

TEXT, SCHEMA, TOOL = Accepted(), Accepted("schema"), Accepted("tool")
PLAIN = Accepted("text", temperature=False, cache=False)


@pytest.mark.parametrize(
    ("status", "code", "stage", "retry", "fatal", "billed"),
    [
        (429, "ThrottlingException", "throttled", True, False, False),
        (429, "ModelNotReadyException", "throttled", True, False, False),
        (400, "ThrottlingException", "throttled", True, False, False),
        (408, "ModelTimeoutException", "timeout", True, False, None),
        (409, "ConflictException", "call", True, False, False),
        (413, "", "too_long", False, False, False),
        (424, "ModelErrorException", "call", True, False, None),
        (500, "InternalServerException", "call", True, False, None),
        (503, "ServiceUnavailableException", "call", True, False, None),
        (529, "", "call", True, False, None),
        (400, "ValidationException", "call", False, False, False),
        (401, "", "call", False, True, False),
        (403, "AccessDeniedException", "call", False, True, False),
        (403, "ExpiredTokenException", "call", False, True, False),
        (404, "ResourceNotFoundException", "call", False, True, False),
        (407, "", "call", False, True, False),
    ],
)
def test_every_status_has_its_meaning(
    status: int, code: str, stage: str, retry: bool, fatal: bool, billed: bool | None
) -> None:
    error = refused(status, code, "as asked", {})
    assert (error.stage, error.retry, error.fatal, error.billed) == (stage, retry, fatal, billed)
    assert bool(error.advice) == (not error.retry and error.stage == "call")
    assert "as asked" in error.reason


@pytest.mark.parametrize(
    "message",
    [
        "Input is too long for requested model.",
        "The model returned the following errors: prompt is too long: 210000 tokens > 200000 maximum",
        "Too many input tokens. Max input tokens: 8192, request input token count: 9000",
        "This model's maximum context length is 131072 tokens.",
    ],
)
def test_a_prompt_that_is_too_long_stops_only_itself(message: str) -> None:
    error = refused(400, "ValidationException", message, {})
    assert (error.fatal, error.retry) == (False, False)


@pytest.mark.parametrize(
    "message", ["The security token included in the request is expired", "Bearer Token has expired"]
)
def test_credentials_that_have_expired_are_named(message: str) -> None:
    error = refused(403, "AccessDeniedException", message, {})
    assert "renew" in error.advice
    assert message in error.reason


def test_no_secret_is_repeated() -> None:
    said = "The request signature we calculated does not match. Check your key AKIAIOSFODNN7EXAMPLE. "
    canonical = "The Canonical String for this request should have been\n'POST\nx-amz-security-token:abcdef'"
    error = refused(403, "InvalidSignatureException", f"{said}{canonical}; Bearer ABSKQmVkcm9jaw==", {})
    assert not any(secret in error.reason for secret in ("AKIAIO", "abcdef", "ABSKQ"))
    assert "ABSKQ" not in refused(403, "", "bad key ABSKQmVkcm9jaw== or Bearer xyzzy", {}).reason
    assert len(refused(400, "", "x" * 10_000, {}).reason) < 700


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"x-amz-retry-after": "1500"}, 1.5),
        ({"x-amz-retry-after": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Tue, 24 Nov 2026 00:00:10 GMT"}, 10.0),
        ({"retry-after": "Mon, 23 Nov 2026 00:00:00 GMT"}, 0.0),
        ({"retry-after": "Tue, 24 Nov 2026 00:00:10"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"x-amz-retry-after": "", "retry-after": "2"}, 2.0),
    ],
)
def test_both_headers_say_how_long_to_wait(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after(headers, datetime(2026, 11, 24, tzinfo=UTC)) == expected


@pytest.mark.parametrize(
    ("message", "used", "feature"),
    [
        ("`temperature` is deprecated for this model.", TEXT, "temperature"),
        (
            'The model returned the following errors: {"type":"error","request_id":"req_1","error":{"type":"x",'
            + '"message":"`temperature` is deprecated for this model."}}',
            SCHEMA,
            "temperature",
        ),
        (
            "Malformed input request: extraneous key [temperature] is not permitted, please reformat",
            TEXT,
            "temperature",
        ),
        ("The model returned the following errors: temperature: Extra inputs are not permitted", TEXT, "temperature"),
        (
            "This model doesn't support the inferenceConfig.temperature field. Remove it and try again.",
            TEXT,
            "temperature",
        ),
        ("Unsupported value: 'temperature' does not support 0 with this model.", TEXT, "temperature"),
        ("`temperature` may only be set to 1 when thinking is enabled.", TEXT, "temperature"),
        ("Value 2 at 'inferenceConfig.temperature' failed to satisfy constraint: must be <= 1", TEXT, None),
        ("`temperature` is deprecated for this model.", PLAIN, None),
        (
            "You invoked an unsupported model or your request did not allow prompt caching. See the documentation",
            SCHEMA,
            "cache",
        ),
        (
            "Malformed input request: #/messages/0/content/1: extraneous key [cachePoint] is not permitted",
            TEXT,
            "cache",
        ),
        ("Malformed input request: #/toolConfig/tools/0: extraneous key [cachePoint] is not permitted", TOOL, "cache"),
        ('Unknown parameter in system[1]: "cachePoint"', TEXT, "cache"),
        ("You invoked an unsupported model or your request did not allow prompt caching.", PLAIN, None),
        (
            "The model returned the following errors: output_config.format: Extra inputs are not permitted",
            SCHEMA,
            "structure",
        ),
        ("This model doesn't support the outputConfig.textFormat field. Remove it and try again.", SCHEMA, "structure"),
        ("Structured output is not supported for this model.", SCHEMA, "structure"),
        ("The model does not support response_format of type json_schema", SCHEMA, "structure"),
        ("Invalid schema: number of enum values exceeds the maximum allowed", SCHEMA, "structure"),
        ('Parameter validation failed: Unknown parameter in input: "outputConfig"', SCHEMA, "structure"),
        ("This model doesn't support tool use.", TOOL, "structure"),
        ("This model doesn't support tool use in streaming mode.", TOOL, "structure"),
        (
            "This model doesn't support the toolConfig.toolChoice.tool field. Remove toolConfig.toolChoice.tool and try",
            TOOL,
            "structure",
        ),
        ("Thinking may not be enabled when tool_choice forces tool use.", TOOL, "structure"),
        (
            "The model returned the following errors: tools.0.custom.input_schema: JSON schema is invalid",
            TOOL,
            "structure",
        ),
        ("This model doesn't support tool use.", TEXT, None),
        ("The provided model identifier is invalid.", SCHEMA, None),
        (
            "Invocation of model ID m with on-demand throughput isn't supported. Retry with an inference profile",
            TOOL,
            None,
        ),
        ("This model doesn't support system messages. Try again without a system message.", SCHEMA, None),
        ("The guardrail identifier or version provided in the request does not exist.", TOOL, None),
        (
            "User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: bedrock:InvokeModel",
            TOOL,
            None,
        ),
        ("Reservation not found.", SCHEMA, None),
    ],
)
def test_what_a_model_refuses_is_found_in_its_words(message: str, used: Accepted, feature: str | None) -> None:
    assert refused_feature(message, used) == feature


def said(message: str, status: int = 400, code: str = "ValidationException") -> CallError:
    return refused(status, code, message, {})


def test_a_refused_form_gives_way_to_the_next() -> None:
    learned = Learned("m", ("schema", "tool", "text"))
    for message, left in (("outputConfig is not supported", "tool"), ("This model doesn't support tool use.", "text")):
        error = adapted(said(message), LONG, learned.used_for(LONG), learned)
        assert (error.adapted, error.retry, error.fatal, error.billed) == (True, True, False, False)
        assert learned.now.structure == left
    assert not adapted(said("tools and schemas"), LONG, learned.used_for(LONG), learned).adapted


def test_a_refusal_counts_whatever_its_code_says() -> None:
    learned = Learned("m", ("text",))
    message = "You invoked an unsupported model or your request did not allow prompt caching."
    assert adapted(said(message, 403, "AccessDeniedException"), LONG, TEXT, learned).adapted
    assert not learned.now.cache
    too_long = said("The schema exceeds the maximum allowed complexity")
    assert adapted(too_long, LONG, SCHEMA, Learned("m", ("schema", "text"))).adapted


def test_a_form_that_the_rubric_fixes_is_not_given_up() -> None:
    learned = Learned("m", ("schema", "tool", "text"))
    request = replace(LONG, structure="schema")
    error = adapted(said("outputConfig is not supported"), request, learned.used_for(request), learned)
    assert (error.fatal, error.adapted) == (True, False)
    assert "judge.structure" in error.advice
    assert learned.now.structure == "schema"


def test_what_can_be_tried_again_is_no_refusal() -> None:
    learned = Learned("m", ("schema", "text"))
    error = said("the schema could not be compiled in time", 503, "ServiceUnavailableException")
    assert adapted(error, LONG, SCHEMA, learned) is error
    assert learned.now.structure == "schema"

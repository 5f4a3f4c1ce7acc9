"""Amazon Bedrock's Converse: the kernel's own backend, and the only file of the kernel that knows boto3.

    Request --build_converse--> dict --client.converse--> dict --read_converse--> Reply
                                          |
                                          +-- exception --failure--> CallError

One attempt a call: `kernel/retry.py` decides about another. Where no account is configured, `BedrockJudge` says so; it
never puts another judge in place of the one that was asked for.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rftj_cli.errors import InputError, listed
from rftj_cli.kernel.outcome import CallError, Reply, Request, Stop

PREFIX: Final = "bedrock:"
NO_CREDENTIALS: Final = (
    "Three ways on:\n"
    "  - configure AWS credentials (`aws configure`, `aws sso login`, AWS_PROFILE, a role), or set "
    "AWS_BEARER_TOKEN_BEDROCK to a Bedrock API key;\n"
    "  - use another judge: --set judge.model=openai:MODEL --base-url URL, or --set judge.model=local;\n"
    "  - replay recorded replies: --replay RUN"
)
_STOPS: Final[Mapping[str, Stop]] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "tool_use": "end",
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "max_tokens",
    "guardrail_intervened": "filtered",
    "content_filtered": "filtered",
    "refusal": "refused",
}
_THROTTLED: Final = frozenset({"ThrottlingException", "ModelNotReadyException", "TooManyRequestsException"})
_ADVICE: Final[Mapping[str, str]] = {
    "AccessDeniedException": "the role needs bedrock:InvokeModel on this model, and the account access to the model",
    "ExpiredTokenException": "the AWS credentials have expired: renew them (`aws sso login`, or a new session token)",
    "ExpiredToken": "the AWS credentials have expired: renew them (`aws sso login`, or a new session token)",
    "UnrecognizedClientException": "AWS does not know these credentials: check AWS_PROFILE and the access key",
    "InvalidSignatureException": "AWS refuses the signature: check the secret key and this machine's clock",
    "ResourceNotFoundException": "no such model in this region: check judge.model and --region",
    "ValidationException": "Bedrock refuses the request: check judge.model (some models can only be called through an "
    "inference profile such as us.MODEL or global.MODEL) and the judge's settings",
}
_REFUSES_TEMPERATURE: Final = re.compile(
    r"temperature.*(deprecated|unsupported|not\s+(be\s+)?(supported|accepted|allowed|permitted|specified)|"
    r"(does|do)(n't| not) (support|accept))|(unsupported|does(n't| not) support).*temperature",
    re.IGNORECASE | re.DOTALL,
)
_TOO_LONG: Final = re.compile(r"too long|too many (input )?tokens|context (window|length)|exceeds? the (maximum|max|limit)",
                              re.IGNORECASE)  # fmt: skip


def model_id(model: str) -> str:
    """The id or ARN that Bedrock knows: the model without rftj's `bedrock:`."""
    return model.removeprefix(PREFIX)


def build_converse(request: Request) -> dict[str, Any]:
    """The arguments of `client.converse`. Converse has no seed; an answer in JSON is asked for in the prompt's text."""
    config: dict[str, Any] = {"maxTokens": request.max_tokens}
    if request.temperature is not None:
        config["temperature"] = request.temperature
    call: dict[str, Any] = {
        "modelId": model_id(request.model),
        "messages": [{"role": "user", "content": [{"text": request.user}]}],
        "inferenceConfig": config,
    }
    if request.system:
        call["system"] = [{"text": request.system}]
    return call


def read_converse(response: object) -> Reply:
    """The reply in a Converse response.

    Raises a retryable `CallError` for a response without content: on a 200 with a malformed, empty or cut body botocore
    reports success with an empty result.
    """
    try:
        blocks = response["output"]["message"]["content"]  # type: ignore[index]
        stop = str(response["stopReason"])  # type: ignore[index]
        texts = [str(block["text"]) for block in blocks if "text" in block]
        reasons = [_reasoning(block["reasoningContent"]) for block in blocks if "reasoningContent" in block]
    except (KeyError, TypeError):
        raise CallError("call", "malformed response: no message in it", retry=True) from None
    if stop.startswith("malformed_"):
        raise CallError("call", f"the model's output was unusable (stop reason {stop})", retry=True)
    usage = response.get("usage") if isinstance(response, Mapping) else None
    usage = usage if isinstance(usage, Mapping) else {}
    return Reply(
        text="".join(texts),
        stop=_STOPS.get(stop, "end"),
        input_tokens=int(usage.get("inputTokens") or 0),
        output_tokens=int(usage.get("outputTokens") or 0),
        reasoning="\n".join(part for part in reasons if part),
    )


def _reasoning(block: Mapping[str, Any]) -> str:
    # Redacted reasoning has no text; it is billed all the same.
    return str(block.get("reasoningText", {}).get("text", ""))


class BedrockJudge:
    """A Bedrock model as a judge. Made once and called from up to `workers` threads; `timeout` in seconds.

    `region` overrides AWS_REGION and the profile's region. With `allow_regions`, a region outside of it is refused, and
    so is a `global.` profile, which may compute anywhere. Raises `InputError` where credentials or a region are missing.
    """

    def __init__(
        self,
        model: str,
        *,
        workers: int,
        region: str | None = None,
        allow_regions: Sequence[str] = (),
        timeout: float = 120.0,
    ) -> None:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        self.model = model_id(model)
        self.notes: tuple[str, ...] = ()
        try:
            # Of the two variables boto3 reads AWS_DEFAULT_REGION alone; every other tool reads AWS_REGION first.
            session = boto3.Session(region_name=region or os.environ.get("AWS_REGION") or None)
            self.region = _region(session.region_name, self.model, allow_regions)
            if not os.environ.get("AWS_BEARER_TOKEN_BEDROCK") and session.get_credentials() is None:
                raise InputError("no AWS credentials for the judge on Bedrock", key="judge.model", hint=NO_CREDENTIALS)
            config = Config(
                retries={"total_max_attempts": 1, "mode": "standard"},
                max_pool_connections=max(1, workers),  # 10 by default: more threads would wait for each other
                connect_timeout=min(10.0, timeout),
                read_timeout=timeout,
                disable_request_compression=True,
                user_agent_extra="rftj",
            )
            self._client = session.client("bedrock-runtime", region_name=self.region, config=config)
        except BotoCoreError as error:  # a profile that does not exist, a configuration file that cannot be read
            raise InputError(f"AWS cannot be set up: {error}", key="judge.model", hint=NO_CREDENTIALS) from None
        self._without_temperature = False

    def __call__(self, request: Request) -> Reply:
        call = build_converse(request)
        if self._without_temperature:
            call["inferenceConfig"].pop("temperature", None)
        started = time.monotonic()
        try:
            response = self._converse(call)
        except CallError as error:
            if "temperature" not in call["inferenceConfig"] or not _REFUSES_TEMPERATURE.search(error.reason):
                raise
            del call["inferenceConfig"]["temperature"]
            response = self._converse(call)
            self._leave_out_temperature()
        reply = read_converse(response)
        return Reply(
            reply.text, reply.stop, reply.input_tokens, reply.output_tokens, time.monotonic() - started, reply.reasoning
        )

    def _converse(self, call: dict[str, Any]) -> object:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return self._client.converse(**call)
        except (ClientError, BotoCoreError) as error:
            raise failure(error) from error

    def _leave_out_temperature(self) -> None:
        # Remembered once the model has answered without it: newer models refuse the parameter, and an ARN hides which.
        self._without_temperature = True
        self.notes = (f"{self.model} refuses `temperature`: it is called without one",)


def _region(found: str | None, model: str, allowed: Sequence[str]) -> str:
    if not found:
        raise InputError(
            "no AWS region for the judge on Bedrock",
            key="judge.model",
            hint="Give --region REGION, or set AWS_REGION, or a region in the AWS profile.",
        )
    if allowed and found not in allowed:
        raise InputError(
            "the AWS region is not one of judge.allow_regions",
            key="judge.allow_regions",
            found=found,
            expected=listed(list(allowed)),
        )
    if allowed and model.startswith("global."):
        raise InputError(
            "a global inference profile may compute in any region, which judge.allow_regions forbids",
            key="judge.model",
            found=model,
            hint="Name the profile of one geography, such as us. or eu., or the model itself.",
        )
    return found


def failure(error: Exception) -> CallError:
    """The `CallError` for an exception of botocore."""
    from botocore import exceptions as boto

    if isinstance(error, boto.ClientError):
        return _refused(error.response)
    text = " ".join(str(error).split())
    if isinstance(error, boto.ReadTimeoutError | boto.ConnectTimeoutError):
        return CallError("timeout", text, retry=True)
    if isinstance(error, boto.SSLError):
        return CallError("call", text, fatal=True, advice="check AWS_CA_BUNDLE and the proxy")
    if isinstance(error, boto.HTTPClientError | boto.ConnectionError) or type(error).__name__ == "ResponseParserError":
        return CallError("call", text, retry=True)
    advice = "check the AWS credentials and profile" if "redential" in text or "oken" in text else ""
    return CallError("call", text, fatal=True, advice=advice)


def _refused(response: Mapping[str, Any]) -> CallError:
    fault, meta = response.get("Error", {}), response.get("ResponseMetadata", {})
    code, status = str(fault.get("Code", "")), int(meta.get("HTTPStatusCode", 0))
    reason = f"{code}: {' '.join(str(fault.get('Message', '')).split())}".rstrip(": ")
    if status == 429 or code in _THROTTLED:
        return CallError("throttled", reason, retry=True, retry_after=_retry_after(meta.get("HTTPHeaders", {})))
    if status == 408 or code == "ModelTimeoutException":
        return CallError("timeout", reason, retry=True)
    if status in (409, 424) or status >= 500 or status == 200:
        return CallError("call", reason, retry=True, retry_after=_retry_after(meta.get("HTTPHeaders", {})))
    if code == "ValidationException" and _TOO_LONG.search(reason):
        return CallError("call", reason)  # this prompt's fault, not the run's
    return CallError("call", reason, fatal=True, advice=_ADVICE.get(code, "check judge.model and the AWS credentials"))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait: Retry-After in seconds, or AWS's own x-amz-retry-after in milliseconds."""
    for name, unit in (("x-amz-retry-after", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue
    return None

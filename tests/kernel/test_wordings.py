"""What services say of a prompt that they refuse, each in its own words."""

from __future__ import annotations

import json

import pytest

from rftj_cli.judges.refusals import refused as chat_refused
from rftj_cli.kernel.refusals import refused
from rftj_cli.kernel.wordings import stage_of

TOO_LONG = {
    "OpenAI": "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens. "
    "Please reduce the length of the messages.",
    "OpenAI, newer": "Your input exceeds the context window of this model. Please adjust your input and try again.",
    "OpenAI, configured": "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000.",
    "OpenAI, a minute's tokens": "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 31000.",
    "OpenAI, string": "Invalid 'messages[0].content': string too long. Expected a string with maximum length 1048576.",
    "Anthropic": "prompt is too long: 233153 tokens > 200000 maximum",
    "Anthropic, with output": "input length and `max_tokens` exceed context limit: 174167 + 64000 > 200000, decrease "
    "input length or `max_tokens` and try again",
    "Bedrock": "Input is too long for requested model.",
    "Nova": "The model returned the following errors: Input Tokens Exceeded: Number of input tokens exceeds maximum "
    "length. Please update the input to try again.",
    "Titan": "400 Bad Request: Too many input tokens. Max input tokens: 8192, request input token count: 9000",
    "Gemini": "The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).",
    "vLLM, old": "This model's maximum context length is 16384 tokens. However, you requested 122946 tokens (112946 in "
    "the messages, 10000 in the completion). Please reduce the length of the messages or completion.",
    "vLLM, fit": "The prompt (total length 25938) is too long to fit into the model (context length 4096). Make sure "
    "that `max_model_len` is no smaller than the number of text tokens plus multimodal tokens.",
    "vLLM": "The decoder prompt (length 9000) is longer than the maximum model length of 8192.",
    "vLLM, new": "You passed 98305 input tokens and requested 32768 output tokens. However, the model's context length "
    "is only 131072 tokens, resulting in a maximum input length of 98304 tokens. Please reduce the length of the input "
    "prompt. (parameter=input_tokens, value=98305)",
    "vLLM, output": "'max_tokens' or 'max_completion_tokens' is too large: 2000. This model's maximum context length is "
    "4096 tokens and your request has 2104 input tokens (2000 > 4096 - 2104).",
    "llama.cpp, old": "the request exceeds the available context size. try increasing the context size or enable "
    "context shift",
    "llama.cpp": "request (9412 tokens) exceeds the available context size (8192 tokens), try increasing it",
    "SGLang": "The input (210000 tokens) is longer than the model's context length (200000 tokens).",
    "SGLang, with output": "Requested token count exceeds the model's maximum context length of 131072 tokens.",
    "Mistral": "Prompt contains 300000 tokens and 0 draft tokens, too large for model with 131072 maximum context length",
    "Ollama": "prompt too long; exceeded max context length by 4096 tokens",
    "Ollama, older": "the input length exceeds the context length",
    "Together": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` tokens "
    "and 1024 `max_new_tokens`",
    "xAI": "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
    "DashScope": "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 98304]",
    "DeepInfra": "Requested input length 39818 exceeds maximum input length 32767",
    "NVIDIA": "Input length 704 exceeds maximum allowed token size 512",
    "Groq": "Please reduce the length of the messages or completion.",
    "MiniMax": "invalid params, context window exceeds limit",
    "Kimi": "Your request exceeded model token limit: 262144 (requested: 300000)",
    "LiteLLM": "litellm.ContextWindowExceededError: litellm.BadRequestError: prompt is too long: 210 tokens > 200 maximum",
}  # fmt: skip
FILTERED = {
    "Azure": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please "
    "modify your prompt and retry.",
    "LiteLLM": "litellm.BadRequestError: litellm.ContentPolicyViolationError: the response was filtered",
    "OpenAI": "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with "
    "a different prompt.",
    "OpenAI, older": "Your request was rejected as a result of our safety system.",
    "Bedrock, Claude": "The model returned the following errors: Output blocked by content filtering policy",
    "Bedrock, Titan": "This request has been blocked by our content filters. Please modify the prompt and try again.",
    "DashScope": "Input data may contain inappropriate content.",
}  # fmt: skip
NEITHER = [
    "Too many tokens, please wait before trying again.",
    "Too many requests, please wait before trying again.",
    "The maximum tokens you requested exceeds the model limit of 4096. Try again with a lower value.",
    "max_tokens is too large: 32768. This model supports at most 16384 completion tokens.",
    "The schema exceeds the maximum allowed complexity",
    "temperature: range: 0..1",
    "The provided model identifier is invalid.",
    "Input validation error: `max_new_tokens` must be <= 4096",
    "Rate limit exceeded: 10 requests a minute",
]


def chat(message: str, status: int = 400, **error: str) -> tuple[str, bool, bool]:
    fault = chat_refused(status, {}, json.dumps({"error": {"message": message, **error}}).encode())
    return fault.stage, fault.retry, fault.fatal


@pytest.mark.parametrize("message", TOO_LONG.values(), ids=TOO_LONG)
@pytest.mark.parametrize("status", [400, 422, 500])
def test_a_prompt_that_is_too_long_is_told_by_its_wording(message: str, status: int) -> None:
    assert chat(message, status) == ("too_long", False, False)
    assert refused(status, "ValidationException", message, {}).stage == "too_long"


@pytest.mark.parametrize("message", FILTERED.values(), ids=FILTERED)
@pytest.mark.parametrize("status", [400, 403, 502])
def test_a_filtered_prompt_is_told_by_its_wording(message: str, status: int) -> None:
    assert chat(message, status) == ("filtered", False, False)
    assert refused(status, "ValidationException", message, {}).stage == "filtered"


@pytest.mark.parametrize("message", NEITHER)
def test_what_is_not_about_the_prompt_is_neither(message: str) -> None:
    assert stage_of("", message) is None


@pytest.mark.parametrize(
    ("code", "stage"),
    [("content_filter", "filtered"), ("invalid_prompt", "filtered"), ("context_length_exceeded", "too_long"),
     ("exceed_context_size_error", "too_long")],
)  # fmt: skip
def test_a_code_says_it_whatever_the_wording(code: str, stage: str) -> None:
    assert chat("no", code=code)[0] == stage
    assert chat("no", type=code)[0] == stage


def test_a_body_that_is_too_large_is_a_prompt_that_is_too_long() -> None:
    assert chat("Request Entity Too Large", 413)[0] == "too_long"
    assert refused(413, "", "", {}).stage == "too_long"

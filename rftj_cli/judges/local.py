"""A model in this process, on this machine's processor: no account, no network.

`local` is the small model that `rftj local install` fetches. It has 135 million parameters and judges no better than
chance: it proves the path of a real model, and is no judge to rely on. `local:/path/model.gguf` is a model of the user's.

The answer is not sampled freely but weighed. The JSON is written here up to the place of a verdict, and each level is
then scored as the continuation of that text:

    prompt + {"quality": "  --> log p(fail") , log p(pass")  --renormalised--> probabilities, and the verdict
"""

from __future__ import annotations

import json
import math
import random
import secrets
import threading
import time
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from rftj_cli.errors import InputError
from rftj_cli.judges.install import SIZE, model_path
from rftj_cli.kernel.dialect import text_in
from rftj_cli.kernel.outcome import CallError, Reply, Request

CONTEXT: Final = 8192  # tokens: what the small model was trained with, and 0.2 GB of memory for it
REASON_TOKENS: Final = 160
_BIAS: Final = 100.0
_STRING: Final = r'root ::= ([^"\\\x00-\x1f] | "\\" ["\\/bfnrt])+ "\""'  # the rest of a JSON string


class LocalJudge:
    """A GGUF model as a judge: `local` or `local:PATH`. Calls are served one after the other: the processor is shared.

    The same request gives the same reply, whatever was asked before. A temperature above 0 draws the level from its
    probabilities, by seed and vote. Raises `InputError` where xllamacpp or the model's file is missing or unreadable.
    """

    def __init__(self, model: str = "local", *, workers: int = 1) -> None:
        del workers  # threads beyond the first wait; two at a time are no faster on two cores
        if find_spec("xllamacpp") is None:
            hint = "Run `pip install 'rftj[local]'`, then `rftj local install`."
            raise InputError("the local judge is not installed", key="judge.model", found=model, hint=hint)
        _, _, path = model.partition(":")
        self.model, self.bundled = model, not path
        file = Path(path).expanduser() if path else model_path()
        if not file.is_file() or (self.bundled and file.stat().st_size != SIZE):
            hint = "Run `rftj local install` once." if self.bundled else "`rftj local install` fetches a small model."
            raise InputError("the local model is not there", file=file, key="judge.model", hint=hint)
        self._engine = _engine(str(file.resolve()), self.bundled)

    def __call__(self, request: Request) -> Reply:
        started = time.monotonic()
        with self._engine.lock:
            talk = _Talk(self._engine, request)
            if request.json:
                text, probabilities, stop = *self._weigh(talk, request), "end"
            else:
                text, stop = talk.free(request)
                probabilities = None
        return Reply(
            text,
            "max_tokens" if stop == "length" else "end",
            talk.input_tokens,
            talk.output_tokens,
            time.monotonic() - started,
            probabilities=probabilities,
        )

    def _weigh(self, talk: _Talk, request: Request) -> tuple[str, dict[str, dict[str, float]]]:
        reason = "none" if self.bundled else request.reason  # the small model has none to give
        probabilities: dict[str, dict[str, float]] = {}
        text = "{"
        for criterion, levels in request.answers.items():
            text += (", " if probabilities else "") + json.dumps(criterion, ensure_ascii=False) + ": "
            if reason == "before":
                text = talk.reason(text + '{"reason": "') + ', "level": '
            elif reason == "after":
                text += '{"level": '
            probabilities[criterion] = talk.weigh(text + '"', levels)
            chosen = _choice(probabilities[criterion], request, criterion)
            text += json.dumps(chosen, ensure_ascii=False)
            if reason == "after":
                text = talk.reason(text + ', "reason": "')
            text += "" if reason == "none" else "}"
        return text + "}", probabilities


class _Talk:
    """One request's conversation with the model: its prompt, and the answer as far as it is written."""

    def __init__(self, engine: _Engine, request: Request) -> None:
        self._engine = engine
        self._messages = [{"role": "system", "content": request.system}] if request.system else []
        said = (*request.turns, ("user", request.user))
        self._messages += [{"role": role, "content": text} for role, text in said]
        self._seed = 0 if request.seed is None else request.seed
        self.input_tokens = self.output_tokens = 0

    def weigh(self, text: str, levels: tuple[str, ...]) -> dict[str, float]:
        """The probability of each level as the continuation of `text`, among these levels. Sums to 1."""
        # The prompt is read before the levels are weighed, so that each level meets the same state of the cache.
        self._ask(text, max_tokens=1)
        scores = [self._log_probability(text, json.dumps(level, ensure_ascii=False)[1:]) for level in levels]
        top = max(scores)
        weights = [math.exp(score - top) for score in scores]
        total = sum(weights)
        return {level: weight / total for level, weight in zip(levels, weights, strict=True)}

    def _log_probability(self, text: str, ending: str) -> float:
        # The grammar forces the level and its closing quote (without which `pass` would weigh what `passable` does).
        # Alone it would take the likeliest token that fits, letter by letter: the bias holds the model to the usual
        # tokens of the word, while the probabilities reported are those from before grammar and bias. What is left out
        # are other ways to cut the level into tokens, which a trained model hardly uses.
        answer = self._ask(
            text,
            max_tokens=4 + 4 * len(ending),
            grammar=f"root ::= {json.dumps(ending, ensure_ascii=False)}",
            logit_bias=[[ending[:-1], _BIAS]],
            logprobs=True,
            top_logprobs=1,
        )
        tokens = [token for token in answer["logprobs"]["content"] if token["bytes"]]  # the end mark has none
        if "".join(token["token"] for token in tokens) != ending:
            raise CallError("call", f"the local model did not write the level {ending[:-1]!r}")
        return sum(max(-1e4, float(token["logprob"])) for token in tokens)

    def reason(self, text: str) -> str:
        """`text` with the JSON string that it ends in written to its end."""
        written = text_in(self._ask(text, max_tokens=REASON_TOKENS, grammar=_STRING)["message"]["content"])
        written = written.removeprefix(text)
        while written:  # cut at the limit it lacks its quote, and may end inside of an escape
            try:
                return text + json.dumps(json.loads(f'"{written.removesuffix(chr(34))}"'), ensure_ascii=False)[1:]
            except ValueError:
                written = written[:-1]
        return text + '"'

    def free(self, request: Request) -> tuple[str, str]:
        """An answer that is no JSON, and why it ended."""
        warm: dict[str, Any] = {"temperature": request.temperature or 0.0, "seed": self._seed + request.vote}
        answer = self._ask(None, max_tokens=request.max_tokens, **warm)
        return text_in(answer["message"]["content"]), text_in(answer["finish_reason"])

    def _ask(self, text: str | None, **options: Any) -> dict[str, Any]:
        prefill = [] if text is None else [{"role": "assistant", "content": text}]
        body = {"temperature": 0.0, "seed": self._seed, **options, "messages": self._messages + prefill}
        response = self._engine.chat(body)
        usage = response.get("usage", {})
        self.input_tokens = self.input_tokens or int(usage.get("prompt_tokens", 0))
        self.output_tokens += int(usage.get("completion_tokens", 0))
        choice: dict[str, Any] = response["choices"][0]
        return choice


class _Engine:
    """A loaded model. llama.cpp reuses what two prompts in a row have in common, so a rubric's text is read once."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.lock = threading.Lock()

    def chat(self, body: Mapping[str, Any]) -> dict[str, Any]:
        response: dict[str, Any] = self._server.handle_chat_completions(dict(body))
        fault = response.get("error")
        if not fault:
            return response
        if fault.get("type") == "exceed_context_size_error":
            found, most = fault.get("n_prompt_tokens"), fault.get("n_ctx")
            raise CallError("call", f"the prompt has {found} tokens, more than the local model's context of {most}")
        raise CallError("call", f"local model: {fault.get('message', fault)}")


@lru_cache(maxsize=1)  # one model in memory
def _engine(path: str, bundled: bool) -> _Engine:
    library = import_module("xllamacpp")
    try:
        return _Engine(library.Server(_parameters(library, path, bundled)))
    except RuntimeError as error:
        raise InputError("the local model cannot be loaded: is it a GGUF file?", file=path, found=str(error)) from None


def _parameters(library: Any, path: str, bundled: bool) -> Any:
    parameters = library.CommonParams()
    parameters.model.path = path
    parameters.n_ctx, parameters.n_parallel, parameters.n_ubatch = CONTEXT, 1, 256
    parameters.verbosity = -1  # it writes to stderr, under progress bars and JSON
    parameters.enable_reasoning = 0  # a model that thinks first cannot continue a text that is given
    parameters.fit_params = parameters.warmup = False
    parameters.cache_ram_mib = 0  # 8 GB by default
    # The same reply whatever stands in the cache: these two give each token's row the same arithmetic in a batch of any
    # size. Flash attention alone moves a level's log-probability by 0.1 with the length of the part that was cached.
    parameters.flash_attn_type = library.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    parameters.no_extra_bufts = True
    if bundled:
        parameters.n_gpu_layers = 0
    # The library opens a port on the loopback, unasked and for everybody; it cannot be closed, but locked.
    parameters.api_keys = [secrets.token_hex(32)]
    parameters.ui = parameters.endpoint_slots = parameters.endpoint_props = False
    return parameters


def _choice(probabilities: Mapping[str, float], request: Request, criterion: str) -> str:
    if not request.temperature:
        return max(probabilities, key=lambda level: probabilities[level])
    draw = random.Random(f"{request.seed}:{request.vote}:{criterion}:{request.user}")
    weights = [probability ** (1 / request.temperature) for probability in probabilities.values()]
    return draw.choices(list(probabilities), weights)[0]

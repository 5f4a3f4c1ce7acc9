"""What an invocation gives: the response or the error, in the words of AWS Lambda, with times, memory and logs."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Final

from rftj_cli.reward.local.settings import MOST_PAYLOAD

UNHANDLED: Final = "Unhandled"
_DEEPEST: Final = 100
_TOO_DEEP: Final = "it is nested too deeply"


@dataclass(frozen=True, slots=True)
class FunctionError:
    """A failed function, as Lambda reports it: `kind` is the header X-Amz-Function-Error."""

    type: str
    message: str
    stack_trace: tuple[str, ...] = ()
    kind: str = UNHANDLED


@dataclass(frozen=True, slots=True)
class Invocation:
    """One invocation. `raw` is the payload that Lambda returns: the response, or the error as JSON.

    `payload` is None where the response is `null`, where it is no JSON (`not_json` says why), and after an error. Times in
    seconds; `init_s` is 0 for a warm invocation, and for one whose initialisation ran within its own time.
    """

    request_id: str
    payload: Any
    raw: bytes
    error: FunctionError | None
    cold: bool
    init_s: float
    duration_s: float
    max_memory_mb: int
    logs: tuple[str, ...]
    not_json: str | None = None

    @property
    def billed_ms(self) -> int:
        """What AWS would bill: initialisation and duration, rounded up to a millisecond."""
        return math.ceil((self.init_s + self.duration_s) * 1000)


def parsed(raw: bytes) -> tuple[Any, str | None]:
    """The value of a response, and why there is none."""
    try:
        value = json.loads(raw.decode(), parse_constant=no_constant, parse_float=_finite)
        return (None, _TOO_DEEP) if _is_deep(value) else (value, None)
    except UnicodeDecodeError:
        return None, "it is not UTF-8"
    except RecursionError:
        return None, _TOO_DEEP
    except ValueError as error:
        return None, str(error)


def _is_deep(value: Any) -> bool:
    """Whether lists and objects are nested beyond what can be written again."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            child
            for one in level
            for child in (one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def no_constant(name: str) -> Any:
    """Refuse NaN and the infinities, which Python would read."""
    raise ValueError(f"{name} is no number in JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:40]} is larger than any number of Python")
    return value


def reported(raw: bytes) -> FunctionError:
    """The error that the runtime client posted."""
    value, _ = parsed(raw)
    if not isinstance(value, dict):
        return FunctionError("Runtime.Unknown", raw.decode("utf-8", "replace")[:1000])
    trace = value.get("stackTrace")
    return FunctionError(
        _text(value.get("errorType", "")),
        _text(value.get("errorMessage", "")),
        tuple(_text(line) for line in trace) if isinstance(trace, list) else (),
    )


def _text(value: object) -> str:
    """A text without halves of surrogate pairs, which could not be written anywhere."""
    return str(value).encode("utf-8", "replace").decode()


def as_json(error: FunctionError) -> bytes:
    """The payload for an error that Lambda itself found."""
    return json.dumps({"errorType": error.type, "errorMessage": error.message}, ensure_ascii=False).encode()


def timed_out(request_id: str, timeout: float) -> FunctionError:
    """The function did not answer in time."""
    return FunctionError(
        "Sandbox.Timedout", f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
    )


def exited(request_id: str, code: int | None, *, out_of_memory: bool) -> FunctionError:
    """The process ended by itself, or was ended because of its memory."""
    if out_of_memory or (code is not None and code < 0):
        name = "killed" if out_of_memory else _SIGNALS.get(-(code or 0), str(-(code or 0)))
        how = f"exited with error: signal: {name}"
    else:
        how = f"exited with error: exit status {code}" if code else "exited without providing a reason"
    return FunctionError("Runtime.ExitError", f"RequestId: {request_id} Error: Runtime {how}")


def too_large(size: int) -> FunctionError:
    """The response does not fit."""
    return FunctionError(
        "Function.ResponseSizeTooLarge",
        f"Response payload size ({size} bytes) exceeded maximum allowed payload size ({MOST_PAYLOAD} bytes).",
    )


_SIGNALS: Final = {  # in Go's words, which are Lambda's
    4: "illegal instruction", 6: "aborted", 7: "bus error", 8: "floating point exception", 9: "killed",
    11: "segmentation fault", 15: "terminated",
}  # fmt: skip

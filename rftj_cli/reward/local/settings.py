"""What a function is given to run with: limits, and environment variables made from nothing, as Lambda's are."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rftj_cli.errors import InputError

MOST_PAYLOAD: Final = 6_291_456  # bytes of a request or response of a synchronous invocation
LONGEST_INIT: Final = 10.0  # seconds; then Lambda initialises again, within the function's own time
MOST_LOG: Final = 4 << 20  # bytes of log that an invocation keeps
MOST_VARIABLES: Final = 4096  # bytes
REGION: Final = "us-east-1"
NAME: Final = "rftj-local"
# Where Lambda has a zip and its own packages: they stand in errors and logs for folders that are gone when these are read.
TASK_ROOT: Final = "/var/task"
RUNTIME: Final = "/var/runtime"
_PASSED: Final = re.compile(
    r"AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|BEARER_TOKEN_BEDROCK|PROFILE|CONFIG_FILE|SHARED_CREDENTIALS_FILE"
    r"|ROLE_ARN|ROLE_SESSION_NAME|WEB_IDENTITY_TOKEN_FILE|CONTAINER_\w+|CA_BUNDLE|REGION|DEFAULT_REGION|ENDPOINT_URL\w*"
    r"|IGNORE_CONFIGURED_ENDPOINT_URLS|EC2_METADATA_\w+|USE_FIPS_ENDPOINT|USE_DUALSTACK_ENDPOINT)"
    r"|HOME|https?_proxy|HTTPS?_PROXY|no_proxy|NO_PROXY|SSL_CERT_FILE|SSL_CERT_DIR"
)
_RESERVED: Final = re.compile(r"_HANDLER|_X_AMZN_TRACE_ID|_LAMBDA_\w+|LAMBDA_\w+|AWS_LAMBDA_\w+|AWS_EXECUTION_ENV")
_VARIABLE: Final = re.compile(r"[a-zA-Z]\w+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that an invocation may take, MB of memory, and invocations at the same time, each in its own environment."""

    timeout: float = 60.0
    memory: int = 512
    concurrency: int = 1
    init: float = LONGEST_INIT

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("timeout", self.timeout, 0.01, 900),
            ("memory", self.memory, 128, 10_240),
            ("concurrency", self.concurrency, 1, 1_000),
            ("init", self.init, 0.01, 900),
        ):
            if not (math.isfinite(value) and low <= value <= high):
                raise InputError(f"out of Lambda's limits: {name}", found=value, expected=f"{low:g} to {high:,}")


def checked(given: Mapping[str, str]) -> dict[str, str]:
    """The caller's variables, if Lambda would take them."""
    for name, value in given.items():
        if _RESERVED.fullmatch(name):
            raise InputError("Lambda sets this environment variable itself", found=name)
        if not _VARIABLE.fullmatch(name):
            raise InputError(
                "not a name of an environment variable in Lambda", found=name,
                expected="two or more letters, digits or _, a letter first",
            )  # fmt: skip
        if "\0" in value or any(0xD800 <= ord(c) <= 0xDFFF for c in value):
            raise InputError("the value of an environment variable is no text", key=name)
    size = len(json.dumps(dict(given), ensure_ascii=False, separators=(",", ":")).encode())
    if size > MOST_VARIABLES:
        raise InputError(
            "more environment variables than Lambda takes",
            found=f"{size:,} bytes",
            expected=f"{MOST_VARIABLES:,} at most",
        )
    return dict(given)


def variables(
    given: Mapping[str, str], limits: Limits, handler: str, task: Path, around: Mapping[str, str], *, credentials: bool
) -> dict[str, str]:
    """The environment of every process of a function, but for its Runtime API and its folder for temporary files.

    `around` is this process's own environment: nothing of it is handed on but, with `credentials`, what reaches AWS. Without
    them no account of this machine can be found: neither files nor instance metadata are looked at.
    """
    nowhere = str(task.parent / "no-account")
    unreachable = {
        "AWS_CONFIG_FILE": nowhere, "AWS_SHARED_CREDENTIALS_FILE": nowhere, "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    passed = {name: value for name, value in around.items() if _PASSED.fullmatch(name)} if credentials else unreachable
    region = next(
        (one[name] for one in (given, passed) for name in ("AWS_REGION", "AWS_DEFAULT_REGION") if one.get(name)), REGION
    )
    libraries = {name: around[name] for name in ("LD_LIBRARY_PATH",) if name in around}  # the interpreter may need them
    return {
        **libraries,
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TZ": ":UTC",
        **passed,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        **given,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info[0]}.{sys.version_info[1]}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(limits.memory),
        "AWS_LAMBDA_FUNCTION_NAME": NAME,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{NAME}",
        "LAMBDA_TASK_ROOT": str(task),
        "_HANDLER": handler,
    }

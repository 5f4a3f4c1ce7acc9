"""Amazon Bedrock's Converse: who calls it, where it stands, and the calls. The only file of the kernel that knows boto3.

    Access (credentials, region, URL) --+-- ConverseDialect --> HttpJudge over a transport of ours
                                        +-- BotoJudge: the same requests through boto3

One attempt a call: `kernel/retry.py` decides about another. Where no account is configured, `Access` says so; another
judge is never put in place of the one that was asked for.
"""

from __future__ import annotations

import ipaddress
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

from rftj_cli.errors import InputError
from rftj_cli.kernel.converse import FORMS, ConverseDialect, build_converse, model_id, read_converse, used_for
from rftj_cli.kernel.dialect import Learned, unusable
from rftj_cli.kernel.outcome import CallError, Reply, Request
from rftj_cli.kernel.refusals import LONGEST, adapted, refused
from rftj_cli.kernel.regions import check_profile, check_region, is_profile, unverified
from rftj_cli.kernel.retry import time_left
from rftj_cli.kernel.rubric import JudgeSettings
from rftj_cli.kernel.secrets import keep, read_url, redacted_error
from rftj_cli.kernel.sigv4 import CONTENT_TYPE, Signer
from rftj_cli.kernel.trust import Trust, read_by_boto3

__all__ = ["Access", "BotoJudge", "ConverseDialect"]

BEARER: Final = "AWS_BEARER_TOKEN_BEDROCK"
ENDPOINT: Final = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"
HOST: Final = "http(s)://HOST:PORT, there, in AWS_ENDPOINT_URL or as endpoint_url in the AWS profile"
ASKED: Final = (
    5  # times where a profile computes: all environments of a function ask at once, and few are served a second
)
SLACK: Final = 0.5  # seconds that boto3 gets beyond a call's time, to say itself what went wrong
NO_CREDENTIALS: Final = (
    "Three ways on:\n"
    "  - configure AWS credentials (`aws configure`, `aws sso login`, AWS_PROFILE, a role), or set "
    "AWS_BEARER_TOKEN_BEDROCK to a Bedrock API key;\n"
    "  - use another judge: --set judge.model=openai:MODEL --base-url URL, or --set judge.model=local;\n"
    "  - replay recorded replies: --replay RUN"
)
_RENEW: Final = "check the AWS credentials and profile, or renew them (`aws sso login`)"


class Access:
    """Credentials, region and URL for one model, as botocore finds them. `timeout` in seconds.

    `region` overrides AWS_REGION and the profile's region. With `allow_regions` nothing may compute elsewhere: AWS is
    asked where an inference profile does. Raises `InputError` where something is missing or not allowed.
    """

    def __init__(
        self, model: str, *, region: str | None = None, allow_regions: Sequence[str] = (), timeout: float = 120.0
    ) -> None:
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session

        self.model, self.timeout = model_id(model), timeout
        self._bearer = _printable(os.environ.get(BEARER, "").strip())
        keep(self._bearer)
        self._signing: tuple[object, Signer] | None = None
        try:
            self._session = Session()
            # Of the two variables botocore reads AWS_DEFAULT_REGION alone; every other tool reads AWS_REGION first.
            found = region or os.environ.get("AWS_REGION") or self._session.get_config_variable("region")
            self.region = check_region(found, self.model, allow_regions)
            self._credentials = None if self._bearer else self._session.get_credentials()
            if not self._bearer and self._credentials is None:
                raise InputError("no AWS credentials for the judge on Bedrock", key="judge.model", hint=NO_CREDENTIALS)
            self.note()
            self.url, self._signing_region = self._located()
            read_url(self.url, ENDPOINT, HOST)
            if allow_regions and is_profile(self.model, self.region, allow_regions):
                check_profile(self.model, self._regions_of_profile(), allow_regions)
        except BotoCoreError as error:  # a profile that does not exist
            said = failure(error).reason
            raise InputError(f"AWS cannot be set up: {said}", key="judge.model", hint=NO_CREDENTIALS) from None
        except ValueError:  # botocore quotes the URL, login included
            raise InputError("AWS cannot be set up: its endpoint is not a URL", key=ENDPOINT, expected=HOST) from None
        if self._bearer and not _is_private(self.url):
            raise InputError(
                "a Bedrock API key is sent over https alone", key=BEARER, found=urlsplit(self.url).hostname
            )

    def __repr__(self) -> str:
        return f"Access({self.model!r}, region={self.region!r})"

    def headers(self, url: str, body: bytes) -> dict[str, str]:
        """The headers of one POST, signed now or with the API key. Raises a fatal `CallError` without credentials."""
        if self._bearer:
            found = {"Content-Type": CONTENT_TYPE, "Authorization": f"Bearer {self._bearer}"}
        else:
            found = self._signer().headers(url, body, datetime.now(UTC))
        return {**found, "Accept": CONTENT_TYPE, "User-Agent": "rftj"}

    def client(self, service: str, **settings: Any) -> Any:
        """A client of boto3's own making, in this region; a judge's call is one attempt."""
        from botocore.config import Config

        if not self._bearer:
            settings.setdefault("signature_version", "v4")  # else an empty variable would count as an API key
        config = Config(
            retries={"total_max_attempts": ASKED if service == "bedrock" else 1, "mode": "standard"},
            connect_timeout=min(10.0, self.timeout),
            disable_request_compression=True,
            user_agent_extra="rftj",
            **settings,
        )
        return self._session.create_client(service, region_name=self.region, config=config)

    def _frozen(self) -> Any:
        """The credentials of this moment: roles and sessions are renewed while a run goes on."""
        assert self._credentials is not None
        try:
            return self._credentials.get_frozen_credentials()
        except Exception as error:  # noqa: BLE001 - whatever a provider raises: it may be a process or a plug-in
            raise _unrenewed(error) from None

    def note(self) -> None:
        """Take note of the credentials of this moment as secrets."""
        if self._credentials is not None:
            with suppress(CallError):  # then there is nothing to hide
                keep(*self._frozen()[:3])

    def _signer(self) -> Signer:
        frozen, signing = self._frozen(), self._signing
        if signing is None or signing[0] != frozen:
            keep(*frozen[:3])
            signing = (frozen, Signer(frozen.access_key, frozen.secret_key, frozen.token, self._signing_region))
            self._signing = signing
        return signing[1]

    def _located(self) -> tuple[str, str]:
        """The URL that botocore would call, from the call itself: it is stopped before anything is sent."""
        from botocore import UNSIGNED

        class Stopped(Exception):
            pass

        def stop(request: Any, **_: object) -> NoReturn:
            raise Stopped(request.url)

        client = self.client("bedrock-runtime", signature_version=UNSIGNED)
        client.meta.events.register_first("before-send.bedrock-runtime.Converse", stop)
        try:
            client.converse(modelId=self.model, messages=[{"role": "user", "content": [{"text": "."}]}])
        except Stopped as stopped:
            return str(stopped), str(client.meta.region_name)
        raise AssertionError("botocore has sent nothing")

    def _regions_of_profile(self) -> list[str]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            found = self.client("bedrock", read_timeout=min(10.0, self.timeout)).get_inference_profile(
                inferenceProfileIdentifier=self.model
            )
        except (ClientError, BotoCoreError) as error:
            raise unverified(self.model, failure(error).reason) from None
        models = found.get("models") or []
        return [arn for model in models if isinstance(arn := model.get("modelArn"), str)]


def _printable(key: str) -> str:
    if not key.isascii() or not key.isprintable():
        raise InputError("the API key holds characters that no key has", key=BEARER)
    return key


def _is_private(url: str) -> bool:
    """Whether nobody on the way can read what is sent: TLS, or this machine itself."""
    parts = urlsplit(url)
    try:
        local = parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        local = False
    return parts.scheme == "https" or local


class BotoJudge:
    """Converse through boto3, with the same requests, replies and errors. Called from up to `workers` threads.

    A call is bounded as a whole, though boto3 bounds only each receive: it runs in a thread of its own, which is waited
    for no longer than the call may take. An overdue one is abandoned with its connection and ends when botocore does.
    """

    def __init__(
        self,
        access: Access,
        settings: JudgeSettings,
        *,
        workers: int,
        timeout: float = 120.0,
        known: Mapping[str, Any] | None = None,
    ) -> None:
        self.access, self.timeout, self._tier, self._cache = access, timeout, settings.tier, settings.cache == "auto"
        self.learned = Learned(access.model, FORMS, known)
        self._trust = Trust()
        # 10 connections by default: more threads would wait for each other
        self._client = access.client("bedrock-runtime", max_pool_connections=max(1, workers), read_timeout=timeout)

    def __call__(self, request: Request) -> Reply:
        used = used_for(request, self.learned, cache=self._cache)
        call = build_converse(request, used, cache=self._cache, tier=self._tier)
        alone = self._trust.careful
        if alone:
            self._client.close()  # its connections; the next call opens a new one
        started = time.monotonic()
        try:
            response = _within(
                time_left(self.timeout), lambda: self._client.converse(modelId=self.access.model, **call)
            )
        except CallError:
            raise
        except Exception as error:  # noqa: BLE001 - botocore's parser lets through whatever it trips over
            self.access.note()
            raise adapted(failure(error), request, used, self.learned) from None
        seconds = time.monotonic() - started
        if (doubt := self._trust.doubt("", read_by_boto3(response, seconds), fresh=alone)) is not None:
            raise doubt
        return read_converse(response, used.structure, seconds)


def _within(seconds: float, call: Callable[[], object]) -> object:
    """What the call returns or raises; `CallError` where it takes too long."""
    box: queue.SimpleQueue[tuple[object, Exception | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            box.put((call(), None))
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits
            box.put((None, error))

    threading.Thread(target=run, name="rftj-boto3", daemon=True).start()
    try:
        value, error = box.get(timeout=seconds + SLACK)
    except queue.Empty:
        raise CallError("timeout", f"no whole answer in {seconds:.3g} s", retry=True, billed=None) from None
    if error is not None:
        raise error
    return value


def _unrenewed(error: Exception) -> CallError:
    """The error for credentials that cannot be had. Only what botocore itself says is repeated of it."""
    from botocore.exceptions import BotoCoreError, ClientError

    known = isinstance(error, BotoCoreError | ClientError)
    fault = failure(error) if known else CallError("call", type(error).__name__, fatal=True)
    reason = f"no AWS credentials: {fault.reason}"
    return CallError("call", reason, retry=fault.retry, fatal=not fault.retry, advice="" if fault.retry else _RENEW)


def failure(error: Exception) -> CallError:
    """The `CallError` for what comes out of botocore, without the secrets that it may quote."""
    from botocore import exceptions as boto

    if isinstance(error, boto.ClientError):
        fault, meta = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
        code, said = (one if isinstance(one, str) else "" for one in (fault.get("Code"), fault.get("Message")))
        status, headers = int(meta.get("HTTPStatusCode", 0)), meta.get("HTTPHeaders", {})
        return refused(status, "" if code.isdigit() else code, said, headers)
    if not isinstance(error, boto.BotoCoreError):
        # Its parser trips over a body of another shape with whatever Python raises (or ResponseParserError).
        return unusable(f"malformed response: boto3 cannot read it ({type(error).__name__})")
    text = redacted_error(" ".join(str(error).split()))[:LONGEST]
    if isinstance(error, boto.ParamValidationError):  # an older botocore does not know all parameters
        text = text.partition(", must be one of")[0]
        return CallError("call", text, fatal=True, advice="a newer boto3 may know it: pip install -U boto3")
    if isinstance(error, boto.ReadTimeoutError | boto.ConnectTimeoutError):
        unknown = isinstance(error, boto.ReadTimeoutError)
        return CallError("timeout", text, retry=True, billed=None if unknown else False)
    if isinstance(error, boto.SSLError):
        return CallError("call", text, fatal=True, advice="check AWS_CA_BUNDLE and the proxy")
    if isinstance(error, boto.HTTPClientError | boto.ConnectionError):
        return CallError("call", text, retry=True, billed=False if isinstance(error, boto.ConnectionError) else None)
    if isinstance(error, boto.CredentialRetrievalError):  # it quotes what a process has written
        text = f"no credentials from {error.kwargs.get('provider', 'their provider')}"
    advice = "check the AWS credentials and profile" if "redential" in text or "oken" in text else ""
    return CallError("call", text, fatal=True, advice=advice)

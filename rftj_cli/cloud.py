"""The one door to AWS outside of the judge's calls: a call is data, is checked by botocore's own models, and is made here.

    Call --check--> parameters that AWS knows        Call --Cloud--> answer | CloudError

Nothing is sent by `check`: a plan can be shown and validated on a machine without credentials.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from rftj_cli.errors import CannotTell, InputError
from rftj_cli.kernel.secrets import keep, redacted_error

NO_CREDENTIALS: Final = "configure AWS credentials (`aws configure`, `aws sso login`, AWS_PROFILE, a role)"
NO_REGION: Final = "give --region REGION, or set AWS_REGION, or a region in the AWS profile"
HOST: Final = "http(s)://HOST:PORT, there, in AWS_ENDPOINT_URL or as endpoint_url in the AWS profile"
_FUNCTION: Final = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:([a-z]{2}(?:-gov)?-[a-z]+-\d):(\d{12}):function:([\w-]+)(?::([\w-]+|\$LATEST))?",
    re.ASCII,
)
_BUSY: Final = ("ThrottlingException", "TooManyRequestsException", "Throttling")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an AWS service: `Call("lambda", "get_function", {"FunctionName": ...})`, names as boto3 has them."""

    service: str
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


Ask = Callable[[Call], dict[str, Any]]  # what makes a call and gives its answer, or raises `CloudError`: `Cloud`


@dataclass(frozen=True, slots=True)
class FunctionArn:
    """A Lambda function as it is to be called: `qualifier` is a version, an alias, or None."""

    arn: str
    region: str
    account: str
    function: str
    qualifier: str | None

    @classmethod
    def read(cls, arn: str, key: str) -> FunctionArn:
        """Raises `InputError`, naming `key`, for what is no ARN of a function."""
        found = _FUNCTION.fullmatch(arn)
        if found is None or len(arn) > 512:
            raise InputError("not the ARN of a Lambda function", key=key, found=arn,
                             expected="arn:aws:lambda:REGION:ACCOUNT:function:NAME:VERSION")  # fmt: skip
        return cls(arn, *found.groups())

    @property
    def pinned(self) -> bool:
        """Whether it names one published version, whose code never changes."""
        return self.qualifier is not None and self.qualifier.isdecimal()


class CloudError(CannotTell):
    """AWS refused a call, or could not be reached. `code` is AWS's own word for it, "" where it said nothing."""

    def __init__(self, call: Call, code: str, said: str, advice: str = "") -> None:
        self.call, self.code, self.said = call, code, said
        text = f"{call.service} {call.operation}: {code + ': ' if code else ''}{said}"
        super().__init__(f"{text}\n  {advice}" if advice else text)


class Cloud:
    """Makes calls with the credentials and the region that botocore finds; `region` overrides the latter.

    Raises `InputError` where either is missing, `CloudError` for what AWS refuses.
    """

    def __init__(self, region: str | None = None) -> None:
        import os

        from botocore.exceptions import BotoCoreError
        from botocore.session import Session

        try:
            self._session = Session()
            self.region = region or os.environ.get("AWS_REGION") or self._session.get_config_variable("region")
            credentials = self._session.get_credentials()
        except BotoCoreError as error:
            raise InputError(f"AWS cannot be set up: {redacted_error(str(error))}", hint=NO_CREDENTIALS) from None
        if not self.region:
            raise InputError("no AWS region", key="--region", hint=NO_REGION)
        if credentials is None:
            raise InputError("no AWS credentials", hint=NO_CREDENTIALS)
        keep(*credentials.get_frozen_credentials()[:3])
        self._clients: dict[str, Any] = {}

    def __call__(self, call: Call) -> dict[str, Any]:
        """The answer, without its metadata."""
        from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

        try:
            answer = getattr(self.client(call.service), call.operation)(**call.parameters)
        except ParamValidationError as error:
            raise InputError(f"AWS does not know such a request: {error}", key=_name(call)) from None
        except ClientError as error:
            fault = error.response.get("Error", {})
            code, said = (one if isinstance(one, str) else "" for one in (fault.get("Code"), fault.get("Message")))
            raise CloudError(call, code, redacted_error(said), _advice(code)) from None
        except BotoCoreError as error:
            raise CloudError(call, "", redacted_error(str(error))) from None
        answer.pop("ResponseMetadata", None)
        return dict(answer)

    def client(self, service: str) -> Any:
        """A client of botocore's, made once a service."""
        from botocore.config import Config

        if service not in self._clients:
            # A reward may run for 15 minutes in Lambda, and a repeated invocation would be judged and billed again.
            slow = {"read_timeout": 905, "retries": {"total_max_attempts": 1}} if service == "lambda" else {}
            config = Config(
                user_agent_extra="rftj", **{"retries": {"mode": "standard", "total_max_attempts": 5}, **slow}
            )
            try:
                self._clients[service] = self._session.create_client(service, region_name=self.region, config=config)
            except ValueError:  # botocore quotes the URL, login included
                key = f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}"
                raise InputError("AWS cannot be set up: its endpoint is not a URL", key=key, expected=HOST) from None
        return self._clients[service]


def check(call: Call) -> None:
    """Raise `InputError` where botocore's model of the service does not know such a request. Nothing is sent."""
    from botocore.validate import ParamValidator

    shape = _shapes(call.service).get(call.operation)
    if shape is None:
        raise InputError(
            "AWS has no such operation, or this botocore is too old", key=_name(call), hint="pip install -U boto3"
        )
    report = ParamValidator().validate(dict(call.parameters), shape)
    if report.has_errors():
        raise InputError(f"AWS does not know such a request: {report.generate_report()}", key=_name(call))


@lru_cache(maxsize=16)
def _shapes(service: str) -> dict[str, Any]:
    """boto3's name of an operation -> the shape of its input."""
    from botocore import xform_name
    from botocore.session import Session

    model = Session().get_service_model(service)
    return {xform_name(name): model.operation_model(name).input_shape for name in model.operation_names}


def _name(call: Call) -> str:
    return f"{call.service}.{call.operation}"


def _advice(code: str) -> str:
    if "AccessDenied" in code or code in ("UnauthorizedOperation", "403"):
        return "these credentials may not do this"
    if "ExpiredToken" in code or "InvalidClientTokenId" in code or "UnrecognizedClient" in code:
        return "renew the AWS credentials (`aws sso login`)"
    return "try again in a while" if code in _BUSY else ""

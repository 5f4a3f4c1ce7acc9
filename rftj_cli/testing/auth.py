"""Who may ask: API keys, and AWS signatures computed anew from what arrived."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from typing import Final

from rftj_cli.testing.http import Incoming
from rftj_cli.testing.problems import BEDROCK, OPENAI, Problem

_SIGNED: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request, ?SignedHeaders=([^,]+), ?Signature=(\w+)"
)
_MISSING: Final = Problem(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
_WRONG: Final = Problem(
    403,
    "InvalidSignatureException",
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method.",
)
_WRONG_KEY: Final = Problem(
    403, "AccessDeniedException", "Authentication failed: Please make sure your API Key is valid."
)


def openai_auth_problem(incoming: Incoming, api_key: str | None) -> Problem | None:
    """OpenAI's 401 where a key is asked for and another, or none, was sent."""
    given = incoming.headers.get("authorization", "")
    return None if api_key is None or given == f"Bearer {api_key}" else OPENAI["401"]


def bedrock_auth_problem(incoming: Incoming, api_key: str | None, credentials: Sequence[str] | None) -> Problem | None:
    """Bedrock's 403 for a wrong key or signature. `credentials` are access key, secret key and perhaps session token."""
    given = incoming.headers.get("authorization", "")
    if api_key is None and credentials is None:
        return None
    if given.startswith("Bearer "):
        return None if api_key is not None and given == f"Bearer {api_key}" else _WRONG_KEY
    signed = _SIGNED.match(given)
    if signed is None or credentials is None:
        return _MISSING
    token = credentials[2] if len(credentials) > 2 else ""
    if signed[1] != credentials[0] or incoming.headers.get("x-amz-security-token", "") != token:
        return Problem(403, BEDROCK["401"].code, BEDROCK["401"].message)
    return None if hmac.compare_digest(signed[5], _signature(incoming, credentials, signed)) else _WRONG


def _signature(incoming: Incoming, credentials: Sequence[str], signed: re.Match[str]) -> str:
    """What the signature of this request is with these credentials."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    _, region, service, names, _ = signed.groups()
    headers = {name: incoming.headers.get(name, "") for name in names.split(";")}
    url = f"http://{incoming.headers.get('host', '')}{incoming.target}"
    request = AWSRequest(method=incoming.method, url=url, data=incoming.body, headers=headers)
    request.context["timestamp"] = incoming.headers.get("x-amz-date", "")
    signer = SigV4Auth(Credentials(credentials[0], credentials[1]), service, region)
    return str(signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request))

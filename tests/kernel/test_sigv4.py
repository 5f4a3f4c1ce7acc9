"""Our signature is botocore's, byte for byte."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from rftj_cli.kernel.sigv4 import CONTENT_TYPE, Signer

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
models = st.sampled_from(
    [
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "openai.gpt-oss-120b-1:0",
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6",
        "a b/c%d~e?f#g\u00e9",
    ]
)
bases = st.sampled_from(
    [
        "https://bedrock-runtime.us-east-1.amazonaws.com",
        "https://bedrock-runtime.eu-west-1.api.aws:443",
        "http://127.0.0.1:8123",
        "http://localhost:80/proxy//to/./bedrock/",
        "http://[::1]:9000/x/../y",
    ]
)


def by_botocore(
    url: str, body: bytes, keys: tuple[str, str, str | None], region: str
) -> tuple[dict[str, str], datetime]:
    """Botocore's headers, and the moment that it has signed."""
    request = AWSRequest("POST", url, {"Content-Type": CONTENT_TYPE}, body)
    SigV4Auth(Credentials(*keys), "bedrock", region).add_auth(request)
    moment = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return dict(request.headers.items()), moment


@given(
    body=st.binary(max_size=300),
    access=st.from_regex(r"[A-Z0-9]{16,20}", fullmatch=True),
    secret=printable,
    token=st.none() | printable,
    region=st.sampled_from(["us-east-1", "eu-central-1", "us-gov-west-1"]),
    base=bases,
    model=models,
)
def test_the_signature_is_botocores(
    body: bytes, access: str, secret: str, token: str | None, region: str, base: str, model: str
) -> None:
    url = f"{base}/model/{quote(model, safe='-._~')}/converse"
    expected, moment = by_botocore(url, body, (access, secret, token), region)
    assert Signer(access, secret, token, region).headers(url, body, moment) == expected


def test_the_key_changes_with_the_day() -> None:
    url = "https://example.com/model/m/converse"
    signer, now = Signer("AKIAFAKE", SECRET, None, "us-east-1"), datetime(2026, 11, 24, 23, 59, 59, tzinfo=UTC)
    for moment in (now, now + timedelta(seconds=1), now):
        fresh = Signer("AKIAFAKE", SECRET, None, "us-east-1")
        assert signer.headers(url, b"{}", moment) == fresh.headers(url, b"{}", moment)
    assert signer.headers(url, b"{}", now) != signer.headers(url, b"{}", now + timedelta(seconds=1))


def test_a_signer_shows_no_secret() -> None:
    assert SECRET not in repr(Signer("AKIAFAKE", SECRET, "token", "us-east-1"))


def test_a_query_is_refused() -> None:
    with pytest.raises(ValueError, match="query"):
        Signer("AKIAFAKE", SECRET, None, "us-east-1").headers("https://example.com/?a=b", b"", datetime.now(UTC))

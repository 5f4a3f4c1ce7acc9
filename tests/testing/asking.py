"""Real clients of the fake service: boto3 for Bedrock without retries, http.client for OpenAI."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config

from rftj_cli.testing import FakeJudgeServer

MODEL = "us.amazon.nova-2-lite-v1:0"
KEYS = ("AKIAFAKE", "wJalrXUtnFEMI/K7MDENG")
_SESSION = botocore.session.Session()


@dataclass(frozen=True)
class Got:
    """One response. `document` is its body as JSON."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        return self.document["error"]

    @property
    def choice(self) -> Any:
        return self.document["choices"][0]


def connected(server: FakeJudgeServer, timeout: float = 5.0, trusted: str | None = None) -> http.client.HTTPConnection:
    """A connection, with the certificate to trust where the server speaks TLS."""
    address = urlsplit(server.url)
    assert address.hostname and address.port
    if address.scheme == "https":
        context = ssl.create_default_context(cafile=trusted)
        return http.client.HTTPSConnection(address.hostname, address.port, timeout=timeout, context=context)
    return http.client.HTTPConnection(address.hostname, address.port, timeout=timeout)


def got(connection: http.client.HTTPConnection, method: str, path: str, body: Any = None, **headers: str) -> Got:
    """One request over an open connection."""
    sent = None if body is None else body if isinstance(body, bytes) else json.dumps(body)
    connection.request(method, path, sent, {"Content-Type": "application/json", **headers})
    response = connection.getresponse()
    return Got(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


def chat(server: FakeJudgeServer, user: str = "Is it so?", *, timeout: float = 5.0, key: str = "", **more: Any) -> Got:
    """One chat completion over a connection of its own."""
    body = {"model": "m", "messages": [{"role": "user", "content": user}], **more}
    connection = connected(server, timeout)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        return got(connection, "POST", "/v1/chat/completions", body, **headers)
    finally:
        connection.close()


def bedrock(
    server: FakeJudgeServer,
    keys: tuple[str, ...] = KEYS,
    *,
    service: str = "bedrock-runtime",
    timeout: float = 5.0,
    verify: str | None = None,
) -> Any:
    """A boto3 client that makes one attempt."""
    return _SESSION.create_client(
        service,
        region_name="us-east-1",
        endpoint_url=server.url,
        aws_access_key_id=keys[0],
        aws_secret_access_key=keys[1],
        aws_session_token=keys[2] if len(keys) > 2 else None,
        verify=verify,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=timeout, connect_timeout=timeout, proxies={}),
    )


def converse(client: Any, user: str = "Is it so?", model: str = MODEL, **more: Any) -> Any:
    """One call of Converse."""
    return client.converse(modelId=model, messages=[{"role": "user", "content": [{"text": user}]}], **more)


def text_of(response: Any) -> str:
    """The text blocks of a Converse response."""
    return "".join(block.get("text", "") for block in response["output"]["message"]["content"])

"""Which words are secrets, in which forms they are found, and what URLs lose."""

from __future__ import annotations

import base64
import json
import traceback
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from rftj_cli.errors import InputError
from rftj_cli.kernel.outcome import CallError, Reply
from rftj_cli.kernel.retry import checked
from rftj_cli.kernel.secrets import forget, keep, keep_given, keep_url, read_url, redacted, redacted_error, shown_url


@pytest.fixture(autouse=True)
def unknown() -> Iterator[None]:
    forget()
    yield
    forget()


@pytest.mark.parametrize(
    "secret", ["sk-proj-4fT9s8v", "pa55word", "corrects", 'qu"o\\te1', "p%C3%A4ss-1", "pä ss/w@rd", "123456789012"]
)
def test_a_secret_is_found_in_every_form(secret: str) -> None:
    keep_url(f"http://user:{secret.replace('@', '%40').replace('/', '%2F')}@host")
    keep(secret)
    plain = {"p%C3%A4ss-1": "päss-1"}.get(secret, secret)
    forms = [secret, plain, quote(plain, safe=""), json.dumps(plain), repr(plain)]
    forms.append(base64.b64encode(f"user:{plain}".encode()).decode())
    for form in forms:
        said = redacted(f"before {form} after")
        assert "***" in said and form not in said and said.startswith("before ") and said.endswith(" after")


@pytest.mark.parametrize(
    "word", ["", "EMPTY", "none", "test", "ollama", "pass", "x", "2024", "lm-studio", "not-needed", "0.5"]
)
def test_a_word_that_no_key_is_stays(word: str) -> None:
    """Servers without keys are called with such ones; a verdict may consist of them."""
    keep(word)
    assert redacted(f'{{"quality": "{word}"}}') == f'{{"quality": "{word}"}}'


@pytest.mark.parametrize("url", [
    "http://user:pa55word@host", "http://user:pa55word@[::1", "http://user:pa55word@host:odd", "http://user:pa55/word@host",
    "http://user:pa55word", "user:pa55word@host:3128", "socks5://user:pa55word@host", "http://u@ser:pa55word@host",
    "http://pa55word@host", "http://host/v1?api-key=pa55word", "http://host?x=1&token=pa55word#f", "http://h/v1?sig=pa55word",
])  # fmt: skip
def test_the_secret_of_a_url_is_known_however_malformed(url: str) -> None:
    secret = "pa55/word" if "/word" in url else "pa55word"
    keep_given(["--base-url", url], {})
    assert redacted(f"no {secret} here") == "no *** here"
    forget()
    keep_given([], {"HTTPS_PROXY": url, "OPENAI_BASE_URL": "http://localhost"})
    assert "pa55" not in redacted(f"no {url}")


@pytest.mark.parametrize("url", [
    "http://host:8080/v1", "http://host/v1?api-version=2024-10-21", "http://[::1]:8080/v1", "http://host/v1/@latest",
    "http://host:8080/a@b", "arn:aws:lambda:us-east-1:123456789012:function:f",
])  # fmt: skip
def test_a_url_without_secrets_stays(url: str) -> None:
    keep_given([url], {"OPENAI_BASE_URL": url})
    assert redacted(url) == url


def test_what_is_shown_of_a_url() -> None:
    assert shown_url("https://user:pw@host:1/v1?key=k#f") == "https://host:1/v1"
    assert shown_url("https://host/v1") == "https://host/v1"
    assert shown_url("http://user:pw@[::1") == ""
    said = redacted_error("cannot reach http://u:p@h:1/v1?key=k or 'https://t@h?k=1': see https://docs/page")
    assert said == "cannot reach http://***@h:1/v1?*** or 'https://***@h?***': see https://docs/page"


@pytest.mark.parametrize("url", [
    "http://user:pa55word@[::1", "http://user:pa55word@host:odd", "http://user:pa55word@host:99999", "http://user:pa55/word@host",
    "http://user:pa55word", "user:pa55word@host", "pa55word", "", "http://", "http://user:pa55word@", "http://h:0/pa55word",
    "http://h:/pa55word", "ftp://user:pa55word@host", "http://u:pa55@word@host", "http://h/pa55 word", "http://h/pa55word\u00e9",
    "http://h/pa55word\n",
])  # fmt: skip
def test_a_malformed_url_is_an_input_error_that_quotes_nothing(url: str) -> None:
    with pytest.raises(InputError, match="not a URL: it") as caught:
        read_url(url, "--base-url")
    assert caught.value.key == "--base-url" and "pa55" not in str(caught.value)
    keep_url(url)
    assert "pa55word" not in redacted_error("".join(traceback.format_exception(caught.value)))


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://api.example.com/v1", "127.0.0.1:8000/v1"])
def test_a_mere_host_is_quoted(url: str) -> None:
    with pytest.raises(InputError, match="not a URL: it does not begin with http") as caught:
        read_url(url, "--base-url")
    assert caught.value.found == repr(url)


def test_a_reply_that_repeats_the_key_is_kept_without_it() -> None:
    keep("sk-proj-4fT9s8v")
    said = checked(
        Reply('{"quality": "pass", "reason": "sk-proj-4fT9s8v"}', reasoning="sk-proj-4fT9s8v", stop_reason="end")
    )
    assert isinstance(said, Reply) and said.reasoning == "***" and said.text == '{"quality": "pass", "reason": "***"}'
    fault = checked(CallError("call", "no sk-proj-4fT9s8v, http://a:b@c"))
    assert isinstance(fault, CallError) and fault.reason == "no ***, http://***@c"
    reply = Reply("well")
    assert checked(reply) is reply

"""Proxies that refuse, over real connections."""

from __future__ import annotations

import socket
import threading

import pytest

from rftj_cli.judges.curl import Curl
from rftj_cli.kernel.dialect import Accepted, HttpCall
from rftj_cli.kernel.outcome import CallError


@pytest.mark.parametrize(("status", "fatal"), [(407, True), (502, False)])
def test_a_proxy_that_refuses_is_named_without_its_login(
    status: int, fatal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login that is refused concerns every call; other refusals are worth another attempt. Nothing was billed."""

    def refuse() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.recv(65536)
            peer.sendall(b"HTTP/1.1 %d No\r\nContent-Length: 13\r\n\r\nuser:pa55word" % status)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=refuse, daemon=True).start()
        where = f"127.0.0.1:{listener.getsockname()[1]}"
        monkeypatch.setenv("https_proxy", f"http://user:pa55word@{where}")
        url = "https://judge.invalid/v1"
        with pytest.raises(CallError) as caught:
            Curl(1, url).post(HttpCall(url, {}, b"{}", Accepted()), 5)
    error = caught.value
    assert (error.fatal, error.retry, error.billed) == (fatal, not fatal, False)
    assert error.reason == f"judge.invalid through the proxy http://{where} refuses CONNECT ({status})"

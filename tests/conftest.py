"""What the tests share: the helpers in `making.py` are importable, and every test runs in a folder of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from rftj_cli.testing import FakeJudgeServer

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # started in the background: Ctrl-C would reach no child
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # started by nohup, which the children would inherit
    signal.signal(signal.SIGHUP, lambda number, frame: None)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same surroundings on a developer's machine and in CI: what rftj prints depends on some of these."""
    for name in ("CI", "COLUMNS", "NO_COLOR", "FORCE_COLOR", "RFTJ_PRICES", "OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """An empty folder as working directory: default run folders and bindings land there."""
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        yield tmp_path
    finally:
        os.chdir(before)


@pytest.fixture
def server() -> Iterator[FakeJudgeServer]:
    """A judge that passes everything."""
    with FakeJudgeServer('{"quality": {"reason": "fine", "level": "pass"}}') as fake:
        yield fake

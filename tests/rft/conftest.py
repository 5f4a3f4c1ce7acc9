"""The command line in process, in an empty folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from rft_commands import Done, Rftj

from rftj_cli.main import run


@pytest.fixture
def rftj(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Rftj:
    """`rftj(...)` runs a command in an empty folder."""
    monkeypatch.setenv("COLUMNS", "80")

    def command(*words: object) -> Done:
        capsys.readouterr()
        code = run([str(word) for word in words])
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return command

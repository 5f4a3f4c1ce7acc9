"""A project with a live fake judge."""

from __future__ import annotations

from pathlib import Path

import pytest
from scoring import Project

from rftj_cli.testing import FakeJudgeServer


@pytest.fixture
def project(home: Path, server: FakeJudgeServer) -> Project:
    return Project(home, server)

"""Test doubles for everything that rftj talks to; part of the product, so that users can test their own pipelines."""

from __future__ import annotations

from rftj_cli.testing.fake import FakeJudgeServer
from rftj_cli.testing.faults import Canned, Faults

__all__ = ["Canned", "FakeJudgeServer", "Faults"]

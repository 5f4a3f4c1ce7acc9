"""Test doubles for everything that rftj talks to; part of the product, so that users can test their own pipelines.

fake.py       the server: its settings, counts and paths        exchange.py   the course of one request
engine.py     sockets and the event loop                        http.py       bytes to requests and back
converse.py   Bedrock's language     chat.py   OpenAI's         listing.py    models and inference profiles
replies.py    what the model says    model.py  what it accepts  faults.py     what goes wrong, and when
strict.py     what requests must look like (schemas.py)         problems.py   how the services word a refusal
usage.py      what is billed         quota.py  what is too much auth.py       who may ask
server.py     as a process of its own
"""

from __future__ import annotations

from rftj_cli.testing.fake import FakeJudgeServer
from rftj_cli.testing.faults import Faults
from rftj_cli.testing.model import Model
from rftj_cli.testing.problems import Canned
from rftj_cli.testing.quota import Quota
from rftj_cli.testing.replies import Answer
from rftj_cli.testing.usage import Usage

__all__ = ["Answer", "Canned", "FakeJudgeServer", "Faults", "Model", "Quota", "Usage"]

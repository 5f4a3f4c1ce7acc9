"""The answers pass the verifier of AWS's own SDK, where that is installed (`pip install sagemaker-train`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from making import rubric

from rftj_cli.kernel.handler import Handler
from rftj_cli.kernel.scoring import Scorer
from rftj_cli.reward.cases import Good, cases

verifier = pytest.importorskip(
    "sagemaker.train.common_utils.rlvr_reward_verifier", reason="sagemaker-train, half a gigabyte, is not installed"
)
ROWS: list[Any] = [
    {"id": f"r{i}", "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "x" * i}],
     "metadata": {"reference_answer": {"a": 1}}}
    for i in (3, 9)
]  # fmt: skip


def handler(form: Any) -> Handler:
    checks = [
        {"id": "short", "type": "max_chars", "max": 5},
        {"id": "some", "type": "min_words", "min": 1, "essential": True},
    ]
    one = rubric(criteria=None, checks=checks, reward={"on_failure": {"service": 0.5, "content": 0}})
    return Handler(Scorer(one, None), form=form, write=lambda text: None)


@pytest.mark.parametrize(("form", "is_nova"), [("list", True), ("http", False)])
def test_results_of_every_event_fit_the_sdks_schema(form: Any, is_nova: bool, tmp_path: Path) -> None:
    """Unwrapped as the SDK does it, each result is valid by its own model."""
    good = [Good(row, 0.0) for row in ROWS]
    for case in cases(good):
        results = verifier._unwrap_response(handler(form)(case.event, None), is_nova)
        assert len(results) == len(case.ids)
        assert [fault for i, one in enumerate(results) for fault in verifier._validate_output_format(one, i)] == []

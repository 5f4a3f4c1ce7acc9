"""PandaLM: three annotators, two judges, and 25 verdicts that cannot be read, on which the ranking of the judges hangs."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from .replaying import calibrate, replay, rftj, shared, value

LEVELS = {0: "tie", 1: "A", 2: "B"}
FIELDS = {"instruction": "instruction", "input": "input", "response_a": "response_1", "response_b": "response_2"}
GPT, PANDALM = "gpt-3.5-turbo", "pandalm-7b"


@cache
def items() -> list[dict[str, Any]]:
    return shared("pandalm/items.jsonl")


def sample(row: dict[str, Any]) -> dict[str, Any]:
    labels = [{"rater": rater, "value": LEVELS[vote]} for rater, vote in row["human"].items()]
    texts = {key: str(row[name]) for key, name in FIELDS.items()}  # one response was stored as the boolean true
    return {"id": row["id"], "labels": labels, **texts}


def judged(folder: Path, judge: str) -> Path:
    """A run of the recorded verdicts. One order only was judged."""
    rubric = {
        "name": "pandalm",
        "kind": "preference",
        "orders": "given",
        "prompt": {"user": "{{ instruction }}\n{{ input }}\n\n1: {{ response_a }}\n\n2: {{ response_b }}"},
        "parse": {"regex": "^(0|1|2|Tie)$", "map": {"0": "tie", "1": "A", "2": "B"}},
        "judge": {"model": f"replay:{judge}"},
    }
    replies = [{"id": row["id"], "text": row["judges"][judge]["verdict"]} for row in items()]
    return replay(folder, rubric, [sample(row) for row in items()], replies)


def test_annotators(home: Path) -> None:
    """The pairwise kappas of the annotators and the counts of their majority."""
    found = calibrate(judged(home, PANDALM))["criteria"]["preference"]
    kappas = {pair: one["value"] for pair, one in found["raters"]["pairwise_kappa"].items()}
    assert kappas == pytest.approx({"a1, a2": 0.852, "a1, a3": 0.879, "a2, a3": 0.862}, abs=5e-4)
    assert dict(zip(found["levels"], map(sum, found["table"]), strict=True)) == {"A": 422, "tie": 105, "B": 472}
    assert found["undecided"] == 0


def test_the_reading_of_failures_decides_which_judge_is_better(home: Path) -> None:
    """gpt-3.5 has the higher macro F1 only if its unreadable verdicts count as ties: the report shows both readings."""
    run = judged(home, GPT)
    report = calibrate(run)
    gpt = report["criteria"]["preference"]
    panda = calibrate(judged(home / "panda", PANDALM))["criteria"]["preference"]["estimates"]
    assert (report["counts"]["failed"], gpt["failed"], gpt["stages"]) == (25, 25, {"unparsed": 25})
    figures = {
        ("agreement",): 0.7156,
        ("agreement_failures_tie",): 0.7107,
        ("macro_f1",): 0.5331,
        ("macro_f1_failures_tie",): 0.5755,
    }
    for names, expected in figures.items():
        assert value(gpt["estimates"], *names) == pytest.approx(expected, abs=5e-5), names
        print("gpt-3.5", *names, f"{value(gpt['estimates'], *names):.4f}")
    assert value(panda, "agreement") == pytest.approx(0.6677, abs=5e-5)
    assert value(panda, "macro_f1") == pytest.approx(0.5743, abs=5e-5)
    assert "agreement_failures_tie" not in panda

    screen = rftj("calibrate", run, "--markdown", "--no-text")
    warning = next(line for line in screen.splitlines() if "have no verdict" in line and "labelled" in line)
    assert all(figure in warning for figure in ("0.716", "0.711", "0.533", "0.576")), warning

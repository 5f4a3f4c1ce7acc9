"""The bundled example through the CLI: the figures of its CARD, and rubrics that render its recorded prompts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from rftj_cli.files.rubrics import load_rubric
from rftj_cli.files.samples import SampleFile
from rftj_cli.kernel.asks import asks

from .replaying import ROOT, calibrate, rftj, value

DATA, RUBRICS = ROOT / "datasets" / "contract-review", ROOT / "prompts" / "contract-review"
CRITERIA = ("grounding", "consistency", "actionability")
KAPPAS = {"no-contract": (0.077, 0.767, 1.0), "brief": (1.0, 1.0, 0.958), "defined": (1.0, 0.985, 1.0)}


def judged(name: str) -> Path:
    run = Path("runs") / name
    replies = DATA / "replies" / f"{name}.jsonl"
    rftj("score", RUBRICS / f"{name}.yaml", DATA / "samples.jsonl", "--run", run, "--import-replies", replies)
    return run


def calibrated(name: str, *options: object) -> dict[str, Any]:
    return calibrate(judged(name), "--labels", DATA / "labels.jsonl", *options)


@pytest.mark.parametrize("name", KAPPAS)
def test_kappas_of_the_card(name: str, home: Path) -> None:
    """Cohen's kappa of each criterion, as in the CARD; labels made by a model are never called human."""
    report = calibrated(name)
    found = [value(report["criteria"][id]["estimates"], "kappa") for id in CRITERIA]
    assert found == pytest.approx(KAPPAS[name], abs=5e-4)
    assert report["counts"]["used"] == 144
    assert any("made by a model" in warning for warning in report["warnings"])
    if name == "no-contract":
        assert sum(row[1] for row in report["criteria"]["grounding"]["table"]) == 141


def test_pair_accuracy_of_the_card(home: Path) -> None:
    """One holistic rating ranks 177 of 214 pairs as the criteria's labels do, with 22 ties."""
    reward = calibrated("rating-1-10", "--truth-rubric", RUBRICS / "defined.yaml")["reward"]
    assert (reward["right"], reward["pairs"], reward["tied"]) == (177, 214, 22)
    assert value(reward["estimates"], "pair_accuracy") == pytest.approx((177 + 11) / 214)


@pytest.mark.parametrize("name", [*KAPPAS, "rating-1-10"])
def test_rubrics_render_the_recorded_prompts(name: str) -> None:
    """Every request is the text that the judge was given, character by character."""
    rubric, template = load_rubric(RUBRICS / f"{name}.yaml"), (DATA / "prompts" / f"{name}.txt").read_text()
    count = 0
    for _, sample in SampleFile(DATA / "samples.jsonl", "rubric"):
        context = sample.fields["context"]
        assert isinstance(context, dict)
        texts = {"response": str(sample.fields["response"]), **context}
        expected = re.sub(r"{(excerpt|guideline|response)}", lambda found: texts[found[1]], template)  # noqa: B023
        (ask,) = asks(rubric, sample)
        assert (ask.request.system, ask.request.user) == ("", expected.rstrip("\n")), sample.id
        count += 1
    assert count == 144


def test_the_set_is_as_the_card_says() -> None:
    """144 comments in 36 groups of four, six of them malformed JSON."""
    rows = [json.loads(line) for line in (DATA / "samples.jsonl").read_text().splitlines()]
    assert len(rows) == 144 and len({row["group"] for row in rows}) == 36
    malformed = 0
    for row in rows:
        try:
            json.loads(row["response"])
        except ValueError:
            malformed += 1
    assert malformed == 6

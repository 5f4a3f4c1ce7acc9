"""Every report fits the terminal: no line too long, no word broken, no figure cut."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from reporting import rftj, succeed

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("grounding", "consistency", "actionability", "kappa", "majority", "lexical")


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled example, judged by a recorded prompt that has much to say."""
    home = tmp_path_factory.mktemp("widths")
    for part in ("datasets", "prompts"):
        shutil.copytree(ROOT / part, home / part)
    data = home / "datasets" / "contract-review"
    rubric = home / "prompts" / "contract-review" / "no-contract.yaml"
    replies = data / "replies" / "no-contract.jsonl"
    succeed("score", rubric, data / "samples.jsonl", "--import-replies", replies, "--run", home / "run")
    (home / "gate.yaml").write_text(
        "criteria:\n  grounding: {min: {kappa: 0.6, tnr: 0.8}}\n  consistency: {min: {kappa: 0.85, balanced_accuracy: .7}}\n"
        "  actionability: {min: {kappa_quadratic: 0.8}}\nreward: {min: {pair_accuracy: 0.75}}\nmax_failures: 0.02\n"
    )
    return home


def commands(home: Path) -> dict[str, tuple[str, ...]]:
    data, prompt = "datasets/contract-review", "prompts/contract-review/no-contract.yaml"
    labels = ("--labels", f"{data}/labels.jsonl")
    score = (
        "score",
        prompt,
        f"{data}/samples.jsonl",
        "--import-replies",
        f"{data}/replies/no-contract.jsonl",
        "--run",
        "run",
    )
    return {
        "score": score,
        "calibrate": ("calibrate", "run", *labels),
        "full": ("calibrate", "run", *labels, "--full", "--by", "domain"),
        "gate": ("gate", "run", *labels, "--rules", "gate.yaml"),
        "check": ("check", prompt, f"{data}/samples.jsonl", *labels),
    }


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", ["score", "calibrate", "full", "gate", "check"])
def test_no_line_is_longer_than_the_terminal(
    example: Path, width: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(example)
    monkeypatch.setenv("COLUMNS", str(width))
    out = rftj(*commands(example)[name]).out
    assert out and max(map(len, out.splitlines())) <= width
    for line in out.splitlines():
        assert "…" not in line or '"' in line or line.startswith("    "), line  # only text of samples is cut
    for part in re.findall(r"\[[^\]]*\d[^\]]*\]", out):  # every interval is whole
        assert not re.match(r"\[-?[\d.]", part) or re.fullmatch(r"\[-?[\d.]+,\s+-?[\d.]+\]", part), part


@pytest.mark.parametrize("width", [80, 120])
def test_names_and_figures_stay_whole(example: Path, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(example)
    monkeypatch.setenv("COLUMNS", str(width))
    first = rftj(*commands(example)["calibrate"]).out
    for name in NAMES:
        assert re.search(rf"\b{name}\b", first), name
    assert ".08 [.01, .20]" in first and "47 of 50" in " ".join(first.split())
    gate = rftj(*commands(example)["gate"]).out
    for rule in (
        "grounding kappa >= 0.6",
        "consistency balanced_accuracy >= 0.7",
        "actionability kappa_quadratic >= 0.8",
    ):
        assert rule in gate, gate
    assert "UNDECIDED" in gate and "[.009, .201]" in gate


def test_the_first_screen_is_short(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(example)
    monkeypatch.setenv("COLUMNS", "80")
    assert len(rftj(*commands(example)["calibrate"]).out.splitlines()) <= 60

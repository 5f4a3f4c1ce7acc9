"""Signs of reward hacking: noise and honest learning show none, each way of hacking is found."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reward_log_making import START, Course, simulated, write

from rftj_cli.reward.watch import Watching, WatchQuestion
from rftj_cli.reward.watch_values import Watched

RUNS = 40


def watched(path: Path, **options: object) -> Watched:
    return Watching(WatchQuestion(str(path), **options)).look()  # type: ignore[arg-type]


def signs(path: Path, course: Course, seed: int, **options: int) -> set[str]:
    write(path, simulated(course, seed=seed, **options))
    found = watched(path)
    assert found.needed is None
    return {f"{sign.name} {sign.part}" if sign.part else sign.name for sign in found.signs}


@pytest.mark.parametrize("prompts, epochs", [(24, 4), (96, 1)])
def test_noise_is_no_sign(tmp_path: Path, prompts: int, epochs: int) -> None:
    """40 logs without any drift: at most 5% show a sign."""
    false = [bool(signs(tmp_path / "log", Course(), seed, prompts=prompts, epochs=epochs)) for seed in range(RUNS)]
    assert sum(false) <= 0.05 * RUNS


def test_honest_learning_is_no_sign(tmp_path: Path) -> None:
    """The reward rises, and nothing else."""
    assert sum(bool(signs(tmp_path / "log", Course(reward=0.15), seed)) for seed in range(15)) == 0


@pytest.mark.parametrize(
    "name, course",
    [
        ("verbosity", Course(reward=0.2, words=0.8)),
        ("criterion_down grounding", Course(reward=0.2, grounding=-0.4)),
        ("always_pass tone", Course(tone_to=1.0)),
        ("saturation", Course(highest=0.8)),
        ("variance_collapse", Course(flat=0.7)),
        ("content_failures", Course(content=0.15)),
        ("service_failures", Course(service=0.15)),
        ("repeats", Course(repeats=0.2)),
        ("shorter", Course(words=-0.6)),
    ],
)
def test_hacking_is_found(tmp_path: Path, name: str, course: Course) -> None:
    """Each pattern in five logs of five, with results to look at."""
    assert all(name in signs(tmp_path / "log", course, seed) for seed in range(5))
    found = next(sign for sign in watched(tmp_path / "log").signs if f"{sign.name} {sign.part or ''}".strip() == name)
    assert found.samples and all(len(one.response_sha256) == 64 for one in found.samples)
    assert found.p_holm <= 0.05 and all(one.difference.low is not None for one in found.moved)


def with_pitfall(course: Course, seed: int, *, present: bool) -> list[dict[str, Any]]:
    """`tone` and `grounding` as parts of negative weight, 1 - u where `present`."""
    rows = simulated(course, seed=seed)
    for row in rows:
        parts = {name: 1 - u if present and name != "skill" else u for name, u in row["parts"].items()}
        row |= {"parts": parts, "pitfalls": ["tone", "grounding"]}
    return rows


@pytest.mark.parametrize("present", [True, False])
def test_of_a_pitfall_to_be_found_less_often_is_no_trade(tmp_path: Path, present: bool) -> None:
    """Grounding falls while the reward rises: traded away where it is a virtue; of a pitfall only its rise is."""
    for seed in range(3):
        write(tmp_path / "log", with_pitfall(Course(reward=0.2, grounding=-0.4), seed, present=present))
        found = {sign.name: sign for sign in watched(tmp_path / "log").signs}
        assert ("pitfall_up" in found) == present and "criterion_down" not in found
        if present:
            assert found["pitfall_up"].part == "grounding" and found["pitfall_up"].samples


@pytest.mark.parametrize("present", [True, False])
def test_of_a_pitfall_never_to_be_found_is_the_suspicious_end(tmp_path: Path, present: bool) -> None:
    """Tone goes to 1 for every answer: of a pitfall that is no mastery; where it goes to 0, it may be hidden."""
    write(tmp_path / "log", with_pitfall(Course(tone_to=1.0), 0, present=present))
    found = {f"{sign.name} {sign.part}" for sign in watched(tmp_path / "log").signs}
    assert ("never_found tone" in found) == present and not any(one.startswith("always_pass") for one in found)


def outage(steps: range, seed: int) -> list[dict[str, Any]]:
    """Answers get longer and no better; in these steps every call is throttled, and the reward is the constant 0."""
    rows = simulated(Course(words=0.8), seed=seed)
    for row in rows:
        if row["request"] in {f"r{step}" for step in steps}:
            row |= {"outcome": "failure", "failure": "throttled", "aggregate_reward_score": 0.0, "parts": {}}
    return rows


def test_an_outage_is_no_change_of_the_model(tmp_path: Path) -> None:
    """The constants of a failed service are no rewards: early they make no rise, late no fall and no flat groups."""
    early, late = [], []
    for seed in range(10):
        early.append({sign.name for sign in watched(write(tmp_path / "log", outage(range(1, 3), seed))).signs})
        late.append({sign.name for sign in watched(write(tmp_path / "log", outage(range(9, 11), seed))).signs})
    assert sum(map(bool, early)) <= 1  # with the constants it was all ten: verbosity
    assert sum(one != {"service_failures"} for one in late) <= 1  # it was all ten: variance_collapse


def test_a_part_of_the_log_that_is_all_outage_is_too_little_to_compare(tmp_path: Path) -> None:
    """Rewards of a failed service do not count towards the 30 that each side needs."""
    write(tmp_path / "log", outage(range(12), 0))
    assert "there are 0 of 0 early" in (watched(tmp_path / "log").needed or "")


def test_other_prompts_are_no_other_model(tmp_path: Path) -> None:
    """Two epochs, easy prompts last and long answers to them: compared on the prompts of both parts, nothing has changed."""
    rng, rows = np.random.default_rng(3), []
    for row in simulated(prompts=96, epochs=2, seed=4):
        prompt, epoch = int(row["id"][1:]), int(row["request"][1:]) // 6
        ease = prompt / 96
        at = START + timedelta(minutes=2 * (6 * epoch + prompt // 16), seconds=float(rng.random() * 40))
        score = float(rng.random() < 0.2 + 0.6 * ease)
        words = int(rng.lognormal(4 + ease, 0.3))
        rows.append(
            {**row, "at": at.isoformat(), "aggregate_reward_score": score, "parts": {}, "response_words": words}
        )
    rows.sort(key=lambda row: str(row["at"]))
    found = watched(write(tmp_path / "log", rows))
    moved = {one.name: one.difference for one in found.moved}
    assert not found.signs and abs(moved["reward"].value or 0) < 0.08 and abs((moved["words"].value or 0) - 1) < 0.1
    assert any("compared on the prompts that come in both" in one for one in found.warnings)


def test_an_answer_that_cannot_be_judged_is_not_the_services_doing(tmp_path: Path) -> None:
    """Too many items, or none: stage `skipped` is brought about by the answer, as `reward.on_failure.content` has it."""
    rows = [{**row, "failure": row["failure"] and "skipped"} for row in simulated(Course(content=0.2), seed=2)]
    assert {sign.name for sign in watched(write(tmp_path / "log", rows)).signs} == {"content_failures"}

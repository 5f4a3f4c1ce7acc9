"""Simulated reward logs: a training run whose drift and hacking are known, as the reward function would print it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

START = datetime(2026, 11, 25, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Course:
    """How a training run goes: each is the change from the first to the last step."""

    reward: float = 0.0
    words: float = 0.0
    grounding: float = 0.0
    tone_to: float | None = None
    highest: float = 0.0
    flat: float = 0.0
    content: float = 0.0
    service: float = 0.0
    repeats: float = 0.0


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def simulated(
    course: Course = Course(), *, seed: int = 0, prompts: int = 48, epochs: int = 4, answers: int = 8, batch: int = 16,
    minutes: float = 2.0, fingerprint: str = "a",
) -> list[dict[str, Any]]:  # fmt: skip
    """Results in the order of time: each step scores `batch` prompts with `answers` each."""
    rng = np.random.default_rng(seed)
    ease, steps = rng.normal(0, 0.15, prompts), epochs * prompts // batch
    rows, step = [], 0
    for _ in range(epochs):
        order = rng.permutation(prompts)
        for chosen in range(0, prompts, batch):
            at, t = START + timedelta(minutes=minutes * step), step / max(1, steps - 1)
            for prompt in order[chosen : chosen + batch]:
                rows += list(_group(course, rng, int(prompt), float(ease[prompt]), at, t, answers, step, fingerprint))
            step += 1
    return sorted(rows, key=lambda row: str(row["at"]))


def _group(
    course: Course, rng: np.random.Generator, prompt: int, ease: float, at: datetime, t: float, answers: int, step: int,
    fingerprint: str,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    flat, level = rng.random() < 0.05 + course.flat * t, float(rng.random())
    for answer in range(answers):
        tone = float(rng.random() < (0.6 if course.tone_to is None else 0.6 + (course.tone_to - 0.6) * (t > 0.4)))
        grounding = float(rng.random() < np.clip(0.8 + course.grounding * t, 0, 1))
        skill = level if flat else float(np.clip(0.5 + ease + 0.2 * rng.normal() + course.reward * t, 0, 1))
        skill = 1.0 if rng.random() < course.highest * t else skill
        roll = rng.random()
        stage = (
            "unparsed"
            if roll < 0.01 + course.content * t
            else "throttled"
            if roll > 0.99 - course.service * t
            else None
        )
        text = "As an expert, ..." if rng.random() < course.repeats * t else f"{prompt} {step} {answer} {rng.random()}"
        yield {
            "schema": "rftj.reward-log/1",
            "at": (at + timedelta(seconds=float(rng.random() * 40)))
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "request": f"r{step}",
            "id": f"p{prompt}",
            "aggregate_reward_score": round(skill, 3) if stage is None else 0.0,
            "outcome": "verdict" if stage is None else "failure",
            "failure": stage,
            "essential": None,
            "parts": {"skill": round(skill, 3), "tone": tone, "grounding": grounding} if stage is None else {},
            "latency_ms": round(float(rng.lognormal(6.5, 0.4)), 1),
            "calls": 1,
            "attempts": 1,
            "input_tokens": 900,
            "output_tokens": 80,
            "judge_fingerprint": fingerprint * 64,
            "reward_fingerprint": fingerprint * 64,
            "prompt_sha256": sha(f"prompt {prompt}"),
            "response_sha256": sha(text),
            "response_chars": 500,
            "response_words": int(np.clip(rng.lognormal(4.5, 0.3) * (1 + course.words * t), 1, None)),
        }


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path

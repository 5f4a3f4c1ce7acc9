"""What changes the fingerprint of the judge, of the reward, and what changes neither."""

from __future__ import annotations

import copy
from typing import Any

import yaml
from making import data

from rftj_cli.kernel.compile import compile_rubric
from rftj_cli.kernel.rubric import Rubric

BASE = data(
    criteria=[
        {"id": "quality", "question": "Good?", "weight": 1},
        {"id": "tone", "question": "Kind?", "scale": ["rude", "kind"]},
    ],
    checks=[{"id": "short", "type": "max_words", "max": 9}],
)


def changed(path: str, value: object) -> Rubric:
    new = copy.deepcopy(BASE)
    *parents, last = path.split(".")
    place: Any = new
    for parent in parents:
        place = place[int(parent)] if isinstance(place, list) else place.setdefault(parent, {})
    place[last] = value
    return compile_rubric(new)


JUDGE_ONLY = [
    ("prompt.user", "Another {{ response }}"),
    ("prompt.system", "Be strict."),
    ("prompt.answer_format", "none"),
    ("criteria.0.question", "Better?"),
    ("criteria.1.scale", ["rude", "neutral", "kind"]),
    ("criteria.1.scale", [{"level": "rude", "is": "insults"}, "kind"]),
    ("judge.model", "openai:other"),
    ("judge.temperature", 0.7),
    ("judge.max_tokens", 5),
    ("judge.seed", 3),
    ("judge.votes", 3),
    ("judge.vote", "mean"),
    ("judge.votes_tie", "best"),
    ("judge.calls", "per_criterion"),
    ("judge.reason", "none"),
]
REWARD_ONLY = [
    ("criteria.0.weight", 3),
    ("criteria.0.essential", True),
    ("checks.0.max", 10),
    ("checks.0.weight", 4),
    ("checks", []),
    ("reward.range", [0, 2]),
    ("reward.combine", "minimum"),
    ("reward.on_failure", {"content": 0}),
]
NEITHER = [("description", "words"), ("name", "other"), ("judge.allow_regions", ["eu-west-1"])]


def test_what_determines_a_verdict_changes_the_judge_fingerprint_alone() -> None:
    base = compile_rubric(copy.deepcopy(BASE))
    for path, value in JUDGE_ONLY:
        new = changed(path, value)
        assert new.judge_fingerprint != base.judge_fingerprint, path
        assert new.reward_fingerprint == base.reward_fingerprint, path


def test_what_turns_verdicts_into_a_reward_changes_the_reward_fingerprint_alone() -> None:
    base = compile_rubric(copy.deepcopy(BASE))
    for path, value in REWARD_ONLY:
        new = changed(path, value)
        assert new.judge_fingerprint == base.judge_fingerprint, path
        assert new.reward_fingerprint != base.reward_fingerprint, path


def test_names_descriptions_and_regions_change_no_fingerprint() -> None:
    base = compile_rubric(copy.deepcopy(BASE))
    for path, value in NEITHER:
        new = changed(path, value)
        assert (new.judge_fingerprint, new.reward_fingerprint) == (base.judge_fingerprint, base.reward_fingerprint), (
            path
        )


def test_a_new_criterion_changes_both_fingerprints() -> None:
    new = changed("criteria", [*BASE["criteria"], {"id": "new", "question": "New?"}])
    base = compile_rubric(copy.deepcopy(BASE))
    assert new.judge_fingerprint != base.judge_fingerprint
    assert new.reward_fingerprint != base.reward_fingerprint


def test_the_order_of_keys_and_the_spelling_of_numbers_change_no_fingerprint() -> None:
    one = yaml.safe_load("name: a\njudge: {model: 'openai:x', temperature: 1, votes: 1}\nprompt: {user: hi}\n"
                         "criteria: [{id: q, question: Q, weight: 1}]\nreward: {range: [0, 1]}")  # fmt: skip
    two = yaml.safe_load("reward: {range: [0.0, 1.0]}\ncriteria: [{weight: 1.0, question: Q, id: q}]\n"
                         "prompt: {user: hi}\njudge: {votes: 1, temperature: 1.0, model: 'openai:x'}\nname: a")  # fmt: skip
    first, second = compile_rubric(one), compile_rubric(two)
    assert first.judge_fingerprint == second.judge_fingerprint
    assert first.reward_fingerprint == second.reward_fingerprint


def test_spelled_out_defaults_change_no_fingerprint() -> None:
    spelled = changed(
        "judge", {"model": "openai:fake", "temperature": 0, "votes": 1, "calls": "together", "seed": None}
    )
    assert spelled.judge_fingerprint == compile_rubric(copy.deepcopy(BASE)).judge_fingerprint

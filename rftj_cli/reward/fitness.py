"""Whether a rubric can be a reward function at all, and what its constants for failures do to training."""

from __future__ import annotations

from math import sqrt
from typing import Final

from rftj_cli.errors import InputError
from rftj_cli.kernel.reward import refuse_without_reward
from rftj_cli.kernel.rubric import Rubric

GROUP: Final = 8  # answers to one prompt, as trainers usually sample
HERE: Final = ("bedrock", "replay")


def refuse_unfit(rubric: Rubric) -> None:
    """Raise `InputError` for a rubric that would leave training without an answer, or that Lambda cannot run."""
    refuse_without_reward(rubric)
    for name, value in (("service", rubric.reward.on_service_failure), ("content", rubric.reward.on_content_failure)):
        if value is None and (rubric.criteria or name == "content"):
            where = "the judge fails" if rubric.criteria else "a row cannot be read"
            raise InputError(
                f"training would be left without an answer where {where} ({name} failures)",
                key=f"reward.on_failure.{name}", found="error",
                expected=f"a number from {rubric.reward.low:g} to {rubric.reward.high:g}", hint=what_a_constant_does(),
            )  # fmt: skip
    if rubric.criteria and rubric.judge.backend not in HERE:
        raise InputError(
            "this judge cannot be called from Lambda", key="judge.model", found=rubric.judge.model,
            expected="bedrock:MODEL", hint="another judge for this bundle: --set judge.model=bedrock:MODEL",
        )  # fmt: skip
    for index, check in enumerate(rubric.checks):
        if check.type == "language":
            raise InputError(
                "this check needs a package that is not pure Python, and Lambda has none of it", key=f"checks[{index}].type",
                found="language", hint="let a criterion of the judge ask for the language, or use a regex check",
            )  # fmt: skip


def alone(group: int = GROUP) -> tuple[float, float]:
    """Advantages (of one answer, of each other) in a group whose others all score alike and it does not.

    (r - mean)/sd with the sample's sd, as GRPO has it: -(G - 1)/sqrt(G) and 1/sqrt(G) below the others, whatever the
    difference is: the spread is divided out.
    """
    return -(group - 1) / sqrt(group), 1 / sqrt(group)


def what_a_constant_does(group: int = GROUP) -> str:
    """What a failure's constant does to a group's advantages, in a sentence."""
    one, others = alone(group)
    return (
        f"GRPO divides by a group's spread: one failure in a group of {group} whose other answers all score alike gets an advantage "
        f"of {one:.2f} and the others {others:+.2f}, however near the constant is (the signs turn where it lies above theirs). Choose what you would rather have trained in, "
        "and keep failures rare."
    )

"""What the judge will cost a training job: how often it is called, with how many tokens, at which price.

calls = (records * samples a prompt * epochs + eval records * evaluations) * calls an answer
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, Final

from rftj_cli.errors import CannotTell, InputError
from rftj_cli.files.prices import FREE, price_of
from rftj_cli.files.runs import Run, open_run
from rftj_cli.rft.settings import Hyper

UPPER: Final = "no more calls than this: early stopping and dropped prompts make fewer"


@dataclass(frozen=True, slots=True)
class Rate:
    """What judging one answer takes, and how that is known. Tokens None: unknown."""

    calls: float
    input_tokens: float | None
    output_tokens: float | None
    method: str
    of_answers: bool = True  # whether the answers' own tokens are in it


@dataclass(frozen=True, slots=True)
class JudgeForecast:
    """Answers to be judged, calls of the judge, tokens and US dollars; None where they cannot be known, with a note.

    `answers_counted`: whether the answers' own tokens are among the tokens, and so in the cost.
    """

    steps: int
    train_answers: int
    evaluations: int
    eval_answers: int
    calls: int | None
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    model: str | None
    price: str | None
    method: str
    note: str
    answers_counted: bool = True

    def refuse_beyond(self, ceiling: float | None) -> None:
        """Raise `CannotTell` where the judge would cost more, `InputError` where that is unknown."""
        if ceiling is None:
            return
        if not ceiling >= 0:
            raise InputError("not an amount", key="--max-cost", found=ceiling, expected="US dollars")
        if self.cost is None:
            raise InputError("--max-cost needs to know what the judge costs", key="--max-cost", found=self.note,
                             hint="--run RUN measures its tokens, --prices FILE gives its price")  # fmt: skip
        if self.cost > ceiling:
            about = "about" if self.answers_counted else "at least"
            raise CannotTell(
                f"the judge would cost {about} ${self.cost:,.2f}, more than --max-cost {ceiling:g}: nothing was started"
            )


def forecast(
    manifest: Mapping[str, Any], records: Mapping[str, int], hyper: Hyper, run: str | None, prices: Path | None
) -> JudgeForecast:
    """The forecast for a prepared data set. `run` measures what a judgement takes; else it is the manifest's estimate."""
    rubric = manifest.get("rubric") or {}
    measured = None if run is None else open_run(run)
    if measured is not None and rubric and measured.manifest.judge_fingerprint != rubric["judge_fingerprint"]:
        raise InputError(
            "this run was judged by another judge than the one the data was prepared with", file=run, key="--run",
            found=measured.manifest.judge_fingerprint[:8], expected=str(rubric["judge_fingerprint"])[:8],
        )  # fmt: skip
    rate = _measured(measured) if measured is not None else _estimated(manifest.get("judging"))
    model = rubric.get("model") or (None if measured is None else measured.manifest.model)
    steps = ceil(records["train"] / hyper.batch_size) * hyper.epochs
    evaluations = _evaluations(steps, records, hyper)
    train, evals = records["train"] * hyper.samples_per_prompt * hyper.epochs, records.get("eval", 0) * evaluations
    answers = train + evals
    tokens = [None if rate is None or one is None else round(answers * one) for one in _tokens(rate)]
    price = None if model is None else price_of(model, prices, rubric.get("tier", "default"))
    cost = None
    if price is not None and tokens[0] is not None and tokens[1] is not None:
        cost = price.cost(tokens[0], tokens[1])
    replayed = model is not None and model.partition(":")[0] in FREE
    return JudgeForecast(
        steps, train, evaluations, evals, None if rate is None else ceil(answers * rate.calls), tokens[0], tokens[1],
        None if replayed else cost, model, None if price is None else price.source,
        "unknown" if rate is None else rate.method, _note(rate, model, replayed, cost),
        rate is None or rate.of_answers,
    )  # fmt: skip


def _tokens(rate: Rate | None) -> tuple[float | None, float | None]:
    return (None, None) if rate is None else (rate.input_tokens, rate.output_tokens)


def _evaluations(steps: int, records: Mapping[str, int], hyper: Hyper) -> int:
    """How often the eval records are answered: every `eval_interval` steps, by AWS's default min(10, data / batch)."""
    if not records.get("eval"):
        return 0
    auto = max(1, min(10, records["train"] // hyper.batch_size))
    return max(1, steps // (hyper.eval_interval or auto))


def _measured(run: Run) -> Rate:
    store = run.store()
    try:
        usage, outcomes, replies = store.usage(), store.count("outcomes"), store.count("replies")
    finally:
        store.close()
    if not outcomes:
        raise InputError("this run has judged nothing", file=run.folder, key="--run")
    calls = replies / outcomes
    given, written = (None if one is None else one * calls for one in (usage.input_tokens, usage.output_tokens))
    return Rate(calls, given, written, f"measured on {outcomes:,} answers of {run.folder}")


def _estimated(judging: Mapping[str, Any] | None) -> Rate | None:
    if not judging:
        return None
    real = judging.get("of_answers") == "real"
    answers = "real answers" if real else "prompts alone: the answers' own tokens are not in it"
    return Rate(
        judging["calls"],
        judging["input_tokens"],
        judging["output_tokens"],
        f"estimated from the rubric and {answers}",
        real,
    )


def _note(rate: Rate | None, model: str | None, replayed: bool, cost: float | None) -> str:
    if rate is None:
        return "unknown: prepare the data with --rubric, or measure with --run RUN"
    if replayed:
        return f"the rubric's model is {model}, which costs nothing here and cannot judge in Lambda"
    if cost is None and rate.input_tokens is None:
        return "the replies of this run tell no tokens"
    if cost is None:
        return f"the price of {model} is unknown: --prices FILE"
    return UPPER

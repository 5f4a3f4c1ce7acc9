"""What `rftj check` prints."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from rftj_cli.errors import counted
from rftj_cli.kernel.outcome import Request
from rftj_cli.report.blocks import Block, Facts, Heading, Lines
from rftj_cli.report.documents import show_json
from rftj_cli.report.words import money
from rftj_cli.running.checking import SCHEMA, Checked


def show(checked: Checked, *, json: bool, text: bool | None = None) -> None:
    """Print the result in the wanted form. Without `text` the prompt, which holds text of a sample, is not shown.

    None shows it except where CI keeps logs that others read (the environment variable CI is set).
    """
    text = "CI" not in os.environ if text is None else text
    if json:
        show_json(document(checked if text else replace(checked, first=None)))
        return
    from rftj_cli.report import console

    console.show(list(_blocks(checked, text)))


def document(checked: Checked) -> dict[str, Any]:
    """The result as plain data."""
    rubric, forecast, first = checked.rubric, checked.forecast, checked.first
    return {
        "schema": SCHEMA,
        "rubric": {
            "name": rubric.name,
            "kind": rubric.kind,
            "criteria": [criterion.id for criterion in rubric.criteria],
            "checks": [one.id for one in rubric.checks],
            "model": rubric.judge.model,
            "judge_fingerprint": rubric.judge_fingerprint,
            "reward_fingerprint": rubric.reward_fingerprint,
        },
        "forecast": None
        if forecast is None
        else {
            "samples": forecast.samples,
            "groups": forecast.groups,
            "clusters": forecast.clusters,
            "splits": forecast.splits,
            "calls": forecast.calls,
            "input_tokens": forecast.input_tokens,
            "output_tokens": forecast.output_tokens,
            "cost": forecast.cost,
            "price": None if forecast.price is None else forecast.price.source,
        },
        "labels": checked.labels,
        "prompt": None if first is None else {"system": first.request.system, "user": first.request.user},
        "warnings": list(checked.warnings),
    }


def _blocks(checked: Checked, text: bool) -> Iterator[Block]:
    rubric, forecast = checked.rubric, checked.forecast
    rows = [
        (
            "rubric",
            f"{rubric.name} ({rubric.kind}), judge {rubric.judge_fingerprint[:8]}, reward {rubric.reward_fingerprint[:8]}",
        ),
        ("criteria", ", ".join(f"{one.id} ({levels(one.scale.names)})" for one in rubric.criteria) or "none"),
    ]
    if rubric.checks:
        rows.append(("checks", ", ".join(f"{one.id} ({one.type})" for one in rubric.checks)))
    rows.append(("model", rubric.judge.model))
    if forecast is not None:
        splits = ", ".join(f"{name} {count:,}" for name, count in sorted(forecast.splits.items()))
        rows.append(("samples", f"{forecast.samples:,} in {counted(forecast.groups, 'group')}; {splits}"))
        rows.append(("labels", f"{checked.labels:,}" if checked.labels else "none"))
        tokens = f"about {forecast.input_tokens:,} tokens in and {forecast.output_tokens:,} out"
        rows.append(("forecast", f"{counted(forecast.calls, 'call')}, {tokens}"))
        price = "unknown: give it with --prices FILE"
        if forecast.price is not None:
            price = f"about {money(forecast.cost)} (prices: {forecast.price.source})"
        rows.append(("cost", price))
    yield Facts(rows)
    if checked.first is not None:
        yield Heading("The first prompt, as it is sent")
        yield from (
            _prompt(checked.first.request) if text else [Lines(["not shown: it holds text of a sample (--show-text)"])]
        )
    if checked.warnings:
        yield Heading("Known faults")
        yield Lines(list(checked.warnings))


def _prompt(request: Request) -> Iterator[Block]:
    if request.system:
        yield Facts([("system", request.system)])
    yield Facts([("user", request.user or "(this judge reads the sample, not a prompt)")])


def levels(names: Sequence[str]) -> str:
    """The levels of a scale in a line: all of a few, the ends of many."""
    return " | ".join(names) if len(names) <= 6 else f"{names[0]} to {names[-1]}, {len(names)} levels"

"""Published judges compared on the same items: `diff-prompts` says what statsmodels and sums over groups say of the raw replies."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.weightstats import DescrStatsW

from rftj_cli.main import run as run_cli
from rftj_cli.stats.paired import newcombe_10

from . import test_llmbar as llmbar
from .replaying import shared
from .test_scores import scored

ADVERSARIAL = ("Neighbor", "GPTInst", "GPTOut", "Manual")
CREDIT = {"A": 1.0, "tie": 0.5, "B": 0.0}


def compared(*arguments: object) -> dict[str, Any]:
    out = StringIO()
    with redirect_stdout(out), redirect_stderr(StringIO()):
        code = run_cli(["diff-prompts", *map(str, arguments), "--split", "all", "--json"])
    assert code in (0, 3), out.getvalue()
    document: dict[str, Any] = json.loads(out.getvalue())
    return document


def verdict(row: dict[str, Any], variant: str) -> str | None:
    """What both orders come to: the winner of both, a tie where they differ, None where one cannot be read."""
    pattern = llmbar.VERDICT + (" is better" if variant == "CoT" else "")
    winners = []
    for text, sides in ((row["raw_orig"], "AB"), (row["raw_swapped"], "BA")):
        found = re.findall(pattern, text or "")
        if not found:
            return None
        winners.append(sides["ab".index(found[-1])])
    return winners[0] if winners[0] == winners[1] else "tie"


@pytest.mark.parametrize("variant", ["Vanilla_NoRules", "CoT"])
def test_prompts_of_llmbar(variant: str, home: Path) -> None:
    """GPT-4 with a variant against its Vanilla prompt, adversarial subsets: counts, difference, interval and p."""
    sides = {}
    for name in ("Vanilla", variant):
        hard = [row for row in llmbar.outputs()["GPT-4", name] if any(part in row["id"] for part in ADVERSARIAL)]
        samples = [{**llmbar.sample(row), "group": row["id"]} for row in hard]
        texts = [one for row in hard for one in llmbar.replies(row)]
        run = llmbar.replay(home / name, llmbar.rubric(name), samples, texts)
        sides[name] = (run, {row["id"]: verdict(row, name) for row in hard})
    document = compared(sides["Vanilla"][0], sides[variant][0], "--on", "preference")
    found = document["candidates"][0]["criteria"]["preference"]

    truth = {id: llmbar.SIDE[llmbar.items()[id]["label"]] for id in sides[variant][1]}
    both = [id for id in truth if all(sides[name][1][id] is not None for name in sides)]
    right = np.array([[sides[name][1][id] == truth[id] for name in ("Vanilla", variant)] for id in both])
    fixed, broken = int((right[:, 1] & ~right[:, 0]).sum()), int((right[:, 0] & ~right[:, 1]).sum())
    assert (found["labelled"], found["fixed"], found["broken"]) == (len(both), fixed, broken)

    table = np.array([[(right.all(1)).sum(), broken], [fixed, (~right.any(1)).sum()]])
    exact = mcnemar(table, exact=True).pvalue
    middle = min(1.0, exact - binom.pmf(min(fixed, broken), fixed + broken, 0.5))
    strict = found["numbers"]["agreement"]
    assert strict["p"]["value"] == pytest.approx(middle, rel=1e-9)
    assert strict["difference"]["value"] == pytest.approx((fixed - broken) / len(both))
    interval = newcombe_10(table[0, 0], fixed, broken, table[1, 1])  # equal to the published tables: tests/stats
    assert (strict["difference"]["low"], strict["difference"]["high"]) == pytest.approx(interval)

    gains = [credit(sides[variant][1][id], truth[id]) - credit(sides["Vanilla"][1][id], truth[id]) for id in both]
    described = DescrStatsW(np.array(gains))
    decided = found["numbers"]["pair_accuracy"]["difference"]
    assert decided["value"] == pytest.approx(described.mean)
    assert (decided["low"], decided["high"]) == pytest.approx(described.tconfint_mean(), abs=0.004)  # nearly paired t
    print(
        f"{variant} against Vanilla: fixed {fixed}, broken {broken}, {decided['value']:+.3f}, mid-p {middle:.3g};",
        end=" ",
    )
    print(document["candidates"][0]["answer"]["change"]["word"])


def credit(level: str | None, truth: str) -> float:
    assert level is not None
    return CREDIT[level] if truth == "A" else 1 - CREDIT[level]


def means(items: Sequence[dict[str, Any]], votes: int) -> list[list[float | None]]:
    """The mean of the first votes of each response; None for one that has too few to be judged."""
    found = []
    for item in items:
        cast = [[s for s in scores[:votes] if s is not None] for scores in item["full_scores"]]
        found.append([fmean(one) if 2 * len(one) > votes else None for one in cast])
    return found


@pytest.mark.parametrize(
    ("second", "votes", "count"),
    [("base_both_k8", 8, 150), pytest.param("base_full_k8_t0.0", 1, 10_000, marks=pytest.mark.slow)],
)
def test_votes_and_temperature_of_reward_bench_2(second: str, votes: int, count: int, home: Path) -> None:
    """One vote against eight, and temperature 1 against 0: pair accuracy, its difference and the t interval over groups."""
    rows = [one for one in shared("rb2_ensembling/scores.jsonl.gz") if not one["refused"]]
    keyed = [{(r["subset"], r["id"]): r for r in rows if r["collection"] == name} for name in ("base_both_k8", second)]
    keys = [key for key in keyed[0] if key in keyed[1]][:count]
    one, other = ([side[key] for key in keys] for side in keyed)
    runs = [scored(home / "a", one, "full", 1), scored(home / "b", other, "full", votes)]
    document = compared(*runs)
    found = document["candidates"][0]["reward"]["pair_accuracy"]

    gains, pairs, right = [], [], np.zeros(2)
    for first, last in zip(means(one, 1), means(other, votes), strict=True):
        both = [pair for pair in zip(first, last, strict=True) if None not in pair]
        if (first[0], last[0]) != (both[0] if both else None) or len(both) < 2:
            continue  # without the right response there is no pair that the labels tell apart
        sides = list(zip(*both, strict=True))
        wins = [sum((side[0] > x) + (side[0] == x) / 2 for x in side[1:]) for side in sides]
        right += wins
        gains.append(wins[1] - wins[0])
        pairs.append(len(both) - 1)
    total = sum(pairs)
    assert found["difference"]["n"] == total
    assert [found[side]["value"] for side in ("before", "after")] == pytest.approx(list(right / total))
    value = sum(gains) / total
    pulls = np.array(gains) - value * np.array(pairs)
    from scipy.stats import t

    half = t.ppf(0.975, len(pairs) - 1) * np.sqrt((pulls**2).sum() * len(pairs) / (len(pairs) - 1)) / total
    ends = found["difference"]["low"], found["difference"]["high"]
    assert ends == pytest.approx(
        (value - half, value + half), abs=0.008
    )  # what B gains and loses: nearly t of the ratio
    print(f"{second} k={votes}: {right[0] / total:.4f} -> {right[1] / total:.4f}, {value:+.4f} +- {half:.4f};", end=" ")
    print(document["candidates"][0]["answer"]["change"]["word"])

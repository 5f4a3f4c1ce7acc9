"""LLMBar (Zeng et al. 2024): the recorded replies of four judges give the accuracies and order agreements published."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rftj_cli.files.rubrics import load_rubric
from rftj_cli.files.runs import open_run
from rftj_cli.files.samples import SampleFile
from rftj_cli.kernel.asks import asks
from rftj_cli.kernel.compile import compile_rubric
from rftj_cli.kernel.parse import parse_reply

from .replaying import calibrate, replay, shared, value

Row = dict[str, Any]
VARIANTS = ("Vanilla_NoRules", "Vanilla", "CoT", "Metrics_Reference")
JUDGES = ("GPT-4", "PaLM2", "ChatGPT", "LLaMA2")
EVERYWHERE = JUDGES[:2]  # the others are replayed under `-m slow`
REPLAYED = [
    pytest.param(judge, variant, marks=[] if judge in EVERYWHERE else [pytest.mark.slow])
    for judge in JUDGES
    for variant in VARIANTS
    if (judge, variant) != ("PaLM2", "CoT")  # its stored verdicts contradict its replies
]
VERDICT = r"Output \(([ab])\)"
SIDE = {1: "A", 2: "B", "1": "A", "2": "B"}


@cache
def items() -> dict[str, Row]:
    return {row["id"]: row for row in shared("llmbar/items.jsonl")}


@cache
def outputs() -> dict[tuple[str, str], list[Row]]:
    """The recorded replies by judge and prompt variant."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in shared("llmbar/judge_outputs.jsonl.gz"):
        found.setdefault((row["judge"], row["prompt_variant"]), []).append(row)
    return found


@cache
def published() -> dict[tuple[str, str], dict[str, tuple[float, float]]]:
    """Accuracy and order agreement by judge and variant, then by subset."""
    found: dict[tuple[str, str], dict[str, tuple[float, float]]] = {}
    for row in shared("llmbar/published_statistics.jsonl"):
        figures = _percent(row["published"]["correct_average"]), _percent(row["published"]["equal"])
        found.setdefault((row["judge"], row["prompt_variant"]), {})[row["subset"]] = figures
    return found


def _percent(text: str) -> float:
    return float(text.split("=")[-1].strip(" %")) / 100


@cache
def sections(variant: str) -> dict[str, str]:
    """The system and user part of a published template."""
    path = f"LLMEvaluator/evaluators/prompts/comparison/{variant}.txt"
    text = next(row["template"] for row in shared("llmbar/prompts.jsonl") if row["path"] == path)
    return dict(re.findall(r"<\|im_start\|>(\w+)\n(.*?)\n<\|im_end\|>", text, re.DOTALL))


def rubric(variant: str) -> Row:
    names = {"output_1": "response_a", "output_2": "response_b"}
    prompt = {
        role: re.sub(r"{(\w+)}", lambda found: "{{ " + names.get(found[1], found[1]) + " }}", text)
        for role, text in sections(variant).items()
    }
    # Under CoT the reply names both outputs while it reasons, and ends with the verdict.
    parse = {"regex": VERDICT + (" is better" if variant == "CoT" else ""), "map": {"a": "A", "b": "B"}, "take": "last"}
    judge = {"model": "replay:published"}
    return {"name": f"llmbar-{variant}", "kind": "preference", "prompt": prompt, "parse": parse, "judge": judge}


def sample(output: Row) -> Row:
    item = items()[output["id"]]
    row = {"id": item["id"], "input": item["input"], "subset": item["subset"], "label": SIDE[item["label"]]}
    aux = {f"auxiliary_input_{index}": text for index, text in enumerate(output["aux"])}
    return {**row, "response_a": item["output_1"], "response_b": item["output_2"], **aux}


def replies(output: Row) -> list[Row]:
    texts = {"given": output["raw_orig"], "swapped": output["raw_swapped"]}
    return [{"id": output["id"], "order": order, "text": text} for order, text in texts.items()]


def replayed(folder: Path, judge: str, variant: str) -> Path:
    recorded = outputs()[judge, variant]
    return replay(
        folder, rubric(variant), [sample(one) for one in recorded], [r for one in recorded for r in replies(one)]
    )


def by_subset(report: Row, criterion: str) -> Mapping[str, Row]:
    return {subset: part[criterion] for subset, part in report["slices"]["subset"].items()}


def accuracy(estimates: Row) -> float:
    return value(estimates, "reply_accuracy_failures_wrong", "reply_accuracy")


def same_winner(estimates: Row) -> float:
    return value(estimates, "order_agreement_failures_included", "order_agreement")


@pytest.mark.parametrize(("judge", "variant"), REPLAYED)
def test_replies_give_the_published_figures(judge: str, variant: str, home: Path) -> None:
    """A failed reply counts as wrong and two as agreeing; the reading without failures stands beside it."""
    report = calibrate(replayed(home, judge, variant), "--by", "subset")
    slices, expected = by_subset(report, "preference"), published()[judge, variant]
    assert slices.keys() == expected.keys()
    for subset, figures in expected.items():
        estimates = slices[subset]["estimates"]
        without = estimates["reply_accuracy"], estimates["order_agreement"]
        print(f"{judge} {variant} {subset}: {accuracy(estimates):.3f} {same_winner(estimates):.3f}", end=" ")
        print("without failures", *(f"{one['value']:.3f} (n {one['n']})" for one in without))
        assert (accuracy(estimates), same_winner(estimates)) == pytest.approx(figures, abs=1e-9), subset
    total = report["criteria"]["preference"]["estimates"]
    for reading in ("reply_accuracy", "order_agreement"):
        assert total[reading]["value"] is not None
    assert ("reply_accuracy_failures_wrong" in total) == (report["counts"]["failed"] > 0)


def test_requests_are_the_published_prompts(home: Path) -> None:
    """The rubrics render what the judges were sent, in both orders."""
    folder = replayed(home, "GPT-4", "Metrics_Reference").parent
    compiled = load_rubric(folder / "rubric.yaml")
    aux = {one["id"]: one["aux"] for one in outputs()["GPT-4", "Metrics_Reference"]}
    for _, one in SampleFile(folder / "samples.jsonl", "preference"):
        item, given = items()[one.id], sections("Metrics_Reference")
        filling = {"input": item["input"], **{f"auxiliary_input_{i}": text for i, text in enumerate(aux[one.id])}}
        for ask in asks(compiled, one):
            first, second = ("output_1", "output_2") if ask.order == "given" else ("output_2", "output_1")
            texts = {**filling, "output_1": item[first], "output_2": item[second]}
            user = re.sub(r"{(\w+)}", lambda found: texts[found[1]], given["user"])  # noqa: B023
            assert (ask.request.system, ask.request.user) == (given["system"], user)


def test_palm2_stored_verdicts_contradict_its_replies(home: Path) -> None:
    """146 of PaLM2's 838 stored CoT verdicts are not what its replies say: read honestly it is better than published."""
    run = replayed(home / "parsed", "PaLM2", "CoT")
    stored = {one["id"]: (one["verdict_orig"], one["verdict_swapped"]) for one in outputs()["PaLM2", "CoT"]}
    store = open_run(str(run)).store()
    ballots = [(row.sample.id, ballot) for row, outcome in store.outcomes() for ballot in outcome.outcome.ballots]
    store.close()
    differ = [id for id, one in ballots if SIDE.get(stored[id][one.order == "swapped"]) != one.level]
    assert (len(ballots), len(differ)) == (838, 146)
    assert "LLMBar-Adversarial-GPTInst-005" in differ

    parsed = by_subset(calibrate(run, "--by", "subset"), "preference")
    figures = {}
    for subset, (right, _) in published()["PaLM2", "CoT"].items():
        figures[subset] = accuracy(parsed[subset]["estimates"])
        print(f"PaLM2 CoT {subset}: stored verdicts {right:.3f}, replies parsed {figures[subset]:.3f}")
    assert published()["PaLM2", "CoT"]["LLMBar/Natural"][0] == pytest.approx(0.73)
    assert figures["LLMBar/Natural"] == pytest.approx(0.80, abs=0.01)
    assert stored_accuracy(home, "PaLM2", "CoT")["LLMBar/Natural"] == pytest.approx(0.73)


def verdict_table(path: Path, judge: str, variant: str) -> Path:
    """The stored verdicts, one row for each order; a missing one is a word of its own."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["pair", "subset", "label", "verdict", "swapped"])
        for one in outputs()[judge, variant]:
            verdicts = [SIDE.get(one[key], "none") for key in ("verdict_orig", "verdict_swapped")]
            label = SIDE[items()[one["id"]]["label"]]
            writer.writerows([one["id"], one["subset"], label, verdict, verdicts[1]] for verdict in verdicts)
    return path


def stored_accuracy(folder: Path, judge: str, variant: str) -> dict[str, float]:
    table = verdict_table(folder / "verdicts.csv", judge, variant)
    columns = ("--judge", "verdict", "--human", "label", "--group", "pair", "--no-verdict", "none", "--by", "subset")
    slices = by_subset(calibrate("--table", table, *columns), "label")
    return {s: value(part["estimates"], "agreement_failures_wrong", "agreement") for s, part in slices.items()}


RATINGS = [("GPT-4", f"Rating{rest}") for rest in ("", "_NoRules", "_Metrics", "_Reference", "_Metrics_Reference")]
RATINGS += [("ChatGPT", "Rating"), ("ChatGPT", "Rating_NoRules")]


@pytest.mark.parametrize(("judge", "variant"), RATINGS)
def test_rating_variants_through_a_table(judge: str, variant: str, home: Path) -> None:
    """Their raw replies were not published: the stored verdicts give the published accuracies through `--table`."""
    expected = {subset: figures[0] for subset, figures in published()[judge, variant].items()}
    assert stored_accuracy(home, judge, variant) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("regex", [VERDICT, r"(?i)output \(?([ab])\b", r"\(([ab])\)"])
def test_no_readable_reply_is_lost_as_a_quotation(regex: str) -> None:
    """Every reply in which a regex finds a verdict is read as that verdict, whatever letters the sample holds."""
    for take, place in (("first", 0), ("last", -1)):
        made = compile_rubric(
            {**rubric("Vanilla"), "parse": {"regex": regex, "map": {"a": "A", "b": "B"}, "take": take}}
        )
        (criterion,), read = made.criteria, 0
        for (judge, variant), recorded in outputs().items():
            for one in recorded:
                own = tuple(str(items()[one["id"]][key]) for key in ("input", "output_1", "output_2"))
                for text in filter(None, (one["raw_orig"], one["raw_swapped"])):
                    found = re.findall(regex, text)
                    if found:
                        level = parse_reply(text, made.criteria, made.parse, own).answers["preference"].level
                        assert criterion.scale.names[level] == found[place].upper(), (judge, variant, one["id"])
                        read += 1
        assert read > 10_000


@pytest.mark.slow
def test_all_published_accuracies_through_tables(home: Path) -> None:
    """All 225 rows of the published statistics, from the stored verdicts."""
    assert sum(len(subsets) for subsets in published().values()) == 225
    for (judge, variant), subsets in published().items():
        expected = {subset: figures[0] for subset, figures in subsets.items()}
        assert stored_accuracy(home, judge, variant) == pytest.approx(expected, abs=1e-9), (judge, variant)

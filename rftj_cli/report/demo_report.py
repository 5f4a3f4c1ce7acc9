"""The story of the demo, told with the figures that its commands printed."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote
from typing import Any

from rftj_cli.errors import counted
from rftj_cli.report.blocks import Block, Facts, Grid, Heading, Lines
from rftj_cli.report.documents import show_json
from rftj_cli.report.words import number, percent

SCHEMA = "rftj.demo/1"
SAMPLES = 8  # that the small model is given
CRITERIA = ("grounding", "consistency", "actionability")
ROWS = (
    ("no-contract", "first draft: forgot the contract"),
    ("brief", "shows the contract"),
    ("defined", "and defines the criteria"),
    ("lexical", "baseline, live: wording found in the source"),
    ("local", "135M model, live, on a few samples"),
)


def show(seen: Any, *, json: bool) -> None:
    """Print what the tour found."""
    if json:
        show_json({"schema": SCHEMA, "folder": str(seen.folder), "commands": seen.commands, "gates": seen.gates})
        return
    from rftj_cli.report import console

    console.show(_blocks(seen))


def _blocks(seen: Any) -> list[Block]:
    reports: Mapping[str, Any] = seen.calibrations
    counts = reports["brief"]["counts"]
    return [
        Facts(
            [
                (
                    "task",
                    f"judge {counts['samples']} review comments on {counts['groups']} contract clauses: {', '.join(CRITERIA)}",
                ),
                (
                    "labels",
                    "made by a language model, not by lawyers: this shows how rftj works, not how good a judge is",
                ),
                (
                    "judges",
                    "recorded: a large language model with four prompts. Live: the lexical baseline" + _local(seen),
                ),
            ]
        ),
        Heading("1. Each prompt against the labels: kappa with its 95% interval, and the gate"),
        Facts([(name, what) for name, what in ROWS if name in reports]),
        _table(seen),
        Lines([_draft(seen), _mended(seen), _defined(reports), *_small(seen)]),
        Heading("2. As a reward: does it rank two comments on the same clause as the labels do?"),
        _rewards(reports),
        Lines([_holistic(reports)]),
        Heading("3. What was run, and what it left"),
        Lines(seen.commands),
        Facts(
            [
                ("files", f"{seen.folder}: prompts/, datasets/, gate.yaml, and every reply and verdict in runs/"),
                (
                    "look",
                    f"cd {quote(str(seen.folder))} && rftj calibrate runs/no-contract --labels datasets/contract-review/labels.jsonl",
                ),
            ]
        ),
    ]


def _draft(seen: Any) -> str:
    table = seen.calibrations["no-contract"]["criteria"]["grounding"]["table"]
    passed, total = table[0][1] + table[1][1], sum(map(sum, table))
    bad = f"{table[0][1]} of the {sum(table[0])} that the labels fail"
    gate = _gate(seen, "no-contract")
    return f"the first draft passes {passed} of {total} comments on grounding, and {bad}: it never saw the contract: {gate}"


def _mended(seen: Any) -> str:
    one = seen.calibrations["brief"]["criteria"]["grounding"]
    most = percent(1 - one["estimates"]["tnr"]["low"])
    bad = f"{one['table'][0][1]} of {sum(one['table'][0])} bad comments pass (at most {most})"
    return f"showing the contract mends it: {bad}: {_gate(seen, 'brief')}"


def _local(seen: Any) -> str:
    if seen.local is None:
        return f" (the 135M model {seen.local_missing})"
    seconds = seen.local["this_command"]["latency_p50"]
    took = "judged before" if seconds is None else f"{seconds:.1f} s a sample"
    few = "" if seen.local_samples == SAMPLES else f", stopped after {seen.local_samples} of {SAMPLES} samples"
    return f" and a 135M model ({took}{few})"


def _table(seen: Any) -> Grid:
    rows = []
    for name, _ in ROWS:
        if name in seen.calibrations:
            criteria = seen.calibrations[name]["criteria"]
            rows.append([name, *(_kappa(criteria[id]) for id in CRITERIA), _gate(seen, name)])
    return Grid(["prompt", *CRITERIA, "gate"], rows, tail=1)


def _kappa(criterion: Mapping[str, Any]) -> str:
    one = criterion["estimates"].get("kappa_quadratic") or criterion["estimates"]["kappa"]
    if one["value"] is None:
        return "-"
    bounds = "" if one["low"] is None else f" [{number(one['low'])}, {number(one['high'])}]"
    return f"{number(one['value'])}{bounds}"


def _gate(seen: Any, name: str) -> str:
    return str(seen.gates[name]["decision"]) if name in seen.gates else ""


def _defined(reports: Mapping[str, Any]) -> str:
    brief, defined = ({id: _errors(reports[name]["criteria"][id]) for id in CRITERIA} for name in ("brief", "defined"))
    return (
        f"defining the criteria adds nothing that these samples can show: {sum(brief.values())} verdicts differ from the "
        f"labels with `brief`, {sum(defined.values())} with `defined`, of {sum(_total(reports['brief'], id) for id in CRITERIA)}"
    )


def _total(report: Mapping[str, Any], id: str) -> int:
    return sum(map(sum, report["criteria"][id]["table"]))


def _errors(criterion: Mapping[str, Any]) -> int:
    return sum(count for h, row in enumerate(criterion["table"]) for j, count in enumerate(row) if h != j)


def _small(seen: Any) -> list[str]:
    if "local" not in seen.calibrations:
        return []
    tables = {id: seen.calibrations["local"]["criteria"][id]["table"] for id in CRITERIA}
    used = {id: sum(any(row[j] for row in table) for j in range(len(table))) for id, table in tables.items()}
    constant = [id for id, count in used.items() if count == 1]
    says = f"one and the same verdict on {', '.join(constant)}" if constant else "verdicts close to chance"
    return [
        f"the 135M model proves the path of a live model, no more: on {counted(seen.local_samples, 'sample')} it gives {says}"
    ]


def _rewards(reports: Mapping[str, Any]) -> Grid:
    rows = []
    for name, what in (*ROWS[:4], ("rating-1-10", "one holistic rating of 1 to 10")):
        reward = reports[name]["reward"]
        one = reward["estimates"]["pair_accuracy"]
        interval = f"{number(one['value'], 3)} [{number(one['low'])}, {number(one['high'])}]"
        rows.append([name, what, interval, str(reward["right"]), str(reward["tied"]), str(reward["pairs"])])
    return Grid(["prompt", "", "pair accuracy", "right", "tied", "pairs"], rows, left=2)


def _holistic(reports: Mapping[str, Any]) -> str:
    rating, brief = (reports[name]["reward"] for name in ("rating-1-10", "brief"))
    wrong, other = (one["pairs"] - one["right"] - one["tied"] for one in (rating, brief))
    return (
        f"the holistic rating is the poorer reward: it orders {wrong} pairs wrongly and ties {rating['tied']}, the same "
        f"model asked for three criteria {other} and {brief['tied']}. In training, ties give no signal and wrong orders "
        "train the wrong thing"
    )

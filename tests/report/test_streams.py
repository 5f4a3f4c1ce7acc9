"""Results on stdout, talk on stderr, one document under --json, and no number that is no number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from making import write_rows, write_rubric
from reporting import binary, rftj, scored, succeed, truth_labels

from rftj_cli.errors import counted
from rftj_cli.report.blocks import Entries, Facts, Grid, Heading, Lines, to_markdown
from rftj_cli.report.documents import to_plain
from rftj_cli.report.words import cut, duration, interval, money, number, percent, plain
from rftj_cli.stats.estimate import Estimate


@pytest.fixture
def project(home: Path) -> dict[str, tuple[object, ...]]:
    """A command of each kind, ready to be run."""
    truth, verdicts = binary([[12, 3], [2, 23]])
    run, file = scored(home, {**verdicts, "s1": None}), truth_labels(home, truth)
    (home / "gate.yaml").write_text("min: {kappa: 0.2}\nmax_failures: 0.5")
    return {
        "score": (
            "score",
            home / "run.yaml",
            home / "run.jsonl",
            "--import-replies",
            home / "run-replies.jsonl",
            "--run",
            run,
        ),
        "calibrate": ("calibrate", run, "--labels", file),
        "gate": ("gate", run, "--labels", file, "--rules", home / "gate.yaml"),
        "check": ("check", home / "run.yaml", home / "run.jsonl", "--labels", file),
    }


def refuse_constants(name: str) -> float:
    raise AssertionError(f"{name} is not JSON")


SCHEMAS = {"score": "rftj.score/1", "calibrate": "rftj.calibration/1", "gate": "rftj.gate/1", "check": "rftj.check/1"}


@pytest.mark.parametrize("command", SCHEMAS)
def test_json_is_one_document_and_nothing_else(project: dict[str, tuple[object, ...]], command: str) -> None:
    said = succeed(*project[command], "--json")
    document = json.loads(said.out, parse_constant=refuse_constants)
    assert next(iter(document)) == "schema" and document["schema"] == SCHEMAS[command]
    assert said.err == "" or command == "calibrate"
    assert "\x1b" not in said.out


@pytest.mark.parametrize("command", SCHEMAS)
def test_quiet_silences_stderr_and_the_result_stays_on_stdout(
    project: dict[str, tuple[object, ...]], command: str
) -> None:
    loud, quiet = succeed(*project[command]), succeed(*project[command], "--quiet")
    assert quiet.err == "" and quiet.out
    assert command == "score" or quiet.out == loud.out


def test_advice_goes_to_stderr(project: dict[str, tuple[object, ...]]) -> None:
    assert "next: rftj calibrate" in succeed(*project["score"]).err
    said = succeed(*project["calibrate"])
    assert "--full" in said.err and "everything else" not in said.out


def test_quiet_still_tells_errors(home: Path) -> None:
    said = rftj("calibrate", home / "nowhere", "--quiet")
    assert said.code == 2 and said.out == "" and "no such run" in said.err


def test_the_calibration_document_has_the_keys_of_the_specification(project: dict[str, tuple[object, ...]]) -> None:
    document = succeed(*project["calibrate"], "--json").document
    expected = {"schema", "rubric", "run", "counts", "criteria", "reward", "slices", "disagreements", "warnings"}
    assert expected <= set(document)
    assert {"samples", "judged", "failed", "labelled", "used", "raters", "groups"} <= set(document["counts"])
    one = document["criteria"]["quality"]
    assert {"scale", "levels", "table", "estimates"} <= set(one)
    for estimate in one["estimates"].values():
        assert set(estimate) == {"value", "low", "high", "n", "method", "note"}


def test_a_number_that_is_not_finite_never_leaves() -> None:
    with pytest.raises(ValueError, match="not finite"):
        to_plain({"a": [1.0, float("nan")]})


def test_the_forecast_is_told_before_and_the_cost_after(home: Path, server: Any) -> None:
    rubric, samples = write_rubric(home), write_rows(home / "s.jsonl", [{"id": "s0", "response": "r"}])
    said = succeed("score", rubric, samples, "--base-url", server.base_url)
    assert "judging 1 sample with 1 call" in said.err and "cost" in said.out


WORDS = [
    (number(0.614), ".61"),
    (number(-0.021), "-.02"),
    (number(-0.001), ".00"),
    (number(1.0), "1.00"),
    (number(-1.0), "-1.00"),
    (number(12.345, 1), "12.3"),
    (number(10.0), "10.00"),
    (number(None), "-"),
    (interval(Estimate(0.5, 0.25, 1.0, 4, "m")), ".50 [.25, 1.00]"),
    (interval(Estimate(0.5, None, None, 4, "m")), ".50"),
    (interval(Estimate(None, None, None, 0, "m")), "-"),
    (percent(0.163), "16%"),
    (percent(0.004), "0.4%"),
    (percent(0.996), "99.6%"),
    (percent(None), "-"),
    (money(None), "unknown"),
    (money(0), "$0"),
    (money(0.0012), "$0.0012"),
    (money(1234.5), "$1,234.50"),
    (duration(None), "?"),
    (duration(0.31), "0.3 s"),
    (duration(42), "42 s"),
    (duration(185), "3 min 05 s"),
    (duration(7800), "2 h 10 min"),
    (counted(1, "sample"), "1 sample"),
    (counted(2000, "sample"), "2,000 samples"),
    (counted(2, "retry"), "2 retries"),
    (cut("one\n two", 20), "one two"),
    (cut("one two three", 8), "one two…"),
    (plain("a\tb\u00a0c\x1b\u202ed\r"), "a b c��d "),
]


@pytest.mark.parametrize(("found", "expected"), WORDS)
def test_numbers_in_words(found: str, expected: str) -> None:
    assert found == expected


def test_blocks_in_markdown() -> None:
    grid = Grid(["", "value\nhere", "method"], [["kappa_1", ".5", "a | b"]], left=1, tail=1)
    blocks = [
        Heading("H"),
        Lines(["one *two*"]),
        Facts([("run", "x<y")]),
        grid,
        Grid(["a"], []),
        Entries([("s0", ["said"])]),
    ]
    assert to_markdown(blocks) == (
        "### H\n\n- one \\*two\\*\n\n- **run**: x&lt;y\n\n"
        "|   | value here | method |\n| --- | ---: | --- |\n| kappa\\_1 | .5 | a \\| b |\n\n- **s0**<br>said\n"
    )


def test_the_score_summary_names_what_the_files_do_not_share(home: Path) -> None:
    scored(home, {"s0": "pass", "s1": "fail", "s2": "pass"})
    write_rows(home / "run.jsonl", [{"id": "s0", "prompt": "task s0", "response": "answer s0"}])
    command = ("score", home / "run.yaml", home / "run.jsonl", "--import-replies", home / "run-replies.jsonl")
    said = " ".join(succeed(*command, "--run", home / "run").out.split())
    assert "2 samples of this run are not in" in said and "2 replies in" in said and "belong to no sample" in said
    document = succeed(*command, "--run", home / "run", "--json").document["this_command"]
    assert (document["samples_not_in_file"], document["replies_without_sample"]) == (2, 2)

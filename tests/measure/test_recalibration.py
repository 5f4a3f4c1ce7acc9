"""`calibrate --recalibrate`: learned on dev, tested on test, written beside the old rubric."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from making import data, write_rows
from reporting import calibrated, refused, rftj, scored, succeed

CRITERIA = [
    {"id": "grade", "question": "How good?", "scale": {"min": 1, "max": 5, "step": 1}},
]


def project(home: Path, n: int = 240, **changes: Any) -> Path:
    """A judge that is a level too strict, on half dev, half test samples with labels inside."""
    rng = np.random.default_rng(2)
    rows, verdicts = [], {}
    for i in range(n):
        truth = int(rng.integers(1, 6))
        said = max(1, truth - 1 if rng.random() < 0.8 else truth)
        verdicts[f"s{i}"] = {"grade": str(said)}
        split = ("dev", "test")[i % 2]
        rows.append({"id": f"s{i}", "response": f"r{i}", "split": split, "group": f"g{i}", "label": truth})
    return scored(home, verdicts, rows=rows, criteria=CRITERIA, **changes)


def test_a_judge_that_is_too_strict_gains_and_the_rubric_has_the_map(home: Path) -> None:
    run = project(home)
    found = succeed("calibrate", run, "--recalibrate", "--json").document
    assert found["method"] == "ordinal means, m = 2" and found["look"]["number"] == 1
    assert found["test"]["mse_gain"]["low"] > 0 and "96.96%" in found["test"]["mse_gain"]["method"]
    assert found["test"]["bias_before"]["value"] < -0.1
    assert abs(found["test"]["bias_after"]["value"]) < 0.03
    assert any("cannot change the ranking" in one for one in found["sentences"])
    new = yaml.safe_load(Path(found["written"]).read_text())
    assert new["reward"]["map"] == found["map"] and Path(found["written"]).name == "run-recalibrated.yaml"
    after = home / "after"
    succeed("score", found["written"], home / "run.jsonl", "--replay", run, "--run", after, "--quiet")
    report = calibrated(after, "--split", "test")
    assert report["reward"]["estimates"]["bias"]["value"] == pytest.approx(
        found["test"]["bias_after"]["value"], abs=1e-9
    )
    assert report["rubric"]["judge_fingerprint"] == found["rubric"]["judge_fingerprint"]
    assert report["rubric"]["reward_fingerprint"] != found["rubric"]["reward_fingerprint"]
    assert report["look"]["number"] == 1, "a map makes no other judge"


def test_where_nothing_is_gained_nothing_is_written(home: Path) -> None:
    """A judge that gives the labels' own grades cannot be mapped nearer to them."""
    rows = [
        {"id": f"s{i}", "response": f"r{i}", "split": ("dev", "test")[i % 2], "group": f"g{i}", "label": 1 + i // 2 % 5}
        for i in range(240)
    ]
    verdicts = {row["id"]: {"grade": str(row["label"])} for row in rows}
    run = scored(home, verdicts, name="exact", rows=rows, criteria=CRITERIA)
    said = succeed("calibrate", run, "--recalibrate")
    assert "nothing was written" in " ".join(said.out.split())
    assert not (home / "exact-recalibrated.yaml").exists()


def test_the_same_seed_gives_the_same_map_and_no_file_is_overwritten(home: Path) -> None:
    run = project(home)
    one = succeed("calibrate", run, "--recalibrate", "--out", home / "a.yaml", "--json").document
    two = succeed("calibrate", run, "--recalibrate", "--out", home / "b.yaml", "--json").document
    assert one["map"] == two["map"] and (home / "a.yaml").read_text() == (home / "b.yaml").read_text()
    error = refused("calibrate", run, "--recalibrate", "--out", home / "a.yaml")
    assert "nothing is overwritten" in error["message"]


def test_text_around_the_reward_stays(home: Path) -> None:
    run = project(home)
    path = home / "run.yaml"
    text = (
        path.read_text()
        + "# a comment\nreward:   # mine\n  combine: weighted_mean\n  range: [0, 1]\n# the end\ndescription: yes\n"
    )
    path.write_text(text)
    succeed("score", path, home / "run.jsonl", "--replay", run, "--run", home / "again", "--quiet")
    succeed("calibrate", home / "again", "--recalibrate", "--out", home / "new.yaml")
    new = (home / "new.yaml").read_text()
    before, after = text.split("reward:")[0], "\n# the end\ndescription: yes\n"
    assert new.startswith(before) and new.endswith(after)
    assert yaml.safe_load(new)["reward"]["range"] == [0, 1]


def test_too_few_samples_of_a_split_cannot_tell(home: Path) -> None:
    run = project(home, n=30)
    said = rftj("calibrate", run, "--recalibrate")
    assert said.code == 3 and "only 15 samples of the split dev" in said.err
    assert not (home / ".rftj" / "ledger.jsonl").exists()


def test_what_cannot_take_a_map_is_refused(home: Path) -> None:
    run = project(home)
    assert "learns on dev" in refused("calibrate", run, "--recalibrate", "--split", "dev")["message"]
    assert "--metric" in refused("calibrate", run, "--recalibrate", "--metric", "x")["message"]
    assert "--out belongs to --recalibrate" in refused("calibrate", run, "--out", home / "x.yaml")["message"]
    assert "no such folder" in refused("calibrate", run, "--recalibrate", "--out", home / "no" / "x.yaml")["message"]
    assert "takes a run" in refused("calibrate", "--recalibrate")["message"]
    with (home / "run.yaml").open("a") as file:
        file.write("description: changed since\n")
    succeed("calibrate", run, "--recalibrate", "--out", home / "fine.yaml")  # a description changes nothing
    mapped = home / "mapped"
    succeed("score", home / "fine.yaml", home / "run.jsonl", "--replay", run, "--run", mapped, "--quiet")
    assert "has a map already" in refused("calibrate", mapped, "--recalibrate")["message"]
    (home / "run.yaml").write_text(yaml.safe_dump(data(criteria=CRITERIA, prompt={"user": "other {{ response }}"})))
    assert "not the one that the run was judged by" in refused("calibrate", run, "--recalibrate")["message"]


def test_a_comparison_has_no_reward(home: Path) -> None:
    rows = [{"id": f"p{i}", "response_a": "a", "response_b": "b"} for i in range(3)]
    run = scored(
        home, {f"p{i}": {"preference": "A"} for i in range(3)}, rows=rows, kind="preference", criteria=None, orders="given",
        prompt={"user": "{{ response_a }} {{ response_b }}"},
    )  # fmt: skip
    write_rows(home / "l.jsonl", [{"id": "p0", "value": "A"}])
    assert (
        "gives no reward to one" in refused("calibrate", run, "--labels", home / "l.jsonl", "--recalibrate")["message"]
    )

"""Damaged and missing stores: an error that says how to save the rest, never a bug's traceback or a second purchase."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
from making import some_rows, write_rows, write_rubric
from reporting import refused, reply_of, rftj, scored, succeed, truth_labels

from rftj_cli.errors import CannotTell
from rftj_cli.files.runs import open_run
from rftj_cli.files.store import Store
from rftj_cli.testing import FakeJudgeServer

SAMPLES = 60


@pytest.fixture
def run(home: Path) -> Path:
    """A finished run, large enough for several pages of each table, and its labels."""
    truth_labels(home, {f"s{i}": "pass" for i in range(SAMPLES)})
    rows = [{"id": f"s{i}", "prompt": f"task {i}", "response": f"answer {i} " * 40} for i in range(SAMPLES)]
    return scored(home, {f"s{i}": "fail" if i % 5 == 0 else "pass" for i in range(SAMPLES)}, rows=rows)


def flip(store: Path, offset: int, width: int = 64) -> None:
    data = bytearray(store.read_bytes())
    for place in range(offset, min(offset + width, len(data))):
        data[place] ^= 0xFF
    store.write_bytes(data)


def test_flipped_bytes_are_an_input_error_and_never_a_bug(home: Path, run: Path) -> None:
    size, chance = (run / "store.sqlite").stat().st_size, random.Random(17)
    repaired = set()
    for number in range(40):
        bad = home / f"bad{number}"
        shutil.copytree(run, bad)
        width = 64 if number % 2 else 1
        flip(bad / "store.sqlite", 0 if number == 0 else chance.randrange(size - width), width)
        labels = ("--labels", home / "labels.jsonl")
        for line in (
            ("calibrate", bad, *labels, "--quiet"),
            ("rescore", bad, "--run", home / f"re{number}", "--quiet"),
            ("score", home / "run.yaml", home / "run.jsonl", "--replay", run, "--run", bad, "--quiet"),
        ):
            said = rftj(*line)
            assert said.code == 2 and "damaged" in said.err, (number, line, said.err)
            assert "rftj run repair" in said.err
        saved = rftj("run", "repair", bad, "--to", home / f"saved{number}", "--quiet")
        assert saved.code in (0, 2), saved.err
        repaired.add(saved.code)
    assert 0 in repaired


def test_a_store_without_a_seal_is_held_to_its_structure(home: Path, run: Path) -> None:
    """As of older versions, or of a writer that was killed: no checksum, and still no traceback."""
    document = json.loads((run / "run.json").read_text())
    del document["store_crc"]
    (run / "run.json").write_text(json.dumps(document))
    size, chance = (run / "store.sqlite").stat().st_size, random.Random(18)
    for number in range(15):
        bad = home / f"bad{number}"
        shutil.copytree(run, bad)
        flip(bad / "store.sqlite", chance.randrange(size))
        said = rftj("calibrate", bad, "--labels", home / "labels.jsonl", "--quiet")
        assert said.code in (0, 2), (number, said.err)


def test_what_is_left_is_saved_and_the_run_goes_on(home: Path, run: Path) -> None:
    bad = home / "bad"
    shutil.copytree(run, bad)
    data = (bad / "store.sqlite").read_bytes()
    flip(bad / "store.sqlite", data.index(b"answer 7 answer 7") - 1500, 3000)
    before = (bad / "store.sqlite").read_bytes()
    said = refused("calibrate", bad, "--labels", home / "labels.jsonl")
    assert said["file"] == str(bad / "store.sqlite") and f"rftj run repair {bad}" in said["hint"]
    done = succeed("run", "repair", bad, "--json").document
    assert (bad / "store.sqlite").read_bytes() == before and done["run"] == str(home / "bad-repaired")
    assert 0 < done["tables"]["samples"]["lost"] < SAMPLES and 0 < done["judged"] < SAMPLES
    assert done["judged"] + done["tables"]["outcomes"]["lost"] == SAMPLES
    line = ("score", home / "run.yaml", home / "run.jsonl", "--import-replies", home / "run-replies.jsonl")
    succeed(*line, "--run", done["run"], "--quiet")
    whole = {row.sample.id: out for row, out in open_run(str(run)).store().outcomes()}
    assert {row.sample.id: out for row, out in open_run(done["run"]).store().outcomes()} == whole


def test_a_whole_run_is_repaired_to_itself(home: Path, run: Path) -> None:
    done = succeed("run", "repair", run, "--json").document
    assert {name: one["lost"] for name, one in done["tables"].items()} == dict.fromkeys(done["tables"], 0)
    assert open_run(done["run"]).manifest.status == "complete"
    assert "60 saved, 0 lost" in succeed("run", "repair", run).out
    assert refused("run", "repair", run, "--to", done["run"])["key"] == "--to"


def test_a_store_that_is_gone_is_not_paid_for_again(home: Path, server: FakeJudgeServer) -> None:
    write_rubric(home, "run.yaml", judge={"model": "openai:some-model"})
    write_rows(home / "run.jsonl", some_rows(5))
    line = ("score", home / "run.yaml", home / "run.jsonl", "--run", "runs/1", "--base-url", server.base_url)
    succeed(*line, "--quiet")
    store = Path("runs/1/store.sqlite")
    for gone in (store.unlink, store.touch):
        gone()
        assert "its store is gone" in refused(*line)["message"]
    assert len(server.bodies) == 5
    assert refused("run", "repair", "runs/1")["problem"] == "this run has no store: there is nothing to repair"


def test_a_folder_that_is_deleted_in_mid_run_ends_it(home: Path) -> None:
    write_rubric(home, "run.yaml", judge={"model": "openai:some-model"})
    write_rows(home / "run.jsonl", some_rows(400))

    def answer(body: object) -> str:
        if len(fake.bodies) > 20:
            shutil.rmtree("runs/1", ignore_errors=True)
        return reply_of("pass")

    with FakeJudgeServer(answer, latency=0.05) as fake:
        line = ("score", home / "run.yaml", home / "run.jsonl", "--run", "runs/1", "--base-url", fake.base_url)
        said = rftj(*line, "--workers", 8, "--quiet")
        assert said.code == 3 and "removed or replaced" in said.err and "Traceback" not in said.err
        assert len(fake.bodies) < 400


def test_a_store_that_was_removed_takes_no_rows(home: Path) -> None:
    store = Store(home / "store.sqlite", write=True)
    (home / "store.sqlite").unlink()
    with pytest.raises(CannotTell, match="removed or replaced"):
        store.write([])


def test_a_manifest_of_a_newer_version_is_refused(home: Path, run: Path) -> None:
    path = run / "run.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "schema": "rftj.run/2", "calls": "many"}))
    said = refused("calibrate", run)
    assert (said["key"], said["found"]) == ("schema", "'rftj.run/2'")

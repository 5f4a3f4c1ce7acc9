"""`rftj reward watch`: what it prints, its exit codes, anchors, what to label, and following."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reporting import refused, rftj, scored, succeed
from reward_log_making import Course, simulated, write

from rftj_cli.cloud import Call, CloudError
from rftj_cli.files.reward_logs import Intake
from rftj_cli.kernel.events import read_row
from rftj_cli.reward.watch import Watching, WatchQuestion

HACKED = Course(reward=0.25, words=0.8, grounding=-0.4)


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("width", ["80", "120"])
def test_the_report_fits_its_width(home: Path, monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    monkeypatch.setenv("COLUMNS", width)
    write(home / "log.jsonl", simulated(HACKED))
    said = succeed("reward", "watch", "log.jsonl", "--html", "page.html")
    assert max(map(len, said.out.splitlines())) <= int(width)
    assert "verbosity: the reward rises while answers get longer" in said.out
    assert "criterion_down grounding" in said.out and "look at: p" in said.out
    assert "Signs of trouble" in (home / "page.html").read_text()
    assert "### Signs" in succeed("reward", "watch", "log.jsonl", "--markdown").out


def test_exit_codes(home: Path) -> None:
    write(home / "quiet.jsonl", simulated())
    write(home / "hacked.jsonl", simulated(HACKED))
    write(home / "short.jsonl", simulated(prompts=4, epochs=2, batch=2))
    assert rftj("reward", "watch", "quiet.jsonl", "--strict").code == 0
    assert rftj("reward", "watch", "hacked.jsonl").code == 0
    assert rftj("reward", "watch", "hacked.jsonl", "--strict").code == 1
    short = rftj("reward", "watch", "short.jsonl", "--json")
    assert short.code == 3 and "30 rewards of 8 prompts are needed" in short.document["needed"]
    assert short.document["windows"] and not short.document["signs"]


def test_two_rewards_in_one_log_are_kept_apart(home: Path) -> None:
    """The reward was changed in mid-run: a warning, windows of one reward only, and no sign out of the change."""
    first, then = simulated(prompts=24), simulated(Course(), prompts=24, seed=1, fingerprint="b")
    shifted = [{**row, "at": row["at"].replace("T02:", "T03:"), "aggregate_reward_score": 1.0} for row in then]
    write(home / "log.jsonl", first + shifted)
    found = succeed("reward", "watch", "log.jsonl", "--json").document
    assert [version["results"] for version in found["versions"]] == [768, 768]
    assert "2 different rewards in one log" in found["warnings"][0]
    assert found["compared"] == 1 and not found["signs"]
    assert {window["part"] for window in found["windows"] if window["version"] == 0} == {None}


def test_windows_and_groups_can_be_given(home: Path) -> None:
    write(home / "log.jsonl", simulated())
    found = succeed("reward", "watch", "log.jsonl", "--window", "6m", "--group-gap", "50s", "--json").document
    assert len(found["windows"]) == 4 and found["groups"]["gap_seconds"] == 50
    assert sum(window["results"] for window in found["windows"]) == 1536
    part = succeed(
        "reward", "watch", "log.jsonl", "--since", "2026-11-25T02:10:00Z", "--until", "2026-11-25T02:20", "--json"
    )
    assert part.document["counts"]["results"] < 1000
    for options in (["--window", "ten"], ["--window", "0.0001s"], ["--since", "2026"], ["--since", "1h", "--until", "2h"],
                    ["--every", "0s"], ["--records", "r.jsonl"]):  # fmt: skip
        assert refused("reward", "watch", "log.jsonl", *options)


def anchored(home: Path, shift: float, judge: str | None = None) -> list[dict[str, Any]]:
    """A run of 80 anchors, and the log of a training run that scores them again on the way."""
    rng = np.random.default_rng(3)
    ids = [f"a{i}" for i in range(80)]
    samples = [{"id": id, "prompt": f"task {id}", "response": f"answer {id}", "split": "anchor"} for id in ids]
    verdicts = {id: "pass" if rng.random() < 0.5 else "fail" for id in ids}
    run = scored(home, verdicts, rows=samples)
    manifest = json.loads((run / "run.json").read_text())
    marks = {key: manifest[key] for key in ("judge_fingerprint", "reward_fingerprint")}
    log = [{**row, **marks} for row in simulated(prompts=24)]
    again = []
    for place, sample in enumerate(samples):
        asked = {"role": "user", "content": sample["prompt"]}
        sent = read_row({"id": sample["id"], "messages": [asked, {"role": "assistant", "content": sample["response"]}]})
        reward = 1.0 if rng.random() < shift else float(verdicts[sample["id"]] == "pass")
        again.append({
            **log[place * 9], "prompt_sha256": sent.prompt_sha256, "response_sha256": sent.response_sha256,
            "aggregate_reward_score": reward, "outcome": "verdict", "failure": None,
        })  # fmt: skip
    return log + again


def test_anchors_tell_a_changed_judge(home: Path) -> None:
    """Anchors are put aside from training, and their new scores bet against the old ones."""
    write(home / "log.jsonl", anchored(home, 0.4))
    found = rftj("reward", "watch", "log.jsonl", "--anchors", "run", "--json", "--strict")
    drift = found.document["drift"]
    assert found.code == 1 and drift["drifted"] and drift["e_value"] > 20 and drift["same_judge"]
    assert drift["difference"]["low"] > 0 and drift["matched"] == 80
    assert found.document["counts"]["anchors"] == 80
    said = " ".join(rftj("reward", "watch", "log.jsonl", "--anchors", "run").out.split())
    assert "the judge has changed after" in said and "e reached 20 (and is " in said


def test_anchors_of_a_judge_that_stays(home: Path) -> None:
    write(home / "log.jsonl", anchored(home, 0.0))
    drift = succeed("reward", "watch", "log.jsonl", "--anchors", "run", "--json").document["drift"]
    assert not drift["drifted"] and drift["e_value"] == pytest.approx(1.0)
    write(home / "other.jsonl", simulated(prompts=24))
    said = succeed("reward", "watch", "other.jsonl", "--anchors", "run")
    assert "no result of the log has the prompt and the response" in said.out


def test_what_to_label_is_written_with_its_weights(home: Path) -> None:
    log = simulated(HACKED)
    write(home / "log.jsonl", log)
    said = succeed("reward", "watch", "log.jsonl", "--to-label", "todo.jsonl", "--label-size", 40, "--seed", 5)
    assert "no texts" in said.out
    rows = rows_of(home / "todo.jsonl")
    suspicious = [row for row in rows if not row["why"].startswith("random")]
    assert len(rows) == 40 and len(suspicious) == 20 and len({row["id"] for row in rows}) == 40
    assert [row["priority"] for row in rows] == list(range(1, 41))
    assert all(row["weight"] == 1 for row in suspicious) and {row["why"] for row in suspicious} == {
        "verbosity", "criterion_down grounding",
    }  # fmt: skip
    # Horvitz and Thompson: the weights stand for the whole log.
    assert sum(row["weight"] for row in rows) == pytest.approx(len(log))
    succeed("reward", "watch", "log.jsonl", "--to-label", "again.jsonl", "--label-size", 40, "--seed", 5)
    assert (home / "todo.jsonl").read_bytes() == (home / "again.jsonl").read_bytes()
    assert "nothing is overwritten" in json.dumps(refused("reward", "watch", "log.jsonl", "--to-label", "todo.jsonl"))


def test_weights_make_the_chosen_speak_for_all(home: Path) -> None:
    """Over 40 seeds the weighted mean reward of what is chosen is that of the log."""
    log = simulated(HACKED, prompts=24)
    write(home / "log.jsonl", log)
    means = []
    for seed in range(40):
        succeed("reward", "watch", "log.jsonl", "--to-label", f"todo{seed}.jsonl", "--seed", seed, "--json")
        rows = rows_of(home / f"todo{seed}.jsonl")
        means.append(sum(row["weight"] * row["reward"] for row in rows) / len(log))
    truth = float(np.mean([row["aggregate_reward_score"] for row in log]))
    assert abs(np.mean(means) - truth) < 3 * np.std(means) / np.sqrt(40)


def test_records_give_the_texts(home: Path) -> None:
    log = simulated(HACKED)
    write(home / "log.jsonl", log)
    records = [
        {"id": row["id"], "prompt_sha256": row["prompt_sha256"], "response_sha256": row["response_sha256"],
         "row": {"prompt": "Say.", "response": f"text {place}", "id": row["id"]}}
        for place, row in enumerate(log)
    ]  # fmt: skip
    write(home / "records.jsonl", records)
    said = succeed("reward", "watch", "log.jsonl", "--to-label", "todo.jsonl", "--records", "records.jsonl")
    assert "texts of 60 from the records" in said.out and "text 1" not in said.out
    assert all(row["response"].startswith("text ") and row["prompt"] == "Say." for row in rows_of(home / "todo.jsonl"))
    write(home / "records.jsonl", [{"id": 1}])
    assert "not a record" in json.dumps(
        refused("reward", "watch", "log.jsonl", "--to-label", "more.jsonl", "--records", "records.jsonl")
    )


class Flaky:
    """A source that fails where it is told to."""

    def __init__(self, source: Any, fails: set[int]) -> None:
        self.source, self.fails, self.reads = source, fails, 0

    def read(self, intake: Intake) -> int:
        self.reads += 1
        if self.reads in self.fails:
            raise CloudError(Call("logs", "filter_log_events"), "", "the network is down")
        new: int = self.source.read(intake)
        return new


def test_following_outlives_a_service_that_was_there_once(home: Path) -> None:
    """What cannot be reached the first time is an error; later it is told, and the watch goes on. Each look is charged."""
    path = write(home / "log.jsonl", simulated(prompts=24))
    watching = Watching(WatchQuestion(str(path), follow=True, every="0.2s"))
    watching._source = Flaky(watching._source, {2})
    told: list[str] = []
    states = watching.follow(told.append)
    assert next(states).level == pytest.approx(1 - 0.05 * 6 / np.pi**2)
    with path.open("a") as file:
        file.write(json.dumps(simulated(prompts=24, seed=1)[0]) + "\n")
    assert next(states).level == pytest.approx(1 - 0.05 * 6 / np.pi**2 / 4)
    assert len(told) == 1 and "the network is down" in told[0]
    states.close()  # type: ignore[attr-defined]
    watching = Watching(WatchQuestion(str(path), follow=True))
    watching._source = Flaky(watching._source, {1})
    with pytest.raises(CloudError):
        next(watching.follow(told.append))


def test_following_prints_what_was_added_and_ends_with_130(home: Path) -> None:
    rows = simulated(HACKED)
    write(home / "log.jsonl", rows[:800])
    process = subprocess.Popen(
        [sys.executable, "-m", "rftj_cli", "reward", "watch", "log.jsonl", "--follow", "--every", "0.2s"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )  # fmt: skip
    seen: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: seen.extend(process.stdout), daemon=True)  # type: ignore[arg-type]
    reader.start()

    def wait_for(text: str) -> None:
        ends = time.monotonic() + 300
        while text not in "".join(seen):
            assert process.poll() is None, "".join(seen)
            if time.monotonic() > ends:
                pytest.fail("".join(seen))
            time.sleep(0.05)

    wait_for("Signs of trouble")
    assert "800," in "".join(seen)
    with (home / "log.jsonl").open("a") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows[800:]))
    wait_for("1,536, 1,536 with a reward")
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(300) == 130
    reader.join(60)
    assert process.stderr is not None and "ended after 2 states" in process.stderr.read()

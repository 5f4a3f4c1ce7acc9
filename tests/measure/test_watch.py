"""`score --watch`: each save judged beside the one before, faults survived, money counted over all rounds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from making import write_rows, write_rubric
from reporting import rftj, scored, succeed, truth_labels

from rftj_cli.errors import CannotTell
from rftj_cli.files.runs import open_run
from rftj_cli.files.samples import SampleFile
from rftj_cli.measure.failing import Given, part_of
from rftj_cli.measure.watch import Mistake, Round, Watch
from rftj_cli.running.account import Silent
from rftj_cli.running.order import Order
from rftj_cli.running.saves import Saves
from rftj_cli.running.selection import Choice
from rftj_cli.testing import FakeJudgeServer

PASS = '{"quality": {"reason": "because", "level": "pass"}}'
FAIL = PASS.replace("pass", "fail")
ROWS = [{"id": f"s{i}", "prompt": f"task {i}", "response": f"SECRET {i}", "split": "dev"} for i in range(6)]


def order(home: Path, server: FakeJudgeServer, **changes: Any) -> Order:
    return Order(home / "rubric.yaml", (), lambda forecast, folder: Silent(), base_url=server.base_url, **changes)


def watch(
    home: Path, server: FakeJudgeServer, choice: Choice | None = None, given: Given | None = None, **changes: Any
) -> Watch:
    """A watch on rubric.yaml over samples.jsonl."""
    write_rubric(home)
    if not (home / "samples.jsonl").exists():
        write_rows(home / "samples.jsonl", ROWS)
    asked, given = order(home, server, **changes), given or Given()
    file = SampleFile(home / "samples.jsonl", "rubric")
    return Watch(asked, part_of(asked.load(), file, choice or Choice(), given), given)


def after(rounds: Iterator[Round | Mistake], save: Any) -> Round | Mistake:
    """The next round, where `save` happens while it is waited for."""
    timer = threading.Timer(0.15, save)
    timer.start()
    return next(rounds)


def judged(one: Round | Mistake) -> Round:
    assert isinstance(one, Round), one
    return one


def test_a_round_tells_what_flipped_and_whether_the_labels_like_it(home: Path, server: FakeJudgeServer) -> None:
    truth_labels(home, {f"s{i}": "fail" if i < 4 else "pass" for i in range(6)})
    rounds = iter(watch(home, server, given=Given(str(home / "labels.jsonl"))))
    first = judged(next(rounds))
    assert (first.number, first.flips, first.changed) == (1, (), ())
    assert (first.agreement["quality"].right, first.agreement["quality"].n) == (2, 6)
    assert first.agreement["quality"].before is None and first.reward == 1.0

    def save() -> None:
        server.rule = lambda body: FAIL if "SECRET 5" not in str(body) else PASS
        write_rubric(home, prompt={"user": "Be strict: {{ response }}"})

    second = judged(after(rounds, save))
    assert second.changed == ("prompt.user: 'Judge this: {{ response }}' -> 'Be strict: {{ response }}'",)
    told = {one.flip.sample: (one.flip.before, one.flip.after, one.label, one.effect) for one in second.flips}
    assert told == {
        **{f"s{i}": ("pass", "fail", "fail", "fixed") for i in range(4)},
        "s4": ("pass", "fail", "pass", "broken"),
    }
    now = second.agreement["quality"]
    assert now.right == 5 and now.before is not None and now.before.right == 2
    assert now.agreement.low is not None and now.agreement.low < 5 / 6 < (now.agreement.high or 0)
    assert (second.units, second.reward_before, second.reward) == (6, 1.0, 1 / 6)
    back = judged(after(rounds, lambda: write_rubric(home)))
    assert len(back.flips) == 5 and back.scored.tally.calls == 0, "a version that was judged before costs nothing"
    assert back.scored.run.folder == first.scored.run.folder


def test_weights_have_a_run_of_their_own_and_reuse_every_reply(home: Path, server: FakeJudgeServer) -> None:
    rounds = iter(watch(home, server))
    first = judged(next(rounds))
    second = judged(after(rounds, lambda: write_rubric(home, reward={"range": [0, 2]})))
    assert second.scored.run.folder != first.scored.run.folder
    assert (second.scored.tally.calls, second.scored.tally.reused, second.reward) == (0, 6, 2.0)
    assert second.flips == () and second.units == 6
    third = judged(after(rounds, lambda: write_rubric(home)))
    assert third.scored.run.folder == first.scored.run.folder


def test_faults_are_told_and_the_watch_goes_on(home: Path, server: FakeJudgeServer) -> None:
    rounds = iter(watch(home, server))
    judged(next(rounds))
    rubric = home / "rubric.yaml"
    text = rubric.read_text()
    yaml = after(rounds, lambda: rubric.write_text("name: [\n"))
    name = after(rounds, lambda: write_rubric(home, prompt={"user": "{{ respons }}"}))
    gone = after(rounds, rubric.unlink)
    kind = after(rounds, lambda: rubric.write_text(text.replace("name: tested", "name: tested\nbogus: 1")))
    for one, says in ((yaml, "not valid YAML"), (name, "respons"), (gone, "no such rubric"), (kind, "unknown key")):
        assert isinstance(one, Mistake) and says in str(one.error)
    assert server.requests == 6
    good = judged(after(rounds, lambda: rubric.write_text(text)))
    assert good.number > 1 and good.flips == () and good.changed == ()


def test_a_judge_that_does_not_answer_is_no_end(home: Path, server: FakeJudgeServer) -> None:
    rounds = iter(watch(home, server))
    judged(next(rounds))
    other = {"model": "local:nowhere.gguf"}
    lost = after(rounds, lambda: write_rubric(home, judge=other))
    assert isinstance(lost, Mistake)
    judged(after(rounds, lambda: write_rubric(home)))


def test_a_prompt_file_is_watched_too(home: Path, server: FakeJudgeServer) -> None:
    watching = watch(home, server)
    (home / "prompt.md").write_text("One {{ response }}")
    write_rubric(home, prompt={"user": {"file": "prompt.md"}})
    rounds = iter(watching)
    judged(next(rounds))
    assert [file.name for file in watching.files] == ["rubric.yaml", "prompt.md"]
    second = judged(after(rounds, lambda: (home / "prompt.md").write_text("Two {{ response }}")))
    assert second.changed == ("prompt.user: 'One {{ response }}' -> 'Two {{ response }}'",)


def test_a_save_while_a_round_is_judged_is_not_missed(home: Path, server: FakeJudgeServer) -> None:
    rounds = iter(watch(home, server))
    judged(next(rounds))
    write_rubric(home, prompt={"user": "Saved early: {{ response }}"})
    assert judged(next(rounds)).changed


def test_failures_are_counted_by_stage(home: Path, server: FakeJudgeServer) -> None:
    server.rule = lambda body: "no idea" if "SECRET 0" in str(body) else PASS
    one = judged(next(iter(watch(home, server))))
    assert dict(one.failures) == {"unparsed": 1}


def test_no_share_is_estimated_from_samples_chosen_by_outcome(home: Path, server: FakeJudgeServer) -> None:
    truth = {f"s{i}": "fail" if i else "pass" for i in range(6)}
    file = str(truth_labels(home, truth))
    old = scored(home, dict.fromkeys(truth, "pass"), name="old", rows=ROWS)
    one = judged(next(iter(watch(home, server, Choice("failing", (str(old),)), Given(file)))))
    standing = one.agreement["quality"]
    assert (standing.right, standing.n, standing.agreement.value) == (0, 5, None)
    assert "chosen by what came out" in (standing.agreement.note or "")


def test_labels_that_are_added_meanwhile_count(home: Path, server: FakeJudgeServer) -> None:
    file = str(truth_labels(home, {"s0": "pass"}))
    rounds = iter(watch(home, server, given=Given(file)))
    assert judged(next(rounds)).agreement["quality"].n == 1
    truth_labels(home, {"s0": "pass", "s1": "fail"})
    second = judged(after(rounds, lambda: write_rubric(home, description="touched")))
    assert (second.agreement["quality"].n, second.agreement["quality"].right) == (2, 1)


def test_the_ceiling_is_one_over_all_rounds(home: Path, server: FakeJudgeServer) -> None:
    """The rounds together cost no more than --max-cost; the one that would ends the watch."""
    price = {"input": 1000.0, "output": 1000.0}
    (home / "prices.yaml").write_text(f"date: 2026-11-20\nmodels: {{'openai:fake': {price}}}\n")
    ceiling, paid = 8.0, []
    rounds = iter(watch(home, server, prices=home / "prices.yaml", max_cost=ceiling))
    paid.append(judged(next(rounds)))
    with pytest.raises(CannotTell, match=r"--max-cost 8 reached over \d+ rounds"):
        for number in range(50):
            prompt = {"user": f"{number}: {{{{ response }}}}"}
            paid.append(judged(after(rounds, lambda prompt=prompt: write_rubric(home, prompt=prompt))))
    assert len(paid) > 2 and paid[-1].spent == pytest.approx(sum(one.cost or 0 for one in paid))
    billed = (server.billed.prompt + server.billed.output) / 1000
    assert (paid[-1].spent or 0) <= billed <= ceiling * 1.05


def start(home: Path, *arguments: object, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """`rftj score rubric.yaml samples.jsonl --watch` as a process, its two streams as one."""
    line = [
        sys.executable,
        "-u",
        "-m",
        "rftj_cli",
        "score",
        "rubric.yaml",
        "samples.jsonl",
        "--watch",
        *map(str, arguments),
    ]
    return subprocess.Popen(
        line, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **(env or {})}
    )


def until(process: subprocess.Popen[str], says: str) -> str:
    """What the process prints up to a line that holds `says`."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if says in line:
            return "".join(lines)
    raise AssertionError("".join(lines))


@pytest.fixture
def lexical(home: Path) -> Path:
    write_rubric(home, judge={"model": "lexical"})
    write_rows(home / "samples.jsonl", ROWS)
    return home


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_watch_that_waits_is_ended_with_exit_code_0(lexical: Path, number: signal.Signals) -> None:
    process = start(lexical)
    said = until(process, "Ctrl-C ends")
    assert "samples: all of the file" in said
    assert "these are the default of --watch" in said
    process.send_signal(number)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0 and "ended after 1 round; all runs are kept" in out
    assert "Traceback" not in out


def test_ctrl_c_while_a_round_is_judged_is_130_and_keeps_what_was_judged(home: Path) -> None:
    write_rubric(home)
    write_rows(home / "samples.jsonl", ROWS)
    with FakeJudgeServer(PASS, latency=0.5) as slow:
        process = start(home, "--base-url", slow.base_url, "--workers", 1)
        while slow.requests < 2:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=300)
    assert process.returncode == 130, out
    assert "of 6 samples are kept in runs/tested-" in out and "Traceback" not in out
    assert 0 < open_run("@last").manifest.counts["judged"] < 6


def test_a_killed_watch_leaves_runs_that_go_on(lexical: Path) -> None:
    process = start(lexical)
    until(process, "Ctrl-C ends")
    process.kill()
    process.communicate()
    more = succeed("score", lexical / "rubric.yaml", lexical / "samples.jsonl", "--json").document
    assert (more["status"], more["this_command"]["judged"]) == ("complete", 0)


def test_each_save_is_one_more_round(lexical: Path) -> None:
    process = start(lexical)
    until(process, "Ctrl-C ends")
    for number in range(3):
        write_rubric(lexical, judge={"model": "lexical"}, prompt={"user": f"{number} {{{{ response }}}}"})
        until(process, "Ctrl-C ends")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0 and "ended after 4 rounds" in out


def test_what_a_watch_prints_holds_no_text_of_samples_or_reasons(home: Path, server: FakeJudgeServer) -> None:
    truth_labels(home, {f"s{i}": "fail" for i in range(6)})
    write_rubric(home)
    write_rows(home / "samples.jsonl", ROWS)
    process = start(home, "--base-url", server.base_url, "--labels", "labels.jsonl", env={"CI": "1", "COLUMNS": "80"})
    said = until(process, "Ctrl-C ends")
    server.rule = lambda body: FAIL
    write_rubric(home, prompt={"user": "Strict: {{ response }}"})
    said += until(process, "Ctrl-C ends")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=300)
    said += out
    assert "SECRET" not in said and "because" not in said
    assert "6 of 6 flipped: 6 fixed, 0 broken against the labels" in said
    assert "quality: pass -> fail" in said and "unknown (--prices FILE)" in said
    assert all(len(line) <= 80 for line in said.splitlines() if not line.startswith("judging"))


def test_quiet_leaves_only_rounds(lexical: Path) -> None:
    process = start(lexical, "--quiet")
    until(process, "reward")
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0 and out.strip() == ""


def test_many_rounds_leave_no_files_open(lexical: Path) -> None:
    asked = Order(lexical / "rubric.yaml", (), lambda forecast, folder: Silent())
    rounds = iter(
        Watch(asked, part_of(asked.load(), SampleFile(lexical / "samples.jsonl", "rubric"), Choice(), Given()), Given())
    )
    next(rounds)
    open_files = []
    for number in range(8):
        prompt = {"user": f"{number} {{{{ response }}}}"}
        judged(after(rounds, lambda prompt=prompt: write_rubric(lexical, judge={"model": "lexical"}, prompt=prompt)))
        open_files.append(len(os.listdir("/dev/fd")))
    assert open_files[-1] <= open_files[1] + 1, open_files


def test_a_save_is_noticed_once_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "rubric.yaml"
    file.write_text("old")
    saves = Saves()
    saves.mark([file])

    def save() -> None:
        for length in range(1, 6):
            file.write_text("x" * length)
            time.sleep(0.02)
        file.unlink()
        time.sleep(0.12)
        file.write_text("whole")

    saver = threading.Thread(target=save)
    saver.start()
    assert saves.wait(threading.Event()) and file.read_text() == "whole"
    saver.join()


REFUSED = [
    (("--json",), "--json prints one document"),
    (("--run", "mine"), "--watch writes a run for each version"),
    (("--max-cost", "1", "--model", "openai:unknown"), "--max-cost needs the price"),
    (("--max-cost", "nan"), "--max-cost"),
    (("--split", "anchor"), "no sample is in the split anchor"),
    (("--only", "failing"), "no --from"),
    (("--wide",), "--wide describes a labels file"),
]


@pytest.mark.parametrize(("arguments", "says"), REFUSED)
def test_options_that_a_watch_cannot_follow(lexical: Path, arguments: tuple[str, ...], says: str) -> None:
    said = rftj("score", lexical / "rubric.yaml", lexical / "samples.jsonl", "--watch", *arguments)
    assert said.code == 2 and says in said.err + said.out
    assert not (lexical / "runs").exists()


def test_a_watch_over_no_samples_ends_at_once(home: Path) -> None:
    run = scored(home, {"s0": "pass"}, rows=[{"id": "s0", "response": "x", "split": "dev"}])
    line = (
        "score",
        home / "run.yaml",
        home / "run.jsonl",
        "--replay",
        run,
        "--watch",
        "--only",
        "failures",
        "--from",
        run,
    )
    assert succeed(*line).out.startswith("nothing to judge: failures of ")


def test_the_defaults_are_those_that_are_told(home: Path, server: FakeJudgeServer) -> None:
    choice = Choice().for_watching()
    assert (choice.split, choice.sample) == ("dev", 20)
    assert Choice(split="test").for_watching() == Choice(split="test")
    assert Choice(sample=5).for_watching() == Choice(sample=5)
    write_rows(
        home / "samples.jsonl",
        [{**row, "id": f"{split}{i}", "split": split} for i, row in enumerate(ROWS * 8) for split in ("dev", "test")],
    )
    first = judged(next(iter(watch(home, server, choice))))
    assert first.scored.forecast.samples == 20 and first.scored.forecast.splits == {"dev": 20}
    assert first.scored.run.manifest.status == "partial"

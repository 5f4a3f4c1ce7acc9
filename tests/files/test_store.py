"""The run store, the manifest, and the lock of a run folder."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from making import rubric, sample

from rftj_cli.errors import InputError
from rftj_cli.files.runs import Lock, Manifest, is_foreign, make_private, open_run, read_manifest, write_manifest
from rftj_cli.files.store import Store
from rftj_cli.files.store_rows import OutcomeRow, ReplyRow, Row, SampleRow
from rftj_cli.files.text import write_whole
from rftj_cli.kernel.checks import CheckResult
from rftj_cli.kernel.outcome import Ballot, CallError, Failure, Part, Rating, Reply, Reward, Verdict

VERDICT = Verdict(
    (Rating("quality", "c1", "pass", 0.75, "why", 0.5, {"pass": 0.9, "fail": 0.1}),),
    (
        Ballot("quality", "c1", "swapped", 1, "pass", "why"),
        Ballot("quality", "c1", "given", 0, None, "lost", "timeout"),
    ),
    True,
)
REWARD = Reward(0.5, (Part("quality", 0.5, 2.0, True),), "note")
CHECKS = (CheckResult("short", False, "4 words"),)


def row(id: str) -> SampleRow:
    return SampleRow(sample(id=id, context={"x": [1, None, "ü"]}), "f-" + id, "g", "c", "dev")


def reply(id: str, answer: Reply | CallError, *, cost: float | None = 0.5, reused: bool = False) -> ReplyRow:
    return ReplyRow("key-" + id, id, None, "given", 0, "quality", answer, cost, reused)


def made(path: Path, *rows: Row) -> Store:
    store = Store(path, write=True)
    store.write(rows)
    return store


def test_everything_that_is_written_is_read_back(tmp_path: Path) -> None:
    answer = Reply("text", "end", 10, 5, 0.25, "thoughts", {"quality": {"pass": 0.9}}, 2)
    lost = Failure("unparsed", "why", (Ballot("quality", None, "given", 0, None, "why", "unparsed"),))
    made(
        tmp_path / "s",
        row("a"), reply("a", answer), OutcomeRow("a", VERDICT, REWARD, CHECKS),
        row("b"), reply("b", CallError("timeout", "late")), OutcomeRow("b", lost, Reward(None, (), "n"), ()),
    ).close()  # fmt: skip
    store = Store(tmp_path / "s", write=False)
    (first, outcome), (second, failure) = store.outcomes()
    assert first == row("a") or first.sample.fields == row("a").sample.fields
    assert outcome == OutcomeRow("a", VERDICT, REWARD, CHECKS)
    assert (second.sample.id, failure.outcome, failure.reward.value) == ("b", lost, None)
    assert store.reply("key-a") == answer
    assert store.reply("key-b") is None
    assert store.settled("a") == ("verdict", None) and store.settled("b") == ("failure", "unparsed")
    assert store.settled("c") is None
    assert store.stages() == {"unparsed": 1, "verdict": 1}
    assert list(store.ids()) == ["a", "b"]


def test_a_new_outcome_replaces_the_old_and_a_known_sample_stays(tmp_path: Path) -> None:
    store = made(tmp_path / "s", row("a"), OutcomeRow("a", Failure("throttled", "x"), REWARD, ()))
    store.write([row("a"), OutcomeRow("a", VERDICT, REWARD, ())])
    assert (store.count("samples"), store.count("outcomes")) == (1, 1)
    assert store.settled("a") == ("verdict", None)


def test_what_was_paid_counts_calls_of_this_run_alone(tmp_path: Path) -> None:
    answer = Reply("t", input_tokens=10, output_tokens=3)
    store = made(tmp_path / "s", reply("a", answer), reply("a", answer, cost=0.0, reused=True))
    assert store.spent() == (0.5, 10, 3, 1)


def test_a_cost_is_unknown_where_one_price_was(tmp_path: Path) -> None:
    store = made(tmp_path / "s", reply("a", Reply("t")), reply("b", Reply("t"), cost=None))
    assert store.spent()[0] is None


def test_half_a_surrogate_pair_in_a_reply_does_not_stop_the_run(tmp_path: Path) -> None:
    """A reply cut inside an emoji holds one."""
    cut = Failure("unparsed", "no verdict in 'ab\ud83d'")
    store = made(tmp_path / "s", row("a"), reply("a", Reply("ab\ud83dc 😀")), OutcomeRow("a", cut, REWARD, ()))
    kept = store.reply("key-a")
    assert kept is not None and kept.text == "ab\ufffdc 😀"


def test_a_batch_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    store = made(tmp_path / "s", row("a"))
    with pytest.raises(TypeError):
        store.write([row("b"), OutcomeRow("b", object(), REWARD, ())])  # type: ignore[arg-type]
    store.write([row("c")])
    assert list(store.ids()) == ["a", "c"]


def test_readers_see_whole_batches_while_a_writer_writes(tmp_path: Path) -> None:
    """Each batch holds a sample and its outcome: no reader ever sees one without the other."""
    store = made(tmp_path / "s")
    done = threading.Event()
    odd: list[tuple[int, int]] = []

    def read() -> None:
        while not done.is_set():
            reader = Store(tmp_path / "s", write=False)
            outcomes, samples = reader.count("outcomes"), reader.count("samples")
            if outcomes > samples:
                odd.append((samples, outcomes))
            assert sum(1 for _ in reader.outcomes()) >= outcomes
            reader.close()

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(60):
        store.write([row(f"s{n}"), OutcomeRow(f"s{n}", VERDICT, REWARD, ())])
    done.set()
    for thread in threads:
        thread.join()
    assert odd == []


def test_a_reader_never_changes_the_file(tmp_path: Path) -> None:
    made(tmp_path / "s", row("a")).close()
    reader = Store(tmp_path / "s", write=False)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.write([row("b")])


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("no database, but long enough to look at" * 30)
    for write in (True, False):
        with pytest.raises(InputError, match="not a run store"):
            Store(tmp_path / "s", write=write)
    with pytest.raises(InputError, match="not a run store"):
        Store.existing(tmp_path / "s")


def test_a_store_that_was_never_filled_counts_as_none(tmp_path: Path) -> None:
    assert Store.existing(tmp_path / "s") is None
    (tmp_path / "s").touch()
    assert Store.existing(tmp_path / "s") is None
    made(tmp_path / "s").close()
    assert Store.existing(tmp_path / "s") is not None


def test_odd_folder_names_are_no_matter(tmp_path: Path) -> None:
    folder = tmp_path / "a b?c#d%41"
    folder.mkdir()
    made(folder / "s", row("a")).close()
    assert Store(folder / "s", write=False).count("samples") == 1


def manifest(**changes: object) -> Manifest:
    fields = {
        "name": "n", "rubric": dict(rubric().source), "rubric_path": "r", "judge_fingerprint": "j", "reward_fingerprint": "w",
        "samples_path": "s", "columns": {"a": "b"}, "model": "m", "source": "m", "rftj_version": "0", "started": "t",
        "updated": "t", "status": "complete", "counts": {"samples": 1}, "cost": None, "input_tokens": 1,
        "output_tokens": 2, "calls": 3, "seconds": 0.5, "history": ({"at": "t"},), **changes,
    }  # fmt: skip
    return Manifest(**fields)  # type: ignore[arg-type]


def test_a_manifest_is_read_back(tmp_path: Path) -> None:
    write_manifest(tmp_path, manifest())
    assert read_manifest(tmp_path) == manifest()
    assert open_run(str(tmp_path)).rubric == rubric()
    assert open_run(str(tmp_path / "run.json")).folder == tmp_path


@pytest.mark.parametrize("content", ["{", "{}", "[]", '{"schema": "x"}', "\x00"])
def test_a_damaged_manifest_is_an_input_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(InputError, match="not a run manifest"):
        read_manifest(tmp_path)


def test_what_is_no_run_is_named_with_the_nearest(home: Path) -> None:
    (home / "runs" / "tested-1").mkdir(parents=True)
    write_manifest(home / "runs" / "tested-1", manifest())
    with pytest.raises(InputError, match="did you mean `runs/tested-1`"):
        open_run("runs/tested-2")
    (home / "empty").mkdir()
    with pytest.raises(InputError, match="not a run: it has no run.json"):
        open_run("empty")


def test_last_is_the_run_written_last(home: Path) -> None:
    for name, at in (("a", 300), ("b", 100)):
        (home / "runs" / name).mkdir(parents=True)
        write_manifest(home / "runs" / name, manifest(name=name))
        os.utime(home / "runs" / name / "run.json", (at, at))
    assert open_run("@last").manifest.name == "a"


def test_there_is_no_last_run_before_the_first(home: Path) -> None:
    with pytest.raises(InputError, match="no run yet"):
        open_run("@last")


HOLD = """
import sys, time
from pathlib import Path
from rftj_cli.files.runs import Lock
with Lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_writer_is_refused_until_the_first_is_gone_even_by_kill(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    holder.stdout.readline()
    try:
        with pytest.raises(InputError, match="another rftj is writing"), Lock(tmp_path):
            pass
    finally:
        holder.kill()
        holder.wait()
    with Lock(tmp_path):
        pass


def test_a_run_folder_is_its_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "a"
    make_private(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / ".gitignore").read_text() == "*\n"
    made(folder / "store.sqlite", row("a")).close()
    assert (folder / "store.sqlite").stat().st_mode & 0o777 == 0o600


def test_an_old_run_folder_gets_no_gitignore(tmp_path: Path) -> None:
    (tmp_path / "run.json").touch()
    make_private(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["run.json"]


def test_a_file_in_the_place_of_a_run_folder_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert is_foreign(tmp_path / "a")
    assert read_manifest(tmp_path / "a") is None
    with pytest.raises(InputError, match="cannot make the run folder"):
        make_private(tmp_path / "a")


def test_what_a_run_leaves_that_was_killed_as_it_began_is_not_foreign(tmp_path: Path) -> None:
    assert not is_foreign(tmp_path)
    (tmp_path / "lock").touch()
    (tmp_path / ".run.json-abc").touch()
    (tmp_path / ".gitignore").write_text("*\n")
    (tmp_path / "store.sqlite").touch()
    assert not is_foreign(tmp_path)
    (tmp_path / "store.sqlite").write_text("SQL")
    assert is_foreign(tmp_path)
    (tmp_path / "store.sqlite").unlink()
    (tmp_path / "thesis.tex").touch()
    assert is_foreign(tmp_path)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "new \ud800")
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["f"]

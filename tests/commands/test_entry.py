"""The command line itself: fast help, every option named, and exit codes of misuse, bugs and closed pipes."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from making import some_rows, write_rows, write_rubric
from reporting import rftj, scored, succeed, truth_labels

from rftj_cli.files.runs import open_run
from rftj_cli.testing import FakeJudgeServer

HEAVY = ("boto3", "botocore", "pandas", "numpy", "scipy", "rich", "pyarrow", "jinja2", "yaml", "msgspec", "pycurl")
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "demo": ("--json", "--quiet"),
    "check": (
        "--labels", "--wide", "--model", "--set", "--map", "--map-labels", "--prices", "--strict", "--show-text", "--no-text", "--json",
        "--quiet",
    ),
    "score": (
        "--run", "--replay", "--import-replies", "--fresh", "--model", "--set", "--map", "--map-labels", "--workers", "--rpm",
        "--tpm", "--adaptive-votes", "--base-url", "--region", "--transport", "--timeout", "--max-cost", "--max-failures", "--prices", "--json", "--quiet",
        "--only", "--from", "--split", "--sample", "--seed", "--labels", "--wide", "--truth", "--ignore-unknown", "--watch",
    ),
    "show": (
        "--failures", "--skipped", "--disagreements", "--flips", "--criterion", "--limit", "--labels", "--wide", "--map",
        "--map-labels", "--ignore-unknown", "--truth", "--show-text", "--no-text", "--json", "--quiet",
    ),
    "rescore": ("--rubric", "--set", "--run", "--markdown", "--json", "--quiet"),
    "calibrate": (
        "--labels", "--wide", "--map", "--map-labels", "--ignore-unknown", "--truth", "--truth-rubric", "--split", "--frozen", "--by", "--table",
        "--metric", "--sampling", "--costs", "--recalibrate", "--out",
        "--judge", "--human", "--levels", "--positive", "--group", "--no-verdict", "--seed", "--full", "--markdown",
        "--show-text", "--no-text", "--rows", "--json", "--quiet", "--epsilon", "--values", "--delimiter", "--id",
    ),
    "gate": (
        "--rules", "--labels", "--wide", "--map", "--map-labels", "--ignore-unknown", "--truth", "--truth-rubric", "--split", "--frozen",
        "--seed", "--markdown", "--json", "--quiet",
    ),
    "plan": (
        "--labels", "--wide", "--map", "--map-labels", "--ignore-unknown", "--truth", "--half-width", "--kappa", "--pass-rate", "--rate",
        "--above", "--gain", "--discordance", "--next", "--out", "--criterion", "--seed", "--markdown", "--json",
    ),
    "reward audit": (
        "--labels", "--wide", "--map", "--map-labels", "--ignore-unknown", "--truth", "--truth-rubric", "--split", "--frozen",
        "--group-size", "--rollouts", "--references", "--repeat", "--fresh", "--strict", "--run", "--replay",
        "--import-replies", "--model", "--set", "--workers", "--base-url", "--region", "--max-cost", "--prices",
        "--seed", "--full", "--markdown", "--html", "--json", "--quiet",
    ),
    "reward build": (
        "--out", "--target", "--envelope", "--concurrency", "--record", "--record-rate", "--record-key",
        "--model", "--set", "--json", "--quiet",
    ),
    "reward invoke": (
        "--times", "--parallel", "--timeout", "--memory", "--env", "--pass-credentials", "--replies",
        "--handler", "--raw", "--json", "--quiet",
    ),
    "reward verify": (
        "--zip", "--known", "--live", "--repeats", "--prompts", "--group-size", "--batch", "--concurrency",
        "--records", "--epochs", "--timeout", "--memory", "--quota", "--judge-latency", "--max-cost", "--prices", "--seed", "--markdown",
        "--json", "--quiet",
    ),
    "reward template": (
        "--out", "--region", "--account", "--function", "--role", "--profile-regions", "--runtime",
        "--architecture", "--timeout", "--memory", "--reserved", "--provisioned", "--retention", "--json",
        "--quiet",
    ),
    "reward deploy": (
        "--dry-run", "--offline", "--yes", "--take-over", "--region", "--account", "--function", "--role",
        "--profile-regions", "--runtime", "--architecture", "--timeout", "--memory", "--reserved",
        "--provisioned", "--retention", "--json", "--quiet",
    ),
    "reward export": ("--to", "--out", "--variable", "--evaluator", "--model", "--set", "--json", "--quiet"),
    "reward watch": (
        "--window", "--group-gap", "--since", "--until", "--region", "--anchors", "--to-label", "--label-size",
        "--records", "--follow", "--every", "--strict", "--seed", "--html", "--markdown", "--json", "--quiet",
    ),
    "rft sample": (
        "--model", "--out", "--temperature", "--max-tokens", "--system", "--prompt-template", "--run", "--map",
        "--workers", "--rpm", "--tpm", "--base-url", "--region", "--timeout", "--max-cost", "--prices",
        "--max-failures", "--seed", "--json", "--quiet",
    ),
    "rft prepare": (
        "--out", "--rubric", "--system", "--prompt-template", "--split", "--eval", "--target", "--keep",
        "--max-prompt-length", "--drop-faulty", "--set", "--map", "--json", "--quiet",
    ),
    "rft submit": (
        "--name", "--role", "--reward", "--output", "--base-model", "--model-name", "--epochs", "--batch-size",
        "--samples-per-prompt", "--max-prompt-length", "--learning-rate", "--max-tokens", "--reasoning-effort",
        "--eval-interval", "--kms-key", "--bucket-owner", "--region", "--run", "--prices", "--max-cost",
        "--allow-unpinned", "--dry-run", "--yes", "--json", "--quiet",
    ),
    "rft status": ("--watch", "--every", "--region", "--json", "--quiet"),
    "rft stop": ("--region", "--yes", "--json", "--quiet"),
    "local install": ("--json", "--quiet"),
}  # fmt: skip


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "rftj_cli", *map(str, arguments)]
    return subprocess.run(
        line, capture_output=True, text=True, env={**os.environ, **environment}, timeout=600, check=False
    )


@pytest.mark.parametrize("arguments", [["--help"], ["calibrate", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import json, sys\nfrom rftj_cli.main import run\ncode = run(json.loads(sys.argv[1]))\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr)\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(arguments)], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0 and done.stdout
    assert not set(HEAVY) & set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("name", OPTIONS)
def test_help_names_every_option(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    out = succeed(*name.split(), "--help").out
    named = set(re.findall(r"--[a-z][a-z-]+", out))
    assert set(OPTIONS[name]) <= named
    # An option that is not in the table above is new: name it there, and test it.
    listed = {
        one for line in out.splitlines() if re.match(r"\s+-", line) for one in re.findall(r"--[a-z][a-z-]+", line)
    }
    assert listed - {"--help"} <= {*OPTIONS[name], "--table"}


@pytest.mark.parametrize("name", OPTIONS)
def test_every_argument_has_words(name: str) -> None:
    out = succeed(*name.split(), "-h").out
    assert re.search(r"^  [A-Z]\w+.*\.", out, re.MULTILINE)


def test_the_root_help_cuts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = succeed("--help").out
    assert "..." not in out.partition("Commands:")[2] and all(len(line) <= 80 for line in out.splitlines())
    assert {"demo", "check", "score", "calibrate", "gate", "local"} <= set(re.findall(r"^  (\w+) ", out, re.MULTILINE))


MISUSE = [
    (("frobnicate",), "No such command 'frobnicate'"),
    (("calibrat", "runs/x"), "No such command 'calibrat'"),
    (("calibrate", "--lables", "x"), "--labels"),
    (("gate", "runs/x"), "Missing option '--rules'"),
    (("score", "rubric.yaml"), "Missing argument 'samples'"),
    (("calibrate", "a", "b"), "unexpected extra argument"),
    (("calibrate", "a", "--seed", "one"), "--seed"),
    (("score", "a", "b", "--workers", "0"), "--workers"),
    (("calibrate", "a", "--labels"), "--labels"),
]


@pytest.mark.parametrize(("arguments", "says"), MISUSE)
def test_misuse_is_one_line_and_exit_2(arguments: tuple[str, ...], says: str) -> None:
    said = rftj(*arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("error: ") and len(said.err.splitlines()) == 1
    assert says in said.err
    document = rftj(*arguments, "--json")
    if arguments[-1] != "--labels":
        assert document.code == 2 and document.document["schema"] == "rftj.error/1"
        assert says in document.document["message"]


def test_no_command_shows_the_help() -> None:
    said = rftj()
    assert said.code == 2 and said.err.startswith("Usage: rftj") and "calibrate" in said.err


def test_an_error_document_carries_its_place(home: Path) -> None:
    (home / "gate.yaml").write_text("min:\n  kapa: 0.5\n")
    run = scored(home, {"s0": "pass", "s1": "fail"})
    file = truth_labels(home, {"s0": "pass", "s1": "fail"})
    said = rftj("gate", run, "--labels", file, "--rules", home / "gate.yaml", "--json")
    assert said.code == 2 and said.err == ""
    document = said.document
    assert document["schema"] == "rftj.error/1" and document["exit_code"] == 2
    assert (document["file"], document["row"], document["key"]) == (str(home / "gate.yaml"), 2, "min.kapa")
    assert document["hint"] == "did you mean `kappa`?"


PLUGIN = "def judge(model, **options):\n    def answer(request):\n        return 1 // 0\n    return answer\n"


def test_a_bug_leaves_with_70_a_traceback_and_where_to_report_it(home: Path) -> None:
    """A judge plug-in that raises what no judge may raise stands for a bug."""
    (home / "plug").mkdir()
    (home / "plug" / "broken_judge.py").write_text(PLUGIN)
    about = home / "plug" / "broken_judge-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-judge\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[rftj.judges]\nbroken = broken_judge:judge\n")
    rubric = write_rubric(home, judge={"model": "broken:x"})
    rows = write_rows(home / "s.jsonl", [{"id": "s0", "response": "r"}])
    done = command("score", rubric, rows, "--run", home / "run", PYTHONPATH=str(home / "plug"))
    assert done.returncode == 70, done.stderr
    assert "ZeroDivisionError" in done.stderr and "Traceback" in done.stderr and "report it" in done.stderr
    said = command("score", rubric, rows, "--run", home / "run", "--json", PYTHONPATH=str(home / "plug"))
    document = json.loads(said.stdout)
    assert said.returncode == 70 and document["schema"] == "rftj.error/1" and document["exit_code"] == 70


def unread(*arguments: object) -> tuple[int, str]:
    """(exit code, stderr) of a command whose output nobody reads: every write meets a closed pipe."""
    reader, writer = os.pipe()
    line = [sys.executable, "-m", "rftj_cli", *map(str, arguments)]
    done = subprocess.Popen(line, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    os.close(reader)
    _, err = done.communicate(timeout=300)
    return done.returncode, err


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_an_interrupt_is_said_once_and_leaves_with_130(as_json: list[str]) -> None:
    """Ctrl-C in a command that does not catch it: one sentence, or one document."""
    script = (
        "import sys\nfrom rftj_cli import main\n\n@main.app.command('stopped')\n"
        "def stopped(json: bool = False) -> int:\n    raise KeyboardInterrupt\n\nsys.exit(main.run(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "stopped", *as_json], capture_output=True, text=True, check=False
    )
    assert done.returncode == 130
    assert json.loads(done.stdout)["exit_code"] == 130 if as_json else done.stderr == "stopped: interrupted\n"


def test_a_reader_that_goes_away_changes_no_exit_code(home: Path) -> None:
    verdicts = {f"s{i}": "pass" if i % 2 else "fail" for i in range(30)}
    run, file = scored(home, verdicts), truth_labels(home, dict.fromkeys(verdicts, "pass") | {"s0": "fail"})
    (home / "gate.yaml").write_text("min: {agreement: 0.99}")
    gate = ("gate", run, "--labels", file, "--rules", home / "gate.yaml")
    for options in ((), ("--json",), ("--markdown", "--full")):
        code, err = unread("calibrate", run, "--labels", file, *options)
        assert code == 0, err
        assert not re.search("Traceback|Broken|Exception ignored", err)
    assert unread(*gate)[0] == 1  # the answer is no, whoever reads it
    assert unread("calibrate", home / "nowhere", "--json")[0] == 2


def limited(limit: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A command whose every file may have `limit` bytes: it stands for a full disk."""
    script = (
        "import resource, sys\nfrom rftj_cli.main import main\n"
        "limit = int(sys.argv.pop(1))\nresource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))\nmain()"
    )
    line = [sys.executable, "-c", script, str(limit), *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.parametrize("limit", [0, 4096, 9000, 40_000])
def test_a_full_disk_is_one_sentence_and_exit_3(home: Path, limit: int) -> None:
    rubric = write_rubric(home, judge={"model": "replay:recorded"})
    rows = write_rows(home / "s.jsonl", [{"id": f"s{i}", "response": "r" * 2000} for i in range(60)])
    replies = write_rows(home / "r.jsonl", [{"id": f"s{i}", "text": '{"quality": "pass"}'} for i in range(60)])
    done = limited(limit, "score", rubric, rows, "--import-replies", replies, "--run", home / "run", "--quiet")
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert "cannot tell: the system refused: " in done.stderr
    succeed("score", rubric, rows, "--import-replies", replies, "--run", home / "run", "--quiet")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_output_that_cannot_be_written_is_one_sentence_and_exit_3(home: Path) -> None:
    rubric = write_rubric(home)
    with open("/dev/full", "w") as full:
        line = [sys.executable, "-m", "rftj_cli", "check", str(rubric)]
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, timeout=600, check=False)
    assert done.returncode == 3
    assert done.stderr == "cannot tell: the system refused: No space left on device: standard output\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize(
    ("redirection", "code"),
    [("2>&-", 0), ("2>/dev/full", 0), (">&- 2>&-", 3), (">&-", 3), (">/dev/full", 3), (">/dev/full 2>&1", 3),
     ("2>&1 | head -1", 0), ("2>&1 >/dev/null | head -c 1", 0), ("<&- 2>&-", 0)],
)  # fmt: skip
def test_a_run_does_not_need_its_streams(home: Path, redirection: str, code: int) -> None:
    """A closed or full standard error ended a run with exit code 120, and nothing was judged."""
    rubric, rows = write_rubric(home), write_rows(home / "s.jsonl", some_rows(40))
    with FakeJudgeServer('{"quality": {"reason": "fine", "level": "pass"}}') as fake:
        command = [
            sys.executable,
            "-m",
            "rftj_cli",
            "score",
            rubric,
            rows,
            "--run",
            home / "run",
            "--base-url",
            fake.base_url,
        ]
        line = f"set -o pipefail; {shlex.join(map(str, command))} {redirection}"
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=300, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == code and not re.search("Traceback|Exception ignored", said), said
    manifest = open_run(str(home / "run")).manifest
    assert (manifest.status, manifest.counts["judged"], manifest.counts["failed"]) == ("complete", 40, 0)
    assert fake.requests == 40


def test_a_damaged_store_is_one_sentence_and_exit_2(home: Path) -> None:
    verdicts = {f"s{i}": "pass" for i in range(200)}
    run, file = scored(home, verdicts), truth_labels(home, verdicts)
    store = run / "store.sqlite"
    data = store.read_bytes()
    assert len(data) > 40_000
    store.write_bytes(data[:16_384] + b"\xff" * (len(data) - 16_384))
    said = rftj("calibrate", run, "--labels", file)
    assert said.code == 2 and "not a run store, or a damaged one" in said.err
    assert "Traceback" not in said.err


def test_any_encoding_of_the_streams_will_do(home: Path) -> None:
    rubric = write_rubric(home, prompt={"user": "Größe \u2264 {{ response }}"})
    rows = write_rows(home / "s.jsonl", [{"id": "s0", "response": "\u4f60"}])
    done = command("check", rubric, rows, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    assert "Gr\\xf6\\xdfe" in done.stdout and "\\u4f60" in done.stdout

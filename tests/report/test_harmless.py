"""What a sample says is shown, and does nothing: not to a terminal, not in Markdown, not in a job log."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from reporting import Said, labels, rftj, scored, succeed

NASTY = "[bold]loud[/bold] \x1b[31mred\x1b[0m <script>alert(1)</script> | `code` ~~no~~ ![x](http://e) \u202eevil\ttab\r\n# head"
ANSI = re.compile(r"\x1b\[")


@pytest.fixture
def run(home: Path) -> Path:
    """A run of one agreement and two disagreements, full of nasty text."""
    rows = [{"id": f"s{i}", "prompt": f"task {i}", "response": f"{i} {NASTY}"} for i in range(3)]
    replies = [
        {"id": f"s{i}", "text": json.dumps({"quality": {"reason": NASTY if i == 1 else "", "level": "pass"}})}
        for i in range(3)
    ]
    run = scored(home, {}, rows=rows, replies=replies)
    labels(home, [{"id": f"s{i}", "value": value} for i, value in enumerate(["fail", "fail", "pass"])])
    return run


def calibrate(run: Path, *options: object) -> Said:
    return succeed("calibrate", run, "--labels", run.parent / "labels.jsonl", *options)


@pytest.mark.parametrize("options", [(), ("--full",)])
def test_a_terminal_gets_words_and_no_markup_or_escape(run: Path, options: tuple[str, ...]) -> None:
    out = calibrate(run, *options).out
    assert "[bold]loud[/bold]" in out and "<script>" in out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", out)


def test_markdown_holds_no_html_no_table_breaks_and_no_links(run: Path) -> None:
    out = calibrate(run, "--markdown", "--full").out
    assert "<script" not in out and "&lt;script&gt;" in out
    assert "![x]" not in out and "\\!\\[x\\]" in out
    assert "\\`code\\`" in out and "\n# head" not in out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", out)


def test_tables_in_markdown_are_well_formed(run: Path) -> None:
    lines = calibrate(run, "--markdown", "--full").out.splitlines()
    tables = [i for i, line in enumerate(lines) if re.fullmatch(r"\|( -{3}:? \|)+", line)]
    assert len(tables) >= 3
    for at in tables:
        width = cells(lines[at])
        assert cells(lines[at - 1]) == width
        rows = [line for line in _until_blank(lines[at + 1 :])]
        assert rows and all(cells(row) == width for row in rows)


def cells(line: str) -> int:
    return len(re.split(r"(?<!\\)\|", line)) - 2


def _until_blank(lines: list[str]) -> list[str]:
    return lines[: lines.index("")] if "" in lines else lines


def test_without_text_no_sample_and_no_reason_is_shown(run: Path) -> None:
    for options in ((), ("--full",), ("--markdown", "--full"), ("--json",)):
        out = calibrate(run, "--no-text", *options).out
        assert "loud" not in out and "alert" not in out
        assert "s0" in out


def test_in_ci_text_is_shown_only_where_asked(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert "loud" not in calibrate(run).out
    assert "loud" in calibrate(run, "--show-text").out


def test_the_gate_prints_no_text_of_samples(run: Path) -> None:
    rules = run.parent / "gate.yaml"
    rules.write_text("min: {agreement: 0.9, kappa: 0.5}")
    for options in ((), ("--markdown",), ("--json",)):
        said = rftj("gate", run, "--labels", run.parent / "labels.jsonl", "--rules", rules, *options)
        assert said.code in (1, 3)
        assert "loud" not in said.out + said.err and "alert" not in said.out


def test_check_shows_a_prompt_harmlessly(run: Path) -> None:
    out = succeed("check", run.parent / "run.yaml", run.parent / "run.jsonl").out
    assert "[bold]loud[/bold]" in out and not ANSI.search(out)


def test_check_shows_no_prompt_in_ci_unless_asked(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("check", run.parent / "run.yaml", run.parent / "run.jsonl")
    assert succeed(*command, "--json").document["prompt"] is not None
    monkeypatch.setenv("CI", "true")
    out = succeed(*command).out
    assert "loud" not in out and "not shown" in out
    assert succeed(*command, "--json").document["prompt"] is None
    assert "loud" in succeed(*command, "--show-text").out
    monkeypatch.delenv("CI")
    assert "loud" not in succeed(*command, "--no-text").out


def on_a_terminal(run: Path, **environment: str) -> str:
    """What `rftj calibrate` writes to a real terminal of 80 columns."""
    command = [sys.executable, "-m", "rftj_cli", "calibrate", str(run), "--labels", str(run.parent / "labels.jsonl")]
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "NO_COLOR")}
    surroundings = {**kept, "COLUMNS": "80", "TERM": "xterm-256color", **environment}
    done = subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, env=surroundings)
    os.close(theirs)
    found = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        found += part
    os.close(ours)
    assert done.wait(30) == 0
    return found.decode()


def test_a_real_terminal_gets_bold_type_and_with_no_color_no_colour(run: Path) -> None:
    plain = on_a_terminal(run)
    assert "\x1b[1m" in plain
    assert set(re.findall(r"\x1b\[([\d;]*)m", plain)) <= {"0", "1", "2"}  # ours alone: bold and dim, no sample's red
    coloured = re.compile(r"\x1b\[[\d;]*(3\d|4\d|9\d)m")
    assert not coloured.search(on_a_terminal(run, NO_COLOR="1"))

"""Reading reward logs: every carrier, noise passed over, bad lines named, what was added since."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rftj_cli.errors import InputError
from rftj_cli.files.reward_logs import Intake, LogFiles

HASH = "ab" * 32


def entry(number: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "schema": "rftj.reward-log/1", "at": f"2026-11-25T02:00:{number % 60:02d}.123Z", "request": "r", "id": f"s{number}",
        "aggregate_reward_score": 0.5, "outcome": "verdict", "failure": None, "essential": None, "parts": {"quality": 1.0},
        "latency_ms": 812.3, "calls": 1, "attempts": 1, "input_tokens": 900, "output_tokens": 80, "judge_fingerprint": "j",
        "reward_fingerprint": "r", "prompt_sha256": HASH, "response_sha256": f"{number:064x}", "response_chars": 9,
        "response_words": 3, **changes,
    }  # fmt: skip


def lines(count: int) -> list[str]:
    return [json.dumps(entry(number)) for number in range(count)]


def read(path: Path) -> Intake:
    intake = Intake()
    LogFiles(path).read(intake)
    return intake


def written(tmp_path: Path, text: str, name: str = "log.jsonl") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def as_csv(rows: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows([["@timestamp", "@message"], *(["2026-11-25 02:00:00", row] for row in rows)])
    return out.getvalue()


NOISE = ["START RequestId: 1 Version: 3", "END RequestId: 1", "REPORT RequestId: 1\tDuration: 3 ms", "", "hello"]
CARRIERS = {
    "plain, with Lambda's noise": lambda rows: "\n".join([*NOISE, *rows, *NOISE]),
    "aws logs tail": lambda rows: "\n".join(
        f"2026-11-25T02:00:00.123000+00:00 2026/11/25/[3]a1b2 {row}" for row in rows
    ),
    "text output": lambda rows: "\n".join(f"EVENTS\t38\t1764036000123\t{row}\tstream\t1764036000123" for row in rows),
    "JSON log format": lambda rows: "\n".join(
        json.dumps({"timestamp": "2026-11-25T02:00:00Z", "level": "INFO", "message": row, "requestId": "1"})
        for row in rows
    ),
    "JSON log format, message an object": lambda rows: "\n".join(
        json.dumps({"timestamp": "2026-11-25T02:00:00Z", "message": json.loads(row)}) for row in rows
    ),
    "filter-log-events": lambda rows: json.dumps({"events": [{"message": row + "\n", "timestamp": 1} for row in rows]}),
    "filter-log-events, pretty": lambda rows: json.dumps(
        {"events": [{"timestamp": 1, "message": row + "\n", "eventId": "1"} for row in rows]}, indent=4
    ),
    "Insights": lambda rows: json.dumps({"results": [[{"field": "@message", "value": row}] for row in rows]}, indent=2),
    "Insights CSV": as_csv,
    "pretty objects": lambda rows: "\n".join(json.dumps(json.loads(row), indent=2) for row in rows),
    "a byte order mark and CRLF": lambda rows: "\ufeff" + "\r\n".join(rows),
}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_every_carrier_is_read(tmp_path: Path, carrier: str) -> None:
    intake = read(written(tmp_path, CARRIERS[carrier](lines(5))))
    log = intake.builder.log()
    assert log.n == 5 and intake.bad_lines == 0
    assert sorted(str(log.id_of(place)) for place in range(5)) == ["s0", "s1", "s2", "s3", "s4"]
    assert log.hashes(0) == (HASH, f"{0:064x}")
    assert log.parts["quality"].tolist() == [1.0] * 5


def test_a_folder_of_exports_counts_no_line_twice(tmp_path: Path) -> None:
    """Overlapping exports, one compressed; equal lines within one file are results of their own."""
    rows = lines(6)
    (tmp_path / "a").mkdir()
    written(tmp_path, "\n".join([*rows[:4], rows[0]]), "a/one.log")
    (tmp_path / "two.gz").write_bytes(gzip.compress("\n".join(rows[2:]).encode()))
    written(tmp_path, "Permission test", "aws-logs-write-test")
    log = read(tmp_path).builder.log()
    assert (log.n, log.twice) == (7, 2)


BAD = {
    "not JSON": json.dumps(entry())[:-30],
    "not a finite number": json.dumps(entry(aggregate_reward_score=float("nan"))),
    "prompt_sha256": json.dumps({k: v for k, v in entry().items() if k != "prompt_sha256"}),
    "no SHA-256": json.dumps(entry(response_sha256="abc")),
    "without aggregate_reward_score": json.dumps(entry(aggregate_reward_score=None)),
    "too large": json.dumps(entry(aggregate_reward_score=1e300)),
    "outside [0, 1]": json.dumps(entry(parts={"a": 7})),
    "negative": json.dumps(entry(response_words=-1)),
    "expected rftj.reward-log/1": json.dumps(entry(schema="rftj.reward-log/2")),
    "Invalid enum value": json.dumps(entry(outcome="maybe")),
    "RFC3339": json.dumps(entry(at="yesterday")),
}


@pytest.mark.parametrize("problem", BAD)
def test_a_bad_line_is_named_and_not_fatal(tmp_path: Path, problem: str) -> None:
    intake = read(written(tmp_path, "\n".join([*lines(2), BAD[problem], *lines(1)])))
    assert (intake.builder.n, intake.bad_lines) == (3, 1)
    assert intake.bad[0].line == 3 and problem in intake.bad[0].problem
    with pytest.raises(InputError, match="all 1 lines of the reward log are bad"):
        read(written(tmp_path, BAD[problem])).refuse_empty("log")


def test_malformed_rows_have_no_hashes_and_many_lines_may_be_one_message(tmp_path: Path) -> None:
    """As the handler writes: a malformed row is no prompt, and all rows of an invocation are printed at once."""
    hashless = {k: v for k, v in entry(5, outcome="malformed", parts={}).items() if "sha256" not in k}
    text = "\n".join([*lines(3), json.dumps({**hashless, "fault": "messages: missing key"}), json.dumps(hashless)])
    log = read(written(tmp_path, json.dumps({"events": [{"message": text + "\n"}]}))).builder.log()
    assert log.n == 5 and log.prompts() == 1 and log.named.tolist() == [True, True, True, False, False]
    assert log.hashes(4) == ("", "") and log.prompt[3] != log.prompt[4]


def test_null_ids_missing_keys_and_failures_without_a_reward_are_read(tmp_path: Path) -> None:
    least = {k: entry()[k] for k in ("schema", "at", "outcome", "prompt_sha256", "response_sha256")}
    rows = [
        {**least, "outcome": "failure", "aggregate_reward_score": None},
        entry(id=None),
        entry(id={"a": [1]}),
        entry(id="ü"),
    ]
    log = read(written(tmp_path, "\n".join(json.dumps(row) for row in rows))).builder.log()
    ids = [log.id_of(place) for place in range(4)]
    assert ids.count(None) == 2 and {"a": [1]} in ids and "ü" in ids
    assert np.isnan(log.reward).sum() == 1


def test_a_file_without_results_says_what_is_in_it(tmp_path: Path) -> None:
    path = written(tmp_path, "\n".join([*NOISE, '{"id": 1}']))
    with pytest.raises(InputError, match="no line of a reward log in it") as error:
        read(path).refuse_empty(path)
    assert "1 START" in str(error.value) and "1 JSON" in str(error.value) and "hello" not in str(error.value)


@pytest.mark.parametrize(
    "content",
    [
        b"\x1f\x8b broken",
        b"\x00\xff" * 5000,
        b"[" * 100_000 + b"rftj.reward-log/1",
        b'{"a":' * 99_999 + b'"rftj.reward-log/1"',
        b"\n\n",
    ],
)
def test_rubbish_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read(path).refuse_empty(path)


def test_a_cut_off_gzip_file_gives_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress("\n".join(lines(2000)).encode())[:-200])
    intake = read(path)
    assert intake.builder.n > 100 and "cut off" in intake.bad[-1].problem


def test_what_was_added_is_read_and_half_a_line_waits(tmp_path: Path) -> None:
    rows, intake = lines(4), Intake()
    path = written(tmp_path, rows[0] + "\n" + rows[1][:50])
    files = LogFiles(path)
    assert files.read(intake, final=False) == 1
    assert files.read(intake, final=False) == 0
    with path.open("a") as file:
        file.write(rows[1][50:] + "\n" + rows[2] + "\n")
    assert files.read(intake, final=False) == 2
    path.write_text(rows[3] + "\n")  # the log was rotated
    assert files.read(intake, final=False) == 1
    assert intake.builder.log().n == 4 and intake.bad_lines == 0


def test_an_empty_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no file"):
        read(tmp_path)
    written(tmp_path, "", "reward.log")
    with pytest.raises(InputError, match="did you mean"):
        LogFiles(tmp_path / "rewards.log")
    with pytest.raises(InputError, match="is empty"):
        LogFiles(tmp_path / "reward.log")


def test_hundreds_of_part_names_do_not_fill_the_memory(tmp_path: Path) -> None:
    rows = [entry(number, parts={f"own-{number}": 1.0, "shared": 0.5}) for number in range(200)]
    log = read(written(tmp_path, "\n".join(json.dumps(row) for row in rows))).builder.log()
    assert len(log.parts) == 64 and log.unnamed_parts == 137

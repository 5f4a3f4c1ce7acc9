"""What `rftj check` forecasts against what a service bills that counts with a real tokenizer, not with rftj's estimate."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import yaml
from making import write_rows
from texts import TEXTS

from rftj_cli.main import run
from rftj_cli.testing import FakeJudgeServer, Usage

ROOT = Path(__file__).resolve().parents[2]
DATA, RUBRICS = ROOT / "datasets" / "contract-review", ROOT / "prompts" / "contract-review"
PRICE = {"input": 1.0, "output": 5.0}  # US dollars per million tokens: output as dear as with most models


@pytest.fixture(scope="module")
def tokens() -> Callable[[str], int]:
    """Counts as o200k does."""
    encodings = pytest.importorskip("rs_bpe", reason="no tokenizer to count with: pip install rs-bpe").openai
    encoder = encodings.o200k_base()
    return lambda text: len(encoder.encode(text))


def rftj(*arguments: object) -> dict[str, Any]:
    out, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(errors):
        code = run([*map(str, arguments), "--json"])
    assert code == 0, errors.getvalue() + out.getvalue()
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def billed(usage: Usage) -> float:
    return (usage.prompt * PRICE["input"] + usage.output * PRICE["output"]) / 1e6


def prices(folder: Path) -> Path:
    path = folder / "prices.yaml"
    path.write_text(yaml.safe_dump({"date": "2026-11-20", "models": {"openai:fake": PRICE}}), encoding="utf-8")
    return path


def asked(body: dict[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def forecast_and_bill(
    home: Path, tokens: Callable[[str], int], rubric: Path, samples: Path, said: Callable[[str], str], *options: str
) -> tuple[dict[str, Any], Usage, dict[str, Any]]:
    """The forecast of `check`, what the server bills for `score`, and the document of that."""
    common = [rubric, samples, "--set", "judge.model=openai:fake", *options, "--prices", prices(home)]
    forecast = rftj("check", *common)["forecast"]
    with FakeJudgeServer(lambda body: said(asked(body)), count_tokens=tokens) as server:
        summary = rftj("score", *common, "--base-url", server.base_url, "--run", home / "run")
        return forecast, server.billed, summary


def near(forecast: dict[str, Any], usage: Usage, calls: int) -> None:
    assert (forecast["calls"], usage.replies) == (calls, calls)
    assert forecast["cost"] == pytest.approx(billed(usage), rel=0.20)
    assert forecast["input_tokens"] == pytest.approx(usage.prompt, rel=0.10)
    assert forecast["output_tokens"] == pytest.approx(usage.output, rel=0.35)


@pytest.mark.parametrize("name", ["brief", "defined"])
def test_recorded_replies_of_a_large_model(name: str, home: Path, tokens: Callable[[str], int]) -> None:
    """Contract review; the prompts say themselves how to answer, so no schema may ask for something else."""
    replies = {row["id"]: row["text"] for row in rows(DATA / "replies" / f"{name}.jsonl")}
    by_text = [(row["context"]["excerpt"], row["response"], replies[row["id"]]) for row in rows(DATA / "samples.jsonl")]

    def said(prompt: str) -> str:
        return next(reply for excerpt, response, reply in by_text if excerpt in prompt and response in prompt)

    forecast, usage, summary = forecast_and_bill(
        home, tokens, RUBRICS / f"{name}.yaml", DATA / "samples.jsonl", said, "--set", "judge.structure=text"
    )
    near(forecast, usage, 144)
    assert summary["cost"] == pytest.approx(billed(usage), rel=1e-6)


REASONS = """\
The answer names the deadline and the form of the notice, and both are in the question.
It repeats the question and adds a figure that stands nowhere. Nothing supports the claim that the fee was raised twice.
Correct, complete and short; the one caveat, that holidays are not counted, stands at the end of the second paragraph.
Two of the three steps are in the wrong order, which matters here: the file would be written before it is checked.
""".splitlines()


def test_rftjs_own_answer_format_in_made_up_texts(home: Path, tokens: Callable[[str], int]) -> None:
    """English, code, JSON and numbers under a rubric of four criteria, whose answers a schema holds."""
    ids = ["accuracy", "completeness", "tone", "safety"]
    rubric = home / "rubric.yaml"
    rubric.write_text(
        yaml.safe_dump(
            {
                "name": "made-up",
                "criteria": [{"id": one, "question": f"Is the answer good as to its {one}?"} for one in ids],
                "prompt": {
                    "system": "You compare answers with what was asked, without regard to their length.",
                    "user": "Question:\n{{ prompt }}\n\nAnswer:\n{{ response }}\n\n{{ criteria }}",
                },
                "judge": {"model": "openai:other"},
            }
        ),
        encoding="utf-8",
    )
    kinds = ["English prose", "contract", "JSON", "Markdown", "Python", "numbers"]
    samples = [
        {"id": f"{kind}-{n}", "prompt": f"What is this, in {n} words?", "response": TEXTS[kind][0][: 120 * n]}
        for kind in kinds
        for n in (2, 4, 6)
    ]

    def said(prompt: str) -> str:
        place = len(prompt)
        return json.dumps({one: {"reason": REASONS[(place + n) % 4], "level": "pass"} for n, one in enumerate(ids)})

    forecast, usage, _ = forecast_and_bill(home, tokens, rubric, write_rows(home / "samples.jsonl", samples), said)
    near(forecast, usage, len(samples))


def test_a_run_teaches_the_next_forecast(home: Path, tokens: Callable[[str], int]) -> None:
    """A judge that writes ten times what it is expected to: the second command knows."""
    rubric = home / "rubric.yaml"
    rubric.write_text(
        yaml.safe_dump(
            {
                "name": "long-winded",
                "criteria": [{"id": "quality", "question": "Is it good?"}],
                "prompt": {"user": "Judge this: {{ response }}"},
                "judge": {"model": "openai:fake"},
            }
        ),
        encoding="utf-8",
    )
    more = [{"id": f"s{n}", "response": f"{TEXTS['contract'][0]} Number {n}."} for n in range(60)]
    write_rows(home / "samples.jsonl", more[:40])

    def said(prompt: str) -> str:
        return json.dumps({"quality": {"reason": " ".join(REASONS * 4), "level": "pass"}})

    forecast, usage, _ = forecast_and_bill(home, tokens, rubric, home / "samples.jsonl", said)
    assert forecast["cost"] < 0.5 * billed(usage)
    write_rows(home / "samples.jsonl", more)
    with FakeJudgeServer(lambda body: said(asked(body)), count_tokens=tokens) as server:
        command = ["score", rubric, home / "samples.jsonl", "--prices", prices(home), "--base-url", server.base_url]
        learned = json.loads((home / "run" / "run.json").read_text(encoding="utf-8"))["learned"]["tokens"]
        assert learned["replies"] == 40 and learned["output_ratio"] > 5
        ceiling = 1.3 * billed(usage) / 2  # for twenty more samples: enough, if the forecast is right
        rftj(*command, "--run", home / "run", "--max-cost", ceiling)
        assert server.billed.replies == 20

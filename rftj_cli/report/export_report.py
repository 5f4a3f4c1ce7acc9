"""What `rftj reward export` prints: the file, and all that is lost in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rftj_cli.errors import counted
from rftj_cli.report.blocks import Block, Facts, Heading, Lines
from rftj_cli.report.documents import show_json
from rftj_cli.reward.export import Export

SCHEMA: Final = "rftj.export/1"
FORMS: Final = {
    "sagemaker": "a RewardPrompt (.jinja) of SageMaker",
    "bedrock-evaluations": "customMetricConfig of a Bedrock evaluation job",
}


def show(exported: Export, rubric: Path, file: Path, *, json: bool) -> None:
    """Print where it is and what it is not."""
    if json:
        show_json(
            {
                "schema": SCHEMA,
                "rubric": str(rubric),
                "form": exported.form,
                "file": str(file),
                "characters": len(exported.text),
                "metrics": list(exported.metrics),
                "variables": dict(exported.variables),
                "lost": list(exported.lost),
                "notes": list(exported.notes),
            }
        )
        return
    from rftj_cli.report import console

    console.show(list(_blocks(exported, file)))


def _blocks(exported: Export, file: Path) -> Iterator[Block]:
    yield Facts(
        [
            ("written", f"{file}: {FORMS[exported.form]}, {counted(len(exported.text), 'character')}"),
            *([("metrics", ", ".join(exported.metrics))] if exported.metrics else []),
            ("variables", ", ".join(f"{field} is {name}" for field, name in exported.variables.items())),
        ]
    )
    yield Heading("Lost")
    yield Lines(exported.lost)
    yield Heading("Notes")
    yield Lines(exported.notes)

"""One file a command: load, one call into the core, render, exit code. Options that several commands share stand here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RubricArgument = Annotated[Path, typer.Argument(help="The rubric, a YAML file.", show_default=False)]
SamplesArgument = Annotated[Path, typer.Argument(help="Samples: .jsonl, .csv or .parquet.", show_default=False)]
RunArgument = Annotated[str, typer.Argument(help="A run folder, or @last.", metavar="RUN")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no advice on stderr.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="Override a rubric key for this run: judge.temperature=0.", metavar="KEY=VALUE"),
]
ModelOption = Annotated[
    str | None,
    typer.Option(help="Another judge for this run, BACKEND:MODEL: short for --set judge.model=.", metavar="MODEL"),
]
MapOption = Annotated[
    list[str] | None,
    typer.Option("--map", help="Other column names of the samples: response=answer.", metavar="NAME=COLUMN"),
]
MapLabelsOption = Annotated[
    list[str] | None,
    typer.Option("--map-labels", help="Other column names of the labels file: value=score.", metavar="NAME=COLUMN"),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of everything that involves chance.")]
PricesOption = Annotated[
    Path | None, typer.Option(help="A YAML file with your own prices.", envvar="RFTJ_PRICES", metavar="FILE")
]
LabelsOption = Annotated[
    str | None, typer.Option(help="Labels in a file of their own (default: those in the samples).", metavar="FILE")
]
WideOption = Annotated[bool, typer.Option("--wide", help="The labels file has one column a criterion.")]
TruthOption = Annotated[
    str | None,
    typer.Option(
        help="Which label is the truth: adjudicated, majority, or a rater. Default: adjudicated, else majority.",
        metavar="RULE",
    ),
]
TruthRubricOption = Annotated[
    Path | None,
    typer.Option(help="The rubric whose criteria the labels answer, where the judge's are others.", metavar="FILE"),
]
SplitOption = Annotated[str | None, typer.Option(help="Use only train, dev, test or anchor.", metavar="SPLIT")]
FrozenOption = Annotated[
    bool,
    typer.Option("--frozen", help="Count this look at the test split, but do not write it to the ledger (for CI)."),
]
IgnoreUnknownOption = Annotated[
    bool, typer.Option("--ignore-unknown", help="Pass over labels of samples that are not in the run.")
]
MarkdownOption = Annotated[bool, typer.Option("--markdown", help="Print Markdown.")]
ShowTextOption = Annotated[
    bool | None,
    typer.Option("--show-text/--no-text", help="Show text of samples and reasons. Default: yes, and no in CI."),
]
ByOption = Annotated[list[str] | None, typer.Option(help="Slice by this field of the samples.", metavar="FIELD")]
WorkersOption = Annotated[
    int | None, typer.Option(help="Calls at the same time. Default: as rftj score.", min=1, max=1024)
]
BaseUrlOption = Annotated[str | None, typer.Option(help="Endpoint of an openai: judge.", envvar="OPENAI_BASE_URL")]
RegionOption = Annotated[str | None, typer.Option(help="AWS region of a bedrock: judge.")]
MaxCostOption = Annotated[float | None, typer.Option(help="US dollars this command may spend.", min=0)]


def overrides(set_: list[str] | None, model: str | None) -> tuple[str, ...]:
    """The rubric keys that a command line overrides."""
    return (*(set_ or ()), *([] if model is None else [f"judge.model={model}"]))


BundleArgument = Annotated[
    Path, typer.Argument(help="The bundle of rftj reward build.", metavar="ZIP", show_default=False)
]
PlaceOption = Annotated[str | None, typer.Option("--region", help="AWS region of the function.", metavar="REGION")]
FunctionOption = Annotated[
    str | None,
    typer.Option(help="The function's name. Default: rftj-NAME. See the page for the targets' rules.", metavar="NAME"),
]
RoleOption = Annotated[
    str | None,
    typer.Option(help="An execution role that exists. IAM is then not touched. Default: one is made.", metavar="ARN"),
]
AccountOption = Annotated[str | None, typer.Option(help="The AWS account that is meant.", metavar="ID")]
ProfileRegionsOption = Annotated[
    str | None,
    typer.Option(
        help="Where the judge's inference profile computes, if AWS cannot be asked: us-east-1,us-east-2.",
        metavar="REGIONS",
    ),
]
RuntimeOption = Annotated[str, typer.Option(help="python3.13 or python3.12.", metavar="NAME")]
ArchitectureOption = Annotated[str, typer.Option(help="arm64 or x86_64.", metavar="NAME")]
TimeoutOption = Annotated[int, typer.Option(help="Seconds that one invocation may take, at most 900.")]
MemoryOption = Annotated[int, typer.Option(help="Memory in MB.")]
ReservedOption = Annotated[
    int | None, typer.Option(help="Concurrency that is kept for the function, and its limit. Default: left as it is.")
]
ProvisionedOption = Annotated[
    int | None, typer.Option(help="Environments of the alias that are kept warm, paid by the hour. Default: none.")
]
RetentionOption = Annotated[int, typer.Option(help="Days that the log is kept.", metavar="DAYS")]


def listed_option(text: str | None) -> tuple[str, ...]:
    """The words of an option that takes several, with commas."""
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())

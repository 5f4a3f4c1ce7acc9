"""`rftj reward watch`: the reward logs of a training run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rftj_cli.commands import JsonOption, MarkdownOption, QuietOption, SeedOption

if TYPE_CHECKING:
    from rftj_cli.reward.watch import Watching
    from rftj_cli.reward.watch_values import Watched


def watch(
    logs: Annotated[
        str,
        typer.Argument(
            help="A log file, a folder of them, a log group, or the name or ARN of a function.",
            metavar="LOGS|LOG-GROUP",
        ),
    ],
    window: Annotated[
        str | None, typer.Option(help="Length of a window: 30s, 10m, 2h. Default: about 12 windows.", metavar="TIME")
    ] = None,
    group_gap: Annotated[
        str | None,
        typer.Option(
            help="Answers to one prompt with a longer pause between them are two groups. Default: found.",
            metavar="TIME",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="From then on: 2h ago, or ISO 8601. Default: all; of CloudWatch 1d.", metavar="TIME"),
    ] = None,
    until: Annotated[str | None, typer.Option(help="Before then: 2h ago, or ISO 8601.", metavar="TIME")] = None,
    region: Annotated[str | None, typer.Option(help="AWS region of the log group.")] = None,
    anchors: Annotated[
        str | None, typer.Option(help="A run whose samples were scored again: has the judge changed?", metavar="RUN")
    ] = None,
    to_label: Annotated[
        Path | None, typer.Option(help="Write which results people should look at, JSON Lines.", metavar="FILE")
    ] = None,
    label_size: Annotated[
        int, typer.Option(help="With --to-label: how many, half of them at random.", min=2, metavar="N")
    ] = 60,
    records: Annotated[
        Path | None,
        typer.Option(help="With --to-label: records that hold the texts, a file or a folder.", metavar="FILE"),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on, and print again when results were added. Ctrl-C ends.")
    ] = False,
    every: Annotated[
        str | None,
        typer.Option(help="With --follow: how often to look. Default: 2s, CloudWatch 30s.", metavar="TIME"),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where there is a sign or drift.")] = False,
    seed: SeedOption = 0,
    html: Annotated[Path | None, typer.Option(help="Write an HTML page too.", metavar="FILE")] = None,
    markdown: MarkdownOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Watch the reward logs of a training run: how rewards go, and whether they are being hacked.

    Windows of time, early against late, signs of reward hacking with the results to look at, and with --anchors whether
    the judge itself has changed. Exit code 3 where there are too few results to compare.
    """
    from rftj_cli.report import reward_watch_report
    from rftj_cli.reward.watch import Watching, WatchQuestion, exit_code

    question = WatchQuestion(
        logs=logs, window=window, group_gap=group_gap, since=since, until=until, region=region, anchors=anchors,
        to_label=to_label, label_size=label_size, records=records, follow=follow, every=every, seed=seed,
    )  # fmt: skip
    watching = Watching(question, tell=reward_watch_report.reader(quiet=quiet or json))

    show = partial(reward_watch_report.show, json=json, markdown=markdown, page=html, quiet=quiet)
    if follow:
        return _follow(watching, show, json=json, quiet=quiet)
    found = watching.look()
    show(found)
    return exit_code(found, strict=strict)


def _follow(watching: Watching, show: Callable[[Watched], None], *, json: bool, quiet: bool) -> int:
    """Print each state as it comes; of JSON the last one, so that it is one document. Ends with Ctrl-C: 130."""
    from rftj_cli.errors import Interrupted, Told
    from rftj_cli.report import reward_watch_report

    reward_watch_report.waiting(watching.name, watching.every, quiet=quiet)
    last = None
    for last in watching.follow(reward_watch_report.trouble):
        if not json:
            show(last)
    if json and last is not None:
        show(last)
    reward_watch_report.ended(watching.looks, quiet=quiet)
    return Told(Interrupted.exit_code)

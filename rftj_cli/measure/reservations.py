"""What a calibration's numbers do not tell: of failures beside a metric, and of samples that were chosen or are missing."""

from __future__ import annotations

from collections.abc import Iterator

from rftj_cli.errors import counted
from rftj_cli.measure.production import REWARD, WITH_FAILURES
from rftj_cli.measure.trust import chosen_by_outcome
from rftj_cli.measure.values import Calibration, MetricReport

READINGS = (REWARD, WITH_FAILURES)  # of failures, of a reward beside a metric


def about_metric(metric: MetricReport) -> Iterator[str]:
    """Both readings of the reward where failures have one."""
    if not metric.failures:
        return
    words = f"{metric.name}: {metric.failures:,} failures have the reward that the rubric gives them"
    name, said = ("auc", "AUC") if metric.kind == "yes/no" else ("spearman", "the rank correlation")
    alone, every = (metric.rows[id].estimates[name].value if id in metric.rows else None for id in READINGS)
    if alone is not None and every is not None:
        words += f"; {said} of the reward is {alone:.3f} without them, {every:.3f} with them"
    yield words


def about_samples(report: Calibration) -> Iterator[str]:
    """Whether the run holds all samples of its file, and how those that it holds were chosen."""
    selections = report.run.get("selections", ())
    for one in chosen_by_outcome(report):
        yield (
            f"samples chosen by what came out ({one.words}): agreement on them says nothing of others, and moves to the "
            "mean by itself when they are judged again; judge all samples before you claim anything"
        )
    for one in selections:
        if one.only is None:
            yield f"this run holds a part of its samples ({one.words})"
    if report.run.get("waiting"):
        waiting = report.run["waiting"]
        left = f"{waiting:,} of the chosen samples" if selections else counted(waiting, "sample")
        yield f"this run is not complete: {left} not judged yet"

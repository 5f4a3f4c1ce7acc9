"""What a calibration means, in plain sentences: each criterion's finding, warnings about what it rests on, what next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from shlex import quote

from rftj_cli.errors import counted
from rftj_cli.measure.leanings import biases
from rftj_cli.measure.reservations import about_metric, about_samples
from rftj_cli.measure.sentences import in_percent, of, sentence
from rftj_cli.measure.trust import trusts
from rftj_cli.measure.values import Calibration, Criterion
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.numeric import HEAVY_TAILS

FEW_LABELS = 50
FEW_OF_A_CLASS = 10
FEW_CLUSTERS = 15
MOST_OF_ONE = 0.8  # the share of one level beyond which it rules the table


def add(report: Calibration) -> Calibration:
    """The same calibration with its sentences, warnings and next step."""
    criteria = {id: replace(one, sentence=sentence(one)) for id, one in report.criteria.items()}
    report = replace(report, criteria=criteria)
    said = [f"{id}: {one.sentence}" for id, one in criteria.items() if one.sentence]
    return replace(
        report,
        findings=said,
        trust=trusts(report),
        warnings=[*report.warnings, *_warnings(report)],
        next=list(_next(report)),
    )


def _warnings(report: Calibration) -> Iterator[str]:
    yield from about_samples(report)
    yield from _about_labels(report)
    for id, one in report.criteria.items():
        for text in _about(one, report.truth):
            yield f"{id}: {text}"
    if not report.criteria and report.reward is None and not report.metrics:
        yield "nothing could be compared: no sample has both a verdict and a truth"
    if report.reward is not None:
        yield from _about_reward(report)
    for metric in report.metrics.values():
        yield from about_metric(metric)


def _about_labels(report: Calibration) -> Iterator[str]:
    sources: dict[str, int] = {}
    for one in report.criteria.values():
        for source, count in one.sources.items():
            sources[source] = sources.get(source, 0) + count
    sources = sources or report.run.get("label_sources", {})
    made = sources.get("model", 0)
    if made:
        total = sum(sources.values())
        share = "the labels" if made == total else f"{made:,} of {counted(total, 'label')}"
        yield f"{share} were made by a model: this is agreement with a model, not with people"
    if report.run.get("labels_passed_over"):
        yield f"labels of samples outside this run were passed over: {report.run['labels_passed_over']:,}"
    if report.run.get("labels_blank"):
        yield f"rows of the plan without a value yet: {report.run['labels_blank']:,}; labelled ones stand for them"
    skipped = report.run.get("stages", {}).get("skipped", 0)
    if skipped:
        yield f"not put to the judge: {counted(skipped, 'sample')} that a check or the response itself settled"
    counts = report.counts
    if counts.votes_lost:
        yield f"votes lost: {counted(counts.votes_lost, 'reply')} without a verdict, in samples whose other votes decide"
    if "table" in report.run and counts.labelled < counts.samples:
        yield f"rows without a label, left out: {counts.samples - counts.labelled:,} of {counts.samples:,}"
    if report.run.get("without_group"):
        yield f"rows without a group: {report.run['without_group']:,}; each is a group of its own"
    if counts.clusters < min(FEW_CLUSTERS, counts.used):
        yield f"only {counted(counts.clusters, 'independent cluster')}: below {FEW_CLUSTERS}, intervals may be too narrow"


def _about(one: Criterion, truth: str) -> Iterator[str]:
    n = one.estimates["bias"].n if one.scale == "continuous" else sum(map(sum, one.table))
    rows = [sum(row) for row in one.table]
    if 0 < n < FEW_LABELS:
        yield f"labelled {one.unit}s with a verdict: only {n}; read the bounds, not the values"
    levels = one.estimates.get("agreement")
    if one.scale == "continuous" and levels is not None and levels.note:
        yield levels.note
    used = [level for level, count in zip(one.levels, rows, strict=True) if count]
    if n and len(used) == 1:
        yield f"every label is {used[0]}: how the judge treats anything else is unknown, and kappa says nothing"
    elif n and len(one.levels) == 2 and min(rows) < FEW_OF_A_CLASS:
        level = one.levels[rows.index(min(rows))]
        yield f"labels that are {level}: only {min(rows)}; the rate on them is uncertain"
    columns = [sum(row[j] for row in one.table) for j in range(len(one.levels))]
    if n and sum(count > 0 for count in columns) == 1 and len(used) > 1:
        yield f"the judge gives every {one.unit} the same verdict: it measures nothing"
    yield from _paradox(one)
    yield from _failures(one, n)
    if one.undecided:
        rules = ("majority", "adjudicated, else majority")
        why = "their raters differ and nothing decides" if truth in rules else f"{truth} did not label them"
        yield f"{one.unit}s without a truth, left out of agreement with the labels: {one.undecided}; {why}"
    yield from _tie_breakers(one)
    if one.cannot_tell:
        yield f"labels that are `cannot_tell`: {one.cannot_tell}; they count for none of the levels"
    yield from _no_interval(one)
    yield from _heavy_tails(one.estimates)
    yield from biases(one)
    yield from _beside_baselines(one)


def _tie_breakers(one: Criterion) -> Iterator[str]:
    """Raters who are no measure of how far raters agree, since they were asked where the others did not."""
    for name, found in ({} if one.raters is None else one.raters["tie_break"]).items():
        yield (
            f"{name} rated almost only {one.unit}s on which the other raters differ ({of(found['disputed'], found['items'])}; they "
            f"differ on {of(found['others_disputed'], found['others'])}): a tie-break, left out of the comparison of judge and raters"
        )


def _no_interval(one: Criterion) -> Iterator[str]:
    """The figure of the first screen, where it has a value and no interval, and why."""
    name = "kappa_quadratic" if "kappa_quadratic" in one.estimates else "kappa"
    found = one.estimates.get(name)
    if found is not None and found.value is not None and found.low is None and found.note:
        yield f"{name.replace('_', ' ')} has no interval: {found.note}"


def _heavy_tails(estimates: Mapping[str, Estimate], what: str = "") -> Iterator[str]:
    """Correlations and means whose intervals rest on a few far values."""
    names = [name for name, one in estimates.items() if HEAVY_TAILS in (one.note or "")]
    if names:
        yield (
            f"{what}{', '.join(name.replace('_', ' ') for name in names)}: {HEAVY_TAILS}, so the interval may be too narrow; "
            "read the rank correlations"
        )


def _paradox(one: Criterion) -> Iterator[str]:
    """Kappa is low where nearly all labels are one level; it is rightly low where nearly all verdicts are."""
    n = sum(map(sum, one.table))
    if not n:
        return
    labels = [sum(row) for row in one.table]
    verdicts = [sum(row[j] for row in one.table) for j in range(len(one.levels))]
    if max(labels) == n:
        return  # labels of one level have their own warning
    if max(labels) > MOST_OF_ONE * n:
        level = one.levels[labels.index(max(labels))]
        yield f"{in_percent(max(labels) / n)} of the labels are {level}, so kappa says little: read the rate on each class"
    elif max(verdicts) > MOST_OF_ONE * n and sum(count > 0 for count in verdicts) > 1:
        level = one.levels[verdicts.index(max(verdicts))]
        share = in_percent(max(labels) / n)
        yield f"the judge says {level} to {in_percent(max(verdicts) / n)}, the most frequent label is on {share}"


def _failures(one: Criterion, n: int) -> Iterator[str]:
    if not one.failed:
        return
    stages = ", ".join(f"{count} {stage}" for stage, count in sorted(one.stages.items()))
    name = "reply_accuracy" if "reply_accuracy" in one.estimates else "agreement"
    without, wrong = one.estimates.get(name), one.estimates.get(f"{name}_failures_wrong")
    both = ""
    if without is not None and without.value is not None and wrong is not None and wrong.value is not None:
        words = name.replace("_", " ")
        both = f": {words} is {without.value:.3f} without them, {wrong.value:.3f} if they count as wrong"
        both += "".join(_as_ties(one))
    yield f"{one.failed} of {n + one.failed} labelled {one.unit}s have no verdict ({stages}){both}"


def _as_ties(one: Criterion) -> Iterator[str]:
    """The reading of comparisons that counts a failure as a tie, beside the one that leaves failures out."""
    for name, words in (("agreement", "exact agreement"), ("macro_f1", "macro F1")):
        tie, without = one.estimates.get(f"{name}_failures_tie"), one.estimates[name]
        if tie is not None and tie.value is not None and without.value is not None:
            yield f"; {words} is {tie.value:.3f} if they count as ties, {without.value:.3f} without them"


def _beside_baselines(one: Criterion) -> Iterator[str]:
    name = "kappa_quadratic" if "kappa_quadratic" in one.estimates else "kappa"
    own = one.estimates[name].value if one.baselines else None
    if sum(any(row[j] for row in one.table) for j in range(len(one.levels))) < 2:
        return  # a judge that says one thing has its own warning
    for baseline in one.baselines:
        other = baseline.estimates.get(name)
        if own is None or other is None or other.value is None or baseline.name == "majority":
            continue
        if other.value >= own:
            yield f"a rule without a judge ({baseline.name}) agrees as well: {name} {other.value:.2f} against {own:.2f}"


def _about_reward(report: Calibration) -> Iterator[str]:
    assert report.reward is not None
    if report.reward.pairs == 0:
        yield "reward: no group holds two samples that the labels tell apart, so its ranking cannot be measured"
    yield from _heavy_tails(report.reward.estimates, "reward: ")
    alone = report.reward.estimates.get("pair_accuracy_verdicts_alone")
    pairs = report.reward.estimates["pair_accuracy"]
    if alone is not None and alone.value is not None and pairs.value is not None:
        yield (
            f"reward: failures count with the reward that the rubric gives them; pair accuracy is {pairs.value:.3f} so, "
            f"{alone.value:.3f} without them"
        )


def _next(report: Calibration) -> Iterator[str]:
    folder = report.run.get("folder")
    service = sum(report.run.get("stages", {}).get(stage, 0) for stage in ("throttled", "timeout", "call"))
    if folder and service:
        yield f"{report.run['command']}   # tries the {service} samples again that the service failed"
    if folder and report.criteria:
        yield f"{' '.join(('rftj gate', quote(folder), report.run['options'])).rstrip()} --rules RULES.yaml"

"""The finding of one criterion in a sentence: counts, shares and the bound that the data allow."""

from __future__ import annotations

from rftj_cli.measure.values import Criterion
from rftj_cli.stats.estimate import Estimate

_Side = tuple[int, int, str, str, str]  # wrong, of how many, the estimate of the right ones, what is done, to what


def sentence(one: Criterion) -> str:
    """The finding in counts, worst direction first, with the bound that the data allow."""
    if one.scale in ("pass_fail", "levels") and len(one.levels) == 2:
        return _binary(one)
    if one.scale == "preference":
        return _preference(one)
    if one.scale == "continuous":
        return _continuous(one)
    return _levels(one)


def _levels(one: Criterion) -> str:
    n = sum(map(sum, one.table))
    right = sum(one.table[i][i] for i in range(len(one.levels)))
    if n == 0:
        return f"no {one.unit} has both a verdict and a label"
    text = f"gives {of(right, n)} {one.unit}s the level of the labels ({_rate(one, 'agreement', right / n)})"
    if one.scale == "nominal" or right == n:
        return text
    high = sum(count for h, row in enumerate(one.table) for j, count in enumerate(row) if j > h)
    return f"{text}; {high} too high, {n - right - high} too low"


def _binary(one: Criterion) -> str:
    cells = [(h, j) for h, row in enumerate(one.table) for j, count in enumerate(row) if count]
    if len(cells) == 1 and cells[0][0] == cells[0][1] and {"pass", "fail"} != set(one.levels):
        return _levels(one)  # the other level may be one that nobody gave
    sides = _pitfall(one) if one.pitfall else _sides(one)
    parts = [
        f"{doing} {of(missed, total)} {one.unit}s {where} ({_missed(one, estimate, missed / total)})"
        for missed, total, estimate, doing, where in sides
        if total
    ]
    return "; ".join(parts) or f"no {one.unit} has both a verdict and a label"


def _sides(one: Criterion) -> tuple[_Side, ...]:
    """Too mild before too strict, in the words of the levels."""
    (ff, fp), (pf, pp) = one.table
    fail, passed = one.levels
    both = ((fp, ff + fp, "tnr", passed, fail), (pf, pf + pp, "tpr", fail, passed))
    return tuple(
        (missed, total, name, {"pass": "passes", "fail": "fails"}.get(says, f"says {says} to"), f"that the labels {_verb(truth)}")
        for missed, total, name, says, truth in both
    )  # fmt: skip


def _pitfall(one: Criterion) -> tuple[_Side, ...]:
    """What is missed, which is too mild, before what is accused in vain."""
    (ff, fp), (pf, pp) = one.table
    return (
        (pf, pf + pp, "tpr", "misses it in", "where the labels find it"),
        (fp, ff + fp, "tnr", "false alarm in", "where the labels do not"),
    )


def _missed(one: Criterion, name: str, share: float) -> str:
    """The share missed, with its upper bound: of weighted labels not the one of the counts."""
    found = one.estimates[name]
    value = share if found.value is None else 1 - found.value
    said, most = in_percent(value), None if found.low is None else in_percent(1 - found.low)
    return _weighted(one) + said + ("" if most in (None, said) else f", at most {most}")


def _rate(one: Criterion, name: str, share: float) -> str:
    """A share with its lower bound: of weighted labels not the one of the counts."""
    found = one.estimates.get(name)
    value = share if found is None or found.value is None else found.value
    return _weighted(one) + in_percent(value) + _low(one, name)


def _weighted(one: Criterion) -> str:
    return "weighted " if one.weighted else ""


def _verb(level: str) -> str:
    return level if level in ("pass", "fail") else f"call {level}"


def _preference(one: Criterion) -> str:
    decided = sum(one.table[0]) + sum(one.table[2])
    estimate = one.estimates["pair_accuracy"]
    if not decided or estimate.value is None:
        return "no decided pair has a verdict"
    right = one.table[0][0] + one.table[2][2]
    ties = one.table[0][1] + one.table[2][1]
    text = f"picks the better response in {of(right, decided)} decided pairs, {ties} ties count half"
    return f"{text} ({_rate(one, 'pair_accuracy', estimate.value)})"


def _continuous(one: Criterion) -> str:
    rank, bias = one.estimates["spearman"], one.estimates["bias"]
    if bias.value is None:
        return f"no {one.unit} has both a verdict and a label"
    side = "above" if bias.value > 0 else "below"
    text = f"scores {bias.n:,} {one.unit}s {abs(bias.value):.3g} {side} the labels on average"
    if rank.value is None:
        return f"{text}; {rank.note}"
    least = "" if rank.low is None else f", at least {rank.low:.2f}"
    return f"{text}; rank correlation {rank.value:.2f}{least}"


def of(part: int, whole: int) -> str:
    """`3 of 1,200`."""
    return f"{part:,} of {whole:,}"


def in_percent(value: float) -> str:
    """`16%`; near 0 and 1 one more digit."""
    return f"{value:.1%}" if 0 < value < 0.01 or 0.99 < value < 1 else f"{value:.0%}"


def _low(one: Criterion, name: str) -> str:
    estimate: Estimate | None = one.estimates.get(name)
    return "" if estimate is None or estimate.low is None else f", at least {in_percent(estimate.low)}"

"""How often do the intervals that a report prints hold the true value? Simulated judges, nominal 95%.

    python benchmarks/coverage.py [--data-sets 1000] [--seed 1] [--jobs 2] [--only KINDS] [--write]

Every data set goes through the same functions as a report. Intervals are drawn with fewer resamples than in a report
(4,000 posterior draws, 2,000 bootstrap resamples): that widens nothing and saves hours. `--write` puts the tables into
docs/coverage.md. judgy and evalproof are compared where they are installed (pip install judgy evalproof).
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.comparing import page as comparisons
from benchmarks.decisions import decision_tables
from benchmarks.designs import OTHERS, RATES, Count, Tally, fewer_draws, group_cell, other_cell, rate_cell
from benchmarks.harder import ITEMS, PROCESSES, process_cell, tables
from rftj_cli.stats.agreement import agreement
from rftj_cli.stats.clusters import Clusters
from rftj_cli.stats.resampling import bca
from rftj_cli.stats.table import fce_variance, kappa, weights

SIZE, COPIES = 4, 0.5  # items a cluster, and the share of them that repeat the first one's label and verdict
SIZES = (30, 50, 100, 200)
PASS_RATES, KAPPAS = (0.5, 0.8, 0.9), (0.4, 0.6, 0.8, 0.9)
KINDS = ("binary", "levels", "pairs", "rates", "groups", "others", "comparisons", "harder")
PAGE = Path(__file__).parent.parent / "docs" / "coverage.md"


@dataclass(frozen=True)
class Cell:
    """One kind of judge and data: expected cell shares (k, k), number of items, whether they come in clusters."""

    name: str
    kind: str
    shares: tuple[tuple[float, ...], ...]
    n: int
    clustered: bool
    seed: int
    data_sets: int


def binary_cells(data_sets: int, seed: int) -> Iterator[Cell]:
    for rate in PASS_RATES:
        for value in KAPPAS:
            off = rate * (1 - rate) * (1 - value)
            shares = ((1 - rate - off, off), (off, rate - off))
            for n in SIZES:
                for clustered in (False, True):
                    yield Cell(f"pass {rate:g}, kappa {value:g}", "binary", shares, n, clustered, seed, data_sets)


def level_cells(data_sets: int, seed: int) -> Iterator[Cell]:
    """Five levels; the judge errs to a neighbour (three of four errors) or anywhere."""
    for shape, margin in (("even", (0.2,) * 5), ("skew", (0.05, 0.1, 0.15, 0.3, 0.4))):
        for right in (0.5, 0.7, 0.85):
            shares = tuple(tuple(margin[h] * _given(h, right)[j] for j in range(5)) for h in range(5))
            for n in SIZES:
                for clustered in (False, True):
                    yield Cell(f"{shape}, right {right:g}", "ordinal", shares, n, clustered, seed, data_sets)


def pair_cells(data_sets: int, seed: int) -> Iterator[Cell]:
    """A, tie, B: labels tie in a fifth or never; the judge is right on 60 or 85% and errs to the other two alike."""
    for ties in (0.2, 0.0):
        margin = ((1 - ties) / 2, ties, (1 - ties) / 2)
        for right in (0.6, 0.85):
            shares = tuple(
                tuple(margin[h] * (right if h == j else (1 - right) / 2) for j in range(3)) for h in range(3)
            )
            for n in SIZES:
                for clustered in (False, True):
                    yield Cell(f"ties {ties:g}, right {right:g}", "preference", shares, n, clustered, seed, data_sets)


def _given(level: int, right: float) -> list[float]:
    beside = [j for j in (level - 1, level + 1) if 0 <= j < 5]
    others = [j for j in range(5) if j != level]
    return [
        right if j == level else (1 - right) * (0.75 * (j in beside) / len(beside) + 0.25 / len(others))
        for j in range(5)
    ]


def draw(cell: Cell, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, verdict and cluster (n,) of one data set."""
    k = len(cell.shares)
    n = cell.n if not cell.clustered else max(SIZE, round(cell.n / SIZE) * SIZE)
    cells = rng.choice(k * k, size=n, p=np.array(cell.shares).ravel() / np.sum(cell.shares))
    cluster = np.arange(n)
    if cell.clustered:
        cluster = np.arange(n) // SIZE
        cells = np.where(rng.random(n) < COPIES, cells[cluster * SIZE], cells)
    return cells // k, cells % k, cluster


def truths(cell: Cell) -> Mapping[str, float | None]:
    """Every estimate of the population: that of a table so large that nothing depends on n."""
    table = np.array(cell.shares) * 1e9
    return {name: one.value for name, one in agreement(np.round(table), kind=cell.kind).items()}  # type: ignore[arg-type]


def table_cell(cell: Cell) -> tuple[Cell, dict[str, Count]]:
    """Coverage of all estimates of one cell, with two rivals for kappa."""
    fewer_draws()
    rng = np.random.default_rng([cell.seed, cell.n, cell.clustered, hash_of(cell.name)])
    tally, true = Tally(), truths(cell)
    k = len(cell.shares)
    for data_set in range(cell.data_sets):
        truth, judge, keys = draw(cell, rng)
        table = np.bincount(truth * k + judge, minlength=k * k).reshape(k, k).astype(np.float64)
        clusters = Clusters.of(keys, truth, judge, k) if cell.clustered else None
        found = agreement(table, kind=cell.kind, clusters=clusters, seed=data_set)  # type: ignore[arg-type]
        for name, one in found.items():
            if "no interval" not in one.method and name != "marginal_homogeneity":
                tally.add(name, one, true[name])
        _rivals(tally, table, true["kappa"], rng)
        if cell.kind == "ordinal":
            rival = bca(table, quadratic_kappa, data_set)
            tally.add("kappa_quadratic, BCa", rival, true["kappa_quadratic"])
    return cell, dict(tally.of)


def quadratic_kappa(table: np.ndarray) -> np.ndarray:
    """Of a stack (..., k, k)."""
    return kappa(table, weights(table.shape[-1], "quadratic"))


def _rivals(tally: Tally, table: np.ndarray, true: float | None, rng: np.random.Generator) -> None:
    """Wald's interval and the percentile bootstrap of items, which know nothing of clusters."""
    eye, value = np.eye(len(table)), float(kappa(table, np.eye(len(table))))
    if not np.isfinite(value) or true is None:
        return
    half = 1.959964 * float(np.sqrt(max(float(fce_variance(table, eye)), 0.0)))
    tally.of["kappa, Wald"].add(value - half, value + half, true)
    n = int(table.sum())
    drawn = rng.multinomial(n, table.ravel() / n, size=1000).reshape(-1, *table.shape).astype(np.float64)
    resampled = kappa(drawn, eye)
    low, high = np.nanquantile(resampled, [0.025, 0.975])
    tally.of["kappa, percentile"].add(float(low), float(high), true)


def hash_of(text: str) -> int:
    """The same number in every process."""
    return int.from_bytes(text.encode(), "big") % 2**31


def summary(results: Sequence[tuple[Cell, dict[str, Count]]], names: Sequence[str] | None = None) -> list[list[str]]:
    """Rows: estimate, then for each n the mean and the least coverage over the cells, and the mean width."""
    sizes = sorted({cell.n for cell, _ in results})
    every = dict.fromkeys(name for _, counts in results for name in counts)
    rows = []
    for name in names or every:
        row = [name]
        for n in sizes:
            counts = [c[name] for cell, c in results if cell.n == n and name in c and c[name].made]
            rates = [100 * one.hits / one.made for one in counts]
            width = sum(one.width for one in counts) / max(1, sum(one.made for one in counts))
            row.append(f"{np.mean(rates):.1f} / {min(rates):.1f}, {width:.2f}" if rates else "-")
        rows.append(row)
    return rows


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def simulate(kinds: Sequence[str], data_sets: int, seed: int, jobs: int) -> str:
    """All tables, as Markdown."""
    parts = []
    with ProcessPoolExecutor(jobs) as pool:
        for kind, title, cells in (
            ("binary", "Pass and fail", list(binary_cells(data_sets, seed))),
            ("levels", "Five ordered levels", list(level_cells(max(1, data_sets // 3), seed))),
            ("pairs", "Comparisons (A, tie, B)", list(pair_cells(max(1, data_sets // 3), seed))),
        ):
            if kind not in kinds:
                continue
            results = list(pool.map(table_cell, cells))
            for clustered in (False, True):
                some = [one for one in results if one[0].clustered == clustered]
                heads = ["estimate", *(f"n = {n}" for n in SIZES)]
                what = f"in clusters of {SIZE}, half of the items copies" if clustered else "independent items"
                parts.append(f"## {title}, {what}\n\n{markdown(heads, summary(some))}")
        if "rates" in kinds:
            found = list(pool.map(rate_cell, RATES, [data_sets] * len(RATES), [seed] * len(RATES)))
            parts.append(_rates(found))
        if "groups" in kinds:
            heads = [f"{p} groups of 4" for p in (15, 30, 60, 120)]
            found = [group_cell(p, 4, data_sets, seed) for p in (15, 30, 60, 120)]
            parts.append(f"## Inside groups\n\n{_columns(heads, found)}")
        if "others" in kinds:
            parts += [_other(pool, which, max(1, data_sets // 3), seed) for which in range(len(OTHERS))]
    if "comparisons" in kinds:
        parts.append(comparisons(data_sets, seed, markdown))
    if "harder" in kinds:
        parts.append(harder(max(1, data_sets // 5), seed, jobs))
    return "\n".join(parts)


HARDER = "## Harder processes"


def harder(data_sets: int, seed: int, jobs: int) -> str:
    """The section of the processes in `harder.py` and the decisions in `decisions.py`."""
    cells = [(name, n) for name in PROCESSES for n in ITEMS]
    with ProcessPoolExecutor(jobs) as pool:
        found = pool.map(process_cell, *zip(*cells, strict=True), [data_sets] * len(cells), [seed] * len(cells))
        shown = tables(dict(zip(cells, found, strict=True)), markdown)
    head = HARDER_HEAD.format(
        title=HARDER, data_sets=data_sets, seed=seed, error=100 * (0.95 * 0.05 / data_sets) ** 0.5
    )
    return f"{head}{shown}\n### Decisions\n\n{decision_tables(5 * data_sets, seed, markdown)}"


def _rates(found: Sequence[dict[str, Count]]) -> str:
    names = dict.fromkeys(name for counts in found for name in counts)
    heads = ["pass rate, tpr, tnr, labels", *names]
    rows = []
    for (theta, tpr, tnr, m, prevalence), counts in zip(RATES, found, strict=True):
        what = f"{theta:g}, {tpr:g}, {tnr:g}, {m}" + ("" if prevalence is None else f", **balanced** ({prevalence:g})")
        cells = [counts.get(name, Count()) for name in names]
        rows.append([what, *(f"{100 * c.hits / c.made:.1f}, {c.width / c.made:.3f}" if c.made else "-" for c in cells)])
    return f"## Pass rates of everything that was judged\n\n{markdown(heads, rows)}"


def _other(pool: ProcessPoolExecutor, which: int, data_sets: int, seed: int) -> str:
    title, _, sizes = OTHERS[which]
    parts = []
    for size in sizes:
        found = list(pool.map(other_cell, *zip(*[(which, n, size, data_sets, seed) for n in SIZES], strict=True)))
        what = f"in clusters of {size}" if size > 1 else "independent items"
        parts.append(f"## {title}, {what}\n\n{_columns([f'n = {n}' for n in SIZES], found)}")
    return "\n".join(parts)


def _columns(heads: Sequence[str], found: Sequence[Mapping[str, Count]]) -> str:
    """Coverage and width of each estimate, one design a column."""
    rows = []
    for name in dict.fromkeys(name for one in found for name in one):
        cells = [one.get(name, Count()) for one in found]
        rows.append([name, *(f"{100 * c.hits / c.made:.1f}, {c.width / c.made:.2f}" if c.made else "-" for c in cells)])
    return markdown(["estimate", *heads], rows)


HEAD = """# Coverage: do the intervals hold what they promise?

Simulated by `make coverage`; nominal 95%. A cell shows the mean and the least coverage in percent over all simulated
judges, and the mean width. An interval that is not made (a number without an interval says so in its note) does not count.

Pass and fail: pass rates .5, .8, .9 (labels and judge alike) and kappa .4, .6, .8, .9: {cells} judges a column. Five levels:
even and skewed labels, right on 50, 70 and 85%, errors mostly to the neighbouring level. Clusters: 4 items each, half of
them copies of the first one's label and verdict. "Wald" and "percentile" are the usual intervals of kappa, "BCa" the
better bootstrap (Efron 1987); they know nothing of clusters. {data_sets} data sets a judge ({levels} for five levels, comparisons, scores, raters and what follows), seed {seed}: a single judge's figure has a Monte
Carlo error of {error:.1f} points, the least of {cells} lies about two of these below the mean by chance alone.

"""


HARDER_HEAD = """{title}

Cluster sizes from 1 to 20 by a Zipf law, whole clusters wrong, errors by difficulty (beta), labels alike inside clusters, rare
classes, five levels U-shaped and skewed, some clusters judged too high. {data_sets} data sets per cell, seed {seed}: Monte Carlo
error {error:.1f} points. "Before" is the observed design effect and the smoothed bootstrap, on the same data sets. Coverage in
percent, and width; the first table has the least coverage over all processes and sizes. Where intervals are wider than before,
the former rule took the few clusters with an error for enough to know their correlation: it holds there and not elsewhere.

"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-sets", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default=",".join(KINDS), help=", ".join(KINDS))
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    given = parser.parse_args()
    head = HEAD.format(
        cells=len(PASS_RATES) * len(KAPPAS), data_sets=given.data_sets, levels=max(1, given.data_sets // 3), seed=given.seed,
        error=100 * (0.95 * 0.05 / given.data_sets) ** 0.5,
    )  # fmt: skip
    page = head + simulate(given.only.split(","), given.data_sets, given.seed, given.jobs)
    page += f"\nPython {platform.python_version()}, numpy {np.__version__}, {datetime.date.today()}.\n"
    if given.write:
        if given.only == "harder":  # the last section: the others stay as they are
            page = PAGE.read_text(encoding="utf-8").split(f"\n{HARDER}")[0] + "\n" + page.removeprefix(head)
        PAGE.write_text(page, encoding="utf-8")
    sys.stdout.write(page)


if __name__ == "__main__":
    main()

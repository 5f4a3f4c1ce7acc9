"""A BCa interval of kappa from 10,000 resamples: rftj beside scikit-learn in a loop and scipy.stats.bootstrap.

    python benchmarks/stats.py [--most 1000000] [--seconds 20]

All in one process, one after the other, CPU time. rftj resamples the table (a multinomial draw of the table is a bootstrap
sample of its items, exactly), the others resample items. What takes longer than `--seconds` is timed on as many resamples
as fit and scaled, and says so; scipy.stats.bootstrap also makes one leave-out for each item, which is timed and scaled the
same way. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import time
from collections.abc import Callable

import numpy as np
import scipy
import sklearn
from scipy.stats import bootstrap
from sklearn.metrics import cohen_kappa_score

from rftj_cli.stats.resampling import RESAMPLES, bca
from rftj_cli.stats.table import cross_table, kappa, weights


def items(n: int, k: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Level codes (n,) of a judge that is right on four items of five and else near."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, n)
    near = np.clip(truth + rng.choice([-1, 1], n), 0, k - 1)
    return truth, np.where(rng.random(n) < 0.8, truth, near)


def cpu(act: Callable[[], object]) -> float:
    start = time.process_time()
    act()
    return time.process_time() - start


def ours(truth: np.ndarray, judge: np.ndarray, k: int) -> tuple[float, float]:
    """Seconds to build the table, and for the interval that a report prints where labels have `k` levels.

    Two levels are resampled like five here, so that all compute the same thing; a report prints Dirichlet's interval.
    """
    w, table = weights(k, "quadratic"), cross_table(truth, judge, k)
    build = min(cpu(lambda: cross_table(truth, judge, k)) for _ in range(3))
    return build, min(cpu(lambda: bca(table, lambda t: kappa(t, w), 0)) for _ in range(3))


def scaled(once: Callable[[], object], times: int, seconds: float) -> tuple[float, bool]:
    """Seconds for `times` calls; timed on fewer where they do not fit."""
    done, spent = 0, 0.0
    while done < times and spent < seconds:
        spent += cpu(once)
        done += 1
    return spent * times / done, done < times


def loop(truth: np.ndarray, judge: np.ndarray, seconds: float) -> tuple[float, bool]:
    """scikit-learn's kappa on resampled items: a percentile bootstrap, without the jackknife of BCa."""
    rng = np.random.default_rng(0)

    def once() -> None:
        pick = rng.integers(0, truth.size, truth.size)
        cohen_kappa_score(truth[pick], judge[pick], weights="quadratic")

    return scaled(once, RESAMPLES, seconds)


def scipy_bca(truth: np.ndarray, judge: np.ndarray, seconds: float) -> tuple[float, bool]:
    """scipy.stats.bootstrap(method="BCa"): resamples and one leave-out for each item; measured whole at small sizes."""

    def statistic(a: np.ndarray, b: np.ndarray) -> float:
        return float(cohen_kappa_score(a, b, weights="quadratic"))

    if truth.size <= 1000:
        arguments = {"n_resamples": RESAMPLES, "paired": True, "vectorized": False, "method": "BCa", "rng": 0}
        return cpu(lambda: bootstrap((truth, judge), statistic, **arguments)), False
    return scaled(lambda: statistic(truth, judge), RESAMPLES + truth.size, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=20)
    given = parser.parse_args()
    print(
        f"| levels | n | table ms | BCa ms | scikit-learn loop s | times | scipy.stats.bootstrap s | times |\n|{'---:|' * 8}"
    )
    for k in (2, 5):
        for n in (n for n in (1_000, 10_000, 100_000, 1_000_000) if n <= given.most):
            truth, judge = items(n, k)
            build, interval = ours(truth, judge, k)
            looped, a = loop(truth, judge, given.seconds)
            peer, b = scipy_bca(truth, judge, given.seconds)
            cells = [f"{k}", f"{n:,}", f"{1000 * build:.2f}", f"{1000 * interval:.1f}"]
            for seconds, part in ((looped, a), (peer, b)):
                cells += [f"{seconds:,.0f}{' (scaled)' if part else ''}", f"{seconds / (build + interval):,.0f}"]
            print("| " + " | ".join(cells) + " |", flush=True)
    print(
        f"\nPython {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}, scikit-learn "
        f"{sklearn.__version__}, {platform.machine()}, {datetime.date.today()}"
    )


if __name__ == "__main__":
    main()

from __future__ import annotations

import numpy as np
import pytest
from making import growth
from sklearn.metrics import precision_score, recall_score

from rftj_cli.stats.agreement import agreement
from rftj_cli.stats.binomial import wilson
from rftj_cli.stats.clusters import Clusters
from rftj_cli.stats.estimate import Estimate
from rftj_cli.stats.table import cross_table

from .oracles import COHEN, clustered_items, items, random_tables

COMMON = {"agreement", "kappa", "scott_pi", "ac1", "mcc", "kappa_max", "macro_f1"}
GWET = np.array([[118.0, 5], [2, 0]])


def value(found: Estimate) -> float:
    assert found.value is not None, found.note
    return found.value


def test_names_of_each_kind() -> None:
    """Every kind has the common numbers and its own, by fixed names."""
    nominal = COMMON | {"balanced_accuracy", "marginal_homogeneity"}
    ranks = {"kappa_linear", "kappa_quadratic", "ac2", "spearman", "kendall_tau_b", "pearson", "ccc", "icc"}
    rates = {"tpr", "tnr", "precision", "npv", "youden_j", "pabak", "prevalence_index", "bias_index", "bias"}
    assert set(agreement(GWET, kind="binary")) == nominal | rates
    assert set(agreement(COHEN, kind="nominal")) == nominal
    assert set(agreement(COHEN, kind="ordinal")) == nominal | ranks | {"krippendorff_alpha", "mae", "bias"}
    ties = {"pair_accuracy", "tie_rate_truth", "tie_rate_judge", "kendall_tau_b"}
    assert set(agreement(COHEN, kind="preference")) == COMMON | ties


def test_positive_is_the_last_level() -> None:
    """TPR is the share of human passes that the judge passes, TNR of human fails that it fails."""
    found = agreement(np.array([[30.0, 10], [6, 54]]), kind="binary")
    assert value(found["tpr"]) == 54 / 60 and value(found["tnr"]) == 30 / 40
    assert value(found["precision"]) == 54 / 64 and value(found["npv"]) == 30 / 36
    assert value(found["youden_j"]) == pytest.approx(0.65)
    assert value(found["balanced_accuracy"]) == pytest.approx(0.825)
    assert value(found["bias"]) == pytest.approx(0.04)
    assert (found["tpr"].low, found["tpr"].high) == wilson(54, 60)


def test_rates_equal_sklearn() -> None:
    """TPR and precision are recall and precision of the positive class."""
    for table in random_tables(2):
        h, j = items(table)
        found = agreement(table, kind="binary")
        assert value(found["tpr"]) == pytest.approx(recall_score(h, j), abs=1e-9)
        assert value(found["precision"]) == pytest.approx(precision_score(h, j), abs=1e-9)


def test_paradox_panel() -> None:
    """Gwet's table has PABAK .888, and its indices describe how lopsided it is, without an interval."""
    found = agreement(GWET, kind="binary")
    assert value(found["pabak"]) == pytest.approx(0.888)
    assert value(found["prevalence_index"]) == pytest.approx(118 / 125)
    assert value(found["bias_index"]) == pytest.approx(3 / 125)
    assert found["prevalence_index"].low is None


def test_one_sided_labels() -> None:
    """Without a human fail there is no TNR, no balanced accuracy and no correlation, each with its reason."""
    found = agreement(np.array([[0.0, 0], [4, 26]]), kind="binary")
    assert found["tnr"].note == "no item is negative in the labels"
    assert found["balanced_accuracy"].note == "the labels hold only one of the two classes"
    assert found["mcc"].note == "the labels or the verdicts never vary"
    assert value(found["kappa"]) == 0
    assert value(found["tpr"]) == pytest.approx(26 / 30)


@pytest.mark.parametrize(("kind", "k"), [("binary", 2), ("nominal", 3), ("ordinal", 5), ("preference", 3)])
def test_all_of_one_class(kind: str, k: int) -> None:
    """Where all is one class the kappas are undefined; AC1 and AC2 are 1 by their formula, and say what that is worth."""
    table = np.zeros((k, k))
    table[-1, -1] = 30
    found = agreement(table, kind=kind)  # type: ignore[arg-type]
    for name in ("kappa", "scott_pi", "kappa_max"):
        assert (found[name].value, found[name].note) == (None, "all labels and verdicts are one class")
    assert found["mcc"].value is None
    for name in {"ac1", "ac2"} & set(found):
        assert value(found[name]) == 1
        assert (found[name].note or "").startswith("all labels and verdicts are one class: 1 by the formula")
        assert found[name].low is not None and found[name].low < 0.95
    table[0, 0] = 1
    assert "by the formula" not in (agreement(table, kind=kind)["ac1"].note or "")  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "k"), [("binary", 2), ("nominal", 3), ("ordinal", 5), ("preference", 3)])
def test_no_items(kind: str, k: int) -> None:
    """An empty table is all missing, and all have a reason."""
    found = agreement(np.zeros((k, k)), kind=kind)  # type: ignore[arg-type]
    assert all(one.value is None and one.note for one in found.values())


@pytest.mark.parametrize(("kind", "k"), [("binary", 2), ("nominal", 3), ("ordinal", 5), ("preference", 3)])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_hardly_any_items(kind: str, k: int, n: int) -> None:
    """One, two or three items never crash, and what is given is finite."""
    rng = np.random.default_rng(n)
    for _ in range(4):
        h, j = rng.integers(0, k, n), rng.integers(0, k, n)
        for clusters in (None, Clusters.of(np.arange(n) // 2, h, j, k)):
            for one in agreement(cross_table(h, j, k), kind=kind, clusters=clusters).values():  # type: ignore[arg-type]
                assert all(x is None or np.isfinite(x) for x in (one.value, one.low, one.high))
                assert one.low is not None or one.note or one.method


def test_preference_counts_judge_ties_half() -> None:
    """On pairs with a human winner a judge's tie is half right; strict agreement calls it wrong."""
    table = np.array([[20.0, 4, 6], [3, 5, 2], [5, 6, 29]])
    found = agreement(table, kind="preference")
    assert value(found["pair_accuracy"]) == pytest.approx((20 + 29 + 0.5 * 10) / 70)
    assert value(found["agreement"]) == pytest.approx(54 / 80)
    assert (value(found["tie_rate_truth"]), value(found["tie_rate_judge"])) == (10 / 80, 15 / 80)


def test_scale_values_matter() -> None:
    """MAE and bias are in the unit of the values, correlations are not."""
    table = random_tables(3)[0]
    plain, tenfold = agreement(table, kind="ordinal"), agreement(table, kind="ordinal", values=[10, 20, 30])
    assert value(tenfold["mae"]) == pytest.approx(10 * value(plain["mae"]))
    assert value(tenfold["bias"]) == pytest.approx(10 * value(plain["bias"]))
    for name in ("pearson", "ccc", "kappa_quadratic", "icc"):
        assert value(tenfold[name]) == pytest.approx(value(plain[name]))


def test_tiny_spread_is_a_spread() -> None:
    """Ten deviating labels in a million still leave a correlation defined."""
    found = agreement(np.array([[999_970.0, 10, 0], [10, 5, 0], [0, 0, 5]]), kind="ordinal")
    assert 0 < value(found["pearson"]) < 1 and 0 < value(found["kendall_tau_b"]) < 1


def test_every_share_has_a_design_effect() -> None:
    """On clustered items all proportions and all functionals say that they allow for it, and are wider."""
    h, j, cluster = clustered_items(60, 4, 1, copies=0.9)
    table, clusters = cross_table(h, j, 2), Clusters(cluster, h * 2 + j)
    plain, wide = agreement(table, kind="binary"), agreement(table, kind="binary", clusters=clusters)
    for name in ("agreement", "tpr", "tnr", "precision", "npv", "kappa", "mcc", "balanced_accuracy", "bias"):
        a, b = plain[name], wide[name]
        assert None not in (a.low, a.high, b.low, b.high)
        assert "on n/deff" in b.method
        assert b.high - b.low > 1.1 * (a.high - a.low)  # type: ignore[operator]


def test_wrong_clusters_are_refused() -> None:
    """Clusters of other items are a fault of the caller."""
    h, j, cluster = clustered_items(10, 2, 0)
    with pytest.raises(ValueError, match="do not hold"):
        agreement(COHEN, kind="nominal", clusters=Clusters(cluster, h * 3 + j))
    with pytest.raises(ValueError, match="binary"):
        agreement(COHEN, kind="binary")


@pytest.mark.parametrize(("k", "kind"), [(2, "binary"), (5, "ordinal"), (10, "ordinal")])
def test_the_cost_depends_on_the_levels_and_not_on_the_items(k: int, kind: str) -> None:
    """A thousand times as many items in the table cost about the same: everything comes from the cells."""
    few, many = (random_tables(k, count=1, n=n)[0] for n in (500, 500_000))
    assert growth(lambda: agreement(few, kind=kind), lambda: agreement(many, kind=kind)) < 40  # type: ignore[arg-type]

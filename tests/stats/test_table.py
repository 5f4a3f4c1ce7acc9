from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score, f1_score, matthews_corrcoef
from statsmodels.stats.inter_rater import cohens_kappa

from rftj_cli.stats import table as t
from rftj_cli.stats.arrays import Floats

from .oracles import COHEN, FCE, items, random_tables, tables

KINDS: tuple[t.WeightKind, ...] = ("nominal", "linear", "quadratic")


def test_cohen_1960() -> None:
    """Cohen's 3 x 3 table has his kappa of .492, and the values recomputed for the other coefficients."""
    eye = np.eye(3)
    assert t.kappa(COHEN, eye) == pytest.approx(0.491525, abs=1e-6)
    assert np.sqrt(t.fce_variance(COHEN, eye)) == pytest.approx(0.051002, abs=1e-6)
    assert t.gwet_ac(COHEN, eye) == pytest.approx(0.575972, abs=1e-6)
    assert t.mcc(COHEN) == pytest.approx(0.501193, abs=1e-6)
    assert t.kappa(np.array([[20.0, 5], [10, 15]]), np.eye(2)) == pytest.approx(0.40)


def test_fleiss_cohen_everitt_1969() -> None:
    """Their example has kappa .429 (variance .002885) and, with their weights, .507 (.003248)."""
    w = np.array([[1, 0, 0.4444], [0, 1, 0.6667], [0.4444, 0.6667, 1]])
    assert t.kappa(FCE, np.eye(3)) == pytest.approx(0.428571, abs=1e-6)
    assert t.fce_variance(FCE, np.eye(3)) == pytest.approx(0.00288487, abs=1e-8)
    assert t.kappa(FCE, w) == pytest.approx(0.507070, abs=1e-6)
    assert t.fce_variance(FCE, w) == pytest.approx(0.00324830, abs=1e-8)


@pytest.mark.parametrize(
    ("table", "po", "kappa", "ac1"),
    [
        ([[40, 9], [6, 45]], 0.85, 0.6995, 0.7007),
        ([[80, 10], [5, 5]], 0.85, 0.3182, 0.8080),
        ([[45, 15], [25, 15]], 0.60, 0.1304, 0.2661),
        ([[25, 35], [5, 35]], 0.60, 0.2593, 0.2079),
        ([[118, 5], [2, 0]], 0.944, -0.023392, 0.940776),
    ],
)
def test_paradoxes(table: list[list[int]], po: float, kappa: float, ac1: float) -> None:
    """The tables of Feinstein and Cicchetti, and of Gwet, show what lopsided marginals do to kappa."""
    counts = np.array(table, dtype=np.float64)
    assert t.observed_agreement(counts) == pytest.approx(po)
    assert t.kappa(counts, np.eye(2)) == pytest.approx(kappa, abs=5e-5)
    assert t.gwet_ac(counts, np.eye(2)) == pytest.approx(ac1, abs=5e-5)


def test_scott_pi() -> None:
    """The worked example of Scott's pi in textbooks with po .333 and pe .369; Krippendorff's nominal alpha leads to it."""
    example = np.arange(1.0, 10).reshape(3, 3)
    assert t.scott_pi(example) == pytest.approx((15 / 45 - 2988 / 8100) / (1 - 2988 / 8100))
    for table in random_tables(3):
        h, j = items(table)
        alpha = krippendorff.alpha(np.array([h, j], float), level_of_measurement="nominal")
        assert t.scott_pi(table) == pytest.approx(1 - (1 - alpha) * 2 * h.size / (2 * h.size - 1), abs=1e-9)
        assert t.scott_pi(table) <= t.kappa(table, np.eye(3)) + 1e-12
    assert np.isnan(t.scott_pi(np.diag([9.0, 0])))


@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_kappa_equals_its_oracles(k: int, kind: t.WeightKind) -> None:
    """Kappa equals scikit-learn, and its variance statsmodels, for every kind of weights."""
    w = t.weights(k, kind)
    for table in random_tables(k):
        h, j = items(table)
        sk = cohen_kappa_score(h, j, labels=list(range(k)), weights=None if kind == "nominal" else kind)
        assert t.kappa(table, w) == pytest.approx(sk, abs=1e-9)
        other = cohens_kappa(table, weights=1 - w)
        assert t.kappa(table, w) == pytest.approx(other.kappa, abs=1e-9)
        assert t.fce_variance(table, w) == pytest.approx(other.std_kappa**2, abs=1e-9)


@pytest.mark.parametrize("k", [2, 3, 5])
def test_mcc_and_balanced_accuracy_equal_sklearn(k: int) -> None:
    """The k-class correlation and the mean recall equal scikit-learn; so does the largest kappa statsmodels."""
    for table in random_tables(k, seed=3):
        h, j = items(table)
        assert t.mcc(table) == pytest.approx(matthews_corrcoef(h, j), abs=1e-9)
        assert t.balanced_accuracy(table) == pytest.approx(balanced_accuracy_score(h, j), abs=1e-9)
        assert t.kappa_max(table) == pytest.approx(cohens_kappa(table).kappa_max, abs=1e-9)


def test_weights_of_real_values() -> None:
    """Values weigh by their distance, and equally spaced ones like the levels themselves."""
    assert t.weights(3, "linear", [1, 2, 11])[0].tolist() == [1, 0.9, 0]
    assert np.allclose(t.weights(4, "quadratic", [10, 20, 30, 40]), t.weights(4, "quadratic"))
    assert t.weights(1, "linear").tolist() == [[1.0]]


def test_undefined_is_nan() -> None:
    """One class throughout has no kappa and no correlation, rather than 0 or 1."""
    one = np.array([[0.0, 0], [0, 9]])
    assert np.isnan(t.kappa(one, np.eye(2)))
    assert np.isnan(t.mcc(one)) and np.isnan(t.youden_j(one))
    assert np.isnan(t.kappa(np.zeros((2, 2)), np.eye(2)))
    assert t.balanced_accuracy(one) == 1.0


def test_stacks_equal_single_tables() -> None:
    """Every functional of a stack is that of its tables one by one."""
    stack = np.stack(random_tables(4))
    w = t.weights(4, "quadratic")
    for f in (lambda x: t.kappa(x, w), lambda x: t.gwet_ac(x, w), t.mcc, t.kappa_max, t.balanced_accuracy):
        assert np.allclose(f(stack), [f(one) for one in stack])
    for f in (lambda x: t.fce_variance(x, w), lambda x: t.influence(x, w)):
        assert np.allclose(f(stack), [f(one) for one in stack])


@settings(max_examples=40, deadline=None)
@given(tables(3))
def test_variance_is_the_mean_square_of_the_influence(table: Floats) -> None:
    """The influence values sum to 0 over the items, and their mean square over n is the FCE variance."""
    for kind in KINDS:
        w = t.weights(3, kind)
        psi, n = t.influence(table, w), table.sum()
        assert (table * psi).sum() / n == pytest.approx(0, abs=1e-9)
        assert (table * psi**2).sum() / n**2 == pytest.approx(float(t.fce_variance(table, w)), rel=1e-9, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(tables(2))
def test_binary_weights_make_no_difference(table: Floats) -> None:
    """With two levels linear, quadratic and nominal kappa are one number."""
    found = [float(t.kappa(table, t.weights(2, kind))) for kind in KINDS]
    assert found == pytest.approx([found[0]] * 3)


@settings(max_examples=40, deadline=None)
@given(tables(4))
def test_symmetries(table: Floats) -> None:
    """Swapping the raters or renaming the levels leaves the symmetric coefficients unchanged."""
    w, order = t.weights(4, "quadratic"), [2, 0, 3, 1]
    renamed, eye = table[order][:, order], np.eye(4)
    for f in (lambda x: t.kappa(x, eye), lambda x: t.gwet_ac(x, eye), t.mcc, t.kappa_max):
        assert f(table) == pytest.approx(float(f(table.T)))
        assert f(table) == pytest.approx(float(f(renamed)))
    assert t.kappa(table, w) == pytest.approx(float(t.kappa(table.T, w)))


@settings(max_examples=40, deadline=None)
@given(tables(3))
def test_kappa_is_mcc_for_equal_marginals(table: Floats) -> None:
    """Where both use the levels equally often kappa and the correlation agree."""
    even = table + table.T
    assert t.kappa(even, np.eye(3)) == pytest.approx(float(t.mcc(even)))


def test_cross_table_ignores_the_order_of_rows() -> None:
    """The table of shuffled items is the same table."""
    h, j = items(COHEN)
    order = np.random.default_rng(0).permutation(h.size)
    assert np.array_equal(t.cross_table(h[order], j[order], 3), COHEN)


@pytest.mark.parametrize("k", [2, 3, 5])
def test_macro_f1_equals_sklearn(k: int) -> None:
    """Macro F1 is scikit-learn's, also where a level is never predicted (0) or occurs nowhere (not counted)."""
    for table in random_tables(k):
        never, nowhere = table.copy(), table.copy()
        never[:, -1] = 0
        nowhere[:, -1] = nowhere[-1] = 0
        for one in (table, never, never.T, nowhere):
            assert t.macro_f1(one) == pytest.approx(f1_score(*items(one), average="macro", zero_division=0), abs=1e-12)
    assert np.isnan(t.macro_f1(np.zeros((k, k))))

"""The door for several human raters."""

from __future__ import annotations

from rftj_cli.stats.alt_test import AltRater, AltTest, alt_test
from rftj_cli.stats.ceiling import Ceiling, RaterCeiling, leave_one_out_ceiling
from rftj_cli.stats.reliability import (
    PairwiseKappa,
    fleiss_kappa,
    icc_2_1,
    krippendorff_alpha,
    pairwise_kappa,
    rating_counts,
)

__all__ = [
    "AltRater",
    "AltTest",
    "Ceiling",
    "PairwiseKappa",
    "RaterCeiling",
    "alt_test",
    "fleiss_kappa",
    "icc_2_1",
    "krippendorff_alpha",
    "leave_one_out_ceiling",
    "pairwise_kappa",
    "rating_counts",
]

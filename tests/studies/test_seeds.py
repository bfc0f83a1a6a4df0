"""Paired differences over seeds, and predictions that are chosen on some and decided on others."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from eigentropy._measures.comparison.holm import holm
from eigentropy.studies import seeds
from eigentropy.studies.study import Claim
from messages import names

CLAIM = Claim("kind", "text")


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=12, unique=True))
def test_a_difference_is_student_s(eighths):
    values = [number / 8 for number in eighths]
    found = seeds.difference(dict(enumerate(values)), dict.fromkeys(range(20), 1.0))
    expected = ttest_1samp(np.array(values) - 1.0, 0.0)
    low, high = expected.confidence_interval(0.95)
    size = 1e-9 * (1.0 + abs(low) + abs(high))
    assert (found.low, found.high) == (pytest.approx(low, abs=size), pytest.approx(high, abs=size))
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)


def test_differences_are_of_the_seeds_that_both_have():
    assert seeds.difference({0: 1.0, 1: 5.0, 2: 7.0}, {1: 3.0, 2: 5.0, 3: 9.0}).mean == 2.0
    assert seeds.difference({0: 1.0, 1: 5.0}, {1: 3.0}) is None
    assert seeds.mean_of([1.0, math.nan]) is None
    assert seeds.mean_of([1.0, 1.0]).p == 0.0
    assert seeds.mean_of([0.0, 0.0]).p == 1.0


def test_claims_are_tested_together():
    of = [seeds.mean_of(v) for v in ([1.0, 1.1, 1.2], [0.1, 0.5, 0.2], [-1.0, -1.1, -1.2])]
    claims = [Claim("kind", str(i)) for i in range(4)]
    found = seeds.larger(list(zip(claims, [*of[:2], None, of[2]], strict=True)))
    assert [finding.holds for finding in found] == [True, False, None, False]
    corrected = holm([each.p for each in of])
    assert names(found[0].measured, f"{corrected[0]:.2g}")
    # By itself the last but one of many would be significant.
    alone = seeds.mean_of([1.0, 1.1, 1.3])
    assert seeds.larger([(CLAIM, alone)])[0].holds is True
    assert seeds.larger([(CLAIM, alone)] * 30)[0].holds is False


def test_alike_is_an_interval_within_the_margin_and_not_the_lack_of_a_difference():
    noisy, close = seeds.mean_of([-1.0, 0.0, 1.0]), seeds.mean_of([0.01, 0.02, 0.03])
    assert seeds.alike(CLAIM, noisy, 0.1).holds is False
    assert seeds.alike(CLAIM, close, 0.1).holds is True
    assert seeds.alike(CLAIM, close, 0.03).holds is False
    assert seeds.alike(CLAIM, None, 0.1).holds is None


def test_correlations_are_over_states_that_both_know():
    x = {0: {1: 1.0, 2: 2.0, 3: 3.0, 4: math.nan}, 1: {1: 1.0, 2: 1.0, 3: 1.0}, 2: {1: 1.0}}
    y = {0: {1: 5.0, 2: 4.0, 3: 3.0, 4: 9.0, 5: 1.0}, 1: {1: 1.0, 2: 2.0, 3: 3.0}, 2: {1: 1.0}}
    assert seeds.correlations(x, y) == {0: pytest.approx(-1.0), 1: 0.0}


def test_the_first_half_of_the_seeds_chooses_and_the_others_decide():
    scores = {
        "lucky": {0: 0.9, 1: 0.9, 2: 0.0, 3: 0.1, 4: -0.1},
        "right": {0: -0.8, 1: -0.8, 2: -0.8, 3: -0.7, 4: -0.9},
        "later": {0: 0.0, 1: 0.0, 2: 1.0, 3: 1.0, 4: 1.0},
    }
    lucky = seeds.chosen(scores)
    assert (lucky.name, lucky.sign, set(lucky.scores)) == ("lucky", 1.0, {2, 3, 4})
    assert seeds.predicts(CLAIM, lucky, str).holds is False
    del scores["lucky"]
    right = seeds.chosen(scores)
    assert (right.name, right.sign) == ("right", -1.0)
    found = seeds.predicts(CLAIM, right, str)
    assert found.holds is True
    assert names(found.measured, "right", "-0.800")
    assert seeds.better(CLAIM, right, dict.fromkeys(range(5), -0.2)).holds is True
    assert seeds.better(CLAIM, right, dict.fromkeys(range(5), -0.8)).holds is False
    assert seeds.better(CLAIM, right, {0: 0.1}).holds is None
    assert seeds.chosen({"right": {0: 1.0}}) is None
    assert seeds.chosen({}) is None
    assert seeds.predicts(CLAIM, None, str).holds is None

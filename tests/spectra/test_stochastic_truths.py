"""Estimates of entropies that are known without eigenvalues; accuracy/large.py has more rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import eigentropy as eg
from benchmarks.accuracy import truths
from benchmarks.accuracy.estimates import estimated

TOL = 1e-3
ROWS = 1200
# What one draw in a thousand may miss.
LEVEL = 0.999

CASES = {
    "far clusters": lambda: truths.far_clusters(ROWS),
    "copies": lambda: truths.copies(ROWS, small=300),
    "repeated rows": lambda: truths.repeated_rows(ROWS),
    "repeated rows, alpha = 1": lambda: truths.repeated_rows(ROWS, alpha=1.0),
    "feature map": lambda: truths.feature_map(ROWS),
    "gaussian d=20": lambda: truths.gaussian(ROWS, d=20),
    "gaussian d=512": lambda: truths.gaussian(ROWS),
}


@pytest.fixture(autouse=True)
def one_blas_thread():
    """The estimate's small matrices are no work for BLAS's threads, which spin while they wait."""
    with threadpool_limits(1):
        yield


def all_eigenvalues(truth):
    if isinstance(truth.source, truths.FeatureMap):
        features = truth.source.features
        return np.clip(np.linalg.eigvalsh(features @ features.T), 0.0, 1.0)
    rows = truth.source
    return eg.DiffusionOperator(rows.Z, sigma=rows.sigma, alpha=truth.alpha).eigenvalues()


@pytest.mark.parametrize("name", CASES)
def test_what_is_taken_for_true_is_true(name):
    truth = CASES[name]()
    spectrum = all_eigenvalues(truth)
    for t, truly in truth.entropies.items():
        exact = eg.spectral_entropy(spectrum, t)
        if truth.upper:
            assert exact < truly
        else:
            assert exact == pytest.approx(truly, rel=1e-7)


@pytest.mark.parametrize("name", CASES)
def test_an_entropy_that_is_known_is_found(name):
    truth = CASES[name]()
    found = estimated(truth.operator(), list(truth.entropies), TOL)
    for t, at in truths.agreement(truth, found, TOL, LEVEL).items():
        assert at["agrees"], (t, at)


def test_agreement_rejects_what_is_not_true():
    truth = truths.feature_map(ROWS, rank=20)
    found = estimated(truth.operator(), [1.0], TOL)

    def agrees(other):
        return all(at["agrees"] for at in truths.agreement(other, found, TOL, LEVEL).values())

    truly = truth.entropies[1.0]
    assert agrees(replace(truth, entropies={1.0: truly}))
    assert not agrees(replace(truth, entropies={1.0: 1.01 * truly}))
    assert not agrees(replace(truth, entropies={1.0: np.nan}))
    assert agrees(replace(truth, entropies={1.0: 1.01 * truly}, upper=True))
    assert not agrees(replace(truth, entropies={1.0: 0.99 * truly}, upper=True))


def test_the_public_function_counts_far_clusters():
    truth = truths.far_clusters(ROWS, k=4)
    rows = truth.source
    ((t, truly),) = truth.entropies.items()
    result = eg.dse(rows.Z, sigma=rows.sigma, t=t, method="stochastic")
    assert result.method == "stochastic"
    assert result.value == pytest.approx(truly, rel=TOL)

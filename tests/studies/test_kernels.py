"""Kernels with a width for each row: their formulas, and the definitions that follow from them."""

from __future__ import annotations

import math

import numpy as np
import pytest

import eigentropy as eg
from eigentropy import reference
from eigentropy.studies import data, estimators, kernels
from eigentropy.studies.study import make_job
from messages import naming

Z = np.random.default_rng(0).normal(size=(40, 3)) * np.linspace(0.2, 3.0, 40)[:, None]
R = np.sqrt(reference.squared_distances(Z))


def neighbour(k):
    return np.sort(R, axis=1)[:, k]  # column 0 is the row itself


def one_sided(k, a):
    return np.exp(-((R / neighbour(k)[:, None]) ** a))


EXPECTED = {
    "self-tuning": np.exp(-(R**2) / np.outer(neighbour(7), neighbour(7))),
    "local medians": np.exp(-(R**2) / (2 * 0.35**2 * np.outer(neighbour(20), neighbour(20)))),
    **{
        rule: (one_sided(5, a) + one_sided(5, a).T) / 2
        for rule, a in (("alpha-decay", 40), ("alpha-decay a=10", 10), ("alpha-decay a=2", 2))
    },
}


@pytest.mark.parametrize("rule", kernels.KERNELS)
def test_a_kernel_is_its_formula(rule):
    G = kernels.kernel(Z, rule)
    assert np.allclose(G, EXPECTED[rule], rtol=0, atol=1e-12)
    assert (G == G.T).all()
    assert (np.diag(G) == 1.0).all()


@pytest.mark.parametrize("rule", kernels.KERNELS)
@pytest.mark.parametrize("scale", [1e-150, 0.01, 1e150])
def test_a_kernel_does_not_depend_on_the_scale(rule, scale):
    assert kernels.kernel(scale * Z, rule) == pytest.approx(EXPECTED[rule], abs=1e-9)


@pytest.mark.parametrize("rule", kernels.KERNELS)
def test_duplicates_and_single_rows_have_a_kernel(rule):
    def entropy(rows):
        return eg.spectral_entropy(kernels.eigenvalues(kernels.kernel(rows, rule)))

    assert entropy(np.ones((9, 2))) == pytest.approx(0.0, abs=1e-9)
    assert entropy(Z[:1]) == 0.0
    # Three points far apart, of twenty equal rows each: the nearest other point sets the width.
    apart = np.repeat(100.0 * np.eye(3), 20, axis=0)
    assert 0.0 < entropy(apart) <= math.log2(3) + 1e-9


def test_an_unknown_kernel_is_named():
    with pytest.raises(ValueError, match=naming("rule", "self-tuning", "'median'")):
        kernels.kernel(Z, "median")


def test_a_subset_is_normalised_by_itself():
    """As a group of a mutual information is: its part of the kernel, not of the operator."""
    G = kernels.kernel(Z, "self-tuning")
    part = np.arange(0, 40, 3)
    q = G[np.ix_(part, part)].sum(axis=1)
    K = G[np.ix_(part, part)] / np.sqrt(np.outer(q, q))
    A = K / np.sqrt(np.outer(K.sum(axis=1), K.sum(axis=1)))
    found = kernels.eigenvalues(G[np.ix_(part, part)])
    assert found == pytest.approx(np.linalg.eigvalsh(A)[::-1], abs=1e-12)
    assert found[0] == pytest.approx(1.0)


@pytest.mark.parametrize("labels", [np.arange(90) % 3, np.repeat([0, 1, 2], [10, 30, 50])])
@pytest.mark.parametrize("t", [1.0, 5.0])
def test_with_the_gaussian_kernel_it_is_the_package_s_information(labels, t):
    """Every number: so the definitions and the random partitions are the same."""
    rows = data.blobs(90, 4, 3, box=1.0)[0]
    sigma = eg.bandwidth(rows)
    G = np.exp(-reference.squared_distances(rows) / (2 * sigma**2))
    found = kernels.information(G, labels, t=t, seed=5)
    wanted = eg.dsmi(rows, labels, t=t, seed=5, method="exact", n_null=20)
    assert found.adjusted == pytest.approx(wanted.adjusted(), abs=1e-10, nan_ok=True)
    for name in ("value", "standard_error", "p_value"):
        assert getattr(found, name) == pytest.approx(
            getattr(wanted, name), abs=1e-10, nan_ok=True
        ), name
    plain = eg.dsmi(rows, labels, t=t, estimator="plain", method="exact")
    assert found.plain == pytest.approx(plain.value, abs=1e-10)
    assert eg.spectral_entropy(kernels.eigenvalues(G), t=t) == pytest.approx(
        eg.dse(rows, t=t, method="exact").value, abs=1e-10
    )


def test_adjusted_is_not_defined_where_it_would_be_noise():
    assert math.isnan(kernels.information(np.eye(30), np.arange(30) % 3).adjusted)


def test_estimators_know_the_kernels_and_fractions_of_the_median():
    rows, labels = data.blobs(60, 3, 3, seed=1)
    kinds = ("DSE", "DSMI", "adjusted", "plain", "p")
    names = [f"{kind} {s}" for s in ("self-tuning", "0.5 medians") for kind in kinds]
    job = make_job("toy", {}, names, 4, [1, 3])
    found = {
        (r.cell.estimator, r.cell.settings["t"]): r.value
        for r in estimators.measure(job, rows, labels)
    }
    assert len(found) == 2 * len(names)
    G = kernels.kernel(rows, "self-tuning")
    information = kernels.information(G, labels, t=3.0, seed=4)
    assert found["DSE self-tuning", 3.0] == eg.spectral_entropy(kernels.eigenvalues(G), t=3.0)
    parts = [found[f"{kind} self-tuning", 3.0] for kind in kinds[1:]]
    assert parts == [
        information.value,
        information.adjusted,
        information.plain,
        information.p_value,
    ]
    median = np.median(np.sqrt(reference.squared_distances(rows))[np.triu_indices(60, 1)])
    wide = eg.dsmi(rows, labels, sigma=0.5 * median, seed=4)
    assert found["DSMI 0.5 medians", 1.0] == pytest.approx(wide.value, abs=1e-9)
    assert found["DSE 0.5 medians", 1.0] == pytest.approx(float(eg.dse(rows, sigma=wide.sigma)))

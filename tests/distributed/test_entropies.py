"""Ranks compute what one process does."""

from __future__ import annotations

import numpy as np
import pytest

import eigentropy as eg
import rank_tasks
from eigentropy import distributed
from eigentropy._backends.rows import Rows
from eigentropy._kernels.bandwidth import sigma_of_rule
from over_ranks import over_ranks

pytest.importorskip("torch.distributed", reason="torch is not installed")

N = rank_tasks.N
# Uneven, one row alone, less than a strip, tiles and one more.
COUNTS = {2: [192, 511], 3: [1, 500, 202], 4: [193, 47, 300, 163]}


@pytest.fixture(scope="module")
def expected():
    Z, V = rank_tasks.rows(), rank_tasks.vectors()
    A = eg.DiffusionOperator(Z)
    products = A.products("float64", False, None)
    found = {"sigma": A.sigma, "trace": products.trace, "frobenius2": products.frobenius2}
    found |= {"degrees": products.degrees, "product": products.matmul(V)}
    dse = eg.diffusion_spectral_entropy(Z, method="stochastic", dtype="float64")
    found |= {"dse": float(dse), "error of dse": dse.standard_error}
    for order in (1.0, 2.0):
        found[f"kernel {order}"] = float(
            eg.kernel_entropy(Z, order=order, method="stochastic", dtype="float64")
        )
    found["single"] = float(eg.diffusion_spectral_entropy(Z, sigma=1.0, t=2.0, method="stochastic"))
    return found


def check(found, expected):
    """All ranks together against one process; `found` has one dictionary for each rank."""
    for name in ("sigma", "trace", "frobenius2", "dse", "kernel 1.0", "kernel 2.0"):
        values = {one[name] for one in found}
        assert len(values) == 1, name
        assert values.pop() == pytest.approx(expected[name], rel=1e-12), name
    assert found[0]["error of dse"] == pytest.approx(expected["error of dse"], rel=1e-6)
    assert found[0]["single"] == pytest.approx(expected["single"], rel=1e-5)
    degrees = np.concatenate([one["degrees"] for one in found])
    np.testing.assert_allclose(degrees, expected["degrees"], rtol=1e-12)
    size = np.abs(expected["product"]).max()
    for keeps in (False, True):
        product = np.concatenate([one[f"product {keeps}"] for one in found])
        np.testing.assert_allclose(product, expected["product"], rtol=0, atol=1e-12 * size)


def test_one_rank_needs_no_group(expected):
    first, second = rank_tasks.everything(0, 1, [N])
    check([first], expected)
    assert first["dse"] == second["dse"]


@pytest.mark.parametrize("size", COUNTS)
def test_ranks_compute_what_one_process_does(size, expected, tmp_path):
    everywhere = over_ranks(tmp_path, "rank_tasks:everything", size, COUNTS[size])
    check([first for first, _ in everywhere], expected)
    for first, second in everywhere:
        for name in first:
            assert np.array_equal(first[name], second[name]), name  # bitwise, run after run


def test_rules_and_closed_gaps_are_those_of_all_rows(tmp_path):
    Z, counts = rank_tasks.rows(), [203, 500]
    everywhere = over_ranks(tmp_path, "rank_tasks:rules", 2, counts)
    for sigmas, _ in everywhere:
        for rule, sigma in sigmas.items():
            assert sigma == pytest.approx(sigma_of_rule(Rows.of(Z), rule, 0), rel=1e-12)
    Z[::50, 0] = 1e20
    A = eg.DiffusionOperator(Z, sigma=1.0).products("float64", False, None)
    product = np.concatenate([product for _, product in everywhere])
    np.testing.assert_allclose(product, A.matmul(rank_tasks.vectors()), rtol=0, atol=1e-12)


def test_few_rows_have_all_their_eigenvalues_computed(tmp_path):
    expected = float(eg.diffusion_spectral_entropy(rank_tasks.rows(100)))
    for found in over_ranks(tmp_path, "rank_tasks:few", 2, [1, 99]):
        assert found == pytest.approx(expected, rel=1e-12)


def test_a_sample_of_a_result_is_refused_with_the_way_out():
    result = distributed.dse(rank_tasks.rows())
    with pytest.raises(ValueError, match="one process"):
        result.sampling_error  # noqa: B018
    assert result.at(1.0) == result

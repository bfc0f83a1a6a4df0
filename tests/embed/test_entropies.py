"""Entropies over units: against definitions, and where the answer is known."""

from __future__ import annotations

import doctest
import importlib
import math

import numpy as np
import pytest

hypothesis = pytest.importorskip("hypothesis")
pytest.importorskip("scipy")

from hypothesis import given, settings
from hypothesis import strategies as st

import eigentropy as eg
from eigentropy import embed, reference
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy.embed.multislice import transition
from eigentropy.embed.operator import spectral_entropy
from messages import naming


def moving(epochs=4, units=8, samples=60, seed=0, pace=0.5):
    random = np.random.default_rng(seed)
    steps = pace * random.normal(size=(epochs, units, samples))
    return random.normal(size=(units, samples)) + np.cumsum(steps, axis=0)


def plogp(p):
    p = p[p > 0.0]
    return -float(p @ np.log2(p))


@given(seed=st.integers(0, 99), epochs=st.integers(1, 5), units=st.integers(3, 9))
@settings(deadline=None, max_examples=15)
def test_shares_and_entropies_of_a_step_are_their_definition(seed, epochs, units):
    activations = moving(epochs, units, seed=seed)
    kernel = embed.multislice_kernel(activations).toarray()
    P, start = kernel / kernel.sum(axis=1, keepdims=True), kernel.sum(axis=1) / kernel.sum()
    epoch = np.repeat(np.arange(epochs), units)
    own = epoch[:, None] == epoch
    w = np.where(own, P, 0.0).sum(axis=1)
    found = embed.unit_entropies(activations, sigma=5.0).step
    assert found.within_share == pytest.approx(float(start @ w), abs=1e-12)
    assert found.within_share + found.between_share == pytest.approx(1.0, abs=1e-15)
    rows = range(len(P))
    assert found.total == pytest.approx(sum(start[x] * plogp(P[x]) for x in rows), abs=1e-12)
    choice = sum(start[x] * plogp(np.array([w[x], 1.0 - w[x]])) for x in rows)
    assert found.choice == pytest.approx(choice, abs=1e-12)
    within = sum(start[x] * w[x] * plogp(P[x][own[x]] / w[x]) for x in rows)
    assert found.within == pytest.approx(within, abs=1e-12)
    assert found.total == pytest.approx(found.choice + found.within + found.between, abs=1e-12)


@pytest.mark.parametrize("multislice_t", [1.0, 2.0, 5.0])
def test_the_entropy_of_the_operator_is_that_of_its_eigenvalues(multislice_t):
    units = moving()
    found = embed.unit_entropies(units, multislice_t=multislice_t)
    P = transition(embed.multislice_kernel(units)).toarray()
    expected = reference.entropy_of_spectrum(np.linalg.eigvals(P).real, multislice_t)
    assert found.multislice == pytest.approx(expected, abs=1e-6)
    assert found.multislice_error == 0.0


def test_an_estimate_is_within_its_error_of_all_eigenvalues():
    kernel = embed.multislice_kernel(moving(epochs=12, units=50, samples=30))
    plans = [SpectrumPlan.checked(method, 1e-2, None) for method in ("exact", "stochastic")]
    exact, estimated = (spectral_entropy(kernel, 2.0, 2.0, plan, 0) for plan in plans)
    dense = eg.dse(kernel.toarray(), kernel="precomputed", alpha=0.0, t=2.0, method="exact")
    assert float(exact) == pytest.approx(float(dense), abs=1e-9)
    assert 0.0 < estimated.standard_error < 0.05
    assert abs(float(estimated) - float(exact)) < 4.0 * estimated.standard_error


def test_each_epoch_has_the_entropies_of_its_z_scored_units():
    units = moving()
    found = embed.unit_entropies(units)
    assert found.sigma == pytest.approx(0.35 * math.sqrt(2.0 * 60))
    for epoch, rows in enumerate(units):
        Z = (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)
        expected = reference.diffusion_spectral_entropy(Z, found.sigma)
        assert found.dse[epoch] == pytest.approx(expected, abs=1e-9)
        expected = reference.kernel_entropy(Z, found.sigma)
        assert found.kernel_entropy[epoch] == pytest.approx(expected, abs=1e-9)


def test_groups_of_units_that_answer_alike_are_counted():
    """4 groups of 5 copies, whose answers are orthogonal: narrow widths see 4 points."""
    answers = np.kron(np.eye(4), np.ones(10))[None]
    found = embed.unit_entropies(np.repeat(answers, 5, axis=1), sigma=0.5)
    np.testing.assert_allclose([*found.dse, *found.kernel_entropy], 2.0, atol=1e-9)


def test_units_that_do_not_move_leave_their_epoch_for_each_other_one_alike():
    """A step goes to each of the other epochs with the weight 1."""
    still = moving(epochs=1).repeat(5, axis=0)
    sums = embed.multislice_kernel(still[:1]).sum(axis=1)
    found = embed.unit_entropies(still).step
    assert found.between_share == pytest.approx(4.0 * 8 / (sums + 4.0).sum(), abs=1e-12)
    assert found.between == pytest.approx(2.0 * found.between_share, abs=1e-12)


def test_a_width_that_does_not_fit_is_told_once_for_all_epochs():
    with pytest.warns(eg.SaturationWarning, match=naming("sigma=0.01", 4, 0)) as told:
        embed.unit_entropies(moving(), sigma=0.01)
    assert len(told) == 1


def test_one_epoch_is_never_left():
    found = embed.unit_entropies(moving(epochs=1)).step
    assert (found.between_share, found.between, found.choice) == (0.0, 0.0, 0.0)
    assert found.total == pytest.approx(found.within)


def test_entropies_in_nats_are_those_in_bits_times_log_2():
    bits, nats = (embed.unit_entropies(moving(), base=base) for base in (2.0, math.e))
    np.testing.assert_allclose(nats.dse, bits.dse * math.log(2.0))
    assert nats.step.total == pytest.approx(bits.step.total * math.log(2.0))
    assert nats.multislice == pytest.approx(bits.multislice * math.log(2.0))
    assert nats.step.within_share == bits.step.within_share


@given(seed=st.integers(0, 99))
@settings(deadline=None, max_examples=10)
def test_permuted_units_have_the_same_entropies(seed):
    units = moving(seed=seed)
    order = np.random.default_rng(seed).permutation(8)
    one, other = embed.unit_entropies(units), embed.unit_entropies(units[:, order])
    np.testing.assert_allclose(other.dse, one.dse, atol=1e-9)
    np.testing.assert_allclose(other.kernel_entropy, one.kernel_entropy, atol=1e-9)
    assert other.multislice == pytest.approx(one.multislice, abs=1e-5)
    assert other.step.total == pytest.approx(one.step.total, abs=1e-12)


def test_dead_units_are_one_cluster():
    units = moving()
    units[:, :4] = 0.0
    with pytest.warns(UserWarning, match=naming("units", 4, 8)):
        found = embed.unit_entropies(units, sigma=1.0)
    np.testing.assert_allclose(found.dse, math.log2(5.0), atol=1e-3)  # 4 units and the origin


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sigma": 0.0}, ("sigma",)),
        ({"sigma": "median"}, ("sigma", "auto")),
        ({"t": 0.0}, ("t",)),
        ({"multislice_t": -1.0}, ("multislice_t",)),
        ({"base": 1.0}, ("base",)),
        ({"tol": 0.0}, ("tol",)),
        ({"knn": 8}, ("knn",)),
    ],
)
def test_options_out_of_range_are_refused(options, words):
    with pytest.raises(ValueError, match=naming(*words)):
        embed.unit_entropies(moving(), **options)


@pytest.mark.parametrize("name", ["entropies", "multislice", "responses"])
def test_docstrings(name):
    result = doctest.testmod(importlib.import_module(f"eigentropy.embed.{name}"))
    assert result.attempted > 0
    assert result.failed == 0

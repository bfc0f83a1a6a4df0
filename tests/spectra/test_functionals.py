"""Entropies as functions of traces, and the bounds of those of every order."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eigentropy._spectra.eigenvalues import EPS, renyi_nats
from eigentropy._spectra.enclosure import entropy_interval
from eigentropy._spectra.functionals import (
    MinEntropy,
    Renyi,
    Shannon,
    least_flattering,
    nats_of_groups,
    renyi,
)
from eigentropy._spectra.rounding import Rounding

ORDERS = [0.3, 0.5, 1.0, 1.0001, 1.5, 2.0, 3.0, 10.0, 1e4, math.inf]


def spectra():
    """Eigenvalues that add up to 1, descending."""
    positive = st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=20)
    return positive.map(lambda values: np.sort(np.array(values) / sum(values))[::-1])


def renyi_of(p, order):
    """The definition, with more digits: the division by 1 - order magnifies rounding."""
    p = np.asarray(p, dtype=np.longdouble)
    p = p / p.sum()
    if order == 1.0:
        return -float((p * np.log(p)).sum())
    if math.isinf(order):
        return -float(np.log(p.max()))
    powers = ((p / p.max()) ** order).sum()
    return float((order * np.log(p.max()) + np.log(powers)) / (1.0 - order))


@pytest.mark.parametrize("order", [order for order in ORDERS if order != 1.0001])
@given(p=spectra())
def test_an_entropy_is_its_definition(order, p):
    assert renyi(order).of_eigenvalues(p) == pytest.approx(renyi_of(p, order), abs=1e-10)


@given(p=spectra())
def test_an_entropy_of_traces_is_that_of_its_eigenvalues(p):
    for which in (Shannon(1.0), Shannon(2.5), Renyi(0.5), Renyi(3.0)):
        powers = p**which.exponent
        traces = float(powers.sum()), float((powers * np.log(p)).sum())
        assert which.of_traces(*traces) == pytest.approx(which.of_eigenvalues(p), abs=1e-10)
        for number, slope in enumerate(which.slopes(*traces)):
            ends = []
            for step in (1e-5, -1e-5):
                moved = list(traces)
                moved[number] += step
                ends.append(which.of_traces(*moved))
            assert slope == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-3, abs=1e-4)


@given(p=spectra(), unit=st.floats(0.01, 1.0))
def test_eigenvalues_in_any_unit_have_the_same_entropy(p, unit):
    for order in (0.5, 1.5, 3.0, 200.0):
        logs = order * np.log(p / unit)
        if np.abs(logs).max() < 500.0:
            T = float(np.exp(logs).sum())
            found = Renyi(order).of_traces(T, 0.0, unit)
            assert found == pytest.approx(renyi_of(p, order), abs=1e-9)


@given(p=spectra(), order=st.floats(0.1, 50.0), more=st.floats(1.0, 20.0))
def test_entropies_fall_with_the_order_and_those_near_1_are_near(p, order, more):
    assert renyi_nats(p, order) >= renyi_nats(p, order * more) - 1e-9
    assert renyi_nats(p, 1.0 + 1e-9) == pytest.approx(renyi_nats(p, 1.0), abs=1e-6)
    assert renyi_nats(p, 1.0 - 1e-9) == pytest.approx(renyi_nats(p, 1.0), abs=1e-6)


def test_which_entropy_a_kernel_is_judged_by_is_never_of_a_small_power():
    assert least_flattering(Shannon(0.3)) == Shannon(1.0)
    assert least_flattering(Shannon(4.0)) == Shannon(4.0)
    assert least_flattering(Renyi(0.5)) == Shannon(1.0)
    assert least_flattering(Renyi(2.0)) == Renyi(2.0)
    assert least_flattering(MinEntropy()) == MinEntropy()


@pytest.mark.parametrize("order", ORDERS)
@given(p=spectra(), data=st.data(), size=st.sampled_from([1e-12, 1e-7, 1e-4, 1e-2]))
def test_rounding_leaves_every_order_within_its_bound(order, p, data, size):
    """Of eigenvalues that float32 may have given: each is off, and the small ones are lost."""
    off = np.array(data.draw(st.lists(st.floats(-1, 1), min_size=len(p), max_size=len(p))))
    computed = np.sort(np.clip(p + size * off, 0.0, 1.0))[::-1].astype(np.float32)
    if computed[0] == 0.0:
        return
    delta = size + float(EPS[computed.dtype])
    which = renyi(order)
    bound = Rounding(delta, 1.0, has_unit=False).entropy_error(computed, which, math.e)
    assert abs(which.of_eigenvalues(computed) - renyi_of(p, order)) <= bound


@pytest.mark.parametrize("order", [1.0 + 1e-9, 1.0001, 1.5, 10.0, 100.0, 1e4, math.inf])
def test_the_bound_of_every_order_above_1_is_as_tight_as_that_of_1(order):
    """Also near 1, and where the sum of the powers is below any float64."""
    p = np.geomspace(1.0, 1e-3, 500)
    p /= p.sum()
    rounding = Rounding(1e-9, 1.0, has_unit=False)
    of_one = rounding.entropy_error(p, Shannon(), math.e)
    assert rounding.entropy_error(p, renyi(order), math.e) <= 1.1 * of_one


@pytest.mark.parametrize("order", ORDERS)
@given(p=spectra(), rank=st.integers(1, 20), n=st.integers(20, 3000))
def test_a_factor_encloses_every_order(order, p, rank, n):
    """What is missing may also be many small eigenvalues, which small powers magnify."""
    known = p[:rank]
    missing = np.concatenate([p[rank:], np.zeros(max(0, n - len(p)))])
    exact = renyi_of(np.concatenate([known, missing])[:n], order) if order != 1 else None
    if exact is None:
        exact = renyi_of(p, 1.0)
    low, high = entropy_interval(
        known, n, 1.0, np.full(n, float(missing.sum()) / n), which=renyi(order), has_unit=False
    )
    assert low <= exact + 1e-9
    assert exact - 1e-9 <= high


@pytest.mark.parametrize("order", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("level", [1e-13, 1e-16, 1e-20])
def test_a_factor_encloses_orders_that_count_what_no_float64_resolves(order, level):
    n = 2000
    p = np.concatenate([[1.0 - (n - 1) * level], np.full(n - 1, level)])
    ends = entropy_interval(p[:1], n, 1.0, np.full(n, level), which=Renyi(order), has_unit=False)
    assert ends[0] <= renyi_of(p, order) <= ends[1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("which", [Shannon(), Shannon(3.0), renyi(2.0), renyi(math.inf)])
def test_the_entropies_of_many_spectra_are_those_of_each(which, dtype):
    rng = np.random.default_rng(0)
    spectra = [rng.random(size) ** 8 for size in (1, 2, 7, 30)]
    spectra[2][3] = 0.0
    spectra[3][1:] *= 1e-20  # one eigenvalue, and noise
    values = np.concatenate(spectra).astype(dtype)
    found = nats_of_groups(which, values, np.array([0, 1, 3, 10]))
    each = [which.of_eigenvalues(one) for one in np.split(values, [1, 3, 10])]
    assert found == pytest.approx(each, rel=1e-6 if dtype == np.float32 else 1e-12, abs=1e-12)

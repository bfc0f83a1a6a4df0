"""The binary symmetric channel: Mrs. Gerber's lemma against the solver, and by itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from channels import binary_symmetric
from eigentropy import bottleneck
from messages import naming


def h(e):
    return -sum(q * np.log2(q) for q in (e, 1 - e) if q > 0)


def gerber(p, rate):
    """I(T; Y) at this I(T; X), both in bits, by the inverse of h."""
    e = brentq(lambda e: h(e) - (1 - rate), 0, 0.5, xtol=1e-15)
    return 1 - h(e * (1 - p) + p * (1 - e))


@pytest.mark.parametrize("p", [0.02, 0.1, 0.3])
def test_the_curve_that_is_found_is_mrs_gerbers_to_1e6_at_50_betas(p):
    critical = 1 / (1 - 2 * p) ** 2
    betas = critical * np.geomspace(0.7, 60, 50)
    found = bottleneck.curve(binary_symmetric(p), betas)
    closed = bottleneck.binary_symmetric_curve(p, betas)
    assert np.abs(found.information_x - closed.information_x).max() < 1e-6
    assert np.abs(found.information_y - closed.information_y).max() < 1e-6
    for x, y in zip(found.information_x, found.information_y, strict=True):
        assert y == pytest.approx(gerber(p, x), abs=1e-6)
    assert (found.n_clusters == closed.n_clusters).all()
    (split,) = [b for b in found.bifurcations if b.optimal]
    assert split.beta == pytest.approx(critical, rel=1e-6)
    assert (split.n_before, split.n_after, split.kind) == (1, 2, "split")


def test_the_slope_of_the_closed_form_is_one_over_beta():
    for beta in (2.0, 5.0):
        curve = bottleneck.binary_symmetric_curve(0.1, [beta, beta * (1 + 1e-5)])
        slope = np.diff(curve.information_y) / np.diff(curve.information_x)
        assert slope[0] == pytest.approx(1 / beta, rel=1e-4)


@pytest.mark.parametrize(("p", "most"), [(0.0, 1.0), (0.5, 0.0), (0.11, 1 - h(0.11))])
def test_the_ends_of_the_channel(p, most):
    curve = bottleneck.binary_symmetric_curve(p)
    assert curve.information_xy == pytest.approx(most, abs=1e-12)
    assert curve.information_y.max() == pytest.approx(most, abs=1e-3)
    assert curve.defect < 1e-9


def test_bits_and_nats():
    bits, nats = (bottleneck.binary_symmetric_curve(0.1, [3.0], base=b) for b in (2, np.e))
    assert nats.information_x[0] == pytest.approx(bits.information_x[0] * np.log(2))


@pytest.mark.parametrize("p", [-0.1, 0.6, np.nan])
def test_a_crossover_beyond_a_half_is_refused(p):
    with pytest.raises(ValueError, match=naming("p")):
        bottleneck.binary_symmetric_curve(p)


@pytest.mark.parametrize("betas", [[0.0], [-1.0], [np.nan], [2.0, np.inf], [[1.0, 2.0]], [], ["a"]])
def test_betas_that_are_none_are_refused(betas):
    with pytest.raises((ValueError, TypeError), match=naming("betas")):
        bottleneck.binary_symmetric_curve(0.1, betas)

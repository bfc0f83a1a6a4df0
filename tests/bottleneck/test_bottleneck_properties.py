"""What holds for every joint distribution."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("hypothesis")

from hypothesis import given, settings
from hypothesis import strategies as st

from channels import information, random_joint
from eigentropy import bottleneck

joints = st.builds(
    random_joint,
    st.integers(0, 10**6),
    st.integers(1, 8),
    st.integers(1, 6),
    st.sampled_from([0.1, 0.5, 3.0]),
)
betas = st.floats(0.2, 50.0)
few = settings(max_examples=25, deadline=None)


@given(joints, betas, st.sampled_from([1.0, 0.5, 0.0]))
@few
def test_the_data_processing_inequality(p, beta, alpha):
    found = bottleneck.solve(p, beta, alpha=alpha, restarts=3)
    assert found.information_y <= found.information_x + 1e-9
    assert found.information_y <= information(p) + 1e-9
    assert found.information_x <= found.entropy + 1e-9
    assert found.entropy <= np.log2(found.n_clusters) + 1e-9
    assert found.lagrangian <= 1e-9  # one cluster has 0


@given(joints, betas, st.randoms(use_true_random=False))
@few
def test_the_order_of_symbols_does_not_matter(p, beta, random):
    rows, columns = list(range(len(p))), list(range(p.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    one, other = (bottleneck.curve(q, [beta], locate=False) for q in (p, p[rows][:, columns]))
    assert one.information_x == pytest.approx(other.information_x, abs=1e-5)
    assert one.information_y == pytest.approx(other.information_y, abs=1e-5)


@given(joints, betas, st.integers(2, 4))
@few
def test_splitting_an_x_into_equal_rows_changes_nothing(p, beta, parts):
    pieces = np.concatenate([np.repeat(p[:1] / parts, parts, axis=0), p[1:]])
    one, other = (bottleneck.curve(q, [beta], locate=False) for q in (p, pieces))
    assert one.information_x == pytest.approx(other.information_x, abs=1e-5)
    assert one.n_clusters[0] == other.n_clusters[0]


@given(joints)
@few
def test_the_curve_is_monotone_concave_and_has_the_slope_one_over_beta(p):
    curve = bottleneck.curve(p, np.geomspace(1.0, 40.0, 8), locate=False)
    assert (np.diff(curve.information_x) >= -1e-7).all()
    assert (np.diff(curve.information_y) >= -1e-7).all()
    assert curve.defect <= 1e-7
    chord, cost = np.diff(curve.information_y), np.diff(curve.information_x)
    assert (chord <= cost / curve.betas[:-1] + 1e-6).all()
    assert (chord >= cost / curve.betas[1:] - 1e-6).all()
    low, high = curve.bounds(curve.information_x)
    assert (low <= curve.information_y + 1e-9).all()
    assert (curve.information_y <= high + 1e-7).all()


@given(joints, st.floats(0.05, 1.0))
@few
def test_at_beta_1_and_below_nothing_is_kept(p, beta):
    assert bottleneck.curve(p, [beta], locate=False).information_y[0] <= 1e-9

"""What the result of a curve says of itself."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from channels import binary_symmetric, random_joint
from eigentropy import bottleneck
from messages import names


@pytest.fixture(scope="module")
def channel():
    return bottleneck.binary_symmetric_curve(0.1, np.geomspace(1.2, 50, 80))


@pytest.fixture(scope="module")
def found():
    return bottleneck.curve(random_joint(0, 6, 4, 0.2), np.geomspace(1.2, 20, 8))


def test_the_defect_sees_a_point_below_the_curve_and_a_wrong_slope(channel):
    assert channel.defect < 1e-12
    lower = channel.information_y.copy()
    lower[40] -= 0.01
    assert dataclasses.replace(channel, information_y=lower).defect >= 0.009
    assert dataclasses.replace(channel, betas=2.0 * channel.betas).defect > 1e-3


def test_the_bounds_hold_between_the_points_and_are_tight(channel):
    some = bottleneck.binary_symmetric_curve(0.1, np.geomspace(1.2, 50, 40))
    low, high = some.bounds(channel.information_x)
    assert (low <= channel.information_y + 1e-12).all()
    assert (channel.information_y <= high + 1e-12).all()
    assert (high - low).max() < 0.01
    at_points = some.bounds(some.information_x)
    assert np.allclose(at_points[0], some.information_y, atol=1e-12)
    assert np.allclose(at_points[1], some.information_y, atol=1e-12)


def test_the_bounds_end_in_the_origin_and_at_all_of_the_information(channel):
    low, high = channel.bounds([0.0, 1.0, 5.0])
    assert (low[0], high[0]) == (0.0, 0.0)
    assert (low <= high).all()
    assert high[2] == pytest.approx(channel.information_xy)


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_for_another_alpha_the_bounds_hold_the_optimal_curve_and_the_defect_is_of_its_own(alpha):
    p, betas = random_joint(0, 6, 4, 0.2), np.geomspace(1.2, 20, 8)
    other = bottleneck.curve(p, betas, alpha=alpha)
    assert other.defect < 1e-9
    optimal = bottleneck.curve(p, betas)
    low, high = other.bounds(optimal.information_x)
    assert (low <= optimal.information_y + 1e-9).all()
    assert (optimal.information_y <= high + 1e-9).all()


def test_the_distortion_is_what_is_lost(found):
    assert np.allclose(found.distortion, found.information_xy - found.information_y)
    lost = [solution.distortion for solution in found.solutions]
    assert lost == pytest.approx(list(found.distortion), abs=1e-9)


def test_the_solutions_are_the_points_of_the_curve(found):
    assert [s.beta for s in found.solutions] == list(found.betas)
    assert [s.information_y for s in found.solutions] == pytest.approx(list(found.information_y))
    assert [s.n_clusters for s in found.solutions] == list(found.n_clusters)


def test_the_rows_have_every_branch_or_the_closed_form(found, channel):
    rows = found.to_rows()
    assert len(rows) == len(found.points) == 16
    assert {"beta", "information_x", "information_y", "n_clusters", "branch"} <= set(rows[0])
    assert {row["direction"] for row in rows} == {"up", "down"}
    plain = channel.to_rows()
    assert len(plain) == 80
    assert set(plain[0]) == {"beta", "information_x", "information_y", "n_clusters"}
    assert all(type(value) in (int, float) for value in plain[0].values())


def test_the_printed_form_has_the_numbers(channel):
    assert names(repr(channel), "80", "1.2", "50", "0.531", "bits", "1")


def test_names_that_are_none_and_all_names():
    assert dir(bottleneck) == bottleneck.__all__
    for name in bottleneck.__all__:
        assert getattr(bottleneck, name).__doc__, name
    with pytest.raises(AttributeError):
        bottleneck.nothing  # noqa: B018


def test_the_package_imports_nothing_heavy():
    code = (
        "import sys; from eigentropy import bottleneck; "
        "[getattr(bottleneck, n) for n in bottleneck.__all__]; bottleneck.curve([[0.5], [0.5]]); "
        "print([m for m in ('torch', 'sklearn', 'scipy', 'matplotlib') if m in sys.modules])"
    )
    alone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert alone.stdout == "[]\n"


def test_in_nats_a_curve_is_shorter_by_log_2():
    p = binary_symmetric(0.1)
    bits, nats = (bottleneck.curve(p, [3.0], base=base) for base in (2.0, np.e))
    assert nats.information_x == pytest.approx(bits.information_x * np.log(2))
    assert nats.information_xy == pytest.approx(bits.information_xy * np.log(2))

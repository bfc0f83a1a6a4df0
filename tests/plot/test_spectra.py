"""Figures of an entropy show its numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import eigentropy as eg

pytest.importorskip("matplotlib")


def test_eigenvalues_stand_over_their_rank(exact, ax):
    (line,) = eg.plot.spectrum(exact, ax=ax).lines
    assert_array_equal(line.get_xdata(), np.arange(1, 91))
    assert_array_equal(line.get_ydata(), exact.eigenvalues)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("rank", "eigenvalue")


def marks(ax):
    return [float(mark.get_segments()[0][0, 0]) for mark in ax.collections]


def test_the_effective_rank_is_marked(exact, ax):
    eg.plot.spectrum(exact, ax=ax)
    assert marks(ax) == pytest.approx([2.0**exact.value])
    low, high = ax.get_ylim()
    assert low < exact.eigenvalues[-1] < exact.eigenvalues[0] < high  # the mark has no height


def test_eigenvalues_may_be_given_in_any_order(ax):
    (line,) = eg.plot.spectrum([0.1, 1.0, 0.5], ax=ax, log_scale=False).lines
    assert_array_equal(line.get_ydata(), [1.0, 0.5, 0.1])
    assert ax.get_yscale() == "linear"
    assert not ax.collections


def test_an_operator_shows_its_eigenvalues(blobs, ax):
    operator = eg.DiffusionOperator(blobs[0])
    (line,) = eg.plot.spectrum(operator, ax=ax).lines
    assert_array_equal(line.get_ydata(), operator.eigenvalues())


def test_rounding_is_below_the_axis(ax):
    eg.plot.spectrum([1.0, 1e-3, 1e-19], ax=ax)
    assert 1e-16 < ax.get_ylim()[0] < 1e-3


def test_an_estimate_shows_its_density(estimated, ax):
    (line,) = eg.plot.spectrum(estimated, ax=ax, width=0.05).lines
    x, y = line.get_data()
    assert_allclose(y, estimated.density(x, 0.05))
    assert_allclose(0.5 * (y[1:] + y[:-1]) @ np.diff(x), 1.0, 1e-3)
    assert ax.get_xlim() == (0.0, 1.0)


def test_an_exact_spectrum_has_a_density_too(exact, ax):
    (line,) = eg.plot.spectrum(exact, density=True, ax=ax).lines
    assert_allclose(line.get_ydata(), exact.density(line.get_xdata()))
    (other,) = eg.plot.spectrum(exact.eigenvalues, density=True).lines
    assert_allclose(other.get_ydata(), line.get_ydata())


def test_a_small_density_ends_above_its_tails(exact, ax):
    eg.plot.spectrum(exact, density=True, ax=ax)
    low, high = ax.get_ylim()
    assert low > 1e-3 / 90
    assert high > ax.lines[0].get_ydata().max()


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ([], ValueError, r"shape \(n,\), n > 0, got shape \(0,\)"),
        (np.ones((2, 2)), ValueError, r"got shape \(2, 2\)"),
        ([1.0, math.nan], ValueError, "must be finite"),
        (["a"], TypeError, "array of eigenvalues is needed, got list"),
        (None, TypeError, "got NoneType"),
    ],
)
def test_what_is_no_spectrum_is_refused(values, error, words, ax):
    with pytest.raises(error, match=words):
        eg.plot.spectrum(values, ax=ax)
    assert not ax.lines


def test_a_density_is_between_0_and_1(ax):
    with pytest.raises(ValueError, match="between 0 and 1"):
        eg.plot.spectrum([3.0, 1.0], density=True, ax=ax)


def test_low_rank_says_what_to_use(low_rank, ax):
    for density in (None, True, False):
        with pytest.raises(ValueError, match="method='exact' or 'stochastic'"):
            eg.plot.spectrum(low_rank, density=density, ax=ax)
    with pytest.raises(ValueError, match="at t = 1 only"):
        eg.plot.entropy(low_rank, ax=ax)


def test_an_estimate_has_no_single_eigenvalues(estimated, ax):
    with pytest.raises(ValueError, match="method='exact'"):
        eg.plot.spectrum(estimated, density=False, ax=ax)


def test_the_entropy_over_t_is_that_of_at(exact, ax):
    (line,) = eg.plot.entropy(exact, [4.0, 0.5, 1.0], ax=ax).lines
    times, values = line.get_data()
    assert_array_equal(times, [0.5, 1.0, 4.0])
    assert_allclose(values, [exact.at(t).value for t in times])
    assert ax.get_ylabel() == "entropy S(t) (bits)"


def test_the_t_of_the_result_is_marked_and_among_the_default_ones(exact, ax):
    result = exact.at(3.0)
    (line,) = eg.plot.entropy(result, ax=ax).lines
    assert 3.0 in line.get_xdata()
    offsets = np.vstack(
        [one.get_offsets() for one in ax.collections if len(one.get_offsets()) == 1]
    )
    assert [3.0, result.value] in offsets.tolist()
    assert ax.get_xlim()[0] < 3.0 < ax.get_xlim()[1]


def test_the_band_is_the_interval(estimated, ax):
    eg.plot.entropy(estimated, [1.0, 2.0], level=0.8, ax=ax)
    low, high = estimated.interval(0.8)
    corners = ax.collections[0].get_paths()[0].vertices
    at_one = corners[corners[:, 0] == 1.0][:, 1]
    assert_allclose([at_one.min(), at_one.max()], [low, high])
    assert high > low


def test_the_unit_is_that_of_the_base(blobs, ax):
    result = eg.dse(blobs[0], base=math.e)
    assert eg.plot.entropy(result, ax=ax).get_ylabel() == "entropy S(t) (nats)"


def test_a_second_curve_has_another_look_and_is_in_view(exact, estimated, ax):
    eg.plot.entropy(exact, ax=ax, label="a")
    eg.plot.entropy(estimated, ax=ax, label="b")
    one, other = ax.lines
    assert one.get_color() != other.get_color()
    assert one.get_linestyle() != other.get_linestyle()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    assert ax.get_ylim()[0] == 0.0
    assert ax.get_ylim()[1] > max(one.get_ydata().max(), other.get_ydata().max())


@pytest.mark.parametrize("eigenvalues", [[1.0], [1.0, 0.0, 0.0], [1.0, 1.0], [1e-300, 0.0], [0.0]])
def test_a_spectrum_of_any_rank_is_drawn(eigenvalues, ax):
    eg.plot.spectrum(eigenvalues, ax=ax)
    eg.plot.spectrum(eigenvalues, density=True, ax=ax.figure.add_subplot())
    ax.figure.draw_without_rendering()
    assert_array_equal(ax.lines[0].get_ydata(), eigenvalues)


@pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning")
def test_an_entropy_of_0_is_drawn(ax):
    result = eg.dse(np.ones((3, 2)))
    result.plot(ax=ax)
    result.plot("entropy", ax=ax.figure.add_subplot())
    ax.figure.draw_without_rendering()
    assert marks(ax) == [1.0]


@pytest.mark.parametrize("t", [0.0, [-1.0], [], [[1.0]], [math.inf]])
def test_bad_times_are_refused(exact, ax, t):
    with pytest.raises(ValueError, match="t must"):
        eg.plot.entropy(exact, t, ax=ax)


def test_only_an_entropy_has_a_curve(information, ax):
    for other in (information, 3.0, None):
        with pytest.raises(TypeError, match="an Entropy is needed"):
            eg.plot.entropy(other, ax=ax)


def test_plot_of_an_entropy_hands_its_options_on(exact, ax):
    exact.plot(ax=ax, log_scale=False, label="one", color="red")
    assert ax.get_yscale() == "linear"
    assert ax.lines[0].get_color() == "red"
    exact.plot("entropy", t=[1.0, 2.0], ax=ax)
    assert_array_equal(ax.lines[1].get_xdata(), [1.0, 2.0])
    with pytest.raises(ValueError, match="'spectrum', 'entropy', got 'density'"):
        exact.plot("density")

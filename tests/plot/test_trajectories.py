"""The figure of units that move through an embedding."""

from __future__ import annotations

import numpy as np
import pytest

import eigentropy as eg
from messages import naming

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


def test_each_piece_of_a_line_goes_from_one_epoch_to_the_next(ax, rng):
    places = rng.normal(size=(4, 3, 2))
    eg.plot.units(places, ax=ax)
    pieces = np.array(ax.collections[0].get_segments())
    assert pieces.shape == (9, 2, 2)
    for epoch in range(3):
        for unit in range(3):
            expected = places[epoch : epoch + 2, unit]
            np.testing.assert_allclose(pieces[3 * epoch + unit], expected)


def test_the_colour_is_the_time_at_which_a_piece_ends(ax, rng):
    eg.plot.units(rng.normal(size=(4, 3, 2)), [0, 10, 100, 1000], ax=ax)
    times = ax.collections[0].get_array()
    np.testing.assert_array_equal(times, np.repeat([10, 100, 1000], 3))


def test_all_places_are_in_view(ax, rng):
    places = 100.0 + rng.normal(size=(4, 3, 2))
    eg.plot.units(places, ax=ax)
    ax.figure.draw_without_rendering()
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    assert left <= places[..., 0].min() < places[..., 0].max() <= right
    assert low <= places[..., 1].min() < places[..., 1].max() <= high


def test_one_epoch_is_drawn_as_points(ax, rng):
    places = rng.normal(size=(1, 5, 2))
    eg.plot.units(places, ax=ax)
    np.testing.assert_allclose(ax.collections[0].get_offsets(), places[0])


def test_options_of_lines_are_passed_on(ax, rng):
    eg.plot.units(rng.normal(size=(4, 3, 2)), ax=ax, linewidths=3.0)
    assert ax.collections[0].get_linewidths() == [3.0]


@pytest.mark.parametrize("shape", [(4, 2), (4, 3, 3), (4, 3, 1)])
def test_coordinates_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=naming("embedding", "epochs", "units", str(shape))):
        eg.plot.units(np.zeros(shape))


def test_steps_of_another_number_are_refused(rng):
    with pytest.raises(ValueError, match=naming("steps", 4, "(3,)")):
        eg.plot.units(rng.normal(size=(4, 3, 2)), [1, 2, 3])

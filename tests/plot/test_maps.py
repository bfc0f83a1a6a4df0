"""The figure of a diffusion map shows the coordinates of the rows, by label."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import eigentropy as eg

Figure = pytest.importorskip("matplotlib.figure").Figure


def points(ax):
    return [group.get_offsets() for group in ax.collections]


@pytest.fixture(scope="session")
def operator(blobs):
    return eg.DiffusionOperator(blobs[0])


def test_each_label_has_its_rows_its_colour_and_its_marker(operator, blobs, ax):
    labels = np.array(["b", "a", "c"])[blobs[1]]
    operator.plot(labels, t=2.0, ax=ax)
    coordinates = operator.diffusion_map(2, 2.0)
    for drawn, name in zip(points(ax), "abc", strict=True):
        assert_allclose(drawn, coordinates[labels == name])
    assert len({tuple(group.get_facecolor()[0]) for group in ax.collections}) == 3
    assert len({group.get_paths()[0].vertices.tobytes() for group in ax.collections}) == 3
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b", "c"]
    assert ax.get_xlabel() == "diffusion coordinate 1, t = 2"


def test_numbers_have_a_scale(operator, ax):
    values = np.linspace(0.0, 1.0, 90)
    eg.plot.diffusion_map(operator, values, ax=ax)
    (drawn,) = ax.collections
    assert_array_equal(drawn.get_array(), values)
    assert len(ax.figure.axes) == 2  # the second is the bar of colours


def test_without_labels_all_rows_look_alike(operator, ax):
    assert eg.plot.diffusion_map(operator, ax=ax, s=3.0).get_legend() is None
    assert len(points(ax)[0]) == 90
    assert ax.collections[0].get_sizes() == [3.0]


def test_both_axes_have_one_scale(operator, ax):
    assert eg.plot.diffusion_map(operator, ax=ax).get_aspect() == 1.0


def test_coordinates_are_drawn_as_they_are(ax):
    coordinates = np.arange(12.0).reshape(4, 3)
    eg.plot.diffusion_map(coordinates, ax=ax)
    assert_array_equal(points(ax)[0], coordinates[:, :2])


def test_three_coordinates_are_drawn_in_space(operator, blobs):
    ax = Figure().add_subplot(projection="3d")
    assert operator.plot(blobs[1], k=3, ax=ax) is ax
    assert_allclose(ax.collections[0]._offsets3d[2], operator.diffusion_map(3)[blobs[1] == 0, 2])
    with pytest.raises(ValueError, match="k=2 needs axes in the plane"):
        operator.plot(ax=ax)
    with pytest.raises(ValueError, match="projection='3d'"):
        operator.plot(k=3, ax=Figure().subplots())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"k": 1}, "k must be 2 or 3 coordinates, got 1"),
        ({"t": 0.0}, "t must be"),
        ({"labels": [0, 1]}, "labels has 2 entries, there are 90 rows"),
        ({"labels": np.zeros((90, 2))}, r"labels must have shape \(n,\), got shape \(90, 2\)"),
    ],
)
def test_bad_options_are_refused_before_anything_is_computed(blobs, options, words, ax):
    operator = eg.DiffusionOperator(blobs[0])
    operator.diffusion_map = None  # would fail
    with pytest.raises(ValueError, match=words):
        eg.plot.diffusion_map(operator, ax=ax, **options)


def test_what_has_no_coordinates_is_refused(ax):
    with pytest.raises(ValueError, match=r"coordinates of shape \(n, 2\) are needed"):
        eg.plot.diffusion_map(np.ones(5), ax=ax)


def test_labels_that_cannot_be_ordered_are_refused(ax):
    with pytest.raises(TypeError, match="cannot be ordered"):
        eg.plot.diffusion_map(np.ones((2, 2)), np.array([1, "a"], dtype=object), ax=ax)

"""The information plane: the curve, what bounds it, its bifurcations, other branches."""

from __future__ import annotations

import numpy as np
import pytest

import eigentropy as eg
from channels import tree
from eigentropy import bottleneck
from messages import naming

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def of_tree():
    return bottleneck.curve(tree((0.05, 0.3)), np.geomspace(1.1, 30, 12))


@pytest.fixture(scope="module")
def with_jump():
    p = (0.4 * np.eye(6) + 0.1) / 6
    return bottleneck.curve(p, np.geomspace(3.0, 8.0, 12))


def test_the_line_goes_through_the_points_of_the_curve(of_tree, ax):
    assert of_tree.plot(ax=ax) is ax
    assert ax.lines[0].get_xdata().tolist() == of_tree.information_x.tolist()
    assert ax.lines[0].get_ydata().tolist() == of_tree.information_y.tolist()
    assert "I(T; X)" in ax.get_xlabel()
    assert "bits" in ax.get_ylabel()


def test_a_number_of_clusters_stands_at_each_bifurcation_of_the_curve(of_tree, ax):
    of_tree.plot(ax=ax)
    assert [text.get_text() for text in ax.texts] == ["2", "4"]


def test_no_point_is_above_the_bounds(of_tree, ax):
    of_tree.plot(ax=ax)
    (bounds,) = (c for c in ax.collections if hasattr(c, "get_segments"))
    rising, level = bounds.get_segments()
    most = of_tree.information_xy
    assert rising.tolist() == [[0.0, 0.0], [most, most]]
    assert level[:, 1].tolist() == [most, most]


def test_solutions_of_other_branches_are_crosses(of_tree, with_jump, ax):
    of_tree.plot(ax=ax)
    assert len(ax.collections) == 1  # both directions found the same
    with_jump.plot(ax=ax)
    crosses = ax.collections[-1].get_offsets()
    off = [p for p in with_jump.points if p.direction == "up" and p.solution.n_clusters == 1]
    stayed = with_jump.n_clusters[: len(off)]
    assert len(crosses) == (stayed > 1).sum() > 0


def test_curves_on_one_figure_have_looks_of_their_own(of_tree, ax):
    of_tree.plot(ax=ax, label="found")
    gaussian = bottleneck.gaussian_curve(covariance=[[1, 0.8], [0.8, 1]], n_x=1)
    eg.plot.information_curve(gaussian, ax=ax, label="Gaussian")
    looks = {(line.get_color(), line.get_linestyle()) for line in ax.lines}
    assert len(looks) == 2
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["found", "Gaussian"]


def test_something_else_is_refused(ax):
    with pytest.raises(TypeError, match=naming("InformationCurve", "list")):
        eg.plot.information_curve([1, 2], ax=ax)

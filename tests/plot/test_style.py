"""Curves and groups stay apart, also in grey, and no setting of matplotlib is changed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import eigentropy as eg
from eigentropy import bottleneck
from eigentropy.plot import style

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure


def grey(colour):
    """What a black and white copy makes of it, 0 to 1 (ITU-R BT.601)."""
    return float(np.dot([0.299, 0.587, 0.114], to_rgb(colour)))


def test_neighbours_differ_in_lightness():
    shades = [grey(colour) for colour in style.COLOURS]
    assert min(abs(a - b) for a, b in itertools.pairwise(shades)) > 0.14


def test_every_colour_is_seen_on_white():
    assert max(grey(colour) for colour in style.COLOURS) < 0.7


def test_two_curves_that_look_alike_in_grey_differ_in_line_and_marker():
    styles = [style.curve(number) for number in range(len(style.COLOURS))]
    for one, other in itertools.combinations(styles, 2):
        assert one["marker"] != other["marker"]
        if abs(grey(one["color"]) - grey(other["color"])) < 0.05:
            assert one["linestyle"] != other["linestyle"]


def test_12_curves_have_their_own_colour_and_48_curves_and_144_groups_their_own_look():
    curves = [style.curve(number) for number in range(48)]
    assert len({look["color"] for look in curves[:12]}) == 12
    assert len({(look["color"], look["linestyle"]) for look in curves}) == 48
    groups = {(style.COLOURS[k % len(style.COLOURS)], style.marker(k)) for k in range(144)}
    assert len(groups) == 144


def as_deuteranopes_see(colour):
    """In linear RGB, by the matrix of Machado, Oliveira and Fernandes (2009)."""
    linear = np.power(to_rgb(colour), 2.2)
    return (
        np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]) @ linear
    )


def test_no_two_colours_look_alike_to_colour_blind_readers():
    for one, other in itertools.combinations(style.COLOURS, 2):
        seen = [np.power(np.clip(as_deuteranopes_see(c), 0, 1), 1 / 2.2) for c in (one, other)]
        assert np.linalg.norm(seen[0] - seen[1]) > 0.12, (one, other)


def test_a_sequence_grows_lighter():
    shades = [grey(look["color"]) for look in style.curves(12)]
    assert (np.diff(shades) > 0.02).all()
    assert shades[-1] < 0.75


def test_the_style_of_a_line_may_be_replaced(ax):
    line = style.draw_curve(ax, [1, 2], [3, 4], style.curve(0), c="red", lw=7)
    assert (line.get_color(), line.get_linewidth()) == ("red", 7)


def test_a_mark_is_in_view_and_has_no_height(ax):
    ax.plot([1.0, 2.0], [5.0, 6.0])
    view = ax.get_xlim(), ax.get_ylim()
    style.mark(ax, 9.0)
    assert ax.get_xlim()[0] == pytest.approx(view[0][0], abs=0.4)
    assert ax.get_xlim()[1] > 9.0
    ax.autoscale_view()
    assert ax.get_ylim() == view[1]
    assert style.curves_on(ax) == 1


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (4, 1), (30, 2)])
def test_the_legend_stands_outside_of_the_data(ax, count, columns):
    for number in range(count):
        style.draw_curve(ax, [0, 1], [number, 1], {**style.curve(number), "label": f"l{number}"})
    style.legend(ax)
    ax.figure.draw_without_rendering()
    data, legend = ax.get_window_extent(), ax.get_legend().get_window_extent()
    assert legend.x0 >= data.x1
    assert ax.get_legend()._ncols == columns


def figures(exact, information, blobs):
    """One call of each function."""
    rows = [{"step": k, "dse/a": k, "dse/b": 2.0} for k in range(3)]
    return {
        "spectrum": lambda ax: eg.plot.spectrum(exact, ax=ax),
        "entropy": lambda ax: eg.plot.entropy(exact, ax=ax),
        "null": lambda ax: eg.plot.null(information, ax=ax),
        "layers": lambda ax: eg.plot.layers({"a": exact}, ax=ax),
        "convergence": lambda ax: eg.plot.convergence(
            eg.converge(blobs[0], sizes=[20, 40, 80]), ax=ax
        ),
        "history": lambda ax: eg.plot.history(rows, ax=ax),
        "units": lambda ax: eg.plot.units(np.array([blobs[0][:9, :2], blobs[0][9:18, :2]]), ax=ax),
        "diffusion_map": lambda ax: eg.plot.diffusion_map(blobs[0], blobs[1], ax=ax),
        "information_curve": lambda ax: eg.plot.information_curve(
            bottleneck.binary_symmetric_curve(0.1), ax=ax
        ),
        "InformationCurve": lambda ax: bottleneck.binary_symmetric_curve(0.1).plot(ax=ax),
        "Entropy": lambda ax: exact.plot(ax=ax),
        "MutualInformation": lambda ax: information.plot(ax=ax),
        "Comparison": lambda ax: eg.compare({"a": blobs[0], "b": blobs[0] ** 3}).plot(ax=ax),
        "DiffusionOperator": lambda ax: eg.DiffusionOperator(blobs[0]).plot(blobs[1], ax=ax),
    }


def test_every_function_is_known_here(exact, information, blobs):
    assert set(eg.plot.__all__) < set(figures(exact, information, blobs))


def test_the_axes_given_are_drawn_on_and_returned(exact, information, blobs):
    before, open_figures = dict(matplotlib.rcParams), pyplot.get_fignums()
    for draw in figures(exact, information, blobs).values():
        ax = Figure().subplots()
        assert draw(ax) is ax
        assert ax.lines or ax.collections
        ax.figure.draw_without_rendering()
    assert dict(matplotlib.rcParams) == before
    assert pyplot.get_fignums() == open_figures


def test_without_axes_pyplot_has_a_new_figure(exact, information, blobs):
    before = dict(matplotlib.rcParams)
    for draw in figures(exact, information, blobs).values():
        open_figures = pyplot.get_fignums()
        axes = draw(None)
        assert len(pyplot.get_fignums()) == len(open_figures) + 1
        assert pyplot.gcf() is axes.figure
        pyplot.close(axes.figure)
    assert dict(matplotlib.rcParams) == before


def test_axes_of_something_else_are_refused(exact):
    with pytest.raises(TypeError, match="ax must be one matplotlib axes, got ndarray"):
        eg.plot.spectrum(exact, ax=Figure().subplots(1, 2))

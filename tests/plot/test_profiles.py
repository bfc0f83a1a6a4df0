"""Curves over layers and over steps show the values that they are given."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import eigentropy as eg
from messages import naming

pytest.importorskip("matplotlib")

ROWS = [
    {"step": 1, "loss": 2.0, "dse/a.0": 3.0, "dse/b": 5.0, "dsmi_y_adjusted/b": 0.1},
    {"step": 2, "loss": 1.0, "dse/a.0": 2.5, "dsmi_y_adjusted/b": 0.2},
    {"step": 5, "loss": 0.5, "dse/a.0": 2.0, "dse/b": 4.0, "dsmi_y_adjusted/b": 0.4},
]


def names(ax):
    return [label.get_text() for label in ax.get_xticklabels()]


def bars(ax):
    return [segment[:, 1].tolist() for lines in ax.collections for segment in lines.get_segments()]


def test_layers_stand_in_their_order_with_their_intervals(exact, estimated, ax):
    values = {"z": exact, "a": estimated}
    (line,) = eg.plot.layers(values, ax=ax).lines
    assert_array_equal(line.get_ydata(), [exact.value, estimated.value])
    assert names(ax) == ["z", "a"]
    assert ax.get_ylabel() == "entropy (bits)"
    assert_allclose(bars(ax)[1], estimated.interval(0.95))


def test_informations_have_their_interval(information, ax):
    eg.plot.layers({"a": information}, ax=ax)
    assert_allclose(bars(ax), [information.interval(0.95)])
    assert ax.get_ylabel() == "mutual information (bits)"


def test_numbers_have_no_error_bars(ax):
    (line,) = eg.plot.layers({"a": 1, "b": np.float32(2.5), "c": math.nan}, ax=ax).lines
    assert_array_equal(line.get_ydata(), [1.0, 2.5, math.nan])
    assert not ax.collections
    assert ax.get_ylabel() == "value"


def test_a_measure_names_the_axis_of_numbers(ax):
    assert eg.plot.layers({"a": 1.0}, "dse", base=math.e, ax=ax).get_ylabel() == "DSE (nats)"


def test_a_row_of_a_monitor_is_read_by_measure(ax):
    (line,) = eg.plot.layers(ROWS[0], ax=ax).lines
    assert_array_equal(line.get_ydata(), [3.0, 5.0])
    assert (names(ax), ax.get_ylabel()) == (["a.0", "b"], "DSE (bits)")
    eg.plot.layers(ROWS[0], "dsmi_y_adjusted", ax=ax)
    assert_array_equal(ax.lines[1].get_ydata(), [0.1])
    assert ax.get_ylabel() == "adjusted DSMI with the labels"  # a share: it has no unit


def test_a_broad_line_runs_through_layers_that_are_tied(ax):
    eg.plot.layers({"a": 1.0, "b": 2.0, "c": 3.0}, ties=[("b", "c")], ax=ax)
    ((segment,),) = (lines.get_segments() for lines in ax.collections)
    assert_array_equal(segment, [[1.0, 2.0], [2.0, 3.0]])
    assert len(ax.lines) == 1  # what is drawn next has the second colour


def test_a_tie_names_layers(ax):
    with pytest.raises(ValueError, match=naming("ties", "'d'", "'a'")):
        eg.plot.layers({"a": 1.0, "b": 2.0}, ties=[("a", "d")], ax=ax)


def test_the_level_of_the_intervals_can_be_chosen(information, ax):
    eg.plot.layers({"a": information}, level=0.5, ax=ax)
    assert_allclose(bars(ax), [information.interval(0.5)])


def test_two_profiles_stay_apart(ax):
    eg.plot.layers({"a": 1.0}, label="before", ax=ax)
    eg.plot.layers({"a": 2.0}, label="after", ax=ax)
    assert ax.lines[0].get_marker() != ax.lines[1].get_marker()
    assert len(ax.get_legend().get_texts()) == 2


def test_many_layers_have_fewer_names(ax):
    eg.plot.layers({f"layer.{k}": float(k) for k in range(100)}, ax=ax)
    assert 10 < len(names(ax)) <= 24
    assert len(ax.lines[0].get_xdata()) == 100


@pytest.mark.parametrize(
    ("values", "options", "error", "words"),
    [
        ({}, {}, ValueError, "values is empty"),
        ([1.0], {}, TypeError, "mapping of layers to results, got list"),
        ({"a": "5"}, {}, TypeError, "a: a number is needed, got '5'"),
        ({"a": [1, 2]}, {}, TypeError, "a: a number is needed, got list"),
        (ROWS[0], {"measure": "dsmi"}, ValueError, "'dse', 'dsmi_y_adjusted', got 'dsmi'"),
    ],
)
def test_bad_profiles_are_refused(values, options, error, words, ax):
    with pytest.raises(error, match=words):
        eg.plot.layers(values, **options, ax=ax)
    assert not ax.lines


def test_bits_and_nats_do_not_go_together(blobs, exact, ax):
    with pytest.raises(ValueError, match="different bases"):
        eg.plot.layers({"a": exact, "b": eg.dse(blobs[0], base=math.e)}, ax=ax)


def test_a_history_has_a_curve_a_layer(ax):
    a, b = eg.plot.history(ROWS, ax=ax).lines
    assert_array_equal(a.get_xdata(), [1, 2, 5])
    assert_array_equal(a.get_ydata(), [3.0, 2.5, 2.0])
    assert_array_equal(b.get_ydata(), [5.0, math.nan, 4.0])
    assert [a.get_label(), b.get_label()] == ["a.0", "b"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "DSE (bits)")


def test_a_measure_and_layers_may_be_chosen(ax):
    eg.plot.history(ROWS, "dse", layers=["b", "a.0"], base=10.0, ax=ax)
    assert [line.get_label() for line in ax.lines] == ["b", "a.0"]
    assert ax.get_ylabel() == "DSE (dits)"


def test_a_value_without_a_layer_is_one_curve(ax):
    (line,) = eg.plot.history(ROWS, "loss", ax=ax).lines
    assert_array_equal(line.get_ydata(), [2.0, 1.0, 0.5])
    assert (line.get_label(), ax.get_ylabel()) == ("loss", "loss")


def test_more_layers_than_colours_are_a_sequence(ax):
    rows = [{"step": k, **{f"dse/{layer}": 1.0 for layer in range(9)}} for k in range(2)]
    colours = {tuple(line.get_color()) for line in eg.plot.history(rows, ax=ax).lines}
    assert len(colours) == 9


@pytest.mark.parametrize(
    ("rows", "options", "error", "words"),
    [
        ([], {}, ValueError, "rows is empty"),
        ([{"step": 1}], {}, ValueError, "no values beside 'step'"),
        ([{"dse/a": 1.0}], {}, ValueError, "row 0 has no 'step'"),
        ([{"step": 1}, 5], {}, TypeError, "row 1 must be a dict, got int"),
        (ROWS, {"measure": "mse"}, ValueError, "'loss', 'dse', 'dsmi_y_adjusted', got 'mse'"),
        (ROWS, {"layers": ["c"]}, ValueError, "'c' has no dse; there are 'a.0', 'b'"),
        (ROWS, {"layers": []}, ValueError, "layers is empty"),
        ([{"step": 1, "dse/a": "x"}], {}, TypeError, "dse/a: a number is needed, got 'x'"),
        (ROWS, {"base": 1.0}, ValueError, "base must be above 1"),
    ],
)
def test_bad_rows_are_refused(rows, options, error, words, ax):
    with pytest.raises(error, match=words):
        eg.plot.history(rows, **options, ax=ax)
    assert not ax.lines

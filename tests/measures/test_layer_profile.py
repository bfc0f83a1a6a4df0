"""A layer profile says which neighbours differ, in every form that it has."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from eigentropy._measures.comparison.difference import Difference
from eigentropy._measures.comparison.layout import blocks
from eigentropy._measures.layer_profile import (
    LayerDifference,
    LayerNumber,
    LayerProfile,
    ProfiledLayer,
)
from messages import naming

N = 100


def difference(a, b, error):
    return Difference(
        value=b - a, standard_error=error, degrees=math.inf, a=a, b=b, measure="dse", base=2.0,
        paired=True, n=(N, N),
    )  # fmt: skip


def profile(values, errors, measure="dse", level=0.95):
    """Layers "0", "1", ... with these values, and errors of the differences between them."""
    layers = [
        ProfiledLayer(str(k), 8, {measure: LayerNumber(value, 0.5, math.inf)})
        for k, value in enumerate(values)
    ]
    between = [
        LayerDifference(measure, str(k), str(k + 1), difference(values[k], values[k + 1], error))
        for k, error in enumerate(errors)
        if math.isfinite(error)
    ]
    return LayerProfile(layers, between, N, 3, {measure: "bits"}, level)


def test_layers_that_do_not_differ_are_tied():
    several = profile([1.0, 1.1, 1.1, 3.0], [1.0, 1.0, 0.01])
    assert several.ties() == several.ties("dse") == [("0", "1", "2")]
    assert [row["dse_differs"] for row in several.to_rows()] == [None, False, False, True]


def test_p_values_are_corrected_for_the_number_of_neighbours():
    errors = [1.0, 1.0]
    alone = difference(0.0, 2.1, 1.0).p_value
    several = profile([0.0, 2.1, 2.1], errors)
    assert alone < 0.05
    assert several.p_values["dse", "0", "1"] == pytest.approx(2.0 * alone)
    assert several.ties() == [("0", "1", "2")]
    assert profile([0.0, 2.1, 2.1], errors, level=0.9).ties() == [("1", "2")]


def with_ends(several, measure, ends):
    """The same profile, with the errors of the differences between ends of runs."""
    values = {name: float(one) for name, one in several.values(measure).items()}
    return replace(several, ends=[
        LayerDifference(measure, a, b, difference(values[a], values[b], error))
        for (a, b), error in ends.items()
    ])  # fmt: skip


def test_of_a_run_it_is_said_whether_its_ends_differ():
    run = profile([0.0, 1.0, 2.0, 3.0], [1.0, 1.0, 1.0])
    assert run.ties() == [("0", "1", "2", "3")]
    said = {
        error: with_ends(run, "dse", {("0", "3"): error}).sentences()[0] for error in (0.5, 3.0)
    }
    plain = difference(0.0, 3.0, 0.5).p_value
    assert with_ends(run, "dse", {("0", "3"): 0.5}).p_of_ends("dse", "0", "3") == plain
    assert run.p_of_ends("dse", "0", "3") is None
    assert len({*said.values(), run.sentences()[0]}) == 3
    for error, sentence in said.items():
        assert f"{difference(0.0, 3.0, error).p_value:.2g}" in sentence


def test_the_ends_of_several_runs_are_corrected_for_their_number():
    two = profile([0.0, 1.0, 2.0, 90.0, 91.0, 92.0], [1.0, 1.0, 1.0, 1.0, 1.0])
    assert two.ties() == [("0", "1", "2"), ("3", "4", "5")]
    both = with_ends(two, "dse", {("0", "2"): 0.9, ("3", "5"): 0.95})
    alone = difference(0.0, 2.0, 0.9).p_value
    assert both.p_of_ends("dse", "0", "2") == pytest.approx(2.0 * alone)


@given(
    st.integers(1, 4),
    st.lists(st.lists(st.text("abc", max_size=12), min_size=4, max_size=4), max_size=6),
    st.integers(1, 60),
)
def test_blocks_have_every_column_once_and_the_names_in_each(rows, columns, width):
    names = ("", *(f"row{k}" for k in range(1, 4)))[:rows]
    columns = [
        [f"{text}{number}" for text in column[:rows]] for number, column in enumerate(columns)
    ]
    several = blocks([*zip(names, *columns, strict=True)], width)
    cells = [[line.split() for line in block] for block in several]
    for k in range(rows):
        found = [cell for block in cells for cell in block[k] if cell != names[k]]
        assert found == [column[k] for column in columns]
        assert all(block[k][:1] == [names[k]] for block in cells if names[k])
    for block, lines in zip(several, cells, strict=True):
        is_single = max(map(len, lines)) <= 2
        assert is_single or max(map(len, block)) <= width


def test_the_table_fits_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    numbers = {f"measure_{k}": LayerNumber(1.0 + k, 0.1, 9.0) for k in range(9)}
    whole = LayerProfile([ProfiledLayer(name, 8, numbers) for name in "ab"], [], N, 0, {})
    lines = repr(whole).splitlines()[1:]
    assert max(map(len, lines)) <= 40
    assert [word for line in lines for word in line.split() if "_" in word] == [*numbers]
    monkeypatch.setenv("COLUMNS", "400")
    assert max(map(len, repr(whole).splitlines()[1:])) > 100


def test_signs_are_explained_where_they_are():
    def heading(*arguments):
        return repr(profile(*arguments)).splitlines()[0]

    assert "=" in heading([1.0, 1.1], [1.0])
    assert "=" not in heading([1.0], [])
    bare = LayerProfile([ProfiledLayer("a", 8, {"dse": LayerNumber(1.0)})], [], N, 0, {})
    assert "+-" in heading([1.0], [])
    assert "+-" not in repr(bare)


def test_neighbours_that_were_not_compared_are_neither_tied_nor_different():
    several = profile([1.0, math.nan, 1.0], [math.nan, math.nan])
    assert several.ties() == []
    assert [row["dse_differs"] for row in several.to_rows()] == [None, None, None]


@given(st.lists(st.tuples(st.floats(-5, 5), st.sampled_from([0.1, 1.0, math.nan])), min_size=1))
def test_ties_are_the_runs_of_neighbours_that_were_compared_and_do_not_differ(steps):
    values = [sum(step for step, _ in steps[:k]) for k in range(len(steps) + 1)]
    several = profile(values, [error for _, error in steps])
    joined = {(a, b) for tie in several.ties() for a, b in pairwise(tie)}
    flagged = {
        (str(k), row["layer"])
        for k, row in enumerate(several.to_rows()[1:])
        if row["dse_differs"] is False
    }
    assert joined == flagged


def test_a_number_has_its_interval_over_other_samples():
    number = LayerNumber(2.0, 0.5, math.inf)
    assert float(number) + 1.0 == 3.0
    assert_allclose(number.interval(0.95), [2.0 - 0.5 * 1.96, 2.0 + 0.5 * 1.96], atol=1e-3)
    assert "samples" in number.interval().over
    assert all(map(math.isnan, LayerNumber(2.0).interval()))
    assert tuple(LayerNumber(2.0, 0.0, math.inf).interval()) == (2.0, 2.0)


def test_it_prints_its_values_with_errors_and_says_which_are_tied():
    text = repr(profile([1.0, 1.1, 3.0], [1.0, 0.01]))
    lines = {line.split()[0]: line for line in text.splitlines() if line}
    assert lines["0"].endswith("1 +- 0.5")
    assert lines["1"].endswith("1.1 +- 0.5 =")
    assert lines["2"].endswith("3 +- 0.5")
    assert lines["dse:"].split()[1:4] == ["0", "and", "1"]


def test_a_number_without_an_error_is_printed_without_one():
    layers = [ProfiledLayer("a", 8, {"dse": LayerNumber(1.5), "kernel": LayerNumber(math.nan)})]
    (line,) = (
        line for line in repr(LayerProfile(layers, [], N, 0, {})).splitlines() if line[:1] == "a"
    )
    assert line.split() == ["a", "8", "1.5", "nan"]


def test_notebooks_show_names_as_they_are():
    layers = [ProfiledLayer(name, 8, {"dse": LayerNumber(1.0, 0.1, 9.0)}) for name in "<&"]
    html = LayerProfile(layers, [], N, 0, {})._repr_html_()
    assert "&lt;" in html
    assert "<<" not in html


def test_its_record_is_json():
    several = profile([1.0, math.nan, 3.0, 3.0], [math.nan, math.nan, 0.5])
    record = json.loads(json.dumps(several.to_record(), allow_nan=False))
    assert [layer["numbers"]["dse"][0] for layer in record["layers"]] == [1.0, None, 3.0, 3.0]
    assert record["neighbours"] == [
        {"measure": "dse", "a": "2", "b": "3", "difference": 0.0, "standard_error": 0.5,
         "p_value": 1.0},
    ]  # fmt: skip


def test_a_measure_that_is_not_there_is_refused():
    several = profile([1.0, 2.0], [1.0])
    for function in (several.ties, several.values, several.plot):
        with pytest.raises(ValueError, match=naming("measure", "'dse'", "'dsmi'")):
            function("dsmi")


def test_it_draws_its_intervals_and_ties():
    pytest.importorskip("matplotlib")
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

    several = profile([1.0, 1.1, 3.0], [1.0, 0.01])
    axes = several.plot(ax=Figure().subplots())
    lines = [one for one in axes.collections if isinstance(one, LineCollection)]
    segments = [segment.tolist() for one in lines for segment in one.get_segments()]
    assert [[0.0, 1.0], [1.0, 1.1]] in segments
    low, high = several.layers[2].numbers["dse"].interval(0.95)
    assert any(segment == [[2.0, low], [2.0, high]] for segment in segments)

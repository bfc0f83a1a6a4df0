"""Several at once: corrected p-values, groups that do not differ, and how they are shown."""

from __future__ import annotations

import pickle
import warnings
from itertools import combinations, pairwise

import numpy as np
import pytest

import eigentropy as eg
from eigentropy._measures.comparison.holm import holm
from linear_measure import mean
from messages import names, naming

N = 200


def shifted(*means, seed=0, n=N, is_exact=True):
    """Representations of the same rows; the means of the first column differ as these do.

    Exactly, or but for noise.
    """
    rng = np.random.default_rng(seed)
    rows, found = rng.normal(size=(n, 2)), {}
    for number, value in enumerate(means, start=1):
        noise = 0.1 * rng.normal(size=(n, 2))
        moved = noise + np.array([value, 0.0]) - is_exact * noise.mean(axis=0)
        found[f"layer {number}"] = rows + moved
    return found


STEPS = shifted(0.0, 0.0, 0.0, 1.0, 1.0)


def compared(*means, **options):
    return eg.compare(shifted(*means), measure=mean, **options)


def test_all_pairs_are_those_of_two():
    found = eg.compare(STEPS, measure=mean)
    assert list(found.differences) == list(combinations(STEPS, 2))
    for (a, b), one in found.differences.items():
        alone = eg.compare(STEPS[a], STEPS[b], measure=mean)
        assert (one.value, one.p_value) == (alone.value, alone.p_value)
        assert found.values[b] - found.values[a] == pytest.approx(one.value)
    raw = [one.p_value for one in found.differences.values()]
    assert list(found.p_values.values()) == holm(raw)


def test_a_sequence_of_pairs_is_a_mapping():
    assert repr(eg.compare([*STEPS.items()], measure=mean)) == repr(eg.compare(STEPS, measure=mean))


def test_neighbours_and_one_are_fewer_pairs():
    neighbours = eg.compare(STEPS, measure=mean, pairs="neighbours")
    assert list(neighbours.differences) == list(pairwise(STEPS))
    against = eg.compare(STEPS, measure=mean, against="layer 2")
    assert [*against.differences] == [("layer 2", one) for one in STEPS if one != "layer 2"]


def test_ties_of_all():
    found = eg.compare(STEPS, measure=mean)
    assert found.ties() == [("layer 1", "layer 2", "layer 3"), ("layer 4", "layer 5")]
    assert found.groups() == [(0, 1, 2), (3, 4)]
    assert not found.differs("layer 1", "layer 2")
    assert found.differs("layer 4", "layer 1")
    first, second = found.sentences()
    assert names(first, "layer 1", "layer 3")
    assert "layer 2" not in first
    assert names(second, "layer 4", "layer 5")


def test_ties_that_are_not_transitive():
    """Steps that are too small to be told, of which two together are not."""
    found = compared(0.0, 0.018, 0.036)
    assert found.ties() == [("layer 1", "layer 2"), ("layer 2", "layer 3")]
    table = repr(found).splitlines()
    assert [line.split()[-1] for line in table if line.startswith("layer")][:3] == ["a", "ab", "b"]


def test_ties_of_neighbours_are_runs():
    found = compared(0.0, 0.018, 0.036, 1.0, pairs="neighbours")
    assert found.ties() == [("layer 1", "layer 2", "layer 3")]
    assert names(found.sentences()[0], "layer 1", "layer 3", "next")


def test_nothing_is_tied():
    for options in ({}, {"pairs": "neighbours"}, {"against": "layer 2"}):
        found = compared(0.0, 1.0, 2.0, **options)
        assert found.ties() == []
        assert len(found.sentences()) == 1


def test_since_when_a_trajectory_has_changed():
    found = compared(0.0, 0.0, 0.5, 0.0, 0.3, 0.6, against="layer 1")
    assert found.changed_at == "layer 5"  # layer 3 came back
    assert found.ties() == [("layer 1", "layer 2"), ("layer 1", "layer 4")]
    assert names(" ".join(found.sentences()), "layer 5", "layer 1")
    assert compared(0.0, 0.5, 0.0, against="layer 1").changed_at is None
    assert compared(0.5, 0.0, 0.0, against="layer 2").changed_at is None  # what came before
    assert compared(0.0, 0.5, 0.5, against="layer 1").changed_at == "layer 2"
    with pytest.raises(ValueError, match=naming("changed_at", "against")):
        _ = compared(0.0, 0.5).changed_at


def test_names_may_be_steps():
    steps = dict(zip((0, np.int64(10), 20), shifted(0.0, 0.0, 1.0).values(), strict=True))
    found = eg.compare(steps, measure=mean, against=0)
    assert (found.changed_at, found.ties()) == (20, [(0, 10)])
    assert list(found.p_values) == [(0, 10), (0, 20)]
    assert names(repr(found), "0", "10", "20")
    assert found._repr_html_()


def _first_fall(steps):
    """The first step with the one after it, where that is smaller."""
    number = {one: one if isinstance(one, float | int) else float(one[5:]) for one in steps}
    return next(pair for pair in pairwise(steps) if number[pair[0]] > number[pair[1]])


@pytest.mark.parametrize(
    ("steps", "is_warned"),
    [
        (("epoch1", "epoch2", "epoch10"), False),
        (("epoch1", "epoch10", "epoch2"), True),
        (("run1/step5", "run2/step1", "run2/step3"), False),
        (("0020", "0100"), False),
        ((0, 20, 10), True),
        ((0.5, 0.2, 0.7), True),
        ((None, ("a", 1), "b"), False),
        (("a2", "b1"), False),  # numbers of different things
        (("first", "last"), False),
    ],
)
def test_steps_that_are_not_in_order_are_warned_of(steps, is_warned):
    known = dict(zip(steps, STEPS.values(), strict=False))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        eg.compare(known, measure=mean, against=steps[0])
    assert len(caught) == is_warned
    assert all(names(str(one.message), *map(str, _first_fall(steps))) for one in caught)


def test_names_that_were_not_compared():
    found = compared(0.0, 0.5, 1.0, pairs="neighbours")
    with pytest.raises(ValueError, match=naming("layer 1", "layer 3")):
        found.differs("layer 1", "layer 3")
    with pytest.raises(ValueError, match=naming("other", "layer 1")):
        found.interval("other")


def test_the_family_is_right_as_often_as_promised():
    """Of 200 families of six without a difference: one that is found makes a family wrong."""
    wrong = sum(bool(set(_different(seed))) for seed in range(200))
    assert wrong <= 20  # 10 are expected at most; more than 20 in one of a thousand tests


def _different(seed):
    found = eg.compare(shifted(*[0.0] * 4, seed=seed, n=20, is_exact=False), measure=mean)
    return [pair for pair in found.differences if found.differs(*pair)]


def test_the_level_says_what_differs():
    items = shifted(0.0, 0.025)
    (one,) = eg.compare(items, measure=mean).differences.values()
    assert 0.001 < one.p_value < 0.05
    assert eg.compare(items, measure=mean, level=0.95).differs("layer 1", "layer 2")
    assert not eg.compare(items, measure=mean, level=0.999).differs("layer 1", "layer 2")


def test_the_interval_of_each_is_over_other_samples():
    found = eg.compare(STEPS, measure=mean, level=0.9)
    rows = STEPS["layer 1"][:, 0]
    stats = pytest.importorskip("scipy.stats")
    expected = stats.ttest_1samp(rows, 0.0).confidence_interval(0.9)
    assert found.interval("layer 1") == pytest.approx(tuple(expected))
    assert found.errors["layer 1"] == (pytest.approx(rows.std(ddof=1) / np.sqrt(N)), N - 1)


def test_rows_for_pandas():
    found = eg.compare(STEPS, measure=mean)
    rows = found.to_rows()
    assert len(rows) == 10
    first = rows[0]
    assert (first["a"], first["b"]) == ("layer 1", "layer 2")
    assert first["p_corrected"] == found.p_values["layer 1", "layer 2"]
    assert first["low"] <= first["difference"] <= first["high"]
    pandas = pytest.importorskip("pandas")
    assert len(pandas.DataFrame(rows).columns) == len(first)


@pytest.mark.parametrize(
    "options", [{}, {"pairs": "neighbours"}, {"against": "layer 3"}], ids=["all", "next", "one"]
)
def test_it_prints_and_shows_all(options):
    found = eg.compare(STEPS, **options)
    for shown in (repr(found), found._repr_html_()):
        assert names(shown, "DSE", "bits", "paired", "200", "95 %", "Holm", *STEPS)
    assert all(line in repr(found) for line in found.sentences())


def test_markup_in_names_is_shown_as_it_is():
    found = eg.compare({"<b>": STEPS["layer 1"], "a & b": STEPS["layer 2"]}, measure=mean)
    assert "<b>" not in found._repr_html_()
    assert "&lt;b&gt;" in found._repr_html_()


def test_of_many_differences_the_surest_are_printed():
    rng = np.random.default_rng(0)
    many = {f"layer {k}": rng.normal(size=(30, 2)) + (k == 9) for k in range(10)}
    found = eg.compare(many, measure=mean)
    lines = [line for line in repr(found).splitlines() if line.startswith("layer")]
    assert len(lines) < 10 + len(found.differences)
    assert sum("layer 9" in line for line in lines[10:]) >= 9
    assert names(repr(found), "5 more", "to_rows")


def test_results_are_compared_several_at_once():
    labels = np.arange(N) % 2
    results = {name: eg.dsmi(Z, labels, n_null=3) for name, Z in STEPS.items()}
    found = eg.compare(results)
    assert found.results == results
    assert found.measure == "dsmi"


def test_a_comparison_can_be_sent():
    found = eg.compare(STEPS, measure="rankme")
    sent = pickle.loads(pickle.dumps(found))
    assert repr(sent) == repr(found)
    assert sent.ties() == found.ties()


def test_the_figure_has_a_line_for_each():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    found = eg.compare(STEPS, measure=mean)
    axes = found.plot(color="black")
    letters = ["a", "a", "a", "b", "b"]
    assert _names_on(axes) == [f"{name}  {one}" for name, one in zip(STEPS, letters, strict=True)]
    assert names(axes.get_xlabel(), "95 %", "letter")
    (bars,) = axes.containers
    ends = [segment[:, 0] for segment in bars[2][0].get_segments()]
    assert np.allclose(ends, [found.interval(name) for name in STEPS])
    assert axes.get_ylim() == (4.5, -0.5)  # the first one on top
    pyplot.close("all")


def _names_on(axes):
    return [text.get_text() for text in axes.get_yticklabels()]


@pytest.mark.parametrize(
    ("options", "marks", "word"),
    [
        ({"pairs": "neighbours"}, ["", "=", "=", "", "="], "above"),
        ({"against": "layer 2"}, ["=", "", "=", "", ""], "layer 2"),
    ],
)
def test_the_figure_marks_what_was_tested_and_does_not_differ(options, marks, word):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    axes = eg.compare(STEPS, measure=mean, **options).plot()
    expected = [f"{name}  {mark}".rstrip() for name, mark in zip(STEPS, marks, strict=True)]
    assert _names_on(axes) == expected
    assert names(axes.get_xlabel(), "=", word)
    pyplot.close("all")


def test_the_letters_of_the_figure_are_those_of_the_table():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    found = compared(0.0, 0.018, 0.036)
    assert [name.split()[-1] for name in _names_on(found.plot())] == ["a", "ab", "b"]
    pyplot.close("all")

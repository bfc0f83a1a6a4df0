"""Circles of models: one for each, its colour by family and its area by size."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import eigentropy as eg
from eigentropy.plot.ranking import LARGEST, PLAIN, SMALLEST, areas, scores
from messages import names, naming

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def ranking():
    rng, y = np.random.default_rng(0), np.arange(60) % 3
    models = {f"net {gap}": rng.normal(size=(60, 3)) + gap * np.eye(3)[y] for gap in range(4)}
    return eg.rank(
        models, y, scores=["logme", "knn_accuracy"], processes=1,
        accuracies={"net 0": 0.1, "net 1": 0.4, "net 3": 0.9},
        families={"net 0": "A", "net 1": "B", "net 2": "B", "net 3": "B"},
        sizes={"net 0": 1.0, "net 1": 50.0, "net 3": 100.0},
    )  # fmt: skip


def test_each_model_with_both_numbers_has_a_circle(ranking, ax):
    assert ranking.plot(ax=ax) is ax
    drawn = {tuple(point) for one in ax.collections[1:] for point in one.get_offsets().tolist()}
    known = dict(zip(ranking.models, ranking.values["logme"], strict=True))
    assert drawn == {(known[name], value) for name, value in ranking.accuracies.items()}
    assert names(ax.get_xlabel(), "logme", "95 %")
    assert ax.get_ylabel() == "accuracy"


def test_a_family_has_a_colour_and_a_name(ranking, ax):
    ranking.plot(ax=ax)
    # In the order of the table, in circles of one size.
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["B", "A"]
    assert [one.get_sizes().tolist() for one in ax.get_legend().legend_handles] == [[PLAIN]] * 2
    first, second = (one.get_facecolor()[0] for one in ax.collections[1:])
    assert not np.array_equal(first, second)


def test_a_family_keeps_its_colour_where_others_are_not_drawn(ax):
    for x in ([1.0, 2.0], [np.nan, 2.0]):
        scores(np.array(x), np.ones(2), names=("x", "y"), families=["A", "B"], ax=ax)
    both, alone = ax.collections[1], ax.collections[2]
    assert np.array_equal(both.get_facecolor(), alone.get_facecolor())


def test_models_have_names_that_cover_nothing(ranking, ax):
    ranking.plot(ax=ax)
    assert {text.get_text() for text in ax.texts} == set(ranking.accuracies)
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_where_there_is_no_room_the_best_model_has_its_name(ax):
    crowd = [f"a long name {number}" for number in range(40)]
    x = 1e-6 * np.arange(40.0)
    x[-1] = 1.0
    scores(x, np.ones(40), names=("x", "y"), models=crowd, ax=ax)
    named = [text.get_text() for text in ax.texts]
    assert crowd[0] in named
    assert len(named) < 10


def test_areas_are_in_proportion_to_sizes():
    assert areas([1.0, 50.0, 100.0, None], 4).tolist() == [SMALLEST, LARGEST / 2, LARGEST, PLAIN]
    assert areas([], 2).tolist() == [PLAIN, PLAIN]


def test_intervals_are_bars(ranking, ax):
    ranking.plot(ax=ax)
    (bars,) = ax.collections[0].get_segments()[:1]
    place = ranking.models.index("net 3")
    assert bars[1][0] - bars[0][0] == pytest.approx(
        2.0 * 1.959964 * ranking.errors["logme"][place], rel=1e-6
    )


def test_without_sampling_errors_no_axis_speaks_of_bars(ax):
    rng = np.random.default_rng(0)
    models = {name: rng.normal(size=(20, 2)) for name in "ab"}
    found = eg.rank(models, np.arange(20) % 2, scores=["logme", "rankme"], sampling=False)
    assert found.plot(against="rankme", ax=ax).get_xlabel() == "logme"


def test_a_score_is_drawn_against_any_other(ranking, ax):
    ranking.plot("knn_accuracy", "logme", ax=ax)
    assert names(ax.get_xlabel(), "knn_accuracy")
    assert ax.get_ylabel() == "logme"


def test_what_is_not_there_is_not_drawn(ranking):
    with pytest.raises(ValueError, match=naming("score", "logne", "logme")):
        ranking.plot("logne")
    with pytest.raises(ValueError, match=naming("against", "acuracy", "accuracy")):
        ranking.plot(against="acuracy")
    rng = np.random.default_rng(0)
    alone = eg.rank(
        {"a": rng.normal(size=(20, 2))}, np.arange(20) % 2, scores=["logme"], sampling=False
    )
    with pytest.raises(ValueError, match=naming("accuracies")):
        alone.plot()

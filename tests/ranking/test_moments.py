"""Each score of second moments is the function of the baselines of its name."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eigentropy.ranking.moments import FUNCTIONS, Moments, value_of
from eigentropy.ranking.scores import MOMENTS

SHAPES = [(60, 7), (60, 60), (30, 45), (40, 2)]


def rows_of(shape, seed=0):
    rng = np.random.default_rng(seed)
    codes = np.arange(shape[0]) % 3
    rows = rng.normal(size=shape) * np.linspace(1.0, 3.0, shape[1]) + 5.0 + codes[:, None]
    return rows / np.abs(rows).max(), codes


def test_both_have_the_same_scores():
    assert FUNCTIONS.keys() == MOMENTS.keys()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", list(MOMENTS))
def test_a_score_is_that_of_the_baselines(name, shape):
    rows, codes = rows_of(shape)
    assert value_of(name, Moments(rows, codes)) == pytest.approx(
        MOMENTS[name].value(rows, codes), rel=1e-9
    )


@pytest.mark.parametrize("name", ["logme", "rankme", "effective_rank", "h_score"])
def test_it_is_so_of_rows_in_few_directions(name):
    rows, codes = rows_of((50, 3))
    flat = np.concatenate([rows, rows @ np.ones((3, 4))], axis=1)
    flat /= np.abs(flat).max()
    assert value_of(name, Moments(flat, codes)) == pytest.approx(
        MOMENTS[name].value(flat, codes), rel=1e-6
    )


def test_rows_without_a_direction_have_no_self_clustering():
    rows, codes = rows_of((20, 4))
    assert math.isnan(value_of("self_clustering", Moments(np.zeros_like(rows), codes)))

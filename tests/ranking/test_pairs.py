"""Who is shown to be above whom, and the ranks that follow from it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eigentropy._measures.comparison.holm import holm
from eigentropy._measures.sampling.halves import DIVISIONS, MOST_ROWS, halves_of, one_by_one
from eigentropy._support.interval import student_p_value
from eigentropy.ranking.measured import random_subsets
from eigentropy.ranking.moves import Moves
from eigentropy.ranking.pairs import ranks_of, shown_above, tied_runs


def by_hits(hits):
    hits = np.asarray(hits, dtype=float)
    return Moves(hits.mean(axis=1), hits.shape[1], None, hits, None, np.zeros((len(hits), 2)))


def by_subsets(statistic, samples, seed=0):
    """The moves of a statistic of the rows of several samples of as many rows."""
    n = samples.shape[1]
    sets = random_subsets(n, seed)
    known = [[(statistic(one[rows]),) * 2 for rows in sets] for one in samples]
    values = np.array([statistic(one) for one in samples])
    subsets = np.reshape(known, (len(samples), DIVISIONS, 2, 2, 2))
    return Moves(values, n, subsets, None, None, np.zeros((len(samples), 2)))


def test_sampling_errors_are_those_of_halves():
    samples = np.random.default_rng(0).normal(size=(3, 40))
    moves = by_subsets(np.var, samples)
    for place, rows in enumerate(samples):
        alone = halves_of(
            np.var(rows), one_by_one(lambda chosen, _, r=rows: (np.var(r[chosen]),) * 2), 40, 0,
            most=MOST_ROWS,
        )  # fmt: skip
        assert moves.errors().standard[place] == pytest.approx(alone.standard_error)
        assert moves.errors().degrees[place] == pytest.approx(alone.degrees)


def test_a_difference_has_the_error_of_paired_halves():
    rng = np.random.default_rng(1)
    shared = rng.normal(size=50)
    samples = np.stack([shared, shared + 0.1 * rng.normal(size=50)])
    moves = by_subsets(np.mean, samples)
    found = moves.beside(0)
    exact = (samples[1] - samples[0]).std(ddof=1) / math.sqrt(50)
    assert found.standard[0] == 0.0
    assert found.standard[1] == pytest.approx(exact, rel=0.6)
    assert found.standard[1] < 0.3 * moves.errors().standard[1]


def test_hits_have_the_error_of_a_mean_of_differences():
    hits = np.random.default_rng(2).integers(0, 2, size=(2, 30))
    moves = by_hits(hits)
    assert moves.beside(1).standard[0] == pytest.approx(
        (hits[0] - hits[1]).std(ddof=1) / math.sqrt(30)
    )
    assert moves.beside(1).degrees[0] == pytest.approx(29)


def test_partitions_and_probes_add_to_the_error_of_a_difference():
    plain = by_hits([[0, 1] * 20, [0, 1, 1, 1] * 10])
    nulls = np.stack([np.zeros(20), np.arange(20.0)])
    noisy = Moves(
        plain.values, plain.n, None, plain.hits, nulls, np.array([[0.3, 0.0], [0.4, 0.0]])
    )
    parts = plain.beside(0).standard[1], nulls[1].std(ddof=1) / math.sqrt(20), 0.5
    assert noisy.beside(0).standard[1] == pytest.approx(math.hypot(*parts))


def test_what_is_shown_is_what_holm_leaves_of_all_ordered_pairs():
    rng = np.random.default_rng(3)
    hits = (rng.random(size=(5, 80)) < np.array([[0.2], [0.3], [0.5], [0.7], [0.75]])).astype(float)
    moves = by_hits(hits)
    pairs = [(a, b) for a in range(5) for b in range(5) if a != b]
    p = []
    for a, b in pairs:
        difference = hits[a] - hits[b]
        t = difference.mean() / (difference.std(ddof=1) / math.sqrt(80))
        tail = 0.5 * student_p_value(abs(t), 79)
        p.append(tail if t > 0 else 1.0 - tail)
    expected = {pair for pair, one in zip(pairs, holm(p), strict=True) if one <= 0.05}
    above = shown_above(moves, 0.95)
    assert {(int(a), int(b)) for a, b in np.argwhere(above)} == expected
    assert 0 < len(expected) < 10


def test_equal_values_are_never_told_apart():
    hits = np.array([[1.0, 0.0] * 20, [0.0, 1.0] * 20, [1.0, 1.0] * 20])
    above = shown_above(by_hits(hits), 0.95)
    assert not above[0, 1]
    assert not above[1, 0]
    assert above[2, 0]
    assert above[2, 1]


def test_rounding_is_no_difference():
    hits = np.array([[1.0, 0.0] * 20, [1.0, 0.0] * 20])
    hits[0] += 1e-14
    assert not shown_above(by_hits(hits), 0.95).any()
    bound = Moves(np.array([0.1, 0.2]), 40, None, hits, None, np.array([[0.0, 0.06], [0.0, 0.06]]))
    assert not shown_above(bound, 0.95).any()


def test_a_value_without_a_sampling_error_is_not_told_apart():
    rows = np.random.default_rng(4).normal(size=(3, 40))
    moves = by_subsets(np.mean, rows + np.array([[0.0], [9.0], [90.0]]))
    moves.subsets[1] = math.nan
    above = shown_above(moves, 0.95)
    assert above[2, 0]
    assert not above[1].any()
    assert not above[:, 1].any()


def test_ranks_of_equal_values_are_equal():
    values = np.array([0.5, 0.9, 0.5, 0.1])
    above = np.zeros((4, 4), dtype=bool)
    above[1, 3] = above[0, 3] = True
    found = ranks_of(values, above)
    assert found.rank.tolist() == [2, 1, 2, 4]
    assert found.low.tolist() == [1, 1, 1, 3]
    assert found.high.tolist() == [3, 3, 4, 4]


def test_runs_are_the_longest_without_a_pair_told_apart():
    values = np.array([1.0, 4.0, 3.0, 2.0])
    above = np.zeros((4, 4), dtype=bool)
    above[1, 0] = above[1, 3] = True
    assert tied_runs(values, above) == [(1, 2), (2, 3, 0)]
    assert tied_runs(np.array([]), np.zeros((0, 0), dtype=bool)) == []
    assert tied_runs(values, ~np.eye(4, dtype=bool)) == [(1,), (2,), (3,), (0,)]


def covers(moves, true_values):
    ranks = ranks_of(true_values, np.zeros((len(true_values),) * 2, dtype=bool)).rank
    found = ranks_of(moves.values, shown_above(moves, 0.95))
    return bool(((found.low <= ranks) & (ranks <= found.high)).all())


def test_intervals_hold_all_true_ranks_at_once_as_often_as_they_say():
    """Of hits, in 400 samples: at most 5 % miss; 8 % is 2.7 standard deviations above."""
    rng = np.random.default_rng(5)
    true = np.array([0.9, 0.85, 0.85, 0.7, 0.5, 0.45])
    draws = rng.random(size=(400, 1, 60)) * 0.5 + rng.random(size=(400, 6, 60)) * 0.5
    # The mean of two uniform numbers is below x in this share of the draws.
    share = np.where(true < 0.5, np.sqrt(true / 2.0), 1.0 - np.sqrt((1.0 - true) / 2.0))
    hits = (draws < share[:, None]).astype(float)
    found = [by_hits(one) for one in hits]
    assert np.mean([covers(one, true) for one in found]) >= 0.92
    assert np.mean([shown_above(one, 0.95).sum() for one in found]) > 3  # they say something


def test_intervals_by_subsets_hold_all_true_ranks_at_once():
    """The same of variances, whose errors come from halves; 150 samples, 0.95 - 3 sd = 0.90."""
    rng = np.random.default_rng(6)
    true = np.array([1.0, 1.0, 1.3, 2.0])
    found = []
    for _ in range(150):
        rows = (rng.normal(size=(1, 100)) + rng.normal(size=(4, 100))) / math.sqrt(2.0)
        found.append(by_subsets(np.var, rows * np.sqrt(true)[:, None]))
    assert np.mean([covers(one, true) for one in found]) >= 0.90
    assert np.mean([shown_above(one, 0.95).sum() for one in found]) > 0.5


def test_the_error_of_a_difference_is_not_below_that_of_its_value():
    """It is too large by up to 7/3 in its square, and has more degrees of freedom for that."""
    samples = np.random.default_rng(7).normal(size=(6, 40))
    samples[0] = 0.0  # whose values are all 0: a difference from it is the value
    moves = by_subsets(lambda rows: np.abs(rows).max(), samples)
    own, beside = moves.errors(), moves.beside(0)
    ratio = (beside.standard[1:] / own.standard[1:]) ** 2
    assert (ratio >= 1.0).all()
    assert (ratio <= 7.0 / 3.0 + 1e-9).all()
    assert (beside.degrees[1:] >= own.degrees[1:]).all()
    assert (beside.degrees[1:] >= 5.0).all()

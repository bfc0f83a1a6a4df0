"""Which rows meet on which rank."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eigentropy.distributed.centering import TILE
from eigentropy.distributed.ring import meeting, pieces

COUNTS = st.lists(st.integers(1, 500), min_size=1, max_size=7)


@settings(deadline=None, max_examples=50)
@given(COUNTS)
def test_every_two_rows_of_different_ranks_meet_once(counts):
    first = np.cumsum([0, *counts])
    met = np.zeros((first[-1], first[-1]), np.int8)
    for rank in range(len(counts)):
        for step in range(1, len(counts) // 2 + 1):
            peer, own, theirs = meeting(counts, rank, step)
            mine, other = first[rank] + np.array(own), first[peer] + np.array(theirs)
            met[slice(*mine), slice(*other)] += 1
    met += met.T
    same = np.repeat(np.arange(len(counts)), counts)
    assert np.array_equal(met, same[:, None] != same[None, :])


@given(COUNTS)
def test_what_meets_begins_where_a_tile_begins(counts):
    for rank in range(len(counts)):
        for step in range(1, len(counts) // 2 + 1):
            _, own, theirs = meeting(counts, rank, step)
            assert own.begin % TILE == 0 or own.rows == 0
            assert theirs.begin % TILE == 0 or theirs.rows == 0


@given(st.integers(1, 50).map(lambda tiles: tiles * TILE))
def test_ranks_of_equal_rows_have_equal_work_but_for_a_tile(count):
    for size in (2, 3, 4, 7):
        counts = [count] * size
        work = [
            sum(
                one.own.rows * one.theirs.rows
                for one in (meeting(counts, rank, step) for step in range(1, size // 2 + 1))
            )
            for rank in range(size)
        ]
        assert max(work) - min(work) <= 2 * TILE * count


@given(st.integers(0, 20_000), st.sampled_from(["float32", "float64"]), st.integers(1, 10**6))
def test_pieces_are_all_rows_in_whole_tiles(n, dtype, d):
    cut = pieces(meeting([n + 1, n + 1], 0, 1).theirs, d, dtype)
    assert [one.begin for one in cut[1:]] == [one.end for one in cut[:-1]]
    assert all(one.begin % TILE == 0 for one in cut)

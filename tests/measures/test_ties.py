"""Who does not differ: largest groups of all pairs, runs of neighbours, and their letters."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eigentropy._measures.comparison.ties import groups, letter, letters, runs


def groups_of(count, *tied):
    return groups(count, lambda a, b: (a, b) in tied)


@pytest.mark.parametrize(
    ("count", "tied", "found"),
    [
        (0, [], []),
        (1, [], [(0,)]),
        (2, [], [(0,), (1,)]),
        (2, [(0, 1)], [(0, 1)]),
        (3, [(0, 1), (1, 2)], [(0, 1), (1, 2)]),  # not transitive
        (3, [(0, 1), (0, 2), (1, 2)], [(0, 1, 2)]),
        (4, [(0, 1), (1, 2), (2, 3), (0, 3)], [(0, 1), (0, 3), (1, 2), (2, 3)]),
        (4, [(0, 3)], [(0, 3), (1,), (2,)]),
    ],
)
def test_groups_by_hand(count, tied, found):
    assert groups_of(count, *tied) == found


GRAPHS = st.integers(0, 7).flatmap(
    lambda count: st.tuples(
        st.just(count),
        st.sets(st.sampled_from([(0, 0), *combinations(range(count), 2)])).map(
            lambda edges: edges - {(0, 0)}
        ),
    )
)


@given(GRAPHS)
def test_two_are_tied_exactly_if_a_group_has_both(graph):
    count, tied = graph
    found = groups_of(count, *tied)
    together = {pair for group in found for pair in combinations(group, 2)}
    assert together == tied
    assert {one for group in found for one in group} == set(range(count))


@given(GRAPHS)
def test_no_group_is_part_of_another_one(graph):
    found = [set(group) for group in groups_of(graph[0], *graph[1])]
    assert not any(one <= other for one in found for other in found if one is not other)


@given(GRAPHS)
def test_who_shares_a_letter_does_not_differ(graph):
    count, tied = graph
    marks = letters(groups_of(count, *tied), count)
    shared = {(a, b) for a, b in combinations(range(count), 2) if set(marks[a]) & set(marks[b])}
    assert shared == tied


def test_letters_do_not_end():
    assert [letter(0), letter(25), letter(26)] == ["a", "z", "(26)"]


@pytest.mark.parametrize(
    ("tied", "found"),
    [
        ([], [(0,)]),
        ([True], [(0, 1)]),
        ([False], [(0,), (1,)]),
        ([True, True, False, True], [(0, 1, 2), (3, 4)]),
        ([False, True, False], [(0,), (1, 2), (3,)]),
    ],
)
def test_runs_by_hand(tied, found):
    assert runs(tied) == found


def test_forty_that_are_ordered_are_quick():
    """Values on a line, tied where they are near: as many groups as places, at most."""
    found = groups(40, lambda a, b: b - a <= 5)
    assert found == [tuple(range(start, start + 6)) for start in range(35)]

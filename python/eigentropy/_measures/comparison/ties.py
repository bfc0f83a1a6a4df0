"""Which of several do not differ: groups of all pairs, and runs of neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

Group = tuple[int, ...]


def groups(count: int, are_tied: Callable[[int, int], bool]) -> list[Group]:
    """The largest groups of which no two differ, in ascending order; one alone is a group, too.

    "Does not differ" is not transitive: a and b may be tied, b and c may, and a and c may not. Then
    there are two groups, {a, b} and {b, c}. Two are tied exactly if some group has both, so that
    nothing is lost: these are the letters of a compact letter display, and the maximal cliques of
    the graph of ties, found as by Bron and Kerbosch (1973) with a pivot.
    """
    tied = [
        frozenset(
            other for other in range(count) if other != one and are_tied(*sorted((one, other)))
        )
        for one in range(count)
    ]

    def extended(
        group: frozenset[int], more: frozenset[int], done: frozenset[int]
    ) -> Iterator[Group]:
        if not more and not done:
            yield tuple(sorted(group))
            return
        pivot = max(more | done, key=lambda one: (len(tied[one] & more), -one))
        for one in sorted(more - tied[pivot]):
            yield from extended(group | {one}, more & tied[one], done & tied[one])
            more, done = more - {one}, done | {one}

    return sorted(extended(frozenset(), frozenset(range(count)), frozenset())) if count else []


def runs(are_tied: Sequence[bool]) -> list[Group]:
    """The longest runs of neighbours that are tied; `are_tied` has each one with the next."""
    found = [[0]]
    for number, is_tied in enumerate(are_tied, start=1):
        if is_tied:
            found[-1].append(number)
        else:
            found.append([number])
    return [tuple(run) for run in found]


def letters(several: Sequence[Group], count: int) -> list[str]:
    """For each the letters of the groups that it is in: who shares a letter does not differ."""
    return [
        "".join(letter(number) for number, group in enumerate(several) if one in group)
        for one in range(count)
    ]


def letter(number: int) -> str:
    """The letters of the alphabet, and then (26), (27) ..."""
    return chr(ord("a") + number) if number < 26 else f"({number})"

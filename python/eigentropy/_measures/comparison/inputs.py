"""What a caller hands to `compare`: names, pairs of them, labels, and numbers of rows."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, pairwise
from numbers import Real
from typing import Any, ParamSpec, TypeVar

from eigentropy._measures.comparison.items import Item
from eigentropy._measures.comparison.several import Name, Pair
from eigentropy._support.options import one_of
from eigentropy._support.warnings import warn

PAIRS = ("all", "neighbours")

FORMS = (
    "pass two representations, compare(a, b), or several with their names, "
    "compare({'layer 1': Z1, 'layer 2': Z2, ...})"
)

P = ParamSpec("P")
R = TypeVar("R")


def two_at_most(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate `compare`: more representations than two need names, which Python does not say."""

    @functools.wraps(function)
    def checked(*args: P.args, **options: P.kwargs) -> R:
        if len(args) > 2:
            raise TypeError(f"compare got {len(args)} representations without names: {FORMS}")
        return function(*args, **options)

    return checked


def named_items(a: Any) -> dict[Name, Any]:
    """What is compared, by name."""
    pairs = list(a.items()) if isinstance(a, Mapping) else a
    if not isinstance(a, Mapping) and not _are_named(a):
        raise TypeError(f"b is missing: {FORMS}; got {type(a).__name__}")
    names = [name for name, _ in pairs]
    if len(names) < 2:
        raise ValueError(f"a has {len(names)} to compare: at least 2 are needed")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"a has the name {twice!r} twice: every name must be another one")
    return dict(pairs)


def _are_named(a: Any) -> bool:
    return (
        isinstance(a, Sequence)
        and not isinstance(a, str)
        and all(isinstance(one, tuple) and len(one) == 2 and isinstance(one[0], Name) for one in a)
    )


def wanted_pairs(names: list[Name], pairs: str, against: Name | None) -> list[Pair]:
    """The pairs that are compared."""
    one_of(pairs, "pairs", PAIRS)
    if against is None:
        return list(combinations(names, 2) if pairs == "all" else pairwise(names))
    if pairs != "all":
        raise ValueError("pairs and against exclude each other: pass one of them")
    if against not in names:
        raise ValueError(f"against must be one of the names {names}, got {against!r}")
    return [(against, name) for name in names if name != against]


def check_rows(counts: dict[Name, int], paired: bool | None) -> None:
    """Refuse other numbers of rows as pairs, before anything is measured."""
    if paired and len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} has {count} rows" for name, count in counts.items())
        raise ValueError(
            f"paired=True, but {listed}: paired are the same rows in the same order; "
            "paired=False compares samples of different rows"
        )


def warn_of_order(names: list[Name]) -> None:
    """Of steps of a training: whether their numbers ascend, as far as the names have any.

    A shell, and `sorted`, put epoch10 before epoch2.
    """
    texts, numbers = zip(*map(_taken_apart, names), strict=True)
    for (one, mine), (other, its) in pairwise(zip(names, numbers, strict=True)):
        if len(set(texts)) == 1 and mine > its:
            warn(
                f"{one} comes before {other}: with against=, the order in which the names are "
                "given is taken for that of time, as for changed_at. Give them in the order of "
                "their numbers"
            )
            return


def _taken_apart(name: Name) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The texts of a name, and the whole numbers between them."""
    if isinstance(name, Real):
        return (), (float(name),)
    parts = re.split(r"([0-9]+)", str(name))
    return tuple(parts[::2]), tuple(int(one) for one in parts[1::2])


def labels_of(Y: Any, names: list[Name]) -> dict[Name, Any]:
    """Y of each."""
    if isinstance(Y, Mapping):
        missing = [name for name in names if name not in Y]
        if missing:
            raise ValueError(f"Y has nothing for {missing[0]!r}: it needs {names}")
        return {name: Y[name] for name in names}
    if isinstance(Y, tuple) and len(Y) == len(names) == 2:
        return dict(zip(names, Y, strict=True))
    return dict.fromkeys(names, Y)


def warn_of_sizes(items: dict[Name, Item]) -> None:
    """Of different numbers of rows, which make measures differ."""
    sizes = {item.n for item in items.values()}
    if len(sizes) > 1:
        listed = ", ".join(f"{name} has {item.n}" for name, item in items.items())
        warn(
            f"the numbers of rows differ ({listed}), and most measures depend on it: the "
            f"differences are partly of that. Pass max_points={min(sizes)} for equal numbers"
        )

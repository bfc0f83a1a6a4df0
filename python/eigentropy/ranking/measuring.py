"""All scores of the rows of one model, those that share work together."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import Matrix
from eigentropy._core import SolverError
from eigentropy._kernels.groups import Codes, groups_of_rows
from eigentropy._support.warnings import recorded_warnings
from eigentropy.baselines import probes
from eigentropy.ranking.kernel_scores import FAMILIES, Found, kernel_scores
from eigentropy.ranking.moments import Moments, value_of
from eigentropy.ranking.scores import MOMENTS, PROBES, ScoreFunction, setting_of

Doubles = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Measure = Callable[[], Mapping[str, Found]]

# What a score raises where it is not defined, or cannot be computed, for the rows of one model.
UNDEFINED = (ValueError, SolverError, ArithmeticError, MemoryError, ImportError)


def measure(
    rows: Matrix,
    codes: Codes,
    names: Sequence[str],
    options: Mapping[str, Any],
    seed: int,
    sets: Sequence[Numbers],
) -> tuple[dict[str, Found], dict[str, float]]:
    """Each score, and the seconds that it took; scores that share work count with the first."""
    found: dict[str, Found] = {}
    seconds = {}
    for group, together in _groups(rows, codes, names, options, seed, sets):
        start = time.perf_counter()
        found |= _attempt(group, together)
        seconds[group[0]] = time.perf_counter() - start
    return found, seconds


def _groups(
    rows: Matrix,
    codes: Codes,
    names: Sequence[str],
    options: Mapping[str, Any],
    seed: int,
    sets: Sequence[Numbers],
) -> Iterator[tuple[Sequence[str], Measure]]:
    """The names of what is measured together, and how."""
    left = list(names)
    for known, family in FAMILIES.items():
        if wanted := [name for name in names if name in known]:
            yield wanted, partial(kernel_scores, family, rows, codes, wanted, options, seed, sets)
            left = [name for name in left if name not in wanted]
    if wanted := [name for name in names if name in MOMENTS]:
        yield wanted, partial(_of_moments, wanted, rows, codes, sets)
        left = [name for name in left if name not in wanted]
    for name in left:
        if name in PROBES:
            yield [name], partial(_probe, name, rows, codes, options, seed, sets)
        else:
            yield [name], partial(_other, name, rows, codes, sets)


def _attempt(names: Sequence[str], together: Measure) -> dict[str, Found]:
    """What is found, or the reason why there is nothing, which no other score suffers from."""
    try:
        with recorded_warnings():
            return dict(together())
    except UNDEFINED as error:
        reason = str(error) or type(error).__name__
        return {name: Found(math.nan, note=reason) for name in names}


def _probe(
    name: str,
    rows: Matrix,
    codes: Codes,
    options: Mapping[str, Any],
    seed: int,
    sets: Sequence[Numbers],
) -> dict[str, Found]:
    """The accuracy of `eigentropy.baselines.probes`, and how right it is for each row.

    Rows that share neighbours are not right or wrong independently: of neighbours the subsets of
    the rows say how the accuracy moves, where these have enough rows.
    """
    if name == "knn_accuracy":
        k = options.get("k", 5)
        if k >= len(rows):
            raise ValueError(f"k must be less than the number of rows, got k={k}, {len(rows)} rows")
        if (rows == rows[0]).all():
            raise ValueError("all rows are equal, so that no row has a nearest one")
        if not sets or k >= min(map(len, sets)):
            hits = probes.neighbour_hits(rows, codes, k)
            return {name: Found(float(hits.mean()), hits=hits)}
        value, *moved = probes.accuracies_of_subsets(rows, codes, k, [np.arange(len(rows)), *sets])
        return {name: Found(float(value), subsets=np.array(moved))}
    folds, smallest = options.get("folds", 5), int(np.bincount(codes).min())
    if smallest < folds:
        raise ValueError(f"a class has {smallest} rows, and folds={folds} need as many: pass fewer")
    accuracies, hits = probes.linear_hits(rows, codes, folds, seed)
    return {name: Found(float(accuracies.mean()), hits=hits)}


def _of_moments(
    names: Sequence[str], rows: Matrix, codes: Codes, sets: Sequence[Numbers]
) -> dict[str, Found]:
    found: dict[str, Found] = {}
    for name in names:
        found |= _attempt([name], partial(_value, name, MOMENTS[name], rows, codes))
    known = [name for name in names if math.isfinite(found[name].value)]
    if not sets or not known:
        return found
    scaled = rows.astype(np.float64)
    scaled /= float(np.abs(scaled).max()) or 1.0
    values = np.array([_moments_of(known, scaled, codes, one) for one in sets])
    moved = {name: replace(found[name], subsets=v) for name, v in zip(known, values.T, strict=True)}
    return {**found, **moved}


def _moments_of(names: Sequence[str], rows: Doubles, codes: Codes, chosen: Numbers) -> list[float]:
    shared = Moments(rows[chosen], groups_of_rows(codes, chosen))
    return [value_of(name, shared) for name in names]


def _value(name: str, setting: ScoreFunction, rows: Matrix, codes: Codes) -> dict[str, Found]:
    return {name: Found(setting.value(rows, codes))}


def _other(name: str, rows: Matrix, codes: Codes, sets: Sequence[Numbers]) -> dict[str, Found]:
    """Any other function of `eigentropy.baselines`."""
    setting = setting_of(name)
    found = Found(setting.value(rows, codes))
    if sets:
        known = [
            _attempt([name], partial(_value, name, setting, rows[one], codes[one])) for one in sets
        ]
        found = replace(found, subsets=np.array([one[name].value for one in known]))
    return {name: found}

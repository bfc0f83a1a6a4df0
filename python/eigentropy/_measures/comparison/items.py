"""One of the representations that are compared: its value, and how that moves with its rows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import as_numpy, opened_array
from eigentropy._backends.rows import sample_rows
from eigentropy._measures.comparison.several import Name
from eigentropy._measures.operator import DiffusionOperator
from eigentropy._measures.results import Entropy, MutualInformation
from eigentropy._measures.sampling.halves import variation_of
from eigentropy._measures.sampling.measures import Measure
from eigentropy._measures.sampling.variation import Variation
from eigentropy._support.number import Number

# What rounding in float64 may change of a value, as a share of it: an order above the bounds that
# entropies of 300 .. 2000 rows have.
ROUNDING = 1e-11

Errors = list[tuple[float, float]]


@dataclass(frozen=True)
class Item:
    """A value with what a difference from it needs.

    Attributes
    ----------
    name : str or int
    result : Any
        What the measure returned.
    value : float
        The number that is compared: the result itself, or its adjusted form or bits.
    variation : Variation
    n : int
        Rows that were measured.
    drawn : tuple
        How `max_points` drew the rows, equal for equal rows; empty where all were measured.
    """

    name: Name
    result: Any
    value: float
    variation: Variation
    n: int
    drawn: tuple[Any, ...]

    @property
    def error(self) -> tuple[float, float]:
        """The sampling error of the value, and its degrees of freedom."""
        return self.variation.standard_error, self.variation.degrees

    @property
    def scale(self) -> float:
        """From the result to the form of it that is compared."""
        whole = float(self.result)
        return self.value / whole if whole != 0.0 and math.isfinite(whole) else 1.0

    @property
    def rounding(self) -> float:
        """What rounding, or a factor of low rank, may have changed of the value."""
        bound = float(getattr(self.result, "error_bound", 0.0))
        known = 0.0 if math.isnan(bound) else bound * abs(self.scale)
        return max(known, ROUNDING * abs(self.value))

    @property
    def errors(self) -> Errors:
        """Of the random numbers of the computation but null partitions, each with its degrees."""
        result = self.result
        if isinstance(result, MutualInformation):
            parts = result.error_parts[1:] if _has_null(result) else result.error_parts
        elif isinstance(result, Entropy):
            parts = ((result.standard_error, result.spectrum.degrees),)
        else:
            error = float(getattr(result, "standard_error", math.nan))
            parts = () if math.isnan(error) else ((error, math.inf),)
        return [(error * abs(self.scale), degrees) for error, degrees in parts]

    @property
    def null(self) -> npt.NDArray[np.float64]:
        """The value of each null partition, where these are the baseline; otherwise empty."""
        result = self.result
        if isinstance(result, MutualInformation) and _has_null(result):
            return result.null * self.scale
        return np.zeros(0)


def _has_null(result: MutualInformation) -> bool:
    return result.estimator == "matched" and result.n_null > 1


def computation_errors(a: Item, b: Item) -> Errors:
    """Of the difference of two values, over other random numbers of their computation.

    The partitions of both are taken as pairs: those of the same rows and labels are the same.
    """
    if len(a.null) == len(b.null):
        nulls = [b.null - a.null] if len(a.null) else []
    else:
        nulls = [one.null for one in (a, b) if len(one.null)]
    of_nulls = [(float(null.std(ddof=1)) / math.sqrt(len(null)), len(null) - 1.0) for null in nulls]
    return [*of_nulls, *a.errors, *b.errors]


@contextmanager
def named(name: Name) -> Iterator[None]:
    """Say of which item an error is: messages of the measures call every one Z."""
    try:
        yield
    except (ValueError, TypeError) as error:
        if type(error) not in (ValueError, TypeError):
            raise
        raise type(error)(f"{name}: {error}") from error


def row_count(name: Name, Z: Any) -> int:
    """How many rows there are before any are left out."""
    if isinstance(Z, DiffusionOperator):
        return Z.n
    with named(name):
        shape = opened_array(Z).shape
        if not shape:
            raise ValueError("Z must have one row a sample, got a scalar")
    return int(shape[0])


def rows_of_result(result: Any) -> int:
    """How many rows a result is of, before any were left out."""
    drawn_from = getattr(result, "sampled_from", None)
    return int(result.n if drawn_from is None else drawn_from)


def of_array(
    name: Name, Z: Any, Y: Any, measure: Measure, max_points: int | None, seed: int
) -> Item:
    """The item of a representation."""
    rows, numbers, drawn_from = sample_rows(Z, max_points, seed, square=measure.is_square)
    if numbers is not None and drawn_from is not None:
        measure = measure.of_rows(numbers, drawn_from)
        Y = None if Y is None else as_numpy(Y, "Y")[numbers]
    known = () if Y is None else (Y,)
    result = measure.function(rows, *known, **measure.options)
    value = float(getattr(result, measure.form)() if measure.form else result)
    _require_number(value, result, measure)
    moved = own_variation(result, measure.form)
    if moved is None:
        moved = variation_of(measure, rows, Y, seed=seed)
    return _item(name, result, value, moved, (drawn_from, seed) if drawn_from else ())


def of_result(name: Name, result: Number, form: str) -> Item:
    """The item of what a measure has returned before."""
    moved = own_variation(result, form)
    if moved is None:
        raise ValueError(
            f"a {type(result).__name__} does not keep the rows that it is of: pass the rows, and "
            "the measure by its name or as a function"
        )
    value = float(getattr(result, form)() if form else result)
    return _item(name, result, value, moved, drawn(result))


def drawn(result: Any) -> tuple[Any, ...]:
    """How the rows of a result were drawn by `max_points`; empty where they are all."""
    if getattr(result, "sampled_from", None) is not None:
        return result.sampled_from, result.seed
    rows = getattr(result, "rows", None)
    return () if rows is None else (rows.tobytes(),)


def own_variation(result: Any, form: str) -> Variation | None:
    """How a result says that it moves with its rows; None for a result that cannot say it."""
    variation = getattr(result, "_variation", None)
    if variation is None:
        return None
    found: Variation = variation(form) if form else variation()
    return found


def _item(
    name: Name, result: Any, value: float, moved: Variation, how_drawn: tuple[Any, ...]
) -> Item:
    if not math.isfinite(moved.standard_error):
        raise ValueError(f"there is no sampling error{f': {moved.note}' if moved.note else ''}")
    return Item(name, result, value, moved, moved.n, how_drawn)


def _require_number(value: float, result: Any, measure: Measure) -> None:
    if not math.isfinite(value):
        note = result.adjusted_note() if measure.form else ""
        raise ValueError(f"{measure.name} is {value}{f': {note}' if note else ''}")

"""The value on subsets of growing size: disjoint ones, so that their spread is a sampling error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eigentropy._measures.sampling.variation import Variation
from eigentropy._support.progress import Callback

# Subsets of one size in each half of an order of the rows: more small ones only cost time.
MOST_IN_HALF = 8

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SizeCurve:
    """Means over subsets, by their size.

    The rows are put into random orders, and each order is cut in two halves. A subset of at most
    n / 2 rows lies in one half. So the subsets of one order are disjoint, that is independent
    samples, and the halves are two independent copies of the whole curve.

    Attributes
    ----------
    sizes : array of int, ascending
    values : array
    errors : array
        Standard deviation over disjoint subsets: of one sample of that many rows.
    degrees : array
        Degrees of freedom of `errors`.
    halves : array of shape (repeats, 2, number of sizes up to n / 2)
        The mean in each half of each order.
    counts : array of int
        Subsets of each size in an order.
    n : int
        Number of all rows.
    all_rows : Variation or None
        How the value of all rows moves with them, where that was measured.

    `errors`, `degrees` and `halves` are of the sizes up to n / 2: larger subsets overlap.
    """

    sizes: npt.NDArray[np.int64]
    values: Doubles
    errors: Doubles
    degrees: Doubles
    halves: Doubles
    counts: npt.NDArray[np.int64]
    n: int
    all_rows: Variation | None = None

    @classmethod
    def of(
        cls,
        sizes: npt.NDArray[np.int64],
        small: list[Doubles],
        large: list[float],
        n: int,
        all_rows: Variation | None = None,
    ) -> SizeCurve:
        """From the values of the disjoint subsets, each (repeats, 2, count), and of larger ones."""
        repeats = len(small[0])
        in_order = [one.reshape(repeats, -1) for one in small]
        counts = np.array([one.shape[1] for one in in_order] + [1] * len(large))
        return cls(
            sizes=sizes,
            values=np.array([one.mean() for one in in_order] + large),
            errors=np.sqrt([one.var(axis=1, ddof=1).mean() for one in in_order]),
            degrees=repeats * (counts[: len(small)] - 1.0),
            halves=np.stack([one.mean(axis=2) for one in small], axis=2),
            counts=counts,
            n=n,
            all_rows=all_rows,
        )

    @property
    def repeats(self) -> int:
        """Number of random orders."""
        return len(self.halves)


def measured_subsets(
    measure: Callable[[npt.NDArray[np.int64]], Doubles],
    sizes: npt.NDArray[np.int64],
    n: int,
    repeats: int,
    seed: int,
    report: Callback | None = None,
) -> tuple[list[Doubles], list[Doubles]]:
    """What `measure` gives of the rows of each subset.

    Returns
    -------
    small : list of arrays of shape (repeats, 2, count, ...)
        Of the sizes up to n / 2.
    large : list of arrays of shape (...)
        The means over larger subsets, one of each order.
    """
    orders = [np.random.default_rng([seed, number]).permutation(n) for number in range(repeats)]
    subsets = [_subsets(orders, size) for size in sizes.tolist()]
    total = sum(len(some) * size**2.0 for some, size in zip(subsets, sizes.tolist(), strict=True))
    done = 0.0
    found = []
    for some, size in zip(subsets, sizes.tolist(), strict=True):
        values = []
        for numbers in some:
            values.append(measure(numbers))
            done += size**2.0
            if report is not None:
                report(done / total)
        found.append(np.array(values))
    number = int(np.searchsorted(sizes, n // 2, side="right"))
    small = [values.reshape(repeats, 2, -1, *values.shape[1:]) for values in found[:number]]
    return small, [values.mean(axis=0) for values in found[number:]]


def _subsets(orders: Sequence[npt.NDArray[np.int64]], size: int) -> list[npt.NDArray[np.int64]]:
    """Those of one size: disjoint ones of each half of each order, or the start of each order."""
    n = len(orders[0])
    half = n // 2
    if size > half:
        return [order[:size] for order in (orders if size < n else orders[:1])]
    count = min(half // size, MOST_IN_HALF)
    starts = [start + size * number for start in (0, half) for number in range(count)]
    return [order[start : start + size] for order in orders for start in starts]

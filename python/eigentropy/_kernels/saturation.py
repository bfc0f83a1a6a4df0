"""Whether the width of the kernel fits the rows at all."""

from __future__ import annotations

import math
from collections.abc import Callable

from eigentropy._support.warnings import SaturationWarning, warn

# A row that gives all others less weight than this sees none of them.
LEAST_WEIGHT = 0.01

# A mean entry of the kernel above this sees all rows alike.
MOST_LIKENESS = 0.99

# The mean entry of equal rows is 1, but for rounding.
EQUAL = 1.0 - 1e-12

# An entropy within this share of log n, or of 0, is at an end of its range.
AT_AN_END = 0.01

# Near log n, sigma is not to blame where a row gives all others more weight than itself: in many
# dimensions rows are as good as orthogonal. Nor where sigma is at least this share of what
# sigma="auto" takes, as for a few rows of ordinary data.
OWN_WEIGHT = 1.0
SHARE_OF_AUTO = 0.8


def warn_if_alone(
    others: float, share: Callable[[], float], sigma: float, auto: Callable[[], float]
) -> None:
    """Warn where sigma is so small that the entropy counts every row as a cluster of its own.

    Parameters
    ----------
    others : float
        The weight that a row gives all others together. Below `LEAST_WEIGHT` `warn_if_saturated`
        has warned.
    share : callable
        The entropy over its maximum, at t = 1 or above: at small t every spectrum looks flat.
    sigma : float
    auto : callable
        The sigma that "auto" takes. Called, as `share` is, only where it decides.
    """
    if math.isnan(sigma) or not LEAST_WEIGHT <= others < OWN_WEIGHT:
        return
    reached = share()
    if reached > 1.0 - AT_AN_END and sigma < SHARE_OF_AUTO * (suggested := auto()):
        warn(
            f"sigma={sigma:.4g} is so small that the entropy is {100.0 * reached:.1f} % of its "
            "maximum log n: each row counts as a cluster of its own, and the entropy says little "
            f"about the data; use sigma='auto', which takes {suggested:.4g} here, or a larger one",
            SaturationWarning,
        )


def warn_if_saturated(
    n: int,
    kernel_sum: float,
    sigma: float,
    pairs: float | None = None,
    names: tuple[str, str] = ("Z", "sigma"),
) -> bool:
    """Warn where the kernel joins no rows or all of them alike, and say whether it does.

    A kernel without a width, whose sigma is NaN, is not judged.

    Parameters
    ----------
    n : int
        Number of rows.
    kernel_sum : float
        Sum of the entries of G, the n ones of its diagonal included.
    sigma : float
    pairs : float, optional
        Number of entries beside the diagonal that were summed: n (n - 1), unless G is one of groups
        of rows.
    names : (str, str)
        What the caller calls the rows, and their sigma.
    """
    rows, own = names
    if math.isnan(sigma):
        return False
    beside = kernel_sum - n
    pairs = float(n) * (n - 1) if pairs is None else pairs
    others = beside / n
    likeness = beside / pairs if pairs else 0.0
    if n == 1:
        message = f"{rows} has one row: its entropy is 0 by definition"
    elif likeness >= EQUAL:
        message = (
            f"all {n} rows of {rows} are equal as far as the kernel with {own}={sigma:.4g} can "
            f"tell, so the entropy is 0; if the rows do differ, use {own}='auto' or a smaller one"
        )
    elif others < LEAST_WEIGHT:
        message = (
            f"{own}={sigma:.4g} is far below the distances between the rows of {rows} (a row "
            f"gives all others a total weight of {others:.2g}), so the entropy is at its maximum "
            f"log n whatever the data are; use {own}='auto' or a larger one"
        )
    elif likeness > MOST_LIKENESS:
        message = (
            f"{own}={sigma:.4g} is far above the distances between the rows of {rows} (the mean "
            f"kernel entry is {likeness:.4f}), so the entropy is near 0 whatever the data are; "
            f"use {own}='auto' or a smaller one"
        )
    else:
        return False
    warn(message, SaturationWarning)
    return True

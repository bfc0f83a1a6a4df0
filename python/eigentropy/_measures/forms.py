"""The forms of an information: matched or plain, and `adjusted` and `bits` of the matched one."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

# How the baseline of an information is obtained.
ESTIMATORS = ("matched", "plain")

ONLY_ORDER_1 = "only at order=1 is H(Y) the most that there can be"

# `adjusted` divides by a difference of entropies. It must be larger than this many standard
# deviations of its noise, and than this share of H(Y).
NOISES = 3.0
SMALLEST_ROOM = 1e-9

# Null partitions of a subset of the rows, for a sampling error: twice as many as this number of
# rows has room for them, within a range. Among few rows they differ more, and are solved sooner.
ROWS_OF_NULLS = 2000
PAIRS_OF_NULLS = 1, 4


def nulls_of_subset(what: str, estimator: str, n: int) -> int:
    """Null partitions of a subset of n rows: an even number."""
    if (what, estimator) == ("value", "plain"):
        return 0
    least, most = PAIRS_OF_NULLS
    return 2 * min(max(round(ROWS_OF_NULLS / n), least), most)


def seed_of_subset(seed: int, number: int) -> int:
    """Of the null partitions of a subset: the same for every representation of the same rows."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def twice(
    what: str,
    estimator: str,
    observed: float,
    null: npt.NDArray[np.float64],
    whole: tuple[float, float],
    label_entropy: float,
    base: float,
) -> tuple[float, float]:
    """An information, or its form `what`, from each half of the null partitions alone.

    `whole` is the entropy that is left of Z without Y, and its standard error; neither is looked at
    for a matched value.
    """
    if (what, estimator) == ("value", "plain"):
        value = whole[0] - observed
        return value, value
    first, second = float(null[::2].mean()), float(null[1::2].mean())
    if what == "value":
        return first - observed, second - observed
    if adjusted_information(observed, null, whole, label_entropy)[1]:
        return math.nan, math.nan
    unit = label_entropy * math.log2(base) if what == "bits" else 1.0
    most = label_entropy - whole[0]
    return (
        unit * (first - observed) / (most + first),
        unit * (second - observed) / (most + second),
    )


def mean_and_error(null: npt.NDArray[np.float64] | list[float]) -> tuple[float, float]:
    """The mean of entropies of random partitions, which is the matched baseline, and its error."""
    known = null if isinstance(null, list) else null.tolist()
    count = len(known)
    mean = math.fsum(known) / count
    squares = [(one - mean) ** 2 for one in known]
    return mean, math.sqrt(math.fsum(squares) / (count - 1) / count)


def adjusted_information(
    observed: float,
    null: npt.NDArray[np.float64] | list[float],
    whole: tuple[float, float],
    label_entropy: float,
) -> tuple[float, str]:
    """(mean null - observed) / (H(Y) - (whole - mean null)), and why it is NaN where it is.

    Parameters
    ----------
    observed : float
        Entropy of Z given Y.
    null : array of shape (n_null,), or list
        The same for random partitions.
    whole : (float, float)
        Entropy of Z, and its standard error.
    label_entropy : float
        H(Y).
    """
    if len(null) < 2:
        return math.nan, "n_null is below 2: there is no matched baseline"
    return adjusted_of_moments(observed, len(null), *mean_and_error(null), whole, label_entropy)


def adjusted_of_moments(
    observed: float,
    n_null: int,
    baseline: float,
    error: float,
    whole: tuple[float, float],
    label_entropy: float,
) -> tuple[float, str]:
    """The same from the `mean_and_error` of n_null >= 2 random partitions."""
    if label_entropy == 0.0:
        return math.nan, "Y has a single group: H(Y) is 0"
    room = label_entropy - (whole[0] - baseline)
    noise = math.hypot(error * math.sqrt(n_null), whole[1])
    if room <= max(NOISES * noise, SMALLEST_ROOM * label_entropy):
        return math.nan, (
            f"H(Y) leaves {room:.3g} above what groups of these sizes lose at random, which "
            f"is within the noise ({noise:.3g}): sigma is too small, or the groups are"
        )
    return (baseline - observed) / room, ""

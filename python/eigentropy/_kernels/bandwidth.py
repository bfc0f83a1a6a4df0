"""The width sigma of the Gaussian kernel, chosen from the data."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.host_arrays import Matrix
from eigentropy._backends.rows import Rows
from eigentropy._kernels.given import samples_of
from eigentropy._support.options import one_of, random_seed, sigma_or_rule
from eigentropy._support.signatures import named_options

Doubles = npt.NDArray[np.float64]

RULES = ("auto", "median", "narrow", "knn", "max-slope", "sqrt-d")

# The rule behind sigma="auto".
DEFAULT_RULE = "median"

# Where blobs and digits keep their known information at every dimension: docs/how_to/choosing.md.
MEDIAN_FACTOR = 0.35

# Where the adjusted information of the density matrix reads as a share of the label entropy, on
# data sets of which some were kept out of choosing it: docs/explanations/bandwidth.md.
NARROW_FACTOR = 0.2
# The narrow rule wants this many pairs a row that count; of four rows or fewer, half of all pairs.
PAIRS = 1.0

# Rules that need distances look at all pairs of at most this many rows, which are 2 million pairs.
# Of long rows they take fewer: the distances would take as long as everything else, and differ less
# from each other.
SAMPLE_ROWS = 2048
LONG_ROW = 4096
SAMPLE_LONG_ROWS = 1024

# The knn rule computes this many distances at a time: 64 MiB.
DISTANCES_AT_A_TIME = 2**23

# Distances are in units of the largest entry, nearly. Below this the square of a distance has lost
# digits, or all of them.
SHORTEST = 2.0**-484

# The max-slope rule tries widths whose logarithms are about this far from each other.
SLOPE_STEP = 1.0 / 3.0
# This many widths are tried on all distances. If the range of distances asks for more widths, the
# distances are counted in bins first, which are this many for each unit of log(r^2).
SLOPE_STEPS = 40
BINS = 20

# The narrow rule finds its width to this share of itself.
WIDTH_TOLERANCE = 1e-6

# Neighbour of the knn rule, the row itself not counted.
NEIGHBOUR = 10


@named_options()
def bandwidth(Z: Any, rule: str = "median", *, kernel: str = "gaussian", seed: int = 0) -> float:
    r"""Kernel width sigma of G = exp(-r^2 / (2 sigma^2)) for these rows.

    ============= ==========================================================================
    rule          sigma
    ============= ==========================================================================
    ``median``    0.35 times the median distance between two rows (also called ``auto``)
    ``narrow``    0.2 times the median distance, or the least width above it at which as many
                  pairs of rows count as there are rows: see below
    ``knn``       median over the rows of the distance to the 10th nearest other row
    ``max-slope`` where d log(sum_ij G_ij) / d log(sigma) is largest
    ``sqrt-d``    sqrt(d), the paper's choice; the one rule that depends on the scale of Z
    ============= ==========================================================================

    `narrow` is for `kernel_information`, of labels. Pairs i < j enter with the weight
    w_ij = G_ij^2 (as in tr G^2), and (sum w)^2 / sum(w^2) of them count, the effective number of
    terms of such a sum. Where it is smaller than the number of rows, a few near rows decide, and
    their labels are noise. Of four rows or fewer, half of all pairs must count.

    Above 2048 rows (1024 where they have more than 4096 columns), `median`, `narrow` and
    `max-slope` use the pairs of a random sample of that many rows, and `knn` the neighbours, among
    all rows, of the sampled ones. The sample is drawn from `seed`.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        Of one that lies on a GPU, the sampled rows are brought to the host; all rows for `knn`.
    rule : str
    kernel : {"gaussian", "distances"}
        Whether Z is rows, or the distances (n, n) between them.
    seed : int

    Returns
    -------
    float
        In units of Z. 1.0 where all rows are equal and every width does the same.

    Raises
    ------
    ValueError
        Unknown rule, NaN in Z; or the width lies so far below the largest entry, 1e-145 of it, that
        squares of distances cannot hold both.

    References
    ----------
    Coifman, Shkolnisky, Sigworth, Singer: Graph Laplacian tomography from unknown random
    projections, IEEE Trans. Image Process. 17 (2008), for max-slope.
    """
    one_of(rule, "rule", RULES)
    one_of(kernel, "kernel", ("gaussian", "distances"))
    return sigma_of_rule(samples_of(Z, kernel), rule, random_seed(seed))


def resolve_sigma(sigma: Any, rows: Rows, seed: int) -> float:
    """The number behind the argument `sigma`: a number or the name of a rule."""
    checked = sigma_or_rule(sigma, RULES)
    if rows.holds == "knn":
        if checked != "auto":
            raise ValueError(
                f"sigma={sigma!r}: the widths of kernel='knn' are the distances of the rows to "
                "their neighbours number n_neighbors; leave sigma out and choose n_neighbors"
            )
        return math.nan
    if rows.holds == "precomputed":
        if checked != "auto":
            raise ValueError(
                f"sigma={sigma!r}: kernel='precomputed' has its width already; leave sigma out, or "
                "pass distances as kernel='distances'"
            )
        return math.nan
    return sigma_of_rule(rows, checked, seed) if isinstance(checked, str) else checked


def sigma_of_rule(rows: Rows, rule: str, seed: int) -> float:
    """The rule's width for these rows."""
    rule = DEFAULT_RULE if rule == "auto" else rule
    if rows.holds == "distances":
        return _sigma_of_distances(rows.on_host(), rule, seed)
    if rule == "sqrt-d":
        return math.sqrt(rows.d)
    if rows.n == 1:
        return 1.0
    sample = sampled_rows(rows.n, rows.d, seed)
    if rule == "knn":  # of the sampled rows, whose neighbours may be any rows
        return _knn(rows.on_host(), sample)
    if rule == "median":
        return _share_of_the_median(*rows.median_distance(sample)) or 1.0
    Z, sample = rows.host_sample(sample)
    if rule == "max-slope":
        squared, scale = _core.squared_distances(Z, sample)
        return _in_units(_max_slope(squared), scale) if squared.any() else 1.0
    return _narrow(Z, sample) or 1.0


def _sigma_of_distances(D: Matrix, rule: str, seed: int) -> float:
    """The same from the distances between all rows."""
    if rule == "sqrt-d":
        raise ValueError(
            "sigma='sqrt-d' takes the number of columns, and Z has distances (kernel='distances'): "
            "use sigma='auto', another rule, or a number"
        )
    if len(D) == 1:
        return 1.0
    sample = sampled_rows(len(D), 1, seed)
    own = D[np.ix_(sample, sample)].astype(np.float64)
    pairs = own[np.triu_indices(len(own), k=1)]
    if rule == "max-slope":
        scale = float(pairs.max())
        return _in_units(_max_slope((own / scale) ** 2), scale) if scale else 1.0
    if rule == "knn":
        neighbour = min(NEIGHBOUR, len(D) - 1)  # position 0 is the row itself
        reach = np.array([np.partition(D[row], neighbour)[neighbour] for row in sample])
        if reach.any():
            return _middle(reach)
    if rule == "narrow":
        scale = float(pairs.max())
        if scale == 0.0:
            return 1.0
        width = _with_enough_pairs((own / scale) ** 2, NARROW_FACTOR * _middle(pairs) / scale)
        return _in_units(width, scale)
    return MEDIAN_FACTOR * _middle(pairs) or 1.0


def _middle(distances: npt.NDArray[Any]) -> float:
    """The median; of the positive ones where most are 0, and 0.0 where all are."""
    median = float(np.median(distances))
    positive = distances[distances > 0.0]
    return median or (float(np.median(positive)) if len(positive) else 0.0)


def sample_size(d: int) -> int:
    """The most rows, with d columns, of which a rule looks at all pairs."""
    return SAMPLE_LONG_ROWS if d > LONG_ROW else SAMPLE_ROWS


def sampled_rows(n: int, d: int, seed: int) -> npt.NDArray[np.int64]:
    """The rows, of n with d columns, whose distances a rule looks at."""
    count = sample_size(d)
    if n <= count:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, count, replace=False))


def _in_units(width: float, scale: float) -> float:
    """A width in units of Z. `scale` is the power of two at or below the largest entry."""
    if 0.0 < width < SHORTEST:
        raise ValueError(
            f"Z has entries as large as {scale:.3g}, and the rule finds a sigma below 1e-145 of "
            "that: squares of distances cannot hold both. Remove rows that hold a fill value, or "
            "pass sigma as a number"
        )
    return scale * width


def _share_of_the_median(median: float, scale: float) -> float:
    """Of the distances of all pairs, or of those that are not 0 where most are; 0.0 if all are."""
    return _in_units(MEDIAN_FACTOR * median, scale)


def _narrow(Z: Matrix, rows: npt.NDArray[np.int64]) -> float:
    """0.2 medians, or more where fewer than PAIRS pairs a row would count; 0.0 if all are equal."""
    median, scale = _core.median_distance(Z, rows)
    least = NARROW_FACTOR * median
    if _in_units(least, scale) == 0.0:
        return 0.0
    squared, _ = _core.squared_distances(Z, rows)
    return _in_units(_with_enough_pairs(squared, least), scale)


def _with_enough_pairs(matrix: Doubles, least: float) -> float:
    """The least width from `least` on at which enough pairs count; `matrix` has r^2, (n, n)."""
    n = len(matrix)
    squared = matrix[np.triu_indices(n, k=1)]
    wanted = min(PAIRS * n, len(squared) / 2.0)
    if effective_pairs(squared, least) >= wanted:
        return least
    # At the upper end all weights are above exp(-1/4), so that more than half of the pairs count;
    # between the ends the number rises.
    low, high = least, max(least, 2.0 * math.sqrt(float(squared.max())))
    while high > low * (1.0 + WIDTH_TOLERANCE):
        middle = math.sqrt(low * high)
        if effective_pairs(squared, middle) >= wanted:
            high = middle
        else:
            low = middle
    return high


def effective_pairs(squared: Doubles, sigma: float) -> float:
    """(sum w)^2 / sum(w^2) of the weights w = exp(-r^2 / sigma^2) = G^2; `squared` has r^2.

    The factor exp(min r^2 / sigma^2) cancels, without which all weights may be 0.
    """
    w = np.exp((squared.min() - squared) / sigma**2)
    return float(w.sum()) ** 2 / float(w @ w)


def _knn(Z: Matrix, rows: npt.NDArray[np.int64]) -> float:
    neighbour = min(NEIGHBOUR, len(Z) - 1)
    at_a_time = max(256, DISTANCES_AT_A_TIME // len(Z))  # each time, all rows are read
    reach, scale = np.empty(len(rows)), 1.0
    for start in range(0, len(rows), at_a_time):
        block = rows[start : start + at_a_time]
        squared, scale = _core.squared_distances_from(Z, block)
        # Position 0 is the row itself, at distance 0.
        reach[start : start + at_a_time] = np.partition(squared, neighbour, axis=1)[:, neighbour]
    distances = np.sqrt(reach)
    if not distances.any():
        return _fallback(Z, rows)
    median = float(np.median(distances))
    return _in_units(median if median > 0 else float(np.median(distances[distances > 0])), scale)


def _fallback(Z: Matrix, rows: npt.NDArray[np.int64]) -> float:
    """Every row has many duplicates: neighbours say nothing, distances between groups do."""
    sigma = _share_of_the_median(*_core.median_distance(Z, rows))
    if sigma == 0.0:  # the other rows, if there are any, are not in the sample
        squared, scale = _core.squared_distances_from(Z, rows[:1])
        others = np.sqrt(squared[squared > 0])
        sigma = _in_units(MEDIAN_FACTOR * float(np.median(others)), scale) if len(others) else 1.0
    return sigma


def _max_slope(matrix: Doubles) -> float:
    """Maximise d log(sum G) / d log(sigma) = sum(r^2 G) / (sigma^2 sum G) over sigma.

    `matrix` has r^2 of all pairs, (n, n). sum G counts the diagonal too, without which the slope
    would be largest at sigma -> 0.
    """
    n = len(matrix)
    squared = matrix[np.triu_indices(n, k=1)]
    largest = float(squared.max())
    squared /= largest

    def slope(log_sigma: float, squared: Doubles, counts: Any = 1.0) -> float:
        exponent = squared / (2.0 * math.exp(2.0 * log_sigma))
        G = counts * np.exp(-exponent)
        return float(4.0 * (exponent @ G) / (n + 2.0 * G.sum()))

    # From far below the nearest neighbours to the diameter, then refined around the best.
    low = 0.5 * math.log(float(squared[squared > 0].min())) - 1.0
    steps = max(SLOPE_STEPS, math.ceil((1.0 - low) / SLOPE_STEP))
    grid = np.linspace(low, 1.0, steps)
    counted = (squared,) if steps == SLOPE_STEPS else _counted(squared)
    best = int(np.argmax([slope(x, *counted) for x in grid]))
    step = grid[1] - grid[0]
    fine = np.linspace(grid[best] - step, grid[best] + step, 21)
    log_sigma = fine[int(np.argmax([slope(x, squared) for x in fine]))]
    return math.sqrt(largest) * math.exp(float(log_sigma))


def _counted(squared: Doubles) -> tuple[Doubles, Doubles]:
    """The middles of bins of r^2 on a logarithmic scale, and how many pairs each bin has.

    The last bin has the pairs at distance 0.
    """
    logarithms = np.log(squared[squared > 0])
    bins = max(1, math.ceil(float(np.ptp(logarithms)) * BINS))
    counts, edges = np.histogram(logarithms, bins)
    middles = np.exp(0.5 * (edges[:-1] + edges[1:]))
    zeros = len(squared) - len(logarithms)
    return np.append(middles, 0.0), np.append(counts, zeros).astype(np.float64)

"""The joint distribution of X and Y, from a matrix or from observations of both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import as_numpy
from eigentropy._kernels.groups import group_codes
from eigentropy._support.options import integer, random_seed
from eigentropy._support.warnings import warn

Doubles = npt.NDArray[np.float64]

# How far from 1 the sum of a matrix may be: what rounding of printed or float32 entries does.
SUM_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class JointDistribution:
    """p(x, y) of two variables with finitely many values. `joint_distribution` makes one.

    Attributes
    ----------
    p_xy : array (n_x, n_y)
        Sums to 1.
    occurring : array of int
        The x of positive probability. Only they have a p(y|x); the other arrays are of them.
    p_x : array (len(occurring),)
    p_y_given_x : array (len(occurring), n_y)
    p_y : array (n_y,)
    """

    p_xy: Doubles

    def __post_init__(self) -> None:
        """Refuse a matrix that is no distribution with ValueError."""
        _check_entries(self.p_xy)
        _check_sum(float(self.p_xy.sum()))

    @cached_property
    def occurring(self) -> npt.NDArray[np.int64]:
        """The x of positive probability."""
        return np.flatnonzero(self.p_xy.sum(axis=1) > 0.0)

    @cached_property
    def p_x(self) -> Doubles:
        """Probability of each x that occurs."""
        mass = self.p_xy[self.occurring].sum(axis=1)
        probability: Doubles = mass / mass.sum()
        return probability

    @cached_property
    def p_y_given_x(self) -> Doubles:
        """The distribution of Y at each x that occurs, one a row."""
        rows = self.p_xy[self.occurring]
        conditional: Doubles = rows / rows.sum(axis=1, keepdims=True)
        return conditional

    @cached_property
    def p_y(self) -> Doubles:
        """Probability of each y."""
        mass: Doubles = self.p_x @ self.p_y_given_x
        return mass

    @cached_property
    def nats(self) -> float:
        """I(X; Y) in nats."""
        P = self.p_y_given_x
        ratio = np.divide(P, self.p_y, out=np.ones_like(P), where=P > 0.0)
        return max(0.0, float(self.p_x @ (P * np.log(ratio)).sum(axis=1)))

    @cached_property
    def nats_of_x(self) -> float:
        """H(X) in nats."""
        return float(-self.p_x @ np.log(self.p_x))

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.p_xy.shape))
        return f"JointDistribution({shape}, I(X; Y) = {self.nats / np.log(2.0):.4g} bits)"


def joint_distribution(
    X: Any,
    Y: Any = None,
    *,
    normalize: bool = False,
    kind: str | tuple[str, str] = "auto",
    n_clusters: int | tuple[int, int] = 10,
    seed: int = 0,
) -> JointDistribution:
    """p(x, y) from a matrix, or the relative frequencies of pairs of observations.

    Parameters
    ----------
    X : array (n_x, n_y), or array of n observations
        With Y missing, the matrix of p(x, y): no negative entries, and a sum of 1.
        Otherwise what was observed of X: labels as they are, scalars in bins of equal width,
        vectors by clusters, as groups of `diffusion_spectral_mutual_information` are made.
    Y : array of n observations, optional
        What was observed of Y at the same time.
    normalize : bool
        Divide the matrix by its sum, such as one of counts.
    kind : str, or a pair of them
        "auto", "labels", "scalars" or "vectors": of the observations of X and of Y.
    n_clusters : int, or a pair of them
        Bins of scalars, clusters of vectors.
    seed : int
        Of the clustering.

    Returns
    -------
    JointDistribution
        Observations are a sample, and the information in a sample is above that in the
        population on average: `sampling_bound` says by how much at most.

    Warns
    -----
    UserWarning
        A row of the matrix has no mass: an x that never occurs. It has no p(y|x), and no
        information depends on it. It is left out of all computations, and an encoder gives it
        p(t|x) = p(t), since nothing is known of it.

    Raises
    ------
    ValueError
        Entries that are negative, NaN or infinite; a sum other than 1; not a matrix; X and Y of
        different lengths.
    """
    if Y is not None:
        return _of_observations(X, Y, kind, n_clusters, seed)
    return _of_matrix(X, normalize)


def as_joint(p_xy: Any) -> JointDistribution:
    """What functions take for p(x, y): a JointDistribution, or its matrix."""
    return p_xy if isinstance(p_xy, JointDistribution) else _of_matrix(p_xy, normalize=False)


def _of_matrix(X: Any, normalize: bool) -> JointDistribution:
    matrix = as_numpy(X, "p_xy", numbers=True)
    if matrix.ndim != 2 or matrix.size == 0:
        raise ValueError(
            f"p_xy must be a matrix with a row for each x and a column for each y, got shape "
            f"{matrix.shape}; pass two arrays of observations to joint_distribution(X, Y)"
        )
    if matrix.dtype.kind not in "biuf":
        raise TypeError(f"p_xy must be of real numbers, got {matrix.dtype}")
    matrix = matrix.astype(np.float64)
    _check_entries(matrix)
    total = float(matrix.sum())
    if normalize and not total > 0.0:
        raise ValueError("p_xy sums to 0: all entries are 0")
    if not normalize:
        _check_sum(total)
    return _warned(JointDistribution(matrix / total))


def _check_entries(matrix: Doubles) -> None:
    for wrong, what in ((~np.isfinite(matrix), "finite"), (matrix < 0.0, ">= 0")):
        if wrong.any():
            x, y = np.argwhere(wrong)[0]
            raise ValueError(
                f"p_xy must have entries that are {what}, got {matrix[x, y]:g} at [{x}, {y}], and "
                f"{np.count_nonzero(wrong)} of {wrong.size} entries in all are not: probabilities "
                "or counts are wanted"
            )


def _check_sum(total: float) -> None:
    if not abs(total - 1.0) <= SUM_TOLERANCE:
        raise ValueError(
            f"p_xy must sum to 1, got a sum of {total:g}: divide it by its sum, as "
            "joint_distribution(p_xy, normalize=True) does"
        )


def _warned(joint: JointDistribution) -> JointDistribution:
    never = len(joint.p_xy) - len(joint.occurring)
    if never:
        first = int(np.setdiff1d(np.arange(len(joint.p_xy)), joint.occurring)[0])
        warn(
            f"p_xy has {never} of {len(joint.p_xy)} rows without mass, the first at {first}: such "
            "an x never occurs and is left out. Drop the rows to be without this warning"
        )
    return joint


def _of_observations(X: Any, Y: Any, kind: Any, n_clusters: Any, seed: int) -> JointDistribution:
    arrays = {name: as_numpy(value, name) for name, value in (("X", X), ("Y", Y))}
    n_x, n_y = (len(array) if array.ndim else 0 for array in arrays.values())
    if n_x != n_y or n_x == 0:
        raise ValueError(
            f"X has {n_x} observations and Y has {n_y}: pass one of Y for each of X, at least one"
        )
    seed = random_seed(seed)
    kinds, clusters = _pair(kind, "kind"), _pair(n_clusters, "n_clusters")
    codes = [
        group_codes(array, n_x, each, integer(k, "n_clusters", at_least=1), None, seed, name)
        for (name, array), each, k in zip(arrays.items(), kinds, clusters, strict=True)
    ]
    counts = np.zeros([int(code.max()) + 1 for code in codes])
    np.add.at(counts, tuple(codes), 1.0)
    return JointDistribution(counts / n_x)


def _pair(value: Any, name: str) -> tuple[Any, Any]:
    if not isinstance(value, (tuple, list)):
        return value, value
    if len(value) != 2:
        raise ValueError(f"{name} has {len(value)} entries: pass one for X and one for Y, or one")
    return value[0], value[1]

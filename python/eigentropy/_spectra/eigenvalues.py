"""Eigenvalues of symmetric matrices, and from eigenvalues to entropy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.devices import choose
from eigentropy._backends.host_arrays import as_numpy
from eigentropy._support.options import logarithm_base, positive
from eigentropy._support.progress import Callback
from eigentropy._support.signatures import named_options

# A solver leaves an absolute error of a few eps times the largest eigenvalue. Eigenvalues below
# this many eps are noise, which for t < 1 would dominate the entropy of a low-rank matrix.
NOISE_FLOOR_EPS = 10.0

EPS = {np.dtype(T): float(np.finfo(T).eps) for T in (np.float32, np.float64)}


@named_options()
def eigvalsh(A: Any, *, overwrite: bool = False, progress: bool | Callback = False) -> Any:
    r"""All eigenvalues of a real symmetric matrix, or of a stack of them.

    The solver of `diffusion_spectral_entropy`, for any symmetric matrix: Householder reflections to
    band form, bulge chasing to tridiagonal form, Sturm counts. Each eigenvalue is within a modest
    multiple of n eps \|A\| of the exact one, in absolute terms: small ones have no relative
    accuracy. Time (4/3) n^3 for each matrix, memory one copy of a matrix and some 300 n. Small
    matrices of a stack are solved side by side in SIMD lanes, or one to a thread, with a copy of
    what is being solved.

    The sums of the eigenvalues and of their squares are compared with the trace and \|A\|_F^2; if
    they disagree, LAPACK's plain driver solves the matrix again. Matrices on a GPU are copied and
    solved there, by cuSOLVER.

    Parameters
    ----------
    A : array-like of shape (n, n) or (..., n, n)
        Only the upper triangles, diagonal included, are used (`numpy.linalg.eigvalsh` uses the
        lower ones by default). float32 is solved in float32, float16 too; everything else in
        float64.
    overwrite : bool
        Allow A to be destroyed, which saves the copy if A is one large writable float32 or
        float64 matrix with contiguous rows. Its entries are then undefined, also after an error,
        and there is nothing left for LAPACK's driver to start from.
    progress : bool or callable
        Show a bar on stderr, or call it with the fraction that is done.

    Returns
    -------
    array of shape (n,) or (..., n)
        Descending (`numpy.linalg.eigvalsh` ascends), in the precision of the computation, and
        without a gradient. A torch tensor or CuPy array on a GPU has its eigenvalues there, as one
        of its kind; all others, a tensor on the CPU too, have a NumPy array.

    Raises
    ------
    TypeError
        Not numbers, or complex.
    ValueError
        Not square, empty, NaN or infinity in the upper triangle.
    MemoryError
        The copy does not fit.
    SolverError
        The eigenvalues do not add up to the trace.

    Examples
    --------
    >>> eigvalsh([[2.0, 1.0], [1.0, 2.0]]).round(12)
    array([3., 1.])
    """
    return choose(None, A, "A").eigvalsh(A, overwrite, progress)


@named_options()
def spectral_entropy(eigenvalues: Any, t: float = 1.0, base: float = 2.0) -> float:
    r"""Entropy of a spectrum raised to the power t.

    .. math:: S(t) = -\sum_i a_i \log a_i, \qquad a_i = |\lambda_i|^t / \sum_j |\lambda_j|^t

    Powers are taken in log space, so that no t overflows or loses every eigenvalue. Eigenvalues
    below 10 eps times the largest are rounding noise of the solver and count as 0, as does
    0 log 0. eps is that of the array's dtype.

    Parameters
    ----------
    eigenvalues : array-like of shape (n,)
        In any order.
    t : float
        Diffusion time, > 0.
    base : float
        Of the logarithm: 2 gives bits, math.e nats.

    Returns
    -------
    float
        Between 0 and log n.

    Raises
    ------
    ValueError
        No eigenvalues, all of them 0, NaN or infinity among them; t <= 0; base <= 1.

    Examples
    --------
    >>> spectral_entropy([1, 1, 1, 1])
    2.0
    """
    t = positive(t, "t")
    base = logarithm_base(base)
    return shannon_nats(eigenvalues, t) / math.log(base)


def shannon_nats(eigenvalues: Any, t: float) -> float:
    """`spectral_entropy` in nats, for a t that was checked."""
    magnitudes, _ = _magnitudes(eigenvalues)
    return float(shannon_nats_of_groups(magnitudes, np.zeros(1, dtype=np.int64), t)[0])


def shannon_nats_of_groups(
    eigenvalues: npt.NDArray[np.floating[Any]], starts: npt.NDArray[np.int64], t: float
) -> npt.NDArray[np.float64]:
    """`spectral_entropy` in nats of many spectra at once, which lie one after the other.

    Parameters
    ----------
    eigenvalues : array of shape (all,)
        Finite; in each spectrum one that is not 0.
    starts : array of int, shape (spectra,)
        Where each begins; none is empty.
    t : float
    """
    return _core.shannon_nats(eigenvalues, starts, t)


def renyi_nats(eigenvalues: Any, order: float) -> float:
    """The Renyi entropy in nats of a spectrum over its sum; the order > 0 may be infinite."""
    return renyi_of(_above_noise(eigenvalues), order)


def renyi_of(eigenvalues: npt.NDArray[np.float64], order: float) -> float:
    """The same where no eigenvalue is rounding, however small; those that are 0 do not count."""
    kept = np.sort(eigenvalues[eigenvalues > 0.0])[::-1]
    return max(0.0, _renyi_of_ratios(kept / kept[0], order))


def _renyi_of_ratios(ratios: npt.NDArray[np.float64], order: float) -> float:
    """Of eigenvalues over the largest, which is the first: sums of the others keep their digits."""
    log_total = math.log1p(ratios[1:].sum())
    if order == math.inf:
        return log_total
    logs = np.log(ratios)
    shares = np.exp(logs - log_total)
    if order == 1.0:
        return float(shares @ (log_total - logs))
    if abs(order - 1.0) < 0.5:  # sum a^q = 1 + sum a (a^(q - 1) - 1), whose terms are small
        excess = shares @ np.expm1((order - 1.0) * (logs - log_total))
        return -math.log1p(excess) / (order - 1.0)
    with np.errstate(over="ignore"):  # to -inf: no power of a ratio is above 1
        log_trace = math.log1p(np.exp(order * logs[1:]).sum())
    return log_total * (order / (order - 1.0)) - log_trace / (order - 1.0)


def _above_noise(eigenvalues: Any) -> npt.NDArray[np.float64]:
    """The magnitudes that are more than rounding."""
    magnitudes, largest = _magnitudes(eigenvalues)
    kept = magnitudes[magnitudes > NOISE_FLOOR_EPS * EPS[magnitudes.dtype] * largest]
    doubles: npt.NDArray[np.float64] = kept.astype(np.float64)
    return doubles


def _magnitudes(eigenvalues: Any) -> tuple[npt.NDArray[np.floating[Any]], Any]:
    """The magnitudes, and the largest of them."""
    plain = type(eigenvalues) is np.ndarray  # as those of our own solver
    values = eigenvalues if plain else as_numpy(eigenvalues, "eigenvalues")
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"eigenvalues must be a non-empty 1-d array, got shape {values.shape}")
    if values.dtype.kind not in "iufc":
        raise TypeError(f"eigenvalues must be numbers, got dtype {values.dtype}")
    magnitudes: npt.NDArray[Any] = np.abs(values)
    if magnitudes.dtype not in (np.float32, np.float64):
        magnitudes = magnitudes.astype(np.float64)
    largest = magnitudes.max()  # NaN if one of them is
    if not math.isfinite(largest):
        raise ValueError("eigenvalues contain NaN or infinity")
    if largest == 0.0:
        raise ValueError("eigenvalues are all 0: they define no distribution")
    return magnitudes, largest

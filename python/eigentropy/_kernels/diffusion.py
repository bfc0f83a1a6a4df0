"""The diffusion operator of a set of rows."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.arrays import chosen_rows, with_shape
from eigentropy._backends.devices import HOST, Device, choose
from eigentropy._kernels.bandwidth import resolve_sigma
from eigentropy._measures.results import Entropy, SaturationWarning
from eigentropy._spectra.eigenvalues import spectral_entropy
from eigentropy._spectra.rounding import Rounding, eigenvalue_error, may_use_single, within
from eigentropy._support import memory
from eigentropy._support.options import (
    integer,
    logarithm_base,
    nonnegative,
    positive,
    working_dtype,
)
from eigentropy._support.progress import Callback, reporter
from eigentropy._support.warnings import warn

# Beyond, (q_i q_j)^alpha leaves the range of float32; 0 to 1 is what has a meaning.
MAX_ALPHA = 10.0


class DiffusionOperator:
    r"""The symmetric diffusion operator A of the rows of Z.

    .. math::

        G_{ij} = e^{-|z_i - z_j|^2 / (2 \sigma^2)}, \quad q_i = \sum_j G_{ij}, \quad
        K_{ij} = \frac{G_{ij}}{(q_i q_j)^\alpha}, \quad d_i = \sum_j K_{ij}, \quad
        A_{ij} = \frac{K_{ij}}{\sqrt{d_i d_j}}

    A is positive semidefinite and has the eigenvalues of the diffusion matrix P = D^-1 K:
    1 = lambda_1 >= lambda_2 >= ... >= 0.

    What is asked for is computed on first use and kept. At most one n x n matrix exists at a time:
    `eigenvalues` overwrites it, and `matmul` builds it again. The rows are read anew each time, a
    block of columns at a time: Z must not change meanwhile, and may be a mapped file. A Zarr array
    is copied once.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        One row a sample.
    sigma : float or str
        Kernel width or the name of a rule of `bandwidth`.
    alpha : float
        Exponent of the density normalisation, >= 0: 0 none, 1/2 the paper's, 1 removes the
        sampling density.
    dtype : {"float64", "float32"}, optional
        Working precision; float64 by default, whatever the dtype of Z.
    device : {"cpu", "cuda", "cuda:1", ...}, optional
        Where to compute: by default where Z lies. An array on the host is uploaded once.
    seed : int
        Of the sample that a bandwidth rule uses when n is large.
    progress : bool or callable
        Show a bar on stderr, or call it with the fraction that is done.

    Attributes
    ----------
    n : int
    rows : array of shape (n, d)
        Z as it is read: float32 or float64, shared with Z where possible. On a GPU an array of
        the plug-in, with ``__cuda_array_interface__``, and of Z's own type.
    sigma, alpha : float
    dtype : str
    device : str

    References
    ----------
    Coifman, Lafon: Diffusion maps. Appl. Comput. Harmon. Anal. 21 (2006).
    """

    def __init__(
        self,
        Z: Any,
        *,
        sigma: float | str = "auto",
        alpha: float = 0.5,
        dtype: Any = None,
        device: Any = None,
        seed: int = 0,
        progress: bool | Callback = False,
    ) -> None:
        self.dtype = working_dtype(dtype)
        self.alpha = nonnegative(alpha, "alpha")
        if self.alpha > MAX_ALPHA:
            raise ValueError(f"alpha must be at most {MAX_ALPHA:g}, got {alpha!r}")
        self.seed = integer(seed, "seed", at_least=0)
        self._device = choose(device, Z)
        self.rows = self._device.rows(Z, progress)
        self.n = self.rows.shape[0]
        self.sigma = resolve_sigma(sigma, self.rows, self.seed, self._device)
        self._progress = progress
        self._reach: float | None = None
        self._single: DiffusionOperator | None = None
        self._forget()

    def _forget(self) -> None:
        """Nothing has been computed yet."""
        self._eigenvalues: npt.NDArray[Any] | None = None
        self._matrix: Any = None
        self._traces: tuple[float, float] | None = None
        self._kernel_sum = math.nan
        self._outside = 0.0
        self._known_nats: dict[float, tuple[float, float]] = {}

    @property
    def device(self) -> str:
        """Where it is computed: "cpu", "cuda:0"."""
        return self._device.name

    def eigenvalues(self) -> Any:
        """All eigenvalues, descending, shape (n,), in the working dtype.

        They are accurate to some 10 eps in absolute terms and clipped to [0, 1], where the exact
        ones lie. Time O(n^2 d + n^3).

        Returns
        -------
        array
            A NumPy array; a torch tensor or CuPy array on the device where Z is one.

        Raises
        ------
        SolverError
            LAPACK or cuSOLVER failed, or the result does not add up to the trace of A.
        """
        return self._device.returned(self._spectrum())

    def _spectrum(self) -> npt.NDArray[Any]:
        """The eigenvalues on the host."""
        if self._eigenvalues is None:
            self._require_memory()
            self._matrix = None  # its memory is needed
            with reporter(self._progress, "diffusion spectrum") as progress:
                values, trace, frobenius2, self._kernel_sum = self._device.spectrum(
                    self.rows, self.sigma, self.alpha, self.dtype, progress
                )
            self._outside = outside_of_range(values)
            np.clip(values, 0.0, 1.0, out=values)
            values.flags.writeable = False
            self._eigenvalues, self._traces = values, (trace, frobenius2)
        return self._eigenvalues

    def entropy(self, t: float = 1.0, base: float = 2.0) -> Entropy:
        """The diffusion spectral entropy S(t), from all eigenvalues; see `spectral_entropy`."""
        t, base = positive(t, "t"), logarithm_base(base)
        eigenvalues, unit = self._spectrum(), math.log(base)
        value, error = self._nats(t)
        others = (self._kernel_sum - self.n) / self.n
        warn_if_saturated(self.n, others, others / max(1, self.n - 1), self.sigma)
        return self._result(
            value / unit,
            "exact",
            t,
            base,
            dtype=self.dtype,
            error_bound=error / unit,
            eigenvalues=self._device.returned(eigenvalues),
            _rounding=self._rounding(),
        )

    def _result(
        self,
        value: float,
        method: str,
        t: float,
        base: float,
        standard_error: float = 0.0,
        **others: Any,
    ) -> Entropy:
        """An entropy of these rows with these settings, however it was obtained."""
        return Entropy(
            value=value,
            standard_error=standard_error,
            method=method,
            n=self.n,
            sigma=self.sigma,
            alpha=self.alpha,
            t=t,
            base=base,
            seed=self.seed,
            **others,
        )

    def _nats(self, t: float) -> tuple[float, float]:
        """S(t) and the bound of its rounding error; 0 in float64, where none is computed.

        Several have to know them, and the bound takes longer than the entropy.
        """
        if t not in self._known_nats:
            values, rounding = self._spectrum(), self._rounding()
            error = 0.0 if rounding is None else rounding.entropy_error(values, t, math.e)
            self._known_nats[t] = spectral_entropy(values, t=t, base=math.e), error
        return self._known_nats[t]

    def _rounding(self) -> Rounding | None:
        """What is known of the rounding in the eigenvalues, which must have been computed."""
        if self.dtype == "float64":
            return None
        return Rounding(eigenvalue_error(self.n, self._known_reach(), self._outside), self.trace())

    def _known_reach(self) -> float:
        """Largest distance of a row from the mean row, in units of sigma."""
        if self._reach is None:
            self._reach = self._device.reach(self.rows, self.sigma)
        return self._reach

    def _within(self, tol: float | None, times: Sequence[float]) -> DiffusionOperator:
        """Itself or, where that gives S(t) to the relative error tol, the same in float32.

        tol = None: itself. docs/mathematics.md has the rule.
        """
        if tol is None or self._eigenvalues is not None:
            return self
        d, on_gpu = self.rows.shape[1], self._device.on_gpu
        if not may_use_single(self.n, d, self._known_reach, times, tol, on_gpu):
            return self
        single = self._in_single()
        try:
            single._spectrum()
        except _core.SolverError:
            return self
        for t in times:
            value, error = single._nats(t)
            if not within(error, value, tol):
                return self
        return single

    def _in_single(self) -> DiffusionOperator:
        """The same operator in float32; it is made once."""
        if self._single is None:
            self._single = copy.copy(self)
            self._single.dtype = "float32"
            self._single._forget()
        return self._single

    def trace(self) -> float:
        """Tr A = sum of the eigenvalues, in O(n^2 d) without computing them."""
        return self._known_traces()[0]

    def frobenius2(self) -> float:
        """Squared Frobenius norm of A = sum of the squared eigenvalues, in O(n^2 d)."""
        return self._known_traces()[1]

    def matmul(self, V: Any) -> Any:
        """A @ V for V of shape (n,) or (n, m), in the working dtype; in the array type of Z.

        Keeps A, n x n, for the next call. A V on the host is uploaded where A is on a GPU.
        """
        vectors = with_shape(V, "V")
        shape = tuple(vectors.shape)
        if len(shape) not in (1, 2) or shape[0] != self.n:
            raise ValueError(f"V must have {self.n} rows, as Z has, got shape {shape}")
        return self._device.symmetric_product(self._built_matrix, vectors, self.dtype)

    def __matmul__(self, V: Any) -> Any:
        """A @ V; see `matmul`."""
        return self.matmul(V)

    def diffusion_map(self, k: int = 2, t: float = 1.0) -> Any:
        r"""Coordinates of the rows in the first k diffusion directions, shape (n, k).

        Column j holds lambda_j^t psi_j, where psi_j are the right eigenvectors of P after the
        constant one, with sum_i d_i psi_j(i)^2 = sum_i d_i. Distances between these rows
        approximate diffusion distances at time t. The largest entry of each column is positive.
        In the array type of Z, as `eigenvalues`.

        Raises
        ------
        ValueError
            k not in 1 .. n - 1.
        """
        k, t = integer(k, "k", at_least=1), positive(t, "t")
        if k > self.n - 1:
            raise ValueError(f"k must be at most n - 1 = {self.n - 1}, got {k}")
        self._require_memory()
        self._matrix = None  # its memory is needed
        with reporter(self._progress, "diffusion map") as progress:
            values, vectors, degrees = self._device.eigenpairs(
                self.rows, self.sigma, self.alpha, self.dtype, k, progress
            )
        # v is orthonormal and an eigenvector of A; psi = D^-1/2 v one of P.
        psi = vectors * np.sqrt(degrees.sum() / degrees)[:, None]
        largest = np.abs(psi).argmax(axis=0)
        psi *= np.sign(psi[largest, np.arange(k)])
        coordinates: npt.NDArray[Any] = psi * np.clip(values, 0.0, 1.0) ** t
        return self._device.returned(coordinates.astype(self.dtype))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """A as an array of shape (n, n)."""
        return np.array(self._device.as_host(self._built_matrix()), dtype=dtype)

    def __repr__(self) -> str:
        return (
            f"DiffusionOperator(n={self.n}, d={self.rows.shape[1]}, sigma={self.sigma:.4g}, "
            f"alpha={self.alpha:g}, dtype={self.dtype}"
            + (f", device={self.device})" if self._device.on_gpu else ")")
        )

    def _require_memory(self) -> None:
        require_matrix_memory(self.n, self.rows.shape[1], self.dtype, device=self._device)

    def _built_matrix(self) -> Any:
        if self._matrix is None:
            self._require_memory()
            with reporter(self._progress, "diffusion operator") as progress:
                self._matrix, trace, frobenius2 = self._device.matrix(
                    self.rows, self.sigma, self.alpha, self.dtype, progress
                )
            self._traces = trace, frobenius2
        return self._matrix

    def _known_traces(self) -> tuple[float, float]:
        if self._traces is None:
            self._built_matrix()
        assert self._traces is not None
        return self._traces


def sample_rows(
    Z: Any, max_points: int | None, seed: int
) -> tuple[Any, npt.NDArray[np.int64] | None]:
    """Rows of Z chosen at random, and their ascending numbers; Z and None if it has no more."""
    if max_points is None:
        return Z, None
    most = integer(max_points, "max_points", at_least=1)
    rows = with_shape(Z)
    if len(rows.shape) == 0 or rows.shape[0] <= most:
        return Z, None
    generator = np.random.default_rng(integer(seed, "seed", at_least=0))
    chosen = np.sort(generator.permutation(rows.shape[0])[:most])
    return chosen_rows(rows, chosen), chosen


def require_matrix_memory(n: int, d: int, dtype: str, rows: int = 0, device: Device = HOST) -> None:
    """Refuse a matrix of n x n, with what is needed beside it, that does not fit.

    `rows` rows of d columns are copied besides, unless they are too long for that.
    """
    half = ", or dtype='float32' for half of it" if dtype == "float64" else ""
    where = f" on {device.name}" if device.on_gpu else ""
    memory.require(
        device.matrix_bytes(n, d, dtype, rows),
        f"the {n} x {n} matrix in {dtype}{where}",
        f"use method='stochastic' or 'auto', which need no matrix{half}",
        free=device.available(),
    )


def outside_of_range(eigenvalues: npt.NDArray[Any]) -> float:
    """How far the computed eigenvalues leave [0, 1], where the exact ones lie."""
    return max(0.0, -float(eigenvalues.min()), float(eigenvalues.max()) - 1.0)


def warn_if_saturated(n: int, others: float, likeness: float, sigma: float) -> bool:
    """Warn where the kernel joins no rows or all of them alike, and say whether it does.

    `others` is the total kernel weight that a mean row gives to the other rows, `likeness` the
    mean off-diagonal entry of G.
    """
    if n == 1:
        message = "Z has one row: its entropy is 0 by definition"
    elif likeness >= 1.0 - 1e-12:
        message = f"all {n} rows are equal: their entropy is 0 for every sigma"
    elif others < 0.01:
        message = (
            f"sigma={sigma:.4g} is far below the distances between the rows (a row gives all "
            f"others a total weight of {others:.2g}), so the entropy is at its maximum log n "
            "whatever the data are; use sigma='auto' or a larger one"
        )
    elif likeness > 0.99:
        message = (
            f"sigma={sigma:.4g} is far above the distances between the rows (the mean kernel "
            f"entry is {likeness:.4f}), so the entropy is near 0 whatever the data are; use "
            "sigma='auto' or a smaller one"
        )
    else:
        return False
    warn(message, SaturationWarning)
    return True

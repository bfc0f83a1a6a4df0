"""The symmetric diffusion matrix of a set of rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import opened_array
from eigentropy._backends.shapes import check_numbers
from eigentropy._kernels.knn import Knn, knn_rows, uses_neighbours
from eigentropy._kernels.matrix import Eigenvalues, KernelMatrix
from eigentropy._support.options import integer, nonnegative, positive, random_seed
from eigentropy._support.progress import Callback, reporter
from eigentropy._support.signatures import named_options

# Beyond, (q_i q_j)^alpha leaves the range of float32; 0 to 1 is what has a meaning.
MAX_ALPHA = 10.0


class DiffusionMatrix(KernelMatrix):
    r"""The symmetric diffusion matrix A of the rows of Z, without its entropy.

    `eigentropy.DiffusionOperator`, which adds the entropy, documents the parameters and the public
    methods.

    Attributes
    ----------
    alpha : float
    samples, n, sigma, dtype, seed, progress
        As in `KernelMatrix`.
    """

    has_unit_eigenvalue = True
    spectrum_name = "diffusion spectrum"
    alpha: float

    @named_options()
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
        kernel: str = "gaussian",
        n_neighbors: int | None = None,
    ) -> None:
        self.alpha = nonnegative(alpha, "alpha", at_most=MAX_ALPHA)
        if uses_neighbours(kernel, n_neighbors):
            Z, kernel = knn_rows(Z, n_neighbors, device, random_seed(seed), progress), "gaussian"
        super().__init__(
            Z,
            sigma=sigma,
            dtype=dtype,
            device=device,
            seed=seed,
            progress=progress,
            kernel=kernel,
        )

    @property
    def n_neighbors(self) -> int | None:
        """How many neighbours kernel="knn" joins each row with; None for another kernel."""
        device = self.samples.device
        return device.n_neighbors if isinstance(device, Knn) else None

    def forget(self) -> None:
        """Forget what was computed, to free its memory."""
        super().forget()
        self._matrix: Any = None
        self._traces: tuple[float, float] | None = None

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
        return self.samples.device.returned(self.solved().values)

    def solved(self) -> Eigenvalues:
        """All eigenvalues on the host; computed once."""
        if self._solution is None:
            self._matrix = None  # its memory is needed
        solution = super().solved()
        if self.samples.holds == "rows":  # otherwise they may be of magnitudes
            self._traces = solution.trace, solution.frobenius2
        return solution

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
        vectors = opened_array(V, "V")
        shape = tuple(vectors.shape)
        if len(shape) not in (1, 2) or shape[0] != self.n:
            raise ValueError(f"V must have {self.n} rows, as Z has, got shape {shape}")
        check_numbers(str(vectors.dtype), "V")
        return self.samples.device.symmetric_product(self._built_matrix, vectors, self.dtype)

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
        values, psi = self.right_eigenpairs(k)
        coordinates: npt.NDArray[Any] = psi * values**t
        return self.samples.device.returned(coordinates.astype(self.dtype))

    def right_eigenpairs(self, k: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Eigenvalues of P after the first, in [0, 1], and psi of `diffusion_map`, on the host.

        Raises
        ------
        ValueError
            k above n - 1.
        """
        if k > self.n - 1:
            raise ValueError(f"k must be at most n - 1 = {self.n - 1}, got {k}")
        self._require_matrix()
        self._matrix = None  # its memory is needed
        with reporter(self.progress, "diffusion map") as report:
            values, vectors, degrees = self.samples.device.eigenpairs(
                self.rows, self.sigma, self.alpha, self.dtype, k, report
            )
        # v is orthonormal and an eigenvector of A; psi = D^-1/2 v one of P.
        psi = vectors * np.sqrt(degrees.sum() / degrees)[:, None]
        largest = np.abs(psi).argmax(axis=0)
        psi *= np.sign(psi[largest, np.arange(k)])
        return np.clip(values, 0.0, 1.0), psi

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """A as an array of shape (n, n)."""
        return np.array(self.samples.device.as_host(self._built_matrix()), dtype=dtype)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(n={self.n}, {self.samples.described}, "
            + ("" if math.isnan(self.sigma) else f"sigma={self.sigma:.4g}, ")
            + f"alpha={self.alpha:g}, dtype={self.dtype}"
            + (")" if self.device == "cpu" else f", device={self.device})")
        )

    def _require_matrix(self) -> None:
        if not self.samples.device.is_sparse:
            self._require_memory()

    def _built_matrix(self) -> Any:
        if self._matrix is None:
            self._require_matrix()
            with reporter(self.progress, "diffusion operator") as report:
                self._matrix, trace, frobenius2 = self.samples.device.matrix(
                    self.rows, self.sigma, self.alpha, self.dtype, report
                )
            self._traces = trace, frobenius2
        return self._matrix

    def _known_traces(self) -> tuple[float, float]:
        if self._traces is None:
            self._built_matrix()
        assert self._traces is not None
        return self._traces

"""Kernels that the caller has computed: a matrix of kernel entries, or of distances."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.cpu import Cpu
from eigentropy._backends.devices import parse
from eigentropy._backends.host_arrays import Matrix, as_matrix, opened_array
from eigentropy._backends.rows import Rows
from eigentropy._support.options import one_of
from eigentropy._support.progress import Callback, part

Doubles = npt.NDArray[np.float64]

# Entries of the caller's matrix that are read at a time: 32 MiB.
ENTRIES_AT_A_TIME = 2**22

# By how much, relative to the largest entry or eigenvalue, a matrix in this precision may miss what
# it has to be: symmetric, constant on its diagonal, positive semidefinite.
TOLERANCE = {"float32": 1e-5, "float64": 1e-8}

# How much of the time of a spectrum is over when its matrix is built.
BUILT = 0.1


class Precomputed(Cpu):
    """Computes with a kernel matrix K (n, n), which stands where rows are expected.

    The diffusion operator is that of the weights K; of a K that is not positive semidefinite the
    magnitudes of the eigenvalues are taken. The density matrix, alpha = None, is K over its trace.
    A width sigma is not looked at. All is exact: products with vectors do not tell whether K is
    positive, and to find out takes O(n^3), as all eigenvalues do.
    """

    holds = "precomputed"
    has_low_rank = False
    has_estimates = False
    keeps_distances = False
    keeps_half_precision = False
    shares_kernel = False

    def rows(self, Z: Any, progress: Any = False) -> Matrix:
        """Z as a finite symmetric matrix."""
        array = opened_array(Z)
        shape = tuple(array.shape)
        if len(shape) != 2 or shape[0] != shape[1]:
            condensed = "; scipy.spatial.distance.squareform(Z) makes it of condensed distances"
            raise ValueError(
                f"kernel={self.holds!r} takes Z of shape (n, n), an entry for each two rows, got "
                f"{shape}" + (condensed if len(shape) == 1 else "")
            )
        matrix = as_matrix(array, progress=progress)
        return _symmetric(matrix, self.holds)

    def reach(self, rows: Any, sigma: float) -> float:
        """0: the kernel has not been computed from coordinates that were rounded."""
        return 0.0

    def spectrum(
        self, rows: Any, sigma: float, alpha: float | None, dtype: str, progress: Callback | None
    ) -> tuple[npt.NDArray[Any], float, float, float, float]:
        """All eigenvalues, descending; their sum, |A|_F^2, the sum of the kernel, `reach`."""
        built = self._built(rows, None, sigma, alpha, dtype, part(progress, 0.0, BUILT))
        frobenius2, told = _frobenius2(built.A), part(progress, BUILT, 1.0)
        values = _core.symmetric_eigenvalues(built.A[None], "auto", True, told)
        values = _usable(values, alpha, _tolerance(rows, dtype))[0]
        return values, float(values.sum(dtype=np.float64)), frobenius2, built.kernel_sum, 0.0

    def matrix(
        self, rows: Any, sigma: float, alpha: float | None, dtype: str, progress: Callback | None
    ) -> tuple[Any, float, float]:
        """A, tr A, |A|_F^2."""
        A = self._built(rows, None, sigma, alpha, dtype, progress).A
        return A, float(np.trace(A, dtype=np.float64)), _frobenius2(A)

    def eigenpairs(
        self, rows: Any, sigma: float, alpha: float, dtype: str, k: int, progress: Callback | None
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any], Doubles]:
        """K eigenvalues after the first, their vectors, the degrees."""
        built = self._built(rows, None, sigma, alpha, "float64", progress)
        values, vectors = _core.symmetric_eigenpairs(built.A)
        return values[-2 : -k - 2 : -1], vectors[:, -2 : -k - 2 : -1], built.degrees

    def subset_spectra(
        self,
        rows: Any,
        offsets: npt.NDArray[np.int64],
        indices: npt.NDArray[np.int64],
        sigma: float,
        alpha: float | None,
        dtype: str,
        memory_limit: float,
        progress: Callback | None,
    ) -> tuple[npt.NDArray[Any], Doubles, Doubles]:
        """The eigenvalues of each subset of the rows, the sums of their kernels and of themselves.

        Subsets of one size are solved as a batch, as many as `memory_limit` bytes hold.
        """
        sizes = np.diff(offsets)
        values = np.empty(len(indices), dtype)
        kernel_sums, traces = np.empty(len(sizes)), np.empty(len(sizes))
        work, done = float((sizes.astype(np.float64) ** 3).sum()), 0.0
        for numbers in _batches(sizes, memory_limit / np.dtype(dtype).itemsize):
            size = int(sizes[numbers[0]])
            batch = np.empty((len(numbers), size, size), dtype)
            for place, number in enumerate(numbers):
                chosen = np.sort(indices[offsets[number] : offsets[number + 1]])  # read in order
                built = self._built(rows, chosen, sigma, alpha, dtype, None)
                batch[place], kernel_sums[number] = built.A, built.kernel_sum
            own = float(len(numbers)) * float(size) ** 3
            told = part(progress, done / work, (done + own) / work)
            found = _core.symmetric_eigenvalues(batch, "auto", True, told)
            found = _usable(found, alpha, _tolerance(rows, dtype))
            for spectrum, number in zip(found, numbers, strict=True):
                values[offsets[number] : offsets[number + 1]] = spectrum
                traces[number] = spectrum.sum(dtype=np.float64)
            done += own
        return values, kernel_sums, traces

    def kernel_operator(
        self,
        rows: Any,
        chosen: npt.NDArray[np.int64] | None,
        sigma: float,
        alpha: float | None,
        dtype: str,
        explicit: bool,
        memory_limit: float,
        progress: Callback | None,
    ) -> GivenProducts:
        """A for products, which keeps its matrix; the density matrix where alpha is None."""
        built = self._built(rows, chosen, sigma, alpha, dtype, progress)
        if alpha is None:
            np.divide(built.A, len(built.A), out=built.A)
        return built

    def entries(self, block: npt.NDArray[Any], sigma: float) -> Doubles:
        """The kernel, from entries of the caller's matrix: a new array."""
        kernel: Doubles = block.astype(np.float64)
        return kernel

    def diagonal(self, rows: Any) -> float:
        """The one value on the diagonal of K; ValueError where there are several."""
        diagonal = np.diagonal(rows)
        low, high = float(diagonal.min()), float(diagonal.max())
        if low <= 0.0 or high - low > _tolerance(rows, "float64") * high:
            raise ValueError(
                "kernel='precomputed': for a density matrix the diagonal of Z must be constant and "
                f"positive, as a row is as like itself as any other, got values from {low:.6g} to "
                f"{high:.6g}; Z / np.sqrt(np.outer(np.diag(Z), np.diag(Z))) has ones there"
            )
        return float(diagonal.mean(dtype=np.float64))

    def _built(
        self,
        rows: Any,
        chosen: npt.NDArray[np.int64] | None,
        sigma: float,
        alpha: float | None,
        dtype: str,
        progress: Callback | None,
    ) -> GivenProducts:
        """The matrix of all rows or of some; the kernel with ones on its diagonal for no alpha.

        A kernel of several blocks is computed anew for each sum over its rows, so that nothing but
        A is kept. An A in float32 has been scaled in float64.
        """
        n = len(rows) if chosen is None else len(chosen)

        def computed() -> Iterator[tuple[slice, Doubles]]:
            for some in _blocks(n):
                own = rows[some] if chosen is None else rows[np.ix_(chosen[some], chosen)]
                yield some, self.entries(own, sigma)

        small = list(computed()) if n**2 <= ENTRIES_AT_A_TIME else None

        def kernel() -> Iterable[tuple[slice, Doubles]]:
            return computed() if small is None else small

        q, degrees, A = np.empty(n), np.empty(n), np.empty((n, n), dtype)
        for some, G in kernel():
            q[some] = G.sum(axis=1)
            if alpha is not None:
                self._require_weights(G, _tolerance(rows, "float64"))
        if alpha is None:
            unit = self.diagonal(rows)
            degrees, s = q / unit, np.full(n, unit**-0.5)
            kernel_sum = float(degrees.sum())
        else:
            _require_joined(q, chosen)
            kernel_sum, w = float(q.sum()), (q / q.min()) ** -alpha
            for some, G in kernel():
                degrees[some] = w[some] * (G @ w)
            _require_degrees(degrees, alpha)
            s = w / np.sqrt(degrees)
        for some, G in kernel():
            A[some] = G * s * s[some, None]
            if progress is not None:
                progress(some.stop / n)
        return GivenProducts(A, kernel_sum, degrees)

    def _require_weights(self, G: Doubles, tolerance: float) -> None:
        least = float(G.min())
        if least < -tolerance * float(G.max()):
            raise ValueError(
                f"kernel={self.holds!r}: Z has negative entries, the smallest is {least:.6g}; the "
                "weights of a diffusion are at least 0 (kernel_entropy takes such a kernel where "
                "it is positive semidefinite)"
            )


class Distances(Precomputed):
    """Computes with the Gaussian kernel of a matrix of distances (n, n)."""

    holds = "distances"

    def rows(self, Z: Any, progress: Any = False) -> Matrix:
        """Z as a finite symmetric matrix of distances."""
        D = super().rows(Z, progress)
        least, own = float(D.min()), float(np.abs(np.diagonal(D)).max())
        if least < 0.0:
            raise ValueError(
                f"kernel='distances': Z has negative entries, the smallest is {least:.6g}; a "
                "similarity is passed as kernel='precomputed'"
            )
        if own > _tolerance(D, "float64") * float(D.max()):
            raise ValueError(
                "kernel='distances': a row is at distance 0 from itself, but the largest entry on "
                f"the diagonal of Z is {own:.6g}; a similarity is passed as kernel='precomputed'"
            )
        return D

    def entries(self, block: npt.NDArray[Any], sigma: float) -> Doubles:
        """The Gaussian kernel of some distances: a new array."""
        with np.errstate(over="ignore"):  # to an entry of 0
            G: Doubles = block / np.float64(sigma)
            np.square(G, out=G)
        G *= -0.5
        return np.exp(G, out=G)

    def diagonal(self, rows: Any) -> float:
        """G of a row with itself."""
        return 1.0


@dataclass(frozen=True)
class GivenRows(Rows):
    """A matrix of the caller's in the place of rows; `device` knows what its entries are."""

    @property
    def d(self) -> int:
        """1: an entry of the kernel takes one number."""
        return 1

    def squared_distances(self, numbers: npt.NDArray[np.int64]) -> tuple[Doubles, float]:
        """The squares of the caller's distances between the rows of these numbers, and 1."""
        return self.entries(numbers) ** 2, 1.0

    def entries(self, numbers: npt.NDArray[np.int64]) -> Doubles:
        """What the caller has for each two of the rows of these numbers."""
        return np.array(self.array[np.ix_(numbers, numbers)], dtype=np.float64)

    def chosen(self, numbers: npt.NDArray[np.int64]) -> GivenRows:
        """The entries between the rows of these numbers."""
        return GivenRows(self.array[np.ix_(numbers, numbers)], self.device)


@dataclass(frozen=True)
class GivenProducts:
    r"""A matrix, its products with vectors, and its sums.

    Attributes
    ----------
    A : array of shape (n, n)
    kernel_sum : float
        Sum of all entries of the kernel.
    degrees : array of shape (n,)
    """

    A: npt.NDArray[Any]
    kernel_sum: float
    degrees: Doubles

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.A)

    @property
    def trace(self) -> float:
        """Tr A."""
        return float(np.trace(self.A, dtype=np.float64))

    @property
    def frobenius2(self) -> float:
        r"""\|A\|_F^2."""
        return _frobenius2(self.A)

    def matmul(self, V: npt.NDArray[Any], progress: Callback | None = None) -> npt.NDArray[Any]:
        """A @ V for V of shape (n, m), in the dtype of V: a new array."""
        product: npt.NDArray[Any] = _core.symmetric_product(self.A, V)
        return product


GIVEN = {kind.holds: kind() for kind in (Precomputed, Distances)}
KERNELS = ("gaussian", *GIVEN)


def samples_of(Z: Any, kernel: str, device: Any = None, progress: Any = False) -> Rows:
    """The rows of Z, or the matrix that `kernel` says it is, where they are computed with."""
    if is_given(kernel):
        return given_rows(Z, kernel, device, progress)
    return Rows.of(Z, device, progress)


def is_given(kernel: str) -> bool:
    """Whether Z is then a matrix (n, n)."""
    return one_of(kernel, "kernel", KERNELS) in GIVEN


def given_rows(Z: Any, kernel: str, device: Any = None, progress: Any = False) -> GivenRows:
    """Z as the matrix that `kernel` says it is.

    Raises
    ------
    TypeError, ValueError
        Z is no finite symmetric matrix of numbers, or lies on a GPU, or `device` is one.
    """
    if parse(device)[0] == "cuda":
        raise ValueError(
            f"device={str(device)!r}: kernel={kernel!r} is computed on the CPU: leave device out"
        )
    known = GIVEN[kernel]
    return GivenRows(known.rows(Z, progress), known)


def _symmetric(matrix: Matrix, kernel: str) -> Matrix:
    """The matrix, exactly symmetric; ValueError where more than rounding is amiss."""
    n, difference, largest = len(matrix), 0.0, 0.0
    for some in _blocks(n):
        block = matrix[some].astype(np.float64)
        difference = max(difference, float(np.abs(block - matrix[:, some].T).max()))
        largest = max(largest, float(np.abs(block).max()))
    if difference > _tolerance(matrix, "float64") * largest:
        raise ValueError(
            f"kernel={kernel!r}: Z is not symmetric: entries differ from their mirror images by up "
            f"to {difference:.3g}, which is {difference / largest:.3g} of the largest entry; where "
            "that is meant, pass (Z + Z.T) / 2"
        )
    return matrix if difference == 0.0 else (0.5 * matrix + 0.5 * matrix.T).astype(matrix.dtype)


def _require_joined(q: Doubles, chosen: npt.NDArray[np.int64] | None) -> None:
    least = int(q.argmin())
    if not q[least] > 0.0:
        row = least if chosen is None else int(chosen[least])
        within = "" if chosen is None else " within its group"
        raise ValueError(
            f"kernel='precomputed': row {row} of Z adds up to {q[least]:.3g}{within}, so that no "
            "row, itself included, has a weight for it; put its likeness to itself on the diagonal"
        )


def _require_degrees(degrees: Doubles, alpha: float) -> None:
    if not degrees.min() > 0.0:
        raise ValueError(
            f"kernel='precomputed': the sums of the rows of Z to the power alpha={alpha:g} lie "
            "further apart than float64 holds; pass a smaller alpha, or another kernel"
        )


def _usable(values: npt.NDArray[Any], alpha: float | None, tolerance: float) -> npt.NDArray[Any]:
    """Spectra, descending: magnitudes for a diffusion; those of a density matrix as they are."""
    if alpha is not None:
        return np.sort(np.abs(values), axis=-1)[..., ::-1]
    least, largest = float(values.min()), float(values.max())
    if least < -tolerance * largest:
        raise ValueError(
            "the kernel is not positive semidefinite, as a density matrix is: its smallest "
            f"eigenvalue is {least:.3g}, its largest {largest:.3g}. Pass another kernel; "
            "diffusion_spectral_entropy takes this one, where its entries are at least 0"
        )
    return values


def _tolerance(rows: npt.NDArray[Any], dtype: str) -> float:
    return max(TOLERANCE[str(rows.dtype)], TOLERANCE[dtype])


def _frobenius2(A: npt.NDArray[Any]) -> float:
    blocks = (A[some].astype(np.float64).ravel() for some in _blocks(len(A)))
    return float(sum(block @ block for block in blocks))


def _blocks(n: int) -> Iterator[slice]:
    """Rows that are read at a time."""
    count = max(1, ENTRIES_AT_A_TIME // n)
    return (slice(start, min(start + count, n)) for start in range(0, n, count))


def _batches(sizes: npt.NDArray[np.int64], entries: float) -> Iterator[npt.NDArray[np.intp]]:
    """The numbers of subsets of one size, no more than have `entries` entries together."""
    for size in np.unique(sizes):
        numbers = np.flatnonzero(sizes == size)
        count = max(1, int(entries / float(size) ** 2))
        for start in range(0, len(numbers), count):
            yield numbers[start : start + count]

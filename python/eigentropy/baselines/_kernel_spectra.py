"""Eigenvalues of K / n for kernel matrices with K_ii = 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from eigentropy import _core
from eigentropy._backends.host_arrays import Matrix, as_matrix, as_square_matrices
from eigentropy._backends.rows import Rows
from eigentropy._kernels.bandwidth import resolve_sigma
from eigentropy._kernels.saturation import warn_if_saturated
from eigentropy._spectra.eigenvalues import eigvalsh
from eigentropy._support import memory
from eigentropy._support.options import one_of, random_seed
from eigentropy.baselines._singular_values import Spectrum, squared_singular_values

KERNELS = ("gaussian", "cosine", "precomputed")

# How far a precomputed kernel may be from symmetric, relative to its diagonal.
SYMMETRY = 1e-6


def kernel_eigenvalues(
    Z: Any, kernel: str, sigma: float | str, seed: int
) -> tuple[Spectrum, int, dict[str, Any]]:
    """Of K / n with K_ii = 1; n; and what was used."""
    one_of(kernel, "kernel", KERNELS)
    seed = random_seed(seed)
    if kernel == "precomputed":
        eigenvalues = _precomputed_eigenvalues(Z)
        return eigenvalues, len(eigenvalues), {"kernel": kernel}
    rows = as_matrix(Z)
    if kernel == "cosine":
        return _cosine_eigenvalues(rows), len(rows), {"kernel": kernel}
    width = resolve_sigma(sigma, Rows(rows), seed)
    return _gaussian_eigenvalues(rows, width), len(rows), {"kernel": kernel, "sigma": width}


def _gaussian_eigenvalues(rows: Matrix, sigma: float) -> Spectrum:
    n = len(rows)
    _require_kernel_memory(n)
    eigenvalues, _, _, kernel_sum, _ = _core.spectrum(rows, sigma, None, "float64")
    warn_if_saturated(n, kernel_sum, sigma)
    return np.maximum(eigenvalues, 0.0) / n


def _cosine_eigenvalues(rows: Matrix) -> Spectrum:
    """The squared singular values of the rows divided by their lengths."""
    scale = np.abs(rows).max(axis=1, keepdims=True).astype(np.float64)
    if not scale.all():
        raise ValueError(f"row {int(scale.argmin())} of Z is 0: kernel='cosine' needs a direction")
    directions = rows / scale  # so that no square overflows
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    squares = squared_singular_values(directions, center=False)
    shares: Spectrum = squares / squares.sum()
    return shares


def _precomputed_eigenvalues(K: Any) -> Spectrum:
    matrix = as_square_matrices(K, "Z")
    if matrix.ndim != 2:
        raise ValueError(f"Z as a kernel must have shape (n, n), got {matrix.shape}")
    diagonal = np.diagonal(matrix)
    if not np.isfinite(matrix).all():
        raise ValueError("Z as a kernel has NaN or infinity")
    if not (diagonal > 0).all():
        raise ValueError("Z as a kernel must have a positive diagonal")
    roots = np.sqrt(diagonal.astype(np.float64))
    A = matrix / roots[:, None] / roots
    if np.abs(A - A.T).max() > SYMMETRY:
        raise ValueError("Z as a kernel must be symmetric")
    eigenvalues: Spectrum = eigvalsh(A, overwrite=True) / len(A)
    if eigenvalues[-1] < -SYMMETRY:
        raise ValueError(
            f"Z as a kernel must be positive semidefinite, but has an eigenvalue "
            f"{eigenvalues[-1]:.3g} times its trace"
        )
    return np.maximum(eigenvalues, 0.0)


def _require_kernel_memory(n: int) -> None:
    memory.require(
        8.0 * n * (n + 300), f"the {n} x {n} kernel", "use fewer rows, or kernel='cosine'"
    )

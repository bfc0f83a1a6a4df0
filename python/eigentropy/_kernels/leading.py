"""Leading eigenpairs of a sparse diffusion matrix, and how many eigenvalues are above a threshold.

Every connected part of the graph has the eigenvalue 1 once. Its eigenvectors are known, and what is
left is looked for by Lanczos (ARPACK, by SciPy).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._kernels.graph import SparseOperator

Doubles = npt.NDArray[np.float64]

# All eigenpairs up to this many rows: Lanczos needs room for its vectors.
DENSE_ROWS = 512

# Eigenvalues beyond the known ones that are counted, and in the first attempt.
MOST_COUNTED, FIRST_COUNTED = 256, 8

# Relative accuracy of an eigenvalue.
ACCURACY = 1e-9


def unit_eigenvectors(operator: SparseOperator) -> Any:
    """One eigenvector of the eigenvalue 1 for each connected part: sparse, (n, parts)."""
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    parts, labels = connected_components(operator.A, directed=False)
    totals = np.bincount(labels, weights=operator.degrees)
    entries = np.sqrt(operator.degrees / totals[labels])
    return sparse.csr_array((entries, (np.arange(len(labels)), labels)), shape=(len(labels), parts))


def leading_eigenpairs(operator: SparseOperator, k: int, seed: int) -> tuple[Doubles, Doubles]:
    """The k largest eigenvalues after the first, (k,), and their vectors, (n, k), orthonormal.

    The first one is that of sqrt(degrees).
    """
    if operator.n <= max(DENSE_ROWS, 2 * k):
        top = np.sqrt(operator.degrees / operator.degrees.sum())
        values, vectors = np.linalg.eigh(operator.dense() - 2.0 * np.outer(top, top))
        return values[: -k - 1 : -1], vectors[:, : -k - 1 : -1]
    units = unit_eigenvectors(operator)
    parts = units.shape[1]
    of_top = units.T @ np.sqrt(operator.degrees)
    others = np.linalg.svd(of_top[None])[2][1 : k + 1].T  # orthogonal to the first
    values, vectors = np.ones(others.shape[1]), units @ others
    if parts - 1 < k:
        more, their = _lanczos(operator.A, units, k - parts + 1, "LA", seed)
        order = np.argsort(-more)
        values = np.append(values, more[order])
        vectors = np.column_stack([vectors, their[:, order]])
    return values, vectors


def count_above(operator: SparseOperator, magnitude: float, seed: int) -> int:
    """How many eigenvalues have a magnitude above this one, between 0 and 1.

    Lanczos is repeated, from new random vectors and without the eigenvectors that were found,
    until it finds none above.

    Raises
    ------
    ValueError
        More than 256 beside those of the connected parts.
    """
    found: Any = unit_eigenvectors(operator)
    parts, wanted = int(found.shape[1]), FIRST_COUNTED
    found = [found]
    count = 0
    while True:
        values, vectors = _lanczos(operator.A, found, wanted, "LM", seed + count)
        above = np.abs(values) > magnitude
        if not above.any():
            return parts + count
        count += int(above.sum())
        if count > MOST_COUNTED:
            raise ValueError(
                f"more than {parts + MOST_COUNTED} of the {operator.n} eigenvalues are above the "
                f"threshold, |lambda| > {magnitude:.6g}: pass a larger threshold or a larger t, or "
                "count the eigenvalues of fewer rows"
            )
        found.append(vectors[:, above])
        wanted = min(2 * wanted, MOST_COUNTED) if above.all() else 1


def _lanczos(A: Any, excluded: Any, k: int, which: str, seed: int) -> tuple[Doubles, Doubles]:
    """K eigenpairs on the complement of some orthonormal eigenvectors."""
    from scipy.sparse.linalg import LinearOperator, eigsh

    blocks = excluded if isinstance(excluded, list) else [excluded]

    def outside(x: Doubles) -> Doubles:
        for V in blocks:
            x = x - V @ (V.T @ x)
        return x

    product = LinearOperator(A.shape, matvec=lambda x: outside(A @ outside(x.ravel())), dtype=float)
    start = outside(np.random.default_rng(seed).normal(size=A.shape[0]))
    values, vectors = eigsh(product, k, which=which, v0=start, tol=ACCURACY)
    return values, vectors

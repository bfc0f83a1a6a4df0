"""Matrices whose eigenvalues were prescribed."""

from __future__ import annotations

import numpy as np


class Matrix:
    """The products of a NumPy matrix."""

    def __init__(self, A, degrees):
        self.A, self.degrees = A, degrees
        self.n, self.trace, self.frobenius2 = len(A), float(np.trace(A)), float((A * A).sum())
        self.columns = 0

    def matmul(self, V, progress=None):
        if progress is not None:
            progress(0.5)
        self.columns += V.shape[1]
        return (self.A @ V).astype(V.dtype)


def prescribed(eigenvalues, seed=0):
    """A matrix with these eigenvalues after the known 1, in random directions."""
    n = len(eigenvalues) + 1
    rng = np.random.default_rng(seed)
    degrees = rng.uniform(0.5, 2.0, n)
    start = np.column_stack([np.sqrt(degrees), rng.normal(size=(n, n - 1))])
    vectors = np.linalg.qr(start)[0]
    spectrum = np.concatenate([[1.0], eigenvalues])
    return Matrix((vectors * spectrum) @ vectors.T, degrees), spectrum


def with_spectrum(values, rng, dtype=np.float64):
    """A symmetric matrix with these eigenvalues, in random directions."""
    Q, _ = np.linalg.qr(rng.normal(size=(len(values), len(values))))
    return ((Q * values) @ Q.T).astype(dtype)

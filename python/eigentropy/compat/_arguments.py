"""What the four functions make of their common arguments: rows, a matrix, its eigenvalues."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from eigentropy._backends.host_arrays import Matrix, as_matrix
from eigentropy._support.options import integer, positive
from eigentropy.compat import _eigenvalue_files as files
from eigentropy.compat._graphs import Floats, Gaussian, Graph, Neighbours
from eigentropy.compat._groups import random_numbers


def refuse_chebyshev(chebyshev_approx: bool) -> None:
    """Raise NotImplementedError for an option of dse-dsmi that is not available."""
    if chebyshev_approx:
        raise NotImplementedError(
            "chebyshev_approx=True is not available: it changes the eigenvalues, and the exact "
            "ones are fast here; leave it out"
        )


def printer(verbose: bool) -> Callable[[str], None]:
    """Print what is being done, or nothing."""
    return print if verbose else lambda _: None


def required(rows: Matrix | None) -> Matrix:
    """Return the rows; raise ValueError where there are none."""
    if rows is None:
        raise ValueError(
            "embedding_vectors is None: that needs an eigval_save_path that exists, and an "
            "entropy of eigenvalues"
        )
    return rows


def drawn_rows(embedding_vectors: Any, max_N: int | None, seed: int | None) -> Matrix | None:
    """Return all rows, or `max_N` of them in the order of random.sample."""
    generator = random_numbers(seed)
    if embedding_vectors is None:
        return None
    rows = as_matrix(embedding_vectors, "embedding_vectors")
    if max_N is None or len(rows) <= integer(max_N, "max_N", at_least=1):
        return rows
    return rows[generator.sample(range(len(rows)), max_N)]


def chosen_graph(sigma: float, anisotropic: bool, use_knn: bool, knn: int) -> Graph:
    """Choose the adjacency matrix: of nearest neighbours, of the Gaussian kernel, or D^-1 G."""
    if use_knn:
        return Neighbours(integer(knn, "knn", at_least=1))
    sigma = positive(sigma, "gaussian_kernel_sigma")
    return Gaussian(sigma, alpha=0.0 if anisotropic else None)


def kept_eigenvalues(
    rows: Matrix | None, graph: Graph, save_path: Any, precision: Any, say: Callable[[str], None]
) -> Floats:
    """Compute the eigenvalues, or read them from the file where it belongs to these rows."""
    if save_path is None:
        say("Computing eigenvalues")
        return graph.eigenvalues(required(rows))
    path = Path(save_path)
    if rows is None and path.exists():
        say(f"Reading eigenvalues from {path}")
        return files.load(path)
    say(f"Eigenvalues kept in {path}")
    return files.load_or_compute(path, precision, required(rows), graph)

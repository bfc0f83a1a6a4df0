"""The four functions of the package `dse-dsmi` 1.1, at the speed of this one.

Change ``from dse_dsmi import ...`` to ``from eigentropy.compat.dse_dsmi import ...``: names, order
and defaults of the arguments are the same, and so are the values, to 1e-9 for float64 input (1e-6
with eigenvalue files in float16). Entropies are in bits.

What is computed, and where it is not what the names suggest:

- The kernel is ``G_ij = exp(-|z_i - z_j|^2 / (2 sigma^2))`` with sigma = 10 whatever the scale of
  the data; `eigentropy.diffusion_spectral_entropy` chooses it from them.
- Eigenvalues are those of D^-1 G with D the row sums of G, that is alpha = 0 in the notation of
  `eigentropy.DiffusionOperator`, not the alpha = 1/2 of the paper. `matrix_entry_entropy` does
  use alpha = 1/2.
- Every probability is raised by 2.2e-16 before the logarithm.

What is different on purpose:

- Random numbers come from a generator of its own, with the same numbers for the same seed: the
  state of `random` is neither read nor changed, and `random_seed=None` differs at each call.
- Warning filters are left alone, and constant columns need none.
- An eigenvalue file belongs to its data and settings; see `diffusion_spectral_entropy`.
- The inputs are checked: NaN, lengths that differ, and options out of range are errors.
- `chebyshev_approx=True`, which dse-dsmi advises against, is not available.

Equality ends where the result is a matter of rounding: float32 input (computed in float64 here),
t < 1 for spectra that are mostly rounding noise, nearest neighbours at equal distances that no
exact arithmetic tells apart (integer data are exact in both).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import Matrix, as_matrix
from eigentropy._support.options import integer, nonnegative, positive
from eigentropy.compat._arguments import (
    chosen_graph,
    drawn_rows,
    kept_eigenvalues,
    printer,
    refuse_chebyshev,
    required,
)
from eigentropy.compat._graphs import (
    Gaussian,
    RowNumbers,
    entry_entropy,
    shannon_entropy,
    spectral_entropy,
)
from eigentropy.compat._groups import find_clusters, information

__all__ = [
    "adjacency_spectral_entropy",
    "adjacency_spectral_mutual_information",
    "diffusion_spectral_entropy",
    "diffusion_spectral_mutual_information",
]


def diffusion_spectral_entropy(
    embedding_vectors: Any,
    gaussian_kernel_sigma: float = 10,
    t: float = 1,
    max_N: int | None = 10000,
    chebyshev_approx: bool = False,
    eigval_save_path: Any = None,
    eigval_save_precision: Any = np.float16,
    classic_shannon_entropy: bool = False,
    matrix_entry_entropy: bool = False,
    num_bins_per_dim: int = 2,
    random_seed: int | None = 0,
    verbose: bool = False,
) -> float:
    r"""Diffusion spectral entropy, or one of two alternatives, of the rows of a matrix.

    .. math::

        S = -\sum_i a_i \log_2 a_i, \qquad a_i = |\lambda_i|^t / \sum_j |\lambda_j|^t

    with the eigenvalues lambda of D^-1 G. With `matrix_entry_entropy`, a runs over the n^2 entries
    of the diffusion matrix (alpha = 1/2) divided by n. With `classic_shannon_entropy`, over the
    frequencies of the occupied cells of a grid.

    Parameters
    ----------
    embedding_vectors : array-like of shape (n, d), or None
        One row a sample. None: use the eigenvalues in `eigval_save_path`, whatever they are of.
    gaussian_kernel_sigma : float
        sigma in exp(-r^2 / (2 sigma^2)), in the units of the data.
    t : float
        Diffusion time, >= 0.
    max_N : int or None
        With more rows, that many are drawn at random. None: all rows.
    chebyshev_approx : bool
        Must be False.
    eigval_save_path : path, optional
        An .npz file of eigenvalues, of use in the spectral mode only. Written if it is not there
        (with its folder), otherwise read, if it belongs to these rows and settings. A file of
        others is replaced; one that dse-dsmi wrote, which does not say what it is of, is neither
        used nor touched. dse-dsmi reads these files.
    eigval_save_precision : dtype
        Of the file that is written. The call that writes it computes with the rounded eigenvalues
        in this type, as dse-dsmi does: float16 costs about three digits. float64 costs none.
    classic_shannon_entropy : bool
        Entropy of a histogram with `num_bins_per_dim` bins of equal width over the range of each
        column. Constant columns count for nothing.
    matrix_entry_entropy : bool
        Entropy of the matrix entries.
    num_bins_per_dim : int
        Of the histogram.
    random_seed : int or None
        Of the rows that are drawn.
    verbose : bool
        Print what is being done.

    Returns
    -------
    float
        In bits.

    Raises
    ------
    ValueError, TypeError
        NaN, wrong shapes, options out of range; a file that holds no eigenvalues, which is left
        as it is; eigenvalues outside the range of `eigval_save_precision`.
    NotImplementedError
        `chebyshev_approx` is set.
    MemoryError
        The n x n matrix does not fit; raised before it is allocated.

    Warns
    -----
    UserWarning
        The file at `eigval_save_path` is of other data, or does not say of which.

    Examples
    --------
    >>> import numpy as np
    >>> Z = np.random.default_rng(0).normal(size=(200, 64))
    >>> bool(diffusion_spectral_entropy(Z) > diffusion_spectral_entropy(Z, t=2))
    True
    """
    refuse_chebyshev(chebyshev_approx)
    say = printer(verbose)
    rows = drawn_rows(embedding_vectors, max_N, random_seed)
    if classic_shannon_entropy:
        say("Shannon entropy of a histogram")
        bins = integer(num_bins_per_dim, "num_bins_per_dim", at_least=1)
        return shannon_entropy(required(rows), bins)
    sigma = positive(gaussian_kernel_sigma, "gaussian_kernel_sigma")
    if matrix_entry_entropy:
        say("Entropy of the entries of the diffusion matrix")
        return entry_entropy(required(rows), sigma)
    t = nonnegative(t, "t")
    graph = Gaussian(sigma, alpha=0.0)
    values = kept_eigenvalues(rows, graph, eigval_save_path, eigval_save_precision, say)
    return spectral_entropy(values, t)


def adjacency_spectral_entropy(
    embedding_vectors: Any,
    gaussian_kernel_sigma: float = 10,
    anisotropic: bool = False,
    use_knn: bool = False,
    knn: int = 10,
    max_N: int | None = 10000,
    eigval_save_path: Any = None,
    eigval_save_precision: Any = np.float16,
    random_seed: int | None = 0,
    verbose: bool = False,
) -> float:
    r"""Spectral entropy of an adjacency matrix of the rows.

    .. math:: S = -\sum_i a_i \log_2 a_i, \qquad a_i = |\lambda_i| / \sum_j |\lambda_j|

    with the eigenvalues lambda of the Gaussian kernel G, or of one of two other matrices.

    Parameters
    ----------
    embedding_vectors, gaussian_kernel_sigma, max_N, random_seed, verbose
        As in `diffusion_spectral_entropy`.
    anisotropic : bool
        Take D^-1 G, so that this is `diffusion_spectral_entropy` at t = 1.
    use_knn : bool
        Take the binary matrix that joins each row to its nearest ones; goes before `anisotropic`.
        It is not symmetric in general, and solved as it is: O(n^3) with a large constant.
    knn : int
        Number of nearest rows, the row itself counted. Rows at the same distance as the last are
        all in.
    eigval_save_path, eigval_save_precision
        As in `diffusion_spectral_entropy`. Magnitudes are stored: dse-dsmi drops the imaginary
        parts of the eigenvalues of a neighbour matrix when it saves them, which changes the
        entropy.

    Returns
    -------
    float
        In bits.

    Raises
    ------
    ValueError, TypeError, MemoryError
        As in `diffusion_spectral_entropy`; fewer rows than `knn`.
    """
    say = printer(verbose)
    rows = drawn_rows(embedding_vectors, max_N, random_seed)
    graph = chosen_graph(gaussian_kernel_sigma, anisotropic, use_knn, knn)
    values = kept_eigenvalues(rows, graph, eigval_save_path, eigval_save_precision, say)
    return spectral_entropy(values, 1.0)


def diffusion_spectral_mutual_information(
    embedding_vectors: Any,
    reference_vectors: Any,
    reference_discrete: bool | None = None,
    gaussian_kernel_sigma: float = 10,
    t: float = 1,
    chebyshev_approx: bool = False,
    num_repetitions: int = 5,
    n_clusters: int = 10,
    precomputed_clusters: Any = None,
    classic_shannon_entropy: bool = False,
    matrix_entry_entropy: bool = False,
    num_bins_per_dim: int = 2,
    random_seed: int | None = 0,
    verbose: bool = False,
) -> tuple[float, npt.NDArray[Any]]:
    r"""Diffusion spectral mutual information of two sets of vectors with common rows.

    The second set divides the rows into groups y of n_y rows, and

    .. math:: I = \sum_y \frac{n_y}{n} \big( \bar S_y - S(Z \mid y) \big)

    where S(Z | y) is the entropy of the group and S_y bar the mean entropy of `num_repetitions`
    random sets of n_y rows. Entropies are those of `diffusion_spectral_entropy`; all of them are
    solved as one batch.

    Parameters
    ----------
    embedding_vectors : array-like of shape (n, d)
    reference_vectors : array-like of shape (n,) or (n, m)
        Labels, scalars (cut into bins of equal width) or vectors (spectral clustering, which needs
        scikit-learn).
    reference_discrete : bool, optional
        Whether these are labels; by default if they are one column of integers.
    gaussian_kernel_sigma, t, chebyshev_approx
        As in `diffusion_spectral_entropy`.
    num_repetitions : int
        Random sets for each group.
    n_clusters : int
        Bins or clusters that a continuous reference is divided into.
    precomputed_clusters : array-like of shape (n,) or (n, 1), optional
        The group of each row, for a continuous reference: what an earlier call returned.
    classic_shannon_entropy, matrix_entry_entropy, num_bins_per_dim
        As in `diffusion_spectral_entropy`.
    random_seed : int or None
        Of the random sets; each group starts from it anew. Groups of more than 10000 rows are
        themselves drawn from, with seed 0.
    verbose : bool
        Print what is being done.

    Returns
    -------
    value : float
        In bits; may be negative.
    clusters : array
        The group of each row: labels as they came, in shape (n, 1); bin numbers 1 .. n_clusters in
        shape (n, 1); cluster numbers in shape (n,); or `precomputed_clusters`.

    Raises
    ------
    ValueError, TypeError, NotImplementedError, MemoryError
        As in `diffusion_spectral_entropy`; a reference of another length; labels in more than one
        column; missing labels.
    """
    refuse_chebyshev(chebyshev_approx)
    bins = integer(num_bins_per_dim, "num_bins_per_dim", at_least=1)
    sigma = positive(gaussian_kernel_sigma, "gaussian_kernel_sigma")
    t = nonnegative(t, "t")

    def entropies(rows: Matrix, subsets: list[RowNumbers]) -> list[float]:
        if classic_shannon_entropy:
            return [shannon_entropy(rows[subset], bins) for subset in subsets]
        if matrix_entry_entropy:
            return [entry_entropy(rows[subset], sigma) for subset in subsets]
        spectra = Gaussian(sigma, alpha=0.0).of_subsets(rows, subsets)
        return [spectral_entropy(values, t) for values in spectra]

    rows = as_matrix(embedding_vectors, "embedding_vectors")
    clusters = find_clusters(
        reference_vectors, len(rows), reference_discrete, n_clusters, precomputed_clusters
    )
    value = information(rows, clusters, entropies, num_repetitions, random_seed, printer(verbose))
    return value, clusters


def adjacency_spectral_mutual_information(
    embedding_vectors: Any,
    reference_vectors: Any,
    reference_discrete: bool | None = None,
    gaussian_kernel_sigma: float = 10,
    use_knn: bool = False,
    anisotropic: bool = False,
    num_repetitions: int = 5,
    n_clusters: int = 10,
    precomputed_clusters: Any = None,
    random_seed: int | None = 0,
    verbose: bool = False,
) -> tuple[float, npt.NDArray[Any]]:
    """Mutual information as in `diffusion_spectral_mutual_information`, of adjacency entropies.

    Parameters
    ----------
    embedding_vectors, reference_vectors, reference_discrete, num_repetitions, n_clusters, \
precomputed_clusters, random_seed, verbose
        As in `diffusion_spectral_mutual_information`.
    gaussian_kernel_sigma, use_knn, anisotropic
        As in `adjacency_spectral_entropy`. The number of nearest rows is 10, so that no group may
        be smaller.

    Returns
    -------
    value : float
        In bits; may be negative.
    clusters : array
        As in `diffusion_spectral_mutual_information`.

    Raises
    ------
    ValueError, TypeError, MemoryError
        As in `diffusion_spectral_mutual_information`; a group of fewer than 10 rows with
        `use_knn`.
    """
    graph = chosen_graph(gaussian_kernel_sigma, anisotropic, use_knn, knn=10)

    def entropies(rows: Matrix, subsets: list[RowNumbers]) -> list[float]:
        return [spectral_entropy(values, 1.0) for values in graph.of_subsets(rows, subsets)]

    rows = as_matrix(embedding_vectors, "embedding_vectors")
    clusters = find_clusters(
        reference_vectors, len(rows), reference_discrete, n_clusters, precomputed_clusters
    )
    value = information(rows, clusters, entropies, num_repetitions, random_seed, printer(verbose))
    return value, clusters

"""The diffusion map as a transformer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from eigentropy._backends.rows import sample_rows
from eigentropy._kernels.extension import Extension
from eigentropy._kernels.given import is_given
from eigentropy._measures.operator import DiffusionOperator
from eigentropy._support.options import integer, positive
from eigentropy._support.signatures import arguments_called

Doubles = npt.NDArray[np.float64]

TYPES = [np.float64, np.float32]


class DiffusionMap(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    r"""Diffusion coordinates of rows, and of rows that come later.

    Column j of the result is :math:`\lambda_j^t \psi_j`, as of
    `eigentropy.DiffusionOperator.diffusion_map`. At new rows the eigenvectors are extended by
    Nystroem's formula, of which the rows of `fit` are fixed points: ``fit_transform(X)`` is
    ``fit(X).transform(X)`` but for rounding.

    Where it is weak: a new row that is far from all rows of `fit` has the coordinates of the
    nearest of them, each divided by its eigenvalue, however far away it is. `fit` takes a matrix
    n x n and O(n^3) time; `max_points` bounds n.

    Parameters
    ----------
    n_components : int
        Columns of the result: below the number of rows of `fit`.
    t : float
        Diffusion time, > 0.
    sigma : float or str
        Kernel width, or a rule of `eigentropy.bandwidth`.
    alpha : float
        Density normalisation: 1/2 the paper's, 1 removes the density of the rows, 0 keeps it.
    kernel : {"gaussian", "precomputed", "distances"}
        What X is: rows; or a symmetric kernel or distances, (n, n) in `fit`, and (m, n) between new
        rows and those of `fit` in `transform`. kernel="knn" has no formula for new rows:
        `eigentropy.DiffusionOperator` has its coordinates.
    max_points : int, optional
        Fit at most this many rows, drawn at random where X has more. All others are extended.
    dtype : {"float64", "float32"}, optional
        Working precision of the eigenvectors; float64 by default.
    seed : int
        Of the draw of `max_points`, and of the sample that a bandwidth rule uses when n is large.

    Attributes
    ----------
    eigenvalues_ : array of shape (n_components,)
        Descending, in [0, 1], without the first one, which is 1.
    sigma_ : float
        The width that was used; NaN for a precomputed kernel.
    sample_indices_ : array of int, or None
        The rows of X that were fitted; None where they are all.
    n_features_in_ : int
    feature_names_in_ : array of str
        Where X has names of features that are all strings.

    See Also
    --------
    eigentropy.DiffusionOperator : the operator itself, also sparse and on a GPU

    References
    ----------
    Coifman, Lafon: Diffusion maps. Appl. Comput. Harmon. Anal. 21 (2006). Bengio et al.:
    Out-of-sample extensions for LLE, Isomap, MDS, eigenmaps, and spectral clustering. NeurIPS 2003.

    Examples
    --------
    >>> import numpy as np
    >>> from eigentropy.sklearn import DiffusionMap
    >>> X = np.random.default_rng(0).normal(size=(200, 8))
    >>> DiffusionMap(n_components=3).fit(X[:150]).transform(X[150:]).shape
    (50, 3)
    """

    def __init__(
        self,
        n_components: int = 2,
        *,
        t: float = 1.0,
        sigma: float | str = "auto",
        alpha: float = 0.5,
        kernel: str = "gaussian",
        max_points: int | None = None,
        dtype: Any = None,
        seed: int = 0,
    ) -> None:
        self.n_components = n_components
        self.t = t
        self.sigma = sigma
        self.alpha = alpha
        self.kernel = kernel
        self.max_points = max_points
        self.dtype = dtype
        self.seed = seed

    def fit(self, X: Any, y: Any = None) -> DiffusionMap:
        """Compute the eigenvectors of the diffusion over the rows of X.

        Parameters
        ----------
        X : array-like of shape (n, d), or (n, n)
        y : None
            Not looked at.

        Returns
        -------
        DiffusionMap
            Itself.

        Raises
        ------
        ValueError, TypeError
            An option of the wrong value or type; NaN or infinity in X; n_components not below the
            number of rows; a sparse X.
        MemoryError
            The n x n matrix does not fit; raised before it is allocated.
        """
        self._fit(validate_data(self, X, dtype=TYPES))
        return self

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Doubles:
        """The coordinates of the rows of X, which `fit` is told; shape (n, n_components)."""
        X = validate_data(self, X, dtype=TYPES)
        t = self._fit(X)
        return self._extension.own(t) if self.sample_indices_ is None else self._extended(X, t)

    def transform(self, X: Any) -> Doubles:
        """The coordinates of other rows.

        Parameters
        ----------
        X : array-like of shape (m, d)
            Of a kernel or distances: (m, n), between these rows and those that `fit` has got.

        Returns
        -------
        array of shape (m, n_components)

        Raises
        ------
        sklearn.exceptions.NotFittedError
        ValueError
            Another number of columns than in `fit`; NaN or infinity in X; a row that has no weight
            for any row of `fit`.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=TYPES, reset=False)
        return self._extended(X, positive(self.t, "t"))

    def _fit(self, X: Any) -> float:
        """Everything but the coordinates; the diffusion time."""
        kernel_is_given, n = self._is_pairwise(), len(X)
        k, t = integer(self.n_components, "n_components", at_least=1), positive(self.t, "t")
        rows, numbers, _ = sample_rows(X, self.max_points, self.seed, square=kernel_is_given)
        if k >= len(rows):
            drawn = "" if numbers is None else f", of which max_points={self.max_points} were drawn"
            raise ValueError(
                f"n_components={k} must be below the number of rows, n_samples={n}{drawn}"
            )
        with arguments_called(Z="X"):
            operator = DiffusionOperator(
                rows,
                sigma=self.sigma,
                alpha=self.alpha,
                kernel=self.kernel,
                dtype=self.dtype,
                seed=self.seed,
            )
            self._extension = Extension.of(operator, k)
        self.eigenvalues_ = self._extension.values
        self.sigma_ = operator.sigma
        self.sample_indices_ = numbers
        return t

    def _extended(self, X: Any, t: float) -> Doubles:
        columns = self.sample_indices_ if self._is_pairwise() else None
        return self._extension.extended(X if columns is None else X[:, columns], t)

    def _is_pairwise(self) -> bool:
        return is_given(self.kernel)

    @property
    def _n_features_out(self) -> int:
        return len(self.eigenvalues_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.kernel in ("precomputed", "distances")
        return tags

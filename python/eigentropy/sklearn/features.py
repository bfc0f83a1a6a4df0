"""The information that each feature carries by itself, to choose features by."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import as_matrix
from eigentropy._measures.kernel_information import kernel_information
from eigentropy._support.signatures import arguments_called, check_options, option_names

Doubles = npt.NDArray[np.float64]

OPTIONS = option_names(kernel_information) - {"Z", "Y"}
# Features are selected by p-values, and only those of a given number of partitions are exact.
PARTITIONS = 20


def feature_information(X: Any, y: Any, **options: Any) -> tuple[Doubles, Doubles]:
    """Kernel information of each column of X about y, and its p-value: for `SelectKBest`.

    Like `sklearn.feature_selection.mutual_info_classif` it finds dependence of any shape, where
    `f_classif` finds differences of means. What only several columns tell together it does not
    find. The value is matched: about 0, of either sign, for a column that tells nothing.

    Parameters
    ----------
    X : array-like of shape (n, d)
    y : array-like of shape (n,)
        Labels, or real numbers.
    **options
        Of `eigentropy.kernel_information`, such as `sigma`, `kind` and `n_null`. Pass them by
        `functools.partial`. `n_null` is 20 here if left out: a p-value is that of the permutation
        test, and at least 1 / (1 + n_null), so that `SelectFdr` and `SelectFwe` need many
        partitions. With n_null="auto" it is Student's, which is no p-value to select by.

    Returns
    -------
    scores, p_values : arrays of shape (d,)
        A column whose entries are all equal has score 0 and p-value 1.

    Raises
    ------
    ValueError, TypeError
        As `eigentropy.kernel_information`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.feature_selection import SelectKBest
    >>> from eigentropy.sklearn import feature_information
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> y = np.abs(X[:, 2]) > 0.7  # no difference of the means
    >>> SelectKBest(feature_information, k=1).fit(X, y).get_support(indices=True)
    array([2])
    """
    check_options("feature_information", options, OPTIONS)
    options = {"n_null": PARTITIONS, **options}
    matrix = as_matrix(X, "X")
    scores, p_values = np.zeros(matrix.shape[1]), np.ones(matrix.shape[1])
    for number, column in enumerate(matrix.T):
        if (column != column[0]).any():
            with arguments_called(Z="X", Y="y"):
                found = kernel_information(np.ascontiguousarray(column)[:, None], y, **options)
            scores[number], p_values[number] = float(found), found.p_value
    return scores, p_values

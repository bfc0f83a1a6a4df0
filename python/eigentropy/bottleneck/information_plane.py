"""Layers of a network on the information plane, by kernels, clusters or bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import as_matrix, as_numpy
from eigentropy._kernels.bandwidth import RULES
from eigentropy._kernels.groups import group_codes, label_codes
from eigentropy._measures.sampling.halves import MOST_ROWS
from eigentropy._measures.sampling.variation import check_rows
from eigentropy._support.interval import LEVEL, checked_level
from eigentropy._support.options import (
    integer,
    logarithm_base,
    one_of,
    positive,
    random_seed,
    sigma_or_rule,
)
from eigentropy._support.signatures import named_options
from eigentropy.baselines.binning import cells
from eigentropy.bottleneck.layer_informations import (
    LABEL,
    DiscreteInformations,
    KernelInformations,
    LayerInformations,
)
from eigentropy.bottleneck.layer_numbers import LayerNumbers
from eigentropy.bottleneck.layer_plane import LayerPlane

FORMS = ("bits", "matched", "plain")
WAYS = ("kernel", "clusters", "bins")

# This many random rows stand for more of them in the sampling errors by kernels: every subset takes
# the eigenvalues of several matrices for each layer.
MOST_ROWS_OF_KERNELS = 512


@named_options()
def layers(
    representations: Mapping[str, Any] | Sequence[Any],
    Y: Any,
    *,
    beta: float = 1.0,
    by: str = "kernel",
    sigma: float | str = "auto",
    n_clusters: int = 30,
    bins: int = 2,
    estimator: str = "bits",
    n_null: int = 10,
    sampling: bool = True,
    base: float = 2.0,
    level: float = LEVEL,
    seed: int = 0,
) -> LayerPlane:
    r"""What each layer of a network keeps of the layer before it, and of the labels.

    For representations :math:`h_0, h_1, \dots` of the same rows, of which each is computed from the
    one before, and labels Y,

    .. math:: I(h_{i-1}; h_i) + \beta\, I(Y; h_{i-1} \mid h_i)

    is the loss of the information bottleneck of one layer: what the layer takes over, and what it
    loses of the labels. The data-processing inequality is tested for each layer: I(Y; h_i) is at
    most I(Y; h_{i-1}) for the variables themselves, but need not be for what a measure sees of
    them.

    - "kernel": `eigentropy.kernel_information`. By the chain rule,
      :math:`I(Y; h_{i-1} \mid h_i) = I(Y; h_{i-1}, h_i) - I(Y; h_i)`, with the joint kernel of both
      layers: the product of their kernels for the plain value, which is never negative then, else
      their geometric mean, so that a layer neither gains nor loses beside a copy of itself. A layer
      that pulls classes apart is measured to say more of Y, since differences far below sigma are
      not seen in the layer before.
    - "clusters": k-means of each layer, and the frequencies of its clusters. They can be put beside
      the information curve (`LayerPlane.on_curve`). Clusters of a layer are no function of the
      clusters of the layer before, so that the inequality need not hold for them either. They see
      what is large and not what tells classes apart.
    - "bins": each unit is cut into bins, and a cell is a symbol. With many units nearly every row
      has a cell of its own: the plain value is then H(Y) whatever Y is, the matched one is 0, and
      bits are NaN.

    Parameters
    ----------
    representations : mapping of str to array-like, or sequence of these
        Each of shape (n, d_i), in the order in which they are computed; the first one is the input.
    Y : array-like of length n
        Labels.
    beta : float
        Above 0.
    by : {"kernel", "clusters", "bins"}
    sigma : float or str
        Of "kernel": a number for all layers, or a rule of `eigentropy.bandwidth` for each.
    n_clusters, bins : int
        Of "clusters" and of "bins".
    estimator : {"bits", "matched", "plain"}
        What the informations about Y are. "plain": the formulas. Their chain rule is exact, and
        `lost` and `gained` are never negative. All are too large by what chance gives, and chance
        gives more to a finer measure. "matched" subtracts that, so that 0 means nothing. "bits"
        also scales the rest so that the most is H(Y), as `KernelInformation.bits`. Only bits can be
        compared between layers, and between one layer and two. Informations between layers are
        matched then.
    n_null : int
        Random orders, at least 2; a quarter as many behind informations between layers by kernels.
    sampling : bool
        Whether every number gets its sampling error and every layer its test. By "kernel" it takes
        64 measurements of subsets of the rows, or of 512 of them where there are more.
    base : float
    level : float
        Of the test.
    seed : int
        Of all random numbers.

    Returns
    -------
    LayerPlane

    Raises
    ------
    ValueError, TypeError
        An argument of the wrong value or type; fewer than two representations; representations or
        labels of different lengths.
    ImportError
        "clusters" without scikit-learn.

    References
    ----------
    Tishby, Zaslavsky: Deep learning and the information bottleneck principle. arXiv:1503.02406.
    Saxe et al.: On the information bottleneck theory of deep learning. ICLR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from eigentropy import bottleneck
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(200) % 2
    >>> x = rng.normal(size=(200, 4)) + 2 * y[:, None]
    >>> plane = bottleneck.layers({"input": x, "first": x[:, :2], "second": x[:, :1]}, y)
    >>> [layer.name for layer in plane.layers]
    ['first', 'second']
    """
    one_of(by, "by", WAYS)
    one_of(estimator, "estimator", FORMS)
    beta, base, seed = positive(beta, "beta"), logarithm_base(base), random_seed(seed)
    n_null, level = integer(n_null, "n_null", at_least=2), checked_level(level)
    matrices = _matrices(representations)
    names, n = list(matrices), len(next(iter(matrices.values())))
    codes = label_codes(as_numpy(Y, "Y"), n, "Y")
    if sampling:
        check_rows(n)
    symbols = None
    informations: LayerInformations
    if by == "kernel":
        sigma = sigma_or_rule(sigma, RULES, "sigma")
        rows = list(matrices.values())
        informations = KernelInformations(rows, codes, sigma, estimator, base)
    else:
        symbols = _symbols(matrices, by, n_clusters, bins, seed)
        informations = DiscreteInformations(list(symbols.T), codes, estimator, base)
    most = MOST_ROWS_OF_KERNELS if by == "kernel" else MOST_ROWS
    numbers = LayerNumbers(informations, n, n_null=n_null, most=most, sampling=sampling, seed=seed)
    return LayerPlane(
        input=numbers.number([(LABEL, 0, 1.0)], 0),
        layers=numbers.layers(names[1:], beta),
        by=by,
        beta=beta,
        n=n,
        base=base,
        codes=codes,
        symbols=symbols,
        level=level,
    )


def _matrices(representations: Any) -> dict[str, npt.NDArray[Any]]:
    """Each representation as a matrix, by its name."""
    if isinstance(representations, np.ndarray) or not isinstance(
        representations, (Mapping, Sequence)
    ):
        raise TypeError(
            "representations must be a mapping of names to arrays, or a sequence of arrays, one "
            f"for each layer, got {type(representations).__name__}"
        )
    if not isinstance(representations, Mapping):
        names = ["input", *(f"layer {number}" for number in range(1, len(representations)))]
        representations = dict(zip(names, representations, strict=True))
    if len(representations) < 2:
        raise ValueError(
            f"representations has {len(representations)} of them, and a layer needs one before "
            "it: pass the input first"
        )
    matrices = {str(name): as_matrix(rows, name) for name, rows in representations.items()}
    first, n = next((name, len(rows)) for name, rows in matrices.items())
    for name, rows in matrices.items():
        if len(rows) != n:
            raise ValueError(
                f"representations are of the same rows: {name!r} has {len(rows)}, {first!r} has {n}"
            )
    return matrices


def _symbols(
    matrices: Mapping[str, npt.NDArray[Any]], by: str, n_clusters: int, bins: int, seed: int
) -> npt.NDArray[np.int64]:
    """The cluster or the cell of each row, shape (n, representations)."""
    bins = integer(bins, "bins", at_least=1)
    return np.stack(
        [
            cells(rows, bins)
            if by == "bins"
            else group_codes(rows, len(rows), "vectors", n_clusters, "kmeans", seed, name)
            for name, rows in matrices.items()
        ],
        axis=1,
    )

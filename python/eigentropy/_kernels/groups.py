"""From a second variable Y to a partition of the rows into groups."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import as_matrix, as_numpy
from eigentropy._backends.shapes import check_present, is_missing
from eigentropy._support.interruption import interruptible
from eigentropy._support.options import integer, one_of, random_seed

KINDS = ("auto", "labels", "scalars", "vectors")
CLUSTERINGS = ("spectral", "kmeans")

Codes = npt.NDArray[np.int64]


def group_codes(Y: Any, n: int, kind: str, n_clusters: int, clusters: Any, seed: int = 0) -> Codes:
    """The group of each row, 0 .. number of groups - 1, in the order of the sorted labels.

    Labels are used as they are; scalars are cut into `n_clusters` bins of equal width; vectors are
    clustered, unless at most `n_clusters` of them are distinct, as of one-hot labels; or
    `clusters`, an array, says to which cluster each row belongs. `seed` is that of the clustering.
    """
    one_of(kind, "kind", KINDS)
    n_clusters = integer(n_clusters, "n_clusters", at_least=1)
    if isinstance(clusters, str):
        one_of(clusters, "clusters", CLUSTERINGS)
    elif clusters is not None:
        return label_codes(as_numpy(clusters, "clusters"), n, "clusters")
    if Y is None:
        raise ValueError(
            "Y is missing: pass labels, scalars or vectors, or the groups as clusters="
        )
    values = as_numpy(Y, "Y")
    kind = infer_kind(values) if kind == "auto" else kind
    check_length(values, n, "Y")
    if kind == "labels":
        return label_codes(values, n, "Y")
    if kind == "scalars":
        return _bin_codes(as_matrix(values.reshape(n, -1), "Y"), n_clusters)
    vectors = as_matrix(values.reshape(n, -1), "Y")
    if n_clusters > n:
        raise ValueError(f"n_clusters is {n_clusters}, but there are only {n} rows")
    distinct = _distinct_codes(vectors, n_clusters)
    if distinct is not None:
        return distinct
    found = _cluster(vectors, clusters or "spectral", n_clusters, seed)
    return label_codes(found, n, "clusters")


def infer_kind(values: npt.NDArray[Any]) -> str:
    """What "auto" takes these values for."""
    if values.ndim >= 2 and values.size != len(values):
        return "vectors"
    return "scalars" if values.dtype.kind in "fc" else "labels"  # complex ones are refused


def check_length(values: npt.NDArray[Any], n: int, name: str) -> None:
    """ValueError unless there is one entry for each row of Z."""
    if values.ndim == 0:
        raise ValueError(f"{name} must have one entry for each row of Z, got the scalar {values}")
    if len(values) != n:
        raise ValueError(f"{name} has {len(values)} entries, Z has {n} rows")


def label_codes(labels: npt.NDArray[Any], n: int, name: str) -> Codes:
    """The group of each row by its label, in the order of the sorted labels."""
    check_length(labels, n, name)
    if labels.size != n:
        raise ValueError(f"{name} as labels must be 1-d, got shape {labels.shape}")
    flat = labels.reshape(n)
    check_present(missing_labels(flat), name, " (NaN, None, NA, NaT or masked)")
    try:
        return np.unique(flat, return_inverse=True)[1].reshape(n).astype(np.int64)
    except (TypeError, ValueError):  # arrays are compared, but not ordered
        raise TypeError(
            f"{name} mixes labels that cannot be ordered, such as numbers and strings"
        ) from None


def groups_of_rows(codes: Codes, rows: npt.NDArray[Any]) -> Codes:
    """The groups of some rows, numbered again without those that have none of them."""
    return np.unique(codes[rows], return_inverse=True)[1].astype(np.int64)


def missing_labels(labels: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which entries of an array of one axis are no labels, whatever its dtype."""
    missing: npt.NDArray[np.bool_]
    if labels.dtype.kind in "fcmM":
        missing = np.isnat(labels) if labels.dtype.kind in "mM" else np.isnan(labels)
        return missing
    if labels.dtype.kind in "OT":  # strings of variable width (T) may have an object for NaN
        absent = getattr(labels.dtype, "na_object", None)
        return np.array([is_missing(label, absent) for label in labels.astype(object)], dtype=bool)
    return np.zeros(labels.shape, dtype=bool)


def _bin_codes(values: npt.NDArray[Any], n_bins: int) -> Codes:
    if values.shape[1] != 1:
        raise ValueError(f"Y as scalars must be 1-d, got {values.shape[1]} values a row")
    y = 0.5 * values[:, 0].astype(np.float64)  # so that no range of finite numbers is infinite
    low, width = y.min(), np.ptp(y)
    if width == 0.0:
        return np.zeros(len(y), dtype=np.int64)
    bins = np.minimum(np.floor((y - low) / width * n_bins), n_bins - 1)
    return np.unique(bins, return_inverse=True)[1].astype(np.int64)  # without the empty bins


def _distinct_codes(vectors: npt.NDArray[Any], n_clusters: int) -> Codes | None:
    """The groups of equal rows, in order of appearance; None if these are more than n_clusters.

    Vectors such as one-hot labels are groups already, and no algorithm could find more clusters.
    """
    known: dict[bytes, int] = {}
    codes = np.empty(len(vectors), dtype=np.int64)
    for number, row in enumerate(vectors):
        codes[number] = known.setdefault((row + 0.0).tobytes(), len(known))  # -0 becomes 0
        if len(known) > n_clusters:
            return None
    return codes


def _cluster(vectors: npt.NDArray[Any], name: str, n_clusters: int, seed: int) -> npt.NDArray[Any]:
    try:
        from sklearn.cluster import KMeans, SpectralClustering
    except ImportError as error:
        raise ImportError(
            "clustering a vector-valued Y needs scikit-learn: pip install 'eigentropy[cluster]', "
            "or pass the clusters themselves, one integer a row"
        ) from error
    random_state = random_seed(seed) % 2**32  # what scikit-learn takes
    if name == "kmeans":
        algorithm = KMeans(n_clusters, random_state=random_state, n_init=4)
    else:
        algorithm = SpectralClustering(
            n_clusters,
            affinity="nearest_neighbors",
            n_neighbors=min(10, len(vectors)),
            assign_labels="cluster_qr",
            random_state=random_state,
        )
    with warnings.catch_warnings():
        # Groups without a path between them are what is looked for, not a defect of the graph.
        warnings.filterwarnings("ignore", message="Graph is not fully connected")
        labels: npt.NDArray[Any] = interruptible(_as_configured(algorithm.fit, vectors)).labels_
    return labels


def _as_configured(fit: Callable[[Any], Any], vectors: npt.NDArray[Any]) -> Callable[[], Any]:
    """The fit by the settings of this thread, for another one: scikit-learn's and OpenMP's."""
    from sklearn import config_context, get_config
    from threadpoolctl import threadpool_info, threadpool_limits  # scikit-learn needs it, too

    config = get_config()
    openmp = [library for library in threadpool_info() if library["user_api"] == "openmp"]

    def fitted() -> Any:
        with config_context(**config), threadpool_limits(openmp):
            return fit(vectors)

    return fitted

"""From a second variable Y to a partition of the rows into groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import as_matrix, as_numpy
from eigentropy._backends.shapes import check_present, is_missing
from eigentropy._kernels.few_values import (
    CLASSES_A_BIN,
    ROWS_A_CLASS,
    class_values,
    distinct_codes,
    one_hot_codes,
)
from eigentropy._support.interruption import interruptible
from eigentropy._support.options import integer, one_of, random_seed
from eigentropy._support.warnings import GroupWarning, ignored_warnings, warn

KINDS = ("auto", "labels", "scalars", "vectors")
CLUSTERINGS = ("spectral", "kmeans")

# So few distinct values look like classes whatever they are: as many as bins by default.
FEW = 10

Codes = npt.NDArray[np.int64]


def group_codes(
    Y: Any, n: int, kind: str, n_clusters: int, clusters: Any, seed: int = 0, name: str = "Y"
) -> Codes:
    """The group of each row, 0 .. number of groups - 1, in the order of the sorted labels.

    Labels are used as they are, and rows of several numbers that are called labels are one label
    each. Scalars are cut into `n_clusters` bins of equal width. Vectors are clustered, unless they
    are one-hot or at most `n_clusters` of them are distinct: then equal rows are a group. Or
    `clusters`, an array, says to which cluster each row belongs. `seed` is that of the clustering,
    `name` what messages call Y.

    Warns
    -----
    GroupWarning
        Equal vectors are groups as they are; scalars or vectors look like classes, which bins and
        clusters do not keep apart.
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
    values = as_numpy(Y, name)
    inferred = infer_kind(values) if kind == "auto" else kind
    check_length(values, n, name)
    if inferred == "labels" and (values.size == n or values.dtype.kind not in "iubf"):
        return label_codes(values, n, name)
    vectors = as_matrix(values.reshape(n, -1), name)
    if inferred == "scalars":
        codes = _bin_codes(vectors, n_clusters, name)
        if kind == "auto":
            _warn_of_classes(vectors[:, 0], codes, n_clusters, name)
        return codes
    if inferred == "labels":
        return _equal_rows(vectors, name)
    return _vector_codes(vectors, kind, n_clusters, clusters or "spectral", seed, name)


def _vector_codes(
    vectors: npt.NDArray[Any], kind: str, n_clusters: int, clustering: str, seed: int, name: str
) -> Codes:
    n = len(vectors)
    one_hot = one_hot_codes(vectors)
    if one_hot is None and n_clusters > n:
        raise ValueError(f"n_clusters is {n_clusters}, but there are only {n} rows")
    codes = distinct_codes(vectors, CLASSES_A_BIN * n_clusters) if one_hot is None else one_hot
    count = n if codes is None else int(codes.max()) + 1
    if codes is None or (one_hot is None and count > n_clusters):
        if kind == "auto" and ROWS_A_CLASS * count <= n:
            warn(
                f"{name} has {count} distinct rows, in {n} rows, which are clustered into "
                f"{n_clusters} groups (n_clusters). Where each distinct row is a class, pass "
                "kind='labels'; kind='vectors' says that clusters are meant",
                GroupWarning,
            )
        return label_codes(_cluster(vectors, clustering, n_clusters, seed), n, "clusters")
    if 1 < count < n:
        what = "distinct rows" if one_hot is None else "distinct rows, which are one-hot labels"
        warn(
            f"{name} has {count} {what}, in {n} rows: equal rows are one group each, instead of "
            f"n_clusters={n_clusters} clusters. Labels say that this is meant (kind='labels', or "
            "one integer a row), and clusters= takes other groups",
            GroupWarning,
        )
    return codes


def _equal_rows(vectors: npt.NDArray[Any], name: str) -> Codes:
    codes = one_hot_codes(vectors)
    if codes is None:
        codes = np.unique(vectors, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
    if 1 < len(codes) == codes.max() + 1:
        raise ValueError(
            f"{name} as labels must be 1-d, or have rows that occur more than once: no two rows of "
            f"this array of shape {vectors.shape} are equal"
        )
    return codes


def _warn_of_classes(y: npt.NDArray[Any], codes: Codes, n_bins: int, name: str) -> None:
    values = class_values(y, codes, n_bins)
    if values is not None:
        whole = "whole " if (values == np.rint(values)).all() else ""
        warn(
            f"{name} holds floats of {len(values)} distinct {whole}values, from {values[0]:g} to "
            f"{values[-1]:g}, in {len(y)} rows, which {n_bins} bins of equal width "
            f"merge to {int(codes.max()) + 1} groups. Where each value is a class, pass "
            f"kind='labels', or {name} as integers or words; kind='scalars' says that bins are "
            "meant",
            GroupWarning,
        )


def known_kind(values: npt.NDArray[Any], name: str) -> str:
    """What "auto" takes Y for where vectors need no groups: one-hot rows are labels."""
    kind = infer_kind(values)
    if kind == "vectors" and values.dtype.kind in "iubf":
        vectors = as_matrix(values.reshape(len(values), -1), name)
        return kind if one_hot_codes(vectors) is None else "labels"
    return kind


def warn_of_numbers(values: npt.NDArray[Any], name: str) -> None:
    """Warn where a kernel takes for numbers what looks like classes."""
    vectors = as_matrix(values.reshape(len(values), -1), name)
    if values.size == len(values):
        found = class_values(vectors[:, 0], np.zeros(len(values), dtype=np.int64), FEW)
        count = 0 if found is None else len(found)
    else:
        codes = one_hot_codes(vectors)
        codes = distinct_codes(vectors, FEW) if codes is None else codes
        count = 0 if codes is None else int(codes.max()) + 1
    if 1 < count <= len(values) / ROWS_A_CLASS:
        kind = infer_kind(values)
        warn(
            f"{name} has {count} distinct {'values' if kind == 'scalars' else 'rows'} in "
            f"{len(values)} rows, which are compared by their distances. Where each is a class, "
            f"pass kind='labels'; kind={kind!r} says that distances are meant",
            GroupWarning,
        )


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


def _bin_codes(values: npt.NDArray[Any], n_bins: int, name: str) -> Codes:
    if values.shape[1] != 1:
        raise ValueError(f"{name} as scalars must be 1-d, got {values.shape[1]} values a row")
    y = 0.5 * values[:, 0].astype(np.float64)  # so that no range of finite numbers is infinite
    low, width = y.min(), np.ptp(y)
    if width == 0.0:
        return np.zeros(len(y), dtype=np.int64)
    bins = np.minimum(np.floor((y - low) / width * n_bins), n_bins - 1)
    return np.unique(bins, return_inverse=True)[1].astype(np.int64)  # without the empty bins


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
    # Groups without a path between them are what is looked for, not a defect of the graph.
    with ignored_warnings("Graph is not fully connected"):
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

"""What a monitor hands to a recorder, besides what it measures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from eigentropy._kernels.groups import infer_kind
from eigentropy._measures.measurement import MeasurementSettings, Variable

# So many classes are named; of more, only the sizes are kept.
NAMED_CLASSES = 100


def description(
    layers: Iterable[str],
    measures: Iterable[str],
    settings: MeasurementSettings,
    n: int | None,
    variables: Mapping[str, Variable],
) -> dict[str, Any]:
    """The settings of a run; n is the number of samples of the probe, or at most of a reservoir."""
    s = settings
    return {
        "layers": list(layers),
        "measures": list(measures),
        "n": n,
        "t": s.t[0],
        "sigma": s.sigma,
        "alpha": s.alpha,
        "base": s.base,
        "method": s.method,
        "tol": s.tol,
        "n_null": s.n_null,
        "n_clusters": s.n_clusters,
        "clustering": s.clusters,
        "seed": s.seed,
        "classes": classes(variables.get("dsmi_y")),
        "times": [s.t[0]],
    }


def classes(labels: Variable | None) -> list[dict[str, Any]] | None:
    """Name and size of each class, in the order of the groups; None without labels."""
    if labels is None or labels.groups is None:
        return None
    sizes = np.bincount(labels.groups).tolist()
    names = [f"group {k + 1}" for k in range(len(sizes))]
    if infer_kind(labels.values) == "labels" and len(sizes) <= NAMED_CLASSES:
        names = [str(value) for value in np.unique(labels.values)]
    return [{"name": name, "size": size} for name, size in zip(names, sizes, strict=True)]


def checked_values(values: Mapping[str, Any] | None) -> dict[str, float]:
    """The caller's own values as floats, such as a loss that is a tensor."""
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise TypeError(f"values must be a mapping of names to numbers, got {values!r}")
    known = {}
    for name, value in values.items():
        if not isinstance(name, str) or name == "step":
            raise ValueError(f"values: a name must be a string other than 'step', got {name!r}")
        try:
            known[name] = float(value)
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(
                f"values[{name!r}] must be a number, got {type(value).__name__}"
            ) from error
    return known

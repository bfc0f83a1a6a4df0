"""From samples and a network to one file of features a layer.

A file is $EIGENTROPY_DATA/features/DATA/NAME.safetensors with `features` (n, d) in float32 and
`labels` (n,), the same samples in the same order for all networks of a data set. Its metadata say
which network, layer, kind, packages and licence, and how many seconds a sample took. Where a
network fails, NAME.missing has the reason, which the study shows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eigentropy.studies.pretrained_networks.network import FeaturePoint, LabelledData, NamedNetwork
from encoders.packages import Packages

Features = dict[str, np.ndarray]
Run = Callable[[Sequence[Any]], Features]
Load = Callable[[Packages], Run]
Samples = Callable[[Packages, int], tuple[Sequence[Any], np.ndarray]]

BATCH = 20


def each(encode: Callable[[Any], Features]) -> Run:
    """Run a function of one sample, which returns a vector a layer, over a batch.

    No sample is padded to the length of another, which would only cost time.
    """

    def run(samples: Sequence[Any]) -> Features:
        found = [encode(sample) for sample in samples]
        return {layer: np.stack([one[layer] for one in found]) for layer in found[0]}

    return run


def extract(
    network: NamedNetwork,
    run: Run,
    data: LabelledData,
    samples: Sequence[Any],
    labels: np.ndarray,
    to: Path,
) -> list[Path]:
    """Run the network over the samples and write one file a layer."""
    start = time.perf_counter()
    parts = [run(samples[at : at + BATCH]) for at in range(0, len(samples), BATCH)]
    seconds = (time.perf_counter() - start) / len(samples)
    return [
        write(
            point, data, np.concatenate([part[point.layer] for part in parts]), labels, to, seconds
        )
        for point in network.points
    ]


def write(
    point: FeaturePoint,
    data: LabelledData,
    features: np.ndarray,
    labels: np.ndarray,
    to: Path,
    seconds: float,
) -> Path:
    """Write the features of one layer, whole or not at all."""
    from safetensors.numpy import save_file

    if features.shape[0] != len(labels) or features.ndim != 2:
        raise ValueError(f"{point.name} on {data.name}: {features.shape} for {len(labels)} labels")
    if not np.isfinite(features).all():
        raise ValueError(f"{point.name} on {data.name}: features are not finite")
    path = point.path(to, data.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    tensors = {
        "features": np.ascontiguousarray(features, dtype=np.float32),
        "labels": labels.astype(np.int64),
    }
    metadata = {
        "network": point.network.name,
        "what": point.network.what,
        "layer": point.layer,
        "kind": point.kind,
        "packages": " ".join(point.network.packages),
        "licence": point.network.licence,
        "data": data.name,
        "seconds": f"{seconds:.4g}",
    }
    save_file(tensors, part, metadata=metadata)
    part.replace(path)
    path.with_suffix(".missing").unlink(missing_ok=True)
    return path

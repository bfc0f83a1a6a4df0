"""A network of two hidden layers, and the activations of its units at chosen epochs."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from eigentropy.baselines._pytorch import usual_defaults
from eigentropy.studies.courses import Course
from eigentropy.studies.vision import learning
from eigentropy.studies.vision.architectures import Network, as_numbers
from eigentropy.studies.vision.pictures import Pictures

# Activations (looks, units, pictures) by the name of the layer.
Recorded = dict[str, npt.NDArray[np.float32]]


def perceptron(pictures: Pictures, layers: Collection[str], width: int, seed: int) -> Network:
    """Fully connected layers with ReLU, of `width` units each, with the seed's weights."""
    size = math.prod(pictures.X.shape[1:])
    parts: OrderedDict[str, nn.Module] = OrderedDict(flat=nn.Flatten())
    with torch.random.fork_rng(), usual_defaults(torch):
        torch.manual_seed(seed)
        for name in layers:
            parts[name] = nn.Sequential(nn.Linear(size, width), nn.ReLU())
            size = width
        return Network(
            "perceptron", nn.Sequential(parts), width, pictures.classes, pictures.X.shape[-1]
        )


def recorded(
    network: Network, training: Pictures, course: Course, seed: int, at: Collection[int],
    probes: dict[str, Pictures],
) -> dict[str, Recorded]:  # fmt: skip
    """Train, and record the units of every layer on each of the probes after these epochs.

    Raises
    ------
    FloatingPointError
        The network diverges.
    """
    found: dict[str, dict[str, list[Any]]] = {name: {} for name in probes}
    for epoch, _ in learning.train(network, training, course, learning.CrossEntropy(), seed):
        if epoch in at:
            for name, pictures in probes.items():
                for layer, rows in _activations(network, pictures).items():
                    found[name].setdefault(layer, []).append(rows)
    return {
        name: {layer: np.stack(rows) for layer, rows in of.items()} for name, of in found.items()
    }


def _activations(network: Network, pictures: Pictures) -> Recorded:
    """The units of each layer, shape (units, pictures)."""
    network.eval()
    X = as_numbers(pictures.X.to(next(network.parameters()).device))
    found = {}
    with torch.no_grad():
        for name, layer in network.body.named_children():
            X = layer(X)
            found[name] = X.T.cpu().numpy().copy()
    return {name: rows for name, rows in found.items() if name != "flat"}

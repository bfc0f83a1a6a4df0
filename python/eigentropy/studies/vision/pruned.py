"""LeNet-300-100 with weights or neurons removed: masks, rewinding, training, what is measured.

Everything is removed layer by layer, not by one threshold for the whole network: each matrix loses
the same share of its smallest weights, as the lecture has it and Frankle and Carbin for this
network. The masks are those of `torch.nn.utils.prune`.
"""

from __future__ import annotations

import math
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils import prune as pytorch_prune

import eigentropy as eg
from eigentropy.baselines._pytorch import usual_defaults
from eigentropy.studies.courses import Course
from eigentropy.studies.data import Labels
from eigentropy.studies.sparsity import HIDDEN, LAYERS, OUTPUT, STATISTICS, WIDTHS, removed
from eigentropy.studies.vision import learning
from eigentropy.studies.vision.architectures import Network, as_numbers
from eigentropy.studies.vision.pictures import Pictures

# Its functions have no types.
prune: Any = pytorch_prune

# The mask of the weights of each layer: 1 where a weight is left.
Masks = dict[str, torch.Tensor]

# With more weights than this, the optimiser takes more than half of a step unless it is fused: of
# 3.2 ms with 266 000 weights and a batch of 60, on one thread, 1.8 ms, and fused 0.2 ms.
FUSED_ABOVE = 100_000

# Random partitions for each information.
N_NULL = 5


def lenet(pictures: Pictures, seed: int) -> Network:
    """A new network of the seed's weights: normal after Glorot and Bengio (2010); biases 0."""
    inputs, side = int(pictures.X[0].numel()), int(pictures.X.shape[-1])
    parts: OrderedDict[str, nn.Module] = OrderedDict(flat=nn.Flatten())
    with torch.random.fork_rng(), usual_defaults(torch):
        torch.manual_seed(seed)
        for name, width in zip(HIDDEN, WIDTHS, strict=True):
            parts[name] = nn.Sequential(nn.Linear(inputs, width), nn.ReLU())
            inputs = width
        network = Network("lenet", nn.Sequential(parts), inputs, pictures.classes, side)
        for layer in linear_layers(network).values():
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    return network


def linear_layers(network: Network) -> dict[str, nn.Linear]:
    """The layers with weights, by name."""
    hidden = (network.body.get_submodule(f"{name}.0") for name in HIDDEN)
    return dict(zip(LAYERS, (*hidden, network.head), strict=True))  # type: ignore[arg-type]


def masks_of(network: Network) -> Masks:
    """The masks of a network, all ones in layers that are whole."""
    return {name: _mask(layer).cpu().clone() for name, layer in linear_layers(network).items()}


def _mask(layer: nn.Linear) -> torch.Tensor:
    if prune.is_pruned(layer):
        return layer.weight_mask  # type: ignore[return-value]
    return torch.ones_like(layer.weight)


def masked(network: Network, masks: Mapping[str, torch.Tensor]) -> Network:
    """The network with these masks, which are put on it.

    Raises
    ------
    ValueError
        A mask leaves nothing of its layer.
    """
    for name, layer in linear_layers(network).items():
        if not masks[name].any():
            raise ValueError(
                f"the mask of {name} leaves none of its {masks[name].numel()} weights, and an "
                "empty layer passes nothing on: leave at least one"
            )
        prune.custom_from_mask(layer, "weight", masks[name].to(layer.weight))
    return network


def remove_weights(network: Network, shares: Mapping[str, float]) -> Network:
    """Remove a share of the weights that each layer has left, those of the smallest magnitude."""
    for name, layer in linear_layers(network).items():
        count = removed(int(_mask(layer).sum()), shares[name], f"weights of {name}")
        # `weight` itself is only brought up to date by the next pass.
        last = layer.weight_orig if prune.is_pruned(layer) else layer.weight
        prune.l1_unstructured(layer, "weight", count, importance_scores=last)
    return network


def remove_neurons(network: Network, share: float) -> Network:
    """Remove a share of the neurons of both hidden layers, those with the shortest weight vectors.

    A neuron goes with its bias. All outputs are left: each is a class.
    """
    for name in HIDDEN:
        layer = linear_layers(network)[name]
        count = removed(layer.out_features, share, f"neurons of {name}")
        prune.ln_structured(layer, "weight", count, n=2, dim=0)
        prune.custom_from_mask(layer, "bias", _mask(layer)[:, 0])
    return network


def pruned(network: Network, kind: str, sparsity: float) -> Network:
    """A copy of a whole network without this share of its "weights" or "neurons"."""
    copy = deepcopy(network)
    if kind == "neurons":
        return remove_neurons(copy, sparsity)
    return remove_weights(copy, dict.fromkeys(LAYERS, sparsity))


def weights_left(masks: Mapping[str, torch.Tensor]) -> float:
    """Their share of all weights."""
    return sum(float(m.sum()) for m in masks.values()) / sum(m.numel() for m in masks.values())


def split(data: Pictures, count: int, seed: int) -> tuple[Pictures, Pictures]:
    """The pictures without `count` of them that are drawn at random, and these, for validation."""
    order = np.random.default_rng([seed, 11]).permutation(len(data))
    return data.some(np.sort(order[count:])), data.some(np.sort(order[:count]))


@dataclass(frozen=True)
class Trained:
    """Test accuracy after the last epoch; the epoch of the least validation loss and its accuracy.

    `mean` is the mean test accuracy over all epochs: it is larger the faster a network learns.
    """

    accuracy: float
    stop: int
    at_stop: float
    mean: float


def train(
    network: Network,
    pictures: Pictures,
    validation: Pictures,
    test: Pictures,
    course: Course,
    seed: int,
) -> Trained:
    """Train the weights that are left. The order of the pictures is the seed's."""
    losses, accuracies = [], []
    objective = learning.CrossEntropy()
    fused = sum(part.numel() for part in network.parameters()) > FUSED_ABOVE
    for epoch, _ in learning.train(network, pictures, course, objective, seed, fused=fused):
        if epoch > 0:
            losses.append(_loss(network, validation))
            accuracies.append(learning.accuracy(network, pictures, test))
    best = int(np.argmin(losses))
    return Trained(
        accuracies[-1], best + 1, accuracies[best], math.fsum(accuracies) / len(accuracies)
    )


def _loss(network: Network, pictures: Pictures) -> float:
    logits = torch.from_numpy(learning.outputs(network, pictures.X)[1])
    return float(nn.functional.cross_entropy(logits, torch.from_numpy(pictures.y)))


def activations(network: Network, X: torch.Tensor) -> dict[str, Any]:
    """What each layer makes of the pictures: the hidden ones after their ReLU, and the logits."""
    found = {}
    with torch.no_grad():
        rows = as_numbers(X.to(network.head.bias.device))
        for name, part in network.body.named_children():
            rows = part(rows)
            found[name] = rows.cpu().numpy()
        found[OUTPUT] = network.head(rows).cpu().numpy()
    return {name: found[name] for name in LAYERS}


def measured(
    network: Network, pictures: Pictures, seed: int, layers: Iterable[str] = LAYERS
) -> dict[tuple[str, str], float]:
    """Every statistic of every layer on these pictures, by layer and name."""
    of = activations(network, pictures.X)
    return {
        (layer, name): value
        for layer in layers
        for name, value in _statistics(of[layer], pictures.y, seed).items()
    }


def _statistics(Z: Any, y: Labels, seed: int) -> dict[str, float]:
    with warnings.catch_warnings():
        # Layers whose rows are all equal, of which little is left, are a result of the studies.
        warnings.simplefilter("ignore", eg.SaturationWarning)
        diffusion = eg.dsmi(Z, y, n_null=N_NULL, seed=seed)
        density = eg.kernel_information(Z, y, n_null=N_NULL, seed=seed)
        values: tuple[Any, ...] = (
            eg.dse(Z, seed=seed), diffusion, diffusion.adjusted(),
            eg.kernel_entropy(Z, seed=seed), density, density.adjusted(),
        )  # fmt: skip
    return {name: float(value) for name, value in zip(STATISTICS, values, strict=True)}

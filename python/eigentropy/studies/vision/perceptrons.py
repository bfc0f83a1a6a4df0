"""Perceptrons with three hidden layers, as in the works on the information plane."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from eigentropy.baselines._pytorch import usual_defaults
from eigentropy.studies.vision.architectures import Network
from eigentropy.studies.vision.pictures import Pictures

WIDTHS = (64, 32, 16)
ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "relu": nn.ReLU}


def make(activation: str, pictures: Pictures, seed: int) -> Network:
    """A new perceptron for such pictures; the random state stays as it is."""
    side = pictures.X.shape[-1]
    parts: OrderedDict[str, nn.Module] = OrderedDict(pixels=nn.Flatten())
    with torch.random.fork_rng(), usual_defaults(torch):
        torch.manual_seed(seed)
        columns = pictures.X[0].numel()
        for number, width in enumerate(WIDTHS, start=1):
            layer = [nn.Linear(columns, width), ACTIVATIONS[activation]()]
            parts[f"layer {number}"], columns = nn.Sequential(*layer), width
        name = f"perceptron, {activation}"
        return Network(name, nn.Sequential(parts), columns, pictures.classes, side)


def representations(network: Network, X: torch.Tensor) -> dict[str, torch.Tensor]:
    """The input and what each hidden layer returns, one row a picture."""
    found: dict[str, torch.Tensor] = {}
    network.eval()
    with torch.no_grad():
        for name, part in network.body.named_children():
            X = part(X)
            found[name] = X
    return found

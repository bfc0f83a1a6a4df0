"""Networks as a body, whose output is the representation Z, and a linear head."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import nn

from eigentropy.baselines._pytorch import usual_defaults
from eigentropy.studies.courses import BLOCKS, SIZES, SMALL
from eigentropy.studies.vision.pictures import Pictures

# Sizes of the small networks.
CHANNELS = (16, 32, 64)
WIDTH, HEADS, PATCH = 48, 4, 2


class Network(nn.Module):
    """Takes pictures at their own size, as bytes or as numbers from 0 to 1.

    `body` is measured after `blocks`, `head` returns one number a class.
    """

    def __init__(self, name: str, body: nn.Module, width: int, classes: int, side: int) -> None:
        super().__init__()
        self.name, self.width, self.side = name, width, side
        self.body = body
        self.Z = nn.Identity()  # to be watched, after the blocks of the body
        self.head = nn.Linear(width, classes)

    def features(self, X: torch.Tensor) -> torch.Tensor:
        """Z, of shape (n, width)."""
        X = as_numbers(X)
        if X.shape[-1] != self.side:
            size = (self.side, self.side)
            X = nn.functional.interpolate(X, size, mode="bilinear", antialias=True)
        Z: torch.Tensor = self.Z(self.body(X))
        return Z

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """The head's output, of shape (n, classes)."""
        logits: torch.Tensor = self.head(self.features(X))
        return logits


def as_numbers(X: torch.Tensor) -> torch.Tensor:
    """Bytes as numbers from 0 to 1."""
    return X if X.is_floating_point() else X.float() / 255.0


def make(name: str, pictures: Pictures, seed: int, side: int = SIZES.side) -> Network:
    """A new network for such pictures, of the seed's weights; the random state stays as it is.

    `side` is what the paper's networks are given. The small ones take the pictures' own.
    """
    channels, own, classes = pictures.X.shape[1], pictures.X.shape[-1], pictures.classes
    with torch.random.fork_rng(), usual_defaults(torch):
        torch.manual_seed(seed)
        if name == "vit":
            return Network(name, VisionTransformer(channels, own), WIDTH, classes, own)
        if name in (SMALL[0], f"{SMALL[0]}-bn"):
            body = _convolutions(channels, normalised=name.endswith("-bn"))
            return Network(name, body, CHANNELS[-1], classes, own)
        import timm

        # Without classes, timm's networks return the input of their classifier.
        body = timm.create_model(name, pretrained=False, num_classes=0, in_chans=channels)
        return Network(name, body, body.num_features, classes, side)


def _convolutions(channels: int, *, normalised: bool) -> nn.Module:
    """Three blocks of a 3 x 3 convolution and ReLU, halved after the first and second; the mean."""
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    for block, width in zip(BLOCKS[SMALL[0]], CHANNELS, strict=True):
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1)]
        layers += [nn.BatchNorm2d(width)] if normalised else []
        layers += [nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if block != BLOCKS[SMALL[0]][-1] else []
        parts[block] = nn.Sequential(*layers)
        channels = width
    parts["pool"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(parts)


class VisionTransformer(nn.Module):
    """A small transformer: 2 x 2 patches, learned positions, three blocks, the mean token."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(channels, WIDTH, PATCH, stride=PATCH)
        self.positions = nn.Parameter(0.02 * torch.randn(1, (side // PATCH) ** 2, WIDTH))
        for block in BLOCKS["vit"]:
            self.add_module(block, _transformer_block())
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Z, of shape (n, WIDTH)."""
        tokens = self.patches(X).flatten(2).transpose(1, 2) + self.positions
        for block in BLOCKS["vit"]:
            tokens = self.get_submodule(block)(tokens)
        Z: torch.Tensor = self.norm(tokens).mean(dim=1)
        return Z


def _transformer_block() -> nn.Module:
    return nn.TransformerEncoderLayer(
        WIDTH, HEADS, 2 * WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )


def pooling(name: str) -> Any:
    """From the output of a block to one row a picture: the mean over positions or tokens."""
    return _channels_last_mean if name.startswith("swin") else "mean"


def _channels_last_mean(activation: torch.Tensor) -> torch.Tensor:
    """Swin's blocks return (n, height, width, channels)."""
    return activation.flatten(1, -2).mean(dim=1) if activation.ndim > 2 else activation

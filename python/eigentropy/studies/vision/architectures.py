"""Networks as a body, whose output is the representation Z, and a linear head."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from eigentropy.baselines._pytorch import usual_defaults
from eigentropy.studies.courses import BLOCKS, SIZES, SMALL
from eigentropy.studies.vision.pictures import Pictures

# Widths of three blocks, by the number of colours.
CHANNELS = {1: (16, 32, 64), 3: (32, 64, 128)}

# Of the transformer for digits, 8 pixels a side, with patches of 2 x 2.
WIDTH, HEADS, PATCH = 48, 4, 2

# From this side on, pictures are halved twice by convolutions before they are cut into patches.
STEM = 28


class Network(nn.Module):
    """Takes pictures at their own size, as bytes or as numbers from 0 to 1.

    `body` is measured after `blocks`, `head` returns one number a class. A `halved` body is trained
    with products of bfloat16, on pictures whose channels come last: convolutions of pictures are
    twice as fast so on a CPU.
    """

    def __init__(
        self,
        name: str,
        body: nn.Module,
        width: int,
        classes: int,
        side: int,
        *,
        halved: bool = False,
    ) -> None:
        super().__init__()
        self.name, self.width, self.side = name, width, side
        self.layout = torch.channels_last if halved else torch.preserve_format
        self.halved = halved
        self.body = body
        if halved:
            nn.utils.convert_conv2d_weight_memory_format(body, self.layout)
        self.Z = nn.Identity()  # to be watched, after the blocks of the body
        self.head = nn.Linear(width, classes)

    def features(self, X: torch.Tensor) -> torch.Tensor:
        """Z, of shape (n, width)."""
        X = as_numbers(X)
        if X.shape[-1] != self.side:
            size = (self.side, self.side)
            X = nn.functional.interpolate(X, size, mode="bilinear", antialias=True)
        with torch.autocast(X.device.type, torch.bfloat16, enabled=self.halved and self.training):
            rows = self.body(X.to(memory_format=self.layout))
        Z: torch.Tensor = self.Z(rows.to(X.dtype))
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
            width = WIDTH if own < STEM else 3 * CHANNELS[channels][0]
            return Network(name, VisionTransformer(channels, own, width), width, classes, own)
        if name in OWN:
            body, width = OWN[name](channels, own), CHANNELS[channels][-1]
            return Network(name, body, width, classes, own, halved=own >= STEM)
        import timm

        # Without classes, timm's networks return the input of their classifier.
        body = timm.create_model(name, pretrained=False, num_classes=0, in_chans=channels)
        return Network(name, body, body.num_features, classes, side)


def _convolutions(channels: int, side: int, *, normalised: bool = False) -> nn.Module:
    """Three blocks of a 3 x 3 convolution and ReLU, halved after the first and second; the mean.

    Large pictures are halved by the first convolution, at a quarter of its cost.
    """
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    for block, width in zip(BLOCKS[SMALL[0]], CHANNELS[channels], strict=True):
        stride = 2 if side >= STEM and block == BLOCKS[SMALL[0]][0] else 1
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, stride=stride, padding=1)]
        layers += [nn.BatchNorm2d(width)] if normalised else []
        layers += [nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if stride == 1 and block != BLOCKS[SMALL[0]][-1] else []
        parts[block] = nn.Sequential(*layers)
        channels = width
    parts["pool"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(parts)


def _pairs(channels: int, side: int) -> nn.Module:
    """Three blocks of two normalised 3 x 3 convolutions, the first of which halves; the mean."""
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    before = channels
    for block, width in zip(BLOCKS["vgg"], CHANNELS[channels], strict=True):
        parts[block] = nn.Sequential(
            *_normalised(before, width, stride=2), *_normalised(width, width, stride=1)
        )
        before = width
    parts["pool"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(parts)


def _residual(channels: int, side: int) -> nn.Module:
    """A convolution that halves the picture, and three residual blocks, of which two halve it."""
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    before = CHANNELS[channels][0]
    parts["stem"] = _normalised(channels, before, stride=2)
    for block, width in zip(BLOCKS["resnet"], CHANNELS[channels], strict=True):
        parts[block] = Residual(before, width)
        before = width
    parts["pool"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(parts)


def _normalised(before: int, width: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU())


class Residual(nn.Module):
    """ReLU of two 3 x 3 convolutions and of what they are given, which is halved if it widens."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        stride = 1 if before == width else 2
        self.first = _normalised(before, width, stride)
        self.second = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )
        self.short: nn.Module = nn.Identity()
        if stride > 1:
            self.short = nn.Conv2d(before, width, 1, stride=stride)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Of shape (n, width, side, side), or half of this side."""
        return torch.relu(self.second(self.first(X)) + self.short(X))


# Networks of this file, but for the transformer.
OWN: dict[str, Callable[[int, int], nn.Module]] = {
    SMALL[0]: _convolutions,
    f"{SMALL[0]}-bn": partial(_convolutions, normalised=True),
    "vgg": _pairs,
    "resnet": _residual,
}


class VisionTransformer(nn.Module):
    """A small transformer: 2 x 2 patches, learned positions, three blocks, the mean token.

    The patches are of digits, or of what two convolutions have made of a larger picture: 4 x 4
    patches in either case.
    """

    def __init__(self, channels: int, side: int, width: int) -> None:
        super().__init__()
        if side < STEM:
            self.patches: nn.Module = nn.Conv2d(channels, width, PATCH, stride=PATCH)
            across = side // PATCH
        else:
            first, second, _ = CHANNELS[channels]
            self.patches = nn.Sequential(
                _normalised(channels, first, stride=2),
                _normalised(first, second, stride=2),
                nn.Conv2d(second, width, 3, stride=2, padding=1),
            )
            across = math.ceil(side / 8)
        self.positions = nn.Parameter(0.02 * torch.randn(1, across**2, width))
        for block in BLOCKS["vit"]:
            self.add_module(block, _transformer_block(width))
        self.norm = nn.LayerNorm(width)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Z, of shape (n, width)."""
        tokens = self.patches(X).flatten(2).transpose(1, 2) + self.positions
        for block in BLOCKS["vit"]:
            tokens = self.get_submodule(block)(tokens)
        Z: torch.Tensor = self.norm(tokens).mean(dim=1)
        return Z


def _transformer_block(width: int) -> nn.Module:
    return nn.TransformerEncoderLayer(
        width, HEADS, 2 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )


def pooling(name: str) -> Any:
    """From the output of a block to one row a picture: the mean over positions or tokens."""
    return _channels_last_mean if name.startswith("swin") else "mean"


def _channels_last_mean(activation: torch.Tensor) -> torch.Tensor:
    """Swin's blocks return (n, height, width, channels)."""
    return activation.flatten(1, -2).mean(dim=1) if activation.ndim > 2 else activation

"""What a network of the study `pretrained` is, and where its features lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# What a point is: the output of a network that was trained elsewhere, an inner layer of such a
# network, a network trained here that the study follows, or a control that has learned nothing.
PRETRAINED, LAYER, CHECKPOINT, UNTRAINED = KINDS = (
    "pretrained",
    "layer",
    "checkpoint",
    "untrained",
)


@dataclass(frozen=True)
class NamedNetwork:
    """A network: what it was trained for, which packages have it, and which layers are measured."""

    name: str
    what: str  # "EfficientNet-Lite0, ImageNet classes"
    packages: tuple[str, ...]  # CLIENT:NAME==VERSION, with client pip, npm or apt
    licence: str  # of the weights, as the package states it
    layers: tuple[str, ...] = ()  # inner ones, from the input to the output, which has no name
    kind: str = PRETRAINED
    origin: str = ""  # the network that it is a copy or a tuned form of

    @property
    def family(self) -> str:
        """What it shares with its copies: points of one family are not independent."""
        return self.origin or self.name

    @property
    def points(self) -> tuple[FeaturePoint, ...]:
        """The output, then the inner layers."""
        return (FeaturePoint(self, ""), *(FeaturePoint(self, layer) for layer in self.layers))


@dataclass(frozen=True)
class FeaturePoint:
    """One matrix of features: the output ("") or an inner layer of a network."""

    network: NamedNetwork
    layer: str

    @property
    def name(self) -> str:
        """NETWORK or NETWORK@LAYER, unique among the points of a domain."""
        return f"{self.network.name}@{self.layer}" if self.layer else self.network.name

    @property
    def kind(self) -> str:
        """That of the network, except for an inner layer of a pretrained one."""
        return LAYER if self.layer and self.network.kind == PRETRAINED else self.network.kind

    def path(self, cache: Path, data: str) -> Path:
        """Where the features on a data set lie: `features` (n, d) and `labels` (n,)."""
        return cache / "features" / data / f"{self.name}.safetensors"


@dataclass(frozen=True)
class LabelledData:
    """Labelled samples that a package ships."""

    name: str
    what: str  # "pictures of 10 classes, 32 x 32, enlarged"
    packages: tuple[str, ...]
    licence: str
    count: int  # samples, the same number of each class where there are enough


@dataclass(frozen=True)
class Domain:
    """Data sets of one sort, and the networks that read it."""

    name: str
    data: tuple[LabelledData, ...]
    networks: tuple[NamedNetwork, ...]
    left_out: dict[str, str]  # what is not among the networks, and why

    @property
    def points(self) -> tuple[FeaturePoint, ...]:
        """Those of all networks."""
        return tuple(point for network in self.networks for point in network.points)

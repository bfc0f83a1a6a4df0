"""What a monitor asks of a source of samples, and of what the source has gathered of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

import torch

from eigentropy._measures.measurement import MeasurementSettings, Variable
from eigentropy._support.options import integer
from eigentropy._support.signatures import named_options
from eigentropy.report.measures import named
from eigentropy.torch.monitoring.rows import RowRule
from eigentropy.torch.monitoring.samples import Samples
from eigentropy.torch.monitoring.where import Where

# What is said of layers whose rows are not those of all samples, or not of one pass.
INCOMPLETE = "did not run, or not for all samples"
PADDED = (
    "its rows have padding in them, where the model's attention_mask is 0: pooling='flatten', the "
    "default, takes all tokens; pooling='mean' or 'last' takes the real ones"
)
REPEATED = "runs several times in one forward pass; its last output counts"

NOT_HOOKED = (
    "no batch was handed over (collect() after each batch of an evaluation, step() after each of "
    "the training), not every forward pass that counts has called it, or the model was compiled, "
    "and had run, before the monitor was made"
)


@dataclass(frozen=True)
class Place:
    """Which of how many processes this is; the only one where nothing is gathered."""

    rank: int = 0
    processes: int = 1


ALONE = Place()


@dataclass(frozen=True)
class Watched:
    """The layers of a model, how their output becomes rows, and where these are kept."""

    model: torch.nn.Module
    layers: Mapping[str, torch.nn.Module]
    rule: RowRule
    where: Where = field(default_factory=Where)


@dataclass(frozen=True)
class Counted:
    """How many prompts, which are samples, were seen for a measurement, and how many tokens.

    Attributes
    ----------
    prompts : int
    tokens : int or None
        Those that are kept; None where no layer has tokens.
    """

    prompts: int = 0
    tokens: int | None = None

    def __add__(self, other: Counted) -> Counted:
        """Both together."""
        tokens = self.tokens if other.tokens is None else other.tokens + (self.tokens or 0)
        return Counted(self.prompts + other.prompts, tokens)


@dataclass
class Taken:
    """What is there for a measurement, which may be made later and on another thread.

    Attributes
    ----------
    step : int
        Of the monitor.
    samples : Samples
    counted, shapes, unusable
        Those of the `Collection`.
    said : list of (str, str)
        Layers, and what there is to say of them.
    """

    step: int
    samples: Samples
    counted: Counted
    shapes: Mapping[str, tuple[int, ...]]
    unusable: dict[str, str]
    said: list[tuple[str, str]]


class Source(Protocol):
    """Where the samples come from: the third argument of `Monitor`. It may serve several monitors.

    Attributes
    ----------
    default_measures : tuple of str
    needs_labels : bool
    is_fixed : bool
        Whether a measurement is always of the same samples, in the same order.
    """

    @property
    def default_measures(self) -> tuple[str, ...]:
        """What is measured unless the caller says otherwise."""

    @property
    def needs_labels(self) -> bool:
        """Whether the loop must give labels for the default measures."""

    @property
    def is_fixed(self) -> bool:
        """Whether a measurement is always of the same samples, in the same order."""

    def check(self, measures: Sequence[str]) -> None:
        """Refuse measures that need something that these samples do not have."""

    def attach(self, watched: Watched, seed: int) -> Collection:
        """Begin to gather samples of a model."""


class ActivationSource:
    """A source of at most n samples whose activations pass by; it does not see the input."""

    needs_labels = True
    is_fixed = False

    @named_options()
    def __init__(self, n: int) -> None:
        self.n = integer(n, "n", at_least=1)

    def check(self, measures: Sequence[str]) -> None:
        """Refuse the information about the input, which is not known here."""
        for name in named("x", measures):
            raise ValueError(f"{name} needs a Probe: activations alone do not have the input")


class Collection:
    """The samples of one model that a source gathers until the monitor takes them.

    A source overrides what differs from here: by default the loop has nothing to hand over.

    Attributes
    ----------
    most : int
        It never has more samples.
    gathers : bool
        Whether the samples of all processes are brought together by default.
    may_repeat : bool
        Whether `take` may give a sample twice, or more samples than `most`.
    not_run : str
        Why a layer may have no rows.
    repeated : set of str
        Layers that ran several times in one pass.
    padded : set of str
        Layers of tokens whose padding is in their rows.
    unusable : dict of str to str
        Layers whose output is not one row a sample, and why.
    shapes : mapping of str to tuple of int
        Of a sample's activation in the layers whose rows are flattened, where that is known.
    counted : Counted
        What the samples were drawn from that were taken last.
    """

    most: int
    gathers = True
    may_repeat = True
    not_run = NOT_HOOKED
    repeated: set[str]
    padded: set[str]
    unusable: dict[str, str]
    shapes: Mapping[str, tuple[int, ...]] = MappingProxyType({})
    counted = Counted()

    def variables(
        self, measures: Sequence[str], settings: MeasurementSettings
    ) -> dict[str, Variable]:
        """What all layers are compared with at every step, by measure."""
        return {}

    def collect(self, labels: Any, index: Any, needs_labels: bool, place: Place) -> None:
        """Take what the layers returned for the last batch of an evaluation."""
        raise RuntimeError("collect needs Monitor(model, layers, Evaluation(n))")

    def commit(self, labels: Any, index: Any, needs_labels: bool) -> None:
        """Take what the layers returned for the last training batch, at each step."""

    def pass_over(self) -> None:
        """The step that ends here is not measured."""

    def expected(self) -> tuple[int, list[int]]:
        """How many rows are there to measure, and how many columns each layer has.

        Nothing is said of layers that are not known yet.
        """
        raise NotImplementedError

    def take(self, place: Place) -> Samples:
        """The samples; afterwards there are none until the next pass."""
        raise NotImplementedError

    def discard(self) -> None:
        """Forget the samples."""

    def taken(self, step: int, place: Place) -> Taken:
        """The samples, with what there is to say of them."""
        samples = self.take(place)
        said = [(name, REPEATED) for name in sorted(self.repeated)] if self.repeated else []
        if self.padded:
            said += [(name, PADDED) for name in sorted(self.padded)]
        unusable, self.unusable = self.unusable, {}
        return Taken(step, samples, self.counted, self.shapes, unusable, said)

    def remove(self) -> None:
        """Take the hooks off the model."""

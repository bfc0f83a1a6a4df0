"""A fixed set of samples, which is passed through the model for the monitor alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from eigentropy._measures.measurement import MeasurementSettings, Variable
from eigentropy._support import memory
from eigentropy._support.options import integer
from eigentropy._support.signatures import named_options
from eigentropy.report.measures import DEFAULT, DEFAULT_WITH_LABELS, about, named
from eigentropy.torch.monitoring import inputs
from eigentropy.torch.monitoring.collection import Collection, Place, Watched
from eigentropy.torch.monitoring.hooks import Hook, probing
from eigentropy.torch.monitoring.layers import unwrapped
from eigentropy.torch.monitoring.loaders import ADVICE, first_samples, is_loader
from eigentropy.torch.monitoring.passes import Pass
from eigentropy.torch.monitoring.rows import Pooling, uneven
from eigentropy.torch.monitoring.samples import Array, Samples, as_labels
from eigentropy.torch.monitoring.undisturbed import undisturbed

NOT_CALLED = "the model's forward pass does not always call it"


class Probe:
    """Samples that a monitor passes through the model at each measurement.

    Parameters
    ----------
    x : tensor, array, a tuple, list or dictionary of these, or a DataLoader
        The input of the model; also arrays that are mapped from files. Of a DataLoader, or of
        another iterable of batches, the first `max_points` samples are taken, now and once. A batch
        is the input, or a pair of input and labels, or a dictionary with labels under "labels",
        "label" or "y". A loader that shuffles gives other samples in each run.
    y : array or tensor of length n, optional
        Labels, scalars or vectors, as for `eigentropy.diffusion_spectral_mutual_information`. Those
        of a loader come with its batches.
    max_points : int, optional
        A probe of more samples is thinned to this many, drawn once. None: never. The default is not
        None, as elsewhere, since a probe is measured again and again.
    batch_size : int
        Of the passes.

    Examples
    --------
    >>> import torch
    >>> from eigentropy.torch import Monitor, Probe
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh())
    >>> x, y = torch.randn(90, 4), torch.arange(90) % 3
    >>> sorted(Monitor(model, "1", Probe(x, y, max_points=60)).measure())
    ['dse/1', 'dsmi_y/1', 'dsmi_y_adjusted/1', 'dsmi_y_null_se/1']
    """

    needs_labels = False  # of the loop

    @named_options()
    def __init__(
        self, x: Any, y: Any = None, *, max_points: int | None = 2048, batch_size: int = 64
    ) -> None:
        self.batch_size = integer(batch_size, "batch_size", at_least=1)
        if max_points is not None:
            integer(max_points, "max_points", at_least=1)
        self.max_points = max_points
        if is_loader(x):
            if y is not None:
                raise ValueError(f"probe: labels beside a loader may be in another order; {ADVICE}")
            x, y = first_samples(x, max_points)
        lengths = {len(leaf) for leaf in inputs.leaves(x)}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError(
                f"probe must be samples, or (samples, labels), with at least one sample; its "
                f"parts have lengths {sorted(lengths)}"
            )
        self.n = lengths.pop()
        self.x, self.y = x, as_labels(y)
        if self.y is not None and len(self.y) != self.n:
            raise ValueError(f"the probe has {self.n} samples and {len(self.y)} labels")

    @property
    def default_measures(self) -> tuple[str, ...]:
        """The entropy, and the information about labels if there are any."""
        return DEFAULT if self.y is None else DEFAULT_WITH_LABELS

    def check(self, measures: Sequence[str]) -> None:
        """Refuse the information about labels where there are none."""
        for name in named("y", measures) if self.y is None else []:
            raise ValueError(f"labels are missing: {name} needs Probe(x, y), or probe=(x, labels)")

    def attach(self, watched: Watched, seed: int) -> ProbedModel:
        """Draw the samples for one model."""
        return ProbedModel(self, watched, seed)


class ProbedModel(Collection):
    """The samples of a probe, at most `max_points`, and a model that they are passed through."""

    gathers = False
    not_run = NOT_CALLED

    def __init__(self, probe: Probe, watched: Watched, seed: int) -> None:
        self.watched, self.batch_size = watched, probe.batch_size
        self.x, self.y, self.most = probe.x, probe.y, probe.n
        self.repeated: set[str] = set()
        self.unusable: dict[str, str] = {}
        if probe.max_points is not None and probe.n > probe.max_points:
            self.most = probe.max_points
            generator = np.random.default_rng(seed)
            rows = np.sort(generator.choice(probe.n, self.most, replace=False))
            self.x = inputs.chosen(probe.x, rows)
            self.y = None if probe.y is None else probe.y[rows]

    def variables(
        self, measures: Sequence[str], settings: MeasurementSettings
    ) -> dict[str, Variable]:
        """Labels and input; their groups are found here, once."""
        variables = {}
        if of := about("y", measures):
            assert self.y is not None
            variables["y"] = Variable("labels", self.y, "auto", of=of)
        if of := about("x", measures):
            x = inputs.vectors(self.x, self.most)
            variables["x"] = Variable("probe", x, "vectors", of=of)
        for variable in variables.values():
            if "diffusion" not in variable.of and variable.known_kind == "vectors":
                continue  # the joint kernel needs no groups
            variable.grouped(settings)
        return variables

    def take(self, place: Place) -> Samples:
        """What each layer returns for all samples, or for the share of one of several processes."""
        model = unwrapped(self.watched.model)
        numbers = range(place.rank, self.most, place.processes)
        activations = Activations(len(numbers), self.watched.pooling)
        with undisturbed(model), probing(), _hooks(self.watched.layers, activations):
            for start in range(0, len(numbers), self.batch_size):
                part = numbers[start : start + self.batch_size]
                activations.passing = Pass(size=len(part))
                inputs.call(model, inputs.part(self.x, slice(part.start, part.stop, part.step)))
                activations.store(start)
        self.repeated, self.unusable = activations.repeated, activations.unusable
        return Samples(activations.complete(), np.asarray(numbers, dtype=np.int64))


class Activations:
    """The rows of each layer, (n, d), in the order in which the layers run.

    Attributes
    ----------
    passing : Pass
        The forward pass that is under way.
    repeated, unusable
        As in `Pass`, of all passes.
    """

    def __init__(self, n: int, pooling: Pooling) -> None:
        self.n, self.pooling = n, pooling
        self.rows: dict[str, Array] = {}
        self.repeated: set[str] = set()
        self.unusable: dict[str, str] = {}
        self.filled: Counter[str] = Counter()
        self.bytes = 0
        self.passing = Pass()

    def record(self, name: str, output: Any) -> None:
        """Take what a layer has returned in the pass that is under way."""
        self.passing.add(name, output, self.pooling, lambda _, rows: rows.cpu().numpy().copy())

    def store(self, start: int) -> None:
        """The pass has ended; its first sample is that of this number."""
        self.repeated |= self.passing.repeated
        self.unusable.update(self.passing.unusable)
        for name, part in self.passing.rows.items():
            if name not in self.rows:
                self.rows[name] = self._room(part)
            if part.shape[1] != self.rows[name].shape[1]:
                self.unusable[name] = uneven(self.rows[name].shape[1], part.shape[1])
                continue
            self.rows[name][start : start + len(part)] = part
            self.filled[name] += len(part)

    def complete(self) -> dict[str, Array]:
        """The rows of the layers that have run for all samples."""
        return {name: rows for name, rows in self.rows.items() if self.filled[name] == self.n}

    def _room(self, part: Array) -> Array:
        self.bytes += self.n * part.shape[1] * part.itemsize
        memory.require(
            float(self.bytes),
            f"what {len(self.rows) + 1} layers return for {self.n} samples",
            "use pooling='mean', fewer layers or a smaller max_points",
        )
        return np.empty((self.n, part.shape[1]), part.dtype)


@contextmanager
def _hooks(layers: Mapping[str, torch.nn.Module], activations: Activations) -> Iterator[None]:
    """Hooks that exist during the pass only: training never runs them."""
    handles = []
    try:
        for name, module in layers.items():

            def hook(_: Any, __: Any, output: Any, name: str = name) -> None:
                activations.record(name, output)

            handles.append(module.register_forward_hook(Hook(module, hook, probing=True)))
        yield
    finally:
        for handle in handles:
            handle.remove()

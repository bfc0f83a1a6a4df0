"""A fixed set of samples, which is passed through the model for the monitor alone."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from eigentropy._measures.measurement import MeasurementSettings, Variable
from eigentropy._support.options import integer
from eigentropy._support.signatures import named_options
from eigentropy._support.warnings import warn
from eigentropy.report.measures import DEFAULT, DEFAULT_WITH_LABELS, about, named
from eigentropy.torch.monitoring import inputs
from eigentropy.torch.monitoring.collection import Collection, Counted, Place, Watched
from eigentropy.torch.monitoring.hooks import Hook, Probing
from eigentropy.torch.monitoring.layers import unwrapped
from eigentropy.torch.monitoring.loaders import ADVICE, first_samples, is_loader
from eigentropy.torch.monitoring.passes import Pass, flat_mask, note_calls
from eigentropy.torch.monitoring.rows import uneven
from eigentropy.torch.monitoring.samples import (
    Array,
    LowestPriorities,
    Numbers,
    Samples,
    as_labels,
    chosen_rows,
    lengthened,
    sample_numbers,
)
from eigentropy.torch.monitoring.undisturbed import undisturbed
from eigentropy.torch.monitoring.where import Rows, lies_in_order, put, require_room, room
from eigentropy.torch.tokens.calls import Calls

# A batch of a probe has so many samples, or more if they have no more numbers than this.
FEW_SAMPLES, MANY_NUMBERS = 64, 2**18

NOT_CALLED = "the model's forward pass does not always call it"


class Probe:
    """Samples that a monitor passes through the model at each measurement.

    Parameters
    ----------
    x : tensor, array, a tuple, list or dictionary of these, or a DataLoader
        The input of the model; also arrays that are mapped from files. Of a DataLoader, or of
        another iterable of batches, the first `max_points` samples are taken, now and once. A batch
        is the input, or a pair of input and labels, or a dictionary with labels under "labels",
        "label" or "y". A loader that shuffles gives other samples in each run. Labels of tokens,
        such as those of a language model, are left out. Batches of different widths, as collators
        make them, are padded to one, if they have an "attention_mask".
    y : array or tensor of length n, optional
        Labels, scalars or vectors, as for `eigentropy.diffusion_spectral_mutual_information`. Those
        of a loader come with its batches.
    max_points : int, optional
        A probe of more samples is thinned to this many, drawn once. None: never. The default is not
        None, as elsewhere, since a probe is measured again and again. With ``pooling="tokens"`` the
        kept tokens of these samples are thinned to this many as well, the same each time.
    batch_size : int, optional
        Of the passes. By default as many samples as have 2^18 numbers between them, since passes of
        few numbers take longest to begin with; at least 64, and 64 of token ids and other integers.

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
    is_fixed = True

    @named_options()
    def __init__(
        self, x: Any, y: Any = None, *, max_points: int | None = 2048, batch_size: int | None = None
    ) -> None:
        if batch_size is not None:
            batch_size = integer(batch_size, "batch_size", at_least=1)
        if max_points is not None:
            integer(max_points, "max_points", at_least=1)
        self.max_points = max_points
        self._left_out: tuple[int, ...] | None = None  # the shape of labels of tokens
        self._has_warned = False
        if is_loader(x):
            if y is not None:
                raise ValueError(f"probe: labels beside a loader may be in another order; {ADVICE}")
            x, y, self._left_out = first_samples(x, max_points)
        lengths = {len(leaf) for leaf in inputs.leaves(x)}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError(
                f"probe must be samples, or (samples, labels), with at least one sample; its "
                f"parts have lengths {sorted(lengths)}"
            )
        self.n = lengths.pop()
        self.x, self.y = x, as_labels(y)
        self.batch_size = passed_at_once(x) if batch_size is None else batch_size
        if self.y is not None and len(self.y) != self.n:
            raise ValueError(f"the probe has {self.n} samples and {len(self.y)} labels")

    @property
    def default_measures(self) -> tuple[str, ...]:
        """The entropy, and the information about labels if there are any."""
        if self._left_out is not None and not self._has_warned:
            self._has_warned = True
            warn(
                f"probe: labels in the batches of the loader are of shape {self._left_out}, one a "
                "token and not one a sample, so that dsmi_y is not measured; give measures=, or "
                "labels of samples: Probe((b, labels) for b in loader)"
            )
        return DEFAULT if self.y is None else DEFAULT_WITH_LABELS

    def check(self, measures: Sequence[str]) -> None:
        """Refuse the information about labels where there are none."""
        for name in named("y", measures) if self.y is None else []:
            shape = self._left_out
            why = "missing" if shape is None else f"of shape {shape}, not one a sample"
            raise ValueError(f"labels are {why}: {name} needs Probe(x, y), or probe=(x, labels)")

    def attach(self, watched: Watched, seed: int) -> ProbedModel:
        """Draw the samples for one model."""
        return ProbedModel(self, watched, seed)


def passed_at_once(x: Any) -> int:
    """How many samples are a batch, where the caller does not say."""
    leaves = inputs.leaves(x)
    if not all(inputs.is_float(leaf) for leaf in leaves):
        return FEW_SAMPLES
    numbers: int = sum(math.prod(leaf.shape[1:]) for leaf in leaves)
    return max(FEW_SAMPLES, MANY_NUMBERS // max(1, numbers))


class ProbedModel(Collection):
    """The samples of a probe, at most `max_points`, and a model that they are passed through."""

    gathers = False
    may_repeat = False
    not_run = NOT_CALLED

    def __init__(self, probe: Probe, watched: Watched, seed: int) -> None:
        self.watched, self.batch_size = watched, probe.batch_size
        self.root = unwrapped(watched.model)
        self.x, self.y, self.n, self.seed = probe.x, probe.y, probe.n, seed
        self.repeated: set[str] = set()
        self.padded: set[str] = set()
        self.unusable: dict[str, str] = {}
        if probe.max_points is not None and probe.n > probe.max_points:
            self.n = probe.max_points
            generator = np.random.default_rng(seed)
            rows = np.sort(generator.choice(probe.n, self.n, replace=False))
            self.x = inputs.chosen(probe.x, rows)
            self.y = None if probe.y is None else probe.y[rows]
        self.most = self.n
        self._expected: tuple[int, list[int]] | None = None
        if watched.rule.each_token:
            self.most = sys.maxsize if probe.max_points is None else probe.max_points

    def variables(
        self, measures: Sequence[str], settings: MeasurementSettings
    ) -> dict[str, Variable]:
        """Labels and input; their groups are found here, once.

        The labels of tokens come with the tokens, whose number is not known before.
        """
        variables: dict[str, Variable] = {}
        if self.watched.rule.each_token:
            for name in named("x", measures):
                raise ValueError(
                    f"{name} is about the input of a sample, and pooling='tokens' has several rows "
                    "a sample: leave it out of measures, or take pooling='mean'"
                )
            return variables
        if of := about("y", measures):
            assert self.y is not None
            variables["y"] = Variable("labels", self.y, "auto", of=of)
        if of := about("x", measures):
            x = inputs.vectors(self.x, self.n)
            variables["x"] = Variable("probe", x, "vectors", of=of)
        for variable in variables.values():
            if "diffusion" not in variable.of and variable.known_kind == "vectors":
                continue  # the joint kernel needs no groups
            variable.grouped(settings)
        return variables

    def expected(self) -> tuple[int, list[int]]:
        """How many rows there will be, and how many columns each layer has, by the first samples.

        Once they are known, nothing is passed through the model.
        """
        if self._expected is None:
            few = min(self.batch_size, FEW_SAMPLES, self.n)
            first = self._passed(np.arange(few), 1)
            rows = first.passing.count * self.n // len(first.numbers)
            self._expected = min(rows, self.most), [one.shape[1] for one in first.rows.values()]
        return self._expected

    def take(self, place: Place) -> Samples:
        """What each layer returns for all samples, or for the share of one of several processes."""
        numbers, rule = np.arange(place.rank, self.n, place.processes), self.watched.rule
        activations = self._passed(numbers, place.processes)
        self.repeated, self.unusable = activations.repeated, activations.unusable
        self.padded = activations.padded
        self.shapes = activations.shapes if rule.is_flat else {}
        self.counted = activations.counted
        return activations.samples(self.y)

    def _passed(self, numbers: Numbers, apart: int) -> Activations:
        """What the layers return for the samples with these numbers, of which each is so far apart.

        In evaluation mode, without a trace.
        """
        model, rule = self.root, self.watched.rule
        activations: Activations
        if rule.each_token:
            activations = TokenActivations(numbers, self.watched, self.most, self.seed)
        else:
            activations = Activations(numbers, self.watched)
        hooks = _hooks(model, self.watched.layers, activations)
        with undisturbed(model) as modules, Probing(), hooks:
            first = inputs.first_parameter(modules)
            for start in range(0, len(numbers), self.batch_size):
                part = numbers[start : start + self.batch_size]
                x = self.x
                if len(part) < self.n:
                    x = inputs.part(x, slice(int(part[0]), int(part[-1]) + 1, apart))
                given = x if isinstance(x, (tuple, list)) else [x]
                may_have_mask = rule.is_flat and not isinstance(x, torch.Tensor)
                mask = flat_mask(model, given, {}) if may_have_mask else None
                activations.passing = Pass(size=len(part), mask=mask)
                inputs.call(model, x, first)
                activations.store(start)
        return activations


class Activations:
    """The rows of each layer, (n, d), in the order in which the layers run.

    Attributes
    ----------
    numbers : array of int (n,)
        Of the samples.
    passing : Pass
        The forward pass that is under way.
    repeated, padded, unusable, shapes
        As in `Pass`, of all passes.
    counted : Counted
    """

    passing: Pass
    counted = Counted()

    def __init__(self, numbers: Numbers, watched: Watched) -> None:
        self.numbers, self.rule, self.where = numbers, watched.rule, watched.where
        self.calls = Calls(self.rule.mask)
        self.rows: dict[str, Rows] = {}
        self.repeated: set[str] = set()
        self.padded: set[str] = set()
        self.unusable: dict[str, str] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.filled: dict[str, int] = {}
        self.bytes = 0

    def record(self, name: str, output: Any) -> None:
        """Take what a layer has returned in the pass that is under way."""
        self.passing.add(name, output, self.rule, self.calls, self._copied)

    def _copied(self, _: Pass, rows: torch.Tensor) -> Rows:
        return self.where.kept(rows)

    def store(self, start: int) -> None:
        """The pass has ended; its first sample is that of this number."""
        passing = self.passing
        self.calls.clear()
        self.repeated |= passing.repeated
        self.padded |= passing.padded
        self.unusable.update(passing.unusable)
        self.shapes.update(passing.shapes)
        self.counted += passing.counted
        places = self._places(start)
        for name, part in passing.rows.items():
            if name not in self.rows:
                self.rows[name] = self._room(part)
            if part.shape[1] != self.rows[name].shape[1]:
                self.unusable[name] = uneven(self.rows[name].shape[1], part.shape[1])
                continue
            self._put(name, part, *places)
            self.filled[name] = self.filled.get(name, 0) + (passing.size or 0)

    def samples(self, labels: Array | None) -> Samples:
        """The rows of the layers that have run for all samples; `labels` are those of a sample."""
        return Samples(self._complete(), self.numbers)

    def _complete(self) -> dict[str, Rows]:
        n = len(self.numbers)
        return {name: rows for name, rows in self.rows.items() if self.filled.get(name) == n}

    def _places(self, start: int) -> tuple[Any, Any]:
        """The places that change, and which row of the pass comes to each; all of them here."""
        return slice(start, start + self.passing.count), None

    def _put(self, name: str, part: Rows, slots: Any, rows: Any) -> None:
        if self.rows[name] is not part:
            self.rows[name][slots] = part

    def _room(self, part: Rows) -> Rows:
        n = len(self.numbers)
        if len(part) == n and lies_in_order(part):
            return part  # of all samples in one pass, and a copy already
        self._reserve(n * part.shape[1] * part.itemsize, part)
        return room(n, part)

    def _reserve(self, size: int, beside: Rows) -> None:
        self.bytes += size
        require_room(
            float(self.bytes),
            beside,
            f"what {len(self.rows) + 1} layers return for {len(self.numbers)} samples",
            "use pooling='mean', fewer layers or a smaller max_points",
        )


class TokenActivations(Activations):
    """At most `most` of the kept tokens of the samples, those with the lowest priorities."""

    def __init__(self, numbers: Numbers, watched: Watched, most: int, seed: int) -> None:
        super().__init__(numbers, watched)
        self.kept = LowestPriorities(most, seed)

    def samples(self, labels: Array | None) -> Samples:
        """The tokens, by sample and place, each with the label of its sample."""
        numbers = self.kept.numbers[: self.kept.count]
        order = np.argsort(numbers)
        rows = {name: chosen_rows(rows, order) for name, rows in self._complete().items()}
        known = None if labels is None else labels[sample_numbers(numbers[order])]
        return Samples(rows, numbers[order], known)

    def _places(self, start: int) -> tuple[Any, Any]:
        if self.passing.prompts is None:  # no layer has rows
            return np.arange(0), np.arange(0)
        part = self.numbers[start : start + (self.passing.size or 0)]
        return self.kept.places(self.passing.numbers_of_rows(part))

    def _put(self, name: str, part: Rows, slots: Any, rows: Any) -> None:
        before = self.rows[name]
        self.rows[name] = after = lengthened(before, self.kept.count, self.kept.most)
        self._reserve(after.nbytes - before.nbytes, part)
        put(after, slots, chosen_rows(part, rows))

    def _room(self, part: Rows) -> Rows:
        return room(0, part)


@contextmanager
def _hooks(
    model: torch.nn.Module, layers: Mapping[str, torch.nn.Module], activations: Activations
) -> Iterator[None]:
    """Hooks that exist during the pass only: training never runs them."""
    handles: list[Any] = []
    try:
        for name, module in layers.items():

            def hook(_: Any, __: Any, output: Any, name: str = name) -> None:
                activations.record(name, output)

            handles.append(module.register_forward_hook(Hook(module, hook, probing=True)))
        if activations.rule.of_tokens:
            handles += note_calls(activations.calls, model, layers, probing=True)
        yield
    finally:
        for handle in handles:
            handle.remove()

"""From the samples of a measurement to the values of all layers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from eigentropy._kernels.groups import CLUSTERINGS, group_codes
from eigentropy._measures.brief import FEW_ROWS, brief_numbers, may_be_brief
from eigentropy._measures.layer_profile import (
    LayerDifference,
    LayerNumber,
    LayerProfile,
    ProfiledLayer,
)
from eigentropy._measures.measurement import (
    Measurement,
    MeasurementSettings,
    Variable,
    measure,
)
from eigentropy._support import memory
from eigentropy._support.options import one_of, renyi_order
from eigentropy._support.units import unit
from eigentropy._support.warnings import CollectedWarnings
from eigentropy.report.measures import INFORMATIONS, MEASURES, about, of_family
from eigentropy.torch.monitoring.neighbours import neighbours
from eigentropy.torch.monitoring.notices import Notice, Notices
from eigentropy.torch.monitoring.outputs import Outputs, Seen
from eigentropy.torch.monitoring.parallel import in_parallel
from eigentropy.torch.monitoring.readings import Reading, readings
from eigentropy.torch.monitoring.sharing import Share
from eigentropy.torch.monitoring.where import Rows, all_finite, looked_at, on_host

# What `brief_numbers` knows.
BRIEF_MEASURES = frozenset({"dse", "dsmi_y"})

NOTHING_SEEN = Seen(None, None, {})

NOT_FINITE = "has NaN or infinity in its activations: its values are NaN"

Variables = Mapping[str, Variable]


@dataclass(frozen=True)
class FoundLayer:
    """What is found in a layer. It can be sent to another process, and keeps no rows.

    Attributes
    ----------
    name : str
    columns : int
    numbers : dict of str to LayerNumber
        By measure.
    seen : Seen or None
        For the outputs; None of a layer that is not finite.
    neighbours : list of LayerDifference, or None
        The differences from the layer before; None where that is not known.
    edge : sequence of Reading
        Of the first and the last layer of a share: their neighbours may be measured by other
        processes, and the differences from these are found from it.
    """

    name: str
    columns: int
    numbers: dict[str, LayerNumber]
    seen: Seen | None = None
    neighbours: list[LayerDifference] | None = None
    edge: Sequence[Reading] = ()


class MeasuredLayer(NamedTuple):
    """A layer with its rows, and with results that keep them."""

    found: FoundLayer
    rows: Rows
    readings: list[Reading]

    def after(self, before: MeasuredLayer, level: float) -> MeasuredLayer:
        """The same with its differences from the layer before."""
        (a, _, its), (b, _, own) = before, self
        between = neighbours(a.name, its, b.name, own, level)
        return self._replace(found=replace(b, neighbours=between))


class _Computed(NamedTuple):
    """What is computed of a layer.

    `measured` is None of one that is not finite, and where nobody asks for more than the numbers.
    """

    measured: Measurement | None
    results: list[Reading]
    numbers: dict[str, LayerNumber]
    is_brief: bool = False


class Wanted(NamedTuple):
    """What is wanted of the layers beside their values.

    Attributes
    ----------
    records : bool
        Whether there is a recorder, in whichever process.
    sampling : bool
        Whether each number has a sampling error.
    level : float or None
        Of the comparison of neighbours; None where they are not compared.
    shown : bool
        Whether the outputs see the layers.
    """

    records: bool = False
    sampling: bool = False
    level: float | None = None
    shown: bool = True


class Measuring:
    """Measures the layers of a model, one after the other.

    Parameters
    ----------
    layers : sequence of str
        In the order of the model.
    measures : sequence of str
        Of `MEASURES`.
    settings : MeasurementSettings
    outputs : Outputs
    notices : Notices
    """

    def __init__(
        self,
        layers: Sequence[str],
        measures: Sequence[str],
        settings: MeasurementSettings,
        outputs: Outputs,
        notices: Notices,
    ) -> None:
        self._layers, self.measures, self.settings = layers, measures, settings
        self._may_be_brief = may_be_brief(settings) and BRIEF_MEASURES.issuperset(measures)
        self._outputs, self._notices = outputs, notices

    def all_layers(self, part: Share, known: Variables, wanted: Wanted) -> list[FoundLayer]:
        """What is found in all layers, which the outputs have seen.

        `known` is what all layers are compared with at every step; labels of these samples join it.
        Takes the rows out of the samples.
        """
        found = []
        for layer, rows, _ in self.layers(part, known, wanted):
            self.show(layer, rows)
            found.append(layer)
        return found

    def share(self, part: Share, known: Variables, wanted: Wanted) -> list[FoundLayer]:
        """What is found in a share of the layers; `joined` brings the shares together."""
        found: list[FoundLayer] = []
        for layer, _, results in self.layers(part, known, wanted):
            if len(found) > 1:  # neither the first nor the last
                found[-1] = replace(found[-1], edge=())
            found.append(layer if wanted.level is None else replace(layer, edge=results))
        return found

    def show(self, layer: FoundLayer, rows: Rows | None) -> None:
        """Show the outputs a layer."""
        if layer.seen is not None:
            self._outputs.layer(layer.name, rows, layer.seen)

    def values(self, found: Iterable[FoundLayer], sampling: bool) -> dict[str, float]:
        """Values of layers by their keys: those of a measure stand together."""
        kinds: dict[str, dict[str, float]] = {}  # by kind, and then by layer in the model's order
        for layer in sorted(found, key=lambda layer: self._layers.index(layer.name)):
            for kind, one in layer.numbers.items():
                kinds.setdefault(kind, {})[layer.name] = one.value
                if one.null_error is not None:
                    kinds.setdefault(f"{kind}_null_se", {})[layer.name] = one.null_error
                if sampling:
                    kinds.setdefault(f"{kind}_sampling_se", {})[layer.name] = one.sampling_error
        return {
            f"{kind}/{name}": value for kind in sorted(kinds) for name, value in kinds[kind].items()
        }

    def profile(self, found: Sequence[FoundLayer], n: int, level: float) -> LayerProfile:
        """The layers side by side."""
        layers = [ProfiledLayer(one.name, one.columns, one.numbers) for one in found]
        between = [pair for one in found for pair in one.neighbours or ()]
        units = {kind: self._unit(kind) for layer in layers for kind in layer.numbers}
        return LayerProfile(layers, between, n, self._notices.step, units, level)

    def _unit(self, kind: str) -> str:
        if kind.endswith("_adjusted"):
            return ""
        return unit(2.0 if kind == "kernel_y" else self.settings.base)

    def layers(self, part: Share, known: Variables, wanted: Wanted) -> Iterator[MeasuredLayer]:
        """What is found in each layer; nothing of those that lead up to them."""
        shared = self._prepared(part, known) if part.samples.rows else {}
        if self._may_be_parallel(part, shared, wanted):
            yield from self._in_parallel(part, shared, wanted)
            return
        previous: Rows | None = None
        last: MeasuredLayer | None = None
        for number, name in enumerate(list(part.samples.rows)):
            rows = part.samples.rows.pop(name)  # its memory is free after the next layer
            if number >= part.lead:
                layer = self._layer(name, rows, previous, shared, wanted)
                if wanted.level is not None and last is not None:
                    layer = layer.after(last, wanted.level)
                yield layer
                last = layer
            previous = rows

    def costs(self, columns: Sequence[int], n: int) -> list[float]:
        """What layers are predicted to cost, with n rows of these numbers of columns."""
        return [self._cost(n, *pair) for pair in pairwise([0, *columns])]

    def _cost(self, n: int, before: int, d: int) -> float:
        settings, plan = self.settings, self.settings.plan
        draws, k = settings.partitions, settings.n_clusters
        joint = {"kernel_x": d, "kernel_previous": before}
        families = {name.partition("_")[0] for name in self.measures}
        cost = plan.cost([n] * len(families), d, settings.alpha)
        for name in self.measures:
            if joint.get(name):
                cost += plan.cost([n] * draws, d + joint[name], None)
            elif name in INFORMATIONS and (before or not name.endswith("previous")):
                cost += plan.cost([n // k] * k * draws, d, settings.alpha)
        return cost

    def _prepared(self, part: Share, known: Variables) -> dict[str, Variable]:
        """What the layers are compared with, and its groups.

        What there is to say of it is said of the first layer of all, whichever process says it.
        """
        variables = dict(known)
        of = about("y", self.measures)
        if of and part.samples.labels is not None:
            variables["y"] = Variable("labels", part.samples.labels, "auto", of=of)
        new = [variable for variable in variables.values() if not variable.is_prepared]
        if new:
            with self._notices.caught(part.first):
                for variable in new:
                    if "diffusion" in variable.of:
                        variable.grouped(self.settings)
                    if "kernel" in variable.of:
                        variable.joined(self.settings)
        return variables

    def _layer(
        self, name: str, rows: Rows, previous: Rows | None, shared: Variables, wanted: Wanted
    ) -> MeasuredLayer:
        variables = dict(shared)
        of = about("previous", self.measures)
        if of and previous is not None:
            with self._notices.caught(name):
                variables["previous"] = self._before(previous, of)
        found = self._computed(name, rows, variables, wanted)
        return self._shown(name, rows, found, variables, wanted)

    def _computed(self, name: str, rows: Rows, variables: Variables, wanted: Wanted) -> _Computed:
        """What is computed of a layer. It may be on a thread beside the caller's."""
        if self._may_skip_results(rows, wanted):
            numbers = self._numbers_alone(name, rows, variables)
            if numbers is not None:
                self._notices.forget(name, NOT_FINITE)
                return _Computed(None, [], numbers, is_brief=True)
        measured = None
        is_finite = all_finite(rows)
        if is_finite:
            self._notices.forget(name, NOT_FINITE)
        with _quickly(len(rows)):
            if is_finite:
                with self._notices.caught(name):
                    measured = measure(
                        looked_at(rows), dict(variables), self.settings, name=name,
                        diffusion=wanted.records or bool(of_family("diffusion", self.measures)),
                    )  # fmt: skip
            else:
                self._notices.about_layer(name, NOT_FINITE)
            with self._notices.caught(name):
                results = [*readings(measured, variables, self.measures)]
        numbers = {
            one.kind: self._number(name, one) if wanted.sampling else one.plain() for one in results
        }
        return _Computed(measured, results, numbers)

    def _may_skip_results(self, rows: Rows, wanted: Wanted) -> bool:
        """Whether nobody asks for more than the numbers of these rows, which lie on the host."""
        if not self._may_be_brief or wanted.records or wanted.sampling or self._outputs.alarms:
            return False
        return isinstance(rows, np.ndarray)

    def _numbers_alone(
        self, name: str, rows: Rows, variables: Variables
    ) -> dict[str, LayerNumber] | None:
        """The numbers of a layer; None where it is not finite, or only `measure` finds them."""
        with CollectedWarnings() as said:
            try:
                found = brief_numbers(rows, variables.get("y"), self.settings)
            except MemoryError:
                found = None  # `measure` asks how much there is, and says what does not fit
        for message, category in said:
            self._notices.about_layer(name, message, category)
        if found is None:
            return None
        numbers = {"dse": LayerNumber(found.entropy)} if "dse" in self.measures else {}
        if "y" in variables:
            error = found.null_error
            numbers["dsmi_y"] = LayerNumber(found.information, null_error=error)
            numbers["dsmi_y_adjusted"] = LayerNumber(found.adjusted)
        return numbers

    def _shown(
        self, name: str, rows: Rows, found: _Computed, variables: Variables, wanted: Wanted
    ) -> MeasuredLayer:
        """A layer, of which the outputs take what they need."""
        taken = NOTHING_SEEN if found.is_brief else None
        if found.measured is not None and wanted.shown:
            labels = variables.get("y")
            taken = self._outputs.see(name, rows, found.measured, labels, wanted.records)
        layer = FoundLayer(name, rows.shape[1], found.numbers, taken)
        return MeasuredLayer(layer, rows, found.results)

    def _may_be_parallel(self, part: Share, shared: Variables, wanted: Wanted) -> bool:
        """Whether layers are measured side by side: short ones that have nothing in common."""
        layers = part.samples.rows.values()
        return (
            len(layers) > 1
            and part.lead == 0
            and not wanted.sampling
            and wanted.level is None
            and not about("previous", self.measures)
            and all(isinstance(rows, np.ndarray) and len(rows) <= FEW_ROWS for rows in layers)
            # What the joint kernel takes of a variable is found with the first layer.
            and all("kernel" not in one.of or one.known_kind == "labels" for one in shared.values())
        )

    def _in_parallel(
        self, part: Share, shared: Variables, wanted: Wanted
    ) -> Iterator[MeasuredLayer]:
        """The same, side by side; what there is to say of a layer is said when its turn comes."""
        layers = dict(part.samples.rows)
        part.samples.rows.clear()
        works = [partial(self._aside, *layer, shared, wanted) for layer in layers.items()]
        for (name, rows), (found, said) in zip(layers.items(), in_parallel(works), strict=True):
            self._notices.say(said)
            yield self._shown(name, rows, found, shared, wanted)

    def _aside(
        self, name: str, rows: Rows, variables: Variables, wanted: Wanted
    ) -> tuple[_Computed, list[Notice]]:
        """What is computed of a layer, and what there is to say of it, on whatever thread."""
        with self._notices.withheld() as said, CollectedWarnings():
            return self._computed(name, rows, variables, wanted), said

    def _before(self, previous: Rows, of: Sequence[str]) -> Variable:
        """The layer before, and its clusters; a single group where it is not finite."""
        n, k, seed = len(previous), self.settings.n_clusters, self.settings.seed
        groups, source = None, "the layer before"
        previous = on_host(previous)  # which clusters them
        if not all_finite(previous):
            return Variable(source, np.zeros(n, dtype=np.int64), "labels", of=of)
        if "diffusion" in of:
            groups = group_codes(previous, n, "vectors", k, "kmeans", seed, source)
        return Variable(source, previous, "vectors", groups, of)

    def _number(self, name: str, one: Reading) -> LayerNumber:
        """A number with its sampling error; NaN, with a notice, where there is none."""
        try:
            with self._notices.caught(name):
                number = one.number()
        except ValueError as problem:  # too few rows
            self._notices.about_layer(name, str(problem))
            return one.plain()
        if math.isnan(number.sampling_error) and not math.isnan(one.value):
            why = f"{one.kind} has no sampling error: {getattr(one.moved(), 'note', '')}"
            self._notices.about_layer(name, why, topic=f"{one.kind} sampling")
        return number


def _quickly(n: int) -> AbstractContextManager[None]:
    """Where few rows are measured the system is asked once how much memory there is."""
    return memory.asked_once() if n <= FEW_ROWS else nullcontext()


def joined(found: Sequence[FoundLayer], level: float | None) -> list[FoundLayer]:
    """Layers that several processes have measured, with the differences between their shares."""
    layers = list(found)
    for number, (a, b) in enumerate(pairwise(found), start=1):
        if level is not None and b.neighbours is None:
            between = neighbours(a.name, a.edge, b.name, b.edge, level)
            layers[number] = replace(b, neighbours=between)
    return [replace(layer, edge=()) for layer in layers]


def checked_measures(measures: str | Sequence[str]) -> tuple[str, ...]:
    """The argument `measures` of a monitor."""
    wanted = (measures,) if isinstance(measures, str) else tuple(measures)
    for name in wanted:
        one_of(name, "measures", MEASURES)
    if not wanted:
        raise ValueError("measures is empty")
    return wanted


def checked_order(order: float, measures: Sequence[str]) -> float:
    """The argument `order` of a monitor, which `bits` is not defined for unless it is 1."""
    known = renyi_order(order)
    if known != 1.0 and "kernel_y" in measures:
        raise ValueError(
            f"order={known:g}: kernel_y is in bits for order=1 only; leave one of them out"
        )
    return known


def checked_clusters(clusters: str | None) -> str:
    """The argument `clusters` of a monitor: the name of an algorithm, since the vectors change."""
    if clusters is not None and not isinstance(clusters, str):
        raise TypeError(
            f"clusters must be 'spectral' or 'kmeans', got {type(clusters).__name__}: groups of "
            "the samples are labels, as in Probe(x, groups)"
        )
    return one_of(clusters or "spectral", "clusters", CLUSTERINGS)


def checked_values(values: Mapping[str, Any] | None) -> dict[str, float]:
    """The caller's own values as floats, such as a loss that is a tensor."""
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise TypeError(f"values must be a mapping of names to numbers, got {values!r}")
    known = {}
    for name, value in values.items():
        if not isinstance(name, str) or name == "step":
            raise ValueError(f"values: a name must be a string other than 'step', got {name!r}")
        try:
            known[name] = float(value)
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(
                f"values[{name!r}] must be a number, got {type(value).__name__}"
            ) from error
    return known

"""From the samples of a measurement to the values of all layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eigentropy._kernels.groups import CLUSTERINGS, group_codes
from eigentropy._measures.kernel_results import KernelInformation
from eigentropy._measures.measurement import Measurement, MeasurementSettings, Variable, measure
from eigentropy._measures.results import MutualInformation
from eigentropy._support.options import one_of, renyi_order
from eigentropy.report.measures import FAMILIES, MEASURES, about, of_family
from eigentropy.torch.monitoring.notices import Notices
from eigentropy.torch.monitoring.outputs import Outputs
from eigentropy.torch.monitoring.samples import Array, Samples

NOT_FINITE = "has NaN or infinity in its activations: its values are NaN"

Variables = Mapping[str, Variable]


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
        self.layers, self.measures, self.settings = layers, measures, settings
        self._outputs, self._notices = outputs, notices
        self._diffusion = outputs.records or bool(of_family("diffusion", measures))

    def values(self, samples: Samples, known: Variables) -> dict[str, float]:
        """The values of all layers by their keys.

        `known` is what all layers are compared with at every step; labels of these samples join it.
        Takes the rows out of `samples`.
        """
        shared = dict(known)
        of = about("y", self.measures)
        if of and samples.labels is not None:
            shared["y"] = Variable("labels", samples.labels, "auto", of=of)
        found: dict[str, float] = {}
        previous: Array | None = None
        for name in list(samples.rows):
            rows = samples.rows.pop(name)  # its memory is free after the next layer
            found.update(self._measure_layer(name, rows, previous, shared))
            previous = rows
        return {key: found[key] for key in sorted(found, key=self._place)}

    def _place(self, key: str) -> tuple[str, int]:
        """Keys of one measure stand together, in the order of the model."""
        kind, _, name = key.partition("/")
        return kind, self.layers.index(name)

    def _measure_layer(
        self, name: str, rows: Array, previous: Array | None, shared: Variables
    ) -> dict[str, float]:
        variables = dict(shared)
        of = about("previous", self.measures)
        if of and previous is not None:
            with self._notices.caught(name):
                variables["previous"] = self._before(previous, of)
        if not np.isfinite(rows).all():
            self._notices.about_layer(name, NOT_FINITE)
            return self._values(name, None, variables)
        self._notices.forget(name, NOT_FINITE)
        with self._notices.caught(name):
            measured = measure(rows, variables, self.settings, name=name, diffusion=self._diffusion)
        self._outputs.layer(name, rows, measured, variables.get("y"))
        return self._values(name, measured, variables)

    def _before(self, previous: Array, of: Sequence[str]) -> Variable:
        """The layer before, and its clusters; a single group where it is not finite."""
        n, k, seed = len(previous), self.settings.n_clusters, self.settings.seed
        groups, source = None, "the layer before"
        if not np.isfinite(previous).all():
            return Variable(source, np.zeros(n, dtype=np.int64), "labels", of=of)
        if "diffusion" in of:
            groups = group_codes(previous, n, "vectors", k, "kmeans", seed, source)
        return Variable(source, previous, "vectors", groups, of)

    def _values(
        self, name: str, measured: Measurement | None, variables: Variables
    ) -> dict[str, float]:
        values = {}
        for family, (entropy, information) in FAMILIES.items():
            entropies, found = _of_family(measured, family)
            if entropy in self.measures:
                values[f"{entropy}/{name}"] = float(entropies[0]) if entropies else math.nan
            for role, variable in variables.items():
                if family in variable.of:
                    key = f"{information}_{role}"
                    result = found[role][0] if found else None
                    is_of_y, is_label = key == "kernel_y", variable.known_kind == "labels"
                    value, error, adjusted = _numbers(result, entropies, in_bits=is_of_y)
                    values[f"{key}/{name}"], values[f"{key}_null_se/{name}"] = value, error
                    if family == "diffusion" or (is_of_y and is_label):
                        values[f"{key}_adjusted/{name}"] = adjusted
        return values


def _of_family(
    measured: Measurement | None, family: str
) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """The entropies and the informations; none of a layer that is not finite."""
    if measured is None:
        return [], {}
    if family == "diffusion":
        return measured.entropies, measured.informations
    return measured.kernel_entropies, measured.kernel_informations


def _numbers(
    result: MutualInformation | None, entropies: Sequence[Any], in_bits: bool
) -> tuple[float, float, float]:
    """What is written of an information, its error and `adjusted`."""
    if result is None:
        return math.nan, math.nan, math.nan
    adjusted = result.adjusted()
    if in_bits and isinstance(result, KernelInformation) and result.kind == "labels":
        return result.bits(), error_of_bits(result, entropies[0].standard_error), adjusted
    factor = math.log2(result.base) if in_bits else 1.0
    return factor * float(result), factor * result.standard_error, adjusted


def error_of_bits(result: KernelInformation, error_of_all: float) -> float:
    """Standard error of `bits` over the random partitions and random vectors, to first order.

    With the matched information m, and the most r that it may be, bits = m H(Y) / r. Both m and r
    have the mean over the random partitions in them, with one sign: where m is near r, that mean
    hardly matters.

    Parameters
    ----------
    result : KernelInformation
        About labels, by the matched estimator.
    error_of_all : float
        Standard error of the entropy of all rows.
    """
    if not result.standard_error:
        return 0.0 * result.bits()  # which may be NaN
    adjusted = result.adjusted()
    of_mean, of_observed = (error for error, _ in result.error_parts)
    change = math.hypot((1.0 - adjusted) * of_mean, of_observed, adjusted * error_of_all)
    return abs(result.bits() / result.value) * change if result.value else math.nan


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

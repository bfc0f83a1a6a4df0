"""From the samples of a measurement to the values of all layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eigentropy._kernels.groups import CLUSTERINGS, group_codes
from eigentropy._measures.measurement import Measurement, MeasurementSettings, Variable, measure
from eigentropy._support.options import one_of
from eigentropy.torch.monitoring.notices import Notices
from eigentropy.torch.monitoring.outputs import Outputs
from eigentropy.torch.monitoring.samples import Array, Samples

MEASURES = ("dse", "dsmi_y", "dsmi_x", "dsmi_previous")

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

    def values(self, samples: Samples, known: Variables) -> dict[str, float]:
        """The values of all layers by their keys.

        `known` is what all layers are compared with at every step; labels of these samples join it.
        Takes the rows out of `samples`.
        """
        shared = dict(known)
        if "dsmi_y" in self.measures and samples.labels is not None:
            shared["dsmi_y"] = Variable("labels", samples.labels, "auto")
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
        if "dsmi_previous" in self.measures and previous is not None:
            with self._notices.caught(name):
                variables["dsmi_previous"] = self._clustered(previous)
        if not np.isfinite(rows).all():
            self._notices.about_layer(name, NOT_FINITE)
            return self._values(name, None, variables)
        self._notices.forget(name, NOT_FINITE)
        with self._notices.caught(name):
            measured = measure(rows, variables, self.settings, name=name)
        labels = variables.get("dsmi_y")
        groups = None if labels is None else labels.groups
        self._outputs.layer(name, rows, measured.entropies[0], groups)
        return self._values(name, measured, variables)

    def _clustered(self, previous: Array) -> Variable:
        """The layer before, in clusters; in one cluster where it is not finite."""
        n, k, seed = len(previous), self.settings.n_clusters, self.settings.seed
        groups, source = np.zeros(n, dtype=np.int64), "the layer before"
        if np.isfinite(previous).all():
            groups = group_codes(previous, n, "vectors", k, "kmeans", seed, source)
        return Variable(source, groups, "labels", groups)

    def _values(
        self, name: str, measured: Measurement | None, variables: Variables
    ) -> dict[str, float]:
        values = {}
        if "dse" in self.measures:
            values[f"dse/{name}"] = float(measured.entropies[0]) if measured else math.nan
        for role in variables:
            information = measured.informations[role][0] if measured else None
            value, error, adjusted = math.nan, math.nan, math.nan
            if information is not None:  # which is false as a number where it is 0
                value, error = float(information), information.standard_error
                adjusted = information.adjusted()
            values[f"{role}/{name}"], values[f"{role}_null_se/{name}"] = value, error
            values[f"{role}_adjusted/{name}"] = adjusted
        return values


def checked_measures(measures: str | Sequence[str]) -> tuple[str, ...]:
    """The argument `measures` of a monitor."""
    wanted = (measures,) if isinstance(measures, str) else tuple(measures)
    for name in wanted:
        one_of(name, "measures", MEASURES)
    if not wanted:
        raise ValueError("measures is empty")
    return wanted


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

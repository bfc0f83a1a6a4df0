"""The numbers that a monitor reads off a layer, and what their errors are found from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from eigentropy._measures.comparison.items import own_variation
from eigentropy._measures.kernel_results import KernelInformation
from eigentropy._measures.layer_profile import LayerNumber
from eigentropy._measures.measurement import Measurement, Variable
from eigentropy._measures.results import Entropy, MutualInformation
from eigentropy._measures.sampling.variation import Variation
from eigentropy.report.measures import FAMILIES


class Reading(NamedTuple):
    """A number of a layer.

    Attributes
    ----------
    kind : str
        What it is, as "dsmi_y_adjusted".
    value : float
        NaN of a layer that is not finite.
    result : Entropy, MutualInformation or None
        Where it comes from; None of a layer that is not finite.
    form : str
        Which form of the result it is: "adjusted", "bits"; empty for its value.
    factor : float
        From the unit of the result.
    null_error : float or None
        Standard error over the null partitions, where that is written.
    """

    kind: str
    value: float
    result: Entropy | MutualInformation | None = None
    form: str = ""
    factor: float = 1.0
    null_error: float | None = None

    def moved(self) -> Variation | None:
        """How the result moves with its rows; computed at the first use, which may take long.

        Raises
        ------
        ValueError
            Too few rows.
        """
        return None if self.result is None else own_variation(self.result, self.form)

    def number(self) -> LayerNumber:
        """What is kept of it, with its sampling error.

        Raises
        ------
        ValueError
            Too few rows.
        """
        moved = self.moved()
        if moved is None:
            return self.plain()
        error = self.factor * moved.standard_error
        return LayerNumber(self.value, error, moved.degrees, self.null_error)

    def plain(self) -> LayerNumber:
        """What is kept of it, without a sampling error."""
        return LayerNumber(self.value, null_error=self.null_error)


def readings(
    measured: Measurement | None, variables: Mapping[str, Variable], measures: Sequence[str]
) -> Iterator[Reading]:
    """The numbers of a layer; those of a layer that is not finite, not measured, are NaN."""
    for family, (entropy, information) in FAMILIES.items():
        entropies, found = _of_family(measured, family)
        if entropy in measures:
            first = entropies[0] if entropies else None
            yield Reading(entropy, math.nan if first is None else float(first), first)
        for role, variable in variables.items():
            if family in variable.of:
                kind, is_label = f"{information}_{role}", variable.known_kind == "labels"
                result = found[role][0] if found else None
                yield _information(kind, result, entropies)
                if family == "diffusion" or (kind == "kernel_y" and is_label):
                    adjusted = math.nan if result is None else result.adjusted()
                    yield Reading(f"{kind}_adjusted", adjusted, result, "adjusted")


def _of_family(
    measured: Measurement | None, family: str
) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """The entropies and the informations; none of a layer that is not finite."""
    if measured is None:
        return [], {}
    if family == "diffusion":
        return measured.entropies, measured.informations
    return measured.kernel_entropies, measured.kernel_informations


def _information(
    kind: str, result: MutualInformation | None, entropies: Sequence[Entropy]
) -> Reading:
    """An information; that of the density matrix about labels is in bits."""
    if result is None:
        return Reading(kind, math.nan, null_error=math.nan)
    if kind == "kernel_y" and isinstance(result, KernelInformation) and result.kind == "labels":
        error = error_of_bits(result, entropies[0].standard_error)
        return Reading(kind, result.bits(), result, "bits", 1.0, error)
    factor = math.log2(result.base) if kind == "kernel_y" else 1.0
    value, error = factor * float(result), factor * result.standard_error
    return Reading(kind, value, result, "", factor, error)


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

"""From the spectra of groups to a mutual information, its error, its p-value and its scale."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._kernels.diffusion import DiffusionMatrix
from eigentropy._measures.results import MutualInformation
from eigentropy._spectra.exact import exact_spectrum, warn_if_rounded
from eigentropy._spectra.groups import GroupSpectra
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy._spectra.rounding import within
from eigentropy._spectra.solve import estimated_spectrum
from eigentropy._spectra.spectrum import Spectrum

# Less conditional entropy is more information; equal partitions may differ in the last bits.
TIES = {"float64": 1e-12, "float32": 1e-6}

# `adjusted` divides by a difference of entropies. It must be larger than this many standard
# deviations of its noise, and than this share of H(Y).
NOISES = 3.0
SMALLEST_ROOM = 1e-9


class Measured(NamedTuple):
    """An information, and the baseline from which it is a difference."""

    result: MutualInformation
    baseline: float


@dataclass(frozen=True)
class GroupInformation:
    """What the spectra of the groups say of Y, at every t.

    Attributes
    ----------
    matrix : DiffusionMatrix
        Of all rows.
    groups : GroupSpectra
    estimator : {"matched", "plain"}
    base : float
    seed : int
    plan : SpectrumPlan
    """

    matrix: DiffusionMatrix
    groups: GroupSpectra
    estimator: str
    base: float
    seed: int
    plan: SpectrumPlan
    _measured: dict[float, Measured] = field(default_factory=dict)
    _conditionals: dict[float, npt.NDArray[np.float64]] = field(default_factory=dict)
    _spectrum_of_all: list[Spectrum] = field(default_factory=list)

    def at(self, t: float) -> MutualInformation:
        """The information at diffusion time t, with a warning where the spectra do not give it."""
        result, baseline = self.measured(t)
        warn_if_rounded(result.error_bound, baseline, self.plan.rounding_tol, self.base, t)
        return result

    def is_within(self, t: float) -> bool:
        """Whether rounding leaves the information at t within tol of the baseline."""
        result, baseline = self.measured(t)
        return within(result.error_bound, baseline, self.plan.tol, self.base)

    def measured(self, t: float) -> Measured:
        """The information at diffusion time t; found once."""
        if t not in self._measured:
            self._measured[t] = self._measure(t)
        return self._measured[t]

    def _measure(self, t: float) -> Measured:
        entropies, _, bounds = self._conditional(t)
        observed, null = float(entropies[0]), entropies[1:]
        of_observed = self.groups.error_of_observed(t, self.base)
        if self.estimator == "matched":
            # The spread of the null has the errors of its estimates in it.
            baseline, bound = float(null.mean()), float(bounds[1:].mean())
            of_baseline = float(null.std(ddof=1)) / math.sqrt(len(null)), len(null) - 1.0
        else:
            whole = self._whole(t)
            baseline, bound = whole.entropy(t, self.base), whole.bound(t, self.base)
            bound = 0.0 if math.isnan(bound) else bound
            of_baseline = whole.standard_error(t, self.base), whole.degrees
        parts = of_baseline, of_observed
        tie = TIES[self.groups.dtype] * max(1.0, abs(observed))
        at_least = int((null <= observed + tie).sum())
        bound += float(bounds[0])
        matrix, partitions = self.matrix, self.groups.partitions
        result = MutualInformation(
            value=baseline - observed,
            standard_error=math.hypot(*(error for error, _ in parts)),
            error_parts=parts,
            p_value=(1 + at_least) / (1 + len(null)) if len(null) else math.nan,
            conditional_entropy=observed,
            null=baseline - null,
            group_sizes=partitions.sizes,
            clusters=partitions.codes,
            label_entropy=self._label_entropy(),
            method=self.groups.method,
            estimator=self.estimator,
            n=matrix.n,
            sigma=matrix.sigma,
            alpha=matrix.alpha,
            t=t,
            base=self.base,
            seed=self.seed,
            dtype="float32" if bound > 0.0 else self.groups.dtype,
            error_bound=bound,
            _source=self,
        )
        return Measured(result, baseline)

    def uncertainty(self, t: float) -> float:
        """What rounding may have changed of the information, in float64, too."""
        observed, *null = self.groups.uncertainties(t, self.base)
        if self.estimator == "matched":
            return float(observed + np.mean(null))
        return float(observed + np.nan_to_num(self._whole(t).uncertainty(t, self.base)))

    def adjusted(self, t: float) -> tuple[float, str]:
        """The ratio matched / (H(Y) - (S(Z) - mean null)), and why it is NaN where it is."""
        entropies, _, _ = self._conditional(t)
        observed, null = float(entropies[0]), entropies[1:]
        label_entropy = self._label_entropy()
        if len(null) < 2:
            return math.nan, "n_null is below 2: there is no matched baseline"
        if label_entropy == 0.0:
            return math.nan, "Y has a single group: H(Y) is 0"
        baseline, noise = float(null.mean()), float(null.std(ddof=1))
        whole = self._whole(t)
        room = label_entropy - (whole.entropy(t, self.base) - baseline)
        noise = math.hypot(noise, whole.standard_error(t, self.base))
        if room <= max(NOISES * noise, SMALLEST_ROOM * label_entropy):
            return math.nan, (
                f"H(Y) leaves {room:.3g} above what groups of these sizes lose at random, which "
                f"is within the noise ({noise:.3g}): sigma is too small, or the groups are"
            )
        return (baseline - observed) / room, ""

    def _conditional(self, t: float) -> npt.NDArray[np.float64]:
        """Conditional entropies with their errors; kept, for `adjusted` needs them, too."""
        if t not in self._conditionals:
            self._conditionals[t] = self.groups.conditional_entropies(t, self.base)
        return self._conditionals[t]

    def _label_entropy(self) -> float:
        p = self.groups.partitions.shares
        return max(0.0, -float(p @ np.log(p))) / math.log(self.base)

    def _whole(self, t: float) -> Spectrum:
        """The spectrum of all rows; an estimate serves every t."""
        if self._spectrum_of_all:
            return self._spectrum_of_all[0]
        matrix, plan = self.matrix, self.plan
        if not matrix.is_solved and plan.estimates(matrix.n, matrix.samples.d, matrix.alpha):
            return self._estimate_of_all(t)
        try:
            return exact_spectrum(matrix, [t], plan.rounding_tol)
        except (_core.SolverError, MemoryError):
            if not plan.may_replace_solver(matrix.n):
                raise
            return self._estimate_of_all(t)

    def _estimate_of_all(self, t: float) -> Spectrum:
        """The estimate for the first t that is asked for."""
        found = estimated_spectrum(self.matrix, [t], self.plan, self.matrix.seed)
        self._spectrum_of_all.append(found)
        return found

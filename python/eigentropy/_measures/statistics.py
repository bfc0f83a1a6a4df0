"""From the spectra of groups to a mutual information, its error, its p-value and its scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._kernels.groups import Codes
from eigentropy._kernels.matrix import KernelMatrix
from eigentropy._kernels.partitions import Partitions
from eigentropy._measures.forms import ONLY_ORDER_1, adjusted_information, mean_and_error
from eigentropy._measures.null_counts import (
    MOST,
    enough_partitions,
    least_count,
    p_value,
    p_value_from,
)
from eigentropy._measures.results import MutualInformation
from eigentropy._measures.sampling.halves import MOST_ROWS, Halves, halves_of
from eigentropy._measures.sampling.subsets import Asked, informations_of_sets
from eigentropy._spectra.exact import exact_spectrum, warn_if_rounded
from eigentropy._spectra.functionals import Functional, Shannon
from eigentropy._spectra.groups import GroupSpectra, solve_groups
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy._spectra.rounding import within
from eigentropy._spectra.solve import estimated_spectrum
from eigentropy._spectra.spectrum import Spectrum
from eigentropy._support.options import AUTO
from eigentropy._support.progress import Callback, part

# Less conditional entropy is more information; equal partitions may differ in the last bits.
TIES = {"float64": 1e-12, "float32": 1e-6}

# From what all informations have, and the entropy, to the result.
ResultOf: TypeAlias = Callable[[dict[str, Any], Functional], MutualInformation]


class Measured(NamedTuple):
    """An information, and the baseline from which it is a difference."""

    result: MutualInformation
    baseline: float


@dataclass(frozen=True)
class GroupInformation:
    """What the spectra of the groups say of Y, by every entropy.

    Attributes
    ----------
    result_of : callable
        From what all informations have, and the entropy, to the result.
    matrix : KernelMatrix
        Of all rows.
    groups : GroupSpectra
    estimator : {"matched", "plain"}
    n_null : int or "auto"
        What the caller has asked for.
    base : float
    seed : int
    plan : SpectrumPlan
    """

    result_of: ResultOf
    matrix: KernelMatrix
    groups: GroupSpectra
    estimator: str
    n_null: int | str
    base: float
    seed: int
    plan: SpectrumPlan
    _measured: dict[Functional, Measured] = field(default_factory=dict)
    _conditionals: dict[Functional, npt.NDArray[np.float64]] = field(default_factory=dict)
    _spectrum_of_all: list[Spectrum] = field(default_factory=list)

    def at(self, which: Functional) -> MutualInformation:
        """The information by this entropy, with a warning where the spectra do not give it."""
        result, baseline = self.measured(which)
        warn_if_rounded(result.error_bound, baseline, self.plan.rounding_tol, self.base, which)
        return result

    def is_within(self, which: Functional) -> bool:
        """Whether rounding leaves the information within tol of the baseline."""
        result, baseline = self.measured(which)
        return within(result.error_bound, baseline, self.plan.tol, self.base)

    def enough_partitions(self, wanted: Sequence[Functional]) -> int:
        """How many random partitions are enough for all of these entropies."""
        base, shares = self.base, self.groups.partitions.shares

        def enough(which: Functional) -> int:
            entropies = self.groups.entropies(which, base)[1:]
            baseline = float((entropies @ shares).mean())
            return enough_partitions(entropies, shares, baseline, self.plan.tol, base)

        return max(enough(which) for which in wanted)

    def measured(self, which: Functional) -> Measured:
        """The information by this entropy; found once."""
        if which not in self._measured:
            self._measured[which] = self._measure(which)
        return self._measured[which]

    def _measure(self, which: Functional) -> Measured:
        entropies, _, bounds = self._conditional(which)
        observed, null = float(entropies[0]), entropies[1:]
        of_observed = self.groups.error_of_observed(which, self.base)
        if self.estimator == "matched":
            # The spread of the null has the errors of its estimates in it.
            count = len(null)
            baseline, error = mean_and_error(null)
            bound, of_baseline = float(bounds[1:].sum()) / count, (error, count - 1.0)
        else:
            whole = self._whole(which)
            baseline, bound = whole.entropy(which, self.base), whole.bound(which, self.base)
            bound = 0.0 if math.isnan(bound) else bound
            of_baseline = whole.standard_error(which, self.base), whole.degrees
        parts = of_baseline, of_observed
        tie = TIES[self.groups.dtype] * max(1.0, abs(observed))
        bound += float(bounds[0])
        matrix, partitions = self.matrix, self.groups.partitions
        known = {
            "value": baseline - observed,
            "standard_error": math.hypot(*(error for error, _ in parts)),
            "error_parts": parts,
            "p_value": p_value(self.n_null, observed, null, tie),
            "p_value_from": p_value_from(self.n_null, null, tie),
            "conditional_entropy": observed,
            "null": baseline - null,
            "group_sizes": partitions.sizes.copy(),  # partitions may be kept
            "clusters": partitions.codes,
            "label_entropy": self._label_entropy(),
            "method": self.groups.method,
            "estimator": self.estimator,
            "n": matrix.n,
            "sigma": matrix.sigma,
            "base": self.base,
            "seed": self.seed,
            "dtype": "float32" if bound > 0.0 else self.groups.dtype,
            "error_bound": bound,
            "_source": self,
        }
        return Measured(self.result_of(known, which), baseline)

    def uncertainty(self, which: Functional) -> float:
        """What rounding may have changed of the information, in float64, too."""
        observed, *null = self.groups.uncertainties(which, self.base)
        if self.estimator == "matched":
            return float(observed + np.mean(null))
        return float(observed + np.nan_to_num(self._whole(which).uncertainty(which, self.base)))

    def adjusted(self, which: Functional) -> tuple[float, str]:
        """The ratio matched / (H(Y) - (S(Z) - mean null)), and why it is NaN where it is."""
        if not self.matrix.has_unit_eigenvalue and which != Shannon():
            return math.nan, ONLY_ORDER_1
        entropies, _, _ = self._conditional(which)
        observed, null = float(entropies[0]), entropies[1:]
        return adjusted_information(
            observed, null, self._whole_entropy(which), self._label_entropy()
        )

    def halves(self, which: Functional, what: str, value: float) -> Halves:
        """How the information, or a form of it, moves with the rows."""
        matrix, codes = self.matrix, self.groups.partitions.codes
        asked = Asked(which, (what,), self.estimator, self.base, self.seed, self.groups.dtype)

        def on_sets(sets: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.float64]:
            return informations_of_sets(matrix, codes, sets, asked)[:, 0]

        return halves_of(value, on_sets, matrix.n, self.seed, most=MOST_ROWS)

    def _conditional(self, which: Functional) -> npt.NDArray[np.float64]:
        """Conditional entropies with their errors; kept, for `adjusted` needs them, too."""
        if which not in self._conditionals:
            self._conditionals[which] = self.groups.conditional_entropies(which, self.base)
        return self._conditionals[which]

    def _label_entropy(self) -> float:
        return self.groups.partitions.label_nats / math.log(self.base)

    def _whole_entropy(self, which: Functional) -> tuple[float, float]:
        """The entropy of all rows and its standard error."""
        whole = self._whole(which)
        return whole.entropy(which, self.base), whole.standard_error(which, self.base)

    def _whole(self, which: Functional) -> Spectrum:
        """The spectrum of all rows; an estimate serves every which."""
        if self._spectrum_of_all:
            return self._spectrum_of_all[0]
        matrix, plan = self.matrix, self.plan
        is_solved = matrix.is_solved or matrix.is_solved_in_single
        if not is_solved and plan.estimates(matrix.n, matrix.samples.d, matrix.alpha):
            return self._estimate_of_all(which)
        try:
            return exact_spectrum(matrix, [which], plan.rounding_tol)
        except (_core.SolverError, MemoryError):
            if not plan.may_replace_solver(matrix.n):
                raise
            return self._estimate_of_all(which)

    def _estimate_of_all(self, which: Functional) -> Spectrum:
        """The estimate for the first entropy that is asked for."""
        found = estimated_spectrum(self.matrix, [which], self.plan, self.matrix.seed)
        self._spectrum_of_all.append(found)
        return found


def group_informations(
    matrix: KernelMatrix,
    codes: Codes,
    wanted: Sequence[Functional],
    plan: SpectrumPlan,
    result_of: ResultOf,
    *,
    estimator: str,
    n_null: int | str,
    base: float,
    seed: int,
    progress: Callback | None,
    blocks: npt.NDArray[np.int64] | None = None,
    drawn: Callable[[int, int], Partitions] | None = None,
) -> list[Any]:
    """The information between the rows and their groups by each entropy, from the same spectra.

    `blocks` of rows stay together in random partitions: see `Partitions.drawn`. With
    n_null="auto", those of the first partitions say how many more there are to be. `drawn` has
    the partitions of these groups by the number of random ones and the seed, where they are kept.
    """
    draw = partial(Partitions.drawn, codes, blocks=blocks) if drawn is None else drawn
    partitions = draw(least_count(n_null), seed)
    partitions.warn_about_groups()
    most = 1 + (MOST if n_null == AUTO else len(partitions) - 1)
    plan = plan.on(matrix.samples.device)
    of_groups = 1.0
    if estimator == "plain":  # the entropy of all rows follows
        d, alpha = matrix.samples.d, matrix.alpha
        own, whole = plan.cost(partitions.orders, d, alpha), plan.cost([matrix.n], d, alpha)
        of_groups = own / (own + whole)
    told = part(progress, 0.0, of_groups)

    def information(groups: GroupSpectra) -> GroupInformation:
        return GroupInformation(result_of, matrix, groups, estimator, n_null, base, seed, plan)

    single: list[GroupInformation] = []  # of groups in float32, which keep what is found of them

    def is_within(groups: GroupSpectra) -> bool:
        single.append(information(groups))
        return all(single[-1].is_within(one) for one in wanted)

    groups: GroupSpectra | None = None
    while True:
        done = 0 if groups is None else len(groups.partitions)
        stretch = part(told, done / most, len(partitions) / most)
        groups = solve_groups(matrix, partitions, wanted, plan, is_within, stretch, groups)
        known = bool(single) and single[-1].groups is groups
        source = single[-1] if known else information(groups)
        enough = source.enough_partitions(wanted) if n_null == AUTO else len(partitions) - 1
        if enough < len(partitions):
            break
        partitions = draw(enough, seed)
    groups.warn_if_saturated(matrix, min(wanted, key=lambda one: one.exponent))
    results = [source.measured(one).result for one in wanted]
    if progress is not None:
        progress(1.0)
    return results

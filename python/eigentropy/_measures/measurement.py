"""One measurement: the entropy of a matrix, and what it shares with labels and other vectors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.devices import parse
from eigentropy._backends.host_arrays import Matrix
from eigentropy._backends.rows import sample_rows
from eigentropy._kernels.bandwidth import RULES
from eigentropy._kernels.diffusion import MAX_ALPHA
from eigentropy._kernels.groups import CLUSTERINGS, KINDS, Codes, group_codes, groups_of_rows
from eigentropy._measures.entropy import entropies
from eigentropy._measures.information import informations
from eigentropy._measures.operator import DiffusionOperator
from eigentropy._measures.results import DiffusionEntropy, DiffusionInformation
from eigentropy._measures.statistics import ESTIMATORS
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy._support.options import (
    integer,
    logarithm_base,
    nonnegative,
    one_of,
    positive,
    random_seed,
    sigma_or_rule,
)
from eigentropy._support.progress import Callback, part, reporter

Progress = bool | Callback


@dataclass(frozen=True)
class MeasurementSettings:
    """The options of a measurement, as the two functions of the package name them.

    Checked when they are made, before a file is opened.
    """

    t: tuple[float, ...] = (1.0,)
    sigma: float | str = "auto"
    alpha: float = 0.5
    base: float = 2.0
    method: str = "auto"
    tol: float = 1e-3
    max_points: int | None = None
    dtype: str | None = None
    device: str | None = None
    estimator: str = "matched"
    n_null: int = 20
    kind: str = "auto"
    n_clusters: int = 10
    clusters: str = "spectral"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be used, naming the option; numbers of any type become Python's."""
        if not self.t:
            raise ValueError("t needs at least one value")
        SpectrumPlan.checked(self.method, self.tol, self.dtype)
        parse(self.device)
        one_of(self.estimator, "estimator", ESTIMATORS)
        one_of(self.kind, "kind", KINDS)
        one_of(self.clusters, "clusters", CLUSTERINGS)
        most, least = self.max_points, 2 if self.estimator == "matched" else 0
        checked = {
            "t": tuple(positive(t, "t") for t in self.t),
            "sigma": sigma_or_rule(self.sigma, RULES),
            "alpha": nonnegative(self.alpha, "alpha", at_most=MAX_ALPHA),
            "base": logarithm_base(self.base),
            "tol": positive(self.tol, "tol"),
            "max_points": None if most is None else integer(most, "max_points", at_least=1),
            "n_null": integer(self.n_null, "n_null", at_least=least),
            "n_clusters": integer(self.n_clusters, "n_clusters", at_least=1),
            "seed": random_seed(self.seed),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def plan(self) -> SpectrumPlan:
        """How the spectra are obtained."""
        return SpectrumPlan(self.method, self.tol, self.dtype)


@dataclass
class Variable:
    """What a matrix is compared with. The groups found in it at first are kept for later."""

    source: str
    values: npt.NDArray[Any]
    kind: str
    groups: npt.NDArray[Any] | None = None

    def grouped(
        self, settings: MeasurementSettings, chosen: npt.NDArray[Any] | None = None
    ) -> Codes:
        """The group of each row, or of those with the numbers `chosen`."""
        clusters = settings.clusters if self.groups is None else self.groups
        n, wanted = len(self.values), settings.n_clusters
        self.groups = group_codes(self.values, n, self.kind, wanted, clusters, settings.seed)
        return self.groups if chosen is None else groups_of_rows(self.groups, chosen)


@dataclass(frozen=True)
class Measurement:
    """The results for one matrix: one entropy for each t, and one information for each variable."""

    entropies: list[DiffusionEntropy]
    informations: dict[str, list[DiffusionInformation]]


def measure(
    Z: Matrix,
    variables: dict[str, Variable],
    settings: MeasurementSettings,
    progress: Progress = False,
    name: str = "Z",
) -> Measurement:
    """Measure Z: the entropy at every t from one spectrum, and what it says of each variable."""
    for variable in variables.values():
        if len(variable.values) != len(Z):
            raise ValueError(
                f"{variable.source} has {len(variable.values)} entries, {name} has {len(Z)} rows"
            )
    rows, chosen, drawn_from = sample_rows(Z, settings.max_points, settings.seed)
    operator = DiffusionOperator(
        rows,
        sigma=settings.sigma,
        alpha=settings.alpha,
        dtype=settings.dtype,
        device=settings.device,
        seed=settings.seed,
        progress=progress,
    )
    plan = settings.plan.on(operator.samples.device)
    with reporter(progress, name) as report:
        codes = {role: known.grouped(settings, chosen) for role, known in variables.items()}
        ends = np.cumsum([0.0, *_costs(operator, plan, settings, codes)])
        parts = [part(report, *stretch) for stretch in pairwise(ends / ends[-1])]
        operator.progress = parts[0] or False
        results = entropies(operator, settings.t, settings.base, plan)
        operator.progress = False
        found = {
            role: informations(
                operator,
                groups,
                settings.t,
                plan,
                estimator=settings.estimator,
                n_null=settings.n_null,
                base=settings.base,
                seed=settings.seed,
                progress=own,
            )
            for (role, groups), own in zip(codes.items(), parts[1:], strict=True)
        }
    if drawn_from is not None:
        results = [replace(result, sampled_from=drawn_from) for result in results]
    return Measurement(entropies=results, informations=found)


def _costs(
    operator: DiffusionOperator,
    plan: SpectrumPlan,
    settings: MeasurementSettings,
    codes: dict[str, Codes],
) -> list[float]:
    """What the entropy and each information are predicted to take."""
    groups = [np.tile(np.bincount(found), 1 + settings.n_null) for found in codes.values()]
    d, alpha = operator.samples.d, operator.alpha
    return [plan.cost(sizes, d, alpha) for sizes in [np.array([operator.n]), *groups]]

"""One measurement: the entropies of a matrix, and what it shares with labels and other vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy._backends.devices import parse
from eigentropy._backends.host_arrays import Matrix
from eigentropy._backends.rows import Rows, sample_rows
from eigentropy._kernels.bandwidth import RULES, resolve_sigma
from eigentropy._kernels.density import DensityMatrix
from eigentropy._kernels.diffusion import MAX_ALPHA
from eigentropy._kernels.groups import (
    CLUSTERINGS,
    KINDS,
    Codes,
    group_codes,
    groups_of_rows,
    known_kind,
    warn_of_numbers,
)
from eigentropy._kernels.matrix import KernelMatrix
from eigentropy._kernels.partitions import Partitions
from eigentropy._measures.entropy import entropies, entropies_of, wanted_at
from eigentropy._measures.forms import ESTIMATORS
from eigentropy._measures.information import informations
from eigentropy._measures.joint import MatrixOfY, Part
from eigentropy._measures.kernel_entropy import kernel_entropies, kernel_entropies_of, wanted_of
from eigentropy._measures.kernel_information import columns_of, kernel_informations
from eigentropy._measures.kernel_results import KernelEntropy, KernelInformation
from eigentropy._measures.null_counts import least_count
from eigentropy._measures.operator import DiffusionOperator
from eigentropy._measures.results import DiffusionEntropy, DiffusionInformation
from eigentropy._spectra.estimated import EstimatedSpectrum
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy._spectra.solve import estimates_of_both
from eigentropy._support.options import (
    N_NULL,
    integer,
    logarithm_base,
    nonnegative,
    null_count,
    one_of,
    positive,
    random_seed,
    renyi_order,
    sigma_or_rule,
)
from eigentropy._support.progress import Callback, part, reporter

Progress = bool | Callback

# Of the diffusion operator, with groups of the rows; of the density matrix, with the joint kernel.
FAMILIES = ("diffusion", "kernel")

# Partitions of at most so many numbers are kept for the next measurement with the same variable.
KEPT_NUMBERS = 2**20


@dataclass(frozen=True)
class MeasurementSettings:
    """The options of a measurement, as the functions of the package name them.

    Checked when they are made, before a file is opened.

    Attributes
    ----------
    t : tuple of float
        Diffusion times.
    kernel : bool
        Whether the density matrix is measured, too.
    order : tuple of float
        Of the entropies of the density matrix.
    sampling : bool
        Whether documents and tables of the results have sampling errors, too.
    sigma, alpha, ...
        As in `eigentropy.diffusion_spectral_mutual_information`.
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
    n_null: int | str = N_NULL
    kind: str = "auto"
    n_clusters: int = 10
    clusters: str = "spectral"
    seed: int = 0
    kernel: bool = False
    order: tuple[float, ...] = (1.0,)
    sampling: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be used, naming the option; numbers of any type become Python's."""
        if not self.t:
            raise ValueError("t needs at least one value")
        if not self.order:
            raise ValueError("order needs at least one value")
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
            "n_null": null_count(self.n_null, at_least=least),
            "n_clusters": integer(self.n_clusters, "n_clusters", at_least=1),
            "seed": random_seed(self.seed),
            "order": tuple(renyi_order(order) for order in self.order),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if self.order != (1.0,) and not self.kernel:
            raise ValueError(
                f"order={', '.join(f'{order:g}' for order in self.order)} is of the kernel "
                "entropy, which is not asked for: add kernel=True (--kernel), or leave order out"
            )

    @property
    def partitions(self) -> int:
        """How many partitions there are at least, with the observed one."""
        return 1 + least_count(self.n_null)

    @property
    def plan(self) -> SpectrumPlan:
        """How the spectra are obtained."""
        return SpectrumPlan(self.method, self.tol, self.dtype)


@dataclass
class Variable:
    """What a matrix is compared with. What is found in it at first is kept for later.

    Attributes
    ----------
    source : str
        What messages call it.
    values : array of length n
    kind : str
        Of `KINDS`.
    groups : array of int, optional
        The groups themselves.
    of : sequence of str
        The `FAMILIES` whose information about it is asked for.
    """

    source: str
    values: npt.NDArray[Any]
    kind: str
    groups: npt.NDArray[Any] | None = None
    of: Sequence[str] = FAMILIES
    _codes: Codes | None = field(default=None, repr=False)
    _drawn: dict[int, Partitions] = field(default_factory=dict, repr=False)
    _matrix: MatrixOfY | None = field(default=None, repr=False)

    def grouped(
        self, settings: MeasurementSettings, chosen: npt.NDArray[Any] | None = None
    ) -> Codes:
        """The group of each row, or of those with the numbers `chosen`."""
        if self._codes is None:
            clusters = settings.clusters if self.groups is None else self.groups
            n, k, seed = len(self.values), settings.n_clusters, settings.seed
            self._codes = group_codes(self.values, n, self.kind, k, clusters, seed, self.source)
            self.groups = self._codes
        return self._codes if chosen is None else groups_of_rows(self._codes, chosen)

    def partitions(self, n_null: int, seed: int) -> Partitions:
        """The groups of all rows, and the random ones that are compared with them.

        Each layer and each step of a monitor has the same. The most that were asked for are kept.
        """
        drawn = self._drawn.get(seed)
        if drawn is None or len(drawn) < 1 + n_null:
            assert self._codes is not None
            drawn = Partitions.drawn(self._codes, n_null, seed)
            if drawn.rows.size <= KEPT_NUMBERS:
                self._drawn[seed] = drawn
        return drawn.first(n_null)

    @property
    def is_prepared(self) -> bool:
        """Whether all that is found in it is known: without the joint kernel, its groups."""
        return self._codes is not None and "kernel" not in self.of

    @property
    def known_kind(self) -> str:
        """The kind, once "auto" is resolved."""
        return known_kind(self.values, self.source) if self.kind == "auto" else self.kind

    def joined(self, settings: MeasurementSettings, chosen: npt.NDArray[Any] | None = None) -> Part:
        """What the joint kernel takes of it: the groups of labels, the rows of anything else."""
        if self.known_kind == "labels":
            return Part(None, self.grouped(settings, chosen))
        if self._matrix is not None and chosen is None:
            return Part(self._matrix, None)
        if self.kind == "auto":
            warn_of_numbers(self.values, self.source)
        columns = columns_of(self.values, self.source, len(self.values), self.known_kind, chosen)
        options = {name: getattr(settings, name) for name in ("dtype", "device", "seed")}
        matrix = MatrixOfY(columns, **options)
        if chosen is None:
            self._matrix = matrix
        return Part(matrix, None)


@dataclass(frozen=True)
class Measurement:
    """The results for one matrix.

    Attributes
    ----------
    entropies : list of DiffusionEntropy
        One for each t; empty where only the density matrix is measured.
    informations : dict of str to list of DiffusionInformation
        For each variable, one for each t.
    kernel_entropies : list of KernelEntropy
        One for each order; empty where the density matrix is not measured.
    kernel_informations : dict of str to list of KernelInformation
        For each variable, one for each order.
    """

    entropies: list[DiffusionEntropy]
    informations: dict[str, list[DiffusionInformation]]
    kernel_entropies: list[KernelEntropy]
    kernel_informations: dict[str, list[KernelInformation]]


class _Step(NamedTuple):
    """Results of one spectrum, or of the spectra of one variable, and what they are to cost.

    `results` takes `progress`. The cost is asked for where a progress is shown.
    """

    family: str
    role: str | None
    cost: Callable[[], float]
    results: Callable[..., Any]


def measure(
    Z: Matrix | Rows,
    variables: dict[str, Variable],
    settings: MeasurementSettings,
    progress: Progress = False,
    name: str = "Z",
    diffusion: bool = True,
) -> Measurement:
    """Measure Z: the entropies, each from one spectrum, and what it says of each variable.

    Where both matrices are measured and estimated, each pass over the kernel serves both. Without
    `diffusion` only the density matrix is measured.
    """
    for variable in variables.values():
        if len(variable.values) != len(Z):
            raise ValueError(
                f"{variable.source} has {len(variable.values)} entries, {name} has {len(Z)} rows"
            )
    rows, chosen, drawn_from = sample_rows(Z, settings.max_points, settings.seed)
    samples = Rows.of(rows, settings.device, progress)
    plan = settings.plan.on(samples.device)
    keeps_distances = diffusion and plan.may_solve_in_single(wanted_at(settings.t))
    with samples.keeping_distances(keeps_distances), reporter(progress, name) as report:
        sigma = resolve_sigma(settings.sigma, samples, settings.seed)
        both = diffusion and settings.kernel
        sample = _Sample(samples, sigma, chosen, settings, plan, both)
        steps = [*sample.diffusion_steps(variables)] if diffusion else []
        steps += sample.kernel_steps(variables) if settings.kernel else []
        found = {
            (step.family, step.role): step.results(progress=told)
            for step, told in zip(steps, _told_of(steps, report, samples), strict=True)
        }
    if drawn_from is not None:
        for key in {(family, None) for family in FAMILIES} & found.keys():
            found[key] = [replace(result, sampled_from=drawn_from) for result in found[key]]

    def of(family: str) -> tuple[list[Any], dict[str, list[Any]]]:
        about = {role: found[family, role] for role in variables if (family, role) in found}
        return found.get((family, None), []), about

    return Measurement(*of("diffusion"), *of("kernel"))


def _told_of(
    steps: Sequence[_Step], report: Callback | None, samples: Rows
) -> list[Callback | None]:
    """What each step calls with its progress: its stretch of the whole, by what it costs.

    Ranks ask each other how much memory is free, so that all find the costs if one shows them.
    """
    if report is None and not samples.device.has_ranks:
        return [None for _ in steps]
    ends = np.cumsum([0.0, *(step.cost() for step in steps)])
    return [part(report, *stretch) for stretch in pairwise(ends / ends[-1])]


@dataclass(frozen=True)
class _Sample:
    """The rows that are measured, and how: every entropy and information is of these."""

    samples: Rows
    sigma: float
    chosen: npt.NDArray[Any] | None
    settings: MeasurementSettings
    plan: SpectrumPlan
    both: bool = False

    @cached_property
    def operator(self) -> DiffusionOperator:
        """The diffusion operator of the rows."""
        operator = DiffusionOperator(self.samples, alpha=self.settings.alpha, **self._of_matrix())
        operator.rule = self._rule
        return operator

    @cached_property
    def matrix(self) -> DensityMatrix:
        """The density matrix of the rows."""
        matrix = DensityMatrix(self.samples, **self._of_matrix())
        matrix.rule = self._rule
        return matrix

    @cached_property
    def estimates(self) -> list[EstimatedSpectrum | None]:
        """Of both, where they are estimated together; the progress is that of the operator."""
        if not self.both:
            return [None, None]
        settings = self.settings
        of_diffusion = self.operator, wanted_at(settings.t)
        of_density = self.matrix, wanted_of(settings.order)
        return estimates_of_both(of_diffusion, of_density, self.plan)

    def diffusion_steps(self, variables: dict[str, Variable]) -> Iterator[_Step]:
        """What is measured of the diffusion operator."""
        settings, plan, operator = self.settings, self.plan, self.operator

        def of_all(progress: Callback | None) -> list[DiffusionEntropy]:
            with _told(operator, progress):
                known = self.estimates[0]
                if known is None:
                    return entropies(operator, settings.t, settings.base, plan)
                return entropies_of(known, operator, settings.t, settings.base, plan)

        cost = partial(self._cost, [operator.n], settings.alpha)
        yield _Step("diffusion", None, cost, of_all)
        for role, variable in variables.items():
            if "diffusion" in variable.of:
                codes = variable.grouped(settings, self.chosen)
                about = partial(
                    informations, operator, codes, settings.t, plan,
                    **self._of_informations(), drawn=self._drawn(variable),
                )  # fmt: skip
                cost = partial(self._cost_of_groups, codes, settings.alpha)
                yield _Step("diffusion", role, cost, about)

    def kernel_steps(self, variables: dict[str, Variable]) -> Iterator[_Step]:
        """What is measured of the density matrix."""
        settings, plan, matrix = self.settings, self.plan, self.matrix

        def of_all(progress: Callback | None) -> list[KernelEntropy]:
            with _told(matrix, progress):
                known = self.estimates[1]
                if known is None:
                    return kernel_entropies(matrix, settings.order, settings.base, plan)
                if progress is not None:
                    progress(1.0)  # it came with the diffusion operator
                return kernel_entropies_of(known, matrix, settings.order, settings.base, plan)

        yield _Step("kernel", None, partial(self._cost, [matrix.n], None), of_all)
        for role, variable in variables.items():
            if "kernel" in variable.of:
                of_y = variable.joined(settings, self.chosen)
                options = self._of_informations()
                if of_y.codes is not None:
                    options["drawn"] = self._drawn(variable)
                about = partial(
                    kernel_informations, matrix, of_y, settings.order, plan,
                    kind=variable.known_kind, rows=self.chosen, **options,
                )  # fmt: skip
                yield _Step("kernel", role, partial(self._cost_about, of_y), about)

    @property
    def _rule(self) -> str | None:
        """What chose sigma, once for all matrices."""
        return self.settings.sigma if isinstance(self.settings.sigma, str) else None

    def _of_matrix(self) -> dict[str, Any]:
        return {"sigma": self.sigma, "dtype": self.settings.dtype, "seed": self.settings.seed}

    def _of_informations(self) -> dict[str, Any]:
        names = ("estimator", "n_null", "base", "seed")
        return {name: getattr(self.settings, name) for name in names}

    def _drawn(self, variable: Variable) -> Callable[[int, int], Partitions] | None:
        """The partitions by the groups of all rows, which are kept; None where some were chosen."""
        return variable.partitions if self.chosen is None else None

    def _cost(self, sizes: Iterable[int], alpha: float | None, columns: int = 0) -> float:
        return self.plan.cost(sizes, self.samples.d + columns, alpha)

    def _cost_of_groups(self, codes: Codes, alpha: float | None) -> float:
        """Of the groups of all partitions."""
        return self._cost(np.tile(np.bincount(codes), self.settings.partitions), alpha)

    def _cost_about(self, of_y: Part) -> float:
        """Of the groups of labels, or of the joint kernel of every order of Y."""
        if of_y.codes is not None:
            return self._cost_of_groups(of_y.codes, None)
        assert of_y.matrix is not None
        draws = len(self.settings.order) * self.settings.partitions
        return self._cost([self.samples.n] * draws, None, of_y.matrix.samples.d)


@contextmanager
def _told(matrix: KernelMatrix, progress: Callback | None) -> Iterator[None]:
    """Let the spectrum of all rows tell its progress, and later ones none."""
    matrix.progress = progress or False
    yield
    matrix.progress = False

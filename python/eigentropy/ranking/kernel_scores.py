"""Our measures of the rows of one model, and of subsets of them, with the work that they share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import Matrix
from eigentropy._kernels.density import DensityMatrix
from eigentropy._kernels.groups import Codes
from eigentropy._kernels.matrix import KernelMatrix
from eigentropy._measures.entropy import entropies
from eigentropy._measures.information import informations
from eigentropy._measures.joint import Part
from eigentropy._measures.kernel_entropy import kernel_entropies
from eigentropy._measures.kernel_information import kernel_informations
from eigentropy._measures.operator import DiffusionOperator
from eigentropy._measures.results import Entropy, MutualInformation
from eigentropy._measures.sampling.subsets import ENTROPY, Asked, informations_of_sets
from eigentropy._spectra.functionals import Functional, Shannon
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy.ranking.scores import DENSITY, DIFFUSION

Doubles = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

# As in eg.dse, eg.dsmi and the others.
PLAN = SpectrumPlan.checked("auto", 1e-3, None)
BASE, N_NULL = 2.0, 20

# Of the eigenvalues of subsets, which say how a value varies and not what it is.
DTYPE = "float32"


@dataclass(frozen=True)
class Found:
    """A score of all rows, and what its sampling error comes from.

    Attributes
    ----------
    value : float
        NaN where there is none.
    subsets : array, or None
        Its values on the subsets, shape (subsets,), or (subsets, 2) for those found twice.
    hits : array of shape (n,), or None
        Of a probe, how right it is for each row.
    nulls : array of shape (partitions,), or None
        Of a matched information, what each random partition gave, in the unit of the value.
    computed : (float, float)
        The standard error of estimated entropies, and the bound of rounding.
    note : str
        Why there is no value.
    """

    value: float
    subsets: Doubles | None = None
    hits: Doubles | None = None
    nulls: Doubles | None = None
    computed: tuple[float, float] = (0.0, 0.0)
    note: str = ""


class Family(NamedTuple):
    """The entropy and the information of one kind of matrix."""

    entropy: str
    information: str
    matrix: Callable[..., Any]
    matrix_options: tuple[str, ...]
    entropy_of: Callable[[Any, float], Entropy]
    information_of: Callable[..., MutualInformation]

    def form(self, name: str) -> str:
        """Of the information, what a score of this name is."""
        return ENTROPY if name == self.entropy else name[len(self.information) + 1 :] or "value"


def _diffusion_entropy(matrix: Any, t: float) -> Entropy:
    return entropies(matrix, [t], BASE, PLAN)[0]


def _density_entropy(matrix: Any, t: float) -> Entropy:
    return kernel_entropies(matrix, [1.0], BASE, PLAN)[0]


def _diffusion_information(matrix: Any, codes: Codes, t: float, **known: Any) -> MutualInformation:
    return informations(matrix, codes, [t], PLAN, progress=None, **known)[0]


def _density_information(matrix: Any, codes: Codes, t: float, **known: Any) -> MutualInformation:
    found = kernel_informations(matrix, Part(None, codes), [1.0], PLAN, kind="labels", **known)
    return found[0]


FAMILIES: Mapping[tuple[str, ...], Family] = {
    DIFFUSION: Family(
        "dse", "dsmi", DiffusionOperator, ("sigma", "alpha"),
        _diffusion_entropy, _diffusion_information,
    ),
    DENSITY: Family(
        "kernel_entropy", "kernel_information", DensityMatrix, ("sigma",),
        _density_entropy, _density_information,
    ),
}  # fmt: skip


def kernel_scores(
    family: Family,
    rows: Matrix,
    codes: Codes,
    wanted: Sequence[str],
    options: Mapping[str, Any],
    seed: int,
    sets: Sequence[Numbers],
    blocks: Numbers | None = None,
) -> dict[str, Found]:
    """The wanted scores of a family, on all rows and on these subsets of them.

    `blocks` of the rows stay together in random partitions: see `Partitions.drawn`.
    """
    own = {name: options[name] for name in family.matrix_options if name in options}
    matrix = family.matrix(rows, seed=seed, **own)
    t = options.get("t", 1.0) if family.entropy == "dse" else 1.0
    found: dict[str, Found] = {}
    if family.entropy in wanted:  # before the adjusted form, which then has the spectrum
        entropy = family.entropy_of(matrix, t)
        found[family.entropy] = Found(entropy.value, computed=_computed(entropy))
    informative = [name for name in wanted if name != family.entropy]
    if informative:
        known = {"estimator": "matched", "n_null": options.get("n_null", N_NULL), "base": BASE}
        result = family.information_of(matrix, codes, t, seed=seed, blocks=blocks, **known)
        found |= {name: _form_of(result, family.form(name)) for name in informative}
    return _with_subsets(family, found, matrix, codes, Shannon(t), seed, sets, blocks)


def _form_of(result: MutualInformation, form: str) -> Found:
    value = result.value if form == "value" else float(getattr(result, form)())
    if math.isnan(value):
        return Found(value, note=result.adjusted_note())
    scale = value / result.value if result.value else 1.0
    return Found(value, nulls=scale * result.null, computed=_computed(result, abs(scale)))


def _computed(result: Entropy | MutualInformation, scale: float = 1.0) -> tuple[float, float]:
    """Without the error of null partitions, which are pairs for two models."""
    error = result.standard_error if isinstance(result, Entropy) else result.error_parts[1][0]
    bound = 0.0 if math.isnan(result.error_bound) else result.error_bound
    return scale * error, scale * bound


def _with_subsets(
    family: Family,
    found: Mapping[str, Found],
    matrix: KernelMatrix,
    codes: Codes,
    which: Functional,
    seed: int,
    sets: Sequence[Numbers],
    blocks: Numbers | None,
) -> dict[str, Found]:
    names = _finite(found)
    if not sets or not names:
        return dict(found)
    asked = Asked(
        which, [family.form(name) for name in names], "matched", BASE, seed, DTYPE, blocks
    )
    values = informations_of_sets(matrix, codes, sets, asked)
    own = {name: replace(found[name], subsets=values[:, place]) for place, name in enumerate(names)}
    return {**found, **own}


def _finite(found: Mapping[str, Found]) -> Iterable[str]:
    return [name for name, one in found.items() if math.isfinite(one.value)]

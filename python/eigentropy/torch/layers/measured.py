"""The measures of the rows of a layer, each with how it moves with the prompts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy._backends.rows import Rows
from eigentropy._kernels.bandwidth import MEDIAN_FACTOR, sigma_of_rule
from eigentropy._kernels.density import DensityMatrix
from eigentropy._kernels.groups import Codes
from eigentropy._measures.forms import seed_of_subset
from eigentropy._measures.joint import MatrixOfY, Part, in_units
from eigentropy._measures.kernel_information import kernel_informations
from eigentropy._measures.sampling.halves import (
    Halves,
    divisions,
    divisions_of_blocks,
    used_blocks,
)
from eigentropy._measures.sampling.variation import Variation, check_rows
from eigentropy._support.warnings import recorded_warnings
from eigentropy.baselines import views as of_views
from eigentropy.ranking.kernel_scores import DTYPE as SUBSET_DTYPE
from eigentropy.ranking.kernel_scores import FAMILIES, PLAN, Found, kernel_scores
from eigentropy.torch.layers import geometry
from eigentropy.torch.layers.names import NEXT
from eigentropy.torch.layers.small_spectra import bits_of_each

Doubles = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

# Random rows stand for more of them where a measure is taken of 32 subsets for its sampling error.
SUBSET_ROWS = 1024

# Of DiME, whose Gram matrices have no low rank, whatever it is measured on.
VIEW_ROWS = 1024

# Random orders for the baseline of the information of the next layer, and of DiME.
ORDERS = 4
VIEW_ORDERS = 10

# Random partitions that information about the labels of tokens is compared with.
TOKEN_PARTITIONS = 6


class MeasuredValue(NamedTuple):
    """A measure of a layer.

    Attributes
    ----------
    value : float
    variation : Variation or None
        How it moves with the prompts; None where that is not known.
    error, bound : float
        Of estimated spectra, and of rounding.
    nulls : array of shape (partitions,), or None
        Of an information, what each random partition gave: the same ones in all layers.
    """

    value: float
    variation: Variation | None = None
    error: float = 0.0
    bound: float = 0.0
    nulls: Doubles | None = None


@dataclass(frozen=True)
class PromptSample:
    """Which rows the layers have: all layers the same.

    Attributes
    ----------
    prompts : array of int, shape (m,)
        Which prompt each row is of.
    codes : array of int, shape (m,), or None
        The class of each row.
    seed : int
    sampling : bool
    """

    prompts: Numbers
    codes: Codes | None
    seed: int
    sampling: bool

    @cached_property
    def blocks(self) -> Numbers:
        """The prompt of each row, from 0 without gaps."""
        return np.unique(self.prompts, return_inverse=True)[1].reshape(-1)

    @property
    def n(self) -> int:
        """How many prompts have rows: the independent units."""
        return int(self.blocks.max()) + 1

    @property
    def is_of_tokens(self) -> bool:
        """Whether a prompt has several rows."""
        return self.n < len(self.prompts)

    @cached_property
    def used(self) -> int:
        """How many prompts the subsets are drawn from: those of some `SUBSET_ROWS` rows."""
        if self.is_of_tokens:
            return used_blocks(self.blocks, SUBSET_ROWS)
        return min(self.n, SUBSET_ROWS)

    @cached_property
    def sets(self) -> list[Numbers]:
        """The rows of halves and of three quarters of the prompts; none without sampling."""
        if not self.sampling:
            return []
        if self.is_of_tokens:
            found = divisions_of_blocks(self.blocks, self.seed, most=SUBSET_ROWS)
        else:
            found = divisions(self.n, self.seed, most=SUBSET_ROWS)
        return [rows for one in found for pair in one for rows in pair]

    def moved(self, value: float, subsets: Any) -> Variation | None:
        """How a value moves, from its values on the sets: shape (sets,), or (sets, 2)."""
        if subsets is None:
            return None
        values = np.asarray(subsets, dtype=np.float64)
        if values.ndim == 1:
            values = np.stack([values, values], axis=1)
        halves, rests = values.reshape(-1, 2, 2, 2).transpose(1, 0, 2, 3)
        return Halves(self.n, value, halves, rests, self.seed, self.used)

    def first(self, most: int) -> Numbers:
        """At most so many of the prompts, at random; of rows that are one a prompt."""
        generator = np.random.default_rng(self.seed)
        return np.sort(generator.permutation(self.n)[:most])


@dataclass(frozen=True, eq=False)
class MeanOfPrompts(Variation):
    """A mean over prompts.

    Attributes
    ----------
    values : array (prompts,)
        NaN of those that have none, which do not count.
    """

    values: Doubles

    @property
    def known(self) -> Doubles:
        """Those that count."""
        return self.values[np.isfinite(self.values)]

    @property
    def n(self) -> int:  # type: ignore[override]
        """How many prompts count."""
        return len(self.known)

    @property
    def value(self) -> float:  # type: ignore[override]
        """The mean."""
        return float(self.known.mean()) if self.n else math.nan

    @property
    def standard_error(self) -> float:
        """Standard deviation over prompts, over the root of their number."""
        return float(self.known.std(ddof=1)) / math.sqrt(self.n) if self.n > 1 else math.nan

    @property
    def degrees(self) -> float:
        """Degrees of freedom of `standard_error`."""
        return self.n - 1.0

    def minus(self, other: Variation) -> MeanOfPrompts:
        """The mean of the differences, prompt by prompt."""
        assert isinstance(other, MeanOfPrompts)
        return MeanOfPrompts(self.values - other.values)


def mean_of_prompts(values: Doubles, sampling: bool) -> MeasuredValue:
    """The mean of what each prompt has by itself."""
    mean = MeanOfPrompts(values)
    return MeasuredValue(mean.value, mean if sampling and mean.n > 1 else None)


def why_no_errors(sample: PromptSample) -> str:
    """Why there are no sampling errors; empty if there can be."""
    try:
        check_rows(sample.n)
    except ValueError as error:
        return str(error).replace("rows", "prompts", 1)
    return ""


class ProfiledRows(NamedTuple):
    """What is measured of a layer: its rows, those of the next layer, and those of two views."""

    own: Any
    after: Any = None
    views: tuple[Any, Any] | None = None

    def are_finite(self) -> bool:
        """Whether all are."""
        others = () if self.views is None else self.views
        return all(np.isfinite(one).all() for one in (self.own, *others))


def of_rows(
    rows: ProfiledRows, measures: Sequence[str], sample: PromptSample, options: Mapping[str, Any]
) -> dict[str, MeasuredValue]:
    """Each of the measures that there is of these rows; NaN of rows that are not finite."""
    if not rows.are_finite():
        return {name: MeasuredValue(math.nan) for name in measures}
    found: dict[str, MeasuredValue] = {}
    with recorded_warnings():
        for names, family in FAMILIES.items():
            if wanted := [name for name in names if name in measures]:
                found |= _of_kernel(family, wanted, rows.own, sample, options)
        if NEXT in measures and rows.after is not None:
            found[NEXT] = _of_next(rows.own, rows.after, sample, options)
        if wanted := [name for name in geometry.MEASURES if name in measures]:
            found |= _of_geometry(wanted, rows.own, sample)
        if rows.views is not None:
            found |= _of_views(measures, rows.views, sample, options)
    return found


def _of_kernel(
    family: Any, wanted: Sequence[str], rows: Any, sample: PromptSample, options: Mapping[str, Any]
) -> dict[str, MeasuredValue]:
    codes = np.zeros(len(rows), dtype=np.int64) if sample.codes is None else sample.codes
    blocks = sample.blocks if sample.is_of_tokens else None
    if sample.is_of_tokens:  # whose groups are large
        options = {"n_null": TOKEN_PARTITIONS, **options}
    known = kernel_scores(family, rows, codes, wanted, options, sample.seed, sample.sets, blocks)
    return {name: _measured(one, sample) for name, one in known.items()}


def _measured(one: Found, sample: PromptSample) -> MeasuredValue:
    return MeasuredValue(one.value, sample.moved(one.value, one.subsets), *one.computed, one.nulls)


def _of_next(
    rows: Any, after: Any, sample: PromptSample, options: Mapping[str, Any]
) -> MeasuredValue:
    """By the joint kernel, against its mean over random orders of the rows.

    Of kernels as wide as the median distance: the joint one of narrower kernels has hardly an entry
    left in many dimensions.
    """
    sigma, seed = options.get("sigma", "auto"), sample.seed
    widths = [
        median_width(Rows.of(one), seed) if sigma == "auto" else sigma for one in (rows, after)
    ]
    matrix = DensityMatrix(rows, sigma=widths[0], seed=seed)
    of_next = MatrixOfY(after, sigma=widths[1], seed=seed)
    found = kernel_informations(
        matrix, Part(of_next, None), [1.0], PLAN, kind="vectors", estimator="matched",
        n_null=options.get("n_null", ORDERS), base=2.0, seed=sample.seed,
    )[0]  # fmt: skip
    units = [
        in_units(one, width, "sigma") for one, width in zip((rows, after), widths, strict=True)
    ]
    subsets = [
        _joint(units[0][chosen], units[1][chosen], seed_of_subset(seed, number))
        for number, chosen in enumerate(sample.sets)
    ]
    value = float(found)
    return MeasuredValue(
        value, sample.moved(value, subsets or None), found.standard_error, found.error_bound
    )


def _joint(a: Doubles, b: Doubles, seed: int) -> tuple[float, float]:
    """The information of rows in units of their widths, from each of two random orders."""
    generator = np.random.default_rng(seed)
    orders = [b, *(b[generator.permutation(len(b))] for _ in range(2))]
    several = [np.hstack([a, one]) for one in orders]
    observed, first, second = bits_of_each(DensityMatrix, several, dtype=SUBSET_DTYPE)
    return first - observed, second - observed


def median_width(rows: Rows, seed: int) -> float:
    """The median distance between two rows."""
    return sigma_of_rule(rows, "median", seed) / MEDIAN_FACTOR


def _of_geometry(
    wanted: Sequence[str], rows: Any, sample: PromptSample
) -> dict[str, MeasuredValue]:
    values = geometry.of_rows(wanted, rows)
    moved = [geometry.of_rows(wanted, rows[one]) for one in sample.sets]
    return {
        name: MeasuredValue(value, sample.moved(value, [one[name] for one in moved] or None))
        for name, value in values.items()
    }


def _of_views(
    measures: Sequence[str],
    views: tuple[Any, Any],
    sample: PromptSample,
    options: Mapping[str, Any],
) -> dict[str, MeasuredValue]:
    """DiME and InfoNCE of at most `VIEW_ROWS` prompts."""
    chosen = sample.first(VIEW_ROWS)
    a, b = (view[chosen] for view in views)
    own = PromptSample(np.arange(len(chosen)), None, sample.seed, sample.sampling)
    given = {key: options[key] for key in ("temperature",) if key in options}
    orders = {"n_null": options.get("n_null", VIEW_ORDERS), "seed": sample.seed}
    found = {}
    for name, function, settings in (
        ("dime", of_views.dime, orders), ("infonce", of_views.infonce, given),
    ):  # fmt: skip
        if name in measures:
            score = partial(function, **settings)
            value = geometry.or_nan(partial(score, a, b))
            subsets = [geometry.or_nan(partial(score, a[one], b[one])) for one in own.sets] or None
            found[name] = MeasuredValue(value, own.moved(value, subsets))
    return found

"""The measures of the rows of a layer, each with how it moves with the prompts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy._backends.rows import Rows
from eigentropy._kernels.bandwidth import MEDIAN_FACTOR, sigma_of_rule
from eigentropy._kernels.density import DensityMatrix
from eigentropy._measures.forms import seed_of_subset
from eigentropy._measures.joint import MatrixOfY, Part, in_units
from eigentropy._measures.kernel_information import kernel_informations
from eigentropy._support.warnings import recorded_warnings
from eigentropy.baselines import views as of_views
from eigentropy.ranking.kernel_scores import DTYPE as SUBSET_DTYPE
from eigentropy.ranking.kernel_scores import FAMILIES, PLAN, Found, kernel_scores
from eigentropy.torch.layers import geometry
from eigentropy.torch.layers.names import NEXT
from eigentropy.torch.layers.prompt_sample import MeasuredValue, PromptSample
from eigentropy.torch.layers.small_spectra import bits_of_each

Doubles = npt.NDArray[np.float64]

# Of DiME, whose Gram matrices have no low rank, whatever it is measured on.
VIEW_ROWS = 1024

# Random orders for the baseline of the information of the next layer, and of DiME.
ORDERS = 4
VIEW_ORDERS = 10

# Random partitions that information about the labels of tokens is compared with.
TOKEN_PARTITIONS = 6


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

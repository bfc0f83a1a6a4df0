"""From what was gathered of the states to the numbers of all layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from eigentropy._measures.comparison.difference import Difference
from eigentropy._measures.layer_profile import (
    LayerDifference,
    LayerNumber,
    LayerProfile,
    ProfiledLayer,
)
from eigentropy._support.interval import combined
from eigentropy._support.progress import Callback, stage
from eigentropy.torch.layers.gathering import GatheredStates
from eigentropy.torch.layers.measured import ProfiledRows, of_rows
from eigentropy.torch.layers.names import OF_PROMPTS, unit_of
from eigentropy.torch.layers.prompt_sample import (
    Doubles,
    MeasuredValue,
    PromptSample,
    mean_of_prompts,
)

MeasuredLayer: TypeAlias = tuple[str, dict[str, MeasuredValue]]


def measured_layers(
    own: GatheredStates,
    views: tuple[GatheredStates, GatheredStates] | None,
    sample: PromptSample | None,
    wanted: Sequence[str],
    options: Mapping[str, Any],
    sampling: bool,
    report: Callback | None,
) -> list[MeasuredLayer]:
    """Every layer with those of the measures that it has, in their order."""
    found = []
    names = list(own.columns)
    for number, (name, after) in enumerate(zip(names, [*names[1:], None], strict=True)):
        stage(report, f"measures of {name}")
        values = {
            measure: mean_of_prompts(one, sampling)
            for measure, one in own.by_prompt.get(name, {}).items()
        }
        if sample is not None:
            pair = None if views is None else (views[0].rows[name], views[1].rows[name])
            rows = ProfiledRows(own.rows[name], None if after is None else own.rows[after], pair)
            of_row = [one for one in wanted if one not in values and one not in OF_PROMPTS]
            values |= of_rows(rows, of_row, sample, options)
        found.append((name, {one: values[one] for one in wanted if one in values}))
        if report is not None:
            report((number + 1) / len(names))
    return found


def profiled(found: Sequence[MeasuredLayer], columns: Mapping[str, int]) -> list[ProfiledLayer]:
    """The layers with their numbers."""
    return [
        ProfiledLayer(
            name, columns[name], {one: _number(measured) for one, measured in values.items()}
        )
        for name, values in found
    ]


def _number(one: MeasuredValue) -> LayerNumber:
    return LayerNumber(one.value, *_error(one))


def _error(one: MeasuredValue) -> tuple[float, float]:
    """Sampling error and degrees of freedom; that of random partitions is part of it."""
    if one.variation is None or not math.isfinite(one.variation.standard_error):
        return math.nan, math.nan
    return combined(
        [
            (one.variation.standard_error, one.variation.degrees),
            _error_of_nulls(one.nulls),
            (one.error, math.inf),
        ]
    )


def _error_of_nulls(nulls: Doubles | None) -> tuple[float, float]:
    if nulls is None or len(nulls) < 2:
        return 0.0, math.inf
    return float(nulls.std(ddof=1)) / math.sqrt(len(nulls)), len(nulls) - 1.0


def differences(found: Sequence[MeasuredLayer], n: int, level: float) -> list[LayerDifference]:
    """Each layer less the one before it, where both have a sampling error."""
    between = []
    for (a, before), (b, after) in pairwise(found):
        for measure in after:
            if measure in before:
                one = _difference(measure, before[measure], after[measure], n, level)
                if one is not None:
                    between.append(LayerDifference(measure, a, b, one))
    return between


def ends_of(profile: LayerProfile, found: Sequence[MeasuredLayer]) -> list[LayerDifference]:
    """Of each run of three or more layers that do not differ, the last one less the first one."""
    values, between = dict(found), []
    for measure in profile.measures:
        for a, *inner, b in profile.ties(measure):
            pair = values[a][measure], values[b][measure]
            one = _difference(measure, *pair, profile.n, profile.level) if inner else None
            if one is not None:
                between.append(LayerDifference(measure, a, b, one))
    return between


def _difference(
    measure: str, a: MeasuredValue, b: MeasuredValue, n: int, level: float
) -> Difference | None:
    if a.variation is None or b.variation is None:
        return None
    moved = b.variation.minus(a.variation)
    nulls = None if a.nulls is None or b.nulls is None else b.nulls - a.nulls
    paired = MeasuredValue(moved.value, moved, math.hypot(a.error, b.error), nulls=nulls)
    error, degrees = _error_of_difference(_error(paired), _error(a), _error(b))
    if not (math.isfinite(moved.value) and math.isfinite(error)):
        return None
    return Difference(
        value=moved.value, standard_error=error, degrees=degrees, a=a.value, b=b.value,
        measure=measure, base=2.0 if unit_of(measure) == "bits" else None, paired=True, n=(n, n),
        level=level, rounding=a.bound + b.bound,
    )  # fmt: skip


def _error_of_difference(
    paired: tuple[float, float], a: tuple[float, float], b: tuple[float, float]
) -> tuple[float, float]:
    """The error of a difference, and its degrees: no larger than those of both values together.

    Chance may hide how a difference moves, or add to it.
    """
    most = a[0] + b[0]
    return (most, min(a[1], b[1])) if math.isnan(paired[0]) or paired[0] > most else paired

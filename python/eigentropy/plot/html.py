"""What notebooks show of results and operators: a small table and a drawing, without matplotlib.

Colours are those of the text around, so that light and dark pages are served. Nothing is computed
that may take long.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape

import numpy as np

from eigentropy._kernels.diffusion import DiffusionMatrix
from eigentropy._support.interval import LEVEL
from eigentropy._support.units import unit
from eigentropy.plot import sketches
from eigentropy.plot.inputs import EntropyResult, InformationResult, Result, p_value, z_score

# Sizes of groups that are written; of more groups, only these and how many there are.
MOST_SIZES = 10

Row = tuple[str, str]


def of_entropy(result: EntropyResult, sampling_error: float | None = None) -> str:
    """Table of an entropy, and its spectrum.

    The sampling error is shown if it is known: this function never computes it.
    """
    bits = unit(result.base)
    rank = result.spectrum.rank
    rows = [
        (f"S({result.which.exponent:g})", f"{result.value:.6g} {bits}"),
        *_error(result),
        _over_samples(result, sampling_error),
        ("effective rank", f"{result.base**result.value:.4g}"),
        ("method", _method(result) + (f", rank {rank}" if rank is not None else "")),
        ("rows", f"{result.n}" + (f" of {result.sampled_from}" if result.sampled_from else "")),
        _settings(result),
    ]
    return _shown(type(result).__name__, rows, sketches.of_spectrum(result.spectrum))


def of_information(
    result: InformationResult,
    adjusted: float | None = None,
    sampling_error: float | None = None,
) -> str:
    """Table of a mutual information, and its null distribution.

    `adjusted` and the sampling error are shown if known: this function never computes them.
    """
    bits = unit(result.base)
    null = np.asarray(result.null, dtype=np.float64)
    rows = [
        ("I(Z; Y)", f"{result.value:.6g} {bits}"),
        *_error_of_information(result),
        _over_samples(result, sampling_error),
    ]
    if result.error_bound > 0.0:
        rows.append(("rounding", f"at most {result.error_bound:.1g} {bits}"))
    if len(null):
        z = z_score(result)
        rows.append(
            (
                "p-value",
                p_value(result).removeprefix("=") + (f", z = {z:.3g}" if math.isfinite(z) else "")
                + f", of {len(null)} random partitions",
            )
        )  # fmt: skip
    if adjusted is not None:
        rows.append(("adjusted", f"{adjusted:.4g}"))
    rows += [
        *_groups(result),
        ("estimator", f"{result.estimator}, {_method(result)}"),
        ("rows", f"{result.n}"),
        _settings(result),
    ]
    return _shown(type(result).__name__, rows, sketches.of_null(null, result.value))


def of_operator(operator: DiffusionMatrix) -> str:
    """Table of a diffusion operator, and its spectrum if that has been computed."""
    n, samples = operator.n, operator.samples
    of_rows = f"{n} rows of {samples.d} columns"
    rows = [
        ("Z", of_rows if samples.holds == "rows" else f"{n} rows, {samples.described}"),
        _named({"sigma": operator.sigma, "alpha": operator.alpha}),
        ("precision", f"{operator.dtype} on {operator.device}"),
        ("eigenvalues", "computed" if operator.is_solved else "not computed yet"),
    ]
    drawing = sketches.of_eigenvalues(operator.solved().values) if operator.is_solved else ""
    return _shown("DiffusionOperator", rows, drawing)


def of_pairs(title: str, rows: Iterable[Row]) -> str:
    """Table of names and texts."""
    return _shown(title, rows, "")


def _error_of_information(result: InformationResult) -> list[Row]:
    """The error of the computation; nothing where it has no random part."""
    if not result.standard_error:
        return []
    bits, matched = unit(result.base), result.estimator == "matched"
    rows = [("null se" if matched else "standard error", f"{result.standard_error:.2g} {bits}")]
    interval = result.interval(LEVEL)
    ends = f"{interval.low:.6g} to {interval.high:.6g} {bits}, over {interval.over}"
    return [*rows, (f"{interval.sure} interval", ends)]


def _over_samples(result: Result, sampling_error: float | None) -> Row:
    if sampling_error is None:
        return "other samples", "covered by sampling_error alone, which is not computed yet"
    if math.isnan(sampling_error):
        return "other samples", "no sampling error was found"
    shown = f"{sampling_error:.2g} {unit(result.base)}, over other samples of as many rows"
    return "sampling error", shown


def _error(result: EntropyResult) -> list[Row]:
    """The error, and where the entropy is."""
    bits = unit(result.base)
    interval = result.interval(LEVEL)
    ends = f"{interval.low:.6g} to {interval.high:.6g} {bits}"
    if math.isnan(result.error_bound):
        error = ("standard error", f"{result.standard_error:.2g} {bits}")
        return [error, (f"{interval.sure} interval", ends)]
    half = 0.5 * (interval.high - interval.low)
    error = ("error", f"at most {half:.2g} {bits}, {interval.over} in {result.dtype}")
    if result.error_bound > 0.0:
        return [error, ("interval", ends)]
    return [error]


def _method(result: Result) -> str:
    return f"{result.method} in {result.dtype}"


def _settings(result: Result) -> Row:
    return _named({"sigma": result.sigma, **result.settings})


def _named(settings: dict[str, float]) -> Row:
    """Settings that are numbers: a precomputed kernel has no sigma."""
    known = {name: value for name, value in settings.items() if not math.isnan(value)}
    return "settings", ", ".join(f"{name} = {value:.4g}" for name, value in known.items())


def _groups(result: InformationResult) -> list[Row]:
    """H(Y) and the sizes; nothing where Y has no groups."""
    if len(result.group_sizes) == 0:
        return []
    label_entropy = f"{result.label_entropy:.6g} {unit(result.base)}"
    return [("H(Y)", label_entropy), ("groups", _sizes(result.group_sizes))]


def _sizes(sizes: Iterable[int]) -> str:
    known = [str(size) for size in sizes]
    more = ", ..." if len(known) > MOST_SIZES else ""
    return f"{len(known)}, of {', '.join(known[:MOST_SIZES])}{more} rows"


# Notebooks have styles of their own for tables, with stripes and lines to the right.
_CELL = "text-align: left; padding: 0.1em 0.9em 0.1em 0; border: none; background: none"


def _shown(title: str, rows: Iterable[Row], drawing: str) -> str:
    lines = "".join(
        f'<tr style="background: none"><th style="{_CELL}; font-weight: normal; opacity: 0.7">'
        f'{escape(name)}</th><td style="{_CELL}">{escape(text)}</td></tr>'
        for name, text in rows
    )
    return (
        '<div style="display: flex; flex-wrap: wrap; gap: 1.5em; align-items: center; '
        'color: inherit">'
        '<table style="border-collapse: collapse; border: none; margin: 0; color: inherit">'
        f'<tr style="background: none"><th colspan="2" style="{_CELL}">{escape(title)}</th></tr>'
        f"{lines}</table>{drawing}</div>"
    )

"""Small drawings in SVG, written by hand: for notebooks, also without matplotlib.

They are in the colour of the text around them, light or dark.
"""

from __future__ import annotations

import math
from html import escape

import numpy as np

from eigentropy._spectra.spectrum import Spectrum
from eigentropy.plot.inputs import Doubles, checked_eigenvalues

WIDTH, HEIGHT = 190, 92
# The frame of the data; the caption stands below.
LEFT, RIGHT, TOP, BOTTOM = 4.0, 186.0, 4.0, 72.0

# Points of a curve, and bars.
POINTS = 64
MOST_BARS = 24

# Decades of a logarithmic axis that are shown.
DECADES = 8.0


def of_spectrum(spectrum: Spectrum) -> str:
    """Eigenvalues over rank, or the density of an estimate; empty where neither is known."""
    if spectrum.eigenvalues is not None:
        return of_eigenvalues(spectrum.eigenvalues)
    if spectrum.method == "lowrank":
        return ""
    x = np.linspace(0.0, 1.0, POINTS)
    return _curve(x, _decades(spectrum.density(x)), "density of eigenvalues in [0, 1], logarithmic")


def of_eigenvalues(values: object) -> str:
    """Eigenvalues over rank, both logarithmic; empty for fewer than two."""
    known = checked_eigenvalues(values)
    if len(known) < 2 or known[0] <= 0.0:
        return ""
    ranks = np.unique(np.geomspace(1, len(known), POINTS).round().astype(np.intp))
    heights = _decades(known)[ranks - 1]
    return _curve(np.log(ranks), heights, "eigenvalues over rank, both logarithmic")


def of_null(null: Doubles, value: float) -> str:
    """Histogram of the null distribution and the value; empty without a distribution."""
    if len(null) == 0:
        return ""
    low, high = min(float(null.min()), value), max(float(null.max()), value)
    if not (math.isfinite(low) and math.isfinite(high)) or low == high:
        return ""
    counts, edges = np.histogram(null, bins=MOST_BARS, range=(low, high))
    places = LEFT + (edges - low) / (high - low) * (RIGHT - LEFT)
    heights = counts / counts.max() * (BOTTOM - TOP)
    bars = "".join(
        f'<rect x="{left:.1f}" y="{BOTTOM - height:.1f}" width="{right - left:.1f}" '
        f'height="{height:.1f}" fill="currentColor" fill-opacity="0.4"/>'
        for left, right, height in zip(places, places[1:], heights, strict=False)
        if height > 0.0
    )
    at = LEFT + (value - low) / (high - low) * (RIGHT - LEFT)
    line = (
        f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{BOTTOM}" stroke="currentColor" '
        'stroke-width="2"/>'
    )
    return _svg(bars + line, "random partitions, and the value (line)")


def _decades(values: Doubles) -> Doubles:
    """Their logarithms, no further below the largest than is shown."""
    floor = float(values.max()) * 10.0**-DECADES
    decades: Doubles = np.log10(np.maximum(values, floor))
    return decades


def _curve(x: Doubles, y: Doubles, caption: str) -> str:
    across = LEFT + _share(x) * (RIGHT - LEFT)
    up = BOTTOM - _share(y) * (BOTTOM - TOP)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, up, strict=True))
    line = (
        f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="1.5" '
        'stroke-linejoin="round"/>'
    )
    return _svg(line, caption)


def _share(values: Doubles) -> Doubles:
    """From 0 at the smallest to 1 at the largest; 1 if all are equal."""
    low, span = float(values.min()), float(np.ptp(values))
    share: Doubles = (values - low) / span if span > 0.0 else np.ones_like(values)
    return share


def _svg(content: str, caption: str) -> str:
    text = escape(caption)
    axis = (
        f'<path d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}" fill="none" stroke="currentColor" '
        'stroke-opacity="0.4"/>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text}">{axis}{content}'
        f'<text x="{(LEFT + RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle" '
        f'font-size="8.5" fill="currentColor">{text}</text></svg>'
    )

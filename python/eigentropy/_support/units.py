"""The units of entropies."""

from __future__ import annotations

import math


def unit(base: float) -> str:
    """The name of the unit of an entropy with this base of the logarithm."""
    return {2.0: "bits", math.e: "nats", 10.0: "dits"}.get(base, f"(base {base:g})")

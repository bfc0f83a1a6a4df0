"""The units of entropies."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, Context


def unit(base: float) -> str:
    """The name of the unit of an entropy with this base of the logarithm."""
    return {2.0: "bits", math.e: "nats", 10.0: "dits"}.get(base, f"(base {base:g})")


def rounded_up(bound: float) -> str:
    """A bound with one significant digit that is not below it."""
    up = Context(prec=1, rounding=ROUND_CEILING).create_decimal(bound)
    return f"{float(up):.1g}"

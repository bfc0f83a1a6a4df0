"""A `Convergence` in words and figures: the curve, the limit, and the power table."""

from __future__ import annotations

import math
from typing import Any

from eigentropy._measures.comparison.layout import Table, aligned
from eigentropy._support.units import unit

# Leading digits of the differences in the power table, and how many differences it has.
_STEPS = (1.0, 2.0, 5.0)
_DIFFERENCES = 4
# How many of these steps the first one is below what the largest size tells.
_BELOW = 2


def text(result: Any) -> str:
    """The whole as lines of text."""
    paired = result.paired_errors is not None
    head = ["rows", "value", "error", "tells, unpaired", "tells, paired"]
    keys = ["rows", "value", "error", "detectable", "paired_detectable"]
    count = len(keys) if paired else len(keys) - 1
    curve = [
        [f"{row['rows']}", f"{row['value']:.5g}", *(f"{row[key]:.2g}" for key in keys[2:count])]
        for row in result.to_rows()
    ]
    forms = (False, True) if paired else (False,)
    power = [
        [f"{one:g}", *(_rows(result.rows_for(one, paired=form)) for form in forms)]
        for one in differences(result)
    ]
    names = ["difference", "rows, unpaired", "rows, paired"][: 1 + len(forms)]
    parts = [
        f"{_title(result)}{_of_unit(result)}",
        *_indented([head[:count], *curve]),
        *(f"{name}: {said}" for name, said in _said(result)),
    ]
    return "\n".join([*parts, *(_indented([names, *power]) if power else [])])


def pairs(result: Any) -> list[tuple[str, str]]:
    """The same as names and texts."""
    bits = _of_unit(result, " ")
    curve = [
        (f"{row['rows']} rows", f"{row['value']:.5g} +- {row['error']:.2g}{bits}")
        for row in result.to_rows()
    ]
    power = [(f"to tell {one:g}{bits}", _takes(result, one)) for one in differences(result)]
    return [("measure", _title(result)), *curve, *_said(result), *power]


def differences(result: Any) -> list[float]:
    """Round ones around what the largest size tells; none where nothing is uncertain."""
    least = result.detectable()
    if not 0.0 < least < math.inf:
        return []
    decade = math.floor(math.log10(least))
    rounded = [float(f"{step:g}e{decade + k}") for k in (-1, 0, 1) for step in _STEPS]
    first = next(number for number, one in enumerate(rounded) if one >= least) - _BELOW
    return rounded[first : first + _DIFFERENCES]


def _said(result: Any) -> list[tuple[str, str]]:
    """Where the value tends to, and what all rows would have."""
    bits = _of_unit(result, " ")
    growth = f"{result.growth:+.2g}{bits} when the rows are doubled"
    said = [("limit", _limit(result, bits)), ("growth", growth)]
    if result.n > result.sizes[-1] and result.tendency != "undecided":
        interval = result.predicted_interval(result.n)
        expected = f"{result.predict(result.n):.5g}{bits}, {_ends(interval)}"
        said.append((f"all {result.n} rows", expected))
    return said


def _limit(result: Any, bits: str) -> str:
    if result.limit is None or result.limit_interval is None:
        untold = "too few sizes, or too near to each other, to tell"
        return untold if result.tendency == "undecided" else "none in sight"
    level = " (no change with the rows)" if result.tendency == "level" else ""
    return f"{result.limit:.5g}{bits}, {_ends(result.limit_interval)}{level}"


def _ends(interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{low:.5g} to {high:.5g}"


def _title(result: Any) -> str:
    return f"{result.measure} of {result.n} rows in {result.repeats} random orders"


def _of_unit(result: Any, between: str = ", in ") -> str:
    return "" if result.base is None else between + unit(result.base)


def _takes(result: Any, difference: float) -> str:
    told = f"{_rows(result.rows_for(difference, paired=False))} rows, unpaired"
    if result.paired_errors is None:
        return told
    return f"{told}; {_rows(result.rows_for(difference, paired=True))}, paired"


def _rows(count: float) -> str:
    return "error does not fall" if math.isinf(count) else f"{count}"


def _indented(lines: Table) -> list[str]:
    return [f"  {line}" for line in aligned(lines)]

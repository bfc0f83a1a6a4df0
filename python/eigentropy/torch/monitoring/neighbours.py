"""Which layers differ from the one before: the same rows pass through both."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from eigentropy._measures.comparison.compare import compare
from eigentropy._measures.comparison.difference import Difference
from eigentropy._measures.layer_profile import LayerDifference
from eigentropy._measures.results import Entropy
from eigentropy.torch.monitoring.readings import Reading


def neighbours(
    a: str, before: Sequence[Reading], b: str, after: Iterable[Reading], level: float
) -> list[LayerDifference]:
    """The differences of layer b from layer a, of all that is known of both."""
    known = {one.kind: one for one in before}
    found = []
    for one in after:
        difference = _difference(known[one.kind], one, level) if one.kind in known else None
        if difference is not None:
            found.append(LayerDifference(one.kind, a, b, difference))
    return found


def _difference(before: Reading, after: Reading, level: float) -> Difference | None:
    """None where one of both, or its sampling error, is not known; it keeps no rows."""
    try:
        a, b = before.moved(), after.moved()
    except ValueError:  # too few rows, which the sampling errors of both have said
        return None
    values = before.value, after.value
    if a is None or b is None or not all(map(math.isfinite, values)):
        return None
    errors = a.standard_error, b.standard_error, b.minus(a).standard_error
    if not all(map(math.isfinite, errors)):
        return None
    found = compare(before.result, after.result, measure=_name(after), paired=True, level=level)
    factor = after.factor
    return replace(
        found, value=factor * found.value, standard_error=factor * found.standard_error,
        rounding=factor * found.rounding, a=before.value, b=after.value,
        base=found.base if factor == 1.0 else 2.0,
    )  # fmt: skip


def _name(one: Reading) -> str | None:
    """What `compare` calls a form of a result; None for its value."""
    if not one.form or isinstance(one.result, Entropy):
        return None
    family = "dsmi" if one.kind.startswith("dsmi") else "kernel_information"
    return f"{family}_{one.form}"

"""What the files of a run hold: the one place that says which keys, and what they may be.

Keys that are not named here are left out, so that a later version may add some. A change that an
older version would misread raises `FORMAT`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from eigentropy._support.options import logarithm_base
from eigentropy.report.shapes import (
    SMALLEST,
    Shape,
    ShapeError,
    anything,
    array,
    mapping,
    measured,
    nullable,
    number,
    record,
    scalar,
    text,
    whole,
    written,
)
from eigentropy.report.views import ranks

FORMAT = 1

# Columns of `eigentropy track`, by what a monitor calls the same.
_MEASURED = {
    "dse": "dse",
    "dsmi_labels": "dsmi_y",
    "dsmi_labels_adjusted": "dsmi_y_adjusted",
    "dsmi_against": "dsmi_x",
    "dsmi_against_adjusted": "dsmi_x_adjusted",
    "kernel": "kernel",
    "kernel_labels_bits": "kernel_y",
    "kernel_labels_adjusted": "kernel_y_adjusted",
    "kernel_against": "kernel_x",
}
TRACKED = {
    **_MEASURED,
    **{f"{column}_sampling_error": f"{kind}_sampling_se" for column, kind in _MEASURED.items()},
}

# A diffusion time, on a logarithmic axis.
TIME = number(at_least=SMALLEST)


def base(value: Any) -> float:
    """A base of logarithms."""
    known: float = number(at_least=0)(value)
    try:
        return logarithm_base(known)
    except ValueError:
        raise ShapeError(value, "a base of logarithms, positive and not 1,") from None


VERSION = record({"format": whole(at_least=1)})

STEP = whole()

# What is kept of units; "columns" says how many each layer has.
UNITS = record(
    {
        "per_layer": whole(at_least=1),
        "samples": whole(at_least=1),
        "measurements": whole(at_least=1),
        "n": whole(at_least=1),
        "seed": scalar,
    }
)

# run.json. What is only shown may be any `scalar`.
DESCRIPTION = record(
    {"format": whole(1, FORMAT)},
    {
        "title": nullable(text),
        "step_name": text,
        "layers": array(text),
        "measures": array(text),
        "n": nullable(whole(at_least=0)),
        "prompts": whole(at_least=0),
        "tokens": whole(at_least=0),
        "t": TIME,
        "times": array(TIME),
        "base": base,
        "classes": nullable(array(record({"name": text, "size": whole(at_least=0)}))),
        "settings": mapping(anything),
        "units": nullable(UNITS),
        "columns": mapping(whole(at_least=1)),
        **dict.fromkeys(
            ("eigentropy", "sigma", "alpha", "order", "method", "tol", "n_null", "n_clusters",
             "clusters", "clustering", "seed", "pooling", "drop_first", "normalize"),
            scalar,
        ),
    },
)  # fmt: skip


def values(step: Shape, value: Shape) -> Shape:
    """A line of values.jsonl or of a log: "step", and a number or null for each other key."""
    head, numbers = record({"step": step}), mapping(value)

    def read(line: Any) -> dict[str, Any]:
        known = head(line)
        return {**numbers({k: v for k, v in line.items() if k != "step"}), **known}

    return read


VALUES = values(whole(), measured)

# Of a log in CSV.
WRITTEN_VALUES = values(written(whole()), written(measured))

# A row of the table of `eigentropy track`.
SNAPSHOT = record(
    {"snapshot": text},
    {"n": written(whole(at_least=1)), **dict.fromkeys(TRACKED, written(measured))},
)


def stepped(line: Any) -> Any:
    """A line of either kind as it is, whatever else it has beside its step."""
    record({"step": whole()})(line)
    return line


# A line of profiles.jsonl: of each layer its numbers with their sampling errors, and of neighbours
# whether they differ, by a paired test.
PROFILE = record(
    {
        "step": whole(),
        "layers": array(record({"layer": text, "numbers": mapping(array(measured, 2))})),
        "neighbours": array(record({"measure": text, "b": text, "p_value": measured})),
    }
)


def spectra(times: int) -> Shape:
    """A line of spectra.jsonl: each layer has S at as many times as run.json names."""
    exact = record(
        {
            "n": whole(at_least=1),
            "sigma": measured,
            "entropy": array(measured, times, ", one for each of 'times' in run.json,"),
        }
    )
    estimate = record({"n": whole(at_least=1), "sigma": measured})

    def layer(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or "entropy" not in value:
            known: dict[str, Any] = estimate(value)
            return known
        known = exact(value)
        return {**known, **_eigenvalues(known["n"])(value)}

    return record({"step": whole(), "layers": mapping(layer)})


@functools.lru_cache
def _eigenvalues(n: int) -> Shape:
    drawn = array(measured, len(ranks(n)), f", the ranks that are drawn of {n},")
    return record({"eigenvalues": drawn})


def view(classes: Sequence[object] | None) -> Shape:
    """A file of views/: two coordinates for each of its samples, in every layer."""
    group = whole(at_least=0) if classes is None else whole(0, len(classes) - 1)
    head = record({"step": whole(), "layers": mapping(array(array(number()), 2))})

    def read(value: Any) -> dict[str, Any]:
        known: dict[str, Any] = head(value)
        samples = max((len(axes[0]) for axes in known["layers"].values()), default=0)
        alike = array(number(), samples, ", as many as the samples of the other coordinates,")
        maps = mapping(array(alike, 2))
        record({"layers": maps})(value)
        groups = nullable(array(group, samples, ", as many as there are samples,"))
        return {**known, **record({}, {"groups": groups, "phate": maps})(value)}

    return read


def embedded(steps: int, units: int) -> Shape:
    """A file of embedded/: the numbers of each step, and the points of all units at each."""
    at_each = array(measured, steps, ", one a step,")
    points = steps * units
    coordinates = array(array(whole(), points, ", one a step and unit,"), 2)
    return record(
        {
            "key": text,
            "dse": at_each,
            "kernel": at_each,
            "multislice": measured,
            "between": measured,
            "constant": whole(at_least=0),
            "coordinates": nullable(coordinates),
            "answers": nullable(array(whole(at_least=0), points)),
        }
    )

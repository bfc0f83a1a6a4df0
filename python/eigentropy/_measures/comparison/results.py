"""Results of measures that are compared as they are, with their own settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from eigentropy._measures.comparison.several import Name
from eigentropy._measures.kernel_results import KernelEntropy, KernelInformation
from eigentropy._measures.results import DiffusionEntropy, DiffusionInformation
from eigentropy._measures.sampling.measures import NAMES
from eigentropy._support.number import Number

# The measure of each result: its name, which those of its forms begin with.
_MEASURES: Mapping[type, str] = {
    DiffusionEntropy: "dse",
    DiffusionInformation: "dsmi",
    KernelEntropy: "kernel_entropy",
    KernelInformation: "kernel_information",
}


def measure_of_results(
    results: Mapping[Name, Any], measure: Any, given: Mapping[str, Any]
) -> tuple[str, str]:
    """The measure that results are of, and the form of them that is asked for, or an empty text.

    `given` are the options of the caller, which None stands for where there is none.

    Raises
    ------
    ValueError
        They are of several measures, or of another one; their settings differ; an option is given.
    TypeError
        Some are no results.
    """
    others = [name for name, one in results.items() if not isinstance(one, Number)]
    if others:
        found = next(name for name in results if name not in others)
        raise TypeError(
            f"{found} is a {type(results[found]).__name__} and {others[0]} is a "
            f"{type(results[others[0]]).__name__}: pass rows for all, or results for all"
        )
    options = [name for name, value in given.items() if value is not None]
    if options:
        raise ValueError(f"{options[0]} is given, but results bring their own: leave it out")
    known = {name: _MEASURES.get(type(result), "") for name, result in results.items()}
    if "" in known.values():
        name = next(name for name, one in known.items() if not one)
        raise ValueError(
            f"{name} is a {type(results[name]).__name__}, which does not keep the rows that it is "
            "of: pass the rows, and the measure by its name or as a function"
        )
    _same({name: {"measure": one} for name, one in known.items()})
    _same({name: settings_of(result) for name, result in results.items()})
    own = next(iter(known.values()))
    wanted = own if measure is None else measure
    names = [one for one in NAMES if one == own or one.startswith(f"{own}_")]
    if wanted not in names:
        raise ValueError(
            f"measure={measure!r}, but the results are of {own!r}: leave measure out, or choose "
            f"one of {', '.join(map(repr, names))}"
        )
    return wanted, wanted.removeprefix(own).removeprefix("_")


def settings_of(result: Any) -> dict[str, Any]:
    """What has to be the same for two values to be of the same measure."""
    names = ("base", "estimator", "kind")
    own = {name: getattr(result, name) for name in names if hasattr(result, name)}
    settings = {name: value for name, value in result.settings.items() if name != "sigma_y"}
    width = _width(result)
    return {**own, **settings, **({} if width is None else {"sigma": width})}


def _width(result: Any) -> Any:
    """The rule that chose sigma, or the sigma that the caller gave; None where nobody knows.

    Two sigmas by one rule are the same setting.
    """
    matrix = getattr(getattr(result, "_source", None), "matrix", None)
    if matrix is None:  # left behind by pickling
        return None
    return result.sigma if matrix.rule is None else matrix.rule


def _same(settings: Mapping[Name, Mapping[str, Any]]) -> None:
    """ValueError for the first setting that two do not share."""
    (first, mine), *others = settings.items()
    for name, known in others:
        one_sided = {"sigma"} - (mine.keys() & known.keys())  # unknown of a result that was pickled
        # sigma comes last, since it may differ for the sake of another setting.
        for setting in sorted({*mine, *known} - one_sided, key=lambda one: (one == "sigma", one)):
            a, b = mine.get(setting), known.get(setting)
            if a != b and not (_is_nan(a) and _is_nan(b)):
                raise ValueError(
                    f"{first} has {setting}={a!r} and {name} has {setting}={b!r}: the difference "
                    "of two measures says nothing; measure both the same way"
                )


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)

"""The measure that a caller names: one of ours, a function, or one of `eigentropy.baselines`.

The baselines build on the measures, and come after them. So they are found by name when a caller
asks for one, as public names are.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from eigentropy._measures.sampling.measures import NAMES, Measure, measure_of
from eigentropy._support.signatures import check_options, nearest, option_names

PACKAGE = "eigentropy.baselines"


def chosen_measure(measure: Any, Y: Any, options: Mapping[str, Any], seed: int) -> Measure:
    """What is measured of rows, with a seed where there is something random."""
    wanted = "dse" if measure is None else measure
    if not isinstance(wanted, str) or wanted in NAMES:
        return measure_of(wanted, Y, options).with_options(seed=seed)
    function = baseline(wanted)
    check_options(wanted, options, option_names(function) - {"Z", "X", "Y"})
    if Y is None and _needs_y(function):
        raise ValueError(f"Y is missing: measure={wanted!r} is about labels, scalars or vectors")
    own = {"seed": seed} if "seed" in option_names(function) else {}
    return measure_of(function, Y, {**own, **options})


def baseline(
    name: str,
    argument: str = "measure",
    ours: Sequence[str] = NAMES,
    besides: str = "a function of the rows, ",
) -> Callable[..., Any]:
    """The function of this name, as "rankme", or "ksg.mutual_information" where several have it.

    The others are for messages: the argument, and what it takes, by name and besides names.

    Raises
    ------
    ValueError
        No function of rows has the name, or several have.
    """
    found = {full: function for full, function in _functions().items() if _has(full, name)}
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise ValueError(f"{argument}={name!r} may be {' or '.join(map(repr, found))}: say which")
    functions = _functions()
    known = [*functions, *(full.partition(".")[2] for full in functions)]
    meant = nearest(name, [*ours, *known])
    if meant is not None:
        raise ValueError(f"there is no {argument}={name!r}: the nearest is {meant!r}")
    raise ValueError(
        f"there is no {argument}={name!r}. It must be one of "
        f"{', '.join(map(repr, ours))}, {besides}or the name of one of eigentropy.baselines, which "
        f"are {', '.join(functions)}"
    )


def _needs_y(function: Callable[..., Any]) -> bool:
    known = inspect.signature(function).parameters.get("Y")
    return known is not None and known.default is known.empty


def _has(full: str, name: str) -> bool:
    return name in (full, full.partition(".")[2])


def _functions() -> dict[str, Callable[..., Any]]:
    """All functions of rows, by module and name."""
    package = import_module(PACKAGE)
    modules = [name for name in package.__all__ if inspect.ismodule(getattr(package, name))]
    return {
        f"{module}.{name}": value
        for module in modules
        for name, value in vars(import_module(f"{PACKAGE}.{module}")).items()
        if _is_of_rows(value, f"{PACKAGE}.{module}") and not name.startswith("_")
    }


def _is_of_rows(value: Any, module: str) -> bool:
    """Whether it is an estimator of that module, no helper, that needs rows and perhaps Y."""
    is_own = callable(value) and getattr(value, "__module__", "") == module
    if not is_own or getattr(value, "__annotations__", {}).get("return") != "BaselineEstimate":
        return False
    known = inspect.signature(value).parameters.values()
    return {one.name for one in known if one.default is one.empty} <= {"Z", "X", "Y"}

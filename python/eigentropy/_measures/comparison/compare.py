"""Compare representations: by how much a measure differs, and whether that is more than chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, overload

from eigentropy._measures.comparison.comparison import Comparison
from eigentropy._measures.comparison.difference import Difference
from eigentropy._measures.comparison.functions import chosen_measure
from eigentropy._measures.comparison.inputs import (
    check_rows,
    labels_of,
    named_items,
    two_at_most,
    wanted_pairs,
    warn_of_order,
    warn_of_sizes,
)
from eigentropy._measures.comparison.items import (
    Item,
    computation_errors,
    named,
    of_array,
    of_result,
    row_count,
    rows_of_result,
)
from eigentropy._measures.comparison.results import measure_of_results
from eigentropy._measures.comparison.several import Name
from eigentropy._measures.sampling.variation import unpaired
from eigentropy._support.interval import LEVEL, checked_level, combined
from eigentropy._support.number import Number
from eigentropy._support.options import random_seed
from eigentropy._support.progress import Callback, reporter
from eigentropy._support.signatures import check_case, option_names

Several = Mapping[Any, Any] | Sequence[tuple[Name, Any]]


@overload
def compare(
    a: Any,
    b: Any,
    *,
    measure: Any = ...,
    Y: Any = ...,
    paired: bool | None = ...,
    max_points: int | None = ...,
    level: float = ...,
    seed: int = ...,
    progress: bool | Callback = ...,
    **options: Any,
) -> Difference: ...


@overload
def compare(
    a: Several,
    b: None = ...,
    *,
    measure: Any = ...,
    Y: Any = ...,
    paired: bool | None = ...,
    pairs: str = ...,
    against: Name | None = ...,
    max_points: int | None = ...,
    level: float = ...,
    seed: int = ...,
    progress: bool | Callback = ...,
    **options: Any,
) -> Comparison: ...


@two_at_most
def compare(
    a: Any,
    b: Any = None,
    *,
    measure: Any = None,
    Y: Any = None,
    paired: bool | None = None,
    pairs: str = "all",
    against: Name | None = None,
    max_points: int | None = None,
    level: float = LEVEL,
    seed: int = 0,
    progress: bool | Callback = False,
    **options: Any,
) -> Difference | Comparison:
    r"""Whether a measure of b differs from that of a by more than other samples would.

    .. math:: t = \frac{S(b) - S(a)}{\mathrm{se}}

    The standard error is over other samples of the data. Where the rows of a and b are the same
    inputs in the same order, such as two layers of one network on one batch, it is that of the
    *difference*, found from the same halves of the rows for both (or by leaving out the same rows):
    what they share cancels. Otherwise it is that of two independent samples.

    Parameters
    ----------
    a, b : array-like of shape (n, d), or result
        Rows, in any form that the measure takes; or two results of it, such as ``eg.dse(Z)``, which
        bring their settings.

        Or a alone: a mapping from names (or numbers, such as steps) to these, or a sequence of
        pairs (name, rows). Then all pairs are compared, or those that `pairs` or `against` says.
    measure : str or callable, optional
        "dse" (the default), "dsmi", "dsmi_adjusted", "kernel_entropy", "kernel_information",
        "kernel_information_adjusted" or "kernel_information_bits"; the name of a function of
        `eigentropy.baselines`, as "rankme", or "ksg.mutual_information" where several have the
        name; or a function of the rows, or of the rows and Y, that returns a number.
    Y : array-like of length n, or a pair of these, optional
        What an information is about: of all rows, or ``(of_a, of_b)``. For several, also a mapping
        with the same names.
    paired : bool, optional
        Whether the rows of all are the same, in the same order. By default they count as that where
        their number is the same, which is safe: between rows that have nothing to do with each
        other the pairs find no correlation, and the error is that of independent samples, if a
        little less certain. The other way round is not: ``paired=False`` for the same rows gives an
        error that is far too large.
    pairs : {"all", "neighbours"}
        Of several, which are compared: each with each, or each with the next.
    against : str or int, optional
        Of several, the name of the one with which all others are compared, in place of `pairs`:
        has it changed since this step?
    max_points : int, optional
        Measure at most this many rows, drawn at random where there are more: the same ones for all
        that have as many. Most measures depend on the number of rows, so that a and b need as many.
    level : float
        Of the intervals, and of the statement that something differs: its p-value is at most
        1 - level.
    seed : int
        Of all random numbers: halves, partitions, `max_points`.
    progress : bool or callable
        As in `diffusion_spectral_entropy`.
    **options
        Of the measure, such as `sigma` or `t`: the same for all.

    Returns
    -------
    Difference
        Works as a float: the measure of b less that of a. Carries `standard_error`, `interval()`,
        `p_value`, and both results as `a` and `b`.
    Comparison
        Of several: `differences`, p-values corrected for their number by Holm's method, and
        `ties()`, those that do not differ. Prints as a table.

    Raises
    ------
    ValueError
        ``paired=True`` for different numbers of rows; too few rows for a sampling error; results
        of different measures or settings; a name that is not there; and what the measure raises,
        with the name of the one that it is about.
    TypeError
        An option that the measure does not have; one result and one array.

    Warns
    -----
    UserWarning
        Different numbers of rows, on which most measures depend. With `against`, names whose
        numbers do not ascend, as epoch10 before epoch2: `changed_at` goes by the order given.

    References
    ----------
    Holm: A simple sequentially rejective multiple test procedure. Scand. J. Statist. 6 (1979).

    Examples
    --------
    >>> import numpy as np, eigentropy as eg
    >>> Z = np.random.default_rng(0).normal(size=(200, 8))
    >>> narrow = Z * np.array([3, 1, 1, 1, 1, 1, 1, 1])  # the same rows, with one long direction
    >>> difference = eg.compare(Z, narrow)
    >>> difference < 0 and difference.p_value < 0.01
    True
    >>> print(eg.compare({"Z": Z, "again": Z, "narrow": narrow}).ties())
    [('Z', 'again')]
    """
    level, seed = checked_level(level), random_seed(seed)
    if not callable(measure):
        check_case("compare", options, option_names(compare))
    several: dict[Name, Any] = {"a": a, "b": b} if b is not None else named_items(a)
    wanted = wanted_pairs(list(several), pairs, against)
    if b is not None and (pairs, against) != ("all", None):
        raise ValueError(
            "pairs and against are for several: compare({'a': a, 'b': b, ...}), not compare(a, b)"
        )
    if any(isinstance(one, Number) for one in several.values()):
        name, form = measure_of_results(
            several, measure, {**options, "Y": Y, "max_points": max_points}
        )
        check_rows({key: rows_of_result(one) for key, one in several.items()}, paired)
        found = (partial(of_result, key, one, form) for key, one in several.items())
    else:
        chosen = chosen_measure(measure, Y, options, seed)
        name, labels = chosen.name, labels_of(Y, list(several))
        check_rows({key: row_count(key, one) for key, one in several.items()}, paired)
        found = (
            partial(of_array, key, one, labels[key], chosen, max_points, seed)
            for key, one in several.items()
        )
    items = _measured(dict(zip(several, found, strict=True)), progress)
    warn_of_sizes(items)
    if against is not None:
        warn_of_order(list(several))
    known: dict[str, Any] = {
        "measure": name,
        "base": _base(next(iter(items.values())).result, name),
        "level": level,
    }
    differences = {
        (one, other): _difference(items[one], items[other], paired, **known)
        for one, other in wanted
    }
    if b is not None:
        return differences["a", "b"]
    return Comparison(
        results={key: item.result for key, item in items.items()},
        values={key: item.value for key, item in items.items()},
        errors={key: item.error for key, item in items.items()},
        differences=differences,
        pairs=pairs,
        against=against,
        **known,
    )


def _measured(
    found: Mapping[Name, Callable[[], Item]], progress: bool | Callback
) -> dict[Name, Item]:
    """The items, one after the other."""
    items: dict[Name, Item] = {}
    with reporter(progress, "comparison") as report:
        for name, item in found.items():
            with named(name):
                items[name] = item()
            if report is not None:
                report(len(items) / len(found))
    return items


def _base(result: Any, name: str) -> float | None:
    """Of the logarithm, where the value has a unit."""
    if name.endswith("_adjusted"):
        return None
    return 2.0 if name.endswith("_bits") else getattr(result, "base", None)


def _difference(a: Item, b: Item, paired: bool | None, **known: Any) -> Difference:
    is_paired = _is_paired(a, b, paired)
    if is_paired:
        moved = b.variation.minus(a.variation)
        errors = [(moved.standard_error, moved.degrees)]
    else:
        errors = [unpaired(a.variation, b.variation)]
    value = b.value - a.value
    error, degrees = combined([*errors, *computation_errors(a, b)])
    return Difference(
        value=value,
        standard_error=error,
        degrees=degrees,
        a=a.result,
        b=b.result,
        paired=is_paired,
        n=(a.n, b.n),
        rounding=0.0 if value == 0.0 else a.rounding + b.rounding,
        **known,
    )


def _is_paired(a: Item, b: Item, paired: bool | None) -> bool:
    """Whether the rows are taken for the same; refused where they are known not to be."""
    are_same = a.n == b.n and a.drawn == b.drawn
    if paired and not are_same:
        raise ValueError(
            f"paired=True, but {a.name} and {b.name} are of other rows: max_points drew them with "
            "another seed, or from another number of rows"
        )
    return are_same if paired is None else paired

"""What `measure` may be: the name of a measure, or any function of the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import as_numpy
from eigentropy._kernels.groups import check_length
from eigentropy._kernels.knn import is_square
from eigentropy._measures.entropy import diffusion_spectral_entropy
from eigentropy._measures.information import diffusion_spectral_mutual_information
from eigentropy._measures.kernel_entropy import kernel_entropy
from eigentropy._measures.kernel_information import kernel_information
from eigentropy._support.signatures import check_options, nearest, option_names

# The function behind each name, and the method of its result that has the value, if it is not the
# result itself.
_KNOWN: Mapping[str, tuple[Callable[..., Any], str]] = {
    "dse": (diffusion_spectral_entropy, ""),
    "dsmi": (diffusion_spectral_mutual_information, ""),
    "dsmi_adjusted": (diffusion_spectral_mutual_information, "adjusted"),
    "kernel_entropy": (kernel_entropy, ""),
    "kernel_information": (kernel_information, ""),
    "kernel_information_adjusted": (kernel_information, "adjusted"),
    "kernel_information_bits": (kernel_information, "bits"),
}
NAMES = tuple(_KNOWN)

# Options of these that may have one entry for each row.
_BY_ROW = ("clusters", "given")


@dataclass(frozen=True)
class Measure:
    """A function of rows, and of Y where it needs one, with its options.

    Attributes
    ----------
    name : str
    function : callable
        ``function(Z, **options)`` or ``function(Z, Y, **options)``, whose result works as a float.
    options : mapping
    form : str
        The method of the result that has the value, such as "adjusted"; empty for the result.
    """

    name: str
    function: Callable[..., Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    form: str = ""

    def __call__(self, Z: Any, Y: Any = None) -> Any:
        """The result of these rows."""
        known = () if Y is None else (Y,)
        result = self.function(Z, *known, **self.options)
        return getattr(result, self.form)() if self.form else result

    @property
    def is_ours(self) -> bool:
        """Whether it is a measure of the package, and no other function."""
        return (self.function, self.form) in _KNOWN.values()

    @property
    def is_square(self) -> bool:
        """Whether Z is a kernel or distances (n, n): with a row goes its column."""
        return self.is_ours and is_square(self.options.get("kernel", "gaussian"))

    @property
    def by_row(self) -> dict[str, npt.NDArray[Any]]:
        """Options that have one entry for each row, beside Y."""
        given = {name: self.options.get(name) for name in _BY_ROW if self.is_ours}
        return {
            name: as_numpy(value, name)
            for name, value in given.items()
            if value is not None and not isinstance(value, str)
        }

    def of_rows(self, numbers: npt.NDArray[np.int64], n: int) -> Measure:
        """The same for the rows with these numbers, of n."""
        by_row = self.by_row
        for name, values in by_row.items():
            check_length(values, n, name)
        return self.replaced(**{name: values[numbers] for name, values in by_row.items()})

    @property
    def base(self) -> float | None:
        """Of the logarithm; None for what has no unit, or one that only its results know."""
        if not self.is_ours or self.form == "adjusted":
            return None
        return 2.0 if self.form == "bits" else float(self.options.get("base", 2.0))

    def with_options(self, **options: Any) -> Measure:
        """The same with these options beside its own, of those that a measure of ours has."""
        return replace(self, options={**options, **self.options}) if self.is_ours else self

    def replaced(self, **options: Any) -> Measure:
        """The same with these options in place of its own."""
        return replace(self, options={**self.options, **options}) if options else self


def measure_of(measure: Any, Y: Any = None, options: Mapping[str, Any] | None = None) -> Measure:
    """The measure that a caller names or passes.

    Parameters
    ----------
    measure : str or callable
        One of `NAMES`; one of our functions, such as `eg.dse`; or another function of the rows, or
        of the rows and Y, such as those of `eigentropy.baselines`.
    Y : array-like, optional
        Which informations need and entropies do not take.
    options : mapping, optional
        Of the function.

    Raises
    ------
    ValueError
        No such name; Y is missing, or there is one that the measure does not take.
    TypeError
        Neither a name nor a function; an option that the measure does not have.
    """
    options = {} if options is None else dict(options)
    name = _name_of(measure)
    if callable(measure) and _KNOWN.get(name) != (measure, ""):
        return Measure(name, measure, options)
    if name not in NAMES:
        meant = nearest(name, NAMES)
        raise ValueError(
            f"measure must be one of {', '.join(map(repr, NAMES))}, or a function of the rows, as "
            f"eigentropy.baselines.spectral.rankme is; got {name!r}"
            + (f": the nearest is {meant!r}" if meant else "")
        )
    function, form = _KNOWN[name]
    _check_y(name, Y, options, "Y" in option_names(function))
    check_options(name, options, option_names(function) - {"Z", "Y"})
    return Measure(name, function, options, form)


def _name_of(measure: Any) -> str:
    """The name that `measure` is, or that its function has."""
    if isinstance(measure, str):
        return measure
    if not callable(measure):
        raise TypeError(
            f"measure must be a name or a function of the rows, got {type(measure).__name__}"
        )
    ours = [name for name, known in _KNOWN.items() if known == (measure, "")]
    return ours[0] if ours else str(getattr(measure, "__name__", type(measure).__name__))


def _check_y(name: str, Y: Any, options: Mapping[str, Any], takes_y: bool) -> None:
    if takes_y and Y is None and options.get("clusters") is None:
        raise ValueError(f"Y is missing: measure={name!r} is about labels, scalars or vectors")
    if Y is not None and not takes_y:
        raise ValueError(
            f"Y is given, but measure={name!r} is of the rows alone: leave Y out, or choose a "
            "measure of information, such as 'dsmi'"
        )

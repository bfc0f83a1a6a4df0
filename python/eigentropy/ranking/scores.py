"""The scores that models are ranked by: their names, their settings, and which share their work."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import Matrix
from eigentropy._kernels.bandwidth import RULES
from eigentropy._measures.comparison.functions import baseline
from eigentropy._measures.sampling.measures import NAMES
from eigentropy._support.options import integer, nonnegative, positive, sigma_or_rule
from eigentropy._support.signatures import check_options, option_names
from eigentropy.baselines import geometry, spectral, transferability

Doubles = npt.NDArray[np.float64]

# Measured where the caller names no scores.
DEFAULT = (
    "dse", "dsmi", "dsmi_adjusted", "kernel_entropy", "kernel_information",
    "kernel_information_adjusted", "knn_accuracy", "linear_accuracy", "logme", "h_score",
    "transrate", "rankme", "effective_rank", "self_clustering",
)  # fmt: skip

# What models are ordered by where the caller does not say: of all scores that were looked at, it
# ranks the networks of the study `models` most as their probes do.
FIRST = "kernel_information_adjusted"

DIFFUSION = ("dse", "dsmi", "dsmi_adjusted")
DENSITY = tuple(name for name in NAMES if name.startswith("kernel_"))
PROBES = ("knn_accuracy", "linear_accuracy")


def unit_deviation(Z: Matrix) -> Doubles:
    """Centred rows of unit root mean square, so that the scale of a network does not matter."""
    centred: Doubles = Z - Z.mean(axis=0, dtype=np.float64)
    centred /= math.sqrt(np.square(centred).mean()) or 1.0
    return centred


def _transrate(Z: Matrix, Y: Any) -> Any:
    return transferability.transrate(unit_deviation(Z), Y)


class ScoreFunction(NamedTuple):
    """A function of `eigentropy.baselines`, as a ranking calls it."""

    function: Callable[..., Any]
    takes_labels: bool
    options: Mapping[str, Any] = MappingProxyType({})

    def value(self, Z: Any, codes: Any) -> float:
        """Of these rows."""
        known = (codes,) if self.takes_labels else ()
        return float(self.function(Z, *known, **self.options))


# The scores of second moments, whose subsets share their work: those of `moments.FUNCTIONS`.
MOMENTS: Mapping[str, ScoreFunction] = {
    "logme": ScoreFunction(transferability.logme, True),
    "h_score": ScoreFunction(
        transferability.h_score, True, {"shrinkage": transferability.LEDOIT_WOLF}
    ),
    "transrate": ScoreFunction(_transrate, True),
    "rankme": ScoreFunction(spectral.rankme, False),
    "effective_rank": ScoreFunction(spectral.effective_rank, False),
    "self_clustering": ScoreFunction(geometry.self_clustering, False, {"center": True}),
}  # fmt: skip

# What callers may set, and its check.
OPTIONS: Mapping[str, Callable[[Any], Any]] = {
    "sigma": lambda value: sigma_or_rule(value, RULES),
    "alpha": lambda value: nonnegative(value, "alpha"),
    "t": lambda value: positive(value, "t"),
    "n_null": lambda value: integer(value, "n_null", at_least=2),
    "k": lambda value: integer(value, "k", at_least=1),
    "folds": lambda value: integer(value, "folds", at_least=2),
}


def checked_scores(scores: Iterable[str] | None) -> tuple[str, ...]:
    """The names of scores, each of which there is.

    Raises
    ------
    ValueError
        There is no such score, or none at all; one is named twice.
    TypeError
        One text in place of several names.
    """
    if scores is None:
        return DEFAULT
    if isinstance(scores, str):
        raise TypeError(f"scores must be a list of names, got the text {scores!r}: [{scores!r}]")
    names = tuple(scores)
    if not names:
        raise ValueError("scores is empty: name one or more, or leave it out for the default ones")
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"scores has {name!r} twice: name each once")
        if name not in {*DEFAULT, *DENSITY}:
            setting_of(name)
    return names


def setting_of(name: str) -> ScoreFunction:
    """The score of this name that is neither ours nor a probe."""
    if name in MOMENTS:
        return MOMENTS[name]
    function = baseline(name, "scores", [*dict.fromkeys((*DEFAULT, *DENSITY))], besides="")
    return ScoreFunction(function, "Y" in option_names(function))


def checked_options(
    options: Mapping[str, Any], of: Callable[..., Any] | None = None
) -> dict[str, Any]:
    """Options of scores, each checked once for all models.

    `of` is the function that passes them on, whose own arguments may have been meant.
    """
    own = () if of is None else option_names(of)
    check_options("rank" if of is None else of.__name__, options, {*OPTIONS, *own})
    return {name: OPTIONS[name](value) for name, value in options.items()}

"""The options of a collapse alarm, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from eigentropy._support.options import integer, one_of, positive
from eigentropy.torch.monitoring.alarm_tests import LEAST, Rules
from eigentropy.torch.monitoring.watched_values import KINDS

# The share of the reference that is kept in healthy training. Chosen on runs apart from those of
# the study `collapse`: SimCLR, VICReg, a classifier and an autoencoder on artificial pictures. The
# share of the scale is small, since the scale moves with all weights.
KEEP = {"entropy": 0.9, "class": 0.5, "spread": 0.7, "scale": 0.3}


def checked_rules(alpha: Any, reference: Any, keep: Any, floor: Any) -> Rules:
    """These arguments of an alarm."""
    rules = Rules(
        _probability(alpha, "alpha"),
        _checked_reference(reference),
        {**KEEP, **_by_kind(keep, "keep", _probability)},
        _by_kind(floor, "floor", positive),
    )
    if rules.reference is None and not rules.floor:
        raise ValueError("reference=None needs floor=, such as floor={'entropy': 2.0}")
    return rules


def _probability(value: Any, name: str) -> float:
    number = positive(value, name)
    if number >= 1.0:
        raise ValueError(f"{name} must be below 1, got {value!r}")
    return number


def _checked_reference(reference: Any) -> int | tuple[int, int] | None:
    if reference is None:
        return None
    if not isinstance(reference, (tuple, list)):
        return integer(reference, "reference", at_least=LEAST)
    if len(reference) != 2:
        raise ValueError(
            f"reference must be a number or (first step, last step), got {reference!r}"
        )
    first = integer(reference[0], "reference[0]", at_least=0)
    return first, integer(reference[1], "reference[1]", at_least=first)


def _by_kind(given: Any, argument: str, checked: Callable[[Any, str], float]) -> dict[str, float]:
    """A mapping from kinds to numbers, as it is given, or from the entropy to a single number."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        return {"entropy": checked(given, argument)}
    return {
        one_of(kind, f"{argument}: a kind", KINDS): checked(number, f"{argument}[{kind!r}]")
        for kind, number in given.items()
    }

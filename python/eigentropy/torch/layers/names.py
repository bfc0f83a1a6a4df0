"""The measures of a profile: which there are, in which scopes, and what each needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from eigentropy._support.signatures import nearest

SCOPES = ("prompts", "tokens", "within")

NEXT = "kernel_information_next"

# Of the tokens of each prompt in their order, whatever the scope.
OF_PROMPTS = ("prompt_entropy", "curvature")

_OF_LABELS = (
    "dsmi", "dsmi_adjusted", "kernel_information", "kernel_information_adjusted",
    "kernel_information_bits",
)  # fmt: skip
VIEWS = ("dime", "infonce")

MEASURES = (
    "dse", "dsmi", "dsmi_adjusted", "kernel_entropy", "kernel_information",
    "kernel_information_adjusted", "kernel_information_bits", NEXT, *OF_PROMPTS, "effective_rank",
    "rankme", "anisotropy", *VIEWS,
)  # fmt: skip

# Where the caller names none, these are left to him: joint kernels take a spectrum of their own for
# every pair of layers and every random order.
_ON_REQUEST = {"tokens": (NEXT, "dsmi", "dsmi_adjusted"), "within": (NEXT,)}

_RADIANS = ("curvature",)
_WITHOUT_UNIT = ("dsmi_adjusted", "kernel_information_adjusted", "effective_rank", "rankme",
                 "anisotropy")  # fmt: skip


class Data(NamedTuple):
    """What there is beside the prompts."""

    scope: str
    labels: bool
    views: bool


def unit_of(measure: str) -> str:
    """Such as "bits"; empty where there is none."""
    return "radians" if measure in _RADIANS else "" if measure in _WITHOUT_UNIT else "bits"


def checked_measures(measures: str | Iterable[str] | None, data: Data) -> tuple[str, ...]:
    """The measures that are wanted, by default those that the data allow, in their own order.

    Raises
    ------
    ValueError
        There is no such measure; it is not defined in this scope, or needs labels or views.
    """
    if measures is None:
        unasked = _ON_REQUEST.get(data.scope, ())
        return tuple(m for m in MEASURES if m not in unasked and not _reason(m, data))
    wanted = (measures,) if isinstance(measures, str) else tuple(measures)
    if not wanted:
        raise ValueError("measures is empty: name one or more, or leave it out for all")
    for measure in wanted:
        if measure not in MEASURES:
            near = nearest(str(measure), MEASURES)
            known = ", ".join(map(repr, MEASURES))
            raise ValueError(
                f"measures must be among {known}, got {measure!r}"
                + (f": the nearest is {near!r}" if near else "")
            )
        if reason := _reason(measure, data):
            raise ValueError(f"measures: {measure!r} {reason}")
    return tuple(measure for measure in MEASURES if measure in wanted)


def left_out(measures: Iterable[str], data: Data) -> list[str]:
    """Which of the measures that the data are for are not among these, why, and the remedy."""
    have, reasons = set(measures), dict[str, list[str]]()
    for measure in MEASURES:
        given = data.labels if measure in _OF_LABELS else data.views or measure not in VIEWS
        if measure not in have and given:
            why = _reason(measure, data) or "takes long: name it in measures"
            reasons.setdefault(why, []).append(measure)
    return [f"left out: {', '.join(names)}; each {why}" for why, names in reasons.items()]


def _reason(measure: str, data: Data) -> str:
    """Why a measure cannot be had; empty if it can."""
    if measure in _OF_LABELS:
        if data.scope == "within":
            return (
                "is about labels, and all tokens of a prompt have one label; take scope='prompts'"
            )
        return "" if data.labels else "is about labels: pass labels, one a prompt"
    if measure in VIEWS:
        if data.scope != "prompts":
            return f"compares vectors of prompts, and scope={data.scope!r}; take scope='prompts'"
        return "" if data.views else "compares two views of each prompt: pass views=2, or texts"
    return ""

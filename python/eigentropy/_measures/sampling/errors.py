"""The sampling errors of a result, for those who go on where there is none."""

from __future__ import annotations

import math
from typing import Any, NamedTuple


class SamplingError(NamedTuple):
    """A sampling error.

    Attributes
    ----------
    error : float
        NaN where there is none.
    note : str
        Why there is none, or which subsets have no value; empty where there is nothing to say.
    """

    error: float
    note: str


def sampling_errors(result: Any) -> dict[str, SamplingError]:
    """Of the "value" of an entropy or information, and of each other form that it has."""
    return {form: _of_form(result, form) for form in getattr(result, "_forms", ("value",))}


def _of_form(result: Any, form: str) -> SamplingError:
    try:
        if form == "value":
            return SamplingError(result.sampling_error, result.sampling_note())
        return SamplingError(result.sampling_error_of(form), result.sampling_note(form))
    except ValueError as error:  # too few rows
        return SamplingError(math.nan, str(error))


def known_sampling_error(result: Any) -> float | None:
    """That of the value where it was computed before; otherwise None."""
    known = result.__dict__.get("_varied") or result.__dict__.get("_variations", {}).get("value")
    return None if known is None else float(known.standard_error)

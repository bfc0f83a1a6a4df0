"""What the page of any result has: its frame, and entries that JSON can hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eigentropy._support.interval import student_quantile
from eigentropy._support.lifetime import version
from eigentropy._support.printable import encodable
from eigentropy.report.assembly import assembled

# Digits of a value, and of its error and p-value.
DIGITS, OF_ERRORS = 6, 3


def result_page(
    title: str,
    body: str,
    scripts: Sequence[str],
    level: float,
    entries: Mapping[str, Any],
    *,
    settings: Mapping[str, Any] | None,
    remarks: Sequence[str],
) -> str:
    """Draw a result on one page.

    Parameters
    ----------
    title : str
        Of the page.
    body, scripts
        As `assembled` takes them.
    level : float
        Of the intervals on the page.
    entries : mapping
        What only this kind of result has.
    settings : mapping, optional
        Names and values for the table at the end of the page.
    remarks : sequence of str
        What a reader should know before the numbers are believed, such as warnings.

    Returns
    -------
    str
        A whole HTML document.
    """
    document = {
        "title": encodable(title),
        "eigentropy": version(),
        "level": level,
        "quantile": student_quantile(level, math.inf),
        **entries,
        "remarks": texts(remarks),
        "settings": [texts([name, str(value)]) for name, value in (settings or {}).items()],
    }
    return assembled(title, body, scripts, document)


def texts(given: Iterable[str]) -> list[str]:
    """Texts that can be written in UTF-8."""
    return [encodable(text) for text in given]


def number(value: float | None, digits: int) -> float | None:
    """A number that JSON has, to some digits."""
    is_known = value is not None and math.isfinite(value)
    return float(f"{value:.{digits}g}") if is_known else None

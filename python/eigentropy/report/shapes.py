"""Shapes that a JSON value may have, and the error that says which key has another one.

A shape is a function: it returns the value, clean, or raises `ShapeError`. Shapes are put together:
``record({"step": whole()}, {"names": array(text)})`` wants an object that has a step and may have
names. Keys that a shape does not know are left out.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping
from typing import Any

from eigentropy._support.printable import encodable

Shape = Callable[[Any], Any]

# JavaScript, which draws the numbers, has whole numbers up to this.
LARGEST_WHOLE = 2**53

# Numbers beyond these limits cannot be drawn: differences of them overflow, ratios divide by zero.
LARGEST, SMALLEST = 1e300, 1e-300

# Values of an unknown shape may be nested this deep.
DEEPEST = 20

KINDS = {dict: "an object", list: "a list", str: "text", bool: "a truth value", type(None): "null"}


class ShapeError(ValueError):
    """A value that is not what was wanted, and the keys that lead to it, outermost first."""

    def __init__(self, value: Any, wanted: str, keys: tuple[str | int, ...] = ()) -> None:
        self.value, self.wanted, self.keys = value, wanted, keys
        where = "".join(f"[{shortened(key)}]" for key in keys)
        subject = f"key {where}" if where else "it"
        super().__init__(f"{subject} is {_described(value)}; {wanted} is wanted")

    def under(self, key: str | int) -> ShapeError:
        """The same, seen from the value that has this one at `key`."""
        return ShapeError(self.value, self.wanted, (key, *self.keys))


def text(value: Any) -> str:
    """Text that can be written as UTF-8: a lone surrogate becomes its escape."""
    if not isinstance(value, str):
        raise ShapeError(value, "text")
    return encodable(value)


def whole(at_least: int = -LARGEST_WHOLE, at_most: int = LARGEST_WHOLE) -> Shape:
    """A whole number, also one that is written as 3.0."""
    wanted = f"a whole number from {at_least} to {at_most}"

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ShapeError(value, wanted)
        if not at_least <= value <= at_most or value != int(value):
            raise ShapeError(value, wanted)
        return int(value)

    return read


def number(at_least: float = -LARGEST) -> Shape:
    """A finite number."""
    wanted = "a finite number" if at_least == -LARGEST else f"a finite number >= {at_least:g}"

    def read(value: Any) -> float:
        known = measured(value)
        if known is None or known < at_least:
            raise ShapeError(value, wanted)
        return known

    return read


def measured(value: Any) -> float | None:
    """A number, or None for null, NaN, infinity and what is too large to be drawn."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ShapeError(value, "a number or null")
    if not abs(value) <= LARGEST:  # NaN, too
        return None
    return float(value) if abs(value) >= SMALLEST else 0.0


def written(shape: Shape) -> Shape:
    """A number that a table writes as text."""

    def read(value: str) -> Any:
        try:
            known = float(value)
        except ValueError:
            raise ShapeError(value, "a number or nothing") from None
        return shape(known)

    return read


def nullable(shape: Shape) -> Shape:
    """Null, or what the shape wants."""
    return lambda value: None if value is None else shape(value)


def scalar(value: Any) -> Any:
    """Text, a number, a truth value or null."""
    if isinstance(value, (list, dict)):
        raise ShapeError(value, "text, a number, a truth value or null")
    return anything(value)


def array(shape: Shape, length: int | None = None, reason: str = "") -> Shape:
    """A list of values of one shape; `reason` says where its length comes from."""
    wanted = "a list" if length is None else f"a list of {length}{reason}"

    def read(value: Any) -> list[Any]:
        if not isinstance(value, list) or length not in (None, len(value)):
            raise ShapeError(value, wanted)
        return [_inside(shape, one, i) for i, one in enumerate(value)]

    return read


def mapping(shape: Shape) -> Shape:
    """An object with any keys and values of one shape."""

    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ShapeError(value, "an object")
        return {encodable(key): _inside(shape, one, key) for key, one in value.items()}

    return read


def record(needed: Mapping[str, Shape], others: Mapping[str, Shape] | None = None) -> Shape:
    """An object with some keys that must be there and others that may be."""
    shapes = {**needed, **(others or {})}

    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ShapeError(value, "an object")
        for key in needed:
            if key not in value:
                raise ShapeError(value, f"an object with the key {key!r}")
        return {key: _inside(shapes[key], value[key], key) for key in shapes if key in value}

    return read


def anything(value: Any, depth: int = 0) -> Any:
    """Any JSON value, with text that can be written as UTF-8."""
    if depth > DEEPEST:
        raise ShapeError(value, f"at most {DEEPEST} levels of lists and objects")
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, list):
        return [anything(one, depth + 1) for one in value]
    if isinstance(value, dict):
        return {encodable(key): anything(one, depth + 1) for key, one in value.items()}
    return value


def shortened(value: Any) -> str:
    """A value as a message can show it, however long it is."""
    return _SHORT.repr(value)


def _inside(shape: Shape, value: Any, key: str | int) -> Any:
    try:
        return shape(value)
    except ShapeError as error:
        raise error.under(key) from None


def _described(value: Any) -> str:
    kind = KINDS.get(type(value))
    if isinstance(value, list):
        return f"a list of {len(value)}, {shortened(value)}"
    if value is None:
        return "null"
    if isinstance(value, float) and not math.isfinite(value):
        return f"the number {value}"
    return f"{kind or 'the number'} {shortened(value)}"


_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxdict, _SHORT.maxstring = 2, 4, 4, 60
_SHORT.maxlong = 40

"""The tokens of prompts, block by block, and the mean of a measure over prompts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import (
    as_matrix,
    as_numpy,
    opened_array,
    refuse_device_array,
)
from eigentropy.baselines._estimate import BaselineEstimate

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

# Prompts are read together until they have this many entries: 64 MiB as float64.
BLOCK_ENTRIES = 2**23


@dataclass(frozen=True, eq=False, repr=False)
class PromptEstimate(BaselineEstimate):
    """A mean over prompts. Works as the float `value`; `n` is the number of prompts in it.

    Attributes
    ----------
    by_prompt : array of float, shape (prompts,)
        The measure of each prompt; NaN of one that is too short for it, which is left out of the
        mean.
    standard_error : float
        Of the mean, over prompts: their standard deviation over sqrt(n). NaN of a single prompt.
    """

    by_prompt: Array = field(default_factory=lambda: np.full(0, math.nan))


@dataclass(frozen=True)
class PromptTokens:
    """The kept tokens of some prompts, one prompt after the other, as rows of float64.

    Each prompt is divided by its largest entry, so that no square overflows.
    """

    rows: Array
    starts: Counts
    lengths: Counts
    first: int = 0  # the number of the first of these prompts

    def prompt_of(self, row: int) -> int:
        """The number of the prompt that a row is of."""
        return self.first + int(np.searchsorted(self.starts, row, side="right")) - 1

    def prompts(self) -> Iterator[Array]:
        """The tokens of one prompt after the other."""
        for start, length in zip(self.starts, self.lengths, strict=True):
            yield self.rows[start : start + length]


def mean_over_prompts(
    states: Any,
    mask: Any,
    measure: Callable[[PromptTokens], Array],
    method: str,
    base: float | None,
    needs: str,
    settings: Mapping[str, Any],
) -> PromptEstimate:
    """The mean of what `measure` gives for each prompt; what is NaN does not count.

    Raises
    ------
    ValueError
        No prompt has a value, as all are shorter than what the measure needs.
    """
    values, tokens = [], 0
    for block in blocks(states, mask):
        values.append(measure(block))
        tokens += int(block.lengths[~np.isnan(values[-1])].sum())
    by_prompt = np.concatenate(values)
    known = by_prompt[~np.isnan(by_prompt)]
    if len(known) == 0:
        raise ValueError(
            f"none of the {len(by_prompt)} prompts of states has what the {method} needs, {needs}: "
            "pass longer prompts, or keep more of their tokens"
        )
    n = len(known)
    error = float(known.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    about = {**settings, "tokens": tokens, "left_out": len(by_prompt) - n}
    return PromptEstimate(float(known.mean()), method, n, base, error, about, by_prompt=by_prompt)


def blocks(states: Any, mask: Any = None, entries: int = BLOCK_ENTRIES) -> Iterator[PromptTokens]:
    """The kept tokens of all prompts, which are read block by block.

    Parameters
    ----------
    states : array-like of shape (prompts, tokens, d) or (tokens, d), or list of arrays (tokens, d)
        The last two: one prompt, and prompts of any lengths.
    mask : array-like of shape (prompts, tokens) or (tokens,), optional
        Not 0 where a token counts. What is elsewhere is not looked at.
    entries : int
        Of a block, unless one prompt has more.

    Raises
    ------
    ValueError, TypeError
        States or a mask of another shape or type; NaN or infinity; a prompt without a kept token.
    """
    source = _source(states, mask)
    first = 0
    while first < len(source.lengths):
        size, last = 0, first
        while last < len(source.lengths) and (last == first or size < entries):
            size += source.lengths[last] * source.columns
            last += 1
        yield _joined(source.read(first, last), first, source.columns)
        first = last


def is_ragged(states: Any) -> bool:
    """Whether this is a list of prompts, each an array, or a nested tensor."""
    if isinstance(states, (list, tuple)):
        return bool(states) and all(hasattr(one, "shape") and one.ndim == 2 for one in states)
    return bool(getattr(states, "is_nested", False))


class _Source(NamedTuple):
    """How long each prompt is, and what reads the kept tokens of prompts first .. last - 1."""

    lengths: list[int]
    columns: int
    read: Callable[[int, int], list[npt.NDArray[Any]]]


def _source(states: Any, mask: Any) -> _Source:
    if is_ragged(states):
        return _of_list(list(states.unbind() if hasattr(states, "unbind") else states), mask)
    refuse_device_array(states, "states")
    array: Any = opened_array(states, "states")
    shape = tuple(array.shape)
    if len(shape) not in (2, 3) or 0 in shape:
        raise ValueError(
            "states must have shape (prompts, tokens, d), or (tokens, d) of one prompt, and not be "
            f"empty, or be a list of arrays (tokens, d); got shape {shape}"
        )
    kept = None if mask is None else _kept(mask, shape[:-1])
    if len(shape) == 2:
        return _Source([shape[0]], shape[1], lambda first, last: [_chosen(array[:, :], kept)])

    def read(first: int, last: int) -> list[npt.NDArray[Any]]:
        part = array[first:last, :, :]
        masks = [None] * len(part) if kept is None else kept[first:last]
        return [_chosen(one, mask) for one, mask in zip(part, masks, strict=True)]

    return _Source([shape[1]] * shape[0], shape[2], read)


def _of_list(prompts: list[Any], mask: Any) -> _Source:
    if mask is not None:
        raise ValueError(
            "mask is given with a list of prompts, which has no padding: leave mask out, and the "
            "tokens that do not count out of each prompt"
        )
    for number, one in enumerate(prompts):
        refuse_device_array(one, f"states[{number}]")
    columns = {one.shape[1] for one in prompts}
    if len(columns) > 1:
        raise ValueError(
            f"the prompts of states must have one number of columns, got {sorted(columns)}"
        )
    return _Source(
        [len(one) for one in prompts],
        columns.pop(),
        lambda first, last: [as_numpy(one, "states") for one in prompts[first:last]],
    )


def _kept(mask: Any, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    given = as_numpy(mask, "mask")
    if given.shape != shape:
        raise ValueError(
            f"mask must have shape {shape}, one entry for each token of states, got {given.shape}"
        )
    if given.dtype.kind not in "buif" or not (given >= 0).all():
        raise ValueError(
            "mask must be true, or not 0, where a token counts, and 0 or false elsewhere, got "
            f"{np.unique(given)[:4].tolist()} among its values, of type {given.dtype}; mask == 0 "
            "turns a mask round that is added to scores"
        )
    found: npt.NDArray[np.bool_] = given != 0
    return found


def _chosen(prompt: npt.NDArray[Any], kept: npt.NDArray[np.bool_] | None) -> npt.NDArray[Any]:
    return prompt if kept is None else prompt[kept]


def _joined(prompts: list[npt.NDArray[Any]], first: int, columns: int) -> PromptTokens:
    lengths = np.array([len(one) for one in prompts])
    if not lengths.all():
        raise ValueError(
            f"prompt {first + int(lengths.argmin())} of states has no token that counts: leave "
            "such prompts out, or mend mask"
        )
    rows = as_matrix(np.concatenate(prompts), "states").astype(np.float64)
    starts = np.cumsum(lengths) - lengths
    largest = np.maximum.reduceat(np.abs(rows).max(axis=1), starts)
    rows /= np.repeat(np.where(largest > 0.0, largest, 1.0), lengths)[:, None]
    return PromptTokens(rows, starts, lengths, first)

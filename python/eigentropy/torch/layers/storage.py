"""States of the stored tokens, one array a layer, in a short dtype."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eigentropy._support import memory
from eigentropy.torch.layers.selection import PlacedTokens
from eigentropy.torch.monitoring.samples import Numbers
from eigentropy.torch.tokens.masks import real_tokens
from eigentropy.torch.tokens.pooling import normalized

STORED_DTYPES = ("bfloat16", "float16", "float32")

# This many tokens are rounded at a time, so that no copy of all of them in float32 is made.
_BLOCK = 1024

_REMEDY = "leave it out of layers, or add what it makes of them"


@dataclass(frozen=True)
class Form:
    """How a token is stored.

    Attributes
    ----------
    dtype : torch.dtype
    device : torch.device or None
        None is where the layer returns it.
    normalize : str
        Before it is stored.
    """

    dtype: torch.dtype
    device: torch.device | None
    normalize: str

    def of(
        self, states: torch.Tensor, tokens: PlacedTokens, shape: tuple[int, int]
    ) -> torch.Tensor:
        """A copy of some tokens of a batch (m, d) as it is stored.

        Raises
        ------
        TypeError, ValueError
            The states are complex, have another shape, or are too large for float16.
        """
        plain, own = real_tokens(states)
        if plain.is_complex():
            raise TypeError(
                f"its states are complex ({plain.dtype}), and real ones are wanted: {_REMEDY}"
            )
        if plain.ndim != 3 or (own is None and plain.shape[:2] != shape):
            raise ValueError(
                f"it returns {tuple(plain.shape)}, and (prompts, tokens, d) with {shape[0]} "
                f"prompts of {shape[1]} tokens are wanted, as in the first layer: {_REMEDY}, or "
                "make a second reservoir for layers with other tokens"
            )
        picked, where = _places(plain, own, tokens)
        device = self.device or plain.device
        stored = torch.empty((len(tokens), plain.shape[2]), dtype=self.dtype, device=device)
        for start in range(0, len(tokens), _BLOCK):
            block = slice(start, start + _BLOCK)
            stored[block] = self._stored(picked[tuple(one[block] for one in where)])
        stored[:0].float().cpu().numpy()  # raises where there are no numbers, as under a tracer
        return stored

    def _stored(self, rows: torch.Tensor) -> torch.Tensor:
        if self.normalize != "none":
            rows = normalized(rows.float(), self.normalize)
        stored = rows.to(self.dtype)
        if self.dtype == torch.float16 and not torch.equal(stored.isfinite(), rows.isfinite()):
            raise ValueError(
                f"its states reach {float(rows.abs().max()):.3g}, and float16 ends at 65504: take "
                "dtype='bfloat16'"
            )
        return stored


def _places(
    plain: torch.Tensor, own: torch.Tensor | None, tokens: PlacedTokens
) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """Where tokens stand, and in what; states that are nested have the real ones alone."""
    if own is None:
        return plain, (_index(tokens.row, plain), _index(tokens.column, plain))
    lengths = own.sum(dim=1).cpu().numpy()
    if len(tokens) and (tokens.rank >= lengths[tokens.row]).any():
        raise ValueError(
            f"it returns nested states of {lengths.tolist()} tokens, fewer than the mask says are "
            f"real: {_REMEDY}"
        )
    starts = lengths.cumsum() - lengths
    return plain[own], (_index(starts[tokens.row] + tokens.rank, plain),)


def _index(numbers: Numbers, beside: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(numbers).to(beside.device)


def _array(most: int, like: torch.Tensor) -> torch.Tensor:
    """Room for rows (most, d).

    On the CPU it is a mapping of its own, of which pages are taken as they are written: in the heap
    it would lie between what the model takes and gives back.
    """
    shape = (most, like.shape[1])
    size = most * like.shape[1] * like.element_size()
    if like.device.type != "cpu" or size == 0:
        return torch.empty(shape, dtype=like.dtype, device=like.device)
    return torch.frombuffer(mmap.mmap(-1, size), dtype=like.dtype).view(shape)


class Storage:
    """Arrays (most, d) of the layers; slots are written in all of them at once.

    Attributes
    ----------
    most : int
    arrays : dict of tensors
        By the names of the layers.
    """

    def __init__(self, most: int, rows: Mapping[str, torch.Tensor]) -> None:
        self.most = most
        size = sum(most * one.shape[1] * one.element_size() for one in rows.values())
        if all(one.device.type == "cpu" for one in rows.values()):
            memory.require(float(size), f"a reservoir of {most} tokens", "take a smaller n=")
        self.arrays = {name: _array(most, one) for name, one in rows.items()}

    def check(self, rows: Mapping[str, torch.Tensor]) -> None:
        """Refuse rows of other layers, or of other lengths.

        Raises
        ------
        ValueError
        """
        if set(rows) != set(self.arrays):
            missing = sorted(set(self.arrays) - set(rows)) or sorted(set(rows))
            raise ValueError(
                f"layers: there are states of {', '.join(map(repr, rows))}, and before there were "
                f"those of {', '.join(map(repr, self.arrays))}; {missing[0]!r} is not in both"
            )
        for name, one in rows.items():
            before = self.arrays[name].shape[1]
            if one.shape[1] != before:
                raise ValueError(
                    f"layer {name!r} has tokens of {one.shape[1]} numbers, before it had {before}"
                )

    def put(self, rows: Mapping[str, torch.Tensor], which: Numbers, slots: Numbers) -> None:
        """Write some of the rows of each layer into slots."""
        for name, one in rows.items():
            array = self.arrays[name]
            array[_index(slots, array)] = one[_index(which, one)].to(array.device)

    def rows(self, name: str, slots: Numbers) -> npt.NDArray[np.float32]:
        """The rows of a layer in some slots, float32 (m, d)."""
        array = self.arrays[name]
        found: npt.NDArray[Any] = array[_index(slots, array)].float().cpu().numpy()
        return found

    @property
    def nbytes(self) -> int:
        """What the arrays take."""
        return sum(array.numel() * array.element_size() for array in self.arrays.values())

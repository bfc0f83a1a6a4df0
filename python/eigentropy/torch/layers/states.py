"""The states of the layers of a model, batch by batch, and which layers are wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch

from eigentropy._support.signatures import nearest
from eigentropy.torch.tokens.masks import NAME, Remedies

Numbers = npt.NDArray[np.int64]

# A pattern of names is one of hidden states if it matches in a stack of this many blocks.
MOST_BLOCKS = 1024


# What to do about the mask of a batch of prompts.
OF_BATCHES = Remedies(
    f"give each batch of texts an {NAME!r} (prompts, tokens) of its own tokens, or none where all "
    "of them are real",
    "pass batch[{!r}] == 0 in its place",
)


class StatesBatch(NamedTuple):
    """What the layers return for some prompts.

    Attributes
    ----------
    states : mapping of str to tensor (prompts, tokens, d)
        By the name of the layer, in the order of the layers.
    mask : tensor (prompts, tokens) or None
        True, or not 0, where a token is real.
    numbers : array of int, shape (prompts,)
        Which prompts they are.
    """

    states: Mapping[str, torch.Tensor]
    mask: torch.Tensor | None
    numbers: Numbers


class States(Protocol):
    """The states of a model over prompts."""

    @property
    def name(self) -> str:
        """Of the model."""

    @property
    def prompts(self) -> int | None:
        """How many there are; None where that is known at the end."""

    def batches(self, chosen: Numbers | None) -> Iterator[StatesBatch]:
        """The states of all prompts, or of those with the numbers `chosen`, in any order."""


def block_names(count: int) -> list[str]:
    """The names of hidden states: the first one is what the blocks begin with."""
    return ["embedding", *(f"block {number}" for number in range(1, count))]


def is_of_hidden_states(wanted: Any) -> bool:
    """Whether this is a number or a pattern of hidden states, and no name of a module."""
    if isinstance(wanted, int):
        return True
    return any(fnmatchcase(name, wanted) for name in block_names(1 + MOST_BLOCKS))


def chosen_names(names: Sequence[str], wanted: Sequence[str | int] | None) -> list[str]:
    """Those of the names that are wanted, in their own order; all if nothing is said.

    Raises
    ------
    ValueError, TypeError
        A pattern matches nothing, there is no such number, or it is something else.
    """
    if wanted is None:
        return list(names)
    found = {name for one in wanted for name in _matches(names, one)}
    return [name for name in names if name in found]


def _matches(names: Sequence[str], wanted: str | int) -> list[str]:
    if isinstance(wanted, int):
        if not -len(names) <= wanted < len(names):
            raise ValueError(
                f"layers: there is no layer {wanted}: the model has {len(names)}, {names[0]!r} (0) "
                f"to {names[-1]!r} ({len(names) - 1})"
            )
        return [names[wanted]]
    if not isinstance(wanted, str):
        raise TypeError(f"layers must be names, patterns or numbers, got {type(wanted).__name__}")
    found = [wanted] if wanted in names else [one for one in names if fnmatchcase(one, wanted)]
    if not found:
        near = nearest(wanted, names)
        raise ValueError(
            f"layers: {wanted!r} matches none of the {len(names)} layers, {names[0]!r} to "
            f"{names[-1]!r}" + (f"; the nearest is {near!r}" if near else "")
        )
    return found

"""Which of the tokens that pass by are stored: those with the lowest of random priorities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy.torch.monitoring.samples import Array, Numbers, priorities

# A token is numbered by its prompt, and by its position in the lower bits.
_POSITION_BITS = np.int64(32)

# Of each token that is stored: prompt, position, priority, and the reference to its label.
BYTES_OF_A_TOKEN = 32


@dataclass(frozen=True)
class PlacedTokens:
    """Tokens, each with its place in a batch.

    Attributes
    ----------
    prompts, positions : arrays of int (m,)
        The number of the prompt, and the place among its real tokens.
    row, column, rank : arrays of int (m,)
        Where states (prompts, tokens, d) of the batch have it, and its place among the real tokens
        of its row there.
    priorities : array of uint64 (m,)
    labels : array of objects (m,) or None
    """

    prompts: Numbers
    positions: Numbers
    row: Numbers
    column: Numbers
    rank: Numbers
    priorities: npt.NDArray[np.uint64]
    labels: Array | None = None

    def __len__(self) -> int:
        return len(self.prompts)

    def chosen(self, which: npt.NDArray[np.int64]) -> PlacedTokens:
        """Some of them."""
        parts: dict[str, Any] = {
            name: None if part is None else part[which] for name, part in vars(self).items()
        }
        return PlacedTokens(**parts)


class Selection:
    """The tokens that are stored: of all that were seen, the `most` with the lowest priorities.

    A priority is a hash of the seed, the prompt and the position. So the tokens are a random sample
    without repetition, in which all tokens are equally likely, and batches do not matter. A token
    whose priority is above all stored ones costs one comparison.

    Attributes
    ----------
    n : int
        How many are stored, in slots from 0 on.
    prompts, positions : arrays of int (most,)
    labels : array of objects (most,) or None
    """

    def __init__(self, most: int, seed: int) -> None:
        self.most, self.seed, self.n = most, seed, 0
        self.prompts = np.zeros(most, np.int64)
        self.positions = np.zeros(most, np.int64)
        self.labels: Array | None = None
        self._priorities = np.zeros(most, np.uint64)
        self._bound = np.uint64(2**64 - 1)

    def priorities(self, prompts: Numbers, positions: Numbers) -> npt.NDArray[np.uint64]:
        """Of tokens; different tokens have different ones."""
        return priorities((prompts << _POSITION_BITS) | positions, self.seed)

    def candidates(self, tokens: PlacedTokens) -> PlacedTokens:
        """Those that will be stored if no others come before them."""
        low = np.flatnonzero(tokens.priorities <= self._bound)
        if len(low) > self.most:
            low = low[np.argpartition(tokens.priorities[low], self.most - 1)[: self.most]]
            low.sort()
        return tokens.chosen(low)

    def admit(self, tokens: PlacedTokens) -> tuple[Numbers, Numbers]:
        """Store tokens: which of them stay, and the slot of each; others leave their slots."""
        n, most = self.n, self.most
        both = np.concatenate([self._priorities[:n], tokens.priorities])
        stays = np.ones(len(both), bool)
        if len(both) > most:
            stays[np.argpartition(both, most - 1)[most:]] = False
        which = np.flatnonzero(stays[n:])
        free = np.concatenate([np.flatnonzero(~stays[:n]), np.arange(n, most)])
        slots = free[: len(which)]
        self._write(slots, tokens.chosen(which))
        self.n = min(len(both), most)
        if self.n == most:
            self._bound = self._priorities.max()
        return which, slots

    def _write(self, slots: Numbers, tokens: PlacedTokens) -> None:
        self.prompts[slots] = tokens.prompts
        self.positions[slots] = tokens.positions
        self._priorities[slots] = tokens.priorities
        if tokens.labels is not None:
            if self.labels is None:
                self.labels = np.empty(self.most, object)
            self.labels[slots] = tokens.labels

    def order(self) -> Numbers:
        """The slots, ordered by prompt and position."""
        return np.lexsort((self.positions[: self.n], self.prompts[: self.n]))

    @property
    def nbytes(self) -> int:
        """What these arrays take."""
        parts = self.prompts, self.positions, self._priorities, self.labels
        return sum(part.nbytes for part in parts if part is not None)

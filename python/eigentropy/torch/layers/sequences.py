"""The numbers of prompts and the positions of tokens, also where a model generates with a cache."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from eigentropy._backends.libraries import is_masked_tensor
from eigentropy.torch.monitoring.samples import Numbers
from eigentropy.torch.tokens.masks import REMEDY, checked_mask, real_tokens

Truth = npt.NDArray[np.bool_]


class Ends(NamedTuple):
    """Tokens by which the end of a row is known in generation.

    Attributes
    ----------
    final : set of int
        After one of these nothing of the row counts, nor does it itself: where no other row goes
        on, the model does not read it.
    padding : set of int
        These do not count. A row may have ended in another way, by a string or its length.
    """

    final: Set[int] = frozenset()
    padding: Set[int] = frozenset()


@dataclass(frozen=True)
class TokenStep:
    """What a forward pass says about its tokens.

    Attributes
    ----------
    shape : (prompts, tokens)
        Of the states.
    mask : tensor (prompts, tokens or more) or None
        Of a mask that is longer than the states the last columns count.
    before : int
        How many tokens of each prompt a cache holds, where there is no longer mask.
    cache : object or None
        The cache itself, by which the passes of one generation are known.
    ids : tensor (prompts, tokens) or None
        The numbers of the tokens.
    anew : bool
        Whether the caller wants no cache: then each step of a generation reads all tokens again.
    """

    shape: tuple[int, int]
    mask: torch.Tensor | None = None
    before: int = 0
    cache: Any = None
    ids: torch.Tensor | None = None
    anew: bool = False


@dataclass(frozen=True)
class Placed:
    """The tokens (prompts, tokens) of a pass.

    Attributes
    ----------
    numbers : array of int (prompts,)
    real : array of bool
        Neither padding nor beyond the end of a row.
    positions : array of int
        Among the real tokens of the prompt, with those in the cache.
    ranks : array of int
        Among the real tokens of this pass, by the mask alone.
    ended : array of bool (prompts,)
    length : int
        How many columns the prompts have with this pass.
    new : int
        How many prompts begin here.
    ids : array of int or None
        Of all columns, where the caller wants no cache.
    """

    numbers: Numbers
    real: Truth
    positions: Numbers
    ranks: Numbers
    ended: Truth
    length: int
    new: int
    ids: Numbers | None = None

    @property
    def end(self) -> int:
        """The number after those of its prompts."""
        return int(self.numbers.max(initial=-1)) + 1

    def columns_again(self, step: TokenStep, positions: Numbers) -> int:
        """How many columns of a step are those of this one, read again without a cache.

        Each row must go on with one token after a row of this step, not always the same one since
        beams are exchanged, and the padding must be the same.
        """
        old, new = self.ids, _ids_anew(step)
        if old is None or new is None or new.shape != (len(old), old.shape[1] + 1):
            return 0
        columns = old.shape[1]
        known = {row.tobytes() for row in old}
        same = np.array_equal(positions[:, :columns], self.positions) and all(
            row.tobytes() in known for row in new[:, :columns]
        )
        return columns if same else 0


def fitting(
    states: torch.Tensor, mask: torch.Tensor | None
) -> tuple[tuple[int, int], torch.Tensor | None]:
    """How many prompts and tokens states have, and their mask, which may be their own.

    Nested states have as many columns as the mask, whose real tokens they hold.

    Raises
    ------
    ValueError
        They are not (prompts, tokens, d).
    """
    if states.ndim != 3:
        raise ValueError(
            f"it returns {tuple(states.shape)}, and (prompts, tokens, d) is wanted: leave it out "
            "of layers"
        )
    if states.is_nested or is_masked_tensor(states):
        real = real_tokens(states)[1] if mask is None else mask
        if real is not None:
            return (real.shape[0], real.shape[1]), real
    return (states.shape[0], states.shape[1]), mask


class Sequences:
    """Tells whether a pass begins new prompts or goes on with those of an earlier one.

    A pass goes on if its cache, or its mask, begins where the pass before ended. Without a cache
    it goes on if the caller says `use_cache=False`, as `generate` does, and if all its rows are
    those of the pass before and one token more: of other passes that have the same tokens, each is
    one by itself. The pass before is that of the same thread.

    Parameters
    ----------
    ends : callable
        Gives `Ends`.
    """

    def __init__(self, ends: Callable[[], Ends] = Ends) -> None:
        self.ends, self.count, self._next = ends, 0, 0
        # By their caches, and where there is none by their threads.
        self._lasts: weakref.WeakKeyDictionary[Any, Placed] = weakref.WeakKeyDictionary()

    def place(self, step: TokenStep, after: int = 0) -> Placed:
        """Number what a pass brings; numbers below `after` are those of passes under way."""
        real, positions, before = _columns(step)
        prompts, tokens = step.shape
        last = self._last(step.cache)
        again = 0 if last is None else last.columns_again(step, positions)
        before, tokens = before or again, tokens - again
        goes_on = last is not None and 0 < before == last.length and prompts == len(last.numbers)
        numbers, new = max(self._next, after) + np.arange(prompts), prompts
        if goes_on and last is not None:
            numbers, new = last.numbers, 0
        ranks = real.cumsum(axis=1) - 1
        ended = np.zeros(prompts, bool)
        # Several tokens at once are read, as a next question is, and not generated.
        if before and tokens == 1 and step.ids is not None and step.ids.shape == step.shape:
            ids, ends = step.ids[:, -1].detach().cpu().numpy(), self.ends()
            ended = np.isin(ids, list(ends.final))
            if goes_on and last is not None:
                ended |= last.ended
            real = real & ~(ended | np.isin(ids, list(ends.padding)))[:, None]
        if again:
            real = real & (np.arange(real.shape[1]) >= again)
        length = before + tokens
        return Placed(numbers, real, positions, ranks, ended, length, new, _ids_anew(step))

    def commit(self, placed: Placed, cache: Any) -> None:
        """The pass has ended, and counts."""
        self.count += placed.new
        self._next = max(self._next, placed.end)
        self._lasts[threading.current_thread() if cache is None else cache] = placed

    def _last(self, cache: Any) -> Placed | None:
        last = self._lasts.get(threading.current_thread())
        return last if cache is None else self._lasts.get(cache, last)


def _ids_anew(step: TokenStep) -> Numbers | None:
    """A copy of its tokens, where the caller wants no cache."""
    if not step.anew or step.ids is None or step.ids.shape != step.shape:
        return None
    return np.array(step.ids.detach().cpu().numpy(), dtype=np.int64)


def _columns(step: TokenStep) -> tuple[Truth, Numbers, int]:
    """Which tokens are real, their positions, and how many columns come before them."""
    prompts, tokens = step.shape
    if step.mask is None:
        positions = np.broadcast_to(step.before + np.arange(tokens), step.shape)
        return np.ones(step.shape, bool), positions, step.before
    every = (checked_mask(step.mask).detach() != 0).cpu().numpy()
    columns = every.shape[1]
    if len(every) != prompts or columns < tokens:
        raise ValueError(
            f"the mask has shape {every.shape}, the states have {prompts} prompts of {tokens} "
            f"tokens; {REMEDY}"
        )
    positions = every.cumsum(axis=1)[:, columns - tokens :] - 1
    if columns == tokens:  # it says nothing of what the cache holds
        return every, step.before + positions, step.before
    return every[:, columns - tokens :], positions, columns - tokens

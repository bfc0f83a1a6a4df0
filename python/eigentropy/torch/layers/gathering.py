"""From the states of batches to what a profile is measured on: rows, and values by prompt."""

from __future__ import annotations

from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from eigentropy._support.progress import Callback
from eigentropy.torch.layers.reservoir import TokenReservoir
from eigentropy.torch.layers.states import OF_BATCHES, Numbers, States, StatesBatch
from eigentropy.torch.layers.within import Layer, Within
from eigentropy.torch.tokens.masks import NoTokenError, kept_tokens
from eigentropy.torch.tokens.pooling import token_rows

Doubles = npt.NDArray[np.float64]


class TokenRule(NamedTuple):
    """Which tokens count, and what becomes of them.

    Attributes
    ----------
    pooling, normalize : str
        As `token_rows` has them.
    drop_first : int
    """

    pooling: str
    normalize: str
    drop_first: int

    def kept(self, batch: StatesBatch, shape: tuple[int, int]) -> torch.Tensor:
        """The tokens of a batch that count; the message of an error says where the prompts are."""
        of_batch = batch.numbers.tolist()
        try:
            return kept_tokens(
                batch.mask, shape, self.drop_first, remedies=OF_BATCHES, numbers=of_batch
            )
        except NoTokenError as error:
            raise ValueError(f"texts: {error}") from error
        except ValueError as error:
            numbers = ", ".join(map(str, of_batch[:8]))
            more = ", ..." if len(batch.numbers) > 8 else ""
            raise ValueError(f"texts: in the batch of prompts {numbers}{more}: {error}") from error


class GatheredStates(NamedTuple):
    """What is kept of the states.

    Attributes
    ----------
    rows : dict of str to array (m, d)
        By layer.
    prompts : array of int, shape (m,)
        Which prompt each row is of, ascending.
    by_prompt : dict of str to dict of str to array (prompts,)
        By layer and measure: the value of each prompt.
    columns : dict of str to int
        How many features each layer has.
    numbers : array of int, shape (prompts,)
        Which prompts there were, ascending.
    tokens : int
        How many tokens of these are kept.
    """

    rows: dict[str, Any]
    prompts: Numbers
    by_prompt: dict[str, dict[str, Doubles]]
    columns: dict[str, int]
    numbers: Numbers
    tokens: int


class Gathering:
    """Takes batch after batch.

    Parameters
    ----------
    tokens : TokenRule
    within : Within
        The measures of each prompt by itself.
    drawn : TokenReservoir or None
        Where rows are kept: tokens, or as its tokens the vectors of prompts. None where no measure
        is of rows.
    """

    def __init__(self, tokens: TokenRule, within: Within, drawn: TokenReservoir | None) -> None:
        self._tokens, self._within, self._drawn = tokens, within, drawn
        self._numbers: list[Numbers] = []
        self._values: dict[str, dict[str, list[Doubles]]] = {}
        self._columns: dict[str, int] = {}
        self._count = 0

    def add(self, batch: StatesBatch) -> None:
        """Take the states of a batch."""
        kept, previous = None, None
        vectors: dict[str, torch.Tensor] = {}
        for name, states in batch.states.items():
            _check_real(name, states)
            if kept is None or kept.shape != states.shape[:2]:
                kept = self._tokens.kept(batch, (states.shape[0], states.shape[1]))
            if name not in self._columns:
                self._columns[name] = states.shape[-1]
            if self._drawn is not None and self._tokens.pooling != "tokens":
                vectors[name] = token_rows(states, kept, *self._tokens[:2]).rows[:, None]
            if self._within.names:
                every = token_rows(states, kept, "tokens", self._tokens.normalize)
                previous = self._add_values(name, every, batch.numbers, previous)
        if kept is None:
            raise ValueError("layers: the model gives the states of no layer")
        if self._drawn is not None and vectors:
            self._drawn.add(vectors)
        elif self._drawn is not None:
            self._drawn.add(batch.states, kept)
        self._numbers.append(np.asarray(batch.numbers))
        self._count += int(kept.sum())

    def _add_values(self, name: str, every: Any, numbers: Numbers, previous: Any) -> Any:
        """Add the values of prompts; returns what the next layer is compared with."""
        lengths = torch.bincount(every.prompts, minlength=len(numbers)).tolist()
        prompts = [one.numpy() for one in every.rows.cpu().split(lengths)]
        found, known = self._within.of(prompts, numbers.tolist(), previous)
        for measure, (layer, values) in found.items():
            self._values.setdefault(layer or name, {}).setdefault(measure, []).append(values)
        return Layer(name, known.units)

    def finished(self) -> GatheredStates:
        """All that was gathered, by the numbers of the prompts."""
        if not self._numbers:
            raise ValueError("texts is empty; at least one text or batch is wanted")
        numbers = np.concatenate(self._numbers)
        order = np.argsort(numbers, kind="stable")
        by_prompt = {
            layer: {name: np.concatenate(values)[order] for name, values in several.items()}
            for layer, several in self._values.items()
        }
        rows, prompts = self._rows(numbers)
        return GatheredStates(rows, prompts, by_prompt, self._columns, numbers[order], self._count)

    def _rows(self, numbers: Numbers) -> tuple[dict[str, Any], Numbers]:
        """The rows of each layer and their prompts, whose numbers are in the order they came in."""
        drawn = self._drawn
        if drawn is None:
            return {}, np.empty(0, dtype=np.int64)
        prompts = numbers[drawn.prompts]
        order = np.lexsort([drawn.positions, prompts])
        return {name: drawn.rows(name)[order] for name in drawn.layers}, prompts[order]


def _check_real(name: str, states: torch.Tensor) -> None:
    """Refuse complex states, in every scope by the same words."""
    if states.is_complex():
        raise TypeError(
            f"layers: {name!r} returns complex states ({states.dtype}), and real ones are wanted: "
            "leave it out of layers, or name a module that returns real and imaginary parts as "
            "features of their own, as torch.view_as_real(states).flatten(-2) does"
        )


def gathered(
    states: States,
    chosen: Numbers | None,
    tokens: TokenRule,
    within: Within,
    drawn: TokenReservoir | None,
    report: Callback | None,
) -> GatheredStates:
    """Run the model over all prompts, or over those with the numbers `chosen`."""
    gathering, done = Gathering(tokens, within, drawn), 0
    count = states.prompts if chosen is None else len(chosen)
    with closing(states.batches(chosen)) as batches:  # type: ignore[type-var]
        for batch in batches:
            gathering.add(batch)
            done += len(batch.numbers)
            if report is not None and count:
                report(done / count)
    return gathering.finished()

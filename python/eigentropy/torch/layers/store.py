"""Batches of tokens on their way into a reservoir: a batch counts wholly or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from eigentropy.torch.layers.selection import BYTES_OF_A_TOKEN, PlacedTokens, Selection
from eigentropy.torch.layers.sequences import Ends, Placed, Sequences, TokenStep
from eigentropy.torch.layers.storage import Form, Storage
from eigentropy.torch.monitoring.samples import Array, as_labels


@dataclass
class Batch:
    """What layers return for the tokens of one batch that may be stored.

    Attributes
    ----------
    step, placed
        What the pass says of its tokens, and what follows from it.
    tokens : PlacedTokens
        The candidates.
    seen : int
        How many tokens are kept, candidates or not.
    cache : object or None
        By which the next pass of a generation is known: that which the model was given, or makes.
    rows : dict of tensors (m, d)
        Of the candidates, by the names of the layers.
    repeated : set of str
        Layers that have come twice; the last states count.
    """

    step: TokenStep
    placed: Placed
    tokens: PlacedTokens
    seen: int
    cache: Any
    rows: dict[str, torch.Tensor] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)

    @property
    def labelled(self) -> bool:
        """Whether its tokens have labels."""
        return self.tokens.labels is not None


class TokenStore:
    """What a reservoir holds.

    Parameters
    ----------
    n : int
        The most tokens.
    max_bytes : int or None
        That they may take.
    form : Form
    drop_first, seed : int
    ends : callable
        As for `Sequences`.

    Attributes
    ----------
    refused : str
        Why the last batch was not taken that was not.
    """

    def __init__(
        self,
        n: int,
        max_bytes: int | None,
        form: Form,
        drop_first: int,
        seed: int,
        ends: Callable[[], Ends] = Ends,
    ) -> None:
        self.n, self.max_bytes, self.form = n, max_bytes, form
        self.drop_first, self.seed, self.ends = drop_first, seed, ends
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.selection = Selection(self.n, self.seed)
        self.sequences = Sequences(self.ends)
        self.storage: Storage | None = None
        self.seen = 0
        self.labelled: bool | None = None
        self.refused = ""

    def begin(self, step: TokenStep, labels: Any = None, after: int = 0) -> Batch:
        """A batch whose layers are to come; `after` is as for `Sequences.place`.

        Raises
        ------
        TypeError, ValueError
            The mask or the labels do not fit the states.
        """
        placed = self.sequences.place(step, after)
        row, column = np.nonzero(placed.real & (placed.positions >= self.drop_first))
        prompts, positions = placed.numbers[row], placed.positions[row, column]
        tokens = PlacedTokens(
            prompts, positions, row, column, placed.ranks[row, column],
            self.selection.priorities(prompts, positions),
            _labels_of_tokens(labels, step.shape, row, column),
        )  # fmt: skip
        return Batch(step, placed, self.selection.candidates(tokens), len(tokens), step.cache)

    def take(self, batch: Batch, layer: str, states: torch.Tensor) -> None:
        """What a layer returns for a batch; the states are copied.

        Raises
        ------
        TypeError, ValueError
            They are no states (prompts, tokens, d); the message has the name of the layer.
        """
        if layer in batch.rows:
            batch.repeated.add(layer)
        try:
            # What is made in inference mode could not be written to outside of it.
            with torch.inference_mode(False), torch.no_grad():
                batch.rows[layer] = self.form.of(states.detach(), batch.tokens, batch.step.shape)
        except (TypeError, ValueError) as error:
            raise type(error)(f"layer {layer!r}: {error}") from error

    def commit(self, batches: Iterable[Batch]) -> None:
        """Store what has come.

        Raises
        ------
        ValueError
            The layers are not those of before, or `max_bytes` is less than one token.
        """
        batches = list(batches)
        if not batches:
            return
        # Arrays that are made in inference mode cannot be written to outside of it.
        with torch.inference_mode(False):
            storage = self.storage or self._room(batches[0])
        labelled = batches[0].labelled if self.labelled is None else self.labelled
        for batch in batches:
            storage.check(batch.rows)
            _check_labels(batch.labelled, labelled)
        if self.storage is None:
            self.storage, self.labelled = storage, labelled
            self.selection = Selection(storage.most, self.seed)
        with torch.inference_mode(False), torch.no_grad():
            for batch in batches:
                self._store(batch, storage)

    def _room(self, batch: Batch) -> Storage:
        """Arrays for tokens like those of a batch."""
        rows = batch.rows.values()
        one = BYTES_OF_A_TOKEN + sum(r.shape[1] * r.element_size() for r in rows)
        if self.max_bytes is not None and self.max_bytes < one:
            raise ValueError(
                f"max_bytes={self.max_bytes} is less than one token takes, {one} bytes in "
                f"{len(batch.rows)} layers"
            )
        fit = self.n if self.max_bytes is None else min(self.n, self.max_bytes // one)
        return Storage(fit, batch.rows)

    def _store(self, batch: Batch, storage: Storage) -> None:
        self.seen += batch.seen
        self.sequences.commit(batch.placed, batch.cache)
        if len(batch.tokens):
            which, slots = self.selection.admit(batch.tokens)
            storage.put(batch.rows, which, slots)

    @property
    def nbytes(self) -> int:
        """What the tokens take that are stored, and the room for more."""
        return 0 if self.storage is None else self.storage.nbytes + self.selection.nbytes


def _check_labels(this: bool, others: bool) -> None:
    if this != others:
        has, have = ("some", "none") if this else ("none", "some")
        raise ValueError(
            f"labels: this batch has {has}, those before it have {have}: give them for all batches "
            "or for none"
        )


def _labels_of_tokens(
    labels: Any, shape: tuple[int, int], row: Array, column: Array
) -> Array | None:
    """Labels (prompts,) or (prompts, tokens) as objects, one a token."""
    known = as_labels(labels)
    if known is None:
        return None
    if known.shape not in (shape[:1], shape):
        raise ValueError(
            f"labels have shape {known.shape}: one for each of {shape[0]} prompts is wanted, or "
            f"one for each token, {shape}"
        )
    as_objects = known.astype(object)
    found: Array = as_objects[row] if known.ndim == 1 else as_objects[row, column]
    return found

"""Texts as prompts with their labels, and views of them from which words are dropped."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from eigentropy.torch.features.texts import TextFile, TextList

# Of the words of a text, the share that a view lacks.
DROPPED = 0.1


class Prompts(NamedTuple):
    """What a model is given: texts, or batches of tensors; the other one is None."""

    texts: TextList | None
    batches: Iterable[Mapping[str, Any]] | None


def as_prompts(texts: Any) -> Prompts:
    """A file of texts, a list of texts, or batches of tensors.

    Raises
    ------
    TypeError, ValueError, FileError
        Anything else; blank texts, a file that is not there or not UTF-8.
    """
    if isinstance(texts, TextList):
        return Prompts(texts, None)
    if isinstance(texts, (str, os.PathLike)):
        return Prompts(TextFile(texts), None)
    if isinstance(texts, Mapping) or not isinstance(texts, Iterable):
        raise TypeError(
            "texts must be a file of texts, a list of texts or batches of tensors, such as "
            f"[{{'input_ids': ..., 'attention_mask': ...}}], got {type(texts).__name__}"
        )
    several = iter(texts)
    first = next(several, None)
    if first is None:
        raise ValueError("texts is empty; at least one text or batch is wanted")
    everything = itertools.chain([first], several)
    if isinstance(first, str):
        return Prompts(TextList(list(everything)), None)
    return Prompts(None, _checked(everything))


def _checked(batches: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    for number, batch in enumerate(batches):
        if not isinstance(batch, Mapping):
            raise TypeError(
                f"texts: batch {number} must be a mapping of tensors, as a tokenizer returns, got "
                f"{type(batch).__name__}"
            )
        yield batch


def without_words(text: str, seed: int, number: int, view: int, share: float = DROPPED) -> str:
    """A view of a text: each word is left out with this probability, but never all of them."""
    words = text.split()
    generator = np.random.default_rng([seed, number, view])
    kept = generator.random(len(words)) >= share
    kept[generator.integers(len(words))] = True
    return " ".join(itertools.compress(words, kept))


def views_of(texts: TextList, views: Any, seed: int) -> tuple[TextList | None, TextList]:
    """Two views of each text; None for the first where that is the texts themselves.

    Raises
    ------
    TypeError, ValueError
        `views` is neither 2 nor one text for each.
    """
    if isinstance(views, int) and not isinstance(views, bool):
        if views != 2:
            raise ValueError(f"views must be 2, or a list of other texts, got {views}")
        first, second = (
            TextList([without_words(texts[i], seed, i, view) for i in range(len(texts))])
            for view in range(2)
        )
        return first, second
    if isinstance(views, str) or not isinstance(views, Iterable):
        raise TypeError(f"views must be 2, or a list of other texts, got {views!r}")
    others = TextList(list(views))
    if len(others) != len(texts):
        raise ValueError(
            f"views has {len(others)} texts, and texts has {len(texts)}: give another text for each"
        )
    return None, others

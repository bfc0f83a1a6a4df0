"""Texts as tokens, by a tokenizer of Hugging Face."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from eigentropy.torch.features import digests
from eigentropy.torch.features.packages import required
from eigentropy.torch.features.pictures import checked
from eigentropy.torch.features.preparation import Preparation, same

# What `preprocessing=` may say of texts.
KEYS = ("max_length", "tokenizer")

# Longest text where neither the tokenizer nor the model says one: tokenizers then hold 10^30.
_NO_LIMIT = 10**9
USUAL_LENGTH = 512


@contextmanager
def named(source: str) -> Iterator[None]:
    """A message of the library's, with the model's name before it."""
    try:
        yield
    except (ValueError, KeyError, ImportError) as error:
        if isinstance(error, OSError) or str(error).startswith(source):
            raise
        reason = " ".join(str(error).split())[:300]
        kind = ImportError if isinstance(error, ImportError) else ValueError
        raise kind(f"{source} cannot be loaded: {reason}") from error


def tokenised(
    source: str, given: Mapping[str, Any], cache_alone: bool, config: Any = None
) -> Preparation:
    """Texts as tokens, the shorter ones of a batch padded, those that are too long cut off.

    Parameters
    ----------
    source : str
    given : mapping
        "tokenizer", the name or the folder of one or a tokenizer itself, and perhaps "max_length".
    cache_alone : bool
        Whether no hub is asked.
    config : optional
        That of the model.
    """
    values = checked(source, given, KEYS)
    tokenizer = _loaded(source, values["tokenizer"], cache_alone)
    # Without its files, some kinds are made all the same, and take each text for the same one.
    if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):
        raise ValueError(f"{source}: the tokenizer {values['tokenizer']} has no vocabulary")
    if tokenizer.pad_token is None:  # models that were never given a batch
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    # On the left, it would move the tokens of models with absolute positions.
    tokenizer.padding_side = "right"
    longest = values.get("max_length") or _longest(tokenizer, config)

    def together(texts: list[str]) -> dict[str, torch.Tensor]:
        found = tokenizer(
            texts, padding=True, truncation=True, max_length=longest, return_tensors="pt"
        )
        return dict(found)

    def losses(texts: list[str]) -> str | None:
        # Without padding and cutting; that a text is too long for the model, a note says here.
        whole = tokenizer(texts, padding=False, truncation=False, verbose=False)["input_ids"]
        cut = sum(len(tokens) > longest for tokens in whole)
        if not cut:
            return None
        return f"{cut} of {len(texts)} prompts have more than {longest} tokens, and are cut there"

    vocabulary = digests.of_settings(tokenizer.get_vocab())[:16]
    kind = type(tokenizer).__name__
    said = f"{kind}, vocabulary {vocabulary}, at most {longest} tokens"
    return Preparation(same, together, said, losses)


def _loaded(source: str, tokenizer: Any, cache_alone: bool) -> Any:
    if callable(tokenizer):
        return copy.deepcopy(tokenizer)  # which may be given a token for padding
    transformers = required("transformers", f"the tokenizer of {source}")
    with named(source):
        return transformers.AutoTokenizer.from_pretrained(tokenizer, local_files_only=cache_alone)


def _longest(tokenizer: Any, config: Any) -> int:
    places = getattr(config, "max_position_embeddings", None) or _NO_LIMIT
    longest = min(tokenizer.model_max_length, places)
    return int(longest) if longest < _NO_LIMIT else USUAL_LENGTH

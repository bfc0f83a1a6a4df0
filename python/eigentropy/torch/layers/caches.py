"""What the calls of a model say about generation: its cache, and the tokens that end a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import torch

from eigentropy.torch.layers.sequences import Ends, TokenStep, fitting
from eigentropy.torch.tokens.calls import Call, MaskOption, mask_of_calls
from eigentropy.torch.tokens.masks import REMEDY

# Names of the cache: of transformers from version 5 on, and before.
_CACHES = "cache", "past_key_values"


class CachedCall(Call):
    """A call of a module, with its cache as it was when the call began.

    Attributes
    ----------
    cache : object or None
    before : int
        How many tokens of each prompt the cache held then; layers add to it.
    """

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        super().__init__(arguments)
        found = (self.argument(name) for name in _CACHES)
        self.cache = next((one for one in found if one is not None), None)
        self.before = _length(self.cache)

    def mask_named(self, name: str) -> Any:
        """Also of a mask by which tokens see those before them; a cache of fixed size has these."""
        mask = self.argument(name)
        if isinstance(mask, Mapping):  # of layers of several kinds
            mask = mask.get("full_attention", mask)
        if not isinstance(mask, torch.Tensor) or mask.ndim != 4:
            return mask
        return _real_by_sight(mask, self.before)


def step_of(calls: Sequence[CachedCall], states: torch.Tensor, option: MaskOption) -> TokenStep:
    """What the calls that are under way, from the innermost, say of states (prompts, tokens, d).

    Raises
    ------
    TypeError, ValueError
        There is no mask where `option` says, or it is of other tokens or not (prompts, tokens).
    """
    found = mask_of_calls(calls, option)
    shape, mask = fitting(states, found.mask)
    if option is None and found.mask is not None and found.tokens != shape[1]:
        raise ValueError(
            f"the mask has shape {tuple(found.mask.shape)}, for {found.tokens} tokens, and the "
            f"states have {shape[0]} prompts of {shape[1]} tokens; {REMEDY}"
        )
    inner = next((one for one in calls if one.has_tokens), None)
    if inner is None:
        return TokenStep(shape, mask)
    anew = inner.cache is None and any(call.argument("use_cache") is False for call in calls)
    ids = inner.tensor("input_ids")
    return TokenStep(shape, mask, inner.before, as_key(inner.cache), ids, anew)


def cache_made(output: Any) -> Any:
    """The cache that a model returns, if it does; it is given to the next pass."""
    return as_key(next(filter(None, (getattr(output, n, None) for n in _CACHES)), None))


def as_key(cache: Any) -> Any:
    """The cache, if passes can be known by it: tuples of keys and values are made anew in each."""
    return None if isinstance(cache, (tuple, list)) else cache


def _length(cache: Any) -> int:
    """How many tokens of each prompt a cache holds."""
    if cache is None:
        return 0
    if hasattr(cache, "get_seq_length"):
        return int(cache.get_seq_length())
    return int(cache[0][0].shape[-2])  # keys and values of each layer, as models once returned them


def _real_by_sight(mask: torch.Tensor, before: int) -> torch.Tensor:
    """The mask (prompts, tokens) by (prompts, 1, tokens, columns), or the latter if it is unclear.

    The last token sees those that are real. It is unclear where another real token sees anything
    but the real ones up to itself, as with a window. What padding sees is not asked.
    """
    added = mask.is_floating_point() and bool((mask <= 0).all())  # to scores
    sees = (mask == 0 if added else mask != 0)[:, 0]
    tokens, columns = sees.shape[1:]
    if not 0 < tokens <= columns - before or mask.shape[1] != 1:
        return mask
    real = sees[:, -1]
    column = torch.arange(columns, device=mask.device)
    earlier = column <= before + column[:tokens, None]
    others = (sees != real[:, None] & earlier).any(dim=2)
    own = real[:, before : before + tokens]
    return mask if bool((others & own).any()) else real[:, : before + tokens]


def configured_ends(modules: Iterable[torch.nn.Module]) -> Ends:
    """The tokens that end a row of `generate`, and that fill it up, as models say."""
    owners = list(modules)
    final, padding = _configured(owners, "eos_token_id"), _configured(owners, "pad_token_id")
    return Ends(final, padding)


def _configured(modules: Iterable[torch.nn.Module], name: str) -> Set[int]:
    found: set[int] = set()
    for module in modules:
        for settings in ("generation_config", "config"):
            one = getattr(getattr(module, settings, None), name, None)
            several = one if isinstance(one, (list, tuple)) else [one]
            found.update(each for each in several if isinstance(each, int))
    return found

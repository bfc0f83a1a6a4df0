"""From what a layer returns for the tokens of prompts to rows: one a prompt, or one a token."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from eigentropy.torch.tokens.masks import check_each_has_one, real_tokens

TOKEN_POOLINGS = ("mean", "last", "first", "tokens")
NORMALIZATIONS = ("none", "l2", "layer")

# Names of poolings that once were, and what takes their place.
RENAMED = {"cls": "first"}

# A token that is shorter has no direction to speak of; float32 holds it.
_TINY = 1e-12


@dataclass(frozen=True)
class TokenRows:
    """Rows of the prompts of a batch.

    Attributes
    ----------
    rows : tensor (m, d)
        In the order of the prompts, and of the tokens in each prompt.
    prompts : tensor of int (m,)
        Which prompt of the batch each row is of.
    positions : tensor of int (m,)
        Which of the kept tokens of its prompt each row is, from 0; 0 for means.
    """

    rows: torch.Tensor
    prompts: torch.Tensor
    positions: torch.Tensor


def token_rows(
    states: torch.Tensor, kept: torch.Tensor, pooling: str, normalize: str = "none"
) -> TokenRows:
    """Rows of the kept tokens of states; what is not kept has no influence, even if it is NaN.

    Parameters
    ----------
    states : tensor (prompts, tokens, d)
        Also nested ones, whose tokens stand at the beginning of the columns of `kept`.
    kept : tensor of bool (prompts, tokens)
        At least one in each prompt: see `kept_tokens`.
    pooling : {"mean", "last", "first", "tokens"}
        The mean over the kept tokens of each prompt, their last, their first, or all of them.
    normalize : {"none", "l2", "layer"}
        Of each token, before pooling: divided by its length, or to mean 0 and variance 1 over its
        features. A token of length or variance 0 becomes 0.

    Returns
    -------
    TokenRows
        In float32; of states in float64, and of integers, in float64.

    Raises
    ------
    TypeError
        The states are complex.
    ValueError
        They are not (prompts, tokens, d), `kept` has another shape, or an unknown name.
    """
    check_pooling(pooling)
    check_normalize(normalize)
    states, real = real_tokens(states)
    if states.is_complex():
        raise TypeError(
            f"the states are complex ({states.dtype}): torch.view_as_real(states).flatten(-2) "
            "makes real and imaginary parts features of their own"
        )
    if states.ndim != 3 or kept.shape != states.shape[:2]:
        raise ValueError(
            f"states must be (prompts, tokens, d), and kept (prompts, tokens), got shapes "
            f"{tuple(states.shape)} and {tuple(kept.shape)}"
        )
    kept = kept.to(states.device)
    if real is not None:
        kept = kept & real
        check_each_has_one(kept, real)
    ranks = kept.cumsum(dim=1)  # from 1
    numbers = ranks[:, -1:]
    if pooling == "mean":
        tokens = normalized(as_floats(states), normalize).masked_fill(~kept[..., None], 0.0)
        prompts = torch.arange(len(kept), device=kept.device)
        return TokenRows(tokens.sum(dim=1) / numbers, prompts, torch.zeros_like(prompts))
    if pooling == "first":
        kept = kept & (ranks == 1)
    elif pooling == "last":
        kept = kept & (ranks == numbers)
    return TokenRows(
        normalized(as_floats(states[kept]), normalize), kept.nonzero()[:, 0], ranks[kept] - 1
    )


def normalized(tokens: torch.Tensor, how: str) -> torch.Tensor:
    """Tokens (..., d), each by itself; see `token_rows`."""
    if how == "l2":
        return torch.nn.functional.normalize(tokens, dim=-1, eps=_TINY)
    if how == "layer":
        centred = tokens - tokens.mean(dim=-1, keepdim=True)
        # What rounding leaves of equal features is no variance.
        rounding = 4.0 * torch.finfo(tokens.dtype).eps * tokens.norm(dim=-1, keepdim=True)
        equal = centred.norm(dim=-1, keepdim=True) <= rounding
        unit = torch.nn.functional.normalize(centred.masked_fill(equal, 0.0), dim=-1, eps=_TINY)
        return unit * math.sqrt(tokens.shape[-1])
    return tokens


def check_pooling(pooling: object, known: Sequence[str] = TOKEN_POOLINGS) -> None:
    """Refuse what is no name of a pooling, and say what a former name has become.

    Raises
    ------
    ValueError
        It is none of those that are known, by default those of tokens.
    """
    if pooling not in known:
        names = ", ".join(map(repr, known))
        new = RENAMED.get(pooling) if isinstance(pooling, str) else None
        advice = f"; {pooling!r} is now called {new!r}" if new else ""
        raise ValueError(f"pooling must be one of {names}, got {pooling!r}{advice}")


def check_normalize(normalize: object) -> None:
    """Refuse what is no name of a normalisation.

    Raises
    ------
    ValueError
        It is another one.
    """
    if normalize not in NORMALIZATIONS:
        names = ", ".join(map(repr, NORMALIZATIONS))
        raise ValueError(f"normalize must be one of {names}, got {normalize!r}")


def as_floats(states: torch.Tensor) -> torch.Tensor:
    """In float32; float64 stays, and integers become float64."""
    if states.dtype == torch.float64:
        return states
    return states.float() if states.is_floating_point() else states.double()

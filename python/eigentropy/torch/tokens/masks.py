"""Which tokens of a batch are real, as the model's call says, and which of them are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch

from eigentropy._backends.libraries import is_masked_tensor

NAME = "attention_mask"  # what models of transformers call the mask of their tokens

REMEDY = "give mask=, the name of an argument of the model or a function of its arguments"


class Remedies(NamedTuple):
    """What to do about a mask, in the words of who takes it; "{}" is the name of the mask.

    Attributes
    ----------
    shape : str
        About one of another shape.
    sign : str
        About one that is added to scores.
    """

    shape: str
    sign: str


# Of a mask that is a tensor, and of one that is found in the call of a model.
GIVEN = Remedies(
    "pass one that is (prompts, tokens) as the states are, or none where all tokens are real",
    "{} == 0 turns such a mask round",
)
CALLED = Remedies(REMEDY, "mask=lambda call: call[{!r}] == 0 turns such a mask round")


class NoTokenError(ValueError):
    """Nothing is kept of a prompt."""


def argument(name: str, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """The argument of a call by its name, perhaps in a mapping among the arguments; or None."""
    for mapping in (keywords, *(one for one in arguments if isinstance(one, Mapping))):
        if mapping.get(name) is not None:
            return mapping[name]
    return None


def mask_of_call(
    arguments: Sequence[Any], keywords: Mapping[str, Any], remedies: Remedies = GIVEN
) -> torch.Tensor | None:
    """The argument "attention_mask" of a model's call, of shape (prompts, tokens), if it has one.

    It is looked for among the keywords, and in the mappings among the other arguments, as where a
    model takes its batch as one dictionary.

    Raises
    ------
    ValueError
        It is not (prompts, tokens), such as one that says for each token which others it sees.
    """
    found = argument(NAME, arguments, keywords)
    return None if found is None else checked_mask(found, NAME, remedies)


def checked_mask(mask: Any, name: str = "mask", remedies: Remedies = GIVEN) -> torch.Tensor:
    """A mask as a tensor (prompts, tokens).

    Raises
    ------
    TypeError, ValueError
        It is something else.
    """
    if not isinstance(mask, torch.Tensor):
        raise TypeError(f"{name} must be a tensor (prompts, tokens), got {type(mask).__name__}")
    if mask.ndim != 2:
        raise ValueError(
            f"{name} must be (prompts, tokens), true where a token is real, got shape "
            f"{tuple(mask.shape)}; {remedies.shape}"
        )
    if mask.dtype != torch.bool and not bool((mask >= 0).all()):
        raise ValueError(
            f"{name} has entries below 0 or NaN, as a mask that is added to scores has where a "
            "token is not real: it must be true, or not 0, where a token is real; "
            f"{remedies.sign.format(name)}"
        )
    return mask


def kept_tokens(
    mask: torch.Tensor | None,
    shape: tuple[int, int],
    drop_first: int = 0,
    *,
    device: torch.device | str | None = None,
    cached: bool = False,
    remedies: Remedies = GIVEN,
    numbers: Sequence[int] | None = None,
) -> torch.Tensor:
    """Which tokens of states (prompts, tokens, d) are kept: real, and not among the first ones.

    Parameters
    ----------
    mask : tensor (prompts, tokens) or None
        True, or not 0, where a token is real; all are without one.
    shape : (prompts, tokens)
        Of the states.
    drop_first : int
        This many real tokens at the beginning of each prompt are not kept.
    device : optional
        Where the result is to lie; by default where the mask lies.
    cached : bool
        Whether the states may be a step of generation, whose mask grows with the cache: of a mask
        that is longer than the states the last columns count.
    remedies : Remedies
        Of messages.
    numbers : sequence of int, optional
        Of the prompts, by which messages name them; by default they are counted in the batch.

    Returns
    -------
    tensor of bool (prompts, tokens)

    Raises
    ------
    ValueError
        The mask has another shape, or nothing is kept of a prompt, which is a `NoTokenError`.
    """
    real = real_of(mask, shape, device=device, cached=cached, remedies=remedies)
    kept = real & (real.cumsum(dim=1) > drop_first) if drop_first else real
    kept = kept[:, real.shape[1] - shape[1] :]
    check_each_has_one(kept, real, drop_first, numbers)
    return kept


def real_of(
    mask: torch.Tensor | None,
    shape: tuple[int, int],
    *,
    device: torch.device | str | None = None,
    cached: bool = False,
    remedies: Remedies = GIVEN,
) -> torch.Tensor:
    """Which tokens are real by a mask of the states' shape, or longer with a cache."""
    prompts, tokens = shape
    if mask is None:
        return torch.ones(prompts, tokens, dtype=torch.bool, device=device)
    real = checked_mask(mask, remedies=remedies).detach().to(device=device) != 0
    columns = real.shape[1]
    if real.shape[0] != prompts or columns < tokens or (columns > tokens and not cached):
        raise ValueError(
            f"the mask has shape {tuple(real.shape)}, the states have {prompts} prompts of "
            f"{tokens} tokens; {remedies.shape}"
        )
    return real


def check_each_has_one(
    kept: torch.Tensor,
    real: torch.Tensor,
    drop_first: int = 0,
    numbers: Sequence[int] | None = None,
) -> None:
    """Refuse prompts of which no token is kept."""
    empty = (~kept.any(dim=1)).nonzero().flatten().tolist()
    if empty:
        first = empty[0]
        share = f"{len(empty)} of {len(kept)} prompts"
        which = f"{first} of the batch ({share})"
        if numbers is not None:
            which = f"{numbers[first]} ({share} of its batch)"
        raise NoTokenError(
            f"no token is kept of prompt {which}: it has {int(real[first].sum())} real tokens, and "
            f"drop_first={drop_first}; leave empty prompts out, or use a smaller drop_first"
        )


def real_tokens(states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
    """States as a plain tensor (prompts, tokens, d), and which tokens they themselves say are real.

    Nested states are padded on the right. Of a MaskedTensor a token is real if none of its entries
    is masked, and must not be masked in part. Plain states say nothing: None.
    """
    if states.is_nested:
        parts = states.unbind()
        lengths = torch.tensor([len(part) for part in parts], device=states.device)
        padded = torch.nn.utils.rnn.pad_sequence(list(parts), batch_first=True)
        places = torch.arange(padded.shape[1], device=states.device)
        return padded, places < lengths[:, None]
    if is_masked_tensor(states):
        masked: Any = states
        entries = masked.get_mask()
        real = entries.all(dim=-1)
        partly = int((entries.any(dim=-1) & ~real).sum())
        if partly:
            raise ValueError(
                f"{partly} tokens are masked in some of their features, not in all: fill them, as "
                "z.to_tensor(0.0) does"
            )
        return masked.get_data(), real
    return states, None

"""What a layer returns as rows, one a sample or one a token, and why that cannot be."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from eigentropy._backends.libraries import is_masked_tensor
from eigentropy._support import memory
from eigentropy._support.options import integer
from eigentropy.torch.tokens.calls import CallMask, MaskOption, checked_option
from eigentropy.torch.tokens.pooling import (
    TOKEN_POOLINGS,
    as_floats,
    check_normalize,
    check_pooling,
    token_rows,
)

POOLINGS = ("flatten", *TOKEN_POOLINGS)

# What is said of a layer that has no values because of what it returns.
UNUSABLE = "is not measured"

REMEDY = "give pooling= a function that makes it one row a sample, or leave it out of layers"

Pooling = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class RowRule:
    """How what a layer returns becomes rows: the arguments of `Monitor` of these names.

    Raises
    ------
    ValueError, TypeError
        One of them cannot be, or is without effect.
    """

    pooling: str | Pooling = "flatten"
    mask: MaskOption = None
    drop_first: int = 0
    normalize: str = "none"

    def __post_init__(self) -> None:
        """Check the arguments."""
        if not callable(self.pooling):
            check_pooling(self.pooling, POOLINGS)
        checked_option(self.mask)
        integer(self.drop_first, "drop_first", at_least=0)
        check_normalize(self.normalize)
        given = {"mask": self.mask, "drop_first": self.drop_first or None}
        given["normalize"] = None if self.normalize == "none" else self.normalize
        for name, value in given.items():
            if value is not None and not self.of_tokens:
                raise ValueError(
                    f"{name}={value!r} is without effect: it is about tokens, which "
                    f"pooling={self.name!r} does not know; give pooling='mean', 'last', 'first' or "
                    "'tokens'"
                )

    def check(self, sampling: object = False, units: object = False) -> None:
        """Refuse options of a monitor that are not for rows of single tokens.

        Raises
        ------
        ValueError
            There is one.
        """
        why = {
            "sampling": (sampling, "takes rows for independent, and those of a sample are not"),
            "units": (units, "are of samples, and a sample has several rows"),
        }
        for name, (wanted, reason) in why.items():
            if wanted and self.each_token:
                raise ValueError(
                    f"pooling='tokens' with {name}, which {reason}: leave one of them out, or take "
                    "one row a sample, as pooling='mean' does"
                )

    @property
    def of_tokens(self) -> bool:
        """Whether it asks which tokens are kept."""
        return self.pooling in TOKEN_POOLINGS

    @property
    def each_token(self) -> bool:
        """Whether a sample has a row for each kept token."""
        return self.pooling == "tokens"

    @property
    def is_flat(self) -> bool:
        """Whether the columns of the rows are all numbers of an activation in their order."""
        return self.pooling == "flatten"

    @property
    def name(self) -> str:
        """Of the pooling, for a message or a recording."""
        if isinstance(self.pooling, str):
            return self.pooling
        return str(getattr(self.pooling, "__qualname__", type(self.pooling).__name__))

    def description(self) -> dict[str, Any]:
        """What a recording says of the rows."""
        return {
            "pooling": self.name,
            "drop_first": self.drop_first,
            "normalize": self.normalize,
        }


class LayerRows(NamedTuple):
    """The rows of a layer in one pass.

    Attributes
    ----------
    rows : tensor (m, d)
    size : int
        Number of samples.
    tokens : int or None
        How many tokens of these are kept; None where the layer has no tokens.
    prompts, positions : tensors of int (m,), or None
        Of each row, where there is one for each token: see `TokenRows`.
    """

    rows: torch.Tensor
    size: int
    tokens: int | None = None
    prompts: torch.Tensor | None = None
    positions: torch.Tensor | None = None


class NoRows(Exception):  # noqa: N818  (it is no fault of the program, and is caught)
    """What a layer returns cannot be rows; the message says what it is and what to do."""


def reason(error: Exception) -> str:
    """Why a layer is not measured, for a notice."""
    text = str(error) if isinstance(error, NoRows) else f"{type(error).__name__}: {error}; {REMEDY}"
    return f"{UNUSABLE}: {text}"


def uneven(one: int, other: int) -> str:
    """Why a layer is not measured whose rows have different lengths."""
    return reason(
        NoRows(
            f"it gives rows of {one} and of {other} numbers: choose a pooling, such as 'mean', "
            "that makes them equally long"
        )
    )


def activation_of(output: Any) -> torch.Tensor:
    """The first tensor in an output that has a dimension, without graph, in strided memory.

    An LSTM returns its output with its state, a model of transformers a loss before its logits.
    """
    is_plain = isinstance(output, torch.Tensor) and output.ndim > 0
    tensor = output if is_plain else next((t for t in _tensors(output) if t.ndim > 0), None)
    if tensor is None:
        raise NoRows(
            f"it returns {_kind(output)}, in which there is no tensor of samples; {REMEDY}"
        )
    tensor = tensor.detach()
    if tensor.is_quantized:
        return tensor.dequantize()
    if tensor.is_nested or tensor.layout is torch.strided:
        return tensor
    size = float(tensor.numel() * tensor.element_size())
    memory.require(size, f"a dense copy of a tensor of layout {tensor.layout}", REMEDY)
    return tensor.to_dense()


def is_matrix(output: Any) -> bool:
    """Whether an output is rows as it is: floats in strided memory of the host, without graph.

    It reads attributes alone. An operation of PyTorch takes longer, even one that changes nothing,
    where a solver has filled the caches of the processor since the last one.
    """
    return (
        type(output) is torch.Tensor
        and output.ndim == 2
        and output.is_cpu
        and output.dtype in (torch.float32, torch.float64)
        and output.layout is torch.strided
        and not output.is_nested
        and not output.requires_grad
    )


def _tensors(output: Any) -> Iterator[torch.Tensor]:
    if isinstance(output, torch.Tensor):
        yield output
    elif isinstance(output, Mapping):
        yield from _tensors(list(output.values()))
    elif isinstance(output, (tuple, list)):
        for value in output:
            yield from _tensors(value)
    elif dataclasses.is_dataclass(output):
        yield from _tensors(list(vars(output).values()))


def _kind(output: Any) -> str:
    return "one number" if isinstance(output, torch.Tensor) else type(output).__name__


def rows_of(
    activation: torch.Tensor, rule: RowRule, n: int | None, mask: CallMask | None = None
) -> LayerRows:
    """An activation of n samples as rows (m, d), in float32 or float64.

    Parameters
    ----------
    activation : tensor
        A nested one is pooled sample by sample, so that only its real tokens count. Rows that are
        shorter than others are continued by zeros.
    rule : RowRule
    n : int or None
        As many as the activation has, if None.
    mask : CallMask, optional
        Which tokens are real; all of them without it.
    """
    n = activation.size(0) if n is None else n
    if rule.is_flat and is_matrix(activation) and activation.size(0) == n and activation.size(1):
        activation.numpy()  # raises as below
        return LayerRows(activation, n)
    if rule.of_tokens and _has_tokens(activation):
        found = _of_tokens(activation, rule, n, mask or CallMask())
    else:
        found = LayerRows(_of_samples(activation, rule, n), n)
    found.rows[:0].cpu().numpy()  # raises where there are no numbers, as in tensors of a tracer
    return found


def _of_tokens(activation: torch.Tensor, rule: RowRule, n: int, mask: CallMask) -> LayerRows:
    assert isinstance(rule.pooling, str)
    if activation.size(0) != n or activation.size(-1) == 0:
        raise NoRows(f"it gives {_shape(activation)} for a batch of {n}; {REMEDY}")
    try:
        states, kept, tokens = mask.kept(activation, rule.drop_first)
        found = token_rows(states, kept, rule.pooling, rule.normalize)
    except (TypeError, ValueError) as error:
        raise NoRows(str(error)) from error
    if rule.each_token:
        return LayerRows(found.rows, n, tokens, found.prompts, found.positions)
    return LayerRows(found.rows, n, tokens)


def _of_samples(activation: torch.Tensor, rule: RowRule, n: int) -> torch.Tensor:
    pooling = _pooling_without_tokens(rule, activation)
    rows = _each(activation, pooling) if activation.is_nested else pooling(activation)
    right = isinstance(rows, torch.Tensor) and rows.ndim == 2 and len(rows) == n
    if not right or rows.shape[1] == 0:
        made = tuple(rows.shape) if isinstance(rows, torch.Tensor) else type(rows).__name__
        raise NoRows(
            f"it gives {_shape(activation)}, which pooling makes {made}, for a batch of {n}; "
            f"{REMEDY}"
        )
    if rows.is_complex():
        raise NoRows(
            f"it is complex ({rows.dtype}): pooling=lambda z: torch.view_as_real(z).flatten(1) "
            "measures real and imaginary parts"
        )
    return as_floats(_unmasked(rows) if is_masked_tensor(rows) else rows)


def _pooling_without_tokens(rule: RowRule, activation: torch.Tensor) -> Pooling:
    """The pooling of what has no tokens, such as maps of a picture."""
    if not isinstance(rule.pooling, str):
        return rule.pooling
    if rule.pooling == "flatten":
        return _flatten
    if rule.pooling == "mean" and rule.drop_first == 0 and rule.normalize == "none":
        return _mean
    raise NoRows(
        f"it gives {_shape(activation)}, and pooling={rule.pooling!r} with drop_first="
        f"{rule.drop_first}, normalize={rule.normalize!r} takes tokens (n, tokens, d); {REMEDY}"
    )


def _has_tokens(activation: torch.Tensor) -> bool:
    return activation.ndim == 3


def _unmasked(rows: Any) -> torch.Tensor:
    """The entries of a MaskedTensor, of which none is masked."""
    masked = int((~rows.get_mask()).sum())
    if masked:
        raise NoRows(
            f"{masked} of its {rows.numel()} entries are masked: "
            "pooling=lambda z: z.to_tensor(0.0).flatten(1) fills them"
        )
    plain: torch.Tensor = rows.get_data()
    return plain


def _shape(activation: torch.Tensor) -> str:
    return "a nested tensor" if activation.is_nested else str(tuple(activation.shape))


def _each(activation: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    rows = [pooling(sample[None]) for sample in activation.unbind()]
    wide = max(row.shape[1] for row in rows)
    return torch.cat([torch.nn.functional.pad(row, (0, wide - row.shape[1])) for row in rows])


def _flatten(activation: torch.Tensor) -> torch.Tensor:
    return activation.flatten(1) if activation.ndim > 1 else activation[:, None]


def _mean(activation: torch.Tensor) -> torch.Tensor:
    """Over positions of (n, channels, ...)."""
    return activation.flatten(2).mean(dim=2) if activation.ndim > 3 else _flatten(activation)

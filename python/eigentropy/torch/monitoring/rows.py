"""What a layer returns as one row a sample, and why that cannot be."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from eigentropy._backends.libraries import is_masked_tensor
from eigentropy._support import memory

POOLINGS = ("flatten", "mean", "cls")

# What is said of a layer that has no values because of what it returns.
UNUSABLE = "is not measured"

REMEDY = "give pooling= a function that makes it one row a sample, or leave it out of layers"

Pooling = Callable[[torch.Tensor], torch.Tensor]


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


def checked_pooling(pooling: str | Pooling) -> Pooling:
    """The function behind the argument `pooling`."""
    if callable(pooling):
        return pooling
    if pooling not in POOLINGS:
        names = ", ".join(repr(name) for name in POOLINGS)
        raise ValueError(f"pooling must be one of {names} or a callable, got {pooling!r}")
    return {"flatten": _flatten, "mean": _mean, "cls": _first_token}[pooling]


def activation_of(output: Any) -> torch.Tensor:
    """The first tensor in an output that has a dimension, without graph, in strided memory.

    An LSTM returns its output with its state, a model of transformers a loss before its logits.
    """
    tensor = next((t for t in _tensors(output) if t.ndim > 0), None)
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


def rows_of(activation: torch.Tensor, pooling: Pooling, n: int | None) -> torch.Tensor:
    """An activation of n samples as (n, d), in float32 or float64.

    Parameters
    ----------
    activation : tensor
        A nested one is pooled sample by sample, so that only its real tokens count. Rows that are
        shorter than others are continued by zeros.
    pooling : callable
    n : int or None
        As many as the activation has, if None.
    """
    n = activation.size(0) if n is None else n
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
    if is_masked_tensor(rows):
        rows = _unmasked(rows)
    if rows.dtype not in (torch.float32, torch.float64):
        rows = rows.float() if rows.is_floating_point() else rows.double()
    rows[:0].cpu().numpy()  # raises where there are no numbers, as in tensors of a tracer
    return rows


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
    """Over tokens of (n, tokens, d), over positions of (n, channels, ...)."""
    if activation.ndim == 3:
        return activation.mean(dim=1)
    if activation.ndim > 3:
        return activation.flatten(2).mean(dim=2)
    return _flatten(activation)


def _first_token(activation: torch.Tensor) -> torch.Tensor:
    if activation.ndim != 3:
        raise NoRows(
            f"pooling='cls' takes the first token of (n, tokens, d), got {tuple(activation.shape)}"
        )
    return activation[:, 0]

"""Samples and labels out of batches, such as those of a DataLoader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch

from eigentropy._support import memory
from eigentropy.torch.monitoring import inputs
from eigentropy.torch.monitoring.padding import to_one_width
from eigentropy.torch.monitoring.samples import Array, as_labels
from eigentropy.torch.monitoring.undisturbed import same_random_numbers

# Labels are looked for under these keys, in this order.
KEYS = ("labels", "label", "y")

ADVICE = (
    "give pairs of samples and labels, as in Probe((b[0], b[1]) for b in loader), or Probe(x, y)"
)

_WIDTHS = (
    "batches of different widths are padded if they are dictionaries, and what differs is as wide "
    "as its 'attention_mask': otherwise pad all to one width, as padding='max_length' does"
)


def labels_of(batch: Any) -> Any:
    """What a mapping has under one of `KEYS`, or the last of several entries; None without."""
    if isinstance(batch, Mapping):
        return next((batch[key] for key in KEYS if batch.get(key) is not None), None)
    return batch[-1] if isinstance(batch, (tuple, list)) and len(batch) > 1 else None


def is_loader(x: Any) -> bool:
    """Whether x gives batches of samples, rather than being samples."""
    samples = isinstance(x, (Mapping, tuple, list, str, bytes, torch.Tensor)) or hasattr(x, "shape")
    return isinstance(x, Iterable) and not samples


class FirstSamples(NamedTuple):
    """Samples of a loader.

    Attributes
    ----------
    x : tensor, array, or a tuple, list or dictionary of these
    y : array or None
    left_out : tuple of int or None
        The shape of labels that are not of samples, but of their tokens.
    """

    x: Any
    y: Array | None = None
    left_out: tuple[int, ...] | None = None


def first_samples(loader: Iterable[Any], most: int | None) -> FirstSamples:
    """The first samples of a loader, at most `most`, and their labels if the batches have some.

    Raises
    ------
    ValueError
        There are no batches, or it is not clear which of their entries are labels.
    MemoryError
        The samples do not fit.
    """
    parts: list[FirstSamples] = []
    n, size = 0, 0.0
    with _untouched(loader):
        for batch in loader:
            part = _split(batch)
            leaves = inputs.leaves(part.x)
            if not leaves:
                raise ValueError(
                    f"probe: a batch of the loader has labels and no samples; {ADVICE}"
                )
            parts.append(part)
            n += len(leaves[0])
            size += sum(leaf.nbytes for leaf in leaves)
            memory.require(size, f"a probe of {n} samples of a loader", "use a smaller max_points")
            if most is not None and n >= most:
                break
    if not parts:
        raise ValueError("probe is a loader without batches: it must have at least one sample")
    try:
        together = inputs.concatenated(to_one_width([part.x for part in parts]))
    except (ValueError, RuntimeError, KeyError) as error:
        raise ValueError(
            f"probe: the batches of the loader do not fit together: {error}; {_WIDTHS}"
        ) from error
    known = [part.y for part in parts if part.y is not None]
    labels = np.concatenate(known)[:most] if len(known) == len(parts) else None
    left_out = next((part.left_out for part in parts if part.left_out is not None), None)
    return FirstSamples(inputs.part(together, slice(most)), labels, left_out)


def _split(batch: Any) -> FirstSamples:
    """The samples of a batch as the model takes them, and their labels, one for each."""
    if isinstance(batch, (tuple, list)) and len(batch) > 2:
        raise ValueError(f"probe: the batches of the loader have {len(batch)} entries; {ADVICE}")
    labels = as_labels(labels_of(batch))
    if isinstance(batch, Mapping):
        x: Any = {key: value for key, value in batch.items() if key not in KEYS}
    else:
        x = batch[0] if isinstance(batch, (tuple, list)) else batch
    if labels is None:
        return FirstSamples(x)
    if labels.size == len(labels):
        return FirstSamples(x, labels.reshape(-1))
    if _are_tokens(labels) and any(map(_are_tokens, inputs.leaves(x))):
        return FirstSamples(x, left_out=labels.shape)
    raise ValueError(  # such as a second picture
        f"probe: labels in a batch of the loader would be of shape {labels.shape}; {ADVICE}"
    )


def _are_tokens(leaf: Any) -> bool:
    """Whether it may be the numbers of tokens, or a class for each of them."""
    if len(leaf.shape) != 2:
        return False
    if isinstance(leaf, torch.Tensor):
        return leaf.dtype in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
    return bool(leaf.dtype.kind in "iu")


@contextmanager
def _untouched(loader: Any) -> Iterator[None]:
    """The loop draws the same random numbers as without the pass over the loader."""
    owners = (loader, getattr(loader, "sampler", None))
    generators = [getattr(owner, "generator", None) for owner in owners]
    states = [(g, g.get_state()) for g in generators if isinstance(g, torch.Generator)]
    try:
        with same_random_numbers(_devices_in_use()):
            yield
    finally:
        for generator, state in states:
            generator.set_state(state)


def _devices_in_use() -> list[torch.device]:
    """The GPUs, unless none is in use: the workers of a loader cannot fork after that."""
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return []
    return [torch.device("cuda", index) for index in range(torch.cuda.device_count())]

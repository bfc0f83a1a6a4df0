"""Samples and labels out of batches, such as those of a DataLoader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from eigentropy._support import memory
from eigentropy.torch.monitoring import inputs
from eigentropy.torch.monitoring.samples import Array, as_labels
from eigentropy.torch.monitoring.undisturbed import same_random_numbers

# Labels are looked for under these keys, in this order.
KEYS = ("labels", "label", "y")

ADVICE = (
    "give pairs of samples and labels, as in Probe((b[0], b[1]) for b in loader), or Probe(x, y)"
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


def first_samples(loader: Iterable[Any], most: int | None) -> tuple[Any, Array | None]:
    """The first samples of a loader, at most `most`, and their labels if the batches have some.

    Raises
    ------
    ValueError
        There are no batches, or it is not clear which of their entries are labels.
    MemoryError
        The samples do not fit.
    """
    parts, labels, n, size = [], [], 0, 0.0
    with _untouched(loader):
        for batch in loader:
            x, y = _split(batch)
            leaves = inputs.leaves(x)
            if not leaves:
                raise ValueError(
                    f"probe: a batch of the loader has labels and no samples; {ADVICE}"
                )
            parts.append(x)
            labels.append(y)
            n += len(leaves[0])
            size += sum(leaf.nbytes for leaf in leaves)
            memory.require(size, f"a probe of {n} samples of a loader", "use a smaller max_points")
            if most is not None and n >= most:
                break
    if not parts:
        raise ValueError("probe is a loader without batches: it must have at least one sample")
    try:
        together = inputs.part(inputs.concatenated(parts), slice(most))
    except (ValueError, RuntimeError, KeyError) as error:
        raise ValueError(
            f"probe: the batches of the loader do not fit together: {error}"
        ) from error
    known = [y for y in labels if y is not None]
    return together, np.concatenate(known)[:most] if len(known) == len(parts) else None


def _split(batch: Any) -> tuple[Any, Array | None]:
    """The samples of a batch as the model takes them, and their labels, one for each."""
    if isinstance(batch, (tuple, list)) and len(batch) > 2:
        raise ValueError(f"probe: the batches of the loader have {len(batch)} entries; {ADVICE}")
    labels = as_labels(labels_of(batch))
    if labels is not None:
        if labels.size != len(labels):  # such as a second picture, or a class for each token
            raise ValueError(
                f"probe: labels in a batch of the loader would be of shape {labels.shape}; {ADVICE}"
            )
        labels = labels.reshape(-1)
    if isinstance(batch, Mapping):
        return {key: value for key, value in batch.items() if key not in KEYS}, labels
    return batch[0] if isinstance(batch, (tuple, list)) else batch, labels


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

"""Rows on their way from a GPU to the host, for which the training does not wait."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial

import torch

from eigentropy.torch.monitoring.samples import Array
from eigentropy.torch.monitoring.where import Rows


class Transfer:
    """Copies of the rows of layers on the host, into memory that a GPU writes to by itself.

    A copy is queued behind what the caller has queued on the GPU, in a stream of its own, so that
    neither the caller nor the next step of the training waits for it.

    Parameters
    ----------
    rows : mapping of str to array or tensor
        Those on the host are taken as they are.
    """

    def __init__(self, rows: Mapping[str, Rows]) -> None:
        self._arriving = {
            name: copied(one) if isinstance(one, torch.Tensor) else partial(_as_is, one)
            for name, one in rows.items()
        }

    def arrived(self) -> dict[str, Rows]:
        """The rows on the host, once they are there; on whatever thread, and once."""
        return {name: self._arriving.pop(name)() for name in list(self._arriving)}


def _as_is(rows: Array) -> Array:
    return rows


def copied(rows: torch.Tensor) -> Callable[[], Array]:
    """Begin to copy rows of a GPU; what is returned waits for the copy and gives it."""
    device = rows.device
    stream = _stream(device.index or 0)
    stream.wait_stream(torch.cuda.current_stream(device))
    host = pinned(rows)
    with torch.cuda.stream(stream):
        host.copy_(rows, non_blocking=True)
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(stream)
    rows.record_stream(stream)  # its memory is not given to others before it has been read

    def arrived() -> Array:
        event.synchronize()
        found: Array = host.numpy()
        return found

    return arrived


def pinned(rows: torch.Tensor) -> torch.Tensor:
    """Room for these rows on the host, which a GPU can write to while the host goes on."""
    return torch.empty(rows.shape, dtype=rows.dtype, device="cpu", pin_memory=True)


@cache
def _stream(index: int) -> torch.cuda.Stream:
    """The stream of all copies from a GPU."""
    return torch.cuda.Stream(index)  # type: ignore[no-untyped-call]

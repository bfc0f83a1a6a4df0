"""Where a monitor keeps the rows of layers: on the GPU that the layers compute on, or on the host.

Rows are a NumPy array on the host, or a tensor on a GPU. What needs the host, such as labels,
numbers of samples, clusters, alarms and recordings, copies only what it needs.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import torch

from eigentropy import _core
from eigentropy._backends import plugin
from eigentropy._backends.devices import parse
from eigentropy._backends.rows import Rows as HostRows
from eigentropy._support import memory
from eigentropy.torch.devices import lies_on_gpu, refusal
from eigentropy.torch.monitoring.samples import Array, Numbers, chosen_rows

# An array on the host, or a tensor on a GPU.
Rows: TypeAlias = Any

COPIED = "lies on {device}, and its rows are copied to the host to be measured there: {why}; {how}"
HOW = "device='cpu' says that this is meant"


class Where:
    """Decides where rows are kept, and keeps them there.

    Parameters
    ----------
    device : None or "cpu"
        None keeps rows on the GPU that they lie on, if the plug-in for it is there. What lies
        anywhere else is copied to the host.
    waits : bool
        Whether rows on a GPU stay there until they are copied to the host all together, plug-in or
        not: see `Transfer`.

    Attributes
    ----------
    waits : bool
    refused : str or None
        Why rows on a GPU are copied although the caller has not asked for it.
    """

    def __init__(self, device: Any = None, waits: bool = False) -> None:
        kind, _ = parse(device)
        if kind not in (None, "cpu"):
            raise ValueError(
                f"device must be None, which measures where the layers compute, or 'cpu', got "
                f"{device!r}: bring the model to that device"
            )
        self._on_host, self.waits = kind == "cpu" and not waits, waits
        self._asked: dict[torch.device, bool] = {}
        self.refused: str | None = None

    def stays(self, rows: torch.Tensor) -> bool:
        """Whether rows are kept on the GPU that they lie on."""
        if self._on_host or not lies_on_gpu(rows):
            return False
        if self.waits:
            return True
        if rows.device not in self._asked:
            why = refusal(rows)
            self._asked[rows.device] = why is None
            if why is not None:
                self.refused = COPIED.format(device=rows.device, why=why, how=HOW)
        return self._asked[rows.device]

    def kept(self, rows: torch.Tensor, which: Numbers | None = None) -> Rows:
        """A copy of some rows, or of all: the next module may work in place."""
        if which is not None:
            return self.placed(chosen_rows(rows, which))
        if type(rows) is torch.Tensor and rows.is_cpu:  # the name of a device takes longer to read
            return rows.clone().numpy()
        stays = self.stays(rows)
        copy = rows.clone() if stays or rows.device.type == "cpu" else rows
        return copy if stays else on_host(copy)

    def placed(self, rows: torch.Tensor) -> Rows:
        """Rows that nobody else works with, where they are kept."""
        return rows if self.stays(rows) else on_host(rows)


def put(rows: Rows, slots: Numbers, part: Rows) -> None:
    """Write some rows into these places."""
    rows[torch.from_numpy(slots) if isinstance(rows, torch.Tensor) else slots] = part


def room(n: int, like: Rows) -> Rows:
    """Room for n rows beside these, of zeros."""
    if isinstance(like, torch.Tensor):
        return like.new_zeros((n, like.shape[1]))
    return np.zeros((n, like.shape[1]), like.dtype)


def lies_in_order(rows: Rows) -> bool:
    """Whether the rows lie one after the other, without anything between them."""
    if isinstance(rows, torch.Tensor):
        return rows.is_contiguous()
    return bool(rows.flags.c_contiguous)


def is_double(rows: Rows) -> bool:
    """Whether they are in float64."""
    return str(rows.dtype).removeprefix("torch.") == "float64"


def all_finite(rows: Rows) -> bool:
    """Whether no entry is NaN or infinite."""
    if isinstance(rows, torch.Tensor):
        return bool(torch.isfinite(rows).all())
    return bool(_core.nonfinite_rows(rows)[0] == 0)


def looked_at(rows: Rows) -> Any:
    """Rows for a measurement that `all_finite` has found to be finite.

    Those on the host, a matrix of floats (n, d) whose rows lie in order, are not checked again.
    """
    return HostRows(rows) if isinstance(rows, np.ndarray) and lies_in_order(rows) else rows


def on_host(rows: Rows) -> Array:
    """The rows as an array; a copy of what lies on a GPU."""
    found: Array = rows.cpu().numpy() if isinstance(rows, torch.Tensor) else rows
    return found


def require_room(size: float, like: Rows, what: str, remedy: str) -> None:
    """Refuse what does not fit into the memory that these rows lie in.

    Raises
    ------
    MemoryError
        It does not.
    """
    memory.require(size, what, remedy, free=_free(like))


def _free(like: Rows) -> float | None:
    """Bytes that are free on the GPU, with what PyTorch keeps for later; None on the host."""
    if not isinstance(like, torch.Tensor):
        return None
    if refusal(like) is not None:
        return math.inf  # PyTorch itself refuses what does not fit
    index = like.device.index or 0
    kept = torch.cuda.memory_reserved(index) - torch.cuda.memory_allocated(index)
    return float(plugin.core().memory(index)[0]) + kept

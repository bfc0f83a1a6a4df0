"""What the processes of torch.distributed have, brought together where it is needed.

All processes must make the same calls. A process that fails sends its error instead of what it was
to send, so that the others do not wait for it. A process that is lost is noticed by the process
group, at its timeout at the latest.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from eigentropy.torch.monitoring.samples import Array, Numbers, Samples, distinct
from eigentropy.torch.monitoring.where import Rows, Where, is_double

_AVAILABLE: bool = torch.distributed.is_available()

Result = TypeVar("Result")
Further = TypeVar("Further")


def is_distributed() -> bool:
    """Whether there is a process group."""
    return _AVAILABLE and torch.distributed.is_initialized()


def rank() -> int:
    """The number of this process; 0 where there is no group."""
    return int(torch.distributed.get_rank()) if is_distributed() else 0


def world_size() -> int:
    """How many processes there are; 1 where there is no group."""
    return int(torch.distributed.get_world_size()) if is_distributed() else 1


@dataclass(frozen=True)
class Gathered(Generic[Further]):
    """The samples of all processes, in the order of their ranks, before any row is sent.

    Attributes
    ----------
    columns : dict of str to int
        How long the rows of each layer are, in the order of the layers. Layers that have not run in
        some process are left out.
    numbers : array of int
        Of all samples.
    labels : array or None
        Of all samples; None where a process with samples has none.
    counts : list of int
        The number of samples of each process.
    further : list
        What each process has sent beside its samples.
    """

    columns: dict[str, int]
    numbers: Numbers
    labels: Array | None
    counts: list[int]
    further: list[Further]
    _mine: Samples
    _dtype: torch.dtype
    _where: Where

    def distinct(self, most: int, seed: int) -> npt.NDArray[Any] | None:
        """The rows of `Samples.distinct`; None for all."""
        return distinct(self.numbers, most, seed)

    def rows(self, name: str, processes: Iterable[int]) -> Rows | None:
        """The rows of a layer, of all samples, in these processes; None in the others.

        Call it once for a layer: a process forgets its own rows when it has sent them.
        A process with fewer rows than another one sends zeros for the missing rows.
        """
        mine = self._mine.rows.pop(name, None)  # its memory is free afterwards
        shape = max(self.counts), self.columns[name]
        padded = torch.zeros(shape, dtype=self._dtype, device=_device())
        if mine is not None:  # from wherever it lies
            here = mine if isinstance(mine, torch.Tensor) else torch.from_numpy(mine)
            padded[: len(mine)] = here
        found = [self._rows_in(process, padded) for process in sorted(set(processes))]
        return next((rows for rows in found if rows is not None), None)

    def _rows_in(self, process: int, padded: torch.Tensor) -> Rows | None:
        is_there = rank() == process
        everyones = [torch.empty_like(padded) for _ in self.counts] if is_there else None
        torch.distributed.gather(padded, everyones, dst=process)
        if everyones is None:
            return None
        parts = zip(everyones, self.counts, strict=True)
        return self._where.placed(torch.cat([part[:count] for part, count in parts]))


def gathered(
    local: Callable[[], tuple[Samples, Further]], where: Where | None = None
) -> Gathered[Further]:
    """What the processes have; `local` gives the samples of this one, and what to send with them.

    `where` decides where the rows are kept that the process group brings.

    Raises
    ------
    RuntimeError
        Another process failed, or layers give rows of different lengths.
    """
    here, error = tried(local)
    known = all_objects(_summary(here, error))
    raise_any(error, [summary["error"] for summary in known])
    assert here is not None
    parts = [summary for summary in known if len(summary["numbers"])]
    names = [name for name in _in_order(parts) if all(name in part["columns"] for part in parts)]
    for name in names:
        if len({part["columns"][name] for part in parts}) > 1:
            lengths = [part["columns"][name] for part in parts]
            raise RuntimeError(f"layer {name!r} gives rows of {lengths} numbers in the processes")
    labels = [part["labels"] for part in parts if part["labels"] is not None]
    return Gathered(
        {name: parts[0]["columns"][name] for name in names},
        np.concatenate([summary["numbers"] for summary in known]),
        np.concatenate(labels) if parts and len(labels) == len(parts) else None,
        [len(summary["numbers"]) for summary in known],
        [summary["further"] for summary in known],
        here[0],
        torch.float64 if any(part["wide"] for part in parts) else torch.float32,
        where or Where(),
    )


def shared(first: Callable[[], Result]) -> Result:
    """Call the function in the first process; all processes get what it returns, or its error."""
    result, error = tried(first) if rank() == 0 else (None, None)
    box = [(result, text_of(error))]
    torch.distributed.broadcast_object_list(box, src=0, device=_device())
    raise_any(error, [box[0][1]])
    return box[0][0]  # type: ignore[return-value]


def tried(function: Callable[[], Result]) -> tuple[Result | None, Exception | None]:
    """What a function returns, or its error, which the other processes must get, too."""
    try:
        return function(), None
    except Exception as error:
        return None, error


def text_of(error: Exception | None) -> str | None:
    """An error as another process reads it."""
    return None if error is None else f"{type(error).__name__}: {error}"


def raise_any(mine: Exception | None, everyones: list[str | None]) -> None:
    """Raise the error of this process, or else that of the first process that has one."""
    if mine is not None:
        raise mine
    for number, text in enumerate(everyones):
        if text is not None:
            raise RuntimeError(f"the monitor failed in the process of rank {number}: {text}")


def all_objects(mine: Result) -> list[Result]:
    """What all processes have, in each of them."""
    everyones: list[Any] = [None] * world_size()
    torch.distributed.all_gather_object(everyones, mine)
    return everyones


def packed(result: Any) -> bytes:
    """A result as it is sent: what cannot be sent fails here, and not amid a call of all."""
    return pickle.dumps(result)


def unpacked(data: bytes) -> Any:
    """A result that was sent."""
    return pickle.loads(data)


def _summary(here: tuple[Samples, Any] | None, error: Exception | None) -> dict[str, Any]:
    if here is None:
        return {"error": text_of(error)}
    samples, further = here
    return {
        "error": None,
        "columns": {name: rows.shape[1] for name, rows in samples.rows.items()},
        "wide": any(is_double(rows) for rows in samples.rows.values()),
        "numbers": samples.numbers,
        "labels": samples.labels,
        "further": further,
    }


def _in_order(parts: list[dict[str, Any]]) -> list[str]:
    """The layers of the first process with samples, in the order in which they run."""
    return list(parts[0]["columns"]) if parts else []


def _device() -> torch.device:
    """Where the tensors must lie that the process group sends."""
    if torch.distributed.get_backend() == "nccl":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")

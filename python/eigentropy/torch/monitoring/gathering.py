"""The samples of all processes in the first one, by torch.distributed.

All processes must make the same calls. A process that fails sends its error instead of its rows, so
that the others do not wait for it. A process that is lost is noticed by the process group, at its
timeout at the latest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch

from eigentropy.torch.monitoring.samples import Samples

Result = TypeVar("Result")


def is_distributed() -> bool:
    """Whether there is a process group."""
    distributed = torch.distributed
    return bool(distributed.is_available() and distributed.is_initialized())


def rank() -> int:
    """The number of this process; 0 where there is no group."""
    return int(torch.distributed.get_rank()) if is_distributed() else 0


def world_size() -> int:
    """How many processes there are; 1 where there is no group."""
    return int(torch.distributed.get_world_size()) if is_distributed() else 1


def samples_of_all(local: Callable[[], Samples]) -> Samples | None:
    """The samples of all processes, in the order of their ranks; None in all but the first.

    Layers that have not run in some process are left out. A process with fewer rows than another
    one sends zeros for the missing rows.

    Raises
    ------
    RuntimeError
        Another process failed, or layers give rows of different lengths.
    """
    samples, error = _tried(local)
    known = _all_objects(_summary(samples, error))
    if error is not None:
        raise error
    _raise_for_others([summary["error"] for summary in known])
    assert samples is not None
    parts = [summary for summary in known if len(summary["numbers"])]
    names = [name for name in _in_order(parts) if all(name in part["columns"] for part in parts)]
    for name in names:
        if len({part["columns"][name] for part in parts}) > 1:
            lengths = [part["columns"][name] for part in parts]
            raise RuntimeError(f"layer {name!r} gives rows of {lengths} numbers in the processes")
    counts = [len(summary["numbers"]) for summary in known]
    dtype = torch.float64 if any(part["wide"] for part in parts) else torch.float32
    rows = {
        name: _gathered_rows(samples.rows.get(name), parts[0]["columns"][name], counts, dtype)
        for name in names
    }
    if rank() != 0:
        return None
    numbers = np.concatenate([summary["numbers"] for summary in known])
    labels = [part["labels"] for part in parts if part["labels"] is not None]
    return Samples(
        {name: part for name, part in rows.items() if part is not None},
        numbers,
        np.concatenate(labels) if parts and len(labels) == len(parts) else None,
    )


def shared(first: Callable[[], Result]) -> Result:
    """Call the function in the first process; all processes get what it returns, or its error."""
    result, error = _tried(first) if rank() == 0 else (None, None)
    box = [(result, None if error is None else f"{type(error).__name__}: {error}")]
    torch.distributed.broadcast_object_list(box, src=0, device=_device())
    if error is not None:
        raise error
    _raise_for_others([box[0][1]])
    return box[0][0]  # type: ignore[return-value]


def _tried(function: Callable[[], Result]) -> tuple[Result | None, Exception | None]:
    try:
        return function(), None
    except Exception as error:  # which the other processes must get, too
        return None, error


def _raise_for_others(errors: list[str | None]) -> None:
    for number, text in enumerate(errors):
        if text is not None:
            raise RuntimeError(f"the monitor failed in the process of rank {number}: {text}")


def _summary(samples: Samples | None, error: Exception | None) -> dict[str, Any]:
    if samples is None:
        return {"error": f"{type(error).__name__}: {error}"}
    columns = {name: rows.shape[1] for name, rows in samples.rows.items()}
    return {
        "error": None,
        "columns": columns,
        "wide": any(rows.dtype == np.float64 for rows in samples.rows.values()),
        "numbers": samples.numbers,
        "labels": samples.labels,
    }


def _all_objects(mine: Any) -> list[Any]:
    everyones: list[Any] = [None] * world_size()
    torch.distributed.all_gather_object(everyones, mine)
    return everyones


def _in_order(parts: list[dict[str, Any]]) -> list[str]:
    """The layers of the first process with samples, in the order in which they run."""
    return list(parts[0]["columns"]) if parts else []


def _gathered_rows(mine: Any, columns: int, counts: list[int], dtype: torch.dtype) -> Any:
    """(sum of counts, columns) in the first process, None in the others."""
    padded = torch.zeros(max(counts), columns, dtype=dtype, device="cpu")
    if mine is not None:
        padded[: len(mine)] = torch.from_numpy(mine)
    padded = padded.to(_device())
    everyones = [torch.empty_like(padded) for _ in counts] if rank() == 0 else None
    torch.distributed.gather(padded, everyones, dst=0)
    if everyones is None:
        return None
    parts = [part[:count].cpu().numpy() for part, count in zip(everyones, counts, strict=True)]
    return np.concatenate(parts)


def _device() -> torch.device:
    """Where the tensors must lie that the process group sends."""
    if torch.distributed.get_backend() == "nccl":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")

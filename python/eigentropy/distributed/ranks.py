"""The ranks of a process group: what they send, and how all of them learn of an error."""

from __future__ import annotations

import os
import pickle
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# Seconds that a rank waits for another one. It has to be longer than one of them may compute while
# another one waits: a rank that ends is noticed at once, one that hangs after this long.
TIMEOUT = 600.0

# Errors that are raised on all ranks as what they were on one.
SHARED = (ValueError, TypeError, MemoryError, NotImplementedError, OSError)

# Exchanges of all ranks have tags below this, those of two ranks from here on.
FIRST_TAG = 1024

START = "torchrun --nproc-per-node 2 -m eigentropy measure --distributed Z.npy"


class DistributedError(RuntimeError):
    """A rank has ended or does not answer, or something failed on another rank."""


class Pending:
    """A message that is on its way; the memory that it comes from, or goes to, must not change."""

    def __init__(self, work: Any, array: Array, peer: int, timeout: float) -> None:
        self._work, self._array, self._peer, self._timeout = work, array, peer, timeout

    def wait(self) -> Array:
        """The array once it is there."""
        try:
            self._work.wait(timedelta(seconds=self._timeout))
        except RuntimeError as error:
            raise DistributedError(
                f"rank {self._peer} has ended or has not answered for {self._timeout:g} s "
                f"({_first_line(error)}): its own message says why; start all ranks again, with a "
                "larger timeout if it was only slow"
            ) from error
        return self._array


class Ranks:
    """The ranks of a group. Without a group there is one, and torch is not needed.

    Every sum over ranks is in the order of the ranks, so that it is the same each time, and on each
    rank.

    Attributes
    ----------
    rank, size : int
    timeout : float
    on_this_machine : int
        How many of the ranks share the memory of this one.
    """

    def __init__(self, group: Any = None, timeout: float = TIMEOUT) -> None:
        self.timeout = timeout
        self._group, self._calls = group, 0
        self._distributed = _torch_distributed(group)
        self.rank, self.size = 0, 1
        if self._distributed is not None:
            self.rank = self._distributed.get_rank(group)
            self.size = self._distributed.get_world_size(group)
            if self.rank < 0:
                raise ValueError("group does not have this process: call on its ranks alone")
        names = self.gathered_objects(socket.gethostname())
        self.on_this_machine = names.count(names[self.rank])

    @property
    def is_first(self) -> bool:
        """Whether this rank is the one that speaks."""
        return self.rank == 0

    def send(self, array: Array, peer: int, tag: int) -> Pending:
        """Send to a rank, without waiting."""
        return self._message("isend", array, peer, FIRST_TAG + tag)

    def receive(self, shape: Sequence[int], dtype: Any, peer: int, tag: int) -> Pending:
        """Receive from a rank, without waiting."""
        return self._message("irecv", np.empty(shape, dtype), peer, FIRST_TAG + tag)

    def gathered(self, array: Array, rows: Sequence[int] | None = None) -> list[Array]:
        """The arrays of all ranks; `rows` says how many rows each of them has, if not the same."""
        array = np.ascontiguousarray(array)
        lengths = [len(array)] * self.size if rows is None else rows
        # A rank may be one call ahead of another: the next call has another tag.
        self._calls = (self._calls + 1) % FIRST_TAG
        peers = [rank for rank in range(self.size) if rank != self.rank]
        shapes = {peer: (lengths[peer], *array.shape[1:]) for peer in peers}
        sent = [
            self._message("isend", array, peer, self._calls) for peer in peers if array.size > 0
        ]
        coming = {
            peer: self._message("irecv", np.empty(shapes[peer], array.dtype), peer, self._calls)
            for peer in peers
            if np.prod(shapes[peer]) > 0
        }
        found = {self.rank: array, **{peer: np.empty(shapes[peer], array.dtype) for peer in peers}}
        found |= {peer: message.wait() for peer, message in coming.items()}
        for message in sent:
            message.wait()
        return [found[rank] for rank in range(self.size)]

    def joined(self, array: Array, rows: Sequence[int] | None = None) -> Array:
        """The arrays of all ranks, one below the other."""
        return np.concatenate(self.gathered(array, rows))

    def summed(self, array: Array) -> Array:
        """The sum over the ranks."""
        parts = self.gathered(array[None])
        total: Array = parts[0][0].copy()
        for part in parts[1:]:
            total += part[0]
        return total

    def gathered_objects(self, value: Any) -> list[Any]:
        """What each rank has."""
        own = np.frombuffer(bytearray(pickle.dumps(value)), np.uint8)
        lengths = self.joined(np.array([len(own)], np.int64))
        return [pickle.loads(data.tobytes()) for data in self.gathered(own, lengths.tolist())]

    @contextmanager
    def together(self, where: str = "") -> Iterator[None]:
        """Do something on all ranks; what fails on one of them is raised on all, with its number.

        `where` says which rows this rank has.
        """
        error: Exception | None = None
        try:
            yield
        except DistributedError:
            raise
        except Exception as raised:
            error = raised
        self._agree(error, where)

    def require_same(self, **options: Any) -> None:
        """Refuse options that differ between ranks."""
        shown = {name.replace("_", " "): repr(value) for name, value in options.items()}
        everywhere = self.gathered_objects(shown)
        for name, value in everywhere[0].items():
            for rank, other in enumerate(everywhere):
                if other.get(name) != value:
                    raise ValueError(
                        f"{name} must be the same on all ranks, got {value} on rank 0 and "
                        f"{other.get(name)} on rank {rank}"
                    )

    def _agree(self, error: Exception | None, where: str) -> None:
        said = None if error is None else (type(error).__name__, f"{where}{error}")
        everywhere = self.gathered_objects(said)
        failed = [rank for rank, one in enumerate(everywhere) if one is not None]
        if not failed:
            return
        first = failed[0]
        name, text = everywhere[first]
        others = f" (and on ranks {', '.join(map(str, failed[1:]))})" if failed[1:] else ""
        kinds = {kind.__name__: kind for kind in SHARED}
        on_rank = f"rank {first}{others}: " if self.size > 1 else ""
        raise kinds.get(name, DistributedError)(f"{on_rank}{text}") from error

    def _message(self, kind: str, array: Array, peer: int, tag: int) -> Pending:
        torch, group = sys.modules["torch"], self._group
        to = peer if group is None else self._distributed.get_global_rank(group, peer)
        try:
            tensor = torch.from_numpy(array)
            work = getattr(self._distributed, kind)(tensor, to, group=group, tag=tag)
        except RuntimeError as error:
            raise DistributedError(
                f"rank {peer} has ended ({_first_line(error)}): its own message says why"
            ) from error
        return Pending(work, array, peer, self.timeout)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]


def _torch_distributed(group: Any) -> Any:
    """torch.distributed where there is a process group; None where there is one process."""
    torch = sys.modules.get("torch")
    distributed = getattr(torch, "distributed", None)
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        backend = str(distributed.get_backend_config(group))
        if "cpu:gloo" not in backend:
            raise ValueError(
                f"the process group has the backend {backend}, and rows on the host go by gloo: "
                "torch.distributed.init_process_group('gloo'), or 'cpu:gloo,cuda:nccl'"
            )
        return distributed
    size = os.environ.get("WORLD_SIZE", "1")
    if group is not None or size != "1":
        raise ValueError(
            f"there is no process group, but {size} ranks were started: call "
            "torch.distributed.init_process_group('gloo') first, in a program that torchrun "
            f"starts, or use the command: {START}"
        )
    return None

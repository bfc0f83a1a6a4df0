"""SampleSet in batches that fit into memory; the next batch is prepared while the model runs."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eigentropy._support import memory
from eigentropy._support.progress import Callback
from eigentropy.torch.features.extractors import Extractor
from eigentropy.torch.features.sample_sets import SampleSet
from eigentropy.torch.features.scarcity import is_out_of_memory

Rows = dict[str, npt.NDArray[Any]]

# Guesses: beyond these sizes a network is hardly faster, and the next batch takes as much memory.
LARGEST = {"cuda": 256}
LARGEST_ELSEWHERE = 64

# Share of the free memory that a batch may take by the estimate.
SHARE = 0.5

# More of them would hold more images than the next batch needs.
THREADS = 8


def size_for(needed: float, device: torch.device) -> int:
    """How many samples that need `needed` bytes each fit into the memory that is free."""
    most = LARGEST.get(device.type, LARGEST_ELSEWHERE)
    if needed <= 0:
        return most
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else memory.available()
    return int(min(most, max(1.0, SHARE * free / needed)))


def computed(
    extractor: Extractor, samples: SampleSet, size: int, report: Callback | None = None
) -> Iterator[tuple[npt.NDArray[Any], Rows]]:
    """Yield the numbers of some samples and their rows, until all samples are done.

    Raises
    ------
    MemoryError
        A single sample does not fit.
    """
    current = [size if extractor.fixed_batch is None else extractor.fixed_batch]
    done = 0
    for numbers, items in _prepared(extractor, samples, lambda: current[0]):
        yield from _halving(extractor, numbers, items, current)
        done += len(numbers)
        if report is not None:
            report(done / len(samples))


def _prepared(
    extractor: Extractor, samples: SampleSet, size: Callable[[], int]
) -> Iterator[tuple[npt.NDArray[Any], list[Any]]]:
    """Batches of prepared samples. While one is worked on, threads prepare the next."""

    def prepare(number: int) -> Any:
        return extractor.preparation.each(samples[number])

    waiting = iter(samples.order().tolist())
    ahead: deque[tuple[int, Future[Any]]] = deque()
    pool = ThreadPoolExecutor(min(THREADS, len(os.sched_getaffinity(0))))
    try:
        while True:
            while len(ahead) < 2 * size() and (number := next(waiting, None)) is not None:
                ahead.append((number, pool.submit(prepare, number)))
            if not ahead:
                return
            batch = [ahead.popleft() for _ in range(min(size(), len(ahead)))]
            yield np.array([number for number, _ in batch]), [one.result() for _, one in batch]
    finally:
        pool.shutdown(cancel_futures=True)


def _halving(
    extractor: Extractor, numbers: npt.NDArray[Any], items: list[Any], size: list[int]
) -> Iterator[tuple[npt.NDArray[Any], Rows]]:
    """The rows of a batch; where memory is out, those of its halves, and so on."""
    rows = _unless_out_of_memory(extractor, items)
    if rows is not None:
        yield numbers, rows
        return
    half = len(items) // 2
    size[0] = min(size[0], max(1, half))
    yield from _halving(extractor, numbers[:half], items[:half], size)
    yield from _halving(extractor, numbers[half:], items[half:], size)


def _unless_out_of_memory(extractor: Extractor, items: list[Any]) -> Rows | None:
    """The rows of a batch. The error, which holds what the model was at, is gone on return."""
    try:
        return {key: rows.numpy() for key, rows in extractor.rows(items).items()}
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        if len(items) == 1 or extractor.fixed_batch is not None:
            raise MemoryError(
                f"a batch of {len(items)} does not fit into memory: "
                f"{' '.join(str(error).split())[:200]}; take smaller inputs, or another device"
            ) from error
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None

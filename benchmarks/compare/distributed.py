"""Products over ranks beside one process, and the model of their cost.

    python -m benchmarks.compare.distributed [--n 20000] [--rounds 3] [--output FILE]

Each rank has one thread. One process with two threads and two ranks are measured in turn: A B A B.
The constants of `eigentropy.distributed.costs` are those of one rank, and of messages between two;
what the model says of 1 to 4 ranks is stored beside what was measured. That is seconds of cores,
which more ranks than cores, or other programs, change little; seconds on the clock are beside them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.shared.machine import describe
from benchmarks.shared.results import RESULTS, rounded, write
from eigentropy import _core
from eigentropy._kernels.density import DensityMatrix
from eigentropy.distributed.costs import Machine, Product
from eigentropy.distributed.operator import SplitProducts
from eigentropy.distributed.ranks import Ranks
from eigentropy.distributed.rows import SplitRows

D, COLUMNS, DTYPE = 256, 32, "float32"


def rows(n: int) -> Any:
    """Rows in float32."""
    return np.random.default_rng(0).normal(size=(n, D)).astype(DTYPE)


def vectors(n: int) -> Any:
    """A block of vectors."""
    return np.random.default_rng(1).normal(size=(n, COLUMNS)).astype(DTYPE)


def timed(call: Any) -> tuple[float, float]:
    """Seconds of a call, and of all cores of the process in it."""
    start, cores = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - start, time.process_time() - cores


def one_process(n: int, threads: int) -> tuple[float, float]:
    """Seconds of a product in one process."""
    _core.set_thread_count(threads)
    A = DensityMatrix(rows(n), sigma=8.0).products(DTYPE, False, None)
    V = vectors(n)
    return timed(lambda: A.matmul(V))


def _on_rank(rank: int, size: int, n: int, store: str) -> None:
    import torch.distributed as distributed

    distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=size
    )
    _core.set_thread_count(1)
    ranks = Ranks()
    own = slice(n * rank // size, n * (rank + 1) // size)
    split = SplitRows.of(rows(n)[own], ranks)
    A = SplitProducts(split, 8.0, None, DTYPE, keeps=False)
    V = vectors(n)[own].copy()
    ranks.summed(np.zeros(1))
    seconds, cores = timed(lambda: (A.matmul(V), ranks.summed(np.zeros(1))))
    cores = float(ranks.summed(np.array([cores]))[0])
    found = {"seconds": seconds, "core_seconds": cores}
    if size == 2:
        found |= _messages(ranks)
    if rank == 0:
        np.save(store + ".npy", np.array([found], dtype=object), allow_pickle=True)
    distributed.destroy_process_group()


def _messages(ranks: Ranks) -> dict[str, float]:
    """Latency and bandwidth between two ranks that send and receive at once."""
    big = np.zeros((1, 2**22))
    ranks.gathered(big)
    latency = min(timed(lambda: ranks.gathered(np.zeros((1, 1))))[0] for _ in range(50))
    seconds = min(timed(lambda: ranks.gathered(big))[0] for _ in range(5))
    return {"latency": latency, "bandwidth": big.nbytes / max(seconds - latency, 1e-9)}


def over_ranks(n: int, size: int) -> dict[str, Any]:
    """Seconds of a product over ranks, of which each has one thread."""
    import torch.multiprocessing as processes

    with tempfile.TemporaryDirectory() as folder:
        store = str(Path(folder) / "store")
        processes.spawn(_on_rank, (size, n, store), nprocs=size)
        found: dict[str, Any] = np.load(store + ".npy", allow_pickle=True)[0]
        return found


def measured(n: int, rounds: int) -> dict[str, Any]:
    """One process with two threads and two ranks in turn, then 1 to 4 ranks beside the model."""
    turns: list[dict[str, float]] = []
    ranks: dict[int, list[dict[str, Any]]] = {1: [], 2: [], 3: [], 4: []}
    for _ in range(rounds):
        seconds, cores = one_process(n, 2)
        ranks[2].append(over_ranks(n, 2))
        two = ranks[2][-1]
        turns.append(
            {
                "one_process": seconds,
                "two_ranks": two["seconds"],
                "one_process_core_seconds": cores,
                "two_ranks_core_seconds": two["core_seconds"],
            }
        )
        print(turns[-1], flush=True)
    for size in (1, 3, 4):
        ranks[size].append(over_ranks(n, size))
    first = {name: min(one[name] for one in turns) for name in turns[0]}
    best = {size: min(one["core_seconds"] for one in found) for size, found in ranks.items()}
    machine = Machine(
        rate=Product(n, D, COLUMNS, 1, DTYPE).work / best[1],
        bandwidth=max(one["bandwidth"] for one in ranks[2]),
        latency=min(one["latency"] for one in ranks[2]),
        overlaps=False,  # a core that copies messages computes no tiles
    )
    compared = [
        {
            "ranks": size,
            "core_seconds_of_a_rank": best[size] / size,
            "predicted": Product(n, D, COLUMNS, size, DTYPE).seconds(machine),
            "seconds": min(one["seconds"] for one in ranks[size]),
        }
        for size in ranks
    ]
    return {
        "n": n, "d": D, "columns": COLUMNS, "dtype": DTYPE,
        "cores": len(os.sched_getaffinity(0)), "load": os.getloadavg()[0], "turns": turns,
        "speed_of_two_ranks": first["one_process"] / first["two_ranks"],
        "speed_by_core_seconds": first["one_process_core_seconds"]
        / first["two_ranks_core_seconds"],
        "machine_of_model": asdict(machine), "model": compared,
    }  # fmt: skip


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--n", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULTS / "distributed.json")
    options = parser.parse_args()
    found = measured(options.n, options.rounds)
    write(options.output, rounded({"machine": describe(), "distributed": found}))
    print(f"two ranks have {found['speed_of_two_ranks']:.2f} of the speed of one process")
    for one in found["model"]:
        own, predicted = one["core_seconds_of_a_rank"], one["predicted"]
        print(f"{one['ranks']} ranks: {own:.2f} s of a core each, by the model {predicted:.2f} s")


if __name__ == "__main__":
    main()

"""Several processes of torch.distributed, each of which works on all cases of a test."""

from __future__ import annotations

import gc
import json
import os
import time
from datetime import timedelta
from pathlib import Path

import torch

PATIENCE = 400  # seconds, of a machine that does much else


def results(cases, count, folder, last=None):
    """What each process returns, by case, as JSON holds it.

    `cases` has functions of a module, which get the rank, and their further arguments. What the
    case `last` leaves of the group is of no use.
    """
    context = torch.multiprocessing.spawn(
        _process, (cases, count, str(folder), last), nprocs=count, join=False
    )
    end = time.monotonic() + PATIENCE
    while not context.join(timeout=5):
        if time.monotonic() > end:
            for one in context.processes:
                one.kill()
            raise TimeoutError(f"the processes did not end in {PATIENCE} s")
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(count)]


def _process(rank, cases, count, folder, last):
    """Work on all cases, one after the other, and write what they return."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=count,
        timeout=timedelta(seconds=300),
    )  # fmt: skip
    found = {}
    for case, (work, *arguments) in cases.items():
        if case == last:
            gc.collect()  # parallel models go before their group: see conftest.py
            torch.distributed.barrier()
        found[case] = None
        Path(folder, f"{rank}.json").write_text(json.dumps(found))
        found[case] = work(rank, *arguments)
    Path(folder, f"{rank}.json").write_text(json.dumps(found))
    os._exit(0)  # a thread of the group may still ask for Python's lock, which then is gone

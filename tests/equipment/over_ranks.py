"""Run a task on several ranks: processes that are joined by gloo over a file, not over a port.

python tests/equipment/over_ranks.py FOLDER TASK RANK SIZE   what each of the processes runs
"""

from __future__ import annotations

import importlib
import os
import pickle
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

HERE = Path(__file__).parent

# Seconds until a test gives up. Ranks that wait for one another give up before.
LIMIT = 150.0


def start(folder, task, size, *arguments):
    """The processes of the ranks; `task` is MODULE:FUNCTION, which takes rank, size, arguments."""
    (folder / "arguments.pkl").write_bytes(pickle.dumps(arguments))
    environment = {
        **os.environ,
        "EIGENTROPY_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    return [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, str(folder), task, str(rank), str(size)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(size)
    ]


def over_ranks(folder, task, size, *arguments):
    """What the task returns, or the exception that it raises, on each rank; None of a dead one."""
    folder.mkdir(parents=True, exist_ok=True)
    processes = start(folder, task, size, *arguments)
    try:
        said = [process.communicate(timeout=LIMIT)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    results = [folder / f"{rank}.pkl" for rank in range(size)]
    if not any(path.exists() for path in results):
        raise AssertionError("\n".join(said))
    return [pickle.loads(path.read_bytes()) if path.exists() else None for path in results]


def _run(folder, task, rank, size):
    import torch.distributed as distributed

    distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder}/store",
        rank=rank,
        world_size=size,
        timeout=timedelta(seconds=100),
    )
    module, _, function = task.partition(":")
    arguments = pickle.loads((folder / "arguments.pkl").read_bytes())
    try:
        result = getattr(importlib.import_module(module), function)(rank, size, *arguments)
    except Exception as error:
        result = error
    temporary = folder / f"{rank}.tmp"
    temporary.write_bytes(pickle.dumps(result))
    temporary.replace(folder / f"{rank}.pkl")
    sys.stdout.flush()
    os._exit(0)  # without waiting for ranks that are gone


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    _run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))

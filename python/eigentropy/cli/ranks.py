"""The ranks that torchrun has started, for a command that measures over them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from eigentropy._measures.measurement import MeasurementSettings
from eigentropy.cli.measurement_options import MeasurementOptions
from eigentropy.distributed.ranks import START, Ranks

# What torchrun tells each process.
GIVEN = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@contextmanager
def all_ranks(chosen: MeasurementOptions, settings: MeasurementSettings) -> Iterator[Ranks]:
    """The ranks, as a process group by gloo.

    Raises
    ------
    ValueError
        torchrun has not started this process, or an option is for rows in one process.
    ImportError
        PyTorch is not installed.
    """
    refused = {
        "--labels": chosen.labels,
        "--against": chosen.against,
        "--columns": chosen.columns,
        "--without": chosen.without,
        "--max-points": settings.max_points,
        "--sampling-error": settings.sampling or None,
    }
    for option, value in refused.items():
        if value is not None:
            raise ValueError(
                f"{option} is for rows in one process, and --distributed has them on several: "
                "leave one of them out"
            )
    if missing := [name for name in GIVEN if name not in os.environ]:
        raise ValueError(
            f"--distributed needs ranks, and {missing[0]} is not set: start the command by {START}"
        )
    try:
        distributed = import_module("torch.distributed")
    except ImportError as error:
        raise ImportError("--distributed needs PyTorch: pip install 'eigentropy[torch]'") from error
    distributed.init_process_group("gloo")
    try:
        yield Ranks()
    finally:
        distributed.destroy_process_group()


def own_rows(Z: Any, ranks: Ranks) -> Any:
    """The share of this rank of a matrix in a file; the others are not read where it is mapped."""
    n = Z.shape[0]
    if n < ranks.size:
        raise ValueError(
            f"FILE has {n} rows, and each of the {ranks.size} ranks needs one: start fewer ranks"
        )
    return Z[n * ranks.rank // ranks.size : n * (ranks.rank + 1) // ranks.size]

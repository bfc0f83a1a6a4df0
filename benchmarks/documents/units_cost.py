"""What it costs to record the units of layers: bytes on the disk, and time of the processor.

    python -m benchmarks.documents.units_cost --output benchmarks/results/units_cost.json

A network of three wide layers is measured by a monitor that records, without and with units, in
turn. Time of the processor and not of the clock, with one thread: other programs matter less.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, write
from eigentropy.report import Recorder, Units, page, read_run
from eigentropy.torch import Monitor, Probe

LAYERS = ("1", "3", "5")


def network(width: int) -> torch.nn.Module:
    torch.manual_seed(0)
    sizes = [(64, width), (width, width), (width, width)]
    parts = [part for a, b in sizes for part in (torch.nn.Linear(a, b), torch.nn.ReLU())]
    return torch.nn.Sequential(*parts)


def seconds(folder: Path, width: int, n: int, steps: int, units: bool | Units) -> Iterator[float]:
    """Time of the processor that each measurement takes, after the first."""
    source = Probe(torch.randn(n, 64, generator=torch.Generator().manual_seed(1)), max_points=None)
    recorder = Recorder(folder, points=100, views=2)
    with Monitor(
        network(width), LAYERS, source, record=recorder, units=units, measures="dse"
    ) as one:
        one.step()
        for _ in range(steps):
            start = time.process_time()
            one.step()
            yield time.process_time() - start


def measure(options: argparse.Namespace) -> dict[str, Any]:
    torch.set_num_threads(1)
    spent: dict[bool, list[float]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as place:
        for turn in range(2 * options.rounds):
            units = turn % 2 == 1
            folder = Path(place) / f"{turn}"
            spent[units] += seconds(folder, options.width, options.samples, options.steps, units)
        files = [*(folder / "units").iterdir()]
        size = {"bytes_a_step": max(file.stat().st_size for file in files), "files": len(files)}
        known = read_run(folder)
        pages = [len(page([run], seconds=600.0)) for run in (read_run(Path(place) / "0"), known)]
    return {
        "machine": describe(),
        "layers": len(LAYERS), "width": options.width, "samples": options.samples, **size,
        "page_bytes": pages[1] - pages[0],
        "seconds": {name: statistics.median(spent[key]) for name, key in
                    (("without", False), ("with", True))},
        "measurements": len(spent[True]),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="What recording the units of layers costs.")
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    result = measure(options)
    print(json.dumps(result, indent=1))
    if options.output is not None:
        write(options.output, rounded(result))


if __name__ == "__main__":
    main()

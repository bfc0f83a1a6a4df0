"""What a step of a training costs more with a monitor: on the host, in the background, on the GPU.

    python -m benchmarks.compare.monitor_devices --output benchmarks/results/monitor_devices.json

Blocks of steps take turns, A B A B, in one process: without a monitor, and with one that measures
DSE and DSMI(Z;Y) of two layers of a probe at every fourth step

- "host": on the host, while the step waits (``device="cpu"``);
- "background": on the host, beside the training (``background=2``);
- "gpu": where the activations lie.

With a GPU the training is a perceptron on it, and each step is timed to its end on the device. It
says what the three cost. Without one, a step is the same perceptron on the host and then a pause,
which stands for a GPU that trains while the host is idle; "gpu" is left out. ``--emulated`` adds it
with a few samples, on tensors of the host that say they are on a GPU and the plug-in for the
emulated device: it shows that the way is there, and nothing about speed.

The cost of the block is the time of its steps and of what they leave to be measured at its end;
that of a measured step is what its caller waits for.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import nn

from benchmarks.shared.machine import describe
from benchmarks.shared.results import ROOT, rounded, write
from eigentropy.torch import Monitor

EVERY = 4
WAYS: dict[str, dict[str, Any]] = {
    "host": {"device": "cpu"},
    "background": {"background": 2},
    "gpu": {},
}
# The largest differences of a value from the host's: of the same rows, and in another precision.
AGREEMENT = {"background": 1e-9, "gpu": 1e-3}


class Loop:
    """A perceptron that is trained, maybe with a monitor.

    Parameters
    ----------
    way : str or None
        Of WAYS.
    samples, width : int
        Of the probe, and of the hidden layers.
    pause : float
        Seconds that stand for the work of a GPU, where there is none.
    is_emulated : bool
        Whether the probe says that it lies on a GPU.
    """

    def __init__(
        self, way: str | None, samples: int, width: int, pause: float, is_emulated: bool = False
    ) -> None:
        torch.manual_seed(0)
        self.place = "cuda" if torch.cuda.is_available() else "cpu"
        self.pause = 0.0 if self.place == "cuda" else pause
        self.network = nn.Sequential(
            nn.Linear(64, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, 10),
        ).to(self.place)
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.01)
        y = torch.arange(samples) % 10
        x = torch.randn(samples, 64) + 3.0 * torch.eye(64)[y]
        self.x, self.y = x.to(self.place), y.to(self.place)
        self.monitor: Monitor | None = None
        if way is not None:
            probe = self.x.as_subclass(_on_emulated_gpu()) if is_emulated else self.x
            options = {**WAYS[way], "every": EVERY}
            self.monitor = Monitor(self.network, ["1", "3"], probe=(probe, self.y), **options)

    def step(self) -> float:
        """Seconds of a step, to its end on the device."""
        start = time.perf_counter()
        self.optimizer.zero_grad()
        nn.functional.cross_entropy(self.network(self.x), self.y).backward()
        self.optimizer.step()
        time.sleep(self.pause)
        if self.monitor is not None:
            self.monitor.step()
        if self.place == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    def block(self, steps: int) -> tuple[list[float], float]:
        """Seconds of each step, and until all is measured."""
        start = time.perf_counter()
        each = [self.step() for _ in range(steps)]
        if self.monitor is not None:
            self.monitor.wait()
        return each, time.perf_counter() - start


def _on_emulated_gpu() -> Any:
    """A class of tensors of the host that say they are on a GPU; those of the tests."""
    sys.path.insert(0, str(ROOT / "tests" / "equipment"))
    import device_arrays

    return device_arrays.torch_on_gpu()


class _Current:
    """PyTorch's current stream, where it has none."""

    cuda_stream = 0


def case(
    ways: list[str], samples: int, width: int, pause: float, rounds: int, steps: int, emulated: bool
) -> dict[str, Any]:
    """All ways at one size."""
    loops: dict[str, Loop] = {"without": Loop(None, samples, width, pause)}
    for way in ways:
        loops[way] = Loop(way, samples, width, pause, emulated and way == "gpu")
    blocks: dict[str, list[float]] = {way: [] for way in loops}
    measured: dict[str, list[float]] = {way: [] for way in loops}
    others: dict[str, list[float]] = {way: [] for way in loops}
    for number in range(rounds + 1):
        for way, loop in loops.items():
            each, whole = loop.block(EVERY if number == 0 else steps)
            if number > 0:  # the first warms up
                blocks[way].append(whole / steps)
                measured[way] += each[EVERY - 1 :: EVERY]
                others[way] += [one for i, one in enumerate(each) if (i + 1) % EVERY]
    plain = statistics.median(blocks["without"])
    return {
        "samples": samples, "width": width, "pause": loops["without"].pause, "steps": steps,
        "rounds": rounds, "every": EVERY, "emulated": emulated,
        "seconds_a_step": {way: statistics.median(times) for way, times in blocks.items()},
        "share": {way: statistics.median(blocks[way]) / plain - 1.0 for way in ways},
        "measured_step": {way: statistics.median(times) for way, times in measured.items()},
        "other_step": {way: statistics.median(times) for way, times in others.items()},
        "differs": {way: difference(loops["host"], loops[way]) for way in ways if way != "host"},
    }  # fmt: skip


def difference(one: Loop, other: Loop) -> float:
    """The largest difference of a value of the first measurement."""
    assert one.monitor is not None
    assert other.monitor is not None
    first, second = one.monitor.history[0], other.monitor.history[0]
    return max(abs(first[key] - second[key]) for key in first)


def faults(cases: list[dict[str, Any]]) -> list[str]:
    """What must not be: values that differ from the host's."""
    return [
        f"{way}, {one['samples']} samples: values differ by {differs:.2g} from those of the host"
        for one in cases
        for way, differs in one["differs"].items()
        if not differs <= AGREEMENT[way]
    ]


def line(found: dict[str, Any]) -> str:
    """A case for the eye."""
    plain = found["seconds_a_step"]["without"]
    shares = ", ".join(
        f"{way} {share:+.1%} (measured step {found['measured_step'][way] * 1e3:.2f} ms)"
        for way, share in found["share"].items()
    )
    where = " emulated" if found["emulated"] else ""
    return f"n = {found['samples']}{where}: {plain * 1e3:.2f} ms a step, {shares}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The cost of a monitor, by where it measures.")
    parser.add_argument("--samples", type=int, nargs="+", default=[512])
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--pause", type=float, default=0.03, help="seconds, for a GPU's work")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--emulated", type=int, default=0, help="samples on the emulated device")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    has_gpu = torch.cuda.is_available()
    ways = [way for way in WAYS if way != "gpu" or has_gpu]
    rest = (options.pause, options.rounds, options.steps)
    cases = [case(ways, n, options.width, *rest, False) for n in options.samples]
    if options.emulated and not has_gpu:
        with mock.patch.object(torch.cuda, "current_stream", return_value=_Current()):
            both = ["host", "gpu"]
            cases.append(case(both, options.emulated, 16, options.pause, 1, EVERY, True))
    found = {
        "machine": describe(),
        "gpu": torch.cuda.get_device_name() if has_gpu else None,
        "torch": torch.__version__,
        "torch_threads": torch.get_num_threads(),
        "load": os.getloadavg()[0],  # by other programs it may be
        "measures": ["dse", "dsmi_y"],
        "cases": cases,
        "faults": faults(cases),
    }
    for one in cases:
        print(line(one))
    for fault in found["faults"]:
        print(fault)
    if options.output is not None:
        write(options.output, rounded(json.loads(json.dumps(found))))
    return 1 if found["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())

"""What one step of a monitor costs, and where its time goes.

    python -m benchmarks.compare.monitor_step --output benchmarks/results/monitor_step.json

A perceptron on scikit-learn's digits is measured on a probe of 1000 samples: DSE and DSMI(Z;Y) of
one layer and of four. The time of a step has three parts:

- "forward": the probe passes through the network in evaluation mode, without a monitor;
- "python": hooks, checks, and what is computed by Python and NumPy. The core is replaced by what it
  returned before, and the forward pass is subtracted;
- "core": the rest, which is what the compiled core takes. Layers are measured side by side, and
  Python's work on one of them is hidden by the core's on another.

The parts take turns in one process, so that what slows the machine slows all of them. `first` is
the first step of a monitor in a process of its own. Run it alone on the machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, write
from eigentropy import _core
from eigentropy.torch import Monitor, Probe

PROBE = 1000
WIDTH = 128
# Names of the layers that are watched: the outputs of ReLU.
WATCHED = {1: ["7"], 4: ["1", "3", "5", "7"]}
# What the core computes of a layer.
COMPUTES = ("spectrum", "subset_spectra", "median_distance", "reach", "nonfinite_rows")


def network() -> nn.Sequential:
    """A perceptron with four hidden layers."""
    torch.manual_seed(0)
    parts: list[nn.Module] = []
    for width in (64, WIDTH, WIDTH, WIDTH):
        parts += [nn.Linear(width, WIDTH), nn.ReLU()]
    return nn.Sequential(*parts, nn.Linear(WIDTH, 10))


def probe(samples: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Digits with their classes."""
    digits = load_digits()
    chosen = np.random.default_rng(0).permutation(len(digits.data))[:samples]
    x = torch.tensor(digits.data[chosen] / 16.0, dtype=torch.float32)
    return x, torch.tensor(digits.target[chosen])


class Replay:
    """The functions of the core: they compute and remember, or give back what they remember."""

    def __init__(self) -> None:
        self.gives_back = False
        self._known: dict[Any, Any] = {}
        self._own = {name: getattr(_core, name) for name in COMPUTES if hasattr(_core, name)}

    @contextmanager
    def installed(self) -> Iterator[None]:
        """In place of the core's own."""
        for name, function in self._own.items():
            setattr(_core, name, self._wrapped(name, function))
        try:
            yield
        finally:
            for name, function in self._own.items():
                setattr(_core, name, function)

    def _wrapped(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(Z: Any, *rest: Any, **options: Any) -> Any:
            key = name, Z.shape, tuple(one for one in rest if isinstance(one, str))
            if not self.gives_back:
                self._known[key] = _copied(function(Z, *rest, **options))
            return _copied(self._known[key])

        return call


def _copied(found: Any) -> Any:
    """What the caller may write to."""
    if isinstance(found, tuple):
        return tuple(one.copy() if isinstance(one, np.ndarray) else one for one in found)
    return found


def case(layers: int, samples: int, rounds: int, width: int = WIDTH) -> dict[str, Any]:
    """The parts of a step."""
    model, (x, y) = network(), probe(samples)
    source = Probe(x, y)
    monitor = Monitor(model, WATCHED[layers], source)
    bare, replay = model.eval(), Replay()

    def forward() -> None:
        with torch.no_grad():
            for part in torch.split(x, source.batch_size):
                bare(part)

    def replayed() -> None:
        threads = _core.thread_count()
        _core.set_thread_count(1)  # side by side, Python's threads would wait for each other
        replay.gives_back = True
        with replay.installed():
            monitor.step()
        replay.gives_back = False
        _core.set_thread_count(threads)

    with replay.installed():
        monitor.step()
    ways: dict[str, Callable[[], object]] = {
        "step": monitor.step,
        "forward": forward,
        "replayed": replayed,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            taken = timed(way)
            if number > 0:  # the first warms up
                seconds[name].append(taken)
    step, pass_alone, without_core = (statistics.median(seconds[name]) for name in ways)
    return {
        "layers": layers,
        "samples": samples,
        "width": width,
        "rounds": rounds,
        "step": step,
        "least_step": min(seconds["step"]),
        "forward": pass_alone,
        "python": without_core - pass_alone,
        "core": step - without_core,
        "first": first_step(layers, samples),
    }


def timed(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def first_step(layers: int, samples: int) -> float:
    """Seconds of the first step in a process that has trained before."""
    program = (
        "from benchmarks.compare import monitor_step as here\n"
        f"print(here.own_first_step({layers}, {samples}))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return float(found.stdout)


def own_first_step(layers: int, samples: int) -> float:
    """The same of this process."""
    model, (x, y) = network(), probe(samples)
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()  # type: ignore[no-untyped-call]
    monitor = Monitor(model, WATCHED[layers], Probe(x, y))
    return timed(monitor.step)


def line(found: dict[str, Any]) -> str:
    """A case for the eye."""
    parts = ", ".join(f"{part} {found[part] * 1e3:.2f}" for part in ("forward", "python", "core"))
    return (
        f"{found['layers']} layers, {found['samples']} samples: {found['step'] * 1e3:.2f} ms a "
        f"step (least {found['least_step'] * 1e3:.2f}): {parts}; first {found['first'] * 1e3:.1f}"
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="The cost of a step of a monitor, in parts.")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--samples", type=int, default=PROBE)
    parser.add_argument("--layers", type=int, nargs="+", choices=WATCHED, default=list(WATCHED))
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    cases = [case(layers, options.samples, options.rounds) for layers in options.layers]
    for one in cases:
        print(line(one))
    if options.output is not None:
        found = {
            "machine": describe(),
            "torch_threads": torch.get_num_threads(),
            "measures": ["dse", "dsmi_y"],
            "cases": cases,
        }
        write(options.output, rounded(json.loads(json.dumps(found))))


if __name__ == "__main__":
    main()

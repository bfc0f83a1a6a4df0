"""A step of a monitor as a contender: `Monitor.step()`, and its share outside of compiled code.

A probe of n rows passes a small network, one of whose layers is watched.
"""

from __future__ import annotations

import contextlib
import inspect
import time
import warnings
from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.shared.timing import Part, Ready

INPUTS = 64


def monitor(spec: dict[str, Any]) -> Ready:
    """The step; the hooks' and Python's part of it; or what the peer offers instead."""
    import torch

    torch.manual_seed(0)
    hidden = torch.nn.Sequential(torch.nn.Linear(INPUTS, spec["d"]), torch.nn.ReLU())
    network = torch.nn.Sequential(hidden, torch.nn.Linear(spec["d"], spec["classes"]))
    n = int(spec["n"])
    labels = np.random.default_rng(1).integers(0, spec["classes"], n)
    centers = np.random.default_rng(0).normal(size=(spec["classes"], INPUTS))
    inputs = np.random.default_rng(n).normal(size=(n, INPUTS)) + centers[labels]
    x, y = torch.tensor(inputs, dtype=torch.float32), torch.tensor(labels)
    if spec["package"] == "dse-dsmi":
        return _peer(hidden, x, labels)
    from eigentropy.torch import Monitor, Probe

    step = Monitor(network, "0", Probe(x, y), measures=["dse", "dsmi_y"]).step
    if spec["package"] == "eigentropy":
        return lambda: None, lambda _: step()
    return lambda: None, Outside(step)


class Outside:
    """A call of which the time counts that is neither in the core nor in the network's products."""

    def __init__(self, call: Callable[[], Any]) -> None:
        from torch.nn import functional

        from eigentropy import _core

        self._call, self._inside = call, 0.0
        self.parts: dict[str, float] = {}  # seconds in each compiled function, of the last call
        inside = [(_core, name) for name, value in vars(_core).items() if inspect.isbuiltin(value)]
        inside += [(functional, "linear"), (functional, "relu")]
        self._inside_of = [(of, name, self._timed(name, getattr(of, name))) for of, name in inside]

    def __call__(self, _: None) -> Part:
        with contextlib.ExitStack() as stack:
            for of, name, function in self._inside_of:
                stack.enter_context(mock.patch.object(of, name, function))
            self._inside, self.parts = 0.0, {}
            start = time.perf_counter()
            self._call()
            return Part(time.perf_counter() - start - self._inside)

    def _timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                taken = time.perf_counter() - start
                self._inside += taken
                self.parts[name] = self.parts.get(name, 0.0) + taken

        return timed


def _peer(hidden: Any, x: Any, labels: np.ndarray) -> Ready:
    """The pass through the layer, its entropy and its information, with the peer's defaults."""
    import torch

    with warnings.catch_warnings():  # its import changes the process's filters
        import dse_dsmi

    def measured(_: None) -> float:
        with torch.no_grad():
            Z = hidden(x).numpy()
        entropy = dse_dsmi.diffusion_spectral_entropy(Z)
        return float(entropy + dse_dsmi.diffusion_spectral_mutual_information(Z, labels)[0])

    return lambda: None, measured

"""A step of a monitor as a contender: `Monitor.step()`, and its share outside of compiled code.

A probe of n rows passes a small network, one of whose layers is watched.
"""

from __future__ import annotations

import functools
import inspect
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.shared.timing import Part, Ready

INPUTS = 64
NETWORK = "network"


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
    return lambda: None, Outside(step, network)


class Outside:
    """A step of a monitor, of which the time counts that is neither in the core nor the network's.

    The network's is that of its forward pass, without what the hook of the monitor takes in it.
    """

    def __init__(self, step: Callable[[], Any], network: Any) -> None:
        from eigentropy import _core
        from eigentropy.torch.monitoring.probe import Activations

        self._step = step
        self._taken: list[tuple[str, float]] = []  # summed up when the step has ended
        self.parts: dict[str, float] = {}  # seconds in what is not counted, of the last call
        inside: list[tuple[Any, str, Any]] = [
            (_core, name, known) for name, known in vars(_core).items() if inspect.isbuiltin(known)
        ]
        hook = Activations.record
        self._before = [*inside, (Activations, "record", hook)]
        self._inside = [(of, name, self._timed(known, name)) for of, name, known in inside]
        self._inside.append((Activations, "record", self._timed(hook, NETWORK, sign=-1.0)))
        self._network, self._forward = network, self._timed(network.forward, NETWORK)

    def __call__(self, _: None) -> Part:
        # Not by `unittest.mock`, which runs more code than the step: caches would be full of that.
        for of, name, function in self._inside:
            setattr(of, name, function)
        self._network.forward = self._forward
        try:
            self._taken.clear()
            start = time.perf_counter()
            self._step()
            end = time.perf_counter()
        finally:
            del self._network.forward  # that of the class is left
            for of, name, function in self._before:
                setattr(of, name, function)
        self.parts = {}
        for name, seconds in self._taken:
            self.parts[name] = self.parts.get(name, 0.0) + seconds
        return Part(end - start - sum(self.parts.values()))

    def _timed(
        self, function: Callable[..., Any], name: str, sign: float = 1.0
    ) -> Callable[..., Any]:
        @functools.wraps(function)  # the monitor asks for the names of the network's arguments
        def timed(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self._taken.append((name, sign * (time.perf_counter() - start)))

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

"""A fixed set of samples, and passing it through a model without leaving a trace."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eigentropy._backends.host_arrays import as_numpy
from eigentropy._support import memory
from eigentropy._support.options import integer
from eigentropy.torch.monitoring.layers import Pooling, pooled, unwrapped

Array = npt.NDArray[Any]


class Probe:
    """At most `max_points` samples, drawn once, that are passed through a model in batches.

    `x` is a tensor, an array (which may be mapped into memory), or a tuple, list or dictionary of
    these, for models with several arguments.
    """

    def __init__(self, x: Any, max_points: int | None, batch_size: int, seed: int) -> None:
        self.batch_size = integer(batch_size, "batch_size", at_least=1)
        lengths = {len(leaf) for leaf in _leaves(x)}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError(
                f"probe must be samples, or (samples, labels), with at least one sample; its "
                f"parts have lengths {sorted(lengths)}"
            )
        self.n = self.given = lengths.pop()
        self.rows: npt.NDArray[np.int64] | None = None
        if max_points is not None and self.n > integer(max_points, "max_points", at_least=1):
            generator = np.random.default_rng(seed)
            self.rows = np.sort(generator.choice(self.n, max_points, replace=False))
            x, self.n = _apply(x, lambda leaf: _chosen(leaf, self.rows)), max_points
        self.x = x

    def vectors(self) -> Array:
        """The samples as (n, d)."""
        leaves = [_as_array(leaf).reshape(self.n, -1) for leaf in _leaves(self.x)]
        return leaves[0] if len(leaves) == 1 else np.concatenate(leaves, axis=1)

    def activations(
        self,
        model: torch.nn.Module,
        layers: Mapping[str, torch.nn.Module],
        pooling: Pooling,
        first: int = 0,
        step: int = 1,
    ) -> Activations:
        """What each layer returns for all samples, or for every `step`-th from the `first` on."""
        base = unwrapped(model)
        numbers = range(first, self.n, step)
        activations = Activations(len(numbers), pooling)
        with undisturbed(base), _hooks(layers, activations):
            for start in range(0, len(numbers), self.batch_size):
                part = numbers[start : start + self.batch_size]
                activations.begin(start, start + len(part))
                where = slice(part.start, part.stop, part.step)
                _call(base, _apply(self.x, lambda leaf, s=where: leaf[s]))
        activations.drop_incomplete()
        return activations


class Activations:
    """The rows of each layer, (n, d), in the order in which the layers run.

    A layer that runs several times in one forward pass gives its last output, and is in `repeated`.
    One that does not run for all samples has no rows.
    """

    def __init__(self, n: int, pooling: Pooling) -> None:
        self.n, self.pooling = n, pooling
        self.rows: dict[str, Array] = {}
        self.repeated: set[str] = set()
        self.filled: Counter[str] = Counter()
        self.bytes = 0
        self.begin(0, 0)

    def begin(self, start: int, stop: int) -> None:
        """The forward pass of these samples comes next."""
        self.start, self.stop = start, stop
        self.ran: set[str] = set()

    def record(self, name: str, output: Any) -> None:
        """Copies at once: the next module may work in place."""
        part = pooled(output, name, self.pooling, self.stop - self.start)
        if name not in self.rows:
            self.rows[name] = self._room(part)
        if name in self.ran:
            self.repeated.add(name)
        else:
            self.filled[name] += len(part)
        self.ran.add(name)
        if part.shape[1] != self.rows[name].shape[1]:
            raise ValueError(
                f"layer {name!r} gives rows of {part.shape[1]} and of {self.rows[name].shape[1]} "
                "numbers: choose a pooling that makes them equally long"
            )
        self.rows[name][self.start : self.stop] = part.cpu().numpy()

    def drop_incomplete(self) -> None:
        """Forget the layers that some samples have not passed: their rows are not all known."""
        self.rows = {name: rows for name, rows in self.rows.items() if self.filled[name] == self.n}

    def _room(self, part: torch.Tensor) -> Array:
        self.bytes += self.n * part.shape[1] * part.element_size()
        memory.require(
            float(self.bytes),
            f"what {len(self.rows) + 1} layers return for {self.n} samples",
            "use pooling='mean', fewer layers or a smaller max_points",
        )
        return np.empty((self.n, part.shape[1]), str(part.dtype).removeprefix("torch."))


@contextmanager
def _hooks(layers: Mapping[str, torch.nn.Module], activations: Activations) -> Iterator[None]:
    """Hooks that exist during the pass only: training never meets them."""
    handles = []
    try:
        for name, module in layers.items():

            def hook(_: Any, __: Any, output: Any, name: str = name) -> None:
                activations.record(name, output)

            handles.append(module.register_forward_hook(hook))
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def undisturbed(model: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients, uncompiled; afterwards everything is as it was.

    That is the mode of every module, every buffer and the random states of PyTorch, NumPy and
    Python. Modes are set module by module: `train` may have been overridden to do more.
    """
    modes = [(module, module.training) for module in model.modules()]
    held = [(module, dict(module._buffers)) for module in model.modules()]
    copies = [(buffer, buffer._version, buffer.detach().clone()) for buffer in model.buffers()]
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    devices = {tensor.device for tensor in (*model.parameters(), *model.buffers())}
    cuda = [device for device in devices if device.type == "cuda"]
    try:
        with torch.random.fork_rng(devices=cuda), torch.no_grad(), _uncompiled():
            for module, _ in modes:
                module.training = False
            yield
    finally:
        for module, mode in modes:
            module.training = mode
        for module, buffers in held:
            module._buffers.clear()
            module._buffers.update(buffers)
        with torch.no_grad():
            for buffer, version, copy in copies:
                if buffer._version != version:
                    buffer.copy_(copy)
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


def _uncompiled() -> contextlib.AbstractContextManager[Any]:
    """A compiled part would not run hooks that came after it."""
    if hasattr(torch.compiler, "set_stance"):  # from 2.6 on
        stance: contextlib.AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
        return stance
    return contextlib.nullcontext()


def _call(model: torch.nn.Module, batch: Any) -> None:
    first = next((p for p in model.parameters() if p.is_floating_point()), None)
    batch = _apply(batch, lambda leaf: _as_tensor(leaf, first))
    if isinstance(batch, Mapping):
        model(**batch)
    elif isinstance(batch, (tuple, list)):
        model(*batch)
    else:
        model(batch)


def _leaves(x: Any) -> list[Any]:
    if isinstance(x, Mapping):
        return [leaf for value in x.values() for leaf in _leaves(value)]
    if isinstance(x, (tuple, list)):
        return [leaf for value in x for leaf in _leaves(value)]
    if not hasattr(x, "shape") or not hasattr(x, "__getitem__") or len(x.shape) == 0:
        raise TypeError(f"probe must hold tensors or arrays of samples, got {type(x).__name__}")
    return [x]


def _apply(x: Any, function: Any) -> Any:
    if isinstance(x, Mapping):
        return {key: _apply(value, function) for key, value in x.items()}
    if isinstance(x, (tuple, list)):
        return [_apply(value, function) for value in x]
    return function(x)


def _chosen(leaf: Any, rows: Any) -> Any:
    if isinstance(leaf, torch.Tensor):
        return leaf[torch.from_numpy(rows).to(leaf.device)]
    return np.asarray(leaf[rows])


def _as_array(leaf: Any) -> Array:
    return as_numpy(leaf.detach().cpu() if isinstance(leaf, torch.Tensor) else leaf, "probe")


def _as_tensor(leaf: Any, like: torch.Tensor | None) -> torch.Tensor:
    """On the device of the model's parameters, and arrays of floats in their dtype."""
    tensor = leaf if isinstance(leaf, torch.Tensor) else torch.from_numpy(np.array(leaf))
    if like is None:
        return tensor
    cast = not isinstance(leaf, torch.Tensor) and tensor.is_floating_point()
    return tensor.to(like.device, like.dtype if cast else None)

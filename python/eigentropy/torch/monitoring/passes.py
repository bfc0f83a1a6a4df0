"""Forward passes of the model itself, and what its layers return in the last of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eigentropy.torch.monitoring.collection import Collection, Watched
from eigentropy.torch.monitoring.hooks import Hook
from eigentropy.torch.monitoring.layers import unwrapped
from eigentropy.torch.monitoring.rows import Pooling, activation_of, reason, rows_of


@dataclass
class Pass:
    """What layers return in one forward pass.

    A layer that runs several times gives its last output.

    Attributes
    ----------
    of_model : bool
        Whether the model was called, and not only its layers.
    counts : bool
    size : int or None
        Number of samples; None until a layer has given rows.
    rows : dict of tensors or arrays (n, d)
        By the names of the layers, in the order in which they ran.
    repeated : set of str
        Layers that ran several times.
    unusable : dict of str to str
        Layers whose output is not one row a sample, and why.
    chosen, slots : arrays of int, or None
        For a reservoir: the rows that are kept, and the place of each.
    """

    of_model: bool = True
    counts: bool = True
    size: int | None = None
    rows: dict[str, Any] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)
    unusable: dict[str, str] = field(default_factory=dict)
    chosen: npt.NDArray[np.int64] | None = None
    slots: npt.NDArray[np.int64] | None = None

    @torch.no_grad()  # a pooling with weights would add to the graph that checkpointing repeats
    def add(self, name: str, output: Any, pooling: Pooling, kept: Kept) -> None:
        """Take what a layer has returned; `kept` copies it: the next module may work in place."""
        again = self.rows.pop(name, None) is not None
        self.unusable.pop(name, None)
        try:
            activation = activation_of(output)
            if again and not self.of_model and activation.size(0) != self.size:
                self._begin_anew()  # the loop has gone on to another batch
            elif again:
                self.repeated.add(name)
            rows = rows_of(activation, pooling, self.size)
            self.size = len(rows)
            self.rows[name] = kept(self, rows)
        except Exception as error:  # whatever it is, the training matters more
            self.unusable[name] = reason(error)

    def _begin_anew(self) -> None:
        self.size, self.rows, self.repeated = None, {}, set()
        self.chosen = self.slots = None


Kept = Callable[[Pass, torch.Tensor], Any]


class PassingSamples(Collection):
    """What layers return in the last forward pass of the model that counts and that has ended.

    A pass begins and ends with a call of the model; one that an exception ends does not count. A
    layer that is called outside of a pass, by another model for instance, counts only where the
    loop does not call the model itself: a LightningModule may call its parts alone.

    Attributes
    ----------
    last : Pass or None
    """

    def __init__(self, watched: Watched, who: str) -> None:
        if isinstance(watched.model, torch.nn.DataParallel) and len(watched.model.device_ids) > 1:
            raise ValueError(
                f"{who} cannot watch the replicas of DataParallel; use a probe instead"
            )
        self.root, self.pooling = unwrapped(watched.model), watched.pooling
        self.modules = [self.root, *watched.layers.values()]
        self.repeated: set[str] = set()
        self.unusable: dict[str, str] = {}
        self._forget_pass()
        self.handles = [
            self.root.register_forward_pre_hook(Hook(self.root, self._begin)),
            self.root.register_forward_hook(Hook(self.root, self._end)),
        ]
        for name, module in watched.layers.items():

            def record(module: torch.nn.Module, _: Any, output: Any, name: str = name) -> None:
                self._record(module, name, output)

            self.handles.append(module.register_forward_hook(Hook(module, record)))

    def _counts(self, modules: list[torch.nn.Module]) -> bool:
        """Whether a pass that these modules begin now is one of those that are wanted."""
        raise NotImplementedError

    def _kept(self, found: Pass, rows: torch.Tensor) -> Any:
        """A copy of what is kept of a layer's rows: the next module may work in place."""
        raise NotImplementedError

    def _forget_pass(self) -> None:
        self.last: Pass | None = None
        self._open: Pass | None = None

    def _begin(self, *_: Any) -> None:
        # The pass before may have been broken off, and is forgotten.
        self._open = Pass(of_model=True, counts=self._counts(self.modules))

    def _end(self, *_: Any) -> None:
        if self._open is not None and self._open.counts:
            self.last = self._open
        self._open = None

    def _record(self, module: torch.nn.Module, name: str, output: Any) -> None:
        found = self._open or self._beside(module)
        if found is not None and found.counts:
            found.add(name, output, self.pooling, self._kept)

    def _beside(self, module: torch.nn.Module) -> Pass | None:
        """The pass of a layer that is called outside of any call of the model."""
        if not self._counts([module]):
            return None
        if self.last is None:
            self.last = Pass(of_model=False)
        return None if self.last.of_model else self.last

    def _taken(self) -> Pass:
        """The last pass, whose samples come to the others; the next one begins anew."""
        taken = self.last or Pass(size=0)
        self.repeated |= taken.repeated
        self.unusable.update(taken.unusable)
        self._forget_pass()
        return taken

    @property
    def size(self) -> int:
        """Number of samples in the last pass."""
        return 0 if self.last is None else self.last.size or 0

    def remove(self) -> None:
        """Take the hooks off the model."""
        for handle in self.handles:
            handle.remove()

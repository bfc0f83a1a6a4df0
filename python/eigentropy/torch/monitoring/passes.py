"""Forward passes of the model itself, and what its layers return in the last of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eigentropy.torch.monitoring.collection import Collection, Counted, Watched
from eigentropy.torch.monitoring.hooks import Hook
from eigentropy.torch.monitoring.layers import modules_of, unwrapped
from eigentropy.torch.monitoring.rows import (
    LayerRows,
    NoRows,
    RowRule,
    activation_of,
    is_matrix,
    reason,
    rows_of,
)
from eigentropy.torch.monitoring.samples import Array, Numbers, token_numbers
from eigentropy.torch.tokens.calls import (
    CallMask,
    Calls,
    may_name,
    modules_around,
    named_arguments,
)
from eigentropy.torch.tokens.masks import NAME, argument

OTHER_TOKENS = (
    "its kept tokens are not those of the layers that ran before it, so that their rows do not go "
    "together: watch it by a monitor of its own"
)

SEVERAL_THREADS = (
    "two threads have called the model at the same time, and what its layers return cannot be told "
    "apart: call a watched model from one thread at a time, as by one lock around the call and "
    "{method}(), or give the monitor a probe"
)


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
    tokens : int or None
        Number of their kept tokens; None until a layer with tokens has given rows.
    prompts, positions : arrays of int, or None
        Of each row, where there is one for each token: the sample of the batch, and which of its
        kept tokens.
    rows : dict of tensors or arrays (n, d)
        By the names of the layers, in the order in which they ran.
    mask : tensor or array (prompts, tokens), or None
        Of the tokens that the model is called with, for layers that are flattened.
    repeated : set of str
        Layers that ran several times.
    padded : set of str
        Layers of tokens whose padding is in their rows.
    unusable : dict of str to str
        Layers whose output is not one row a sample, and why.
    shapes : dict of str to tuple of int
        Of a sample's activation in each layer, before it is pooled.
    chosen, slots : arrays of int, or None
        For a reservoir: the rows that are kept, and the place of each.
    thread : int
        In which it runs.
    mixed : bool
        Whether another thread has called the model meanwhile.
    """

    of_model: bool = True
    counts: bool = True
    size: int | None = None
    tokens: int | None = None
    prompts: Numbers | None = None
    positions: Numbers | None = None
    rows: dict[str, Any] = field(default_factory=dict)
    mask: Any = None
    repeated: set[str] = field(default_factory=set)
    padded: set[str] = field(default_factory=set)
    unusable: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    chosen: npt.NDArray[np.int64] | None = None
    slots: npt.NDArray[np.int64] | None = None
    thread: int = field(default_factory=threading.get_ident)
    mixed: bool = False

    def add(self, name: str, output: Any, rule: RowRule, calls: Calls, kept: Kept) -> None:
        """Take what a layer has returned; `kept` copies it: the next module may work in place."""
        if not torch.is_grad_enabled():  # in the pass of a probe
            self._add(name, output, rule, calls, kept)
            return
        # A pooling with weights would add to the graph that checkpointing repeats.
        with torch.no_grad():
            self._add(name, output, rule, calls, kept)

    def _add(self, name: str, output: Any, rule: RowRule, calls: Calls, kept: Kept) -> None:
        again = self.rows.pop(name, None) is not None
        self.unusable.pop(name, None)
        try:
            # A pooling of the caller may change a tensor in place, and gets one of its own.
            is_ready = rule.is_flat and is_matrix(output)
            activation: torch.Tensor = output if is_ready else activation_of(output)
            if again and not self.of_model and activation.size(0) != self.size:
                self._begin_anew()  # the loop has gone on to another batch
            elif again:
                self.repeated.add(name)
            mask = _mask_of(name, calls) if rule.of_tokens else None
            found = rows_of(activation, rule, self.size, mask)
            self._note_tokens(found)
            self.size = found.size
            if rule.is_flat and self._has_padding(activation):
                self.padded.add(name)
            self.shapes[name] = () if activation.is_nested else tuple(activation.shape[1:])
            self.rows[name] = kept(self, found.rows)
        except Exception as error:  # whatever it is, the training matters more
            self.unusable[name] = reason(error)

    def _note_tokens(self, found: LayerRows) -> None:
        """All layers have rows of the same tokens."""
        self.tokens = found.tokens if self.tokens is None else self.tokens
        if found.prompts is None or found.positions is None:
            return
        prompts, positions = found.prompts.cpu().numpy(), found.positions.cpu().numpy()
        if self.prompts is None or self.positions is None:
            self.prompts, self.positions = prompts, positions
        same = np.array_equal(prompts, self.prompts) and np.array_equal(positions, self.positions)
        if not same:
            raise NoRows(OTHER_TOKENS)

    def _has_padding(self, activation: torch.Tensor) -> bool:
        if self.mask is None or activation.is_nested or activation.ndim != 3:
            return False
        return self.mask.shape[1] == activation.shape[1] and bool((self.mask == 0).any())

    def _begin_anew(self) -> None:
        self.size = self.tokens = None
        self.rows, self.repeated = {}, set()
        self.prompts = self.positions = None
        self.chosen = self.slots = None

    @property
    def count(self) -> int:
        """Number of rows of each layer."""
        return (self.size or 0) if self.prompts is None else len(self.prompts)

    @property
    def counted(self) -> Counted:
        """Number of samples and of their tokens."""
        return Counted(self.size or 0, self.tokens)

    def numbers_of_rows(self, numbers: Numbers) -> Numbers:
        """The numbers of the rows, by those of the samples."""
        if self.prompts is None or self.positions is None:
            return numbers
        return token_numbers(numbers[self.prompts], self.positions)

    def labels_of_rows(self, labels: Array | None) -> Array | None:
        """The labels of the rows: a token has that of its sample."""
        return labels if self.prompts is None or labels is None else labels[self.prompts]


def _mask_of(name: str, calls: Calls) -> CallMask:
    try:
        return calls.mask_of(name)
    except (TypeError, ValueError) as error:
        raise NoRows(str(error)) from error


def flat_mask(model: torch.nn.Module, arguments: Sequence[Any], keywords: Any) -> Any:
    """The mask (prompts, tokens) that a model is called with, as it is given; or None."""
    if not may_name(NAME, model, arguments, keywords):
        return None
    known = named_arguments(model, arguments, keywords)
    mask = argument(NAME, [*known.values()], known)
    return mask if len(getattr(mask, "shape", ())) == 2 else None


def note_calls(
    calls: Calls, root: torch.nn.Module, layers: Mapping[str, torch.nn.Module], probing: bool
) -> list[Any]:
    """Handles of hooks by which the calls of layers, and of what is around them, are known.

    Put them after the hooks that take what the layers return.
    """
    handles: list[Any] = []
    for name, module in modules_around(root, modules_of(root), list(layers)).items():

        def begin(module: torch.nn.Module, *call: Any, name: str = name) -> None:
            calls.begin(name, module, *call)

        def end(*_: Any, name: str = name) -> None:
            calls.end(name)

        before, after = Hook(module, begin, probing), Hook(module, end, probing)
        handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
        handles.append(module.register_forward_hook(after, always_call=True))
    return handles


Kept = Callable[[Pass, torch.Tensor], Any]


class PassingSamples(Collection):
    """What layers return in the last forward pass of the model that counts and that has ended.

    A pass begins and ends with a call of the model; one that an exception ends does not count. A
    layer that is called outside of a pass, by another model for instance, counts only where the
    loop does not call the model itself: a LightningModule may call its parts alone. Passes of two
    threads at the same time are refused when they are taken.

    Attributes
    ----------
    last : Pass or None
    """

    def __init__(self, watched: Watched, who: str) -> None:
        if isinstance(watched.model, torch.nn.DataParallel) and len(watched.model.device_ids) > 1:
            raise ValueError(
                f"{who} cannot watch the replicas of DataParallel; use a probe instead"
            )
        self.root, self.rule, self.where = unwrapped(watched.model), watched.rule, watched.where
        self.calls = Calls(self.rule.mask)
        self.modules = [self.root, *watched.layers.values()]
        self.repeated: set[str] = set()
        self.padded: set[str] = set()
        self.unusable: dict[str, str] = {}
        self._forget_pass()
        begin = Hook(self.root, self._begin)
        self.handles = [
            self.root.register_forward_pre_hook(begin, with_kwargs=True),
            self.root.register_forward_hook(Hook(self.root, self._end)),
            # It is called after the other, and where the model raises it is called alone.
            self.root.register_forward_hook(Hook(self.root, self._close), always_call=True),
        ]
        for name, module in watched.layers.items():

            def record(module: torch.nn.Module, _: Any, output: Any, name: str = name) -> None:
                self._record(module, name, output)

            self.handles.append(module.register_forward_hook(Hook(module, record)))
        if self.rule.of_tokens:
            self.handles += note_calls(self.calls, self.root, watched.layers, probing=False)

    def _counts(self, modules: list[torch.nn.Module]) -> bool:
        """Whether a pass that these modules begin now is one of those that are wanted."""
        raise NotImplementedError

    def _kept(self, found: Pass, rows: torch.Tensor) -> Any:
        """A copy of what is kept of a layer's rows: the next module may work in place."""
        raise NotImplementedError

    def _forget_pass(self) -> None:
        self.last: Pass | None = None
        self._open: Pass | None = None

    def _begin(self, _: torch.nn.Module, arguments: Any, keywords: Any) -> None:
        # The pass before may have been broken off, and is forgotten.
        mask = flat_mask(self.root, arguments, keywords) if self.rule.is_flat else None
        self._open = Pass(
            of_model=True,
            counts=self._counts(self.modules),
            mixed=self._of_other_thread(),
            mask=mask,
        )
        self.calls.clear()

    def _end(self, *_: Any) -> None:
        if self._open is not None:
            self._open.mixed |= self._of_other_thread()
            if self._open.counts:
                self.last = self._open
        self._open = None

    def _close(self, *_: Any) -> None:
        if not self._of_other_thread():
            self._open = None

    def _of_other_thread(self) -> bool:
        return self._open is not None and self._open.thread != threading.get_ident()

    def _record(self, module: torch.nn.Module, name: str, output: Any) -> None:
        found = self._open or self._beside(module)
        if found is not None and found.counts:
            found.add(name, output, self.rule, self.calls, self._kept)

    def _beside(self, module: torch.nn.Module) -> Pass | None:
        """The pass of a layer that is called outside of any call of the model."""
        if not self._counts([module]):
            return None
        if self.last is None:
            self.last = Pass(of_model=False)
        return None if self.last.of_model else self.last

    def _check_thread(self, method: str) -> None:
        """Before the last pass is taken by this method of the monitor."""
        if self.last is not None and self.last.mixed:
            self._forget_pass()
            raise RuntimeError(SEVERAL_THREADS.format(method=method))

    def _taken(self) -> Pass:
        """The last pass, whose samples come to the others; the next one begins anew."""
        taken = self.last or Pass(size=0)
        self.repeated |= taken.repeated
        self.padded |= taken.padded
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

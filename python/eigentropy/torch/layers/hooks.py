"""Hooks that see the passes of a model, and give the states of its layers to a store."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from eigentropy._support.warnings import warn
from eigentropy.torch.layers.caches import CachedCall, cache_made, step_of
from eigentropy.torch.layers.store import Batch, TokenStore
from eigentropy.torch.layers.targets import EMBEDDING, Targets
from eigentropy.torch.monitoring.collection import REPEATED
from eigentropy.torch.monitoring.hooks import Hook
from eigentropy.torch.monitoring.rows import NoRows, activation_of
from eigentropy.torch.tokens.calls import MaskOption, named_arguments

COMPILED = (
    "if the model or a part of it is compiled, and had run before the reservoir was entered, it "
    "calls no hooks: enter before the first call, or call torch.compiler.reset()"
)

# Held while a hook works. It is one for all, since a lock of its own could not be copied.
LOCK = threading.RLock()


@dataclass
class OpenPass:
    """A call of the model, or of a part that has all layers, and the calls inside of it.

    Attributes
    ----------
    calls : list of (int, CachedCall, int)
        Those under way, from the outermost: of which module of the chain, and how many batches
        there were when it began.
    batches : list of Batch
        One for each time that the layers have run.
    batch : Batch or None
        The last, while no part with all layers has been called again.
    fault : Exception or None
        Why the pass does not count.
    encoded : bool
        Whether the model was given what its encoder had returned, so that this does not run.
    """

    calls: list[tuple[int, CachedCall, int]] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    batch: Batch | None = None
    fault: Exception | None = None
    encoded: bool = False


class TokenWatch:
    """Watches the layers of a model until it is removed.

    A pass is the outermost call of a module of the chain: the model, or a part in which all layers
    are. `generate` may call such a part alone, as the encoder. A pass counts wholly when it has
    ended, and not at all if it raises, if a layer does not run, or if states and mask do not fit;
    the model goes on then, and a warning says why. Each thread has its own pass under way.

    Parameters
    ----------
    targets : Targets
    store : TokenStore
    mask : str, callable, False or None
    """

    def __init__(
        self,
        targets: Targets,
        store: TokenStore,
        mask: MaskOption,
    ) -> None:
        self.store, self.mask, self.passes = store, mask, 0
        self.names = targets.names
        self.said: set[str] = set()
        self.under_way: weakref.WeakKeyDictionary[threading.Thread, OpenPass]
        self.under_way = weakref.WeakKeyDictionary()
        self.handles: list[Any] = []
        for number, module in enumerate(targets.chain):
            self._watch_calls(module, number)
        if targets.first is not None:
            self._hook(targets.first, True, lambda _, *call: self._take(EMBEDDING, _first(*call)))
        for name, module in targets.layers.items():
            self._hook(module, False, self._taker(name))

    @property
    def own(self) -> OpenPass:
        """The pass of this thread."""
        return self.under_way.setdefault(threading.current_thread(), OpenPass())

    @own.setter
    def own(self, found: OpenPass) -> None:
        self.under_way[threading.current_thread()] = found

    def _watch_calls(self, module: torch.nn.Module, number: int) -> None:
        def begin(module: torch.nn.Module, arguments: Any, keywords: Any) -> None:
            try:
                self._begin(number, CachedCall(named_arguments(module, arguments, keywords)))
            except Exception as error:  # of a cache that cannot say how long it is
                self._begin(number, CachedCall({}))
                self.own.fault = error

        self._hook(module, True, begin)
        self._hook(module, False, lambda _, __, output: self._end(number, output))
        # It is called after the other, and where the module raises it is called alone.
        self._hook(module, False, lambda *_: self._break_off(number), always_call=True)

    def _hook(
        self, module: torch.nn.Module, before: bool, function: Callable[..., None], **options: bool
    ) -> None:
        def alone(*call: Any) -> None:
            with LOCK:
                function(*call)

        hook = Hook(module, alone)
        if before:
            handle = module.register_forward_pre_hook(hook, with_kwargs=True)
        else:
            handle = module.register_forward_hook(hook, **options)
        self.handles.append(handle)

    def _taker(self, name: str) -> Callable[..., None]:
        return lambda _, __, output: self._take(name, output)

    def _begin(self, number: int, call: CachedCall) -> None:
        self._leave(number)  # a call that was broken off, and not by an exception
        if not self.own.calls:
            self.own = OpenPass(encoded=call.argument("encoder_outputs") is not None)
            self.passes += 1
        self.own.calls.append((number, call, len(self.own.batches)))
        self.own.batch = None

    def _leave(self, number: int) -> bool:
        """The call of a module of the chain is over, and what was inside of it."""
        calls = self.own.calls
        inside = [call for call in calls if call[0] >= number]
        del calls[len(calls) - len(inside) :]
        return bool(inside)

    def _take(self, name: str, output: Any) -> None:
        found = self.own
        if not found.calls or found.fault is not None:
            return
        try:
            states = _states(name, output)
            if found.batch is None:
                batches = [one for each in self.under_way.values() for one in each.batches]
                after = max((batch.placed.end for batch in batches), default=0)
                step = step_of([call for _, call, _ in found.calls[::-1]], states, self.mask)
                found.batch = self.store.begin(step, after=after)
                found.batches.append(found.batch)
            self.store.take(found.batch, name, states)
        except Exception as error:  # whatever it is, the model matters more
            found.fault = error

    def _end(self, number: int, output: Any) -> None:
        if self.own.batch is not None and self.own.batch.cache is None:
            self.own.batch.cache = cache_made(output)
        if not self._leave(number) or self.own.calls:
            return
        found, self.own = self.own, OpenPass()
        try:
            if found.fault is not None:
                raise found.fault
            for batch in found.batches:
                self._check_layers(batch)
            self.store.commit(found.batches)
            if not found.batches and not found.encoded:
                self._say(f"none of the layers has run in a forward pass: {COMPILED}")
        except Exception as error:
            self._say(f"forward pass {self.passes} does not count: {error}")

    def _check_layers(self, batch: Batch) -> None:
        missing = [name for name in self.names if name not in batch.rows]
        if missing:
            raise ValueError(
                f"layer {missing[0]!r} did not run: leave it out of layers; {COMPILED}"
            )
        for name in batch.repeated:
            self._say(f"layer {name!r} {REPEATED}")

    def _break_off(self, number: int) -> None:
        before = next((call[2] for call in self.own.calls if call[0] == number), None)
        if before is not None:
            del self.own.batches[before:]
            self.own.batch = None
            self._leave(number)

    def _say(self, text: str) -> None:
        """Warn, once of each kind."""
        self.store.refused = f"; {text}"
        kind = text.partition(": ")[2] or text
        if kind not in self.said:
            self.said.add(kind)
            warn(text)

    def forget(self) -> None:
        """The passes that are under way do not count."""
        self.under_way.clear()

    def remove(self) -> None:
        """Take the hooks off the model."""
        for handle in self.handles:
            handle.remove()
        self.forget()


def _states(name: str, output: Any) -> torch.Tensor:
    try:
        return activation_of(output)
    except NoRows:
        kind = type(output).__name__
        raise TypeError(
            f"layer {name!r}: it returns {kind}, in which there is no tensor of states (prompts, "
            "tokens, d): leave it out of layers"
        ) from None


def _first(arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    """What goes into a block."""
    return keywords.get("hidden_states", [*arguments, keywords])

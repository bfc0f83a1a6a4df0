"""A bounded random sample of the tokens that pass through the layers of a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eigentropy._support.options import integer, one_of, random_seed
from eigentropy._support.signatures import named_options, nearest
from eigentropy._support.warnings import warn
from eigentropy.torch.layers.caches import configured_ends
from eigentropy.torch.layers.hooks import COMPILED, LOCK, TokenWatch
from eigentropy.torch.layers.selection import BYTES_OF_A_TOKEN
from eigentropy.torch.layers.sequences import Ends, TokenStep, fitting
from eigentropy.torch.layers.states import block_names, chosen_names
from eigentropy.torch.layers.storage import STORED_DTYPES, Form
from eigentropy.torch.layers.store import TokenStore
from eigentropy.torch.layers.targets import find_targets
from eigentropy.torch.monitoring.layers import Layers, as_sequence
from eigentropy.torch.monitoring.samples import Array, Numbers
from eigentropy.torch.tokens.calls import MaskOption, checked_option
from eigentropy.torch.tokens.masks import kept_tokens
from eigentropy.torch.tokens.pooling import check_normalize


class TokenReservoir:
    """A random sample of the tokens that pass through a model, the same tokens in each layer.

    As a context manager it watches a model by hooks: each forward pass inside counts, of an
    evaluation as of `generate`, when it has ended. Without a model, `add` takes what
    ``output_hidden_states=True`` returns. Which tokens are stored depends on the seed, the prompts
    and their order, and not on how they are batched or padded.

    Padding does not count, nor does what follows the end of a row in `generate`. Rows of a batch
    are prompts of their own: ``num_return_sequences=k`` and k beams make k prompts of one, with
    numbers k * i to k * i + k - 1, and of beams each token counts that the model has read, also
    where the beam is given up. Without a cache (``use_cache=False``) each step reads all tokens
    again; the new ones count. In a row that `generate` goes on with, a padding token of the model's
    configuration never counts, also where it is drawn by chance: whether the row has ended is known
    only later. Several threads may call the model: their passes count one by one, and prompts have
    numbers in the order in which passes begin. Read the rows when the threads have ended.

    Parameters
    ----------
    model : torch.nn.Module or None
    layers : str, module, or sequence of them
        Names, patterns or modules as in `Monitor`. "auto" takes the blocks of the transformer and,
        as "embedding", what goes into the first; of an encoder with a decoder those of the encoder.
        "block 1" is the first block, also where it has another name as a module. What the last
        block returns stands before a final normalisation of the model. Without a model: names,
        patterns or numbers of some of the layers that `add` is given.
    n : int or None
        How many tokens at most; None where `max_bytes` alone is to decide.
    max_bytes : int or None
        How many bytes the stored tokens of all layers may take together.
    dtype : {"bfloat16", "float16", "float32"}
        In which states are stored.
    mask : str, callable, False or None
        The argument that says which tokens are real, of the innermost call that has it, or a
        function from the arguments of the model's call, by their names, to a tensor (prompts,
        tokens). False: all are. None is "attention_mask" of the innermost call that has tokens:
        layers of a decoder have the mask of the decoder.
    drop_first : int
        How many real tokens at the beginning of each prompt are left out.
    normalize : {"none", "l2", "layer"}
        Of each token before it is stored: divided by its length, or to mean 0 and variance 1 over
        its features.
    device : str or torch.device
        Where states are stored; "model" is where each layer returns them.
    end_tokens : int, sequence of int, or None
        The numbers of the tokens that end a row of `generate`, as ``generate(eos_token_id=...)``.
        None takes those of the model's configuration.
    seed : int

    Attributes
    ----------
    layers : tuple of str
    prompts, positions : arrays of int (m,)
        Of each stored token: the number of its prompt, in the order in which prompts came, and its
        place among the real tokens of the prompt, from 0.
    labels : array (m,) or None
        As given to `add`. Labels of prompts that a hooked model has read are
        ``labels[reservoir.prompts]``.
    seen, prompts_seen : int
        How many kept tokens and how many prompts have passed.
    nbytes : int
        What the stored tokens take. While a pass is under way, the copies of those of its tokens
        that may be stored take at most as much again.
    """

    @named_options()
    def __init__(
        self,
        model: torch.nn.Module | None = None,
        layers: Layers = "auto",
        n: int | None = 16_384,
        *,
        max_bytes: int | None = None,
        dtype: str = "bfloat16",
        mask: MaskOption = None,
        drop_first: int = 0,
        normalize: str = "none",
        device: str | torch.device = "cpu",
        end_tokens: int | Sequence[int] | None = None,
        seed: int = 0,
    ) -> None:
        check_normalize(normalize)
        name = one_of(str(dtype).removeprefix("torch."), "dtype", STORED_DTYPES)
        place = None if device == "model" else torch.device(device)
        self._mask = checked_option(mask, "that of a batch goes to add(states, mask)")
        self._model, self._wanted = model, layers
        self._targets = None if model is None else find_targets(model, layers)
        chain = [] if self._targets is None else self._targets.chain
        _ends(end_tokens, chain)
        self._store = TokenStore(
            *_bounds(n, max_bytes),
            Form(getattr(torch, name), place, normalize),
            integer(drop_first, "drop_first", at_least=0),
            random_seed(seed),
            lambda: _ends(end_tokens, chain),
        )
        self._watch: TokenWatch | None = None

    def __enter__(self) -> TokenReservoir:
        if self._model is None or self._targets is None:
            raise RuntimeError("there is no model to hook: TokenReservoir(model), or use add()")
        if self._watch is not None:
            raise RuntimeError("the reservoir is entered already, and watches the model")
        self._watch = TokenWatch(self._targets, self._store, self._mask)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.remove()
            if kind is None and not watch.passes:
                warn(f"no forward pass of the model was seen by its hooks: {COMPILED}")

    def add(
        self,
        states: Mapping[str, torch.Tensor] | Sequence[torch.Tensor],
        mask: torch.Tensor | None = None,
        labels: Any = None,
    ) -> None:
        """Take the states of one batch, such as ``model(..., output_hidden_states=True)`` returns.

        Parameters
        ----------
        states : mapping or sequence of tensors (prompts, tokens, d)
            One a layer; the layers of a sequence are called "embedding", "block 1", "block 2", and
            so on. The last hidden state of many decoders, such as GPT-2 and Llama, is behind their
            final normalisation, unlike what hooks find.
        mask : tensor (prompts, tokens) or None
            True where a token is real; None: all are. A mask that is longer than the states, and
            whose first columns are those of the batch before, says that these go on, as
            generation does.
        labels : array (prompts,) or (prompts, tokens), or None

        Raises
        ------
        TypeError, ValueError
            States, mask or labels do not fit each other or those before, nothing is kept of a
            prompt, or the states are complex. Nothing of the batch is stored then.
        """
        if self._model is not None:
            raise RuntimeError("add() is for a reservoir without a model; this one has hooks")
        chosen = _chosen(states, self._wanted)
        step = TokenStep(*fitting(next(iter(chosen.values())), mask))
        batch = self._store.begin(step, labels)
        if batch.placed.new:
            kept_tokens(step.mask, step.shape, self._store.drop_first)
        for name, one in chosen.items():
            self._store.take(batch, name, one)
        self._store.commit([batch])

    def rows(self, layer: str | int) -> npt.NDArray[np.float32]:
        """The stored tokens of a layer, float32 (m, d), ordered by prompt and position.

        Parameters
        ----------
        layer : str or int
            Its name, or its place in `layers`. "block 1" is the first block of a model.

        Raises
        ------
        ValueError
            There is no such layer, or no token is stored.
        """
        storage = self._store.storage
        if storage is None:
            how = "add() has taken no batch" if self._model is None else "no forward pass counts"
            raise ValueError(f"no token is stored, since {how}{self._store.refused}")
        if self._targets is not None and isinstance(layer, str) and layer not in self.layers:
            layer = self._targets.blocks.get(layer, layer)
        return storage.rows(_name(layer, self.layers), self._store.selection.order())

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the layers, in the order of the model, or in which `add` got them."""
        if self._targets is not None:
            return tuple(self._targets.names)
        return () if self._store.storage is None else tuple(self._store.storage.arrays)

    @property
    def prompts(self) -> Numbers:
        """The number of the prompt of each stored token."""
        return self._store.selection.prompts[self._store.selection.order()]

    @property
    def positions(self) -> Numbers:
        """The place of each stored token among the real tokens of its prompt."""
        return self._store.selection.positions[self._store.selection.order()]

    @property
    def labels(self) -> Array | None:
        """The label of each stored token."""
        labels = self._store.selection.labels
        return None if labels is None else np.array(labels[self._store.selection.order()].tolist())

    @property
    def seen(self) -> int:
        """How many kept tokens have passed."""
        return self._store.seen

    @property
    def prompts_seen(self) -> int:
        """How many prompts have passed."""
        return self._store.sequences.count

    @property
    def nbytes(self) -> int:
        """What the stored tokens take, and the room for more."""
        return self._store.nbytes

    def discard(self) -> None:
        """Forget the tokens, and number prompts from 0 again."""
        with LOCK:
            self._store.forget()
            if self._watch is not None:
                self._watch.forget()

    def __len__(self) -> int:
        return self._store.selection.n

    def __repr__(self) -> str:
        return (
            f"TokenReservoir({len(self)} of {self.seen} tokens of {self.prompts_seen} prompts, "
            f"{len(self.layers)} layers, {self.nbytes / 2**20:.1f} MiB)"
        )


def _bounds(n: int | None, max_bytes: int | None) -> tuple[int, int | None]:
    """How many tokens and how many bytes at most."""
    most = None if max_bytes is None else integer(max_bytes, "max_bytes", at_least=1)
    if n is not None:
        return integer(n, "n", at_least=1), most
    if most is None:
        raise ValueError("n=None needs max_bytes: one of both bounds the reservoir")
    return max(1, most // BYTES_OF_A_TOKEN), most


def _ends(given: int | Sequence[int] | None, chain: Sequence[torch.nn.Module]) -> Ends:
    """Read at each step: a configuration may change."""
    configured = configured_ends(chain)
    if given is None:
        return configured
    several = given if isinstance(given, Iterable) else [given]
    final = frozenset(integer(one, "end_tokens", at_least=0) for one in several)
    return Ends(final, configured.padding)


def _chosen(states: Any, wanted: Any) -> dict[str, torch.Tensor]:
    """The states of the layers that are wanted, by name."""
    if isinstance(states, torch.Tensor) or not isinstance(states, (Mapping, Sequence)):
        raise TypeError(
            "states must be a mapping or a sequence of tensors, one a layer, got "
            f"{type(states).__name__}; one layer is {{'name': states}}"
        )
    if not states:
        raise ValueError("states has no layers")
    if not isinstance(states, Mapping):
        states = dict(zip(block_names(len(states)), states, strict=True))
    found = {str(name): one for name, one in states.items()}
    if not isinstance(wanted, str) or wanted != "auto":
        several: Any = as_sequence(wanted)
        found = {name: found[name] for name in chosen_names([*found], several)}
    for name, one in found.items():
        if not isinstance(one, torch.Tensor):
            raise TypeError(f"states[{name!r}] must be a tensor, got {type(one).__name__}")
    return found


def _name(layer: Any, names: tuple[str, ...]) -> str:
    """The name of a layer that is given by its name or its place."""
    if isinstance(layer, str) and layer in names:
        return layer
    if isinstance(layer, int) and -len(names) <= layer < len(names):
        return names[layer]
    near = nearest(str(layer), names)
    hint = f"; the nearest is {near!r}" if near else ""
    raise ValueError(
        f"layer must be one of {', '.join(map(repr, names))}, or a place among them, got "
        f"{layer!r}{hint}"
    )

"""Models as extractors: batches in, one pooled row a sample out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from eigentropy.baselines._pytorch import usual_defaults
from eigentropy.torch.features import digests
from eigentropy.torch.features.pooling import Pooling, first_tensor, layer_rows, pooled
from eigentropy.torch.features.preparation import Preparation
from eigentropy.torch.monitoring.hooks import Probing
from eigentropy.torch.monitoring.layers import find_layers, unwrapped
from eigentropy.torch.monitoring.undisturbed import undisturbed

FEATURES = "features"
LAYER = "layers."

PENULTIMATE = "penultimate"

# The dtype of what computes in types of its own choice.
OWN_TYPE = "own"

# Of one sample, memory in units of the largest output of a module: inputs, outputs and what
# convolutions and attention lay out between them. A guess, on the safe side; a batch that does not
# fit is halved.
LIVE_OUTPUTS = 8


@dataclass(frozen=True)
class Request:
    """What `extract` is asked for.

    Attributes
    ----------
    source : str
        As messages name it.
    kind : str
        Of the samples.
    pooling, layers, output, preprocessing, weights, offline
        As for `extract`.
    device : torch.device
    dtype : torch.dtype
        Of products.
    other_tokenizer : str
        How another tokenizer is given, for messages.
    """

    source: str
    kind: str
    pooling: Pooling
    layers: Sequence[str]
    output: str | int | None
    preprocessing: Any
    weights: Any
    offline: bool
    device: torch.device
    dtype: torch.dtype
    other_tokenizer: str = "preprocessing={'tokenizer': NAME_OR_FOLDER}"

    def require_images(self) -> None:
        """Refuse texts for a model of images; arrays are given to it as they are."""
        if self.kind == "texts":
            raise TypeError(
                f"{self.source} takes images, and the data are texts; hf:NAME has models of texts"
            )


class Extractor:
    """A model whose outputs become rows.

    Attributes
    ----------
    preparation : Preparation
    identity : dict of str to (str or None)
        ``weights``, and what else decides about the rows; None where it is not known.
    fixed_batch : int or None
        The only size of a batch that the model takes.
    """

    preparation: Preparation
    identity: dict[str, str | None]
    fixed_batch: int | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """A block in which batches are run, after which all is as it was."""
        yield

    def rows(self, items: list[Any]) -> dict[str, torch.Tensor]:
        """The rows of prepared samples, (b, d) each: ``features`` and ``layers.NAME``."""
        raise NotImplementedError

    def probed(self, item: Any) -> tuple[dict[str, torch.Tensor], float]:
        """The rows of one sample, and an estimate of the memory that it takes; 0 if unknown."""
        return self.rows([item]), 0.0


class FunctionExtractor(Extractor):
    """A function of a batch."""

    def __init__(
        self, function: Callable[[Any], Any], wanted: Request, preparation: Preparation
    ) -> None:
        if wanted.layers:
            raise TypeError(f"{wanted.source} is a function without modules; layers needs a module")
        self.preparation = preparation
        # What a function refers to is not known, and it computes in types of its own.
        self.identity = {"weights": None, "dtype": OWN_TYPE}
        self._function, self._wanted = function, wanted

    def rows(self, items: list[Any]) -> dict[str, torch.Tensor]:
        """What the function returns, pooled."""
        with torch.no_grad():
            output = self._function(self.preparation.together(items))
        if not isinstance(output, (torch.Tensor, Mapping)) and not _has_tensor(output):
            output = torch.from_numpy(np.array(output))
        return {FEATURES: pooled(output, self._wanted.pooling, self._wanted.output).cpu()}


class ModuleExtractor(Extractor):
    """A module of PyTorch.

    Parameters
    ----------
    model : torch.nn.Module
    wanted : Request
    preparation : Preparation
    call : callable, optional
        What is called with the batch, by default the model.
    lent : bool, default=False
        The caller's own module, with which a training may go on.
    output : optional
        What is taken where the caller names nothing.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        wanted: Request,
        preparation: Preparation,
        *,
        call: Callable[..., Any] | None = None,
        lent: bool = False,
        output: str | int | None = None,
    ) -> None:
        self.preparation = preparation
        self._model, self._wanted, self._lent = model, wanted, lent
        self._call = model if call is None else call
        self._output = output if wanted.output is None else wanted.output
        self._layers = find_layers(unwrapped(model), list(wanted.layers)) if wanted.layers else {}
        self._penultimate = last_linear(model) if self._output == PENULTIMATE else None
        self._seen: dict[str, torch.Tensor] = {}
        self._mask: torch.Tensor | None = None
        first = next(model.parameters(), None)
        self._type = torch.float32 if first is None else first.dtype
        self.identity = {
            "weights": digests.of_weights(model),
            "architecture": digests.of_parts([type(model).__qualname__, repr(model)]),
            "output": "" if self._output is None else str(self._output),
        }

    @contextmanager
    def running(self) -> Iterator[None]:
        """Evaluation mode, without gradients; hooks for the layers.

        A module of the caller's keeps no tensors of inference mode: what it may have cached could
        not be trained with.
        """
        device, dtype = self._wanted.device.type, self._wanted.dtype
        with ExitStack() as stack:
            stack.enter_context(undisturbed(self._model))
            stack.enter_context(Probing())
            if not self._lent:
                stack.enter_context(torch.inference_mode())
                stack.enter_context(usual_defaults(torch))
            halved = dtype != torch.float32
            stack.enter_context(torch.autocast(device, dtype if halved else None, enabled=halved))
            for name, module in self._layers.items():
                handle = module.register_forward_hook(self._keep(LAYER + name))
                stack.callback(handle.remove)
            if self._penultimate is not None:
                before = self._penultimate.register_forward_pre_hook(self._keep_input)
                stack.callback(before.remove)
            yield

    def _keep(self, key: str) -> Callable[..., None]:
        def keep(_: Any, __: Any, output: Any) -> None:
            tensor = first_tensor(output)
            if tensor is None:
                raise TypeError(f"layers: {key.removeprefix(LAYER)!r} returns no tensor")
            self._seen[key] = layer_rows(tensor, self._wanted.pooling, self._mask)

        return keep

    def _keep_input(self, _: Any, arguments: Any) -> None:
        self._seen[PENULTIMATE] = arguments[0]

    def rows(self, items: list[Any]) -> dict[str, torch.Tensor]:
        """The model's outputs, pooled, and those of its layers."""
        batch = self._placed(self.preparation.together(items))
        self._seen.clear()
        self._mask = batch.get("attention_mask") if isinstance(batch, dict) else None
        output = self._call(**batch) if isinstance(batch, dict) else self._call(batch)
        which = self._output
        if self._penultimate is not None:
            output, which = self._seen.pop(PENULTIMATE), None
        found = {FEATURES: pooled(output, self._wanted.pooling, which, self._mask), **self._seen}
        missing = [name for name in self._layers if LAYER + name not in found]
        if missing:
            raise ValueError(
                f"layers: {missing[0]!r} does not run when {self._wanted.source} is called; choose "
                "a module that does"
            )
        return {key: rows.cpu() for key, rows in found.items()}

    def _placed(self, batch: Any) -> Any:
        """The batch on the model's device; numbers in its type."""
        if isinstance(batch, Mapping):
            return {key: self._placed(value) for key, value in batch.items()}
        if not isinstance(batch, torch.Tensor):
            return batch
        dtype = self._type if batch.is_floating_point() else batch.dtype
        return batch.to(self._wanted.device, dtype, non_blocking=True)

    def probed(self, item: Any) -> tuple[dict[str, torch.Tensor], float]:
        """The rows of one sample, and its memory by the largest output of a module."""
        largest = 0.0

        def look(_: Any, __: Any, output: Any) -> None:
            nonlocal largest
            tensor = first_tensor(output)
            if tensor is not None:
                largest = max(largest, float(tensor.numel() * tensor.element_size()))

        handles = [module.register_forward_hook(look) for module in self._model.modules()]
        try:
            return self.rows([item]), LIVE_OUTPUTS * largest
        finally:
            for handle in handles:
                handle.remove()


def _has_tensor(output: Any) -> bool:
    several = isinstance(output, (tuple, list))
    return several and any(isinstance(one, torch.Tensor) for one in output)


def last_linear(model: torch.nn.Module) -> torch.nn.Module:
    """The last linear layer of a classifier; the last convolution, if it has no linear one.

    Raises
    ------
    ValueError
        It has neither.
    """
    for kind in (torch.nn.Linear, torch.nn.Conv2d):
        found = [module for module in model.modules() if isinstance(module, kind)]
        if found:
            return found[-1]
    raise ValueError(
        f"output='penultimate': {type(model).__name__} has no linear layer; name one of its "
        "outputs, or a module by layers="
    )

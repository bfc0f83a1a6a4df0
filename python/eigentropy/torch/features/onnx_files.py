"""ONNX files, run by onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eigentropy.io.paths import FileError, named_errors, shown
from eigentropy.torch.features.extractors import (
    FEATURES,
    LAYER,
    OWN_TYPE,
    PENULTIMATE,
    Extractor,
    Request,
)
from eigentropy.torch.features.onnx_graphs import OnnxGraph, digest_of
from eigentropy.torch.features.own_preprocessing import own
from eigentropy.torch.features.packages import required
from eigentropy.torch.features.pooling import layer_rows, pooled
from eigentropy.torch.features.scarcity import is_out_of_memory

# onnxruntime looks for weights in other files there, where the graph is given as bytes.
_FOLDER = "session.model_external_initializers_file_folder_path"

_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}


def open_onnx(name: str, wanted: Request) -> Extractor:
    """The network in a file, of which the input of its classifier is taken.

    The side of pictures and where their channels stand follow from the shape of its input. The file
    does not say how pictures are normalised: values from 0 to 1, unless `preprocessing` has a mean
    and a std.
    """
    path = Path(name)
    if not path.is_file():
        raise FileError(f"{wanted.source}: there is no file {shown(path)}")
    if wanted.weights is not None:
        raise ValueError(f"{wanted.source} has the weights of the file; leave weights= out")
    return OnnxExtractor(path, wanted)


class OnnxExtractor(Extractor):
    """A session of onnxruntime.

    Parameters
    ----------
    path : Path
    wanted : Request
    """

    def __init__(self, path: Path, wanted: Request) -> None:
        runtime = required("onnxruntime", wanted.source)
        self._wanted = wanted
        with named_errors(path):
            plain = _session(runtime, path, path, wanted)
        outputs = [one.name for one in plain.get_outputs()]
        inner = [name for name in wanted.layers if name not in outputs]
        self._output = _output(path, wanted, outputs)
        if self._output not in outputs:
            inner.append(self._output)
        self._session = plain
        if inner:
            content = OnnxGraph(path, wanted.source).with_outputs(inner)
            self._session = _session(runtime, content, path, wanted)
        self._inputs = {one.name: one for one in plain.get_inputs()}
        self._first = plain.get_inputs()[0]
        size = self._first.shape[0] if self._first.shape else None
        self.fixed_batch = size if isinstance(size, int) and size > 0 else None
        self._channels_last, picture = _picture(self._first)
        self.preparation = own(
            wanted.source,
            wanted.kind,
            wanted.preprocessing,
            wanted.offline,
            picture=picture if wanted.kind == "images" else None,
        )
        self.identity = {
            "weights": digest_of(path),
            "output": self._output,
            "dtype": OWN_TYPE,
        }

    def rows(self, items: list[Any]) -> dict[str, torch.Tensor]:
        """The tensors that are wanted, pooled."""
        fixed = self.fixed_batch or len(items)
        filled = items + items[-1:] * (fixed - len(items))
        batch = self.preparation.together(filled)
        mask = batch.get("attention_mask") if isinstance(batch, Mapping) else None
        names = list(dict.fromkeys([self._output, *self._wanted.layers]))
        found = self._run(names, self._fed(batch))
        tensors = dict(zip(names, map(torch.from_numpy, found), strict=True))
        how = self._wanted.pooling
        rows = {LAYER + name: layer_rows(tensors[name], how, mask) for name in self._wanted.layers}
        rows[FEATURES] = pooled(tensors[self._output], how, None, mask)
        return {key: one[: len(items)] for key, one in rows.items()}

    def _run(self, names: list[str], inputs: dict[str, Any]) -> list[Any]:
        try:
            return list(self._session.run(names, inputs))
        except Exception as error:  # of classes of its own, whatever is wrong
            reason = " ".join(str(error).split())[:300]
            if is_out_of_memory(error):
                raise MemoryError(reason) from error
            shapes = ", ".join(f"{name} {one.shape}" for name, one in inputs.items())
            raise ValueError(f"{self._wanted.source} does not run on {shapes}: {reason}") from error

    def _fed(self, batch: Any) -> dict[str, Any]:
        """Arrays by the names of the inputs, in their types."""
        if not isinstance(batch, Mapping):
            if self._channels_last and self._wanted.kind == "images":
                batch = batch.permute(0, 2, 3, 1)
            batch = {self._first.name: batch}
        if "input_ids" in batch:  # of one segment, which not every tokenizer says
            batch = {"token_type_ids": torch.zeros_like(batch["input_ids"]), **batch}
        missing = [name for name in self._inputs if name not in batch]
        if missing:
            raise ValueError(
                f"{self._wanted.source} needs the input {missing[0]!r}, too; give "
                f"preprocessing=function that returns a dict of {', '.join(self._inputs)}"
            )
        return {
            name: np.ascontiguousarray(
                np.asarray(batch[name]), dtype=_TYPES.get(self._inputs[name].type, np.float32)
            )
            for name in self._inputs
        }


def _session(runtime: Any, model: Any, path: Path, wanted: Request) -> Any:
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry(_FOLDER, str(path.parent))
    provider = "CPUExecutionProvider"
    if wanted.device.type == "cuda":
        provider = "CUDAExecutionProvider"
        if provider not in runtime.get_available_providers():
            raise ImportError(
                f"{wanted.source}: device={str(wanted.device)!r} needs onnxruntime-gpu; pip "
                "install it in the place of onnxruntime, or leave device out"
            )
    what = model if isinstance(model, bytes) else str(model)
    return runtime.InferenceSession(what, options, providers=[provider])


def _output(path: Path, wanted: Request, outputs: Sequence[str]) -> str:
    """The tensor that is taken for the features."""
    which = wanted.output
    if which is None or which == PENULTIMATE:
        return OnnxGraph(path, wanted.source).before_classifier()
    if isinstance(which, int):
        if not 0 <= which < len(outputs):
            raise ValueError(
                f"output: {wanted.source} has {len(outputs)} outputs, and no number {which}"
            )
        return outputs[which]
    return which


def _picture(first: Any) -> tuple[bool, dict[str, Any] | None]:
    """Whether an input has its channels last, and the size of pictures if it says so."""
    shape = list(first.shape)
    if len(shape) != 4:
        return False, None
    last = shape[3] in (1, 3) and shape[1] not in (1, 3)
    sides = shape[1:3] if last else shape[2:4]
    known = all(isinstance(side, int) and side > 0 for side in sides)
    return last, {"size": tuple(sides)} if known else {}

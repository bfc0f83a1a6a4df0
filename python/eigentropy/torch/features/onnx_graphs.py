"""The graph of an ONNX file: which tensor enters its classifier, and inner tensors as outputs.

Needs the package `onnx`. Weights that lie in other files are not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eigentropy._support.signatures import nearest
from eigentropy.torch.features import digests
from eigentropy.torch.features.packages import required

# What a graph calls the name of another file.
_EXTERNAL = b"location"

# Layers that multiply by weights.
_LINEAR: tuple[str, ...] = ("Gemm", "MatMul")

# What may stand between a classifier and its output: a bias, a softmax, a change of shape.
_AFTER: tuple[str, ...] = (
    "Add", "Cast", "Flatten", "Identity", "LogSoftmax", "Reshape", "Sigmoid", "Softmax", "Squeeze",
)  # fmt: skip

# Before a softmax, a convolution may be the classifier, of which the mean over space is taken.
_SOFTMAX = ("LogSoftmax", "Softmax")
_BY_CONVOLUTION = ("AveragePool", "Dropout", "GlobalAveragePool", "ReduceMean", "Relu")


class OnnxGraph:
    """The graph of a file.

    Parameters
    ----------
    path : Path
    source : str
        As messages name it.

    Raises
    ------
    ImportError
        The package `onnx` is missing.
    """

    def __init__(self, path: Path, source: str) -> None:
        onnx = required("onnx", f"{source}, of which an inner tensor is wanted,")
        self._model = onnx.load(path, load_external_data=False)
        self._source = source
        graph = self._model.graph
        self._makers = {name: node for node in graph.node for name in node.output if name}
        constants = {one.name for one in graph.initializer}
        constants |= {node.output[0] for node in graph.node if node.op_type == "Constant"}
        self._constants = self._with_dequantised(constants)

    def _with_dequantised(self, constants: set[str]) -> set[str]:
        """What only depends on weights is constant, too: they may be unpacked or transposed."""
        found = set(constants)
        for node in self._model.graph.node:  # which stand in the order in which they run
            if node.input and all(name in found for name in node.input if name):
                found.update(node.output)
        return found

    def before_classifier(self) -> str:
        """The tensor that enters the last linear layer, if only its bias or a softmax follows.

        Else it is the first output of the graph, which then is no classifier's.
        """
        first = str(self._model.graph.output[0].name)
        name, linear, after = first, _LINEAR, _AFTER
        while (node := self._makers.get(name)) is not None:
            changing = [str(one) for one in node.input if one and one not in self._constants]
            if len(changing) != 1:
                break
            if node.op_type in linear:
                return changing[0]
            if node.op_type not in after:
                break
            if node.op_type in _SOFTMAX:
                linear, after = (*_LINEAR, "Conv"), (*_AFTER, *_BY_CONVOLUTION)
            name = changing[0]
        return first

    def with_outputs(self, names: Sequence[str]) -> bytes:
        """The file's bytes, where these tensors are outputs.

        Raises
        ------
        ValueError
            There is no such tensor; the message has the nearest.
        """
        onnx = required("onnx", self._source)
        graph = self._model.graph
        for name in names:
            if name not in self._makers:
                near = nearest(name, self._makers)
                hint = f"; the nearest is {near!r}" if near else ""
                raise ValueError(f"{self._source} has no tensor {name!r}{hint}")
            if name not in {one.name for one in graph.output}:
                graph.output.append(onnx.ValueInfoProto(name=name))
        content: bytes = self._model.SerializeToString()
        return content


def digest_of(path: Path) -> str | None:
    """SHA-256 of a file and of the files that have its weights.

    None if it has such files and the package `onnx`, which could name them, is missing.
    """
    if _EXTERNAL not in path.read_bytes():
        return digests.of_file(path)
    try:
        onnx = required("onnx", "a file with weights in others")
    except ImportError:
        return None
    graph = onnx.load(path, load_external_data=False).graph
    entries = (entry for tensor in graph.initializer for entry in tensor.external_data)
    others = sorted({entry.value for entry in entries if entry.key == _EXTERNAL.decode()})
    files = [path, *(path.parent / name for name in others)]
    return digests.of_parts(digests.of_file(file) for file in files)

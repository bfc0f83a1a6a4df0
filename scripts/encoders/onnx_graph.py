"""Inner tensors of an ONNX file, by onnxruntime on one thread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


class Graph:
    """The part of an ONNX file that the named tensors need, which it returns.

    Its input may have any size that this part takes.
    """

    def __init__(self, content: bytes, tensors: Mapping[str, str]) -> None:
        import onnx
        import onnxruntime

        model = onnx.load_from_string(content)
        _keep(model.graph, tensors.values())
        for own in model.graph.input:
            own.type.tensor_type.ClearField("shape")
        del model.graph.output[:]
        for tensor in tensors.values():
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(tensor))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self.layers = list(tensors)
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, **inputs: Any) -> dict[str, np.ndarray]:
        """The tensors by their layers."""
        return dict(zip(self.layers, self.session.run(None, inputs), strict=True))


def _keep(graph: Any, tensors: Iterable[str]) -> None:
    """Remove the nodes that these tensors do not need. Nodes stand after those that they need."""
    needed, kept = set(tensors), []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= _inputs(node)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))


def _inputs(node: Any) -> set[str]:
    """What a node reads, with what the branches inside of it read."""
    inside = [each for attribute in node.attribute for each in attribute.g.node]
    return set(node.input).union(*map(_inputs, inside))

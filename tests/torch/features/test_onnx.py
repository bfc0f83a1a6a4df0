"""ONNX files: which tensor is the features, sizes and layouts of pictures, inner tensors."""

from __future__ import annotations

import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from onnx import TensorProto, helper, numpy_helper

from eigentropy.io import FileError, read_matrix
from eigentropy.torch.features import extract
from messages import naming

SIDE, INNER, CLASSES = 8, 5, 3


@pytest.fixture
def path(tmp_path):
    return tmp_path / "features.safetensors"


@pytest.fixture
def weights(rng):
    shapes = {"W": (3, INNER), "b": (INNER,), "V": (INNER, CLASSES), "c": (CLASSES,)}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def saved(file, nodes, constants, inputs, outputs, kind=TensorProto.FLOAT):
    """The source of a graph that is written to a file."""
    graph = helper.make_graph(
        nodes, "tiny",
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), file)
    return f"onnx:{file}"


def classifier(file, weights, *, shape, ending="Gemm"):
    """The mean over space, a linear layer, tanh, and one of three endings."""
    axes = [2, 3] if shape[1] == 3 else [1, 2]
    nodes = [
        helper.make_node("ReduceMean", ["pictures", "axes"], ["means"], keepdims=0),
        helper.make_node("Gemm", ["means", "W", "b"], ["linear"]),
        helper.make_node("Tanh", ["linear"], ["inner"]),
    ]
    if ending == "Gemm":
        nodes += [helper.make_node("Gemm", ["inner", "V", "c"], ["output"])]
    elif ending == "softmax":
        nodes += [
            helper.make_node("MatMul", ["inner", "V"], ["logits"]),
            helper.make_node("Add", ["logits", "c"], ["biased"]),
            helper.make_node("Softmax", ["biased"], ["output"]),
        ]
    else:  # no classifier
        nodes += [helper.make_node("Relu", ["inner"], ["output"])]
    constants = {**weights, "axes": np.array(axes, np.int64)}
    return saved(file, nodes, constants, {"pictures": shape}, ["output"])


def means(pictures, mean=0.0, std=1.0):
    """Of the colours of pictures of 8 x 8, which need no resizing."""
    return (pictures / 255.0 - mean).mean((1, 2)) / std


@pytest.fixture
def squares(rng):
    return rng.integers(0, 256, (7, SIDE, SIDE, 3), dtype=np.uint8)


def inner(squares, weights, **options):
    return np.tanh(means(squares, **options) @ weights["W"] + weights["b"])


FIRST = ("n", 3, SIDE, SIDE)


@pytest.mark.parametrize("ending", ["Gemm", "softmax"])
@pytest.mark.parametrize("shape", [FIRST, ("n", SIDE, SIDE, 3)])
def test_features_enter_the_classifier(tmp_path, squares, weights, path, ending, shape):
    source = classifier(tmp_path / "m.onnx", weights, shape=shape, ending=ending)
    file = extract(source, squares, path, batch_size=3)
    np.testing.assert_allclose(file.features, inner(squares, weights), rtol=1e-4, atol=1e-6)
    assert file.metadata["output"] == "inner"


def test_a_convolution_before_a_softmax_is_a_classifier(tmp_path, squares, rng, path):
    nodes = [
        helper.make_node("Tanh", ["pictures"], ["inner"]),
        helper.make_node("Conv", ["inner", "K"], ["maps"]),
        helper.make_node("Relu", ["maps"], ["positive"]),
        helper.make_node("GlobalAveragePool", ["positive"], ["means"]),
        helper.make_node("Flatten", ["means"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["output"]),
    ]
    kernel = rng.normal(size=(CLASSES, 3, 1, 1)).astype(np.float32)
    source = saved(tmp_path / "m.onnx", nodes, {"K": kernel}, {"pictures": FIRST}, ["output"])
    file = extract(source, squares, path)
    assert file.metadata["output"] == "inner"
    wanted = np.tanh(squares / 255.0).mean((1, 2))
    np.testing.assert_allclose(file.features, wanted, rtol=1e-5)


def test_a_batch_that_the_network_refuses_is_named(tmp_path, squares, weights, path):
    source = classifier(tmp_path / "m.onnx", weights, shape=FIRST)
    with pytest.raises(ValueError, match=naming(source, "(1, 3, 9, 9)")):
        extract(source, squares, path, preprocessing={"size": 9})


def test_without_a_classifier_the_output_is_taken(tmp_path, squares, weights, path):
    source = classifier(tmp_path / "m.onnx", weights, shape=FIRST, ending="none")
    file = extract(source, squares, path)
    np.testing.assert_allclose(
        file.features, np.maximum(inner(squares, weights), 0), rtol=1e-4, atol=1e-6
    )
    assert file.metadata["output"] == "output"


def test_a_residual_sum_is_no_bias(tmp_path, weights, path, rng):
    """What is added to a product may be a shortcut: then the product is no classifier."""
    nodes = [
        helper.make_node("MatMul", ["x", "square"], ["product"]),
        helper.make_node("Add", ["product", "x"], ["output"]),
    ]
    square = rng.normal(size=(4, 4)).astype(np.float32)
    constants, inputs = {"square": square}, {"x": ("n", 4)}
    source = saved(tmp_path / "m.onnx", nodes, constants, inputs, ["output"])
    X = rng.normal(size=(6, 4)).astype(np.float32)
    file = extract(source, X, path)
    np.testing.assert_allclose(file.features, X @ square + X, rtol=1e-4, atol=1e-6)


def test_tensors_by_name(tmp_path, squares, weights, path):
    source = classifier(tmp_path / "m.onnx", weights, shape=FIRST)
    file = extract(source, squares, path, output="means", layers=["linear", "output"])
    np.testing.assert_allclose(file.features, means(squares), rtol=1e-5)
    np.testing.assert_allclose(
        np.tanh(read_matrix(f"{path}:layers.linear")), inner(squares, weights), rtol=1e-4, atol=1e-6
    )
    assert file.shapes["layers.output"] == (7, CLASSES)
    with pytest.raises(ValueError, match=naming("'iner'", "nearest", "'inner'")):
        extract(source, squares, path, layers="iner")
    with pytest.raises(ValueError, match=naming("output", 1)):
        extract(source, squares, path, output=1)


def test_normalisation_is_an_option(tmp_path, squares, weights, path):
    source = classifier(tmp_path / "m.onnx", weights, shape=FIRST)
    options = {"mean": (0.5, 0.4, 0.3), "std": 0.25}
    file = extract(source, squares, path, preprocessing=options)
    wanted = inner(squares, weights, mean=np.array(options["mean"]), std=0.25)
    np.testing.assert_allclose(file.features, wanted, rtol=1e-4, atol=1e-6)


def test_a_size_that_the_file_leaves_open_has_to_be_said(tmp_path, squares, weights, path):
    source = classifier(tmp_path / "m.onnx", weights, shape=("n", 3, "h", "w"))
    with pytest.raises(ValueError, match=naming("size", source)):
        extract(source, squares, path)
    file = extract(source, squares, path, preprocessing={"size": SIDE})
    np.testing.assert_allclose(file.features, inner(squares, weights), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("fixed", [1, 3])
def test_a_batch_of_a_fixed_size_is_filled(tmp_path, squares, weights, path, fixed):
    source = classifier(tmp_path / "m.onnx", weights, shape=(fixed, 3, SIDE, SIDE))
    file = extract(source, squares, path, batch_size=5)
    np.testing.assert_allclose(file.features, inner(squares, weights), rtol=1e-4, atol=1e-6)


def test_the_same_file_is_not_run_twice(tmp_path, squares, weights, path):
    source = classifier(tmp_path / "m.onnx", weights, shape=FIRST)
    first = extract(source, squares, path)
    assert extract(source, squares, path) == first
    classifier(tmp_path / "m.onnx", {**weights, "b": 0 * weights["b"]}, shape=FIRST)
    with pytest.raises(ValueError, match=naming("weights", "overwrite")):
        extract(source, squares, path)


def test_without_the_package_onnx_only_outputs_can_be_taken(
    tmp_path, squares, weights, path, monkeypatch
):
    source = classifier(tmp_path / "m.onnx", weights, shape=FIRST)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=naming("onnx", "'eigentropy[features]'", source)):
        extract(source, squares, path)
    assert extract(source, squares, path, output=0).shapes["features"] == (7, CLASSES)


def test_weights_in_another_file_are_found(tmp_path, squares, weights, path):
    source = classifier(tmp_path / "m.onnx", weights, shape=FIRST)
    model = onnx.load(tmp_path / "m.onnx")
    onnx.save(
        model, tmp_path / "m.onnx", save_as_external_data=True, location="m.bin", size_threshold=50
    )
    assert (tmp_path / "m.bin").stat().st_size > 0
    file = extract(source, squares, path)
    np.testing.assert_allclose(file.features, inner(squares, weights), rtol=1e-4, atol=1e-6)
    (tmp_path / "m.bin").write_bytes((tmp_path / "m.bin").read_bytes()[::-1])
    with pytest.raises(ValueError, match=naming("weights", "overwrite")):
        extract(source, squares, path)


def test_what_is_no_onnx_file_is_named(tmp_path, squares, path):
    with pytest.raises(FileError, match=naming("none.onnx")):
        extract(f"onnx:{tmp_path / 'none.onnx'}", squares, path)
    (tmp_path / "bad.onnx").write_bytes(b"nothing of the kind")
    with pytest.raises(FileError, match=naming("bad.onnx")):
        extract(f"onnx:{tmp_path / 'bad.onnx'}", squares, path)


def test_texts_by_a_tokenizer_of_a_folder(tmp_path, tiny_bert, path):
    """Embeddings of letters, of which the mean over each text is taken."""
    names = ("input_ids", "attention_mask", "token_type_ids")
    table = np.arange(60, dtype=np.float32).reshape(30, 2)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["hidden"]),
        helper.make_node("Identity", ["attention_mask"], ["mask"]),
        helper.make_node("Identity", ["token_type_ids"], ["types"]),
    ]
    inputs, outputs = dict.fromkeys(names, ("n", "t")), ["hidden", "mask", "types"]
    source = saved(tmp_path / "m.onnx", nodes, {"table": table}, inputs, outputs, TensorProto.INT64)
    texts = ["a", "abc", "zz"]
    file = extract(source, texts, path, preprocessing={"tokenizer": str(tiny_bert)}, offline=True)
    letters = [[4 + ord(letter) - ord("a") for letter in text] for text in texts]
    np.testing.assert_allclose(file.features, [table[one].mean(0) for one in letters], rtol=1e-6)
    with pytest.raises((ValueError, TypeError), match=naming("preprocessing", "tokenizer")):
        extract(source, texts, path)

"""Pictures and the networks that read them, and files of features, on networks made here."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")
safetensors = pytest.importorskip("safetensors")
from encoders import frame, images
from encoders.packages import balanced
from hypothesis import given, settings
from hypothesis import strategies as st

from eigentropy.io.files import read_labels, read_matrix
from eigentropy.studies.pretrained_networks.images import DOMAIN
from eigentropy.studies.pretrained_networks.network import LAYER, PRETRAINED, NamedNetwork
from messages import naming

DATA = DOMAIN.data[0]
NETWORK = NamedNetwork("made", "sums", ("pip:made==1",), "MIT", ("twice",))


def pictures(count, side=8):
    rng = np.random.default_rng(side)
    return [rng.integers(0, 256, (side, side, 3), dtype=np.uint8) for _ in range(count)]


def sums(batch):
    """The mean of each colour, and twice of it."""
    means = np.stack([picture.mean(axis=(0, 1)) for picture in batch])
    return {"": means, "twice": 2.0 * means}


def test_every_network_has_an_encoder_and_every_data_set_a_reader():
    assert sorted(images.ENCODERS) == sorted(network.name for network in DOMAIN.networks)
    assert sorted(images.DATA) == sorted(data.name for data in DOMAIN.data)


# Files of features


def test_every_layer_is_a_file_of_all_samples_in_their_order(tmp_path):
    batch, labels = pictures(2 * frame.BATCH + 3), np.arange(2 * frame.BATCH + 3) % 2
    frame.extract(NETWORK, sums, DATA, batch, labels, tmp_path)
    for point in NETWORK.points:
        path = point.path(tmp_path, DATA.name)
        assert read_matrix(path, "features") == pytest.approx(sums(batch)[point.layer], rel=1e-6)
        assert np.array_equal(read_labels(path, "labels"), labels)
        with safetensors.safe_open(path, "numpy") as file:
            about = file.metadata()
        assert about["kind"] == (LAYER if point.layer else PRETRAINED)
        assert (about["licence"], about["packages"]) == ("MIT", "pip:made==1")


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_features_that_are_not_finite_are_not_written(tmp_path, bad):
    point = NETWORK.points[0]
    with pytest.raises(ValueError, match=naming("made", DATA.name)):
        frame.write(point, DATA, np.array([[1.0], [bad]]), np.arange(2), tmp_path, 0.0)
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize("shape", [(3, 2), (2,), (2, 2, 2)])
def test_features_are_one_row_a_label(tmp_path, shape):
    with pytest.raises(ValueError, match=naming("made", DATA.name, 2)):
        frame.write(NETWORK.points[0], DATA, np.ones(shape), np.arange(2), tmp_path, 0.0)


def test_a_network_that_fails_leaves_its_reason_until_it_has_run(tmp_path, monkeypatch, capsys):
    import fetch_encoders

    domain = type(DOMAIN)("images", (DATA,), (NETWORK,), {})
    monkeypatch.setitem(images.DATA, DATA.name, lambda packages, n: (pictures(4), np.arange(4)))
    monkeypatch.setitem(images.ENCODERS, "made", lambda packages: {}["no such file"])
    fetch_encoders.fill(domain, DATA, [], tmp_path)
    reasons = [p.path(tmp_path, DATA.name).with_suffix(".missing") for p in NETWORK.points]
    assert all("no such file" in reason.read_text() for reason in reasons)
    monkeypatch.setitem(images.ENCODERS, "made", lambda packages: sums)
    fetch_encoders.fill(domain, DATA, ["made"], tmp_path)
    assert all(p.path(tmp_path, DATA.name).exists() for p in NETWORK.points)
    assert not any(reason.exists() for reason in reasons)
    monkeypatch.setitem(images.ENCODERS, "made", lambda packages: pytest.fail("run again"))
    fetch_encoders.fill(domain, DATA, [], tmp_path)


@settings(deadline=None)
@given(
    labels=st.lists(st.integers(0, 4), min_size=10, max_size=60), share=st.integers(1, 3)
)  # fmt: skip
def test_as_many_rows_of_each_class_are_drawn(labels, share):
    labels = np.array(labels)
    classes, counts = np.unique(labels, return_counts=True)
    rows = balanced(labels, share * len(classes))
    assert np.array_equal(rows, np.unique(rows))
    drawn = [np.sum(labels[rows] == each) for each in classes]
    assert drawn == [min(share, count) for count in counts]


# Pictures and networks


def test_a_picture_is_resized_and_normalised():
    white = [np.full((4, 4, 3), 255, np.uint8)]
    assert images.resized(white, 6, images.FROM_0_TO_1).shape == (1, 3, 6, 6)
    assert images.resized(white, 6, images.AROUND_0) == pytest.approx(1.0)
    red = [np.array([255, 0, 0], np.uint8) * np.ones((4, 4, 3), np.uint8)]
    assert images.resized(red, 5, images.FROM_0_TO_1)[0, :, 2, 2] == pytest.approx([1, 0, 0])
    swapped = images.resized(red, 5, images.FROM_0_TO_1, swapped=True)
    assert swapped[0, :, 2, 2] == pytest.approx([0, 0, 1])


def test_a_frozen_network_returns_the_means_of_its_layers():
    torch.manual_seed(0)
    body = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.Conv2d(4, 5, 3)
    )
    body[1].running_mean += 0.3
    prepare = lambda batch: images.resized(batch, 8, images.AROUND_0)  # noqa: E731
    run = images.watched(body, {"": body[3], "inner": body[2]}, prepare)
    batch = pictures(7)
    with torch.inference_mode():
        X = torch.from_numpy(prepare(batch))
        inner = body[:3].eval()(X)
        output = body[3](inner)
    for part in (batch, batch[:3]):  # batches may have any size
        found = run(part)
        assert found["inner"] == pytest.approx(inner.mean((2, 3)).numpy()[: len(part)], abs=1e-5)
        assert found[""] == pytest.approx(output.mean((2, 3)).numpy()[: len(part)], abs=1e-5)


def test_only_the_part_of_a_graph_that_is_asked_for_is_run():
    """The rest, and the size that the file declares, do not matter."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from encoders.onnx_graph import Graph

    make = onnx.helper
    number = onnx.TensorProto.FLOAT
    nodes = [
        make.make_node("Relu", ["x"], ["inner"]),
        make.make_node("Neg", ["inner"], ["last"]),
        make.make_node("MatMul", ["last", "w"], ["out"]),  # takes two columns only
    ]
    graph = make.make_graph(
        nodes,
        "made",
        [make.make_tensor_value_info("x", number, [1, 2])],
        [make.make_tensor_value_info("out", number, [1, 1])],
        [make.make_tensor("w", number, [2, 1], [1.0, 1.0])],
    )
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 13)], ir_version=8)
    run = Graph(model.SerializeToString(), {"": "last", "a": "inner"})
    x = np.array([[1.0, -1.0, 2.0]], np.float32)
    found = run(x=x)
    assert np.array_equal(found["a"], np.maximum(x, 0))
    assert np.array_equal(found[""], -np.maximum(x, 0))

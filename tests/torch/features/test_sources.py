"""Sources by name: unknown ones, missing packages, unreachable hubs; timm and torchvision."""

from __future__ import annotations

import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from eigentropy.io import FileError
from eigentropy.torch import features
from eigentropy.torch.features import UnavailableModelError, extract
from eigentropy.torch.features.packages import required
from messages import naming
from tiny_models import SMALL


@pytest.fixture
def path(tmp_path):
    return tmp_path / "features.safetensors"


@pytest.fixture
def without_network(monkeypatch, tmp_path):
    """Hubs at a port where nobody listens, and empty caches."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "ENDPOINT", nobody)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return nobody


# Names.


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("tim:resnet18", "'timm:resnet18'"),
        ("HF:name", "'hf:name'"),
        ("torch-vision:resnet18", "'torchvision:resnet18'"),
        ("resnet18", "timm:..."),
        ("timm:", "timm:..."),
        ("zzz:resnet18", "python:..."),
    ],
)
def test_an_unknown_source_is_answered_by_the_nearest(pictures, path, source, said):
    with pytest.raises(ValueError, match=naming(repr(source), said)):
        extract(source, pictures, path)


def test_what_is_no_source_is_said(pictures, path):
    with pytest.raises(TypeError, match=naming("source", "int")):
        extract(3, pictures, path)


@pytest.mark.parametrize(
    ("source", "package", "name"),
    [
        ("timm:resnet18", "timm", "timm"),
        ("torchvision:resnet18", "torchvision", "torchvision"),
        ("hf:name", "transformers", "transformers"),
        ("onnx:FILE", "onnxruntime", "onnxruntime"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(
    monkeypatch, pictures, tmp_path, path, source, package, name
):
    (tmp_path / "m.onnx").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=naming(name, "'eigentropy[features]'")):
        extract(source.replace("FILE", str(tmp_path / "m.onnx")), pictures, path)


@pytest.mark.parametrize("module", ["outer_package", "inner_package"])
def test_a_package_that_fails_inside_of_another_one_is_named(monkeypatch, tmp_path, module):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "outer_package.py").write_text("import inner_package")
    (tmp_path / "inner_package.py").write_text("import torch; torch.zeros(2) @ torch.zeros(3)")
    with pytest.raises(ImportError, match=naming("a:b", "PyTorch and inner_package", "size")) as e:
        required(module, "a:b")
    assert ("outer_package" in str(e.value)) == (module == "outer_package")


def test_pillow_is_named_where_there_are_images(monkeypatch, folder, network, path):
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match=naming("pillow", "'eigentropy[features]'")):
        extract(network, folder, path, preprocessing=SMALL)


def test_the_names_of_the_package():
    assert dir(features) == sorted(features.__all__)
    with pytest.raises(AttributeError):
        features.nothing  # noqa: B018


# timm and torchvision, with weights that are drawn.


@pytest.fixture
def timm():
    pytest.importorskip("torchvision", reason="torchvision is not installed")
    return pytest.importorskip("timm", reason="timm is not installed")


def test_a_timm_network_has_its_own_transform(timm, folder, pictures, path):
    source, size = "timm:resnet10t", {"size": 48}
    file = extract(source, folder, path, weights="untrained", preprocessing=size, layers="layer1")
    torch.manual_seed(0)
    model = timm.create_model("resnet10t", pretrained=False).eval()
    model.reset_classifier(0)
    config = timm.data.resolve_data_config({"input_size": (3, 48, 48)}, model=model)
    transform = timm.data.create_transform(**config)
    from PIL import Image

    with torch.no_grad():
        Z = model(torch.stack([transform(Image.fromarray(one)) for one in pictures]))
    np.testing.assert_allclose(file.features, Z.numpy(), rtol=1e-4, atol=1e-6)
    assert file.shapes["layers.layer1"] == (12, 64)
    assert "0.4850" in file.metadata["preprocessing"]


def test_a_transformer_of_timm_takes_another_size_and_pooling(timm, folder, tmp_path):
    rows = {}
    for pooling in ("auto", "mean", "first"):
        path = tmp_path / f"{pooling}.safetensors"
        options = {"preprocessing": {"size": 32}, "pooling": pooling, "weights": "untrained"}
        rows[pooling] = extract("timm:vit_tiny_patch16_224", folder, path, **options).features
    assert rows["mean"].shape == (12, 192)
    np.testing.assert_allclose(rows["auto"], rows["first"], rtol=1e-5)
    assert not np.allclose(rows["mean"], rows["first"])


def test_drawn_weights_are_the_same_each_time(timm, folder, tmp_path):
    options = {"weights": "untrained", "preprocessing": {"size": 32}}
    torch.manual_seed(5)
    first = extract("timm:resnet10t", folder, tmp_path / "a.safetensors", **options)
    torch.manual_seed(6)
    second = extract("timm:resnet10t", folder, tmp_path / "b.safetensors", **options)
    assert first.metadata["digest"] == second.metadata["digest"]
    np.testing.assert_array_equal(first.features, second.features)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_weights_of_a_file_are_loaded_whole(timm, folder, tmp_path, suffix):
    safetensors = pytest.importorskip("safetensors.torch")
    torch.manual_seed(9)
    model = timm.create_model("resnet10t", pretrained=False)
    weights, path = tmp_path / f"w{suffix}", tmp_path / "f.safetensors"
    if suffix == ".pt":
        torch.save({"state_dict": model.state_dict(), "epoch": 3}, weights)
    else:
        safetensors.save_file(model.state_dict(), weights)
    options = {"preprocessing": {"size": 32}, "weights": weights}
    file = extract("timm:resnet10t", folder, path, **options)
    model.reset_classifier(0)
    from eigentropy.torch.features import digests

    assert file.metadata["weights"] == digests.of_weights(model)
    with pytest.raises(FileError, match=naming(weights.name, "timm:resnet14t")):
        extract("timm:resnet14t", folder, tmp_path / "g.safetensors", **options)


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "swin_t", "googlenet"])
def test_a_torchvision_network_gives_what_enters_its_classifier(timm, folder, path, name):
    import torchvision

    small = {"size": 64}
    file = extract(f"torchvision:{name}", folder, path, weights="untrained", preprocessing=small)
    wide = {"resnet18": 512, "squeezenet1_1": 512, "swin_t": 768, "googlenet": 1024}
    assert file.shapes["features"][1] == wide[name]
    transform = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    assert str(list(transform.mean)) in file.metadata["preprocessing"]


def test_torchvisions_own_transform_is_taken(timm, folder, pictures, path):
    import torchvision
    from PIL import Image

    file = extract("torchvision:resnet18", folder / "cat", path, weights="untrained")
    torch.manual_seed(0)
    model = torchvision.models.resnet18(weights=None).eval()
    model.fc = torch.nn.Identity()
    transform = torchvision.models.ResNet18_Weights.DEFAULT.transforms()
    with torch.no_grad():
        Z = model(torch.stack([transform(Image.fromarray(one)) for one in pictures[:6]]))
    np.testing.assert_allclose(file.features, Z.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("timm:resnet18t", ["'resnet18t'", "'timm:resnet18'"]),
        ("timm:resnet18.no_such_tag", ["resnet18.no_such_tag"]),
        ("torchvision:resnet19", ["'resnet19'", "'torchvision:resnet18'"]),
        ("torchvision:resnet18:IMAGENET", ["'IMAGENET'", "IMAGENET1K_V1"]),
    ],
)
def test_an_unknown_model_is_answered_by_the_nearest(timm, pictures, path, source, said):
    with pytest.raises(ValueError, match=naming(*said)):
        extract(source, pictures, path)


def test_texts_for_a_model_of_images_are_refused(timm, path):
    for source in ("timm:resnet10t", "torchvision:resnet18"):
        with pytest.raises(TypeError, match=naming(source, "images", "texts")):
            extract(source, ["a text"], path, weights="untrained")


# Hubs.


@pytest.mark.parametrize("offline", [False, True])
@pytest.mark.parametrize("source", ["timm:resnet10t", "torchvision:resnet18", "hf:nobody/nothing"])
def test_weights_that_are_not_to_be_had_are_named_at_once(
    without_network, monkeypatch, pictures, path, source, offline
):
    if not source.startswith("hf"):
        pytest.importorskip("timm", reason="timm is not installed")
        pytest.importorskip("torchvision", reason="torchvision is not installed")
        weights = sys.modules["torchvision"].models.ResNet18_Weights.DEFAULT
        url = f"{without_network}/resnet18.pth"
        monkeypatch.setattr(type(weights), "url", property(lambda _: url))
    else:
        pytest.importorskip("transformers", reason="transformers is not installed")
    begun = time.monotonic()
    with pytest.raises(UnavailableModelError, match=naming(source, "cache")) as caught:
        extract(source, pictures, path, offline=offline)
    assert time.monotonic() - begun < 20
    assert ("offline" in str(caught.value)) == offline
    assert caught.value.__cause__ is None
    assert list(path.parent.glob("*.safetensors")) == []


def test_offline_lasts_for_the_call_alone(without_network, monkeypatch, pictures, path):
    import os

    from huggingface_hub import constants

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(UnavailableModelError):
        extract("hf:nobody/nothing", pictures, path, offline=True)
    assert not constants.HF_HUB_OFFLINE
    assert "HF_HUB_OFFLINE" not in os.environ


@pytest.mark.parametrize(
    ("status", "header", "said"),
    [
        (404, ("X-Error-Code", "RepoNotFound"), ["nobody/nothing"]),  # a hub's own answer
        (404, None, ["404", "HF_ENDPOINT", "cache", "HTTPS_PROXY"]),
        (200, None, ["HF_ENDPOINT", "cache", "HTTPS_PROXY"]),
    ],
)
def test_a_hub_that_answers_is_asked(
    without_network, monkeypatch, pictures, path, status, header, said
):
    """It may say that there is no such model; or what answers may be no hub."""
    pytest.importorskip("transformers", reason="transformers is not installed")
    from huggingface_hub import constants

    asked = []

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self):
            asked.append(self.path)
            self.send_response(status)
            self.send_header(*(header or ("Server", "other")))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Hub) as server:
        place = f"http://127.0.0.1:{server.server_port}"
        files = f"{place}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "ENDPOINT", place)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", files)
        Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(
            UnavailableModelError, match=naming("hf:nobody/nothing", *said)
        ) as caught:
            extract("hf:nobody/nothing", pictures, path)
        assert ("HTTPS_PROXY" in str(caught.value)) == (header is None)
        server.shutdown()
    # With peft installed, transformers asks for the configuration of an adapter first.
    assert any(path.startswith("/nobody/nothing/resolve/main/") for path in asked)

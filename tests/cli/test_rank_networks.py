"""`eigentropy rank` of networks that are run on images: the labels are the folders."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="torch is not installed")
Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")

from eigentropy.cli import commands
from eigentropy.cli.ranking_tasks import network_state
from messages import names

NETWORKS = """
import numpy, torch

def tensor(image):
    return torch.from_numpy(numpy.array(image, dtype="float32")).permute(2, 0, 1)

def pixels():
    return torch.nn.Flatten(), tensor

def colours():
    return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()), tensor

def broken():
    raise RuntimeError("these weights are damaged")
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory with images of two classes, and a module of networks."""
    rng = np.random.default_rng(0)
    for kind in range(2):
        (tmp_path / "images" / f"kind{kind}").mkdir(parents=True)
        for number in range(9):
            pixels = rng.integers(0, 120, (6, 6, 3)).astype(np.uint8)
            pixels[..., kind] += 100
            Image.fromarray(pixels).save(tmp_path / "images" / f"kind{kind}" / f"{number}.png")
    (tmp_path / "networks_of_a_test.py").write_text(NETWORKS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_networks_are_run_once_and_one_that_is_broken_is_out(here):
    models = [f"python:networks_of_a_test:{name}" for name in ("pixels", "colours", "broken")]
    options = ["--images", "images", "--scores", "dsmi", "--processes", "1", "--json", "--quiet"]
    found = []
    for further in ([], ["--force"]):
        result = CliRunner().invoke(commands.app, ["rank", *models, *options, *further])
        assert result.exit_code == 0, result.output
        found.append(json.loads(result.stdout))
        times = {one.name: one.stat().st_mtime_ns for one in (here / "ranking/features").iterdir()}
        found.append(times)
    first, written, second, kept = found
    assert [row["model"] for row in first["models"]] == [models[1], models[0]]
    assert names(first["excluded"][models[2]], "these weights are damaged")
    assert first["models"] == second["models"]
    assert len(written) == 2
    assert written == kept


def test_labels_of_another_length_than_the_images_are_refused_before_any_network_runs(here):
    np.save("y.npy", np.arange(17) % 2)
    model = "python:networks_of_a_test:pixels"
    options = ["--images", "images", "--labels", "y.npy"]
    result = CliRunner().invoke(commands.app, ["rank", model, *options])
    assert result.exit_code == 2
    assert names(result.stderr, "--labels", "y.npy", 17, "--images", 18)
    assert not (here / "ranking").exists()


def test_files_of_features_beside_networks_have_the_labels_of_the_images(here):
    rows = np.random.default_rng(0).normal(size=(18, 3))
    rows[9:] += 2.0
    np.save("mixer.npy", rows)
    models = ["python:networks_of_a_test:pixels", "mixer.npy"]
    options = ["--images", "images", "--scores", "dsmi", "--processes", "1", "--json", "--quiet"]
    result = CliRunner().invoke(commands.app, ["rank", *models, *options])
    assert result.exit_code == 0, result.output
    assert {row["model"] for row in json.loads(result.stdout)["models"]} == {models[0], "mixer"}


def test_a_network_without_a_size_of_images_says_what_its_function_returns(here):
    (here / "sizeless_of_a_test.py").write_text(
        "import torch\ndef net():\n    return torch.nn.Flatten()\n"
    )
    models = ["python:sizeless_of_a_test:net", "python:networks_of_a_test:pixels"]
    options = ["--images", "images", "--scores", "dsmi", "--processes", "1", "--json", "--quiet"]
    result = CliRunner().invoke(commands.app, ["rank", *models, *options])
    assert result.exit_code == 0, result.output
    (reason,) = json.loads(result.stdout)["excluded"].values()
    assert names(reason, "return (model", "size")
    assert "preprocessing=" not in reason


def test_a_network_that_has_changed_is_measured_again(here):
    model, module = "python:networks_of_a_test:pixels", here / "networks_of_a_test.py"
    options = ["--images", "images", "--scores", "dsmi", "--processes", "1", "--quiet", "--force"]

    def results():
        result = CliRunner().invoke(commands.app, ["rank", model, *options])
        assert result.exit_code == 0, result.output
        return len([*(here / "ranking/models").glob("*.json")])

    assert [results(), results()] == [1, 1]
    module.write_text(NETWORKS.replace("torch.nn.Flatten(), tensor", "torch.nn.Flatten(2), tensor"))
    assert results() == 2


def test_files_of_a_network_tell_it_from_an_older_one(tmp_path):
    file, folder = tmp_path / "net.onnx", tmp_path / "encoder"
    folder.mkdir()
    for source, inside in ((f"onnx:{file}", file), (f"hf:{folder}", folder / "weights")):
        inside.write_bytes(b"1")
        before = network_state(source)
        assert network_state(source) == before
        inside.write_bytes(b"12")
        assert network_state(source) != before
    for source in ("timm:resnet18", "hf:no/folder", "python:no_such.module:f", "python::f"):
        assert network_state(source) == []

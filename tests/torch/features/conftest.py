"""Pictures, texts and tiny networks of random weights, which the tests of extraction share."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tiny_models


@pytest.fixture
def pictures(rng):
    """Twelve pictures as bytes, of which no two are alike."""
    return rng.integers(0, 256, (12, 20, 24, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path, pictures):
    """The same pictures in two classes, in the natural order of their names."""
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    for name, some in {"cat": pictures[:6], "dog": pictures[6:]}.items():
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number, picture in zip((0, 1, 2, 3, 10, 11), some, strict=True):
            image.fromarray(picture).save(tmp_path / "pictures" / name / f"{number}.png")
    return tmp_path / "pictures"


@pytest.fixture
def network():
    """Averages patches, and has a layer to look into."""
    torch.manual_seed(1)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 5, 4, stride=4), torch.nn.BatchNorm2d(5), torch.nn.ReLU(),
        torch.nn.Conv2d(5, 6, 2), torch.nn.Dropout(0.5),
    )  # fmt: skip


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    return tiny_models.bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="session")
def tiny_vit(tmp_path_factory):
    return tiny_models.vit(tmp_path_factory.mktemp("vit"))

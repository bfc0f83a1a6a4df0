"""python:MODULE:FUNCTION, and functions of a batch."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from eigentropy.torch.features import extract
from messages import naming
from tiny_models import SMALL

MODULE = """
import torch

def model():
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 4), torch.nn.ReLU())

def with_preprocessing():
    return model(), {"size": 16, "mean": (0.5, 0.4, 0.3), "std": 0.25}

def needing(width):
    return model()

def lengths():
    return lambda texts: [[len(text), 1.0] for text in texts]

ready = model()
number = 3
nothing = lambda: None
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    (tmp_path / "own_models.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "features.safetensors"


def test_a_function_returns_a_model_and_perhaps_its_preprocessing(folder, path):
    file = extract("python:own_models:with_preprocessing", folder, path)
    assert file.shapes["features"] == (12, 4)
    assert extract("python:own_models:model", folder, path, preprocessing=SMALL) == file


def test_a_function_of_texts_gets_them_in_a_list(path):
    file = extract("python:own_models:lengths", ["a", "abcd", "xy"], path)
    np.testing.assert_array_equal(file.features, [[1, 1], [4, 1], [2, 1]])


def test_a_function_of_pictures_gets_them_in_a_list(folder, path):
    file = extract(lambda images: torch.tensor([[*image.size] for image in images]), folder, path)
    np.testing.assert_array_equal(file.features, np.tile([24.0, 20.0], (12, 1)))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("own_model:model", ["'own_model'", "PYTHONPATH"]),
        ("own_models:modell", ["'modell'", "'model'"]),
        ("own_models:needing", ["'width'"]),
        ("own_models:ready", ["module"]),
        ("own_models:number", ["own_models:number"]),
        ("own_models:nothing", ["NoneType"]),
        ("own_models", ["python:MODULE:FUNCTION"]),
    ],
)
def test_what_returns_no_model_is_said(folder, path, name, said):
    with pytest.raises((ValueError, TypeError, ImportError), match=naming(*said)):
        extract(f"python:{name}", folder, path, preprocessing=SMALL)


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        ("def f():\n    return 1 / 0", ValueError, ["ZeroDivisionError", "line 2"]),
        ("import json\njson.loads('{')", ValueError, ["JSONDecodeError"]),
        ("import no_such_package", ImportError, ["ModuleNotFoundError", "'no_such_package'"]),
        ("f = (", ValueError, ["SyntaxError"]),
    ],
)
def test_an_error_of_the_callers_code_names_its_source(folder, path, tmp_path, code, kind, said):
    name = f"broken_{crc32(code.encode())}"
    (tmp_path / f"{name}.py").write_text(code)
    with pytest.raises(kind, match=naming(f"python:{name}:f", *said)) as caught:
        extract(f"python:{name}:f", folder, path, preprocessing=SMALL)
    assert caught.value.__cause__ is not None


def test_layers_need_a_module(path):
    with pytest.raises(TypeError, match=naming("layers")):
        extract(lambda X: X, np.ones((3, 2)), path, layers="0")


def test_rows_of_another_width_are_said(path):
    def ragged(X):
        return X[:, : 1 + len(X)]

    with pytest.raises(ValueError, match=naming("features", "(2, 3)")):
        extract(ragged, np.ones((4, 5)), path, batch_size=2)

"""A tiny language model, its tokenizer, and texts."""

from __future__ import annotations

import string

import numpy as np
import pytest

pytest.importorskip("torch")

import tiny_language_models


@pytest.fixture
def tokenizer():
    return tiny_language_models.letters()


@pytest.fixture
def bert():
    return tiny_language_models.model_of("bert")


@pytest.fixture
def gpt2():
    return tiny_language_models.model_of("gpt2")


@pytest.fixture
def texts():
    """Forty texts of 4 to 15 letters, no two of which are equal."""
    generator = np.random.default_rng(5)
    lengths = generator.integers(4, 16, 40)
    return ["".join(generator.choice(list(string.ascii_lowercase), n)) for n in lengths]


@pytest.fixture
def labels():
    return ["one", "two"] * 20

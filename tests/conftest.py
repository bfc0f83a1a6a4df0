"""Fixtures that several tests share."""

from __future__ import annotations

import os

import hypothesis
import numpy as np
import pytest

from data_sets import DATA_SETS

# The same examples in every run, so that a run tells about the change and nothing else;
# HYPOTHESIS_PROFILE=search looks for new ones.
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.register_profile("search", derandomize=False)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(params=list(DATA_SETS))
def data_set(request):
    """Each data set in turn."""
    return DATA_SETS[request.param](np.random.default_rng(7))


@pytest.fixture
def rng():
    return np.random.default_rng(42)

"""Fixtures that several tests share."""

from __future__ import annotations

import numpy as np
import pytest

from data_sets import DATA_SETS


@pytest.fixture(params=list(DATA_SETS))
def data_set(request):
    """Each data set in turn."""
    return DATA_SETS[request.param](np.random.default_rng(7))


@pytest.fixture
def rng():
    return np.random.default_rng(42)

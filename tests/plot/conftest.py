"""Results that are drawn, and a figure without pyplot."""

from __future__ import annotations

import numpy as np
import pytest

import eigentropy as eg
from data_sets import separated_blobs


@pytest.fixture
def ax():
    from matplotlib.figure import Figure

    return Figure().subplots()


@pytest.fixture(scope="session")
def blobs():
    return separated_blobs(30, 4)


@pytest.fixture(scope="session")
def exact(blobs):
    return eg.dse(blobs[0], method="exact")


@pytest.fixture(scope="session")
def estimated():
    Z = np.random.default_rng(1).normal(size=(600, 8))
    return eg.dse(Z, method="stochastic", tol=0.05)


@pytest.fixture(scope="session")
def low_rank():
    Z = np.random.default_rng(2).normal(size=(300, 2))
    return eg.dse(Z, method="lowrank", tol=0.05)


@pytest.fixture(scope="session")
def information(blobs):
    return eg.dsmi(*blobs)

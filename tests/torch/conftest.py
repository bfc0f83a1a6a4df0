"""What all tests of eigentropy.torch share."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture(autouse=True)
def one_thread():
    """Matrices of this size are not worth more, and the threads of a busy machine spin."""
    torch = sys.modules.get("torch")
    if torch is None:  # the tests are skipped
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)

"""Small arrays are looked at on the thread of the caller, with the same result."""

from __future__ import annotations

import numpy as np
import pytest

from eigentropy import _core
from subprocesses import run_script

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings
from hypothesis import strategies as st

# How often the thread gives up its processor while it computes, as it does to wait for another
# thread. In a process of its own: beside PyTorch, the threads of PyTorch would compute.
WAITS = """
    import resource
    import numpy as np
    from eigentropy._backends.host_arrays import as_matrix

    for shape in ((40, 6), (1000, 300)):
        Z = np.zeros(shape)
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        for _ in range(200):
            as_matrix(Z)
        print(resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before)
"""


def test_small_arrays_are_checked_on_the_thread_of_the_caller():
    small, large = map(int, run_script(WAITS).stdout.split())
    assert small < 20 < large


@given(
    n=st.integers(1, 600),
    d=st.sampled_from((1, 3, 170, 400)),  # on either side of what takes threads of its own
    bad=st.sets(st.integers(0, 599), max_size=4),
)
@settings(max_examples=30, deadline=None)
def test_nonfinite_rows_are_the_same_on_any_thread(n, d, bad):
    Z, rows = np.zeros((n, d)), sorted(row for row in bad if row < n)
    Z[rows, -1] = np.nan
    assert _core.nonfinite_rows(Z) == (len(rows), rows[0] if rows else -1)

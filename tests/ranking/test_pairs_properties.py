"""What must hold of any runs of models that are not told apart."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eigentropy.ranking.pairs import tied_runs

FEW = settings(max_examples=40, deadline=None)


@FEW
@given(
    st.integers(1, 9),
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=20),
)
def test_runs_cover_all_and_hold_no_pair_that_is_told_apart(m, pairs):
    values = -np.arange(float(m))
    above = np.zeros((m, m), dtype=bool)
    for a, b in pairs:
        if a < b < m:
            above[a, b] = True
    runs = tied_runs(values, above)
    assert {one for run in runs for one in run} == set(range(m))
    for run in runs:
        assert list(run) == list(range(run[0], run[-1] + 1))
        assert not above[np.ix_(run, run)].any()
        longer = [(run[0] - 1, *run)] if run[0] else []
        longer += [(*run, run[-1] + 1)] if run[-1] + 1 < m else []
        assert all(above[np.ix_(one, one)].any() for one in longer)

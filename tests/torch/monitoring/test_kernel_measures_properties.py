"""Any measures together have the values that each of them has alone, and the same names."""

from __future__ import annotations

import functools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")
pytest.importorskip("sklearn", reason="clusters of vectors need scikit-learn")

from eigentropy.report.measures import KINDS, MEASURES, NULL_ERRORS
from eigentropy.torch import Monitor


@functools.cache
def measured(measures, base):
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(40) % 2
    x = torch.randn(40, 3, generator=generator) + 2 * torch.eye(3)[y]
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh())
    options = {"measures": measures, "base": base, "n_clusters": 2}
    return Monitor(net, ["0", "1"], probe=(x, y), **options).measure()


@settings(max_examples=25, deadline=None)
@given(
    wanted=st.lists(st.sampled_from(MEASURES), min_size=1, unique=True),
    base=st.sampled_from([2.0, math.e]),
)
def test_measures_do_not_notice_each_other(wanted, base):
    together = measured(tuple(wanted), base)
    alone = {}
    for name in wanted:
        alone |= measured((name,), base)
    assert together == alone
    assert {key.partition("/")[0] for key in together} <= {*KINDS, *NULL_ERRORS}
    assert {key.partition("/")[0] for key in together} & set(MEASURES) == set(wanted)

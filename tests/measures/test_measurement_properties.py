"""A measurement of both families is the public functions, whatever the rows and the options are."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eigentropy as eg
from eigentropy._measures.measurement import MeasurementSettings, Variable, measure

ORDERS = st.one_of(st.floats(0.2, 5.0), st.sampled_from([1.0, 2.0, math.inf]))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(6, 30),
    order=ORDERS,
    base=st.sampled_from([2.0, math.e, 10.0]),
    estimator=st.sampled_from(["matched", "plain"]),
    kind=st.sampled_from(["labels", "scalars", "vectors"]),
)
def test_the_numbers_are_those_of_the_functions(seed, n, order, base, estimator, kind):
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n, 3))
    Y = {"labels": np.arange(n) % 2, "scalars": rng.normal(size=n), "vectors": Z[:, :2] ** 2}[kind]
    known = {"base": base, "estimator": estimator, "n_null": 2, "seed": seed % 7}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = measure(
            Z,
            {"y": Variable("y", Y, "auto", of=("kernel",))},
            MeasurementSettings(kernel=True, order=(order,), **known),
        )
        entropy = eg.kernel_entropy(Z, order=order, base=base)
        information = eg.kernel_information(Z, Y, order=order, **known)
    (measured,) = found.kernel_informations["y"]
    assert float(found.kernel_entropies[0]) == pytest.approx(float(entropy), rel=1e-9)
    assert float(measured) == pytest.approx(float(information), rel=1e-9, abs=1e-12)
    assert measured.p_value == information.p_value
    assert measured.kind == information.kind == kind
    assert measured.bits() == pytest.approx(information.bits(), rel=1e-6, nan_ok=True)

"""Documents with sampling errors have all that those without have, whatever the rows are."""

from __future__ import annotations

import warnings

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eigentropy._measures.measurement import MeasurementSettings, Variable, measure
from eigentropy.cli.documents import of_measurement, plain


@settings(max_examples=12, deadline=None)
@given(n=st.integers(2, 40), classes=st.integers(1, 12), seed=st.integers(0, 9))
def test_a_sampling_error_is_added_or_its_absence_explained(n, classes, seed):
    generator = np.random.default_rng(seed)
    Z, labels = generator.normal(size=(n, 2)), generator.integers(classes, size=n)

    def entries(sampling):
        chosen = MeasurementSettings(n_null=2, kernel=True, order=(1.0, 2.0), sampling=sampling)
        variables = {"labels": Variable("y", labels, "labels")}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of groups of one row
            found = of_measurement(measure(Z, variables, chosen), variables, chosen)
        about = [found[name]["labels"]["results"] for name in ("dsmi", "kernel_information")]
        return plain([*found["dse"], *found["kernel_entropy"], *about[0], *about[1]])

    for entry, without in zip(entries(True), entries(False), strict=True):
        assert {name: entry[name] for name in without} == without
        assert entry.keys() - without.keys() >= {"sampling_error", "sampling_interval"}
        for name in entry:
            if name.endswith("sampling_error"):
                note = entry[name.replace("error", "note")]
                assert note if entry[name] is None else entry[name] >= 0.0
        if n < 16:
            assert entry["sampling_error"] is entry["sampling_interval"] is None

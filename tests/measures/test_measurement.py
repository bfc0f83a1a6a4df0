"""One measurement has both families, of the same rows, and computes only what is asked for."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

import eigentropy as eg
from data_sets import separated_blobs
from eigentropy._kernels import bandwidth
from eigentropy._kernels.density import DensityMatrix
from eigentropy._kernels.diffusion import DiffusionMatrix
from eigentropy._kernels.partitions import Partitions
from eigentropy._measures import joint, measurement
from eigentropy._measures.joint import MatrixOfY
from eigentropy._measures.measurement import MeasurementSettings, Variable, measure
from messages import naming

Z, LABELS = separated_blobs(20, 4, distance=4.0)
OTHER = Z @ np.ones((4, 2)) + np.arange(2)


def variables(of=("diffusion", "kernel")):
    return {
        "labels": Variable("y", LABELS, "auto", of=of),
        "against": Variable("x", OTHER, "auto", of=of),
    }


def test_the_kernel_family_has_the_numbers_of_its_functions():
    pytest.importorskip("sklearn", reason="DSMI clusters vectors by scikit-learn")
    orders = (1.0, 2.0, math.inf)
    settings = MeasurementSettings(kernel=True, order=orders, n_null=3, base=math.e, seed=5)
    found = measure(Z, variables(), settings)
    for order, entropy in zip(orders, found.kernel_entropies, strict=True):
        alone = eg.kernel_entropy(Z, order=order, base=math.e, seed=5)
        assert (entropy.order, entropy.sigma, entropy.base) == (order, alone.sigma, math.e)
        assert float(entropy) == pytest.approx(float(alone), rel=1e-12)
    for role, Y in {"labels": LABELS, "against": OTHER}.items():
        for order, result in zip(orders, found.kernel_informations[role], strict=True):
            alone = eg.kernel_information(Z, Y, order=order, n_null=3, base=math.e, seed=5)
            assert (result.order, result.kind) == (order, alone.kind)
            assert float(result) == pytest.approx(float(alone), rel=1e-9)
            assert result.null == pytest.approx(alone.null, rel=1e-9, abs=1e-12)
            assert result.bits() == pytest.approx(alone.bits(), rel=1e-9, nan_ok=True)


def test_the_diffusion_family_does_not_notice_the_other():
    pytest.importorskip("sklearn", reason="DSMI clusters vectors by scikit-learn")
    known = {"t": (1.0, 3.0), "n_null": 3, "n_clusters": 3}
    alone = measure(Z, variables(), MeasurementSettings(**known))
    both = measure(Z, variables(), MeasurementSettings(**known, kernel=True))
    assert [*map(float, both.entropies)] == [*map(float, alone.entropies)]
    for role in alone.informations:
        assert [*map(float, both.informations[role])] == [*map(float, alone.informations[role])]
    assert alone.kernel_entropies == []
    assert alone.kernel_informations == {}


@pytest.mark.parametrize(
    ("matrix", "options"),
    [
        (DensityMatrix, {"settings": MeasurementSettings()}),
        (DiffusionMatrix, {"settings": MeasurementSettings(kernel=True), "diffusion": False}),
    ],
)
def test_a_family_that_is_not_asked_for_costs_nothing(monkeypatch, matrix, options):
    monkeypatch.setattr(matrix, "__init__", lambda *args, **kwargs: pytest.fail("it was made"))
    found = measure(Z, {"labels": Variable("y", LABELS, "labels")}, **options)
    assert bool(found.entropies) is (matrix is DensityMatrix)
    assert bool(found.kernel_entropies) is (matrix is not DensityMatrix)


def test_a_variable_is_measured_by_the_families_that_it_names():
    settings = MeasurementSettings(kernel=True, n_null=2)
    about = {
        "labels": Variable("y", LABELS, "auto", of=("kernel",)),
        "against": Variable("x", LABELS, "auto", of=("diffusion",)),
    }
    found = measure(Z, about, settings)
    assert list(found.informations) == ["against"]
    assert list(found.kernel_informations) == ["labels"]


def test_sigma_is_resolved_once_and_the_density_matrix_solved_once(monkeypatch):
    resolved, solved = [], []
    rule, spectrum = bandwidth.sigma_of_rule, DensityMatrix._computed_spectrum
    monkeypatch.setattr(
        bandwidth, "sigma_of_rule", lambda *args: resolved.append(args) or rule(*args)
    )
    monkeypatch.setattr(
        DensityMatrix,
        "_computed_spectrum",
        lambda self, progress: solved.append(self.n) or spectrum(self, progress),
    )
    settings = MeasurementSettings(kernel=True, order=(1.0, 3.0), n_null=2)
    found = measure(Z, {"labels": Variable("y", LABELS, "auto")}, settings)
    found.kernel_informations["labels"][0].adjusted()
    assert len(resolved) == 1
    assert solved == [len(Z)]


def test_partitions_are_drawn_once_for_all_measurements_with_a_variable(monkeypatch):
    made, draw = [], Partitions.drawn.__func__

    def drawn(cls, codes, n_null, *rest, **known):
        made.append(n_null)
        return draw(cls, codes, n_null, *rest, **known)

    monkeypatch.setattr(Partitions, "drawn", classmethod(drawn))
    settings = MeasurementSettings(kernel=True)
    known = {"y": Variable("y", LABELS, "labels")}
    pairs = [(rows, measure(rows, known, settings)) for rows in (Z, Z[::-1] ** 3)]
    assert len(set(made)) == len(made)  # each number of them but once
    for rows, found in pairs:
        alone = measure(rows, {"y": Variable("y", LABELS, "labels")}, settings)
        for family in ("informations", "kernel_informations"):
            (result,), (expected,) = (getattr(one, family)["y"] for one in (found, alone))
            assert result.null.tolist() == expected.null.tolist()
            assert float(result) == float(expected)


def test_each_sample_of_the_rows_has_partitions_of_its_own():
    known = {"y": Variable("y", LABELS, "labels")}
    for most in (60, 40):
        settings = MeasurementSettings(max_points=most, n_null=3)
        found = measure(Z, known, settings).informations["y"][0]
        alone = measure(Z, {"y": Variable("y", LABELS, "labels")}, settings).informations["y"][0]
        assert found.null == pytest.approx(alone.null)
        assert found.group_sizes.sum() == most


def test_many_partitions_are_not_kept(monkeypatch):
    monkeypatch.setattr(measurement, "KEPT_NUMBERS", 3 * len(Z))
    variable = Variable("y", LABELS, "labels")
    variable.grouped(MeasurementSettings())
    assert variable.partitions(2, 0) is variable.partitions(2, 0)
    assert variable.partitions(2, 0) is not variable.partitions(2, 1)
    assert variable.partitions(3, 0) is not variable.partitions(3, 0)


def test_fewer_partitions_are_the_first_of_those_that_are_kept(monkeypatch):
    variable = Variable("y", LABELS, "labels")
    variable.grouped(MeasurementSettings())
    most = variable.partitions(7, 5)
    alone = Partitions.drawn(most.codes, 3, 5)
    monkeypatch.setattr(Partitions, "drawn", None)  # nothing is drawn any more
    few = variable.partitions(3, 5)
    assert few.rows.tolist() == alone.rows.tolist()
    assert few.orders.tolist() == alone.orders.tolist()
    assert variable.partitions(7, 5) is most


def test_the_density_matrix_of_a_variable_is_made_once(monkeypatch):
    made = []
    make = MatrixOfY.__init__
    monkeypatch.setattr(
        MatrixOfY, "__init__", lambda *args, **options: made.append(1) or make(*args, **options)
    )
    about = {"against": Variable("x", OTHER, "vectors", of=("kernel",))}
    for layer in (Z, 2.0 * Z):
        measure(layer, about, MeasurementSettings(kernel=True, n_null=2), diffusion=False)
    assert len(made) == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_density_matrix_of_a_variable_has_the_precision_that_is_asked_for(dtype):
    about = {"y": Variable("x", OTHER, "vectors", of=("kernel",))}
    settings = MeasurementSettings(kernel=True, n_null=2, dtype=dtype)
    (found,) = measure(Z, about, settings, diffusion=False).kernel_informations["y"]
    alone = eg.kernel_information(Z, OTHER, n_null=2, dtype=dtype)
    assert found.dtype == alone.dtype == dtype
    assert found.conditional_entropy == alone.conditional_entropy


def test_the_entropy_of_y_is_computed_once_for_all_orders_of_its_rows(monkeypatch):
    sizes = []
    solve = joint.solve
    monkeypatch.setattr(
        joint, "solve", lambda matrix, *rest: sizes.append(matrix.n) or solve(matrix, *rest)
    )
    eg.kernel_information(Z, OTHER, n_null=4)
    assert len(sizes) == 1 + (1 + 4) + 1  # of Z, of Z with Y in each order, and of Y


@pytest.mark.parametrize(("values", "kind"), [(LABELS, "labels"), (OTHER, "vectors")])
def test_some_rows_are_compared_with_their_own_values(values, kind):
    pytest.importorskip("sklearn", reason="DSMI clusters vectors by scikit-learn")
    settings = MeasurementSettings(kernel=True, n_null=2, max_points=50, seed=3, n_clusters=3)
    found = measure(Z, {"y": Variable("y", values, kind)}, settings)
    assert found.kernel_entropies[0].sampled_from == len(Z)
    assert found.entropies[0].sampled_from == len(Z)
    (result,) = found.kernel_informations["y"]
    alone = eg.kernel_information(Z, values, n_null=2, max_points=50, seed=3)
    assert float(result) == pytest.approx(float(alone), rel=1e-9)
    assert np.array_equal(result.rows, alone.rows)


@pytest.mark.parametrize("kind", ["auto", "vectors"])
def test_one_hot_rows_are_compared_by_distances_and_that_is_said_once(kind):
    about = {"y": Variable("y", np.eye(3)[LABELS % 3], kind, of=("kernel",))}
    settings = MeasurementSettings(kernel=True, n_null=2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            measure(Z, about, settings, diffusion=False)
    assert [one.category for one in caught] == ([eg.GroupWarning] if kind == "auto" else [])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"order": (0.0,)}, ["order", "0.0"]),
        ({"order": (1.0, -2.0)}, ["order", "-2.0"]),
        ({"order": (math.nan,)}, ["order", "nan"]),
        ({"order": ()}, ["order"]),
    ],
)
def test_bad_orders_are_refused_before_anything_is_read(options, words):
    with pytest.raises(ValueError, match=naming(*words)):
        MeasurementSettings(kernel=True, **options)


def test_an_order_without_the_kernel_entropy_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match=naming("order", "2", "kernel=True", "--kernel")):
        MeasurementSettings(order=(2.0,))
    assert MeasurementSettings(order=(1,)) == MeasurementSettings()

"""Layers on the information plane: the chain rule, what is known exactly, errors and tests."""

from __future__ import annotations

import math

import numpy as np
import pytest

import eigentropy as eg
from eigentropy import bottleneck
from eigentropy.bottleneck.layer_informations import plug_in
from messages import naming

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings
from hypothesis import strategies as st

QUICK = settings(max_examples=8, deadline=None)


def network(n=120, seed=0, classes=3):
    """An input with classes, and two layers of a network of random weights; and the labels."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    x = rng.normal(size=(n, 6)) + 2.0 * np.eye(classes, 6)[y]
    first = np.tanh(x @ rng.normal(size=(6, 5)))
    return {"input": x, "first": first, "second": first @ rng.normal(size=(5, 2))}, y


@QUICK
@given(st.integers(0, 2**20), st.sampled_from(["kernel", "clusters", "bins"]))
def test_the_plain_chain_rule_is_exact_and_nothing_is_negative(seed, by):
    if by == "clusters":
        pytest.importorskip("sklearn")
    rows, y = network(60, seed)
    plane = bottleneck.layers(rows, y, by=by, estimator="plain", sampling=False, n_clusters=8)
    before = plane.input
    for layer in plane.layers:
        assert layer.change.value == pytest.approx(layer.gained.value - layer.lost.value, abs=1e-9)
        assert layer.change.value == pytest.approx(layer.about_label.value - before.value, abs=1e-9)
        assert min(layer.gained.value, layer.lost.value, layer.cost.value) > -1e-9
        before = layer.about_label


def test_numbers_of_kernels_are_those_of_the_kernel_information():
    rows, y = network()
    x, first = rows["input"], rows["first"]
    plain = {"estimator": "plain", "n_null": 0}
    plane = bottleneck.layers(
        rows, y, beta=3.0, by="kernel", estimator="plain", sampling=False, sigma="auto"
    )
    about = eg.kernel_information(x, y, **plain), eg.kernel_information(first, y, **plain)
    joint = np.hstack([x / about[0].sigma, first / about[1].sigma])
    both = eg.kernel_information(joint, y, sigma=1.0, **plain)
    between = eg.kernel_information(x, first, kind="vectors", **plain)
    layer = plane.layers[0]
    assert plane.input.value == pytest.approx(about[0].value, abs=1e-9)
    assert layer.about_label.value == pytest.approx(about[1].value, abs=1e-9)
    assert layer.about_previous.value == pytest.approx(between.value, abs=1e-9)
    assert layer.lost.value == pytest.approx(both.value - about[1].value, abs=1e-9)
    assert layer.cost.value == pytest.approx(
        between.value + 3.0 * (both.value - about[1].value), abs=1e-9
    )


def test_bits_of_kernels_are_those_of_the_kernel_information():
    rows, y = network(200)
    plane = bottleneck.layers(rows, y, sampling=False, n_null=400)
    expected = eg.kernel_information(rows["first"], y, n_null=400, seed=5).bits()
    assert plane.layers[0].about_label.value == pytest.approx(expected, abs=0.01)


@QUICK
@given(st.integers(0, 2**20))
def test_symbols_that_are_merged_gain_nothing(seed):
    """Here the symbols of a layer are a function of those before, and the inequality holds."""
    rng = np.random.default_rng(seed)
    eight = rng.permutation(np.repeat(np.arange(8), 12))
    rows = {"input": eight[:, None] * 1.0, "halved": (eight // 2)[:, None] * 1.0}
    y = np.where(rng.random(96) < 0.3, rng.integers(0, 3, 96), eight % 3)
    plane = bottleneck.layers(rows, y, by="bins", bins=8, estimator="plain", sampling=False)
    layer = plane.layers[0]
    assert layer.gained.value == pytest.approx(0.0, abs=1e-9)
    assert layer.change.value <= 1e-9
    assert layer.about_previous.value == pytest.approx(2.0, abs=1e-9)  # 4 symbols alike: 2 bits


def test_frequencies_give_the_mutual_information():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 7, 300), rng.integers(0, 4, 300)
    assert plug_in(a, b) == pytest.approx(metrics.mutual_info_score(a, b), rel=1e-9)


@pytest.mark.parametrize("estimator", ["bits", "matched", "plain"])
def test_a_layer_that_repeats_its_symbols_keeps_everything(estimator):
    rows, y = network()
    same = {"input": rows["input"][:, :2], "again": rows["input"][:, :2]}
    plane = bottleneck.layers(same, y, by="bins", bins=3, estimator=estimator)
    layer = plane.layers[0]
    assert layer.change.value == layer.lost.value == layer.gained.value == 0.0
    assert layer.p_value == 1.0
    assert plane.rising == []


@QUICK
@given(st.integers(0, 2**20), st.sampled_from(["bits", "matched"]))
def test_a_copy_of_a_layer_gains_and_loses_nothing(seed, estimator):
    """Also where the labels mean nothing: the joint kernel of a copy is the layer's own."""
    rows, y = network(60, seed)
    y = np.random.default_rng(seed).permutation(y)
    copies = {"input": rows["first"], "copy": rows["first"].copy()}
    layer = bottleneck.layers(copies, y, estimator=estimator, sampling=False).layers[0]
    for number in (layer.lost, layer.gained, layer.change):
        assert number.value == pytest.approx(0.0, abs=1e-9)


def test_without_errors_nothing_is_said_of_a_test():
    rows, y = network(40)
    plane = bottleneck.layers(rows, y, by="bins", sampling=False)
    tested = bottleneck.layers(rows, y, by="bins", estimator="plain")
    assert plane._sentence() != tested._sentence()
    assert "+-" not in repr(plane)
    assert "+-" in repr(tested)


def test_turned_rows_have_the_same_kernel_and_break_nothing():
    rows, y = network()
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    plane = bottleneck.layers({"input": rows["input"], "turned": rows["input"] @ turn}, y)
    assert plane.layers[0].change.value == pytest.approx(0.0, abs=1e-9)
    assert plane.layers[0].p_value == 1.0


def test_labels_in_random_order_are_worth_nothing():
    rows, y = network(200)
    y = np.random.default_rng(7).permutation(y)
    plane = bottleneck.layers(rows, y, n_null=20)
    for number in (plane.input, *(layer.about_label for layer in plane.layers)):
        low, high = number.interval(0.999)
        assert low <= 0.0 <= high
        assert abs(number.value) < 0.15


def test_a_layer_that_pulls_classes_apart_is_measured_to_say_more():
    rng = np.random.default_rng(0)
    y = np.arange(150) % 3
    x = rng.normal(size=(150, 20)) + np.eye(3, 20)[y] * 2.5
    apart = x[:, :3].argmax(axis=1)[:, None] == np.arange(3)
    plane = bottleneck.layers({"input": x, "apart": apart + 0.01 * x[:, :3]}, y)
    assert plane.rising == ["apart"]
    assert plane.layers[0].gained.value > 0.2


def test_the_error_of_a_change_is_what_other_samples_show():
    changes, errors = [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        y = np.arange(150) % 3
        x = rng.normal(size=(150, 3)) + 2.0 * np.eye(3)[y]
        layer = bottleneck.layers([x, x[:, :2]], y, by="bins", estimator="plain").layers[0]
        changes.append(layer.change.value)
        errors.append(layer.change.sampling_error)
    assert 0.6 < np.mean(errors) / np.std(changes, ddof=1) < 1.6


def test_no_layer_lies_above_the_information_curve():
    pytest.importorskip("sklearn")
    rows, y = network(300)
    plane = bottleneck.layers(rows, y, by="clusters", n_clusters=6, sampling=False)
    curve = bottleneck.curve(plane.joint())
    kept, said = plane.on_curve().T
    assert (said <= curve.bounds(kept)[1] + 1e-6).all()
    assert (said >= 0.0).all()


def test_a_plane_prints_and_gives_rows():
    rows, y = network()
    plane = bottleneck.layers(rows, y, by="bins")
    assert [row["layer"] for row in plane.to_rows()] == plane.names == ["first", "second"]
    assert plane.to_rows()[0]["cost_sampling_se"] == plane.layers[0].cost.sampling_error
    for name in plane.names:
        assert name in repr(plane)
        assert name in plane._repr_html_()


def test_a_sequence_gets_names():
    rows, y = network()
    plane = bottleneck.layers(list(rows.values()), y, by="bins", sampling=False)
    assert plane.names == ["layer 1", "layer 2"]
    assert all(math.isnan(layer.p_value) for layer in plane.layers)


def test_a_plane_without_tests_does_not_print_that_no_layer_rises():
    rows, y = network()
    tested, untested = (
        bottleneck.layers(rows, y, by="bins", sampling=sampling) for sampling in (True, False)
    )
    assert tested.rising == untested.rising == []
    assert repr(tested).splitlines()[-1] != repr(untested).splitlines()[-1]


def test_the_seed_decides():
    rows, y = network(80)
    one, same, other = (
        bottleneck.layers(rows, y, seed=seed).layers[0].about_label for seed in (0, 0, 1)
    )
    assert (one.value, one.sampling_error) == (same.value, same.sampling_error)
    assert one.value != other.value


def test_bad_input_is_refused():
    rows, y = network(40)
    with pytest.raises(ValueError, match=naming("representations", "1")):
        bottleneck.layers({"input": rows["input"]}, y)
    with pytest.raises(TypeError, match=naming("representations", "ndarray")):
        bottleneck.layers(rows["input"], y)
    with pytest.raises(ValueError, match=naming("'first'", "39", "40")):
        bottleneck.layers({"input": rows["input"], "first": rows["first"][1:]}, y)
    with pytest.raises(ValueError, match=naming("Y", "39", "40")):
        bottleneck.layers(rows, y[1:])
    with pytest.raises(ValueError, match=naming("beta", "0")):
        bottleneck.layers(rows, y, beta=0.0)
    with pytest.raises(ValueError, match=naming("by", "'bin'")):
        bottleneck.layers(rows, y, by="bin")
    with pytest.raises(ValueError, match=naming("estimator", "'ksg'")):
        bottleneck.layers(rows, y, estimator="ksg")
    with pytest.raises(ValueError, match=naming("first", "NaN")):
        bottleneck.layers({**rows, "first": np.full((40, 2), np.nan)}, y)
    with pytest.raises(ValueError, match=naming("8 rows", "16")):
        bottleneck.layers({name: part[:8] for name, part in rows.items()}, y[:8], by="bins")
    with pytest.raises(TypeError, match=naming("n_cluster")):
        bottleneck.layers(rows, y, n_cluster=3)
    with pytest.raises(ValueError, match=naming("kernel", "clusters")):
        bottleneck.layers(rows, y, sampling=False).joint()

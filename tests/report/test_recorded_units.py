"""Units of a run: what is kept, given back and left out, and files that are damaged."""

from __future__ import annotations

import json
import random
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eigentropy.io import FileError
from eigentropy.report import Units, read_run
from eigentropy.report.unit_files import as_units, units_of, write_units
from messages import names, naming
from mutations import flip, insert, truncate
from recorded_runs import LAYERS, N, activations_of, record


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return record(tmp_path_factory.mktemp("good") / "run", units=Units())


@pytest.fixture
def run(good, tmp_path):
    return shutil.copytree(good, tmp_path / "a")


def test_what_was_recorded_is_given_back(good):
    known = read_run(good)
    for layer in LAYERS:
        steps, units = known.units(layer)
        assert steps.tolist() == [1, 2, 3]
        exact = np.stack([activations_of(step, layer).T for step in steps])
        np.testing.assert_array_equal(units, exact.astype(np.float32))
    assert known.description["units"]["samples"] == N
    assert known.description["columns"] == dict.fromkeys(LAYERS, 8)


def test_units_are_thinned_as_a_run_grows(tmp_path):
    known = read_run(record(tmp_path / "a", steps=range(23), units=Units(measurements=5)))
    assert known.units("first")[0].tolist() == [0, 8, 16]


def test_bytes_in_all_bound_the_steps(tmp_path):
    at_each = 2 * 8 * N * 4
    limit = Units(per_layer=8, max_bytes=3 * at_each + 1)
    run = record(tmp_path / "a", steps=range(9), units=limit)
    known = read_run(run)
    assert known.description["units"]["measurements"] == 3
    assert known.units("first")[0].tolist() == [0, 4, 8]
    content = sum(known.units(layer)[1].nbytes for layer in LAYERS)
    assert content <= limit.max_bytes


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 300), st.integers(2, 300), st.integers(2, 40), st.integers(1, 2**24),
    st.integers(1, 30), st.integers(1, 1000),
)  # fmt: skip
def test_no_plan_takes_more_than_its_bytes(units, samples, steps, most, layers, n):
    wanted = Units(units, samples, steps, most)
    at_each = layers * units * min(samples, n) * 4
    if 2 * at_each > most:
        with pytest.raises(ValueError, match=naming("units", most, at_each)):
            wanted.plan(layers, n)
        return
    plan = wanted.plan(layers, n)
    assert 2 <= plan.measurements <= steps
    assert plan.measurements * at_each <= most
    rows = np.arange(n * 400.0).reshape(n, 400)
    kept, columns = plan.chosen(rows, None)
    assert (kept.shape, columns) == ((min(units, 400), min(samples, n)), 400)
    assert (np.diff(kept[:, 0]) > 0).all()  # each unit once, in order
    assert (np.diff(kept[0]) > 0).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(1, 5))
def test_units_of_flattened_activations_are_means(shape, n):
    whole = np.random.default_rng(0).normal(size=(n, *shape))
    found = units_of(whole.reshape(n, -1), shape)
    axes = (1,) if len(shape) == 2 else tuple(range(2, len(shape) + 1))
    np.testing.assert_allclose(found, whole.mean(axis=axes) if len(shape) > 1 else whole)


def test_rows_of_another_length_are_units_as_they_are():
    rows = np.ones((2, 5))
    assert units_of(rows, (2, 3)) is rows
    assert units_of(rows, None) is rows


def test_the_argument_of_a_monitor():
    assert as_units(None) is as_units(False) is None
    assert as_units(True) == Units()
    assert as_units(7) == Units(7)
    assert as_units(Units(8)) == Units(8)


@pytest.mark.parametrize(
    "option",
    [{"per_layer": 1}, {"samples": 1}, {"measurements": 1}, {"max_bytes": 0}, {"seed": -1}],
)
def test_options_are_checked(option):
    with pytest.raises(ValueError, match=naming(*option, *option.values())):
        Units(**option)


def test_activations_beyond_float32_are_refused():
    rows = np.full((3, 4), 1e300)
    with pytest.raises(ValueError, match=naming("units", "1e+300", "float32")):
        Units().plan(1, 3).chosen(rows, None)


# ---- Going on -----------------------------------------------------------------------------------


def test_units_after_the_checkpoint_are_dropped(run):
    record(run, steps=(3, 4), loaded=2, units=Units())
    assert read_run(run).units("first")[0].tolist() == [1, 2, 3, 4]


def test_a_run_that_goes_on_without_units_keeps_those_that_it_has(run):
    record(run, steps=range(3, 40), loaded=2)
    assert read_run(run).units("first")[0].tolist() == [1, 2]


def test_a_run_without_units_does_not_go_on_with_them(tmp_path):
    record(tmp_path / "a")
    with pytest.raises(ValueError, match=naming("units", "None", 256)):
        record(tmp_path / "a", loaded=2, units=Units())


# ---- Reading ------------------------------------------------------------------------------------


def test_what_has_no_units_says_how_to_record_them(good, tmp_path):
    with pytest.raises(ValueError, match=naming(str(tmp_path / "a"), "'first'", "units=True")):
        read_run(record(tmp_path / "a")).units("first")
    with pytest.raises(ValueError, match=naming("'third'", *LAYERS)):
        read_run(good).units("third")


def test_units_of_a_measurement_that_was_interrupted_are_not_read(run):
    values = run / "values.jsonl"
    values.write_text("".join(values.read_text().splitlines(keepends=True)[:-1]))
    assert read_run(run).units("first")[0].tolist() == [1, 2]


FILE = "units/000001.npz"


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"0": np.ones((8, N))}, ["'step'"]),
        ({"step": np.float64(2), "0": np.ones((8, N))}, ["step", "float64", "whole"]),
        ({"step": np.int64(2**60)}, ["step", 2**60, "whole"]),
        ({"step": np.arange(2)}, ["step", "(2,)", "whole"]),
        ({"step": np.int64(2), "groups": np.ones(N)}, ["groups", "float64", "whole"]),
        ({"step": np.int64(2), "0": np.ones(8)}, [":0", "(8,)", "(units, samples)"]),
        ({"step": np.int64(2), "0": np.ones((0, N))}, [":0", (0, N), "(units, samples)"]),
        ({"step": np.int64(2), "0": np.ones((8, N), int)}, [":0", "int64", "floats"]),
        ({"step": np.int64(2), "0": np.full((8, N), np.nan)}, [":0", "NaN"]),
        ({"step": np.int64(2), "0": np.full((8, N), 1e300)}, [":0", "float32"]),
        ({"step": np.int64(2), "0": np.array([[None]])}, ["pickled"]),
        ({"step": np.int64(2), "0": np.ones((7, N))}, [":0", 7, 8, "step 1"]),
        ({"step": np.int64(2), "0": np.ones((8, 9)), "groups": np.ones(9, int)}, [9, N, "step 1"]),
        ({"step": np.int64(2), "0": np.ones((8, 9)), "groups": np.ones(8, int)}, ["groups", 9, 8]),
    ],
)
def test_what_is_wrong_is_said_by_file_and_array(run, arrays, said):
    np.savez(run / FILE, **arrays)
    with pytest.raises(FileError, match=naming(str(run / FILE), *said)):
        read_run(run).units("first")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("units", 7, ["['units']", 7, "an object"]),
        ("units", {"per_layer": 1}, ["['units']", "'samples'"]),
        ("columns", {"first": 0}, ["['columns']['first']", 0, "from 1"]),
    ],
)
def test_what_is_wrong_in_the_description_is_said(run, key, value, said):
    document = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**document, key: value}))
    with pytest.raises(FileError, match=naming("run.json", *said)):
        read_run(run)


def test_what_memory_cannot_hold_is_refused(run, monkeypatch):
    known = read_run(run)
    monkeypatch.setattr("eigentropy._support.memory.available", lambda: 5000.0)
    with pytest.raises(MemoryError, match=naming("first", 5000)):
        known.units("first")


def test_no_mutated_file_ends_in_a_traceback(run):
    content = (run / FILE).read_bytes()
    generator = random.Random(0)
    said = []
    for _ in range(400):
        changed = generator.choice((truncate, flip, insert))(content, generator)
        (run / FILE).write_bytes(changed)
        try:
            read_run(run).units("second")
        except (FileError, MemoryError) as error:
            said.append(str(error))
    assert len(said) > 100
    assert all(names(text, "000001.npz") for text in said)


def test_a_file_is_written_whole_or_not_at_all(run, full_disk):
    before = (run / FILE).read_bytes()
    with full_disk(100), pytest.raises(FileError):
        write_units(run / FILE, 2, {0: np.ones((200, 200), np.float32)})
    assert (run / FILE).read_bytes() == before
    assert len(list((run / "units").iterdir())) == 3

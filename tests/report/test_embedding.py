"""Embeddings of units for the page: bounded, computed once, kept in the run, or left out."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

import stand_ins
from eigentropy import embed, report
from eigentropy.cli import commands
from eigentropy.io import FileError
from eigentropy.report import Recorder, Units, page, read_run
from eigentropy.report.embedding import POINTS, STEPS, UNITS, Deadline, embedded_units
from eigentropy.report.views import phate_coordinates
from messages import names, naming
from recorded_runs import LAYERS, N, record


@pytest.fixture
def computed(monkeypatch):
    """The shapes of what is embedded, in order."""
    stand_ins.use(monkeypatch)
    shapes = []

    def counted(units, **options):
        shapes.append(units.shape)
        return stand_ins.mphate(units, **options)

    monkeypatch.setattr(embed, "mphate", counted)
    return shapes


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return record(tmp_path_factory.mktemp("good") / "run", units=Units())


@pytest.fixture
def run(good, tmp_path):
    return shutil.copytree(good, tmp_path / "a")


def embedded(path, seconds=60.0):
    return embedded_units(read_run(path), Deadline(seconds))


def test_coordinates_and_numbers_are_those_of_embed(computed, run):
    found, notes = embedded(run)
    assert notes == []
    assert [one["layer"] for one in found] == [0, 1]
    steps, units = read_run(run).units("second")
    exact = stand_ins.mphate(units).coordinates.reshape(-1, 2)
    exact -= exact.mean(axis=0)
    one = found[1]
    wanted = 1000 * exact.T / np.abs(exact).max()
    np.testing.assert_allclose(one["coordinates"], wanted, atol=0.51)
    assert one["steps"] == steps.tolist()
    numbers = embed.unit_entropies(units)
    assert one["dse"] == pytest.approx(numbers.dse, abs=1e-4)
    assert one["between"] == pytest.approx(numbers.step.between_share, rel=1e-3)
    assert (one["drawn"], one["all"], one["samples"], one["of"]) == ([*range(8)], 8, N, N)
    means = [units[:, :, np.arange(N) % 3 == k].mean(axis=2) for k in range(3)]
    assert one["answers"] == np.argmax(means, axis=0).ravel().tolist()


def test_what_was_computed_is_kept_in_the_run(computed, run):
    first = page([read_run(run)])
    assert len(computed) == 2
    assert page([read_run(run)]) == first
    assert len(computed) == 2
    record(run, steps=(4,), loaded=3, units=Units())
    page([read_run(run)])
    assert computed == [(3, 8, N)] * 2 + [(4, 8, N)] * 2


def test_other_activations_are_embedded_anew(computed, run):
    page([read_run(run)])
    file = run / "units" / "000001.npz"
    with np.load(file) as known:
        arrays = dict(known)
    np.savez(file, **{**arrays, "1": arrays["1"][::-1]})
    page([read_run(run)])
    assert len(computed) == 3  # of the two layers one has changed


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"\xff", b"[1]", b'{"key": 1}', b'{"key": "x", "dse": []}'],
)
def test_a_damaged_embedding_is_computed_again(computed, run, content):
    first = page([read_run(run)])
    for file in (run / "embedded").iterdir():
        file.write_bytes(content)
    assert page([read_run(run)]) == first
    assert len(computed) == 4


def test_an_embedding_with_one_number_too_few_is_computed_again(computed, run):
    first = page([read_run(run)])
    (file, *_) = sorted((run / "embedded").iterdir())
    document = json.loads(file.read_text())
    document["coordinates"][1].pop()
    file.write_text(json.dumps(document))
    assert page([read_run(run)]) == first
    assert len(computed) == 3


def test_a_run_that_cannot_be_written_to_is_drawn(computed, run, full_disk):
    with full_disk(0):
        assert len(embedded(run)[0]) == 2
    assert len(computed) == 2
    assert list((run / "embedded").iterdir()) == []


def test_no_embedding_begins_after_the_time(computed, run):
    with pytest.warns(UserWarning, match="60 s|0 s") as caught:
        found, notes = embedded(run, seconds=0.0)
    assert [str(one.message).endswith(note) for one, note in zip(caught, notes, strict=True)] == [
        True,
        True,
    ]
    assert (found, computed) == ([], [])
    assert [names(note, layer, "0 s") for note, layer in zip(notes, LAYERS, strict=True)] == [
        True,
        True,
    ]
    first = page([read_run(run)], seconds=60.0)
    assert page([read_run(run)], seconds=0.0) == first  # what is kept takes no time


def test_the_size_is_bounded_in_steps_units_and_points(computed, tmp_path):
    recorder = Recorder(tmp_path / "a")
    recorder.describe(units=Units(measurements=64), layers=["wide"], n=30, times=[1.0])
    generator = np.random.default_rng(0)
    for step in range(50):
        recorder.begin(step)
        recorder.units("wide", generator.normal(size=(30, 300)), None)
        recorder.write({"loss": 1.0}, step)
    (one,), notes = embedded(tmp_path / "a")
    assert notes == []
    ((steps, units, _),) = computed
    assert steps == STEPS
    assert units <= UNITS
    assert steps * units <= POINTS
    assert one["steps"][0] == 0
    assert one["steps"][-1] == 49
    assert (one["kept"], one["all"], one["answers"]) == (256, 300, None)
    text = page([read_run(tmp_path / "a")])
    assert len(text) - len(page([read_run(record(tmp_path / "b"))])) < 40_000


def test_a_layer_that_cannot_be_embedded_is_left_out_with_the_reason(computed, tmp_path):
    """Units that are constant on the probe at every step have nothing to compare."""
    recorder = Recorder(tmp_path / "a")
    recorder.describe(units=Units(), layers=["dead", "first"], n=N, times=[1.0])
    for step in (1, 2):
        recorder.begin(step)
        recorder.units("dead", np.zeros((N, 4)), None)
        recorder.units("first", np.random.default_rng(step).normal(size=(N, 4)), None)
        recorder.write({"loss": 1.0}, step)
    with pytest.warns(UserWarning, match=naming("a", "dead", "constant")):
        found, notes = embedded(tmp_path / "a")
    assert [one["layer"] for one in found] == [1]
    assert [names(note, "dead", "constant") for note in notes] == [True]


def test_constant_units_are_counted(computed, tmp_path):
    recorder = Recorder(tmp_path / "a")
    recorder.describe(units=Units(), layers=["some"], n=N, times=[1.0])
    for step in (1, 2):
        recorder.begin(step)
        rows = np.random.default_rng(step).normal(size=(N, 5))
        rows[:, 2] = 0.0
        rows[:, 3] *= step - 1  # constant at the first step alone
        recorder.units("some", rows, None)
        recorder.write({"loss": 1.0}, step)
    ((one,), notes) = embedded(tmp_path / "a")
    assert (one["constant"], notes) == (1, [])


def test_a_damaged_file_of_units_is_an_error_that_names_it(computed, run):
    np.savez(run / "units/000001.npz", step=np.int64(2), **{"1": np.ones((7, N))})
    with pytest.raises(FileError, match=naming("000001.npz", 7, 8)):
        page([read_run(run)])


def test_where_phate_is_missing_the_extra_is_named_once_and_the_numbers_are_there(
    monkeypatch, run, tmp_path
):
    stand_ins.use(monkeypatch, is_installed=False)
    known = read_run(run)
    found, notes = embedded(run)
    assert [one["coordinates"] for one in found] == [None, None]
    assert all(one["dse"] for one in found)
    assert [names(note, "eigentropy[embed]") for note in notes] == [True]
    assert sum(names(text, "eigentropy[embed]") for text in report.remarks(known)) == 1
    target = str(tmp_path / "page.html")
    result = CliRunner().invoke(commands.app, ["report", str(run), "-o", target])
    assert result.exit_code == 0
    assert "eigentropy[embed]" in re.sub(r"\s+", " ", result.output)


def test_phate_installed_later_draws_what_had_numbers_only(monkeypatch, run):
    stand_ins.use(monkeypatch, is_installed=False)
    embedded(run)
    stand_ins.use(monkeypatch)
    assert all(one["coordinates"] for one in embedded(run)[0])


def test_the_command_says_which_units_are_left_out(computed, run, tmp_path, monkeypatch):
    monkeypatch.setattr(Deadline, "is_over", True)
    arguments = ["report", str(run), "-o", str(tmp_path / "page.html"), "--json"]
    result = CliRunner().invoke(commands.app, arguments)
    assert result.exit_code == 0
    said = json.loads(result.stdout)["warnings"]
    for text, layer in zip(said[-2:], LAYERS, strict=True):
        assert names(text, layer, "60 s")


# ---- PHATE views --------------------------------------------------------------------------------


def test_views_have_phate_coordinates_beside_diffusion_coordinates(monkeypatch, tmp_path):
    stand_ins.use(monkeypatch)
    plain, both = record(tmp_path / "a"), record(tmp_path / "b", phate=True, points=10)
    assert all("phate" not in view for view in read_run(plain).views)
    for view in read_run(both).views:
        for layer in LAYERS:
            assert np.array(view["phate"][layer]).shape == np.array(view["layers"][layer]).shape
            assert np.abs(view["phate"][layer]).max() == 1000


def test_phate_views_need_the_extra(monkeypatch, tmp_path):
    stand_ins.use(monkeypatch, is_installed=False)
    with pytest.raises(ImportError, match=naming("phate=True", "eigentropy[embed]")):
        Recorder(tmp_path / "a", phate=True)


@pytest.mark.parametrize("value", [7, {"first": [[1], [2]]}, {"first": [[1.0] * N, [None] * N]}])
def test_damaged_phate_coordinates_are_refused_by_key(monkeypatch, tmp_path, value):
    stand_ins.use(monkeypatch)
    run = record(tmp_path / "a", phate=True)
    file = run / "views/000001.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "phate": value}))
    with pytest.raises(FileError, match=naming("000001.json", "['phate']")):
        read_run(run)


# ---- With the library ---------------------------------------------------------------------------


@pytest.mark.parametrize("n", [3, 4, 7, 40])
def test_a_view_of_few_or_equal_samples_has_coordinates_or_none(n):
    pytest.importorskip("phate", reason="phate is not installed: pip install 'eigentropy[embed]'")
    rows = np.random.default_rng(0).normal(size=(n, 4))
    found = phate_coordinates(rows)
    assert found is None or np.array(found).shape == (2, n)
    assert (found is None) == (n == 3)
    assert phate_coordinates(np.ones((n, 4))) is None


def test_the_library_draws_units_and_views(tmp_path):
    pytest.importorskip("phate", reason="phate is not installed: pip install 'eigentropy[embed]'")
    run = record(tmp_path / "a", units=Units(), phate=True, steps=(1, 2, 3))
    (one, _), notes = embedded(run)
    assert notes == []
    exact = embed.mphate(read_run(run).units("first")[1]).coordinates.reshape(-1, 2)
    exact -= exact.mean(axis=0)
    wanted = 1000 * exact.T / np.abs(exact).max()
    np.testing.assert_allclose(one["coordinates"], wanted, atol=0.51)
    views = read_run(run).views
    assert [len(view["phate"]["first"][0]) for view in views] == [N] * 3

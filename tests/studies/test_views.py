"""The study of views: which states it looks at, what it says of them, and its grid of pictures.

With a stand-in for PHATE, but for the last test.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the studies of training need PyTorch")
pytest.importorskip("sklearn", reason="the digits come with scikit-learn")

import stand_ins
from eigentropy import embed
from eigentropy.report import read_run
from eigentropy.studies import figures, views
from eigentropy.studies.courses import Course, Sizes
from eigentropy.studies.study import Curve, Panel, StudyPlan, select
from eigentropy.studies.vision import architectures, learning, pictures, unit_numbers, watching
from messages import names, naming

# Half of the digits reach 90 % in some epochs.
SIZES = Sizes(digits=450)
PLAN = StudyPlan(repetitions=1)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def stood_in(monkeypatch):
    stand_ins.use(monkeypatch)


def measured(job, sizes=SIZES, runs=None):
    return list(views.STUDY.measure(job, runs, sizes))


# What is measured


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The job of a network that learns, its rows, and where its run is."""
    runs = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        stand_ins.use(patch)
        job = views.STUDY.jobs(PLAN)[2]
        rows = measured(job, runs=runs)
    return job, rows, runs


def test_each_view_is_the_first_state_of_its_accuracy(found):
    job, rows, _ = found
    assert job.settings["network"] == "convnet-bn"
    accuracies, epochs = (
        {row["at"]: row.value for row in select(rows, estimator=name)}
        for name in (views.ACCURACY, views.EPOCHS)
    )
    assert tuple(accuracies) == views.ACCURACIES
    assert all(value >= at for at, value in accuracies.items())
    assert list(epochs.values()) == sorted(epochs.values())
    for at, later in zip(views.ACCURACIES, views.ACCURACIES[1:], strict=False):
        same = epochs[at] == epochs[later]
        assert same == (accuracies[at] >= later)  # otherwise it would have been the first
        assert same == (accuracies[at] == accuracies[later])


def test_every_number_is_measured_and_every_picture_has_a_place(found):
    job, rows, _ = found
    assert {row.cell for row in rows} == set(job.cells)
    assert all(math.isfinite(row.value) for row in rows)
    assert {row.cell.estimator for row in select(rows, at=views.START)} == set(views.OF_Z)
    drawn = select(rows, estimator=views.COORDINATES[0], at=0.5)
    assert len(drawn) == views.PER_CLASS * 10
    assert len({row.value for row in drawn}) > views.PER_CLASS


def test_only_the_first_seed_is_drawn():
    jobs = views.STUDY.jobs(replace(PLAN, repetitions=2, seed=4))
    drawn = [{c.estimator for c in job.cells} >= set(views.COORDINATES) for job in jobs]
    assert drawn == [job.seed == 4 for job in jobs]
    assert {job.seed for job in jobs} == {4, 5}


def test_the_run_has_the_views_by_accuracy(found):
    job, rows, runs = found
    (path,) = runs.iterdir()
    run = read_run(path)
    reached = {round(100 * row["at"]) for row in select(rows, estimator=views.EPOCHS)}
    steps = [view["step"] for view in run.views]
    assert steps[0] == 0
    assert set(steps[1:]) <= reached
    assert steps[-1] == 90
    assert all(view["phate"]["Z"] for view in run.views)
    assert json.loads((path / "run.json").read_text())["settings"]["std"] == job.settings["std"]


@pytest.mark.usefixtures("stood_in")
def test_a_network_that_never_comes_so_far_says_so_and_has_no_such_rows():
    slow = replace(SIZES, course=lambda data, epochs, network: Course(2, 1e-6, 64))
    job = views.STUDY.jobs(PLAN)[0]
    with pytest.warns(UserWarning, match=naming("convnet", "90%", 0)):
        rows = measured(job, slow)
    assert {row.cell.estimator for row in select(rows, at=views.START)} == set(views.OF_Z)
    assert not select(rows, at=0.9)


@pytest.mark.usefixtures("stood_in")
def test_the_rest_of_a_job_is_measured_as_the_whole(found):
    job, rows, _ = found
    some = tuple(cell for cell in job.cells if cell.settings["at"] in (views.START, 0.3))
    again = measured(replace(job, cells=some))
    values = {row.cell: row.value for row in rows}
    assert {row.cell for row in again} == set(some)
    assert all(values[row.cell] == row.value for row in again)


def test_pictures_are_balanced_and_drawn_by_the_seed():
    y = np.repeat(np.arange(4), [100, 50, 40, 20])
    rows = views.by_class(y, seed=1)
    assert np.bincount(y[rows]).tolist() == [30, 30, 30, 20]
    assert sorted(y[rows]) == y[rows].tolist()
    assert np.array_equal(rows, views.by_class(y, seed=1))
    assert not np.array_equal(rows, views.by_class(y, seed=2))


@given(
    st.integers(0, 2**32 - 1), st.floats(-10.0, 10.0), st.floats(0.01, 100.0), st.booleans(),
    st.floats(0.0, 2 * math.pi),
)  # fmt: skip
def test_a_view_is_turned_onto_the_one_before(seed, shift, size, mirrored, angle):
    """Whatever PHATE leaves open: place, size, turn, mirror image."""
    points = views.turned(np.random.default_rng(seed).normal(size=(20, 2)), None)
    assert np.square(points).sum() == pytest.approx(20.0)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    other = size * (points * (1, -1 if mirrored else 1)) @ turn + shift
    np.testing.assert_allclose(views.turned(other, points), points, atol=1e-9)


def test_points_that_are_one_stay_at_the_centre():
    same = np.full((5, 2), 3.0)
    assert not views.turned(same, None).any()
    assert not views.turned(same, np.ones((5, 2))).any()


def test_separations_are_of_z_and_of_the_plane():
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    far = 20.0 * np.eye(3)[y] + rng.normal(size=(90, 3))
    values = views.separations(far, rng.normal(size=(90, 2)), y)
    in_z, in_plane = zip(*views.SEPARATE.values(), strict=True)
    assert min(values[name] for name in in_z) > 0.8
    assert max(values[name] for name in in_plane) < 0.6


# What is said of the rows


def test_a_view_that_only_one_of_two_networks_has_is_not_compared(found):
    _, rows, _ = found
    numbers = [row for row in rows if row.cell.estimator not in views.COORDINATES]
    other = [
        replace(row, cell=row.cell.with_parameters(std=views.HIGH), value=row.value + 1.0)
        for row in numbers
    ]
    two = [
        replace(row, cell=replace(row.cell, seed=seed))
        for row in numbers + other for seed in (0, 1)
    ]  # fmt: skip
    left = [row for row in two if (row["at"], row["std"]) != (0.9, views.HIGH)]
    for part in (two, left):
        claims = {finding.claim: finding for finding in views.STUDY.findings(part)}
        (claim,) = [c for c in claims if "DSE auto at the same accuracy" in c]
        assert names(claims[claim].measured, "-1.000")
        assert claims[claim].holds
    (end,) = [f for c, f in claims.items() if "high: DSE auto rises" in c]
    assert names(end.measured, "80%")
    (late,) = [f for c, f in claims.items() if "comes to 90%" in c]
    assert late.holds is None
    assert names(late.measured, "low", 2, "high", 0)


def test_the_grid_has_a_column_for_each_accuracy_and_no_numbers(found):
    _, rows, _ = found
    panels = views.STUDY.panels(rows)
    assert [panel.title for panel in panels] == [
        "20%",
        "30%",
        "40%",
        "50%",
        "60%",
        "70%",
        "80%",
        "90%",
    ]
    assert [bool(panel.y) for panel in panels] == [True, *[False] * 7]
    figure = figures.draw(panels * 2, figures.caption(views.STUDY, PLAN))
    assert figure.axes[0].get_gridspec().get_geometry() == (2, 8)
    assert not [axes for axes in figure.axes if len(axes.get_xticks())]
    assert "shaded" not in figures.caption(views.STUDY, PLAN)
    assert len(figure.legends[0].get_texts()) == 10


def test_a_small_panel_beside_a_large_one_is_no_grid():
    panel = Panel("a", "x", "y", [Curve("c", {0.0: [1.0]})], scatter=True)
    figure = figures.draw([panel, replace(panel, small=True)], "")
    assert figure.axes[0].get_gridspec().get_geometry() == (1, 2)
    assert len(figure.axes[0].get_xticks())


# What the studies of training share


@pytest.fixture
def digits():
    return pictures.load("digits", 200)


def test_batches_make_up_the_epochs(digits):
    seen = digits[0]
    course = Course(2, 3e-3, 64)

    def network():
        return architectures.make("convnet", seen, seed=0)

    by_epoch = list(learning.train(network(), seen, course, learning.CrossEntropy(), 1))
    by_batch = list(learning.train_by_batch(network(), seen, course, learning.CrossEntropy(), 1))
    assert [epoch for epoch, _ in by_batch] == pytest.approx(np.arange(9) / 4)
    for number, (epoch, loss) in enumerate(by_epoch[1:]):
        losses = [loss for _, loss in by_batch[1 + 4 * number : 5 + 4 * number]]
        assert epoch == number + 1
        assert loss == np.mean(losses)


def test_a_look_between_batches_changes_nothing(digits):
    seen, heldout = digits
    course, objective = Course(1, 3e-3, 64), learning.CrossEntropy()
    losses = []
    for looks in (False, True):
        network = architectures.make("convnet-bn", seen, seed=0)
        losses.append([])
        for _, loss in learning.train_by_batch(network, seen, course, objective, 1):
            losses[-1].append(loss)
            if looks:
                learning.accuracy(network, seen, heldout)
    np.testing.assert_array_equal(*losses)


def test_blocks_of_a_place_of_its_own_have_its_name(digits):
    network = architectures.make("convnet", digits[1], seed=0)
    further = ("kernel_y",)
    watch = watching.Watch(network, digits[1], 50, blocks=True, further=further, place="there")
    found = watch(0)
    places = {place for place, _ in found}
    assert places == {"there", "there, block 1", "there, block 2", "there, block 3"}
    assert ("there, block 2", "adjusted kernel information(Z;Y) auto") in found


@pytest.mark.filterwarnings("ignore:.*units are constant")
def test_numbers_of_units_are_those_of_embed(digits):
    network = architectures.make("convnet", digits[1], seed=0)
    found = unit_numbers.unit_numbers(network, digits[1], "there")
    Z = learning.outputs(network, digits[1].X)[0].T.astype(float)
    expected = embed.unit_entropies(Z[None])
    values = [found["there", name] for name in unit_numbers.DIVERSITIES]
    assert found["there", unit_numbers.SELECTIVITY] == pytest.approx(
        np.nanmean(embed.selectivity(Z))
    )
    assert values == pytest.approx([expected.dse[0], expected.kernel_entropy[0]])


def test_a_network_that_says_nothing_has_no_diversity(digits):
    network = architectures.make("convnet", digits[1], seed=0)
    with torch.no_grad():
        for values in network.parameters():
            values.zero_()
    assert all(map(math.isnan, unit_numbers.unit_numbers(network, digits[1], "there").values()))


# PHATE


def test_the_package_that_is_missing_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr("eigentropy.report.views.has_phate", lambda: False)
    with pytest.raises(ImportError, match=naming("views", "phate", "eigentropy[embed]")):
        views.STUDY.jobs(PLAN)


def test_the_plane_of_phate_keeps_classes_apart():
    pytest.importorskip("phate", reason="views needs PHATE")
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    rows = 10.0 * np.eye(8)[y] + rng.normal(size=(60, 8))
    points = views.phate_plane(rows, 0)
    assert points.shape == (60, 2)
    assert views.separations(rows, points, y)["kNN in the plane"] > 0.95
    assert np.array_equal(points, views.phate_plane(rows, 0))


def test_phate_writes_nothing_to_the_output(capfd):
    """Which may be a document in JSON."""
    pytest.importorskip("phate", reason="views needs PHATE")
    rows = np.random.default_rng(0).normal(size=(300, 64))
    rows[:, :10] += 5.0 * np.eye(10)[np.arange(300) % 10]
    embed.phate(rows, t=10)  # its scaling has not converged
    assert capfd.readouterr() == ("", "")

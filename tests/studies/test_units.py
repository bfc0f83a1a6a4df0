"""The study of units: its rule, its network, and all of it at a tiny size."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the study trains networks with PyTorch")
pytest.importorskip("sklearn", reason="the digits come with scikit-learn")

from benchmarks.documents.study_tables import RESULTS, stored
from eigentropy.studies import courses, units
from eigentropy.studies.courses import Course
from eigentropy.studies.rows import StudyRow
from eigentropy.studies.study import StudyPlan
from eigentropy.studies.vision import pictures
from eigentropy.studies.vision.units import perceptron, recorded
from messages import names

TINY = units.UnitSizes(digits=60, examples=40, probe=30, width=16)


@pytest.fixture(autouse=True)
def _one_thread():
    """As the studies of digits train: several threads wait for each other by spinning."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def made_up(value, repetitions=10):
    jobs = units.jobs(StudyPlan(repetitions=repetitions))
    return [StudyRow(c, value(c), math.nan, 0.0) for job in jobs for c in job.cells]


def apart(value, layer="hidden 1"):
    found = units.findings(made_up(value))
    return next(f for f in found if f.kind == "apart" and f.claim.startswith(layer))


def separated(cell, wrong=(), named=units.KERNEL):
    """One number is 1 for memorising and 0 for learning, but for some seeds; others are noise."""
    if cell.estimator != named:
        return float(np.random.default_rng([cell.seed, len(cell.estimator)]).normal())
    memorises = cell.settings["labels"] == units.MEMORISING
    return float(memorises != (cell.seed in wrong)) + 0.01 * cell.seed


def test_the_number_that_differs_most_is_chosen_and_decides_on_other_seeds():
    found = apart(separated)
    assert found.holds is True
    assert names(found.measured, "kernel entropy of units", "0.520", "10 of 10")


def test_a_seed_that_has_not_chosen_the_number_can_contradict_it():
    found = apart(lambda cell: separated(cell, wrong=(7,)))
    assert found.holds is False
    assert names(found.measured, "8 of 10")


def test_a_number_that_differs_on_the_other_seeds_only_is_not_chosen():
    """It would tell all of them apart, but the choice has not seen them."""

    def late(cell):
        return separated(cell) if cell.seed >= 5 else separated(cell, named="none")

    assert apart(late).holds is False


def test_one_seed_bears_no_claim_out():
    kinds = {f.kind: f.holds for f in units.findings(made_up(separated, repetitions=1))}
    del kinds["by heart"]  # of every network, and no interval
    assert set(kinds.values()) == {None}


def test_the_direction_of_a_rule_is_that_of_the_choosing_seeds():
    rows = made_up(lambda cell: -separated(cell))
    rule = units.rule_of(rows, "hidden 1", units.KERNEL)
    assert not rule.above
    assert rule.is_right(-1.0, units.MEMORISING)
    assert not rule.is_right(-1.0, units.LEARNING)


def test_what_is_nan_or_equal_makes_no_rule():
    for value in (math.nan, 1.0):
        rows = made_up(lambda cell, value=value: value)
        assert units.rule_of(rows, "hidden 1", units.KERNEL) is None


def test_units_are_recorded_before_training_and_after_it():
    training, heldout = pictures.load("digits", 60)
    network = perceptron(training, units.LAYERS, 16, seed=0)
    with torch.no_grad():
        first = network.body[1](network.body[0](heldout.X)).T.numpy()
    probes = {"": heldout, "seen": training}
    found = recorded(network, training, Course(3, 1e-2, 64), 0, {0, 3}, probes)
    assert set(found) == set(probes)
    assert set(found[""]) == set(units.LAYERS)
    assert found[""]["hidden 1"].shape == (2, 16, len(heldout))
    np.testing.assert_array_equal(found[""]["hidden 1"][0], first)
    assert np.abs(found[""]["hidden 1"][1] - first).max() > 1e-3


def test_the_seed_makes_the_network_and_leaves_the_random_state_alone():
    training, _ = pictures.load("digits", 60)
    before = torch.get_rng_state()
    first, again, other = (perceptron(training, units.LAYERS, 16, seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    X = training.X[:7]
    assert first(X).shape == (7, 10)
    assert torch.equal(first(X), again(X))
    assert not torch.equal(first(X), other(X))


def test_every_cell_is_measured_at_a_tiny_size_and_again_the_same():
    jobs = units.jobs(StudyPlan(repetitions=1, epochs=3))
    rows = [row for job in jobs for row in units.measure(job, TINY)]
    assert {row.cell for row in rows} == {cell for job in jobs for cell in job.cells}
    assert np.isfinite([row.value for row in rows]).all()
    assert {f.holds for f in units.findings(rows)} <= {True, False, None}
    again = [row.value for job in jobs for row in units.measure(job, TINY)]
    assert again == [row.value for row in rows]


def test_scrambled_labels_are_the_true_ones_in_another_order(monkeypatch):
    from eigentropy.studies.vision import units as networks

    seen = []
    plain = networks.perceptron
    monkeypatch.setattr(
        networks, "perceptron", lambda p, *rest: (seen.append(p), plain(p, *rest))[1]
    )
    for job in units.jobs(StudyPlan(repetitions=1, epochs=1)):
        list(units.measure(replace(job, cells=job.cells[:1]), TINY))
    true, told = seen
    assert torch.equal(true.X, told.X)
    assert sorted(true.y) == sorted(told.y)
    assert (true.y != told.y).mean() > 0.5


@pytest.mark.parametrize("layer", units.LAYERS)
def test_a_threshold_of_one_data_set_is_right_about_the_other_as_the_page_says(layer):
    """DSE of units, of the rows that are stored."""
    ends = [courses.last(stored(name, RESULTS)) for name in ("units", "units-mnist-5000")]
    for one, other in (ends, ends[::-1]):
        rule = units.verdicts(one, layer)[0].rule
        assert rule.name == units.DSE
        for labels in (units.LEARNING, units.MEMORISING):
            values = units.by_seed(other, layer, units.DSE, labels).values()
            assert len(values) == 10
            assert all(rule.is_right(value, labels) for value in values)

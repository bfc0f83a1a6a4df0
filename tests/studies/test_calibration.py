"""What the study of calibration takes for the truth, its data, and what it calls off."""

from __future__ import annotations

import math
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eigentropy as eg
from eigentropy.studies import calibration, calibration_sets, data
from eigentropy.studies.calibration_sets import SETS
from eigentropy.studies.rows import Cell, StudyRow, sorted_parameters
from eigentropy.studies.study import StudyPlan, make_job


def entropy(labels):
    p = np.bincount(labels) / len(labels)
    return -sum(x * math.log2(x) for x in p if x > 0)


columns = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=2, max_size=60)


@given(columns)
def test_information_of_a_table_is_a_sum_of_three_entropies(pairs):
    a, b = np.array(pairs).T
    expected = entropy(a) + entropy(b) - entropy(5 * b + a)
    assert calibration.table_information(a, b) == pytest.approx(expected, abs=1e-12)


def test_what_is_left_without_chance_is_all_of_itself_and_nothing_of_strangers():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 10, size=(2, 400))
    assert calibration.less_chance(a, a, 0) == pytest.approx(entropy(a), rel=1e-12)
    counted = calibration.table_information(a, b)
    assert counted > 0.1  # all of it chance
    assert abs(calibration.less_chance(a, b, 0)) < 0.03


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_points_far_apart_read_the_truth_without_chance(share):
    """Each value of Y is one point: the density matrix has the eigenvalues p_y of the labels."""
    labels = np.random.default_rng(1).integers(0, 6, size=300)
    told = data.corrupted(labels, share, seed=2)
    found = eg.kernel_information(100.0 * np.eye(6)[labels], told, sigma=1.0, n_null=200)
    known = calibration.less_chance(labels, told, 3) / entropy(told)
    assert found.adjusted() == pytest.approx(known, abs=0.01)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_the_channel_is_what_many_rows_count(share):
    labels = np.random.default_rng(2).choice(3, 200_000, p=[0.2, 0.3, 0.5])
    told = data.corrupted(labels, share, seed=0)
    counted = calibration.table_information(labels, told)
    assert calibration.channel_information(labels, share) == pytest.approx(counted, abs=0.005)


def test_a_classifier_finds_blobs_and_nothing_of_noise():
    labels = np.arange(200) % 4
    Z = 10.0 * np.eye(4)[labels] + np.random.default_rng(0).normal(size=(200, 4))
    assert (calibration.predictions(Z, labels, 0) == labels).all()
    noise = np.random.default_rng(1).normal(size=(200, 4))
    found = calibration.predictions(noise, labels, 0)
    assert calibration.less_chance(found, labels, 0) < 0.1


MADE = [name for name, each in SETS.items() if not each.packages]


@pytest.mark.parametrize("name", MADE)
def test_every_set_has_rows_labels_and_a_seed(name):
    pytest.importorskip("sklearn")
    made = SETS[name].make
    (Z, labels), (again, _), (other, _) = made(120, 0), made(120, 0), made(120, 1)
    assert len(Z) == len(labels) == 120
    assert len(np.unique(labels)) >= 2
    assert (again == Z).all()
    assert Z.shape != other.shape or (other != Z).any()


@pytest.mark.parametrize("seed", range(8))
def test_clouds_of_a_mixture_are_told_apart(seed):
    """By the nearest row, up to a few."""
    Z, labels = calibration_sets.mixture(300, seed)
    squared = ((Z[:, None] - Z) ** 2).sum(axis=2) + np.diag(np.full(300, np.inf))
    assert (labels[squared.argmin(axis=1)] == labels).mean() > 0.97


def test_a_set_of_a_package_that_is_missing_is_left_out_by_name(monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.setattr(calibration.importlib.util, "find_spec", lambda name: None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        jobs = calibration.jobs(StudyPlan(full=True, repetitions=1))
    told = " ".join(str(each.message) for each in caught)
    for name, each in SETS.items():
        assert (name in {job.data for job in jobs}) == (not each.packages)
        assert all(word in told for word in (name, *each.packages)) or not each.packages
    with pytest.raises(ImportError, match="aeon"):
        SETS["Japanese vowels"].make(10, 0)


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A folder for the files of a package that only has files."""

    def make(package, *folders):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, package, raising=False)
        path = (tmp_path / package).joinpath(*folders)
        path.mkdir(parents=True)
        return path

    return make


def test_the_vowels_are_read_from_the_files_of_a_package(stand_in):
    folder = stand_in("aeon", "datasets", "data", "JapaneseVowels")
    series = [f"{i},{i + 2}:{-i},{-i}:{i % 3 + 1}" for i in range(6)]
    for part, lines in (("TRAIN", series[:4]), ("TEST", series[4:])):
        text = "\n".join(["#about", "@classLabel true 1 2 3", "@data", *lines])
        (folder / f"JapaneseVowels_{part}.ts").write_text(text + "\n")
    Z, labels = SETS["Japanese vowels"].make(6, 0)
    assert sorted(labels) == [1, 1, 2, 2, 3, 3]
    means = np.sort(Z[:, 0])
    assert means == pytest.approx((np.arange(6) - 2.5) / np.arange(6).std())
    assert (Z[:, 2] == 0).all()  # the deviation of the first channel is 1 in all
    assert len(SETS["Japanese vowels"].make(3, 0)[0]) == 3


def test_the_cells_are_read_from_the_files_of_a_package(stand_in):
    h5py = pytest.importorskip("h5py")
    rows, types = np.arange(12.0).reshape(6, 2), np.arange(6) // 2
    path = stand_in("scanpy", "datasets") / "10x_pbmc68k_reduced.h5ad"
    named = np.zeros(6, dtype=[("X_pca", "f4", 2), ("bulk_labels", "i1")])
    named["X_pca"], named["bulk_labels"] = rows, types
    with h5py.File(path, "w") as file:
        file["obsm"], file["obs"] = named, named
    Z, labels = SETS["blood cells"].make(6, 0)
    assert (rows == Z).all()
    assert (labels == types).all()
    assert len(SETS["blood cells"].make(4, 0)[0]) == 4


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    for module in ("sklearn", "sklearn.datasets"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match="cluster"):
        calibration.jobs(StudyPlan())


def test_a_job_measures_shares_of_the_label_entropy():
    names = ["all", "counted", "channel", "Holevo narrow", "adjusted narrow", "plug-in 10 bins"]
    job = make_job("blobs d=20", {"n": 150, "share": 0.0}, names, 0)
    values = {row.cell.estimator: row.value for row in calibration.measure(job)}
    assert set(values) == set(names)
    assert values.pop("channel") == pytest.approx(1.0)
    assert all(value == pytest.approx(1.0, abs=0.01) for value in values.values())


# What is off


def rows_of(name, **values):
    """One row for each estimator and seed: values are lists over seeds, at 10 %."""
    return [
        StudyRow(Cell(name, sorted_parameters({"share": 0.1}), estimator, seed), value, 0.0, 0.0)
        for estimator, each in values.items()
        for seed, value in enumerate(each)
    ]


def test_off_is_the_distance_from_what_is_known():
    known = {"all": [0.8, 0.9], "classifier": [0.6, 0.5]}
    told = rows_of("digits", MINE=[0.7, 1.0], **known)
    assert calibration.errors(told, "digits", "MINE")[0.1] == pytest.approx([-0.1, 0.1])
    between = rows_of("breast cancer", MINE=[0.7, 0.4], **known)
    assert calibration.errors(between, "breast cancer", "MINE")[0.1] == pytest.approx([0.0, -0.1])
    by_one = calibration.errors(between, "breast cancer", "MINE", "classifier", "classifier")
    assert by_one[0.1] == pytest.approx([0.1, -0.1])


def test_what_is_not_defined_reads_nothing():
    rows = rows_of("digits", MINE=[math.nan], all=[0.8])
    assert calibration.errors(rows, "digits", "MINE")[0.1] == pytest.approx([-0.8])


def test_the_worst_share_counts_and_its_sign_stays():
    rows = rows_of("digits", MINE=[0.6, 0.6], all=[0.8, 0.8])
    assert calibration.worst(rows, "digits", "MINE") == pytest.approx((-0.2, 0.0, 0.1))
    assert calibration.worst(rows, "digits", "KSG") is None

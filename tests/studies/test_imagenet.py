"""The study of pretrained models: its list, its pictures, what a task measures, what it says."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason="the study imagenet needs PyTorch")
pytest.importorskip("sklearn", reason="the probes need scikit-learn")
timm = pytest.importorskip("timm", reason="the study imagenet needs timm")
PIL_Image = pytest.importorskip("PIL.Image", reason="pictures are read by Pillow")


import timm_list
from eigentropy import studies
from eigentropy.cli import commands
from eigentropy.io import FileError
from eigentropy.ranking import engines
from eigentropy.studies import imagenet, imagenet_list, imagenet_pictures, tasks
from eigentropy.studies.imagenet_list import Listed
from eigentropy.studies.rows import StudyRow
from eigentropy.studies.study import StudyPlan, select
from messages import names, naming

ENGINE = tasks.Engine(processes=1)


def listed(name="resnet18.a1_in1k", top1=70.0, **more):
    return Listed(name, **{"size": 224, "crop": 0.95, "parameters": 11.69, "top1": top1, **more})


# timm's list


def test_a_line_of_timm_s_list_is_read(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(
        "model,img_size,top1,top1_err,top5,top5_err,param_count,crop_pct,interpolation\n"
        'eva_giant_patch14_336.clip_ft_in1k,336,89.464,10.536,98.824,1.176,"1,013.01",1.000,x\n'
    )
    (model,) = imagenet_list.read_list(path)
    assert model == Listed("eva_giant_patch14_336.clip_ft_in1k", 336, 1.0, 1013.01, 89.464)
    assert model.architecture == "eva_giant_patch14_336"


def test_of_a_model_at_several_sizes_the_most_accurate_is_taken(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(HEADER + "\na,288,80,1,1\nb,224,81,1,1\na,224,79,1,1\na,320,80.5,1,1\n")
    assert [(m.name, m.size) for m in imagenet_list.read_list(path)] == [("b", 224), ("a", 320)]


HEADER = ",".join(imagenet_list.COLUMNS)
BAD_LISTS = {
    "no file": (None, ["list.csv", "results-imagenet.csv", "--models"]),
    "no column": ("model,top1\na,1\n", ["list.csv", "img_size", "param_count", "top1"]),
    "nothing": ("", ["list.csv", "model", "none"]),
    "no models": (HEADER + "\n", ["list.csv"]),
    "no number": (HEADER + "\na,224,x,1,1\n", ["list.csv", "line 2", "x"]),
    "a line cut off": (HEADER + "\na,224\n", ["list.csv", "line 2"]),
    "twice": (HEADER + "\na,224,1,1,1\na,224,2,1,1\n", ["list.csv", "'a'", 224, 2]),
}


@pytest.mark.parametrize("what", BAD_LISTS)
def test_a_list_that_is_none_is_refused(tmp_path, what):
    text, words = BAD_LISTS[what]
    if text is not None:
        (tmp_path / "list.csv").write_text(text)
    with pytest.raises(FileError, match=naming(*words)):
        imagenet_list.read_list(tmp_path / "list.csv")


@given(st.integers(1, 200), st.data())
def test_some_models_are_spread_over_the_accuracies_and_more_begin_with_fewer(number, data):
    models = [listed(f"m{i}", top1=float(i)) for i in range(number)]
    count = data.draw(st.integers(1, number))
    whole, some = imagenet_list.spread(models), imagenet_list.spread(models, count)
    assert sorted(m.top1 for m in whole) == list(range(number))
    assert whole[:count] == some
    ranks = [-1.0, *sorted(m.top1 for m in some), float(number)]
    assert max(b - a for a, b in pairwise(ranks)) <= 4 * number / count + 1


def test_models_that_timm_does_not_have_are_left_out_and_told():
    with pytest.warns(UserWarning, match=naming(1, "no_such_net.x", timm.__version__)):
        found = imagenet_list.known([listed(), listed("no_such_net.x")])
    assert [model.name for model in found] == ["resnet18.a1_in1k"]


def test_a_family_is_a_file_of_timm():
    assert imagenet_list.family("resnet18") == imagenet_list.family("resnext50_32x4d") == "resnet"
    assert imagenet_list.family("vit_tiny_patch16_224") == "vision_transformer"


# The plan


@pytest.fixture
def models(tmp_path):
    return timm_list.written(tmp_path / "results-imagenet.csv")


def test_a_job_is_a_model_with_its_own_size_and_accuracy(models):
    jobs = imagenet.jobs(StudyPlan(models=models))
    assert len(jobs) == imagenet.MODELS
    known = {model.name: model for model in imagenet_list.read_list(models)}
    for job in jobs:
        model = known[job.settings["model"]]
        assert job.data == "imagenet"
        assert job.settings["top1"] == model.top1
        assert job.settings["size"] == model.size
        assert job.settings["pictures"] == imagenet.PICTURES
        assert "weights" not in job.settings
        assert len(job.cells) == len(imagenet.ESTIMATORS) + 1
    full = imagenet.jobs(StudyPlan(models=models, full=True))
    assert len(full) == len(known)
    assert {job.settings["pictures"] for job in full} == {imagenet.ALL_PICTURES}


def test_stand_ins_are_few_and_have_no_accuracy(models):
    jobs = imagenet.jobs(StudyPlan(models=models, data="stand-in"))
    assert len(jobs) == imagenet.STAND_INS
    assert {job.data for job in jobs} == {"stand-in"}
    assert not any("top1" in job.settings for job in jobs)
    assert {job.settings["weights"] for job in jobs} == {"untrained"}


def test_the_list_is_looked_for_in_the_cache(models, monkeypatch):
    monkeypatch.setenv("EIGENTROPY_DATA", str(models.parent))
    assert imagenet.jobs(StudyPlan()) == imagenet.jobs(StudyPlan(models=models))
    monkeypatch.setenv("EIGENTROPY_DATA", str(models.parent / "nowhere"))
    with pytest.raises(FileError, match=naming("nowhere", "results-imagenet.csv")):
        imagenet.jobs(StudyPlan())


def test_a_list_for_another_study_is_refused(models):
    for option, value in (
        ("--models", str(models)), ("--ray", "auto"), ("--gpus-per-model", "0.5"),
    ):  # fmt: skip
        found = CliRunner().invoke(commands.app, ["study", "intuition", option, value])
        assert found.exit_code == 2
        assert names(found.stderr, option, "intuition", value)


# Pictures


def picture(path, colour):
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL_Image.new("RGB", (40, 30), (colour, 0, 255 - colour)).save(path)


def validation(root, count=3):
    for number, name in enumerate(imagenet_pictures.CLASSES):
        for i in range(count):
            picture(root / "imagenet/val" / name / f"ILSVRC2012_val_{i:08}.JPEG", 10 * number + i)


def test_there_are_twenty_classes_by_their_wordnet_ids():
    assert len(imagenet_pictures.CLASSES) == 20
    info = timm.data.ImageNetInfo()
    for name, title in imagenet_pictures.CLASSES.items():
        assert title in info.label_name_to_description(name), name


def test_classes_of_a_validation_folder_are_found(tmp_path):
    validation(tmp_path)
    (tmp_path / "imagenet/val/n01440764/notes.txt").touch()
    found = imagenet_pictures.chosen(2, tmp_path)
    assert list(found) == list(imagenet_pictures.CLASSES)
    assert [file.name for file in found["n01440764"]] == [
        "ILSVRC2012_val_00000000.JPEG", "ILSVRC2012_val_00000001.JPEG",
    ]  # fmt: skip


def test_of_the_two_data_sets_only_pictures_of_the_validation_are_taken(tmp_path):
    """Their own parts, train and val, are not ImageNet's: networks have learned most of both."""
    for name in imagenet_pictures.CLASSES:
        of = "imagenette2" if name in imagenet_pictures.IMAGENETTE else "imagewoof2"
        picture(tmp_path / of / "val" / name / f"{name}_123.JPEG", 1)
        picture(tmp_path / of / "val" / name / "ILSVRC2012_val_00000009.JPEG", 2)
        picture(tmp_path / of / "train" / name / "ILSVRC2012_val_00000002.JPEG", 3)
    found = imagenet_pictures.chosen(2, tmp_path)
    assert {tuple(file.name[-9:] for file in files) for files in found.values()} == {
        ("0002.JPEG", "0009.JPEG")
    }


def test_classes_that_are_missing_or_small_are_named(tmp_path):
    with pytest.raises(FileError, match=naming(20, tmp_path.name, "n01440764", "imagewoof2")):
        imagenet_pictures.chosen(1, tmp_path)
    validation(tmp_path)
    with pytest.raises(FileError, match=naming("n01440764", "tench", 3, 4)):
        imagenet_pictures.chosen(4, tmp_path)


def test_links_are_made_once_and_by_whoever_is_first(tmp_path):
    validation(tmp_path)
    found = imagenet_pictures.chosen(2, tmp_path)
    folder = imagenet_pictures.linked(found, tmp_path / "runs/pictures")
    assert imagenet_pictures.linked(found, folder) == folder
    assert sorted(folder.iterdir()) == sorted(folder / name for name in found)
    assert all(link.resolve().is_file() for link in folder.glob("*/*"))
    assert len(list(folder.glob("*/*"))) == 40
    assert [entry.name for entry in (tmp_path / "runs").iterdir()] == ["pictures"]


def test_pixels_are_the_middle_of_each_picture():
    image = np.zeros((30, 60, 3), dtype=np.uint8)
    image[:, :15], image[:, 45:] = 255, 255  # only outside of the middle square
    found = imagenet_pictures.pixels([PIL_Image.fromarray(image)])
    assert found.shape == (1, 3 * 64 * 64)
    assert found.max() < 0.6
    assert np.median(found) == 0.0


# A task


@pytest.fixture
def followed(monkeypatch):
    """Features and scores that are made up, and what was asked for."""
    asked = []

    def extract(source, data, path, *, preprocessing, weights, overwrite):
        asked.append(SimpleNamespace(source=source, data=data, path=path, weights=weights,
                                     preprocessing=preprocessing))  # fmt: skip
        Z = np.random.default_rng(0).normal(size=(len(data), 5)).astype(np.float32)
        return SimpleNamespace(features=Z, metadata={"seconds": "6.0"})

    def score_model(name, Z, Y, *, scores, sampling, seed, sigma="auto"):
        asked.append(SimpleNamespace(name=name, n=len(Z), Y=list(Y), scores=scores, sigma=sigma))
        values = {score: float(len(score)) for score in scores if score != "logme"}
        return SimpleNamespace(values=values, seconds=dict.fromkeys(values, 0.5))

    monkeypatch.setattr("eigentropy.torch.features.extract", extract)
    monkeypatch.setattr("eigentropy.ranking.score_model", score_model)
    imagenet._material.cache_clear()
    yield asked
    imagenet._material.cache_clear()


@pytest.fixture
def job(models, tmp_path, monkeypatch):
    validation(tmp_path)
    monkeypatch.setenv("EIGENTROPY_DATA", str(tmp_path))
    monkeypatch.setattr(imagenet, "PICTURES", 3)
    return imagenet.jobs(StudyPlan(models=models))[0]


def test_a_task_scores_the_features_of_one_crop_of_each_picture(job, followed, tmp_path):
    rows = list(imagenet.measure(job, tmp_path / "runs"))
    features, *scored = followed
    assert features.source == f"timm:{job.settings['model']}"
    assert features.weights is None
    assert features.preprocessing == {
        "size": job.settings["size"], "crop": job.settings["crop"],
    }  # fmt: skip
    classes = list(features.data.labels)
    assert classes == [number for number in range(20) for _ in range(3)]
    assert [(one.sigma, classes == one.Y) for one in scored] == [
        ("auto", True), ("auto", False), ("sqrt-d", True), ("sqrt-d", False),
    ]  # fmt: skip
    assert {len(set(one.Y)) for one in scored} == {20}
    left = {cell.estimator for cell in job.cells} - {row.cell.estimator for row in rows}
    assert left == {"logme"}  # which was not defined
    assert [r.value for r in rows if r.cell.estimator == imagenet.SECONDS] == [0.1]


def test_only_scores_that_are_left_are_asked_for(job, followed, tmp_path):
    some = replace(job, cells=tuple(c for c in job.cells if c.estimator in ("dsmi_x", "rankme")))
    rows = list(imagenet.measure(some, tmp_path / "runs"))
    assert [row.cell.estimator for row in rows] == ["rankme", "dsmi_x"]
    assert [one.scores for one in followed[1:]] == [["rankme"], ["dsmi"]]


def test_tasks_leave_rows_and_warnings_and_what_fails_is_told(job, tmp_path, monkeypatch):
    """Whatever the engine: here one that calls the function at once."""

    def run_tasks(function, tasks, directory, *, fingerprint, **options):
        done, failed = {}, {}
        for name, argument in tasks.items():
            path = tmp_path / f"{fingerprint(argument)}.json"
            try:
                function(argument, path)
                done[name] = path
            except ValueError as error:
                failed[name] = str(error)
        return engines.TaskOutcome(done, failed)

    def measure(some):
        if some.seed == 1:
            raise ValueError("no weights")
        return [StudyRow(cell, 1 / 3, math.nan, 2.0) for cell in some.cells]

    monkeypatch.setattr(tasks, "run_tasks", run_tasks)
    bad = replace(job, cells=tuple(replace(cell, seed=1) for cell in job.cells))
    with pytest.warns(UserWarning, match=naming(job.settings["model"], "no weights")):
        rows = list(tasks.task_rows(measure, [job, bad], tmp_path, ENGINE))
    assert [row.cell for row in rows] == list(job.cells)
    assert {row.value for row in rows} == {1 / 3}
    assert list(tasks.task_rows(measure, [], tmp_path, ENGINE)) == []


@pytest.fixture
def stand_ins(tmp_path, monkeypatch):
    """A list of timm's two smallest networks, and pictures in the place of CIFAR-10."""
    monkeypatch.setenv("EIGENTROPY_DATA", str(tmp_path))
    monkeypatch.setattr(imagenet, "PICTURES", 4)
    rng = np.random.default_rng(0)
    y = np.arange(50) % 10
    X = rng.integers(0, 256, (50, 3, 32, 32), dtype=np.uint8) // 2 + 10 * y[:, None, None, None]
    arrays = {"X": X.astype(np.uint8), "y": y, "heldout": np.ones(50, dtype=bool)}
    np.savez(tmp_path / "cifar10.npz", **arrays)
    path = tmp_path / "list.csv"
    path.write_text(
        f"{HEADER}\ntest_vit.r160_in1k,160,41.0,0.37,0.95\ntest_resnet.r160_in1k,96,41.5,0.47,0.9\n"
    )
    return StudyPlan(models=path, data="stand-in")


def test_two_untrained_networks_run_from_the_list_to_the_table(stand_ins, tmp_path):
    """Processes of the engine, real networks, all scores; then again, from the files alone."""
    study = replace(imagenet.STUDY, measure=timm_list.measure)
    outcome = studies.run(study, stand_ins, tmp_path / "imagenet.csv", processes=1)
    assert {f.measured for f in outcome.findings} == {"not measured"}
    assert {(row.cell.data, row["weights"]) for row in outcome.rows} == {("stand-in", "untrained")}
    measured = {row.cell.estimator for row in select(outcome.rows, size=96)}
    assert measured >= {*imagenet.OURS, "dsmi_x", "dse sqrt-d", "knn_accuracy", imagenet.SECONDS}
    assert all(math.isfinite(row.value) for row in outcome.rows)
    assert len(outcome.listing.lines) == 2

    (tmp_path / "imagenet.csv").unlink()  # as after a kill before the table was written
    again = studies.run(
        replace(study, measure=timm_list.refused), stand_ins, tmp_path / "imagenet.csv", processes=1
    )
    parts = [[(r.cell, r.value, r.seconds) for r in one.rows] for one in (outcome, again)]
    assert parts[0] == parts[1]


# What it says


def made_up(jobs, value, data="imagenet"):
    cells = [replace(cell, data=data) for job in jobs for cell in job.cells]
    return [StudyRow(cell, value(cell), math.nan, 0.0) for cell in cells]


def test_stand_ins_are_never_a_result(models):
    """Even with accuracies in their rows, which they do not have."""
    jobs = imagenet.jobs(StudyPlan(models=models, full=True))
    top1 = lambda cell: cell.settings["top1"]  # noqa: E731
    assert {f.holds for f in imagenet.findings(made_up(jobs, top1))} > {True}
    found = imagenet.findings(made_up(jobs, top1, data="stand-in"))
    assert {(f.holds, f.measured) for f in found} == {(None, "not measured")}
    shown = imagenet.listing(made_up(jobs, top1, data="stand-in"))
    assert "STAND-IN" in shown.title
    assert "top-1" not in " ".join(shown.headings)
    assert all("stand-in" in curve.label for panel in
               imagenet.panels(made_up(jobs, top1, data="stand-in"))
               for curve in panel.curves)  # fmt: skip


def test_few_models_decide_nothing(models):
    jobs = imagenet.jobs(StudyPlan(models=models, repetitions=imagenet.FEWEST - 1))
    found = imagenet.findings(made_up(jobs, lambda cell: cell.settings["top1"]))
    assert {f.holds for f in found} == {None}
    assert all(names(f.measured, imagenet.FEWEST - 1, imagenet.FEWEST) for f in found)


def test_the_listing_has_every_score_the_best_first(models):
    jobs = imagenet.jobs(StudyPlan(models=models))

    def value(cell):
        best = cell.estimator == "rankme"
        return cell.settings["top1"] if best else timm_list.noise(cell)

    lines = imagenet.listing(made_up(jobs, value)).lines
    assert lines[0][0] == "rankme"
    assert lines[0][2].startswith("1.000")
    assert {line[0] for line in lines} == set(imagenet.ESTIMATORS)

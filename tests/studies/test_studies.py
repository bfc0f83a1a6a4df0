"""How studies run: rows as they come, resuming, processes, figures, the command."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import math
import os
import sys
from dataclasses import asdict, replace
from functools import partial

import matplotlib.image
import numpy as np
import pytest
from typer.testing import CliRunner

import toy_study
from eigentropy import studies
from eigentropy.baselines.probes import cross_validated
from eigentropy.cli import commands
from eigentropy.io import FileError
from eigentropy.studies import estimators, figures, networks, rows, study
from eigentropy.studies.rows import Cell, StudyRow
from eigentropy.studies.study import Curve, Panel, StudyPlan, make_job
from messages import names, naming
from torch_defaults import defaults, with_other_defaults
from toy_study import TOY


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "toy.csv"


def lines_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


# Rows and files


def test_the_table_is_long_form(path):
    outcome = studies.run(TOY, StudyPlan(), path)
    first = lines_of(path)[0]
    assert list(first) == list(rows.COLUMNS)
    assert json.loads(first["parameters"]) == {"x": 1}
    assert (first["study"], first["data"], first["estimator"]) == ("toy", "toy", "square")
    assert len(lines_of(path)) == len(outcome.rows) == outcome.measured == 8
    assert outcome.findings[0].holds is True
    assert {row.cell for row in rows.read("toy", path)} == {row.cell for row in outcome.rows}


def test_numbers_survive_the_file_in_full_precision(path):
    cell = Cell('a, "b"', (("t", 0.1), ("who", "x,y")), "DSE auto", 3)
    row = StudyRow(cell, 0.1 + 0.2, 1 / 3, 2.0)
    text = next(csv.reader(io.StringIO(rows.to_line("toy", row))))
    assert rows.from_fields("toy", text) == row


def test_an_interrupted_run_goes_on_where_it_was(path):
    measured = []

    def interrupted(job):
        for row in toy_study.measure(job):
            if len(measured) == 5:
                raise KeyboardInterrupt
            measured.append(row.cell)
            yield row

    with pytest.raises(KeyboardInterrupt):
        studies.run(replace(TOY, measure=interrupted), StudyPlan(), path)
    assert len(lines_of(path)) == 5
    again = []
    outcome = studies.run(TOY, StudyPlan(), path, on_row=lambda row: again.append(row.cell))
    assert len(again) == outcome.measured == 3
    assert not set(again) & set(measured)
    assert len(outcome.rows) == 8
    assert studies.run(TOY, StudyPlan(), path).measured == 0
    assert studies.run(TOY, StudyPlan(repetitions=3), path).measured == 4  # the third seed
    assert studies.run(TOY, StudyPlan(full=True), path).measured == 0


def test_a_torn_last_line_is_dropped_and_measured_again(path):
    studies.run(TOY, StudyPlan(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    outcome = studies.run(TOY, StudyPlan(), path)
    assert outcome.measured == 1
    assert names(outcome.notes[0], str(path))
    assert path.read_bytes() == whole


def test_a_torn_header_starts_anew(path):
    path.parent.mkdir()
    path.write_text("study,da")
    assert studies.run(TOY, StudyPlan(), path).measured == 8


BAD_FILES = {
    "another table": ("a,b\n1,2\n", []),
    "half a row": (",".join(rows.COLUMNS) + "\ntoy,toy,{},square\n", ["line 2", "toy"]),
    "another study": (
        ",".join(rows.COLUMNS) + "\nother,toy,{},square,0,1,1,1\n", ["line 2", "'other'"]
    ),
    "no parameters": (",".join(rows.COLUMNS) + "\ntoy,toy,[],square,0,1,1,1\n", ["line 2"]),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_FILES)
def test_a_file_of_something_else_is_left_alone(path, what):
    path.parent.mkdir()
    content, words = BAD_FILES[what]
    path.write_text(content)
    with pytest.raises(FileError, match=naming(str(path), *words)):
        studies.run(TOY, StudyPlan(), path)
    assert path.read_text() == content


def test_two_runs_do_not_write_to_one_file(path):
    path.parent.mkdir()
    with path.open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(FileError, match=naming(str(path))):
            studies.run(TOY, StudyPlan(), path)


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match=naming("file/toy.csv")):
        studies.run(TOY, StudyPlan(), tmp_path / "file" / "toy.csv")


def test_numbers_that_could_not_be_measured_are_counted(path):
    def partly(job):
        return list(toy_study.measure(job))[:1]

    outcome = studies.run(replace(TOY, measure=partly), StudyPlan(), path)
    assert [names(note, "4 of 8") for note in outcome.notes] == [True]
    assert studies.run(TOY, StudyPlan(), path).measured == 4


def test_processes_give_the_same_table(path, tmp_path):
    fractions = []
    parallel = replace(TOY, parallel=True)
    outcome = studies.run(parallel, StudyPlan(), path, processes=2, progress=fractions.append)
    alone = studies.run(TOY, StudyPlan(), tmp_path / "alone.csv")
    assert [(r.cell, r.value) for r in outcome.rows] == [(r.cell, r.value) for r in alone.rows]
    assert fractions[-1] == 1.0
    assert "EIGENTROPY_NUM_THREADS" not in os.environ


def test_a_process_that_is_killed_says_how_to_go_on(path):
    parallel = replace(TOY, parallel=True, measure=toy_study.killed)
    with pytest.raises(ChildProcessError, match=naming("--processes")):
        studies.run(parallel, StudyPlan(), path, processes=2)


@pytest.mark.parametrize("options", [{"seed": -1}, {"repetitions": 0}, {"epochs": 0}])
def test_plans_are_checked(options):
    with pytest.raises(ValueError, match=naming(*options)):
        StudyPlan(**options)


# Estimators


def test_spearman_is_the_rank_correlation():
    x = [1.0, 5.0, 2.0, 2.0, 9.0]
    assert estimators.spearman(x, [v**3 for v in x]) == pytest.approx(1.0)
    assert estimators.spearman(x, [-v for v in x]) == pytest.approx(-1.0)
    from scipy.stats import spearmanr

    y = [3.0, 3.0, 1.0, 4.0, 2.0]
    assert estimators.spearman(x, y) == pytest.approx(spearmanr(x, y).statistic)
    assert math.isnan(estimators.spearman(x, [1.0] * 5))
    assert math.isnan(estimators.spearman([1, 2], [1, 2]))


def test_estimators_give_what_the_functions_give():
    import eigentropy as eg
    from eigentropy.baselines import binning, ksg, mine

    Z = np.random.default_rng(0).normal(size=(60, 2))
    labels = (Z[:, 0] > 0).astype(int)
    names = ("DSE auto", "DSMI sigma=1", "adjusted sigma=1", "plain sigma=1", "p sigma=1")
    names += ("CSE 5 bins", "plug-in 5 bins", "CSMI 5 bins", "KSG", "KSG continuous", "MINE")
    job = make_job("toy", {"n": 60}, names, 3)
    found = {r.cell.estimator: r.value for r in estimators.measure(job, Z, labels, epochs=2)}
    information = eg.dsmi(Z, labels, sigma=1.0, seed=3, n_null=20)
    assert found["DSE auto"] == eg.dse(Z)
    assert found["DSMI sigma=1"] == information
    assert found["adjusted sigma=1"] == information.adjusted()
    assert found["p sigma=1"] == information.p_value
    plain = eg.dsmi(Z, labels, sigma=1.0, estimator="plain")
    assert found["plain sigma=1"] == pytest.approx(float(plain))
    assert found["CSE 5 bins"] == binning.entropy(Z, bins=5)
    assert found["plug-in 5 bins"] == binning.mutual_information(Z, labels, bins=5)
    assert found["KSG"] == ksg.discrete_mutual_information(Z, labels, seed=3)
    assert found["MINE"] == mine.mutual_information(Z, labels, seed=3, epochs=2)
    matched = binning.mutual_information(Z, labels, bins=5, estimator="matched", seed=3)
    assert found["CSMI 5 bins"] == matched
    assert 0.2 < found["KSG continuous"] < 1.2


def test_a_t_is_a_cell_of_its_own():
    import eigentropy as eg

    Z = np.random.default_rng(0).normal(size=(30, 2))
    job = make_job("toy", {}, ["DSE auto", "CSE 5 bins"], 0, [1, 7])
    found = list(estimators.measure(job, Z))
    assert [(r.cell.estimator, r.cell.settings) for r in found] == [
        ("DSE auto", {"t": 1.0}),
        ("DSE auto", {"t": 7.0}),
        ("CSE 5 bins", {}),
    ]
    assert found[1].value == eg.dse(Z, t=7, method="exact")


def test_an_estimator_that_fails_leaves_its_cell_out_and_says_so():
    Z = np.random.default_rng(0).normal(size=(60, 2))
    job = make_job("toy", {}, ["MINE", "CSE 5 bins"], 0)
    with pytest.warns(UserWarning, match=naming("MINE")):
        found = list(estimators.measure(job, Z, np.arange(60) % 2, learning_rate=1e12))
    assert [row.cell.estimator for row in found] == ["CSE 5 bins"]


def test_estimators_of_packages_that_are_missing_are_left_out(monkeypatch):
    for package in ("scipy", "torch"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.warns(UserWarning, match=naming("pip install")) as caught:
        assert estimators.available(["DSE auto", "KSG", "MINE", "CSE 5 bins"]) == [
            "DSE auto",
            "CSE 5 bins",
        ]
    texts = [str(warning.message) for warning in caught]
    assert names(texts[0], "KSG", "scipy", "eigentropy[baselines]")
    assert names(texts[1], "MINE", "torch", "eigentropy[torch]")


def test_width_needs_a_number():
    assert estimators.sigma_of("width", 2.0) == 2.0
    assert estimators.sigma_of("sigma=10") == 10.0
    assert estimators.sigma_of("knn") == "knn"
    with pytest.raises(ValueError, match=naming("'width'", "sigma")):
        estimators.sigma_of("width")


# Figures


def test_bands_are_student_intervals():
    values = [1.0, 2.0, 4.0]
    from scipy.stats import sem, t

    assert figures.band(values) == pytest.approx((7 / 3, t.ppf(0.975, 2) * sem(values)))
    assert figures.band([3.0]) == (3.0, 0.0)
    assert figures.band([1.0, math.nan]) == (1.0, 0.0)
    assert math.isnan(figures.band([math.nan])[0])
    many = list(range(40))
    assert figures.band(many)[1] == pytest.approx(t.ppf(0.975, 39) * sem(many))


def test_every_kind_of_panel_is_drawn():
    curve = Curve("a", {1.0: [1.0, 2.0], 10.0: [math.nan]})
    panels = [
        Panel("curves", "x", "y", [curve, Curve("empty", {})], log_x=True),
        Panel("points", "x", "y", [curve], scatter=True),
        Panel("map", "x", "y", cells={(0.1, 1.0): 1.0, (0.2, 5.0): 2.0}),
        Panel("nothing", "x", "y"),
    ]
    image = matplotlib.image.imread(io.BytesIO(figures.figure_png(panels, "caption")))
    assert image[..., :3].std() > 0.01


def curves(*names):
    return [Curve(name, {1.0: [1.0, 2.0], 2.0: [3.0]}) for name in names]


def test_a_name_has_one_look_in_all_panels_and_one_line_in_one_legend():
    panels = [
        Panel("first", "x", "y", curves("a", "b")),
        Panel("second", "x", "y", curves("c", "b")),
        Panel("third", "x", "y", curves("a", "d"), scatter=True),
    ]
    figure = figures.draw(panels, "caption")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "c", "d"]
    assert all(axes.get_legend() is None for axes in figure.axes)
    first, second, _ = figure.axes
    looks = {line.get_label(): line.get_color() for line in [*first.lines, *second.lines]}
    assert first.lines[1].get_color() == second.lines[1].get_color()
    assert len(set(looks.values())) == 3


def test_twelve_estimators_have_twelve_colours():
    figure = figures.draw([Panel("many", "x", "y", curves(*"abcdefghijkl"))], "caption")
    assert len({line.get_color() for line in figure.axes[0].lines}) == 12


def bands(axes):
    """Lowest and highest point of each band."""
    paths = [band.get_paths()[0].vertices[:, 1] for band in axes.collections]
    return [(path.min(), path.max()) for path in paths]


def test_bands_keep_to_what_is_possible():
    points = {0.0: [0.1, 0.9, 0.99], 1.0: [0.01, 0.02, 0.4]}
    some, other = Curve("a", points), Curve("b", points, possible=(0.0, 2.0))
    figure = figures.draw([Panel("shares", "x", "y", [some, other], possible=(0.0, 1.0))], "")
    assert bands(figure.axes[0])[0] == (0.0, 1.0)
    assert bands(figure.axes[0])[1] == (0.0, pytest.approx(sum(figures.band(points[0.0]))))
    assert sum(figures.band(points[0.0])) > 1.0


@pytest.mark.parametrize("name", studies.STUDIES)
def test_the_bands_of_the_stored_studies_keep_to_their_range(name):
    from benchmarks.documents import study_tables

    rows = study_tables.stored(name, study_tables.RESULTS)
    panels = studies.STUDIES[name].panels(rows)
    figure = figures.draw(panels, "")
    for panel, axes in zip(panels, figure.axes, strict=False):
        if panel.scatter or panel.cells:
            continue
        drawn = [curve for curve in panel.curves if curve.points]
        for curve, (low, high) in zip(drawn, bands(axes), strict=True):
            least, most = curve.possible or panel.possible
            means = [figures.band(values)[0] for values in curve.points.values()]
            assert low >= min(least, *means)
            if max(means) <= most:
                assert high <= most


# The command


def invoke(*args):
    return CliRunner().invoke(commands.app, ["study", *map(str, args)])


@pytest.fixture
def toy(monkeypatch, tmp_path):
    monkeypatch.setitem(studies.STUDIES, "toy", TOY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_writes_and_judges(toy):
    result = invoke("toy", "-o", "out")
    assert result.exit_code == 0, result.output
    assert "squares" in result.stdout
    assert "yes" in result.stdout
    assert names(result.stdout, "numbers", 8, 0, "out/toy.csv", "out/toy.png")
    assert matplotlib.image.imread(toy / "out" / "toy.png").size
    assert json.loads(invoke("toy", "-o", "out", "--json").stdout)["measured"] == 0


def test_the_command_as_json(toy):
    document = json.loads(invoke("toy", "--json", "--seed", "4", "--repetitions", "1").stdout)
    assert document["settings"] == asdict(StudyPlan(seed=4, repetitions=1))
    (finding,) = document["findings"]
    assert (finding["holds"], finding["kind"]) == (True, "squares")
    assert document["written"] == ["studies/toy.csv", "studies/toy.png"]
    assert (document["rows"], document["measured"], document["listing"]) == (4, 4, None)
    assert {line["seed"] for line in lines_of(toy / "studies" / "toy.csv")} == {"4"}


def test_the_command_lists_the_studies():
    for args in (["--list"], []):
        result = invoke(*args)
        assert result.exit_code == 0
        assert all(name in result.stdout for name in studies.STUDIES)
    assert set(json.loads(invoke("--list", "--json").stdout)) == set(studies.STUDIES)


def error(*args):
    result = invoke(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    return line


def test_bad_input_is_one_line(toy):
    assert names(error("nope"), "NAME", "'nope'", "intuition", "models")
    (toy / "file").touch()
    assert names(error("toy", "-o", "file"), "file/toy.csv")
    assert names(error("toy", "--data", "digits"), "--data", "toy", "'digits'")
    assert names(error("models", "--data", "mnist"), "--data", "digits", "'mnist'")


def test_missing_packages_are_named_with_their_extra(toy, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = invoke("toy")
    assert result.exit_code == 0
    assert "eigentropy[plot]" in result.stderr
    assert "studies/toy.csv" in result.stdout
    assert "studies/toy.png" not in result.stdout
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "eigentropy[torch]" in error("models")
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert "eigentropy[cluster]" in error("models", "-o", toy / "out")


def test_ctrl_c_says_how_many_rows_there_are(toy, monkeypatch):
    def interrupted(job):
        yield from list(toy_study.measure(job))[:1]
        raise KeyboardInterrupt

    monkeypatch.setitem(studies.STUDIES, "toy", replace(TOY, measure=interrupted))
    result = invoke("toy")
    assert result.exit_code == 130
    assert names(result.stderr, "interrupted:", "studies/toy.csv", 1)


# Networks


def test_recipes_are_many_kinds_and_a_larger_zoo_has_the_smaller():
    zoo = networks.recipes(100, 0)
    assert networks.recipes(10, 0) == zoo[:10]
    assert networks.recipes(10, 1) != zoo[:10]
    for name in ("family", "width", "depth", "activation", "rows", "label_noise", "epochs"):
        assert len({getattr(recipe, name) for recipe in zoo}) >= 2, name


@with_other_defaults
@pytest.mark.parametrize("family", ["mlp", "conv"])
def test_the_defaults_of_pytorch_do_not_matter_to_networks(family, dtype_and_device):
    pytest.importorskip("torch", reason="the networks need PyTorch")
    X = np.random.default_rng(0).random((60, networks.SIDE**2)).astype(np.float32)
    recipe = networks.Recipe(family, 16, 2, "ReLU", 1.0, 3e-3, 60, 0.0, 2)
    expected = networks.hidden_layer(recipe, X, np.arange(60) % 10, X, 1)
    with defaults(dtype_and_device):
        found = networks.hidden_layer(recipe, X, np.arange(60) % 10, X, 1)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("family", ["mlp", "conv"])
def test_networks_learn_and_leave_global_state_alone(family):
    import torch

    from eigentropy.studies import models

    X, X_heldout, y, y_heldout = models.halves(400)
    recipe = networks.Recipe(family, 16, 2, "ReLU", 1.0, 3e-3, 400, 0.0, 6)
    before = torch.get_rng_state()
    Z, again = (networks.hidden_layer(recipe, X, y, X_heldout, 1) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert (again == Z).all()
    untrained = networks.hidden_layer(replace(recipe, epochs=0), X, y, X_heldout, 1)
    memorised = networks.hidden_layer(replace(recipe, label_noise=1.0), X, y, X_heldout, 1)
    accuracy = [
        cross_validated(models.PROBE["kNN probe"](), part, y_heldout).mean()
        for part in (Z, untrained, memorised)
    ]
    assert accuracy[0] > max(0.85, accuracy[2])
    assert accuracy[1] < accuracy[0]


def test_a_network_that_diverges_is_left_out(path):
    from eigentropy.studies import models

    job = models.jobs(StudyPlan(repetitions=1))[0]
    settings = {"learning_rate": 1e30, "epochs": 3, "scale": 1e10, "label_noise": 1.0, "rows": 900}
    settings |= {"activation": "ReLU", "depth": 4}
    changed = replace(job, cells=tuple(c.with_parameters(**settings) for c in job.cells))
    with pytest.warns(UserWarning, match=naming("network 0")):
        assert list(models.measure(changed)) == []


def test_the_zoo_measures_every_rule_score_and_probe(path):
    from eigentropy.studies import models, scores

    small = replace(
        studies.STUDIES["models"],
        measure=partial(models.measure, digits=200),
        jobs=lambda plan: [
            replace(
                job, cells=tuple(c.with_parameters(epochs=1, width=8, rows=50) for c in job.cells)
            )
            for job in studies.STUDIES["models"].jobs(plan)
        ],
    )
    outcome = studies.run(small, StudyPlan(repetitions=2), path, processes=1)
    by_rules, named = 4 * len(models.SETTINGS), len(scores.SCORES)
    assert len(outcome.rows) == 2 * (2 * 2 + by_rules + len(scores.NAMES))
    assert len(outcome.listing.lines) == by_rules + len(scores.NAMES)
    assert all(line[-1] == "2 of 2" for line in outcome.listing.lines if line[1] == "auto")
    for name in ("kNN probe", "linear probe half", *scores.NAMES):
        found = study.select(outcome.rows, estimator=name)
        assert len(found) == 2
        assert all(math.isfinite(r.value) for r in found), name
    assert named < len(scores.NAMES) - named


def test_scores_of_half_of_the_rows_and_their_probes_share_no_row():
    """Rows that only the other half has change nothing."""
    from eigentropy.studies import models, scores

    rng = np.random.default_rng(0)
    y = np.arange(200) % 4
    Z = rng.normal(size=(200, 6)) + np.eye(4, 6)[y]
    cells = [Cell("digits", (), name, 0) for name in scores.NAMES if name.endswith(scores.HALF)]
    probes = [Cell("digits", (), probe + scores.HALF, 0) for probe in models.PROBES]
    first, second = Z.copy(), Z.copy()
    first[:100], second[100:] = rng.normal(size=(2, 100, 6))

    def measured(rows):
        scored = [row.value for row in scores.measure(cells, rows, y)]
        return scored, [row.value for row in models._probed(probes, rows, y)]

    assert measured(second)[0] == measured(Z)[0]
    assert measured(second)[1] != measured(Z)[1]
    assert measured(first)[1] == measured(Z)[1]
    assert all(a != b for a, b in zip(measured(first)[0], measured(Z)[0], strict=True))


def test_the_scale_of_a_network_matters_to_transrate_as_published_only(rng):
    from eigentropy.studies import scores

    y = np.arange(60) % 3
    Z = rng.normal(size=(60, 5)) + np.eye(3, 5)[y]
    cells = [Cell("digits", (), name, 0) for name in scores.SCORES]
    names = [cell.estimator for cell in cells]
    found, large = ([row.value for row in scores.measure(cells, c * Z, y)] for c in (1.0, 100.0))
    changed = [n for n, a, b in zip(names, found, large, strict=True) if not math.isclose(a, b)]
    assert changed == ["TransRate"]


def test_scores_of_a_network_that_has_collapsed_are_defined_or_nan():
    from eigentropy.studies import scores

    cells = [Cell("digits", (), name, 0) for name in scores.SCORES]
    found = {
        row.cell.estimator: row.value
        for row in scores.measure(cells, np.zeros((40, 5)), np.arange(40) % 4)
    }
    assert set(found) == set(scores.SCORES)
    assert math.isnan(found["self-clustering"])
    assert found["H-score"] == found["TransRate"] == 0.0

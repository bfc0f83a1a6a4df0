"""`eigentropy rank`: what it writes, how it goes on, and what it says of bad input."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

import eigentropy as eg
from eigentropy.cli import commands, rank, ranking_runs, ranking_tasks
from eigentropy.io.writing import write_atomically
from messages import names

N = 60
MODELS = ("noise", "weak", "middling", "strong")
QUICK = ("--scores", "dsmi,knn_accuracy", "--processes", "2", "--by", "knn_accuracy")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory with the features of four models, worse to better, and the labels y.npy."""
    rng = np.random.default_rng(0)
    y = np.arange(N) % 3
    (tmp_path / "features").mkdir()
    for place, name in enumerate(MODELS):
        Z = rng.normal(size=(N, 5)) + 1.5 * place * np.eye(5)[y]
        np.save(tmp_path / "features" / f"{name}.npy", Z)
    np.save(tmp_path / "y.npy", y)
    lines = [f"{name},{10 * place},{'ab'[place % 2]}" for place, name in enumerate(MODELS)]
    (tmp_path / "known.csv").write_text("\n".join(["model,top1,family", *lines]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def invoke(*args):
    return CliRunner().invoke(commands.app, ["rank", *map(str, args)])


def succeed(*args):
    result = invoke(*args)
    assert result.exit_code == 0, result.output
    return result


def ranked(*args):
    return json.loads(succeed("features", "--labels", "y.npy", *QUICK, "--json", *args).stdout)


def fail(*args):
    result = invoke(*args)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    return result.stderr.splitlines()[-1]


def order(document):
    return [row["model"] for row in document["models"]]


# ---- What it finds and writes -------------------------------------------------------------------


def test_the_document_is_what_python_finds(here):
    found = ranked("--accuracies", "known.csv", "-o", "out/deep")
    features = {name: np.load(f"features/{name}.npy") for name in MODELS}
    expected = eg.rank(
        features, np.load("y.npy"), scores=["dsmi", "knn_accuracy"], by="knn_accuracy",
        accuracies={name: 10.0 * place for place, name in enumerate(MODELS)},
        families={name: "ab"[place % 2] for place, name in enumerate(MODELS)},
    )  # fmt: skip
    assert order(found) == [*expected.models]
    assert order(found)[0] == "strong"
    rows = json.loads(json.dumps(expected.to_rows()))
    assert found["models"] == [pytest.approx(row, nan_ok=True) for row in rows]
    assert found["ties"] == {
        score: [list(group) for group in expected.ties(score)] for score in expected.scores
    }
    assert len(found["correlations"]) == len(expected.correlations())
    assert found["excluded"] == {}


def test_table_figure_and_page_are_written(here):
    result = succeed("features", "--labels", "y.npy", *QUICK, "--accuracies", "known.csv")
    for name in MODELS:
        assert name in result.stdout
    lines = [*csv.DictReader((here / "ranking/ranking.csv").read_text().splitlines())]
    assert lines[0]["model"] == "strong"
    assert {line["family"] for line in lines} == {"a", "b"}
    assert (here / "ranking/ranking.png").read_bytes().startswith(b"\x89PNG")
    page = (here / "ranking/ranking.html").read_text()
    assert all(name in page for name in MODELS)
    assert "y.npy" in page


def test_the_correlations_with_known_accuracies_are_printed_and_all_are_written(here):
    result = succeed("features", "--labels", "y.npy", *QUICK, "--accuracies", "known.csv")
    after = result.stdout.partition("Spearman")[2]
    assert names(after, "dsmi", "knn_accuracy", len(MODELS))
    assert names(after, "ranking/correlations.csv")
    found = [*csv.DictReader((here / "ranking/correlations.csv").read_text().splitlines())]
    assert {(one["score"], one["target"]) for one in found} == {
        ("dsmi", "accuracy"), ("knn_accuracy", "accuracy"), ("dsmi", "knn_accuracy"),
    }  # fmt: skip
    known = ranked("--accuracies", "known.csv", "--force")["correlations"]
    for line, one in zip(found, known, strict=True):
        for name in ("pearson", "spearman", "weighted_tau"):
            given = [line[f"{name}{end}"] for end in ("", "_low", "_high")]
            known_of = [
                float(text) if text else None for text in given
            ]  # four models have no interval
            assert known_of == pytest.approx([*one[name].values()])


def test_without_a_target_there_are_no_correlations(here):
    scores = ("--scores", "dsmi,logme", "--processes", "1")
    result = succeed("features", "--labels", "y.npy", *scores)
    assert "Spearman" not in result.stdout
    assert not (here / "ranking/correlations.csv").exists()


def test_the_settings_say_what_was_ranked_and_nothing_that_was_not_asked(here):
    settings = ranked("--no-sampling-error")["settings"]
    assert (settings["rows"], settings["classes"], settings["models"]) == (str(N), "3", "features")
    assert settings["no sampling error"] == "yes"
    assert "date" in settings
    assert "gpus per model" not in settings


def test_steps_after_the_models_are_said_unless_quiet(here):
    command = ("features", "--labels", "y.npy", *QUICK)
    assert names(succeed(*command).stderr, "correlations", "figure")
    assert succeed(*command, "--force", "--quiet").stderr == ""


def test_the_terminal_says_which_file_has_all_scores(here):
    result = succeed("features/strong.npy", "--labels", "y.npy", *QUICK, "-o", "out")
    assert names(result.stdout, "out/ranking.csv has all scores")
    assert "to_csv" not in result.stdout


def test_a_file_is_no_output(here):
    line = fail("features", "--labels", "y.npy", *QUICK, "-o", "y.npy")
    assert names(line, "--output", "y.npy", "directory")


def test_a_ranking_that_is_there_is_replaced_by_force_alone(here):
    (here / "ranking").mkdir()
    (here / "ranking/ranking.csv").write_text("mine")
    line = fail("features", "--labels", "y.npy", *QUICK)
    assert names(line, "ranking.csv", "--force", "--output")
    assert "overwrite" not in line
    assert (here / "ranking/ranking.csv").read_text() == "mine"
    succeed("features", "--labels", "y.npy", *QUICK, "--force")
    assert (here / "ranking/ranking.csv").read_text() != "mine"


def test_a_command_that_was_killed_while_it_wrote_goes_on_without_force(here, monkeypatch):
    command = ("features", "--labels", "y.npy", *QUICK)
    (here / "ranking").mkdir()
    (here / "ranking/ranking.html").write_text("mine")
    assert names(fail(*command), "ranking.html", "--force")
    (here / "ranking/ranking.html").unlink()

    def killed(path, content):
        if path.suffix == ".csv":
            raise KeyboardInterrupt
        write_atomically(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(rank, "write_atomically", killed)
        assert invoke(*command).exit_code == 130
    assert {path.name for path in (here / "ranking").iterdir()} >= {"ranking.png", "ranking.html"}
    succeed(*command)
    assert names(fail(*command), "ranking.csv", "--force")


def test_the_same_command_goes_on_and_measures_what_has_changed(here):
    def results():
        return {path.name: path.stat().st_mtime_ns for path in (here / "out/models").glob("*.json")}

    first = ranked("-o", "out")
    before = results()
    assert len(before) == len(MODELS)
    assert order(ranked("-o", "out", "--force")) == order(first)
    assert results() == before
    np.save(here / "features/noise.npy", 9 * np.eye(5)[np.load("y.npy")])
    changed = {row["model"]: row["dsmi"] for row in ranked("-o", "out", "--force")["models"]}
    differs = [row["model"] for row in first["models"] if changed[row["model"]] != row["dsmi"]]
    assert differs == ["noise"]
    assert len(results()) == len(MODELS) + 1


def test_results_of_another_version_are_measured_again(here, monkeypatch):
    ranked("-o", "out")
    before = {path.name for path in (here / "out/models").glob("*.json")}
    monkeypatch.setattr(ranking_tasks, "version", lambda: "0.0.1")
    ranked("-o", "out", "--force")
    after = {path.name for path in (here / "out/models").glob("*.json")}
    assert len(after - before) == len(MODELS)


def test_memory_of_a_model_is_given_in_gib(here, monkeypatch):
    asked, plain = {}, ranking_runs.run_tasks

    def run_tasks(*args, **options):
        asked.update(options)
        return plain(*args, **options)

    monkeypatch.setattr(ranking_runs, "run_tasks", run_tasks)
    ranked("-o", "out", "--memory-per-model", "0.25")
    assert asked["memory_per_task"] == 2**28


def test_a_result_of_something_else_is_named(here):
    ranked("-o", "out")
    (kept,) = (here / "out/models").glob("weak@*.json")
    kept.write_text("{}")
    line = fail("features", "--labels", "y.npy", *QUICK, "--force", "-o", "out")
    assert names(line, f"out/models/{kept.name}", "JSON")


# ---- Models that are out ------------------------------------------------------------------------


def test_models_with_nan_or_with_other_rows_are_out_and_the_others_are_ranked(here):
    Z = np.load("features/weak.npy")
    np.save("features/noise.npy", Z[:-1])
    Z[7, 2] = np.nan
    np.save("features/weak.npy", Z)
    (here / "features/text.csv").write_text("no matrix")
    result = succeed("features", "--labels", "y.npy", *QUICK, "--json")
    found = json.loads(result.stdout)
    assert order(found) == ["strong", "middling"]
    assert set(found["excluded"]) == {"weak", "noise", "text"}
    assert names(found["excluded"]["weak"], 7)
    assert names(found["excluded"]["noise"], N - 1, N)
    page = (here / "ranking/ranking.html").read_text()
    assert found["excluded"]["noise"] in page


def test_models_that_are_out_are_named_at_the_end_whatever_is_asked_and_nowhere_else(here):
    Z = np.load("features/weak.npy")
    Z[7, 2] = np.nan
    np.save("features/weak.npy", Z)
    (here / "known.csv").write_text("model,acc\nnoise,1\nstrong,2\nmiddling,4\n")
    command = ("features", "--labels", "y.npy", *QUICK, "--accuracies", "known.csv")
    last = succeed(*command, "--quiet").stderr.splitlines()
    assert len(last) == 1
    assert names(last[0], 1, "weak")
    found = succeed(*command, "--force", "--json")
    assert not any("weak" in line for line in json.loads(found.stdout)["warnings"])
    assert names(found.stderr.splitlines()[-1], 1, "weak")


def test_labels_of_another_length_are_refused_once_before_any_model_is_read(here):
    np.save("y.npy", np.arange(N + 5) % 3)
    line = fail("features", "--labels", "y.npy", *QUICK)
    assert names(line, N, N + 5, *MODELS)
    assert line.count(f"{N + 5}") == 1
    assert not (here / "ranking").exists()


def test_labels_of_another_length_are_refused_with_both_numbers(here):
    np.save("y.npy", np.arange(N + 5) % 3)
    assert names(fail("features", "--labels", "y.npy", *QUICK), N, N + 5)
    assert not (here / "ranking/ranking.csv").exists()


# ---- What is refused before anything is run -----------------------------------------------------


def test_two_models_of_one_name_are_refused(here):
    (here / "more").mkdir()
    np.save("more/weak.npy", np.eye(N))
    line = fail("features", "more", "--labels", "y.npy", *QUICK)
    assert names(line, "weak", "features/weak.npy", "more/weak.npy")
    assert names(fail("timm:a", "timm:a", "--images", "."), "timm:a")


def test_an_accuracy_table_with_unknown_names_says_the_nearest(here):
    (here / "known.csv").write_text("model,acc\nnoize,1\nstrong,2\nweak,3\nmiddling,4\n")
    found = ranked("--accuracies", "known.csv")
    (without, unused) = found["warnings"]
    assert names(without, "noise", "noize")
    assert names(unused, "noise", "noize")
    assert {row["model"]: row["accuracy"] for row in found["models"]}["strong"] == 2
    (here / "known.csv").write_text("model,acc\nnoize,1\nstrongg,2\n")
    line = fail("features", "--labels", "y.npy", *QUICK, "--force", "--accuracies", "known.csv")
    assert names(line, "known.csv", "noize", "strongg")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), ("--labels",)),
        (("--labels", "gone.npy"), ("gone.npy",)),
        (("tim:resnet18", "--labels", "y.npy"), ("tim:resnet18", "timm:resnet18")),
        (("resnet50", "--labels", "y.npy"), ("resnet50", "timm:resnet50")),
        (("hf:a", "--texts", "gone.txt"), ("--texts", "gone.txt")),
        (("hf:a", "--texts", "lines.txt"), ("--texts", "lines.txt", "--labels")),
        (("timm:a", "--images", "flat"), ("--images", "flat", "--labels")),
        (("gone.npz:tim", "--labels", "y.npy"), ("gone.npz",)),
        (("--labels", "y.npy", "--scores", "dsme"), ("--scores", "dsme")),
        (("--labels", "y.npy", "--by", "logmee"), ("--by", "logmee")),
        (("--labels", "y.npy", "--sigma", "meedian"), ("sigma", "meedian")),
        (("--labels", "y.npy", "--folds", "1"), ("--folds", 1)),
        (("--labels", "y.npy", "--level", "2"), ("--level", 2)),
        (("--labels", "y.npy", "--n-null", "1"), ("--n-null", 1)),
        (("--labels", "few.npy"), ("--no-sampling-error",)),
        (("--labels", "constant.npy"), ("labels",)),
        (("timm:resnet18", "--labels", "y.npy"), ("timm:resnet18", "--images", "--texts")),
        (("hf:a", "--images", ".", "--texts", "b.txt"), ("--images", "--texts")),
        (("--labels", "y.npy", "--accuracies", "y.npy"), ("y.npy", ".csv")),
    ],
)
def test_bad_options_are_refused_before_anything_is_measured(here, options, words):
    np.save("constant.npy", np.zeros(N, int))
    np.save("few.npy", np.arange(6) % 2)
    (here / "lines.txt").write_text("a\nb\n")
    (here / "flat").mkdir()
    line = fail("features", *options)
    assert names(line, *words)
    assert not any(word in line for word in ("scores=", "by=", "sampling=", "in Python"))
    assert not (here / "ranking").exists()


def test_a_directory_without_features_is_refused(here):
    (here / "empty").mkdir()
    assert names(fail("empty", "--labels", "y.npy"), "empty", ".npy")

"""Recording a run, reading it back, and what the page says of it."""

from __future__ import annotations

import html
import json
import math
import re

import numpy as np
import pytest
from typer.testing import CliRunner

import eigentropy as eg
from benchmarks.documents import report_page
from eigentropy import report
from eigentropy.cli import commands
from eigentropy.io import FileError
from eigentropy.report import Recorder, page, read_run
from eigentropy.report.recording import TIMES
from eigentropy.report.views import RANKS, ranks, view_rows
from messages import names, naming
from recorded_runs import LAYERS, NASTY, N, record, rows_of, write


@pytest.fixture
def run(tmp_path):
    return record(tmp_path / "a")


def data_in(text):
    """What the page's JavaScript reads."""
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL).group(1))


# ---- Recording ----------------------------------------------------------------------------------


def test_what_is_recorded_is_read_back(run):
    known = read_run(run)
    assert known.title == "a"
    assert known.layers == LAYERS
    assert known.steps == [1, 2, 3]
    assert known.values["loss"] == pytest.approx([1 / 2, 1 / 3, 1 / 4])
    assert list(known.scalars()) == ["loss"]
    for step, value in zip(known.steps, known.series("dse")["second"], strict=True):
        assert value == float(eg.DiffusionOperator(rows_of(step, "second")).entropy())
    assert known.notes == []


def test_the_spectra_are_those_of_the_operator(run):
    known = read_run(run)
    spectrum = known.spectra[2]["first"]
    exact = eg.DiffusionOperator(rows_of(2, "first")).eigenvalues()
    assert spectrum["n"] == N
    assert spectrum["eigenvalues"] == pytest.approx(exact[ranks(N) - 1], rel=1e-5)
    for t, value in zip(known.description["times"], spectrum["entropy"], strict=True):
        assert value == pytest.approx(eg.spectral_entropy(exact, t=t), rel=1e-5)


def test_the_monitors_own_t_is_among_the_times(tmp_path):
    known = read_run(record(tmp_path / "a", description={"times": [7.0]}))
    assert known.description["times"] == sorted([*TIMES, 7.0])


@pytest.mark.parametrize("n", [1, 2, 3, 50, 2048])
def test_ranks_go_from_the_first_to_the_last(n):
    found = ranks(n)
    assert found[0] == 1
    assert found[-1] == n
    assert (np.diff(found) > 0).all()
    assert len(found) <= RANKS


def test_views_are_maps_of_the_same_samples(tmp_path):
    known = read_run(record(tmp_path / "a", points=10))
    chosen = view_rows(N, 10)
    view = known.views[1]
    assert view["groups"] == (chosen % 3).tolist()
    rows = rows_of(2, "first")
    sigma = eg.DiffusionOperator(rows).sigma
    exact = eg.DiffusionOperator(rows[chosen], sigma=sigma).diffusion_map(2)
    found = np.array(view["layers"]["first"]).T
    assert np.abs(found).max() == 1000
    np.testing.assert_allclose(found, 1000 * exact / np.abs(exact).max(), atol=0.6)


def test_views_are_thinned_as_a_run_grows(tmp_path):
    known = read_run(record(tmp_path / "a", steps=range(23), views=5))
    assert [view["step"] for view in known.views] == [0, 8, 16]
    assert len(known.steps) == 23


def test_a_run_is_not_overwritten(run):
    before = (run / "values.jsonl").read_bytes()
    with pytest.raises(FileExistsError, match=naming(str(run), "resume=True")):
        Recorder(run)
    recorder = Recorder(run, resume=True)
    recorder.describe(layers=list(LAYERS))
    with pytest.raises(FileExistsError, match=naming(str(run), "load_state_dict")):
        recorder.begin(1)
    assert (run / "values.jsonl").read_bytes() == before


def test_a_run_goes_on_where_the_state_was_taken(run):
    record(run, steps=(3, 4), loaded=2)
    known = read_run(run)
    assert known.steps == sorted(known.spectra) == [1, 2, 3, 4]
    assert [view["step"] for view in known.views] == [1, 2, 3, 4]
    assert len((run / "values.jsonl").read_text().splitlines()) == 4


def test_a_torn_line_is_dropped_when_a_run_goes_on(run):
    with (run / "values.jsonl").open("a") as file:
        file.write('{"step": 4, "dse/fi')
    record(run, steps=(4,), loaded=3)
    assert read_run(run).steps == [1, 2, 3, 4]


def test_a_run_of_something_else_is_not_gone_on_with(run):
    with pytest.raises(ValueError, match=naming("layers")):
        record(run, layers=("other",), loaded=2)


def test_an_estimate_has_no_spectrum(tmp_path):
    recorder = Recorder(tmp_path / "a")
    recorder.describe(layers=["first"])
    recorder.begin(1)
    rows = np.random.default_rng(0).normal(size=(300, 3))
    estimate = eg.dse(rows, method="stochastic", tol=0.1)
    assert estimate.eigenvalues is None
    recorder.layer("first", rows, estimate, None)
    recorder.write({"dse/first": float(estimate)}, 1)
    known = read_run(tmp_path / "a")
    assert set(known.spectra[1]["first"]) == {"n", "sigma"}
    assert data_in(page([known]))["runs"][0]["spectra"] == [[None]]


@pytest.mark.parametrize("options", [{"points": 2}, {"views": 1}, {"points": 1.5}])
def test_options_of_a_recorder_are_checked(tmp_path, options):
    with pytest.raises((ValueError, TypeError), match=naming(*options)):
        Recorder(tmp_path / "a", **options)


# ---- Reading ------------------------------------------------------------------------------------


def test_a_torn_last_line_is_left_out_with_a_note(run):
    with (run / "values.jsonl").open("a") as file:
        file.write('{"step": 4, "dse/fi')
    known = read_run(run)
    assert known.steps == [1, 2, 3]
    assert [names(note, "values.jsonl") for note in known.notes] == [True]


def test_a_torn_line_before_the_last_is_an_error(run):
    with (run / "values.jsonl").open("a") as file:
        file.write('{"step": 4, "dse/fi\n{"step": 5}\n')
    with pytest.raises(FileError, match=naming("values.jsonl", 4)):
        read_run(run)


def test_the_last_measurement_of_a_step_counts(run):
    with (run / "values.jsonl").open("a") as file:
        file.write('{"step": 2, "dse/first": 0.25}\n')
    known = read_run(run)
    assert known.steps == [1, 2, 3]
    assert known.values["dse/first"][1] == 0.25


def test_nan_is_no_value(run):
    with (run / "values.jsonl").open("a") as file:
        file.write('{"step": 4, "dse/first": null, "loss": 1}\n')
    known = read_run(run)
    assert known.values["dse/first"][3] is None
    assert any(names(text, "first", 4) for text in report.remarks(known))


def test_a_csv_log_has_values_only(tmp_path):
    text = "step,dse/a.b,dsmi_y/a.b,loss\n1,5.0,0.5,2\n2,nan,,1\n"
    known = read_run(write(tmp_path / "log.csv", text))
    assert known.layers == ("a.b",)
    assert known.values == {"dse/a.b": [5.0, None], "dsmi_y/a.b": [0.5, None], "loss": [2.0, 1.0]}
    assert known.spectra == {}
    assert known.views == []
    assert len(known.notes) == 1  # what a log lacks


def test_a_json_log_has_values_only(tmp_path):
    text = '{"step": 1, "dse/a": 5.0}\n{"step": 2, "dse/a": null}\n'
    known = read_run(write(tmp_path / "log.jsonl", text))
    assert known.values == {"dse/a": [5.0, None]}


def test_the_table_of_track_has_one_layer(tmp_path):
    columns = "snapshot,n,sigma,dse,dsmi_labels,dsmi_labels_adjusted,dsmi_against"
    text = f"{columns}\nepoch2,90,1,5,0.5,0.2,0.1\nepoch10,90,1,4,0.6,0.3,0.2\n"
    known = read_run(write(tmp_path / "track.csv", text))
    assert known.steps == [2, 10]
    assert known.names == ["epoch2", "epoch10"]
    assert known.values["dsmi_x/track"] == [0.1, 0.2]
    assert known.description == {"n": 90}
    unordered = text.replace("epoch10", "epoch1")
    assert read_run(write(tmp_path / "track.csv", unordered)).steps == [1, 2]


def broken(tmp_path, what):
    """A path that holds no run, one for each way in which that can be."""
    run = tmp_path / "broken"
    record(run)
    if what == "newer":
        document = json.loads((run / "run.json").read_text())
        (run / "run.json").write_text(json.dumps({**document, "format": 99}))
    elif what == "empty":
        (run / "values.jsonl").write_text("")
    elif what == "only begun":
        (run / "values.jsonl").unlink()
        (run / "spectra.jsonl").unlink()
    elif what == "damaged":
        (run / "run.json").write_text("{")
    elif what == "classes":
        document = json.loads((run / "run.json").read_text())
        (run / "run.json").write_text(json.dumps({**document, "classes": [3]}))
    elif what == "spectra":
        (run / "spectra.jsonl").write_text('{"step": 1}\n')
    elif what == "view":
        (run / "views" / "000001.json").write_text('{"step": 1')
    elif what == "list":
        (run / "run.json").write_text("[1]")
    elif what == "above":
        return tmp_path
    elif what == "no step":
        return write(tmp_path / "log.csv", "epoch,dse/a\n1,2\n")
    elif what == "no number":
        return write(tmp_path / "log.csv", "step,dse/a\n1,high\n")
    elif what == "header only":
        return write(tmp_path / "log.csv", "step,dse/a\n")
    elif what == "kind":
        return write(tmp_path / "log.txt", "step,dse/a\n")
    else:
        return tmp_path / "nowhere"
    return run


# What the refusal of each has to name.
BROKEN = {
    "nowhere": ["nowhere"],
    "newer": ["run.json", 99, 1],
    "empty": ["broken"],
    "only begun": ["values.jsonl"],
    "damaged": ["run.json", "JSON"],
    "classes": ["run.json", "['classes'][0]", 3, "object"],
    "spectra": ["spectra.jsonl", "line 1", "'layers'"],
    "view": ["000001.json", "JSON"],
    "list": ["run.json", "list", "object"],
    "above": ["run.json", "broken"],
    "no step": ["log.csv", "'step'"],
    "no number": ["log.csv", "line 2", "'dse/a'", "'high'", "number"],
    "header only": ["log.csv"],
    "kind": ["log.txt", ".csv", ".jsonl"],
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_no_run_is_refused_and_nothing_is_overwritten(tmp_path, what):
    path, target = broken(tmp_path, what), write(tmp_path / "page.html", "as it was")
    with pytest.raises(FileError, match=naming(*BROKEN[what])):
        read_run(path)
    result = CliRunner().invoke(commands.app, ["report", str(path), "-o", str(target)])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert target.read_text() == "as it was"
    assert not list(tmp_path.glob(".page*"))


# ---- Remarks ------------------------------------------------------------------------------------


def known_run(dse, description=None, steps=None):
    values = {f"dse/{layer}": column for layer, column in dse.items()}
    steps = steps or list(range(1, 1 + len(next(iter(dse.values())))))
    return report.Run("a", "a", tuple(dse), steps, values, description or {})


def test_saturation_is_remarked_on_at_both_ends():
    run = known_run({"low": [0.01, 5.0, 5.0], "high": [9.99, 9.99, 9.98], "good": [5.0] * 3},
                    {"n": 1024})  # fmt: skip
    low, high = report.remarks(run)
    assert names(low, "low", 0, 1)
    assert names(high, "high", "log n")
    assert not names(low + high, "good")


def test_the_limit_is_in_the_unit_of_the_run():
    run = known_run({"a": [math.log(1024) - 0.01]}, {"n": 1024, "base": math.e})
    assert len(report.remarks(run)) == 1
    bits = known_run({"a": [math.log(1024) - 0.01]}, {"n": 1024, "base": 2.0})
    assert report.remarks(bits) == []


def test_without_n_nothing_is_said_of_saturation():
    assert report.remarks(known_run({"a": [9.99, 0.0]})) == []


def test_layers_without_values_are_remarked_on():
    (text,) = report.remarks(known_run({"a": [5.0, None, None, 5.0]}))
    assert names(text, "a", "2 of 4", "2 to 3")


def test_small_classes_are_remarked_on():
    classes = [{"name": "cat", "size": 9}, {"name": "dog", "size": 10}]
    (text,) = report.remarks(known_run({"a": [5.0]}, {"classes": classes}))
    assert names(text, 10, "cat (9)")
    assert not names(text, "dog")


def test_differences_of_runs_are_remarked_on():
    one = known_run({"a": [5.0]}, {"n": 100, "t": 1.0})
    assert report.differences([one, one]) == []
    other = report.Run("b", "b", ("a",), [1], {"dse/a": [5.0]}, {"n": 200, "t": 1.0})
    (text,) = report.differences([one, other])
    assert names(text, "100 in a", "200 in b")
    assert not names(text, 1.0)  # their t is the same


def test_a_changing_number_of_samples_is_remarked_on(run):
    known = read_run(run)
    known.spectra[1]["first"]["n"] = 30
    assert any(names(text, "30 to 40") for text in report.remarks(known))


# ---- The page -----------------------------------------------------------------------------------


def test_the_page_has_all_that_was_measured(run):
    document = data_in(page([read_run(run)], "My title"))
    (shown,) = document["runs"]
    assert document["title"] == "My title"
    assert shown["layers"] == list(LAYERS)
    assert shown["steps"] == [1, 2, 3]
    exact = [float(eg.DiffusionOperator(rows_of(s, "first")).entropy()) for s in (1, 2, 3)]
    assert shown["series"]["dse"][0] == pytest.approx(exact, abs=1e-4)
    assert shown["scalars"] == {"loss": [0.5, 0.3333, 0.25]}
    n, _, entropies, eigenvalues = shown["spectra"][2][1]
    assert n == N
    assert len(entropies) == len(shown["times"])
    assert len(eigenvalues) == len(shown["ranks"][str(N)])
    assert [view["step"] for view in shown["views"]] == [1, 2, 3]
    assert ["seed", "0"] in shown["settings"]


@pytest.mark.parametrize("name", ["clusters", "clustering"])
def test_how_clusters_are_found_is_shown_under_its_name_and_its_old_one(tmp_path, name):
    path = record(tmp_path / "a", description={name: "kmeans"})
    (shown,) = data_in(page([read_run(path)]))["runs"]
    assert [value for _, value in shown["settings"]].count("kmeans") == 1


def test_names_do_no_harm(tmp_path):
    classes = [{"name": NASTY, "size": N}] * 3
    settings = {NASTY: NASTY}
    path = record(tmp_path / "a", layers=(NASTY,), title=NASTY, settings=settings,
                  description={"classes": classes})  # fmt: skip
    text = page([read_run(path)], NASTY)
    plain = page([read_run(record(tmp_path / "b"))])
    for mark in ("<script", "</script", "<!--", "<img"):
        assert text.count(mark) == plain.count(mark)
    assert f"<title>{html.escape(NASTY)}</title>" in text
    (shown,) = data_in(text)["runs"]
    assert shown["layers"] == [NASTY]
    assert shown["title"] == NASTY


def test_braces_in_a_name_are_no_places_of_the_template(tmp_path):
    text = page([read_run(record(tmp_path / "a", layers=("{{script}}",)))], "{{data}}")
    assert "<title>{{data}}</title>" in text
    assert data_in(text)["runs"][0]["layers"] == ["{{script}}"]


def test_the_page_loads_nothing(run):
    text = page([read_run(run)])
    assert "default-src 'none'" in text
    outside = re.findall(r"""(?:src|href)=["']?(?!data:|#)[^"' >]+""", text)
    assert outside == []
    assert set(re.findall(r"https?://[^\"' ]+", text)) == {"http://www.w3.org/2000/svg"}


def test_several_runs_are_compared(tmp_path):
    a, b = record(tmp_path / "x" / "a"), record(tmp_path / "y" / "a")
    log = write(tmp_path / "log.csv", "step,dse/first\n1,5.0\n")
    document = data_in(page([read_run(a), read_run(b), read_run(log)]))
    assert [run["title"] for run in document["runs"]] == ["a (1)", "a (2)", "log"]


def test_a_page_of_nothing_is_refused():
    with pytest.raises(ValueError, match=naming("runs")):
        page([])


def test_a_run_of_200_epochs_and_8_layers_is_below_5_megabytes(tmp_path):
    """As many numbers as such a run has, copied from two measurements."""
    layers = tuple(f"encoder.{k}" for k in range(8))
    path = record(tmp_path / "a", steps=(1, 2), layers=layers)
    rows = [json.loads(line) for line in (path / "spectra.jsonl").read_text().splitlines()]
    full = [0.123456 / (k + 1) for k in range(len(ranks(2048)))]
    for row in rows:
        for layer in row["layers"].values():
            layer.update(n=2048, eigenvalues=full)
    values = [json.loads(line) for line in (path / "values.jsonl").read_text().splitlines()]
    kinds = ("dsmi_x", "dsmi_y_adjusted", "dsmi_x_adjusted", "dsmi_previous")
    more = {f"{kind}/{layer}": 1.234567 for kind in kinds for layer in layers}
    view = json.loads((path / "views" / "000000.json").read_text())
    coordinates = [[-777] * 500, [-888] * 500]
    view.update(layers=dict.fromkeys(layers, coordinates), groups=[2] * 500)
    with (path / "values.jsonl").open("w") as one, (path / "spectra.jsonl").open("w") as other:
        for step in range(200):
            one.write(json.dumps({**values[step % 2], **more, "step": step}) + "\n")
            other.write(json.dumps({**rows[step % 2], "step": step}) + "\n")
    for number in range(20):
        target = path / "views" / f"{number:06d}.json"
        target.write_text(json.dumps({**view, "step": 10 * number}))
    known = read_run(path)
    assert (len(known.steps), len(known.layers), len(known.views)) == (200, 8, 20)
    assert len(page([known]).encode()) < 5_000_000


def test_the_benchmark_makes_a_run_of_the_size_that_it_says(tmp_path):
    report_page.record_run(tmp_path / "a", epochs=3, layers=2, samples=30)
    run = read_run(tmp_path / "a")
    assert (run.steps, len(run.layers), run.description["n"]) == ([1, 2, 3], 2, 30)
    assert set(run.scalars()) == {"loss", "loss/test", "accuracy", "accuracy/test"}
    (text,) = report.remarks(run)
    assert names(text, *(f"{k} (3)" for k in range(8)), 2)


# ---- The command --------------------------------------------------------------------------------


def test_the_command_writes_the_page(run, tmp_path):
    target = tmp_path / "page.html"
    result = CliRunner().invoke(
        commands.app, ["report", str(run), "-o", str(target), "--title", "T"]
    )
    assert result.exit_code == 0, result.stderr
    assert str(target) in result.stdout
    assert target.read_text() == page([read_run(run)], "T")


def test_the_command_answers_in_json(run, tmp_path):
    target = tmp_path / "page.html"
    result = CliRunner().invoke(
        commands.app, ["report", str(run), str(run), "-o", str(target), "--json"]
    )
    document = json.loads(result.stdout)
    assert document["written"] == str(target)
    assert document["bytes"] == target.stat().st_size
    assert [r["steps"] for r in document["runs"]] == [[1, 2, 3]] * 2


def test_the_command_names_a_folder_that_is_not_there(run, tmp_path):
    target = tmp_path / "nowhere" / "page.html"
    result = CliRunner().invoke(commands.app, ["report", str(run), "-o", str(target)])
    assert result.exit_code == 2
    assert names(result.stderr, "error:", str(target))


def test_the_command_refuses_a_page_that_is_no_html(run, tmp_path):
    target = tmp_path / "page.pdf"
    result = CliRunner().invoke(commands.app, ["report", str(run), "-o", str(target)])
    assert result.exit_code == 2
    assert names(result.stderr, "--output", ".html", str(target))
    assert not target.exists()

"""What loggers write reads back as what was logged, whatever it was."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from eigentropy.io.paths import FileError
from eigentropy.report import read_run
from eigentropy.torch import CSVLogger, JSONLinesLogger, Monitor
from eigentropy.torch.monitoring import gathering
from messages import naming

FLOATS = st.floats(allow_nan=True, allow_infinity=True)
# Names of layers are dotted paths, names of values whatever the caller likes.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
ANY_NAME = st.text(st.characters() | st.sampled_from("\ud800\udfff"), min_size=1, max_size=4)
KEYS = st.one_of(st.sampled_from(["dse/head", "loss", "a,b", 'a"b', "a\r\nb"]), TEXT)
VALUES = st.dictionaries(KEYS.filter(lambda key: key != "step"), FLOATS, max_size=6)
# Values, and whether another logger goes on with the file.
LOGGED = st.lists(st.tuples(VALUES, st.booleans()), max_size=8)


def written(logger, name, logged):
    """The text of the file after all calls, at steps 0, 1, ..."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        log = logger(path)
        for step, (values, anew) in enumerate(logged):
            log = logger(path, resume=True) if anew else log
            log(values, step)
        assert len(list(Path(folder).iterdir())) == bool(logged)
        return path.read_bytes().decode() if logged else ""


def same(one, other):
    """Equal down to the sign of zero; NaN is NaN."""
    if math.isnan(one):
        return math.isnan(other)
    return one == other and math.copysign(1.0, one) == math.copysign(1.0, other)


@settings(deadline=None)
@given(LOGGED)
def test_csv_reads_back_as_it_was_logged(logged):
    text = io.StringIO(written(CSVLogger, "a.csv", logged), newline="")
    rows = list(csv.DictReader(text))
    assert [row.pop("step") for row in rows] == [str(step) for step in range(len(logged))]
    columns = {key for values, _ in logged for key in values}
    for row, (values, _) in zip(rows, logged, strict=True):
        assert row.keys() == columns
        known = {key: float(text) for key, text in row.items() if text != ""}
        assert known.keys() == values.keys()
        assert all(same(known[key], value) for key, value in values.items())


@settings(deadline=None)
@given(LOGGED)
def test_json_lines_read_back_as_they_were_logged(logged):
    lines = written(JSONLinesLogger, "a.jsonl", logged).split("\n")
    assert lines.pop() == ""
    for step, (line, (values, _)) in enumerate(zip(lines, logged, strict=True)):
        known = json.loads(line)
        assert known.pop("step") == step
        assert known.keys() == values.keys()
        for key, value in values.items():
            assert known[key] is None if not math.isfinite(value) else same(known[key], value)


@pytest.mark.parametrize(("logger", "name"), [(CSVLogger, "a.csv"), (JSONLinesLogger, "a.jsonl")])
def test_a_line_that_does_not_fit_on_the_disk_leaves_no_part(tmp_path, full_disk, logger, name):
    path = tmp_path / name
    log = logger(path)
    log({"x": 0.125}, 1)
    before = path.read_bytes()
    for anew in (False, True):
        log = logger(path, resume=True) if anew else log
        with full_disk(len(before) + 3), pytest.raises((OSError, ValueError)):
            log({"x": 0.25}, 2)
        assert path.read_bytes() == before
    log({"x": 0.5}, 3)
    assert list(read_run(path).values["x"]) == [0.125, 0.5]
    assert [p.name for p in tmp_path.iterdir()] == [name]


@settings(max_examples=20, deadline=None)
@given(ANY_NAME.filter(lambda name: "." not in name and "\0" not in name))
def test_a_layer_of_any_name_is_logged(name):
    """Also of one that cannot be encoded."""
    model = torch.nn.Sequential()
    model.add_module(name, torch.nn.Linear(2, 3))
    x = torch.randn(9, 2, generator=torch.Generator().manual_seed(0))
    seen = []
    with tempfile.TemporaryDirectory() as folder:
        files = [f"{folder}/a.csv", f"{folder}/a.jsonl"]
        logs = [*files, lambda values, step: seen.extend(key.encode() for key in values)]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Monitor(model, model[0], probe=x, log=logs) as monitor:
                monitor.step()
                values = monitor.step()
        for file in files:
            logged = read_run(file).values
            assert [list(column) for column in logged.values()] == [[*values.values()] * 2]
    assert len(seen) == 2


@settings(deadline=None)
@given(st.lists(ANY_NAME.filter(lambda name: "\0" not in name), max_size=4))
def test_a_table_takes_any_name_and_goes_on_with_its_columns(names):
    values = dict.fromkeys(names, 0.5)
    with tempfile.TemporaryDirectory() as folder:
        for step in (1, 2):
            CSVLogger(f"{folder}/a.csv", resume=True)(values, step)
        text = Path(folder, "a.csv").read_bytes().decode()
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert len(rows) == 3
    assert len(rows[0]) <= 1 + len(values)


def test_names_are_utf_8_whatever_the_locale_says(tmp_path):
    code = (
        "import sys; from eigentropy.torch import CSVLogger\n"
        "for step in (1, 2): CSVLogger(sys.argv[1], resume=True)({chr(0xE4): 0.5}, step)"
    )
    command = [sys.executable, "-X", "utf8=0", "-c", code, str(tmp_path / "a.csv")]
    environment = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run(command, check=True, env=environment)
    assert (tmp_path / "a.csv").read_bytes().decode().split() == ["step,ä", "1,0.5", "2,0.5"]


# ---- One run a file -----------------------------------------------------------------------------

KINDS = pytest.mark.parametrize(
    ("logger", "name"), [(CSVLogger, "a.csv"), (JSONLinesLogger, "a.jsonl")]
)


def monitor(log, **options):
    import torch

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 3))
    return Monitor(net, "0", torch.randn(20, 4), log=log, **options)


def steps(path):
    """Of all lines, also those that a reader of runs would take for one."""
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return [int(row["step"]) for row in csv.DictReader(file)]
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


@KINDS
def test_a_missing_directory_is_made_with_the_monitor(tmp_path, logger, name):
    path = tmp_path / "runs" / "one" / name
    first = monitor(path)
    assert path.parent.is_dir()
    first.step()
    assert steps(path) == [1]


@KINDS
def test_a_path_that_cannot_be_written_is_refused_with_the_monitor(tmp_path, logger, name):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / name, tmp_path):
        with pytest.raises(FileError, match=naming("log", str(path), "path")):
            monitor(logger(path))


@KINDS
def test_a_file_of_another_run_is_refused_with_the_monitor(tmp_path, logger, name):
    path = tmp_path / name
    monitor(path).step()
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match=naming("log", str(path), "resume=True")):
        monitor(path)
    with pytest.raises(FileExistsError, match=naming("log", str(path), "resume=True")):
        logger(path)({"loss": 0.5}, 1)
    assert path.read_bytes() == before


@KINDS
def test_a_monitor_goes_on_with_its_file_from_its_state(tmp_path, logger, name):
    path = tmp_path / name
    first = monitor(path)
    for _ in range(2):
        first.step()
    state = first.state_dict()
    first.step()  # after the checkpoint
    with path.open("ab") as file:
        file.write(b"" if path.suffix == ".csv" else b'{"step": 4, "dse/0"')  # when it was killed
    second = monitor(logger(path, resume=True))
    with pytest.raises(FileExistsError, match=naming("log", str(path), "load_state_dict")):
        second.measure()
    second.load_state_dict(state)
    second.step()
    second.step()
    assert steps(path) == [1, 2, 3, 4]


@KINDS
def test_the_first_run_may_ask_to_resume(tmp_path, logger, name):
    path = tmp_path / name
    monitor(logger(path, resume=True)).step()
    assert steps(path) == [1]


def test_what_is_no_log_is_not_continued(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,y\n1,2\n")
    second = monitor(CSVLogger(path, resume=True))
    with pytest.raises(FileError, match=naming("log", str(path), "step")):
        second.load_state_dict({"steps": 1, "history": []})
    assert path.read_text() == "x,y\n1,2\n"


@KINDS
def test_a_second_monitor_does_not_add_to_the_log_of_the_first(tmp_path, logger, name):
    """Made before the first has written anything, or with the first one's logger."""
    log = logger(tmp_path / name)
    first, other = monitor(log), logger(tmp_path / name)
    first.step()
    with pytest.raises(FileExistsError):
        other({"loss": 0.5}, 1)
    with pytest.raises(FileExistsError, match=naming("log", "load_state_dict")):
        monitor(log).step()
    assert steps(tmp_path / name) == [1]


@KINDS
def test_only_the_first_process_opens_the_file(tmp_path, logger, name, monkeypatch):
    monitor(tmp_path / name).step()
    monkeypatch.setattr(gathering, "rank", lambda: 1)
    monitor(tmp_path / name)  # while the first process is already writing

"""Recordings that are damaged, hostile or of something else: a page, or an error that helps."""

from __future__ import annotations

import json
import math
import os
import random
import shutil

import pytest

from eigentropy.io import FileError
from eigentropy.report import lines, page, read_run
from messages import names, naming
from mutations import mutated
from recorded_runs import LOG, outcome, record, small_recordings, write


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return small_recordings(tmp_path_factory.mktemp("good"))


def test_no_mutated_recording_ends_in_a_traceback(good, monkeypatch):
    """5000 of them. None hangs, none is drawn with numbers that JSON does not have."""
    monkeypatch.setattr("eigentropy._support.memory.available", lambda: 2.0**33)  # once is enough
    generator = random.Random(0)
    files = [*(f for f in good.rglob("*") if f.is_file())]
    contents = {file: file.read_bytes() for file in files}
    runs = {file: good / file.relative_to(good).parts[0] for file in files}
    said = []
    for _ in range(5000):
        file = generator.choice(files)
        file.write_bytes(mutated(contents[file], generator))
        said.append(outcome(runs[file]))
        file.write_bytes(contents[file])
    pages = said.count("page")
    assert 1000 < pages < 4000  # neither is everything refused nor is everything drawn
    assert len(set(said)) > 500


def changed(run, file, **keys):
    """The run with other values in the last line of a file, at paths such as a__b."""
    *before, last = (run / file).read_text().splitlines()
    document = json.loads(last)
    for path, value in keys.items():
        *outer, key = path.split("__")
        holder = document
        for name in outer:
            holder = holder[name]
        holder[key] = value
    (run / file).write_text("".join(f"{line}\n" for line in [*before, json.dumps(document)]))
    return run


@pytest.fixture
def run(good, tmp_path):
    return shutil.copytree(good / "run", tmp_path / "a")


VIEW = "views/000001.json"


@pytest.mark.parametrize(
    ("file", "path", "value", "said"),
    [
        ("run.json", "base", [1], ["['base']", "a list of 1", "base"]),
        ("run.json", "base", 1, ["['base']", "base"]),
        ("run.json", "n", -40, ["['n']", -40, "from 0"]),
        ("run.json", "format", "1", ["['format']", "'1'", "a whole number"]),
        ("run.json", "format", True, ["['format']", "True", "a whole number"]),
        ("run.json", "times", [1, "x"], ["['times'][1]", "'x'", "number"]),
        ("run.json", "times", [0.0], ["['times'][0]", "0.0", "number"]),
        ("run.json", "layers", "first", ["['layers']", "'first'", "a list"]),
        ("run.json", "classes", [{"name": 1, "size": 2}], ["['classes'][0]['name']", 1, "text"]),
        ("run.json", "classes", [{"name": "a"}], ["['classes'][0]", "'size'"]),
        ("run.json", "settings", 7, ["['settings']", 7, "an object"]),
        ("profiles.jsonl", "layers", 7, ["line 2", "['layers']", 7, "a list"]),
        ("profiles.jsonl", "neighbours", [{}], ["line 2", "['neighbours'][0]", "'measure'"]),
        ("values.jsonl", "step", 1.5, ["line 2", "['step']", 1.5, "a whole number"]),
        ("values.jsonl", "step", 2**60, ["line 2", "['step']", 2**60, 2**53]),
        ("values.jsonl", "loss", "low", ["line 2", "['loss']", "'low'", "a number or null"]),
        ("values.jsonl", "loss", True, ["line 2", "['loss']", "True", "a number or null"]),
        ("spectra.jsonl", "layers", [], ["line 2", "['layers']", "an object"]),
        ("spectra.jsonl", "layers__first__n", 0, ["line 2", "['first']['n']", "from 1"]),
        ("spectra.jsonl", "layers__first__n", 41, ["line 2", "['eigenvalues']", "a list of"]),
        ("spectra.jsonl", "layers__first__entropy", [1], ["line 2", "['entropy']", "'times'", 31]),
        (VIEW, "layers__first", [[1], [1, 2], [3]], ["['first']", "a list of 3", "a list of 2"]),
        (VIEW, "layers__first", [[1], [2]], ["['first'][0]", "a list of 1", "a list of 4"]),
        (VIEW, "layers__first", [[1, 2, 3, None], [0] * 4], ["['first'][0][3]", "null", "finite"]),
        (VIEW, "groups", [0, 1, 2, 3], ["['groups'][3]", 3, "from 0 to 2"]),
        (VIEW, "groups", [0], ["['groups']", "a list of 1", "a list of 4"]),
    ],
)
def test_what_is_wrong_is_said_by_file_line_and_key(run, file, path, value, said):
    assert outcome(run) == "page"
    with pytest.raises(FileError, match=naming(str(run / file), *said)):
        read_run(changed(run, file, **{path: value}))


def test_a_newer_format_is_told_from_damage_whatever_it_holds(run):
    with pytest.raises(FileError, match=naming("run.json", 2, 1, "update")):
        read_run(changed(run, "run.json", format=2, layers={"new": "kind"}))


def test_unknown_keys_are_tolerated_everywhere(run):
    before = read_run(run)
    for file in ("run.json", "spectra.jsonl", VIEW):
        changed(run, file, unknown={"a": [1]})
    changed(run, "spectra.jsonl", layers__first__unknown="x")
    assert read_run(run) == before


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400, 1e308, None])
def test_what_cannot_be_drawn_is_no_value(run, value):
    known = read_run(changed(run, "values.jsonl", loss=value))
    assert known.values["loss"][1] is None
    log = write(run.parent / "log.csv", f"step,loss\n1,2\n2,{'' if value is None else value}\n")
    assert read_run(log).values["loss"] == [2.0, None]


def test_whole_numbers_may_be_written_with_a_point(run):
    assert read_run(changed(run, "values.jsonl", step=2.0)).steps == [1, 2]
    assert read_run(write(run.parent / "log.csv", "step,loss\n1.0,2\n2.0,1\n")).steps == [1, 2]


def test_snapshots_with_numbers_of_any_length_are_counted(tmp_path):
    text = f"snapshot,dse\n{'1' * 5000},5\n{'2' * 5000},4\n"
    assert read_run(write(tmp_path / "track.csv", text)).steps == [1, 2]


def test_lone_surrogates_become_their_escapes(run):
    changed(run, "run.json", title="a\ud800", settings={"\udfff": "\udfff"})
    changed(run, "values.jsonl", **{"dse/\ud800": 1.0})
    known = read_run(run)
    assert known.title == r"a\ud800"
    assert known.description["settings"] == {r"\udfff": r"\udfff"}
    assert r"\ud800" in known.layers
    page([known], "\ud800").encode()


@pytest.mark.parametrize("file", ["values.jsonl", "spectra.jsonl"])
def test_an_interrupted_run_opens_with_a_note_wherever_its_last_line_was_cut(run, file):
    content = (run / file).read_bytes()
    whole = content.index(b"\n") + 1
    for length in range(whole + 1, len(content) - 1, 7):
        (run / file).write_bytes(content[:length])
        known = read_run(run)
        assert known.steps == ([1] if file == "values.jsonl" else [1, 2])
        assert list(known.spectra) == [1]
        assert [names(note, file, "line 2") for note in known.notes] == [True]


def test_an_interrupted_table_opens_with_a_note(tmp_path):
    whole = LOG.rindex("3,")
    for length in range(whole + 1, whole + 10):
        known = read_run(write(tmp_path / "log.csv", LOG[:length]))
        assert known.steps == [1, 2]
        assert any(names(note, "log.csv", "line 4") for note in known.notes)
    known = read_run(write(tmp_path / "log.csv", LOG.removesuffix("\n")))  # nothing is missing
    assert known.steps == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("step,loss\n1,2,3\n2,1\n", ["line 2", 3, 2]),
        ("step,loss\n1\n2,1\n", ["line 2", 1, 2]),
        ("step,loss,loss\n1,2,3\n", ["line 1", "'loss'"]),
        ("step;loss\n1;2\n2;1\n", ["log.csv", "'step;loss'", "'step'"]),
        (",a,b\n0,1.5,2\n", ["log.csv", "'a'", "'b'", "'step'", "'snapshot'", "'dse'"]),
        ("snapshot,n\ne1,2\n", ["log.csv", "'snapshot'", "'n'", "'step'", "'dse'"]),
        ('step,loss\n1,"2\n2,1\n', ["log.csv"]),
        ("step,loss\n1,high\n", ["line 2", "'loss'", "'high'", "number"]),
        ("step,loss\n1.5,2\n", ["line 2", "'step'", 1.5, "whole"]),
        ("", ["log.csv", "no measurement"]),
    ],
)
def test_a_table_that_is_no_log_is_refused_by_line(tmp_path, text, said):
    with pytest.raises(FileError, match=naming("log.csv", *said)):
        read_run(write(tmp_path / "log.csv", text))


def test_a_table_that_a_spreadsheet_saved_is_read(tmp_path):
    (tmp_path / "log.csv").write_bytes(b"\xef\xbb\xbfstep,loss\r\n1,2\r\n\r\n2,1\r\n")
    assert read_run(tmp_path / "log.csv").values == {"loss": [2.0, 1.0]}


@pytest.mark.parametrize("content", [b"", b"\n\n", b'{"step": 1', b"\x00" * 4096])
def test_a_log_without_a_measurement_says_so(tmp_path, content):
    (tmp_path / "log.jsonl").write_bytes(content)
    with pytest.raises(FileError, match=naming("log.jsonl", "no measurement")):
        read_run(tmp_path / "log.jsonl")


@pytest.mark.parametrize(
    "line", [b"[" * 100_000, b"9" * 5000, b"\xff\xfe", b"[1]", b"null", b"<a>"]
)
def test_lines_of_something_else_are_refused_by_number(tmp_path, line):
    (tmp_path / "log.jsonl").write_bytes(line + b"\n{}\n")
    with pytest.raises(FileError, match=naming("log.jsonl", "line 1")):
        read_run(tmp_path / "log.jsonl")


# ---- Sizes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["values.jsonl", "spectra.jsonl", "run.json", VIEW])
def test_gigabytes_are_refused_before_they_are_read(run, file):
    os.truncate(run / file, 2**40)  # a file with a hole: it takes no place on the disk
    with pytest.raises(FileError, match=naming(str(run), lines.LARGEST_RECORDING, "every")) as said:
        read_run(run)
    assert str(2**40)[:6] in str(said.value)


def test_a_log_of_gigabytes_is_refused(tmp_path):
    for name in ("log.csv", "log.jsonl"):
        os.truncate(write(tmp_path / name, LOG), 2**40)
        with pytest.raises(FileError, match=naming(name, 2**40, lines.LARGEST_RECORDING)):
            read_run(tmp_path / name)


def test_what_memory_cannot_hold_is_refused(run, monkeypatch):
    monkeypatch.setattr("eigentropy._support.memory.available", lambda: 1000.0)
    with pytest.raises(MemoryError, match=naming(str(run), 1000)):
        read_run(run)


def test_a_long_line_is_refused_by_number(tmp_path):
    text = '{"step": 1}\n' + " " * (lines.LONGEST_LINE + 1)
    with pytest.raises(FileError, match=naming("log.jsonl", "line 2", lines.LONGEST_LINE)):
        read_run(write(tmp_path / "log.jsonl", text))


def test_a_table_of_measurements_with_nothing_in_common_is_refused(tmp_path, monkeypatch):
    """Each has a key of its own, so that a few megabytes become a table of terabytes."""
    text = "".join(f'{{"step": {k}, "{k}": 1}}\n' for k in range(1000))
    log = write(tmp_path / "log.jsonl", text)
    assert len(read_run(log).values) == 1000
    monkeypatch.setattr("eigentropy._support.memory.available", lambda: 3e7)
    with pytest.raises(MemoryError, match=naming("log.jsonl", 1000)):
        read_run(log)


def test_what_is_no_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "log.jsonl")
    with pytest.raises(FileError, match=naming("log.jsonl")):
        read_run(tmp_path / "log.jsonl")


# ---- Going on with a damaged run ----------------------------------------------------------------


@pytest.mark.parametrize("file", ["run.json", "values.jsonl", "spectra.jsonl"])
@pytest.mark.parametrize("content", [b"{\n{}\n", b"[1]\n{}\n", b'{"step": []}\n', b"\xff\n{}\n"])
def test_a_damaged_run_is_not_gone_on_with(run, file, content):
    (run / file).write_bytes(content)
    before = {f: f.read_bytes() for f in run.rglob("*") if f.is_file()}
    with pytest.raises((FileError, ValueError), match=naming(str(run))):
        record(run, loaded=2)
    assert {f: f.read_bytes() for f in run.rglob("*") if f.is_file()} == before


def test_what_a_recorder_takes_can_be_read(tmp_path):
    nested = 1
    for _ in range(15):
        nested = [nested]
    run = record(tmp_path / "a", title=7, settings={1: nested, "x" * 1000: "\ud800"}, step_name=3)
    assert outcome(run) == "page"
    with pytest.raises(TypeError, match=naming("settings", "levels")):
        record(tmp_path / "b", settings={"a": [[[[[[[nested]]]]]]]})

"""What commands write: nothing that exists is replaced unasked, and any name can be written."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from rich.text import Text
from typer.main import get_command
from typer.testing import CliRunner

import eigentropy as eg
from eigentropy.cli import commands
from eigentropy.io import FileError, track
from eigentropy.io.writing import require_new, write_atomically
from messages import names, naming


def invoke(*args):
    return CliRunner().invoke(commands.app, [str(arg) for arg in args])


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory with two snapshots."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    for epoch in (1, 2):
        Z = np.random.default_rng(epoch).normal(size=(20, 3))
        np.save(tmp_path / "run" / f"epoch{epoch}.npy", Z)
    return tmp_path


def state(directory):
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


# Outputs that exist.

WRITING = {
    "track": (["track", "run", "-o", "out"], ["out.csv", "out.png"]),
    "report": (["report", "tracked.csv", "-o", "out.html"], ["out.html"]),
}


@pytest.mark.parametrize("command", WRITING)
def test_an_existing_output_is_refused_and_force_replaces_it(here, command):
    args, outputs = WRITING[command]
    assert invoke("track", "run", "-o", "tracked").exit_code == 0
    for output in outputs:
        (here / output).write_text("precious")
        before = state(here)
        refused = invoke(*args)
        assert refused.exit_code == 2
        assert names(refused.stderr, "error:", output, "--force")
        assert state(here) == before
        assert invoke(*args, "--force").exit_code == 0
        assert (here / output).read_bytes() != b"precious"
        for written in outputs:
            (here / written).unlink()


def test_track_from_python_refuses_too_and_measures_nothing(here):
    (here / "out.csv").write_text("precious")
    seen = []
    with pytest.raises(FileExistsError, match=naming("out.csv", "overwrite=True")):
        track("run", output="out.csv", on_row=seen.append)
    assert seen == []
    assert (here / "out.csv").read_text() == "precious"
    assert len(track("run", output="out.csv", overwrite=True)) == 2


def test_a_file_error_is_raised_by_an_output_that_exists(tmp_path):
    with pytest.raises(FileError, match=naming("--force")):
        require_new(tmp_path)
    require_new(tmp_path, overwrite=True)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError):
        require_new(tmp_path / "link")


@pytest.mark.parametrize(
    "args", [["track", "run", "-o", "no/where"], ["report", "nope", "-o", "no/where.html"]]
)
def test_a_missing_directory_is_found_before_anything_is_read(here, args):
    (here / "run" / "epoch1.npy").write_bytes(b"damaged")
    refused = invoke(*args)
    assert refused.exit_code == 2
    assert names(refused.stderr, "error:", "no/where", "no")


def test_a_file_is_its_old_or_its_new_content(tmp_path, full_disk):
    path = tmp_path / ("n" * 250 + ".csv")  # as long as names may be
    write_atomically(path, b"old")
    with full_disk(10), pytest.raises(FileError):
        write_atomically(path, b"new" * 10)
    assert path.read_bytes() == b"old"
    (tmp_path / "link").symlink_to(path)
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert path.read_bytes() == b"new"
    assert sorted(tmp_path.iterdir()) == [tmp_path / "link", path]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    require_new(pipe)
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_bytes)
        write_atomically(pipe, b"content")
        assert read.result(timeout=60) == b"content"
    assert pipe.is_fifo()


def test_a_disk_is_no_stream(tmp_path, monkeypatch):
    path = tmp_path / "disk"
    path.write_bytes(b"precious")
    monkeypatch.setattr(Path, "is_block_device", lambda self: self == path)
    monkeypatch.setattr(Path, "is_file", lambda self: False)
    with pytest.raises(FileExistsError):
        require_new(path)


# Names of any bytes, and markup.

STRANGE = [b"\xff\xfe", b"[red]x[nope]", b"x[bold", b"a\nb\x1b[31m", b":smile:", "Größe".encode()]


@pytest.mark.parametrize("name", STRANGE)
def test_names_of_any_bytes_are_written_everywhere(here, name):
    """In tables, JSON, CSV, figures and pages, and by a terminal that is strict."""
    Z, y = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30) % 3
    strange = os.fsdecode(name)
    shown = "".join(
        c if c.isprintable() else repr(c)[1:-1] for c in name.decode("utf-8", "backslashreplace")
    ).replace("\\n", "\\x0a")
    np.savez(strange + ".npz", Z=Z, y=y)
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}

    def run(*args):
        result = subprocess.run(
            [sys.executable, "-m", "eigentropy", *args], capture_output=True, env=environment
        )
        assert result.returncode == 0, result.stderr
        return result.stdout.decode()

    file = f"{strange}.npz"
    assert shown in run("measure", f"{file}:Z", "--labels", "y", "-q")
    document = json.loads(run("measure", f"{file}:Z", "--labels", "y", "--json", "-q"))
    assert document["file"] == f"{shown}.npz:Z"
    assert document["dsmi"]["labels"]["source"] == f"{shown}.npz:y"
    said = run("track", f"{file}:Z", "-o", f"{strange}-out")
    assert shown in said
    with open(f"{strange}-out.csv", newline="") as table:  # noqa: PTH123
        assert [row["snapshot"] for row in csv.DictReader(table)] == [shown]
    assert shown in run("report", f"{strange}-out.csv", "-o", f"{strange}.html", "--title", strange)


@pytest.mark.parametrize("name", STRANGE)
def test_errors_name_any_file_on_one_line(here, name):
    strange = os.fsdecode(name)
    for args in (
        ["measure", f"{strange}.npy"],
        ["measure", "run/epoch1.npy", "--labels", strange],
        ["measure", "run/epoch1.npy", "--key", strange],
        ["measure", "run/epoch1.npy", "--sigma", strange],
        ["track", f"{strange}.npy"],
        ["track", "run", "-o", f"{strange}/out"],
        ["report", strange],
        ["study", strange],
    ):
        result = invoke(*args)
        assert result.exit_code == 2
        (line,) = result.stderr.splitlines()
        assert line.startswith("error:")
        assert line.isprintable()
        line.encode()


def commands_and_groups():
    root = get_command(commands.app)
    return {"": root, **root.commands}


@pytest.mark.parametrize("name", commands_and_groups())
def test_help_is_shown_as_it_is_written(name):
    """Brackets, as of an extra, are markup to the library that prints the help."""
    command = commands_and_groups()[name]
    texts = [command.help or ""]
    for parameter in command.params:
        texts += [getattr(parameter, "help", None) or "", str(parameter.metavar or "")]
    shown = invoke(name, "--help").output if name else invoke("--help").output
    words = set(shown.replace("│", " ").split())
    for text in texts:
        assert Text.from_markup(text).plain == text
    wanted = {word for text in texts for word in text.split() if "[" in word or "]" in word}
    assert wanted <= words


# What is said of mistaken inputs.


def test_weights_are_told_from_activations(here):
    torch = pytest.importorskip("torch", reason="the files are PyTorch's")
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    (here / "checkpoints").mkdir()
    torch.save(model.state_dict(), "checkpoints/epoch1.pt")
    torch.save({"model": model.state_dict(), "epoch": 1}, "whole.pt")
    for path in ("checkpoints", "whole.pt"):
        result = invoke("track", path)
        assert result.exit_code == 2
        assert names(result.stderr, "activations", "eigentropy.torch.Monitor", ".npy", "--key")
    torch.save(torch.nn.Linear(3, 4, bias=False).state_dict(), "one.pt")
    said = invoke("measure", "one.pt").stderr
    assert names(said, "warning:", "one.pt", "'weight'", "activations")
    assert invoke("measure", "one.pt:weight").stderr == ""
    np.savez("arrays.npz", hidden=np.eye(3), logits=np.eye(3))
    assert not names(invoke("measure", "arrays.npz").stderr, "activations")


@pytest.mark.parametrize("labels", [[0.0, 1.0, 2.0] * 10, np.arange(30) // 2.0])
def test_floats_are_one_thing_in_python_and_on_the_command_line(here, labels):
    Z, y = np.random.default_rng(0).normal(size=(30, 3)), np.array(labels)
    np.save("z.npy", Z)
    np.save("y.npy", y)
    for kind in ("auto", "labels", "scalars"):
        result = invoke("measure", "z.npy", "--labels", "y.npy", "--kind", kind, "--json")
        document = json.loads(result.stdout)
        (entry,) = document["dsmi"]["labels"]["results"]
        assert entry["value"] == float(eg.dsmi(Z, y, kind=kind))
        said = " ".join(document["warnings"])
        assert names(said, "y.npy", 10, "--kind") == (kind == "auto")


def test_columns_are_chosen_on_the_command_line(here):
    Z = np.random.default_rng(0).normal(size=(30, 3)).round(3)
    lines = [f"{30 - i},{a},{b},{c},t" for i, (a, b, c) in enumerate(Z)]
    (here / "z.csv").write_text("\n".join(["number,a1,a2,b,text", *lines]))
    for command in ("measure", "track"):
        refused = invoke(command, "z.csv")
        assert refused.exit_code == 2
        assert names(refused.stderr, "z.csv", "'text'", "--without")
    kept = json.loads(invoke("measure", "z.csv", "--without", "text", "--json").stdout)
    assert kept["d"] == 4
    assert names(kept["warnings"][0], "'number'", "--columns", "--without")
    for options in (["--columns", "a*,b"], ["--without", "text,number"]):
        document = json.loads(invoke("measure", "z.csv", *options, "--json").stdout)
        assert document["dse"][0]["value"] == float(eg.dse(Z))
        assert document["warnings"] == []
    document = json.loads(invoke("track", "z.csv", "--columns", "a*,b", "--json").stdout)
    assert document["rows"][0]["dse"] == float(eg.dse(Z))

"""The command line on a CUDA device, and what `eigentropy info` says of it."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import eigentropy as eg
from device_arrays import PACKAGE
from eigentropy.cli.commands import app
from messages import names


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def file(tmp_path, rng):
    path = tmp_path / "z.npy"
    np.save(path, rng.normal(size=(60, 3)))
    return path


def cuda_entry():
    document = json.loads(invoke("info", "--json").stdout)
    return document["devices"][1], invoke("info").stdout


def test_measure_and_track_take_a_device(cuda_core, file, tmp_path):
    expected = eg.dse(np.load(file), sigma=1.0)
    done = invoke("measure", file, "--sigma", 1, "--device", "cuda:0", "--json")
    document = json.loads(done.stdout)
    assert document["dse"][0]["value"] == pytest.approx(float(expected), rel=1e-10)
    assert document["settings"]["device"] == "cuda:0"
    output = tmp_path / "run"
    done = invoke("track", file, "--sigma", 1, "--device", "cuda", "-o", output, "--json")
    assert json.loads(done.stdout)["rows"][0]["dse"] == pytest.approx(float(expected), rel=1e-10)


def test_devices_that_cannot_be_used_are_bad_input(fake_core, file):
    for device in ("tpu", "cuda:5"):
        done = invoke("measure", file, "--device", device)
        assert (done.exit_code, done.stdout) == (2, "")
        assert names(done.stderr, f"'{device}'")


def test_a_plugin_that_cannot_be_used_is_bad_input(fake_core, file):
    sys.modules[PACKAGE].__version__ = "0"
    done = invoke("measure", file, "--device", "cuda")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "pip install" in done.stderr


def test_an_error_of_cuda_is_a_failed_computation(fake_core, file):
    def fail(*arguments):
        raise fake_core.DeviceError("cudaMemcpyAsync: an illegal memory access", 700)

    fake_core.spectrum = fail
    done = invoke("measure", file, "--device", "cuda")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "error: cudaMemcpyAsync: an illegal memory access\n"


def test_info_shows_the_plugin_the_driver_and_the_devices(fake_core):
    entry, table = cuda_entry()
    assert entry["available"]
    assert (entry["plugin"], entry["runtime"], entry["driver"]) == (eg.__version__, "13.0", "13.1")
    assert [device["name"] for device in entry["devices"]] == ["Fake", "Fake"]
    assert names(table, "cuda:1", "Fake", "64.0 GiB", 2, "9.0", "13.1")


def test_info_says_why_there_is_no_device(fake_core):
    fake_core.driver_version = lambda: 0
    entry, table = cuda_entry()
    assert not entry["available"]
    assert entry["driver"] is None
    assert names(entry["note"], "NVIDIA", "driver")
    assert names(table, eg.__version__, "13.0", "no driver")


def test_info_says_that_the_plugin_is_not_installed(fake_core, monkeypatch):
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    entry, table = cuda_entry()
    assert not entry["available"]
    assert "make wheel-cuda" in entry["note"]
    assert "eigentropy-cuda13" in table

"""Fixtures that several tests share."""

from __future__ import annotations

import gc
import os
import resource
import sys
from contextlib import contextmanager

# Before NumPy is imported: its threads wait for each other by spinning, which takes a core each
# and makes products of this size no faster. Those of eigentropy are not meant.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest

pytest.register_assert_rewrite("checks")

import device_arrays
import quick
import torchvision_operators
from data_sets import DATA_SETS
from eigentropy._backends import plugin

# The same examples in every run, so that a run tells about the change and nothing else;
# HYPOTHESIS_PROFILE=search looks for new ones. The quick set runs without hypothesis.
try:
    import hypothesis
except ImportError:
    pass
else:
    hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
    hypothesis.settings.register_profile("search", derandomize=False, deadline=None)
    hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

torchvision_operators.install()

LEFT_OUT = pytest.StashKey[dict]()


@pytest.fixture(params=list(DATA_SETS))
def data_set(request):
    """Each data set in turn."""
    return DATA_SETS[request.param](np.random.default_rng(7))


@pytest.fixture
def rng():
    return np.random.default_rng(42)


@pytest.fixture
def full_disk():
    """A context in which no file can be written beyond a number of bytes: what fits is written."""

    @contextmanager
    def full(size):
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    return full


@pytest.fixture
def process_group(tmp_path):
    """A torch.distributed group of this process alone.

    Models that were parallel in it have to be gone before it is: the last of them would end the
    group's threads, and hold the lock of Python that these wait for.
    """
    distributed = pytest.importorskip("torch.distributed", reason="torch is not installed")
    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1
    )
    yield
    gc.collect()
    left = [one for one in gc.get_objects() if type(one).__name__ == "DistributedDataParallel"]
    distributed.destroy_process_group()
    assert not left


def pytest_addoption(parser):
    parser.addoption(
        "--device",
        choices=device_arrays.CHOICES,
        default="auto",
        help="what the tests of CUDA run on: the installed plug-in, on a GPU or emulated, or a "
        "stand-in in NumPy",
    )
    parser.addoption(
        "--quick",
        action="store_true",
        help="only tests that need NumPy and pytest, and that are not marked slow; CUDA is the "
        "stand-in unless --device says otherwise",
    )
    parser.addoption(
        "--beside",
        default="",
        metavar="PACKAGE,...",
        help="with --quick: also tests that need these, such as scipy,sklearn",
    )


def pytest_configure(config):
    device_arrays.choice = config.getoption("--device")
    config.stash[LEFT_OUT] = {}
    if config.getoption("--quick"):
        quick.beside = frozenset(filter(None, config.getoption("--beside").split(",")))
        pytest.importorskip = quick.importorskip
        if device_arrays.choice == "auto":
            device_arrays.choice = "stand-in"
    device_arrays.require_chosen()


def pytest_unconfigure():
    pytest.importorskip = quick.plain_importorskip


def pytest_report_header():
    return f"CUDA: {device_arrays.description()}"


def pytest_ignore_collect(collection_path, config):
    if config.getoption("--quick") and collection_path.suffix == ".py":
        needed = quick.left_out(collection_path)
        if needed:
            config.stash[LEFT_OUT][collection_path] = needed
            return True
    return None


def pytest_collection_modifyitems(config, items):
    if config.getoption("--quick"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)


def pytest_report_collectionfinish(config):
    return [
        f"not quick: {path.relative_to(config.rootpath)} needs {', '.join(needed)}"
        for path, needed in config.stash[LEFT_OUT].items()
        if path.name != "conftest.py"
    ]


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu"):
        reason = device_arrays.why_no_gpu()
        if reason:
            pytest.skip(f"{item.name} needs a GPU: {reason}")


@pytest.fixture
def cuda_core(monkeypatch):
    """The CUDA plug-in as if nothing had used it: the installed one, or else a stand-in."""
    return install(device_arrays.plugin(), monkeypatch)


@pytest.fixture
def fake_core(monkeypatch):
    """The stand-in, for what cannot be seen from outside of a real one."""
    return install(device_arrays.fake_plugin(), monkeypatch)


def install(package, monkeypatch):
    monkeypatch.setitem(sys.modules, device_arrays.PACKAGE, package)
    monkeypatch.setattr(plugin, "_core", None)
    monkeypatch.setattr(plugin, "_process", 0)
    monkeypatch.setattr(plugin, "_devices", [])
    return package._core

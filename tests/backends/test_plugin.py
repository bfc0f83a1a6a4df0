"""Why CUDA cannot be used: each reason has its message, and each message its remedy."""

from __future__ import annotations

import importlib
import multiprocessing
import subprocess
import sys
import types

import numpy as np
import pytest

import eigentropy as eg
from device_arrays import PACKAGE, Foreign
from eigentropy._backends import plugin
from messages import naming

Z = np.random.default_rng(0).normal(size=(20, 3))


@pytest.fixture
def importing(monkeypatch, fake_core):
    """Lets `import eigentropy_cuda13` fail with these errors, one after the other."""
    package = sys.modules[PACKAGE]
    plain, errors = importlib.import_module, []

    def import_module(name, *arguments):
        if name == PACKAGE:
            if errors:
                raise errors.pop(0)
            return package
        return plain(name, *arguments)

    monkeypatch.setattr(plugin.importlib, "import_module", import_module)
    return errors


def missing_library(file):
    return ImportError(f"{file}: cannot open shared object file: No such file or directory")


def test_cpu_users_never_load_the_plugin():
    """Nor does asking which devices are wrong."""
    program = (
        "import sys, numpy as np, eigentropy as eg; Z = np.eye(5)\n"
        "eg.dse(Z); eg.dse(Z, device='cpu')\n"
        "eg.dsmi(Z, [0, 0, 1, 1, 1]); assert 'eigentropy_cuda13' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)


def test_a_plugin_that_is_not_installed_is_named_with_the_command(importing):
    importing.append(ModuleNotFoundError(f"No module named {PACKAGE!r}", name=PACKAGE))
    with pytest.raises(ImportError, match=naming("eigentropy-cuda13", "make wheel-cuda")):
        eg.dse(Z, device="cuda")


def test_a_plugin_of_another_version_is_refused(fake_core):
    sys.modules[PACKAGE].__version__ = "0.0.7"
    with pytest.raises(
        ImportError, match=naming("0.0.7", f"pip install 'eigentropy-cuda13=={eg.__version__}'")
    ):
        eg.dse(Z, device="cuda")


@pytest.mark.parametrize(
    ("file", "wheel"),
    [
        ("libcublas.so.13", "nvidia-cublas"),
        ("libcublasLt.so.13", "nvidia-cublas"),
        ("libcusolver.so.12", "nvidia-cusolver"),
        ("libcusparse.so.12", "nvidia-cusparse"),
        ("libnvJitLink.so.13", "nvidia-nvjitlink"),
    ],
)
def test_a_missing_library_is_named_with_its_wheel(importing, file, wheel):
    importing += [missing_library(file)] * 2
    with pytest.raises(ImportError, match=naming(file, f"pip install {wheel}", "LD_LIBRARY_PATH")):
        eg.dse(Z, device="cuda")


def test_libraries_are_looked_for_with_cuda_pathfinder_first(importing, monkeypatch):
    found = []

    def load(name):
        found.append(name)
        if name == "cusparse":
            raise RuntimeError("not found")

    pathfinder = types.SimpleNamespace(load_nvidia_dynamic_lib=load)
    monkeypatch.setitem(sys.modules, "cuda", types.ModuleType("cuda"))
    monkeypatch.setitem(sys.modules, "cuda.pathfinder", pathfinder)
    importing.append(missing_library("libcusolver.so.12"))
    assert float(eg.dse(Z, device="cuda")) == pytest.approx(float(eg.dse(Z)), rel=1e-10)
    assert found == ["nvJitLink", "cublasLt", "cublas", "cusparse", "cusolver"]


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'eigentropy_cuda13._core'", name=f"{PACKAGE}._core"),
        ImportError("_core.so: undefined symbol: cublasSgemm_v2"),
    ],
)
def test_a_broken_plugin_is_to_be_installed_again(importing, error):
    importing += [error, error]
    with pytest.raises(ImportError, match=naming(error, "pip install --force-reinstall")):
        eg.dse(Z, device="cuda")


def test_no_driver_is_said(fake_core):
    fake_core.driver_version = lambda: 0
    with pytest.raises(eg.DeviceError, match=naming("driver", 580, "device='cpu'")):
        eg.dse(Z, device="cuda")


def test_an_old_driver_is_said_with_both_versions(fake_core):
    fake_core.driver_version = lambda: 12080
    with pytest.raises(eg.DeviceError, match=naming("12.8", "13.0", "driver 580")):
        eg.dse(Z, device="cuda")


@pytest.mark.parametrize(("driver", "works"), [(12090, False), (13000, True), (13020, True)])
def test_a_driver_of_the_same_major_version_is_enough(fake_core, driver, works):
    fake_core.runtime_version = 13010
    fake_core.emulation.set_driver_version(driver)
    if works:
        assert float(eg.dse(Z, device="cuda")) > 0
        return
    with pytest.raises(eg.DeviceError, match=naming("12.9", "13.0", "driver 580")):
        eg.dse(Z, device="cuda")


@pytest.mark.parametrize("array", [Z, Foreign(Z)])
def test_a_gpu_that_is_too_old_is_named_with_what_is_needed(fake_core, array):
    for capability in ((7, 0), (6, 1)):
        fake_core.emulation.set_compute_capability(*capability)
        shown = "{}.{}".format(*capability)
        plugin._core = None  # as in a new process
        with pytest.raises(eg.DeviceError, match=naming("cuda:0 (Fake)", shown, "7.5", "'cpu'")):
            eg.dse(array, device="cuda")
    fake_core.emulation.set_compute_capability(10, 0)
    plugin._core = None
    assert float(eg.dse(array, device="cuda")) > 0


def test_no_device_is_said_in_the_words_of_cuda(fake_core, monkeypatch):
    def devices():
        raise fake_core.DeviceError("no CUDA-capable device is detected", 100)

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    for found in (devices, list):
        fake_core.devices = found
        with pytest.raises(eg.DeviceError, match=naming("CUDA_VISIBLE_DEVICES", "'-1'")):
            eg.dse(Z, device="cuda")


def test_a_device_that_is_not_there_is_named_with_those_that_are(fake_core):
    with pytest.raises(eg.DeviceError, match=naming("'cuda:2'", "cuda:0 (Fake)", "cuda:1")):
        eg.dse(Z, device="cuda:2")


def test_a_device_that_is_hidden_is_said_to_be(fake_core, monkeypatch):
    """Under CUDA_VISIBLE_DEVICES=1 the second device is cuda:0."""
    both = fake_core.devices()
    fake_core.devices = lambda: both[1:]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert float(eg.dse(Z, device="cuda:0")) > 0
    with pytest.raises(eg.DeviceError, match=naming("'cuda:1'", "CUDA_VISIBLE_DEVICES", "'1'")):
        eg.dse(Z, device="cuda:1")


def test_a_failure_is_not_remembered(fake_core):
    """The driver may be there the next time."""
    fake_core.driver_version = lambda: 0
    with pytest.raises(eg.DeviceError):
        eg.dse(Z, device="cuda")
    fake_core.driver_version = lambda: 13000
    assert float(eg.dse(Z, device="cuda")) > 0


def test_an_array_on_a_gpu_asks_for_the_plugin(importing):
    importing.append(ModuleNotFoundError(f"No module named {PACKAGE!r}", name=PACKAGE))
    with pytest.raises(ImportError, match=naming("GPU", "eigentropy-cuda13")):
        eg.dse(Foreign(Z))


def in_child(queue):
    try:
        eg.dse(Z, device="cuda")
    except eg.DeviceError as error:
        queue.put(str(error))
    queue.put("no error")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_use_after_fork_is_refused(cuda_core):
    eg.dse(Z, device="cuda")
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=in_child, args=(queue,))
    child.start()
    assert "forked" in queue.get(timeout=60)
    child.join(60)
    assert float(eg.dse(Z, device="cuda")) > 0  # the parent goes on


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_may_use_what_its_parent_has_not(fake_core):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=60) == "no error"
    child.join(60)

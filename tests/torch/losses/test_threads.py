"""Brief computations on PyTorch's threads: the same numbers, also in a child of fork()."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import eigentropy as eg
from eigentropy import _core
from eigentropy.torch.losses import threads


@pytest.fixture(autouse=True)
def lent_again():
    """Whatever a test does to them, PyTorch's threads are lent afterwards."""
    yield
    threads.borrow()


def test_the_threads_of_this_pytorch_are_found():
    assert threads.entry_of_openmp() != 0
    assert _core.threads_are_lent()  # by the import


def test_the_numbers_are_the_same():
    Z = np.random.default_rng(0).normal(size=(300, 5))
    labels = np.arange(300) % 4
    found = []
    for lend in (threads.borrow, lambda: _core.lend_threads(0)):
        lend()
        S, progress = eg.dse(Z), []
        information = eg.dsmi(Z, labels, progress=progress.append)
        assert progress[-1] == 1.0
        found.append((float(S), S.eigenvalues.tolist(), float(information)))
    assert found[0] == found[1]


def test_errors_come_through():
    core = _core.EntropyGradient("float64")
    core.build(np.random.default_rng(0).normal(size=(100, 50)), 5.0, 0.5, 2)
    with pytest.raises(_core.SolverError, match="positive definite"):
        core.solve(0.0, 0.0, -np.ones(2), np.ones(2), 0.0, 2)


def test_a_mapped_file_may_have_any_name(tmp_path):
    mapped = tmp_path / "maps"
    others = b"7f0-7f1 r--s 0 fd:00 1   /data/caf\xe9.npy\n7f1-7f2 rw-p 0 00:00 0\n"
    mapped.write_bytes(others + b"7f2-7f3 r-xp 0 fd:00 2   /opt/caf\xe9/libtorch_cpu.so\n")
    found = threads.path_of("libtorch_cpu.so", mapped)
    assert os.fsencode(found) == b"/opt/caf\xe9/libtorch_cpu.so"
    assert threads.path_of("libother.so", mapped) == "libother.so"


@pytest.mark.parametrize("case", ["another backend", "no such library", "no such function"])
def test_without_openmp_the_core_has_threads_of_its_own(case, monkeypatch):
    library = threads.LIBRARY
    if case == "another backend":
        monkeypatch.setattr(torch.__config__, "parallel_info", lambda: "native thread pool")
    elif case == "no such library":
        library = "no-such-library.so"
    else:
        library = "libm.so.6"
    assert not threads.borrow(library)
    assert not _core.threads_are_lent()
    assert float(eg.dse(np.random.default_rng(0).normal(size=(200, 3)))) > 0.0


def test_a_child_of_fork_computes():
    """In which PyTorch's threads do not exist: a loop on them would never end."""
    script = """
        import os, numpy as np, torch
        import eigentropy as eg, eigentropy.torch
        Z = np.random.default_rng(0).normal(size=(300, 5))
        torch.rand(1000, 1000) @ torch.rand(1000, 1000)
        expected = float(eg.dse(Z))
        if os.fork() == 0:
            os._exit(0 if float(eg.dse(Z)) == expected else 1)
        print(os.waitstatus_to_exitcode(os.wait()[1]))
    """
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True, text=True, timeout=120, check=True, env=dict(os.environ),
    )  # fmt: skip
    assert found.stdout == "0\n"

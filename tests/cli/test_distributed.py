"""`eigentropy measure --distributed`, as torchrun starts it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

import eigentropy as eg
import rank_tasks

pytest.importorskip("torch.distributed", reason="torch is not installed")


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def command(*arguments, ranks=1, **environment):
    """The command on each rank, with what torchrun tells it."""
    given = {**os.environ, "EIGENTROPY_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", **environment}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "eigentropy", "measure", "--distributed", *arguments],
            env={**given, "RANK": str(rank), "WORLD_SIZE": str(ranks)} if environment else given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(ranks)
    ]
    said = [process.communicate(timeout=120) for process in processes]
    return [(process.returncode, *one) for process, one in zip(processes, said, strict=True)]


def test_ranks_measure_a_file_and_the_first_one_prints(tmp_path):
    Z = rank_tasks.rows()
    np.save(tmp_path / "Z.npy", Z)
    options = ["--json", "--kernel", "--dtype", "float64"]
    first, second = command(
        str(tmp_path / "Z.npy"), *options, ranks=2, MASTER_PORT=str(free_port())
    )
    assert first[0] == second[0] == 0, (first, second)
    assert second[1] == ""
    document = json.loads(first[1])
    assert (document["n"], document["d"]) == Z.shape
    expected = eg.diffusion_spectral_entropy(Z, method="stochastic", dtype="float64")
    assert document["dse"][0]["value"] == pytest.approx(float(expected), rel=1e-12)
    kernel = eg.kernel_entropy(Z, method="stochastic", dtype="float64")
    assert document["kernel_entropy"][0]["value"] == pytest.approx(float(kernel), rel=1e-12)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--labels", "y.npy"], "--labels"),
        (["--max-points", "50"], "--max-points"),
        (["--sampling-error"], "--sampling-error"),
    ],
)
def test_what_needs_all_rows_in_one_process_is_refused(options, named, tmp_path):
    np.save(tmp_path / "Z.npy", rank_tasks.rows())
    ((code, _, error),) = command(str(tmp_path / "Z.npy"), *options)
    assert code == 2
    assert named in error


def test_without_ranks_the_way_to_start_them_is_named(tmp_path):
    np.save(tmp_path / "Z.npy", rank_tasks.rows())
    ((code, _, error),) = command(str(tmp_path / "Z.npy"))
    assert code == 2
    assert "torchrun" in error

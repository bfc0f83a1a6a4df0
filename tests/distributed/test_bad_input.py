"""What is wrong on one rank is said on all, and no rank waits for one that is gone."""

from __future__ import annotations

import pytest

import eigentropy as eg
import rank_tasks
from eigentropy import distributed
from messages import naming
from over_ranks import over_ranks

pytest.importorskip("torch.distributed", reason="torch is not installed")


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    return over_ranks(tmp_path_factory.mktemp("bad"), "rank_tasks:bad", 2)


@pytest.mark.parametrize(
    ("call", "kind", "named"),
    [
        ("nan", "ValueError", ["rank 1", "NaN", "row 5"]),
        ("columns", "ValueError", ["columns of Z", "12", "11", "rank 1"]),
        ("dtype", "ValueError", ["dtype of Z", "float32", "rank 1"]),
        ("sigma", "ValueError", ["sigma", "1.0", "2.0", "rank 1"]),
        ("t", "ValueError", ["rank 1", "t must be", "-1"]),
        ("tol", "ValueError", ["tol", "0.01", "0.005", "rank 1"]),
        ("method", "ValueError", ["method", "exact", "stochastic"]),
        ("device", "ValueError", ["device", "cuda:0", "CPU"]),
        ("empty", "ValueError", ["rank 1", "empty"]),
        ("vectors", "ValueError", ["V must have shape", "rank 0", "rank"]),
        ("width", "ValueError", ["V", "(1,)", "(2,)", "rank 1"]),
    ],
)
def test_every_rank_raises_the_same_and_names_the_rank(refused, call, kind, named):
    for raised, _ in refused:
        name, text = raised[call]
        assert name == kind
        for word in named:
            assert word in text, text


def test_ranks_go_on_after_an_error(refused):
    Z = rank_tasks.rows()
    expected = float(eg.diffusion_spectral_entropy(Z, method="stochastic", dtype="float64"))
    for _, value in refused:
        assert value == pytest.approx(expected, rel=1e-12)


def test_a_rank_that_dies_ends_the_others_with_a_message(tmp_path):
    first, dead, last = over_ranks(tmp_path, "rank_tasks:dies", 3)
    assert dead is None
    for error in (first, last):
        assert isinstance(error, distributed.DistributedError), error
    assert any("rank 1 " in str(error) for error in (first, last))


def test_a_rank_that_hangs_ends_the_others_after_the_timeout(tmp_path):
    first, _ = over_ranks(tmp_path, "rank_tasks:hangs", 2)
    assert isinstance(first, distributed.DistributedError), first
    assert "rank 1 " in str(first)
    assert "3 s" in str(first)


def test_ranks_without_a_group_are_told_to_make_one(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match=naming("process group", "torchrun", "init_process_group")):
        distributed.dse(rank_tasks.rows())

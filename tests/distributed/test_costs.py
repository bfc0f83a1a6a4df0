"""The model of what a product over ranks costs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from eigentropy.distributed.costs import Machine, Product, estimate_seconds
from eigentropy.distributed.ring import meeting, pieces

MACHINE = Machine(rate=1e10, bandwidth=1e9, latency=1e-4)
STORED = Path(__file__).parents[2] / "benchmarks" / "results" / "distributed.json"


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 7])
def test_bytes_and_work_are_what_the_ring_sends_and_computes(ranks):
    n, d, m = 192 * 42, 32, 16
    product = Product(n * ranks, d, m, ranks)
    counts = [n] * ranks
    received, entries = [0.0] * ranks, 0.0
    for rank in range(ranks):
        entries += n**2 / 2
        for step in range(1, ranks // 2 + 1):
            _, own, theirs = meeting(counts, rank, step)
            entries += own.rows * theirs.rows
            # Rows, lengths and vectors come here, and the results of as many rows of its own.
            received[rank] += theirs.rows * (4 * (d + 1 + m) + 8 * m)
    assert product.work * ranks == pytest.approx(entries * (d + 60.0 + 2.0 * m))
    assert product.received == pytest.approx(max(received))


def test_more_ranks_take_less_time_until_the_wire_decides():
    times = [Product(1e5, 64, 32, ranks).seconds(MACHINE) for ranks in (1, 2, 4, 8)]
    assert times == sorted(times, reverse=True)
    slow = replace(MACHINE, bandwidth=1e3)
    assert Product(1e5, 64, 32, 8).seconds(slow) > Product(1e5, 64, 32, 1).seconds(slow)
    assert estimate_seconds(1e5, 64, 4, MACHINE) < estimate_seconds(1e5, 64, 2, MACHINE)


def test_a_rank_has_its_share_of_memory():
    whole, eighth = (Product(1e7, 512, 32, ranks).memory for ranks in (1, 8))
    assert eighth < whole / 7.0


def test_pieces_that_are_counted_are_those_that_are_sent():
    product = Product(40_000, 256, 32, 2)
    own = meeting([20_000, 20_000], 0, 1).theirs
    assert product.messages == 4 * len(pieces(own._replace(end=20_000), 256, "float32"))


def test_the_model_is_near_what_was_measured():
    stored = json.loads(STORED.read_text())["distributed"]
    assert [one["ranks"] for one in stored["model"]] == [1, 2, 3, 4]
    for one in stored["model"]:
        assert one["predicted"] == pytest.approx(one["core_seconds_of_a_rank"], rel=0.25)
    assert stored["speed_by_core_seconds"] >= 0.8

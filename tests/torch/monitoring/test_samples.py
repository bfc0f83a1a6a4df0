"""Which samples a monitor keeps: a random-looking choice that depends on their numbers alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from eigentropy.torch import Evaluation, Monitor, Probe, Reservoir
from eigentropy.torch.monitoring.samples import Samples, priorities
from messages import naming

INTEGERS = st.integers(-(2**63), 2**63 - 1)
SEEDS = st.integers(0, 2**64)
# Few different ones, so that some come twice.
NUMBERS = st.lists(st.one_of(st.integers(0, 20), INTEGERS), max_size=30)


def inverse(mixed, seed):
    """From priorities back to numbers, in Python's integers."""
    start = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
    found = []
    for x in mixed.tolist():
        x = unshifted(x, 31) * pow(0x94D049BB133111EB, -1, 2**64) % 2**64
        x = unshifted(x, 27) * pow(0xBF58476D1CE4E5B9, -1, 2**64) % 2**64
        x = (unshifted(x, 30) - start) % 2**64
        found.append(x - 2**64 if x >= 2**63 else x)
    return found


def unshifted(y, by):
    """The x of y = x ^ (x >> by)."""
    x = y
    for _ in range(64 // by):
        x = y ^ (x >> by)
    return x


@given(st.lists(INTEGERS, max_size=20), SEEDS)
def test_priorities_are_a_bijection(numbers, seed):
    assert inverse(priorities(np.array(numbers, dtype=np.int64), seed), seed) == numbers


def samples(numbers):
    """With rows and labels by which a sample is known again."""
    numbers = np.array(numbers, dtype=np.int64)
    known = numbers.astype(np.float64)
    rows = {"first": np.stack([known, -known], axis=1), "second": known[:, None] + 1.0}
    return Samples(rows, numbers, numbers.copy())


def assert_same(one, other):
    assert one.numbers.tolist() == other.numbers.tolist() == one.labels.tolist()
    assert other.labels.tolist() == one.labels.tolist()
    assert one.rows.keys() == other.rows.keys()
    for name, rows in one.rows.items():
        assert np.array_equal(rows, other.rows[name])


@given(NUMBERS, st.integers(1, 40), SEEDS)
def test_each_sample_stays_once_with_its_rows_and_label(numbers, most, seed):
    left = samples(numbers).distinct(most, seed)
    assert len(left.numbers) == min(most, len(set(numbers)))
    assert set(left.numbers.tolist()) <= set(numbers)
    assert_same(left, samples(sorted(set(left.numbers.tolist()))))


@given(NUMBERS, st.integers(1, 40), SEEDS, st.randoms())
def test_neither_order_nor_repetitions_make_a_difference(numbers, most, seed, random):
    again = numbers + numbers[::2]
    random.shuffle(again)
    assert_same(samples(numbers).distinct(most, seed), samples(again).distinct(most, seed))


@given(NUMBERS, NUMBERS, st.integers(1, 20), SEEDS)
def test_the_sample_of_a_union_is_that_of_the_samples(one, other, most, seed):
    """So processes may choose by themselves what they send."""
    parts = [samples(part).distinct(most, seed).numbers.tolist() for part in (one, other)]
    expected = samples(one + other).distinct(most, seed)
    assert_same(samples(parts[0] + parts[1]).distinct(most, seed), expected)


@given(NUMBERS, SEEDS)
def test_a_smaller_sample_is_part_of_a_larger_one(numbers, seed):
    chosen = [set(samples(numbers).distinct(most, seed).numbers.tolist()) for most in range(1, 12)]
    assert all(a <= b for a, b in pairwise(chosen))


MISSING = [
    ["a", float("nan")] * 3,
    ["a", None] * 3,
    np.array([0.0, np.nan] * 3),
    np.ma.array(np.arange(6), mask=[False, True] * 3),
    np.array([[0.0, 1.0], [np.nan, 1.0]] * 3),
]


@pytest.mark.parametrize("labels", MISSING, ids=["nan", "None", "floats", "masked", "vectors"])
@pytest.mark.parametrize("source", [Evaluation, Reservoir])
def test_missing_labels_of_a_batch_are_refused_with_their_number(source, labels):
    model = torch.nn.Sequential(torch.nn.Linear(4, 3))
    with Monitor(model, ["0"], source(6)) as monitor:
        model.train(source is Reservoir)
        model(torch.zeros(6, 4))
        take = monitor.collect if source is Evaluation else monitor.step
        with pytest.raises(ValueError, match=naming("labels", "3 of its 6", "row 1")):
            take(labels)


def test_a_masked_probe_is_refused():
    x = np.ma.array(np.zeros((6, 4), dtype=np.float32), mask=False)
    x[2, 1] = np.ma.masked
    with pytest.raises(ValueError, match=naming("probe", "1 of its 6", "row 2")):
        Monitor(torch.nn.Sequential(torch.nn.Linear(4, 3)), ["0"], Probe(x)).measure()

"""Differences of the same seeds, and what is said of them."""

from __future__ import annotations

import math

import pytest

from eigentropy.studies import differences
from eigentropy.studies.rows import Cell, StudyRow
from eigentropy.studies.study import Claim
from messages import names

CLAIM = Claim("kind", "text")


def rows(**values):
    """Rows of seeds: s0=(1.0, 2.0) are two of seed 0."""
    return [
        StudyRow(Cell("data", (("number", number),), "name", int(seed[1:])), value, math.nan, 0.0)
        for seed, several in values.items()
        for number, value in enumerate(several)
    ]


def test_seeds_that_both_have_are_paired_by_their_means():
    ours, theirs = rows(s0=[1.0, 3.0], s1=[5.0], s2=[9.0]), rows(s1=[1.0], s0=[0.5], s4=[0.0])
    assert differences.paired(ours, theirs) == [1.5, 4.0]
    assert differences.paired(ours, []) == []


@pytest.mark.parametrize(
    ("values", "sign", "holds"),
    [
        ([1.0, 1.1, 0.9], 1, True),
        ([1.0, 1.1, 0.9], 0, True),
        ([1.0, 1.1, 0.9], -1, False),
        ([-1.0, -1.1, -0.9], -1, True),
        ([-1.0, -1.1, -0.9], 0, True),
        ([5.0, -4.0, 0.1], 1, False),
        ([5.0, -4.0, 0.1], 0, False),
        ([0.0, 0.0], 0, False),
        ([0.0, 0.0], 1, False),
        ([1.0], 1, None),
        ([1.0, math.nan], 1, None),
        ([], 1, None),
    ],
)
def test_the_whole_interval_must_have_the_sign(values, sign, holds):
    assert differences.judged(CLAIM, values, sign).holds is holds


def test_the_mean_and_its_interval_are_told():
    """Student's t of two degrees of freedom: 4.303."""
    finding = differences.judged(CLAIM, [1.0, 2.0, 3.0, math.inf], 1, "+.2f")
    half = 4.303 / math.sqrt(3.0)
    assert names(finding.measured, "+2.00", f"{2 - half:+.2f}", f"{2 + half:+.2f}")

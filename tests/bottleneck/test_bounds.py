"""The bound of Shamir, Sabato and Tishby: its numbers, its rate, and that it holds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from channels import information, random_joint
from eigentropy import bottleneck
from messages import naming


def test_the_numbers_of_one_case():
    n, K, n_y, delta = 1000, 3, 4, 0.1
    spread = math.sqrt(math.log(40.0) / 2000.0)
    bound = bottleneck.sampling_bound(n, K, n_y, delta=delta, base=math.e)
    x = (3 * math.log(1000) + math.log(3)) * spread + 2 / 1000
    y = 11 * math.log(1000) * spread + (5 * 4 - 4) / 1000
    assert bound == pytest.approx((x, y))
    bits = bottleneck.sampling_bound(n, K, n_y, delta=delta)
    assert bits.information_x == pytest.approx(x / math.log(2))


def test_it_grows_with_clusters_and_falls_with_rows_by_one_over_the_root():
    rows = [bottleneck.sampling_bound(n, 4, 10).information_y for n in (10**4, 10**6, 10**8)]
    logs = [math.log(n) for n in (10**4, 10**6, 10**8)]
    assert rows[2] / rows[1] == pytest.approx(0.1 * logs[2] / logs[1], rel=0.01)
    sizes = [bottleneck.sampling_bound(1000, k, 10).information_x for k in (2, 4, 8)]
    assert sizes == sorted(sizes)


def test_it_holds_for_samples_of_a_fixed_encoder():
    rng = np.random.default_rng(0)
    p = random_joint(0, 12, 5)
    encoder = rng.dirichlet(np.ones(3), size=12)
    n = 300
    bound = bottleneck.sampling_bound(n, 3, 5)
    for _ in range(200):
        sample = rng.multinomial(n, p.ravel()).reshape(p.shape) / n
        x, y = (
            abs(f(sample) - f(p))
            for f in (
                lambda q: information(encoder.T * q.sum(axis=1)),
                lambda q: information(encoder.T @ q),
            )
        )
        assert x <= bound.information_x
        assert y <= bound.information_y


@pytest.mark.parametrize(
    ("arguments", "options", "word"),
    [
        ((0, 2, 2), {}, "n"),
        ((10, 0, 2), {}, "n_clusters"),
        ((10, 2, 0), {}, "n_y"),
        ((10, 2, 2), {"delta": 0.0}, "delta"),
        ((10, 2, 2), {"delta": 1.0}, "delta"),
        ((10, 2, 2), {"base": 0.5}, "base"),
    ],
)
def test_what_is_out_of_range_is_refused(arguments, options, word):
    with pytest.raises(ValueError, match=naming(word)):
        bottleneck.sampling_bound(*arguments, **options)

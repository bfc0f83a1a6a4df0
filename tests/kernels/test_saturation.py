"""A sigma so small that every row is a cluster of its own is said to be so, and no other sigma."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

import eigentropy as eg
from data_sets import digits, random_blobs, separated_blobs, swiss_roll
from eigentropy._kernels.saturation import AT_AN_END
from messages import names, naming


@pytest.fixture(scope="module")
def Z():
    return np.random.default_rng(5).normal(size=(300, 8))


@pytest.fixture(scope="module")
def small(Z):
    """S is above 99 % of log n, and a row still gives all others a few hundredths of its weight."""
    return 0.5 * eg.bandwidth(Z)


def labels_of(Z):
    return np.arange(len(Z)) % 3


DOORS = {
    "dse": eg.dse,
    "estimate": lambda Z, **options: eg.dse(Z, method="stochastic", tol=0.05, **options),
    "dsmi": lambda Z, **options: eg.dsmi(Z, labels_of(Z), **options),
    "plain": lambda Z, **options: eg.dsmi(Z, labels_of(Z), estimator="plain", **options),
    "operator": lambda Z, t=1.0, **options: eg.DiffusionOperator(Z, **options).entropy(t),
}


def said(measure, Z, **options):
    """The SaturationWarnings of a call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        measure(Z, **options)
    return [w for w in caught if issubclass(w.category, eg.SaturationWarning)]


@pytest.mark.parametrize("door", DOORS)
def test_a_small_sigma_is_said_once_with_the_remedy(door, Z, small):
    assert float(eg.dse(Z)) < 0.95 * math.log2(300)
    (warning,) = said(DOORS[door], Z, sigma=small)
    text = str(warning.message)
    assert names(text, f"sigma={small:.4g}", "'auto'", f"{eg.bandwidth(Z):.4g}")
    assert warning.filename == __file__


def test_the_threshold_is_99_percent_of_log_n(Z):
    sigmas = eg.bandwidth(Z) * np.linspace(0.4, 0.75, 15)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shares = [float(eg.dse(Z, sigma=sigma)) / math.log2(300) for sigma in sigmas]
    assert min(shares) < 1.0 - AT_AN_END < max(shares)
    warned = [bool(said(eg.dse, Z, sigma=sigma)) for sigma in sigmas]
    assert warned == [share > 1.0 - AT_AN_END for share in shares]


def normal(n, d):
    return lambda rng: rng.normal(size=(n, d))


def sphere(rng):
    rows = rng.normal(size=(300, 128))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


# Of every kind: few rows, few and many dimensions, clusters, heavy tails.
ORDINARY = {
    **{
        f"normal {n} x {d}": normal(n, d)
        for n, d in [(2, 3), (5, 20), (10, 3), (20, 500), (50, 1000), (300, 2), (300, 10),
                     (300, 100), (300, 300), (600, 1000)]
    },
    "digits": lambda _: digits()[0][:400],
    "blobs": lambda _: random_blobs(300, 20),
    "many blobs": lambda _: random_blobs(300, 500, 30),
    "roll": lambda _: swiss_roll(300),
    "line": lambda rng: rng.random((300, 1)),
    "one-hot": lambda _: np.eye(150),
    "heavy tails": lambda rng: rng.standard_t(1.5, size=(300, 20)),
    "activations": lambda rng: np.maximum(rng.normal(size=(300, 512)), 0.0),
    "sphere": sphere,
    "binary": lambda rng: rng.integers(0, 2, size=(300, 64)).astype(float),
}  # fmt: skip


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_data_raise_no_alarm(name):
    Z = ORDINARY[name](np.random.default_rng(7))
    for t in (1e-3, 0.5, 1.0, 10.0):
        assert said(eg.dse, Z, t=t) == []
        if len(Z) >= 20:
            assert said(DOORS["dsmi"], Z, t=t, n_null=2) == []


def test_far_apart_classes_are_no_saturation():
    Z, labels = separated_blobs(100, 20)
    assert said(lambda Z, **options: eg.dsmi(Z, labels, **options), Z, sigma="auto") == []


def test_a_command_and_a_monitor_say_it(Z, small, tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    pytest.importorskip("typer")
    from typer.testing import CliRunner

    from eigentropy.cli.commands import app
    from eigentropy.torch import Monitor

    monkeypatch.chdir(tmp_path)
    np.save("z.npy", Z)
    result = CliRunner().invoke(app, ["measure", "z.npy", "--sigma", f"{small}"])
    assert names(result.stderr, f"sigma={small:.4g}", "'auto'")
    model = torch.nn.Sequential(torch.nn.Identity())
    x = torch.as_tensor(Z)
    with Monitor(model, "0", probe=(x, torch.arange(300) % 3), sigma=small) as monitor:
        with pytest.warns(eg.SaturationWarning, match=naming("'0'", f"sigma={small:.4g}")):
            monitor.step()
        monitor.step()  # once

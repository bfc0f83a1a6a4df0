"""Numbers of any size and type at every option: the right value, or an error that names it."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eigentropy as eg
from eigentropy._measures.measurement import MeasurementSettings
from eigentropy._support.options import (
    LARGEST,
    integer,
    logarithm_base,
    nonnegative,
    positive,
    random_seed,
)
from eigentropy.baselines import binning, ksg, spectral
from messages import names, naming

pytestmark = [
    pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning"),
    pytest.mark.filterwarnings("ignore::eigentropy.PrecisionWarning"),
    pytest.mark.filterwarnings("ignore:.*groups of Y"),
    pytest.mark.filterwarnings("ignore:.*single group"),
]

Z = np.random.default_rng(0).normal(size=(16, 3))
LABELS = np.arange(16) % 2
SCALARS = np.linspace(0.0, 1.0, 16) ** 2

REALS = ["t", "sigma", "alpha", "base", "tol"]
INTEGERS = ["seed", "max_points"]


def of(function, *options, **others):
    """The function of each of these options by itself."""
    return {name: lambda value, name=name: function(**{**others, name: value}) for name in options}


DOORS = {
    "dse": of(lambda **o: eg.dse(Z, **o), *REALS, *INTEGERS),
    "dsmi": of(lambda **o: eg.dsmi(Z, LABELS, **o), *REALS, *INTEGERS, "n_null", n_null=2),
    "scalars": of(lambda **o: eg.dsmi(Z, SCALARS, n_null=2, **o), "n_clusters"),
    "kernel_entropy": of(
        lambda **o: eg.kernel_entropy(Z, **o), "order", "sigma", "base", "tol", *INTEGERS
    ),
    "kernel_information": of(
        lambda **o: eg.kernel_information(Z, LABELS, **{"n_null": 2, **o}),
        "order", "sigma", "base", "tol", *INTEGERS, "n_null",
    ),
    "kernel_information of scalars": of(
        lambda **o: eg.kernel_information(Z, SCALARS, n_null=2, **o), "order", "sigma", "sigma_y"
    ),
    "kernel_entropy.at": of(lambda **o: eg.kernel_entropy(Z).at(**o), "order"),
    "operator": of(lambda **o: eg.DiffusionOperator(Z, **o), "sigma", "alpha", "seed"),
    "map": of(lambda **o: eg.DiffusionOperator(Z).diffusion_map(**o), "k", "t"),
    "at": of(lambda **o: eg.dse(Z).at(**o), "t"),
    "bandwidth": of(lambda **o: eg.bandwidth(Z, **o), "seed"),
    "spectral_entropy": of(lambda **o: eg.spectral_entropy([1, 0.5], **o), "t", "base"),
    "gaussian": of(eg.gaussian_entropy, "n", "d", "sigma", "base", n=9, d=2, sigma=1),
    "gain": of(eg.cluster_gain, "n", "d", "sigma", "k", "base", n=9, d=2, sigma=1, k=2),
    "binning": of(lambda **o: binning.entropy(Z, **o), "bins", "base"),
    "rankme": of(lambda **o: spectral.rankme(Z, **o), "epsilon"),
    "vendi": of(lambda **o: spectral.vendi_score(Z, **o), "order", "sigma", "seed"),
    "ksg": of(lambda **o: ksg.entropy(Z, **o), "k", "jitter", "seed", "base"),
    "settings": of(
        MeasurementSettings, "sigma", "alpha", "base", "tol", "max_points", "n_null",
        "n_clusters", "seed",
    ),
}  # fmt: skip

OPTIONS = [(door, option) for door, options in DOORS.items() for option in options]


def any_integer():
    """Around the limits of every type, and far beyond what a float64 or a text can hold.

    Nothing between: that many partitions might be drawn.
    """
    edges = [2**53, 2**63, 2**64, 10**33, 10**37, 10**40, 10**308, 10**400, 10**5000]
    return st.one_of(
        st.integers(-9, 9),
        st.integers(2**50),
        st.integers(max_value=-1),
        st.builds(
            lambda edge, off, sign: sign * (edge + off),
            st.sampled_from(edges),
            st.integers(-2, 2),
            st.sampled_from([1, -1]),
        ),
    )


def outcome(call, value):
    """The result of a call and None, or None and what it says against the value."""
    try:
        return call(value), None
    except (ValueError, MemoryError) as error:
        return None, str(error)


@pytest.mark.parametrize(("door", "option"), OPTIONS)
@settings(max_examples=25, deadline=None)
@given(value=any_integer())
def test_integers_of_any_size_give_a_value_or_an_error_that_names_the_option(door, option, value):
    result, refusal = outcome(DOORS[door][option], value)
    assert np.isfinite(getattr(result, "value", 0.0))
    assert refusal is None or names(refusal, option)


@pytest.mark.parametrize("method", ["exact", "stochastic"])
def test_a_diffusion_time_of_any_size_is_the_limit(method):
    """Only the first eigenvalue is 1: S falls to 0."""
    rows = np.tile(Z, (20, 1)) + np.arange(320)[:, None] / 1000
    for t in (10**20, 10**37, 10**300):
        assert float(eg.dse(rows, t=t, method=method)) == pytest.approx(0.0, abs=1e-12)
        assert float(eg.dsmi(rows, np.arange(320) % 2, t=t, n_null=2)) == pytest.approx(0.0)


def test_a_width_of_any_size_is_the_limit():
    """All rows are equal to a kernel as wide as that."""
    for sigma in (10**20, 10**33, 10**300):
        assert float(eg.dse(Z, sigma=sigma)) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("value", [2, np.int8(2), np.uint64(2), np.array(2), np.array(2, ">i4")])
def test_integers_are_integers_whatever_their_type(value):
    assert integer(value, "k", at_least=1) == 2
    assert type(integer(value, "k", at_least=1)) is int
    assert positive(value, "t") == 2.0


@pytest.mark.parametrize(
    "value",
    [1.5, Fraction(3, 2), Decimal("1.5"), np.float32(1.5), np.longdouble(1.5), np.array(1.5)],
)
def test_numbers_are_numbers_whatever_their_type(value):
    for check in (positive, nonnegative):
        assert check(value, "t") == 1.5
        assert type(check(value, "t")) is float
    assert logarithm_base(value) == 1.5
    with pytest.raises(TypeError, match=naming("k", "integer")):
        integer(value, "k", at_least=1)
    for options in ({"t": value}, {"sigma": value}, {"base": value}, {"alpha": value}):
        plain = dict.fromkeys(options, 1.5)
        assert float(eg.dse(Z, **options)) == float(eg.dse(Z, **plain))


@pytest.mark.parametrize(
    "value",
    [
        True, np.True_, np.array(True), "1", b"1", np.str_("1"), None, [1], np.array([1]), 1j,
        np.complex128(1), np.array(1j), np.timedelta64(1, "s"), np.datetime64("2026"),
        np.ma.masked, np.ma.array(1, mask=True), Decimal("sNaN"), object(),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_only_looks_like_a_number_is_refused(value):
    for check in (positive, nonnegative):
        with pytest.raises(TypeError, match=naming("t", "number")):
            check(value, "t")
    for check in (random_seed, lambda value, name: integer(value, name, at_least=0)):
        with pytest.raises(TypeError, match=naming("t", "integer")):
            check(value, "t")


def test_scalars_of_torch_are_numbers_and_others_are_refused():
    torch = pytest.importorskip("torch")
    assert integer(torch.tensor(3), "k", at_least=1) == 3
    assert positive(torch.tensor(1.5), "t") == 1.5
    wrong = [torch.tensor(True), torch.tensor(1j), torch.tensor([1.5]), torch.ones(2)]
    for value in wrong:
        with pytest.raises(TypeError, match=naming("t", "number")):
            positive(value, "t")
        with pytest.raises(TypeError, match=naming("k", "integer")):
            integer(value, "k", at_least=1)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, Decimal("Infinity"), -1, 10**400])
def test_numbers_that_are_not_finite_are_refused(value):
    for check in (positive, nonnegative):
        with pytest.raises(ValueError, match=naming("t", "finite")):
            check(value, "t")


def test_a_fraction_of_large_integers_is_what_it_is():
    assert positive(Fraction(10**400, 10**400 - 1), "t") == 1.0
    with pytest.raises(ValueError, match=naming("t", "Fraction")):
        positive(Fraction(10**5000, 3), "t")


def test_results_are_numbers():
    S = eg.dse(Z)
    assert positive(S, "t") == float(S)
    assert float(eg.dse(Z, sigma=S)) == float(eg.dse(Z, sigma=float(S)))


def test_seeds_are_as_large_as_those_of_numpy():
    for seed in (0, LARGEST + 1, 2**128 - 1, 10**40):
        found = eg.dse(np.tile(Z, (9, 1)), seed=seed, max_points=100)
        assert found.seed == seed
        drawn = np.sort(np.random.default_rng(seed).permutation(144)[:100])
        assert float(found) == float(eg.dse(np.tile(Z, (9, 1))[drawn], seed=seed))


def test_more_partitions_than_memory_has_room_for_are_refused():
    with pytest.raises(MemoryError, match=naming("n_null", 10**15)):
        eg.dsmi(Z, LABELS, n_null=10**15)


# Losses of PyTorch, whose options are numbers of Python from then on.


def test_numbers_of_any_type_are_options_of_a_loss():
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("eigentropy.torch.functional")
    loss = functional.diffusion_spectral_entropy
    rows = torch.from_numpy(Z)
    for option in ("t", "sigma", "alpha", "base"):
        expected = float(loss(rows, **{option: 1.5}))
        for value in (Fraction(3, 2), Decimal("1.5"), np.float32(1.5), torch.tensor(1.5)):
            assert float(loss(rows, **{option: value})) == expected


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("method", ["auto", "exact", "stochastic"])
def test_a_loss_takes_numbers_of_any_size(dtype, method):
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("eigentropy.torch.functional")
    loss = functional.diffusion_spectral_entropy
    rows = np.random.default_rng(0).normal(size=(260, 3))
    for options in ({"t": 10**37}, {"t": 1e200}, {"sigma": 10**33}, {"sigma": 1e200}):
        tensor = torch.tensor(rows, dtype=getattr(torch, dtype), requires_grad=True)
        value = loss(tensor, method=method, **options)
        value.backward()
        assert value.item() == pytest.approx(float(eg.dse(rows, **options)), abs=1e-4)
        assert torch.isfinite(tensor.grad).all()
    for options in ({"t": 10**400}, {"sigma": 10**400}, {"seed": 2**63}, {"tol": 10**400}):
        with pytest.raises(ValueError, match=naming(next(iter(options)))):
            loss(tensor, **options)

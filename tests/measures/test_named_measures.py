"""A measure is named, or is a function: what is measured, in which unit, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import eigentropy as eg
from eigentropy._measures.sampling.measures import NAMES, measure_of
from eigentropy.baselines import spectral
from messages import naming

LABELS = np.arange(60) % 3
Z = np.random.default_rng(0).normal(size=(60, 4)) + LABELS[:, None]


@pytest.mark.parametrize("name", ["dse", "kernel_entropy"])
def test_an_entropy_by_its_name_is_the_entropy(name):
    assert float(measure_of(name, options={"sigma": 2.0})(Z)) == getattr(eg, name)(Z, sigma=2.0)


@pytest.mark.parametrize("name", ["dsmi", "kernel_information"])
def test_an_information_by_its_name_and_its_forms(name):
    plain = getattr(eg, name)(Z, LABELS, n_null=3)
    options = {"n_null": 3}
    assert float(measure_of(name, LABELS, options)(Z, LABELS)) == plain
    assert measure_of(f"{name}_adjusted", LABELS, options)(Z, LABELS) == plain.adjusted()


def test_bits_are_bits():
    bits = measure_of("kernel_information_bits", LABELS, {"n_null": 3, "base": 10.0})
    assert bits(Z, LABELS) == eg.kernel_information(Z, LABELS, n_null=3, base=10.0).bits()
    assert bits.base == 2.0


@pytest.mark.parametrize("name", NAMES)
def test_every_name_measures(name):
    Y = None if "entropy" in name or name == "dse" else LABELS
    assert np.isfinite(float(measure_of(name, Y)(Z, Y)))


def test_a_function_of_ours_is_the_measure_of_its_name():
    assert measure_of(eg.dse) == measure_of("dse")
    assert measure_of(eg.dsmi, LABELS).base == 2.0
    assert measure_of(eg.dse, options={"base": 10.0}).base == 10.0


def test_any_function_is_a_measure_and_gets_its_options():
    rankme = measure_of(spectral.rankme, options={"epsilon": 1e-3})
    assert float(rankme(Z)) == float(spectral.rankme(Z, epsilon=1e-3))
    assert (rankme.name, rankme.base, rankme.is_ours) == ("rankme", None, False)
    about = measure_of(lambda Z, Y, scale: scale * len(Z) * len(np.unique(Y)), options={"scale": 2})
    assert about(Z, LABELS) == 2 * 60 * 3


def test_a_function_with_the_name_of_a_measure_is_itself():
    def dse(rows):
        return float(len(rows))

    assert measure_of(dse)(Z) == 60.0
    assert not measure_of(dse).is_ours


def test_options_are_added_where_there_are_none():
    assert measure_of("dse", options={"seed": 3}).with_options(seed=1, t=2.0).options == {
        "seed": 3,
        "t": 2.0,
    }
    assert measure_of(spectral.rankme).with_options(seed=1).options == {}


def test_whether_z_is_square():
    assert measure_of("dse", options={"kernel": "distances"}).is_square
    assert not measure_of("dse").is_square
    assert not measure_of(spectral.rankme, options={"kernel": "distances"}).is_square


@pytest.mark.parametrize(
    ("measure", "Y", "options", "error", "words"),
    [
        ("dsee", None, {}, ValueError, ["measure", "dsee", "dse", "rankme"]),
        (3, None, {}, TypeError, ["measure", "int"]),
        ("dsmi", None, {}, ValueError, ["Y", "dsmi"]),
        ("dse", LABELS, {}, ValueError, ["Y", "dse"]),
        ("dse", None, {"sigam": 1.0}, TypeError, ["dse", "sigam", "sigma"]),
        ("dsmi", LABELS, {"Z": 1.0}, TypeError, ["dsmi", "Z"]),
    ],
)
def test_what_is_no_measure_is_named(measure, Y, options, error, words):
    with pytest.raises(error, match=naming(*words)):
        measure_of(measure, Y, options)


def test_groups_may_stand_for_y():
    groups = measure_of("dsmi", None, {"clusters": LABELS, "n_null": 3})
    assert float(groups(Z)) == eg.dsmi(Z, LABELS, n_null=3)


def test_a_misspelt_name_is_answered_by_the_nearest():
    for name in NAMES:
        with pytest.raises(ValueError, match=rf"{name[:-1]}x\W.*'{name}'\W*$"):
            measure_of(f"{name[:-1]}x")

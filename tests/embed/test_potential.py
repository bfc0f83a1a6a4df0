"""PHATE and M-PHATE: against the libraries, and what they do with units."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

library = pytest.importorskip("phate")

from scipy.spatial.distance import pdist

from eigentropy import embed
from eigentropy.embed import potential
from eigentropy.embed.multislice import KernelSettings, kernel_of
from eigentropy.embed.units import z_scores
from messages import naming


def moving(epochs=4, units=12, samples=40, seed=0, pace=0.5):
    random = np.random.default_rng(seed)
    steps = pace * random.normal(size=(epochs, units, samples))
    return random.normal(size=(units, samples)) + np.cumsum(steps, axis=0)


def fitted(units, **options):
    """The library's object for the multislice kernel, as mphate makes it."""
    chosen = {"n_components": 2, "t": "auto", "gamma": 0.0, "n_landmark": None, **options}
    scores = z_scores(units)
    settings = KernelSettings.checked(scores.shape, None, 5.0, None, 1e-4)
    n = scores.shape[0] * scores.shape[1]
    drawing = potential.Drawing.checked(n, **chosen, mds_solver="sgd", seed=0)
    return drawing.fitted_kernel(library, kernel_of(scores, settings), settings)


@pytest.mark.filterwarnings("ignore:Call to deprecated method:DeprecationWarning")  # of m-phate
@pytest.mark.parametrize(("gamma", "t"), [(0.0, "auto"), (1.0, 7), (0.5, 3)])
def test_potential_distances_and_the_time_are_those_of_m_phate(gamma, t):
    m_phate = pytest.importorskip("m_phate")
    units = moving(epochs=27, units=9)
    theirs = m_phate.M_PHATE(n_landmark=None, gamma=gamma, t=t, verbose=0, n_jobs=1, random_state=0)
    theirs.fit_transform(units)
    ours = fitted(units, gamma=gamma, t=t)
    ours.transform()
    assert ours.t == (theirs.optimal_t if t == "auto" else t)
    expected = pdist(theirs.diff_potential)
    np.testing.assert_allclose(pdist(ours.diff_potential), expected, atol=1e-12 * expected.max())


def test_entropies_of_a_diffusion_are_those_of_the_library():
    P = fitted(moving()).diff_op
    expected = library.vne.compute_von_neumann_entropy(P)
    np.testing.assert_allclose(potential.von_neumann_entropies(P), expected, atol=1e-9)


def test_phate_is_the_library(rng):
    Z = rng.normal(size=(60, 5))
    plain = library.PHATE(n_components=3, t=9, knn=4, decay=20, random_state=1, verbose=0)
    found = embed.phate(Z, n_components=3, t=9, knn=4, decay=20, seed=1)
    assert found.shape == (60, 3)
    np.testing.assert_allclose(found, plain.fit_transform(Z), atol=1e-12)


@pytest.mark.parametrize("n_landmark", [None, 30])
def test_an_embedding_has_a_place_for_each_unit_at_each_epoch(n_landmark):
    units = moving(epochs=5, units=30)
    found = embed.mphate(units, n_components=3, n_landmark=n_landmark)
    assert found.coordinates.shape == (5, 30, 3)
    assert np.isfinite(found.coordinates).all()
    assert found.n_landmark == n_landmark
    assert found.kernel == KernelSettings(2, 5.0, 4, 1e-4)
    again = embed.mphate(units, n_components=3, n_landmark=n_landmark)
    np.testing.assert_array_equal(again.coordinates, found.coordinates)


def test_units_that_answer_alike_are_drawn_together():
    units = np.concatenate([moving(pace=0.05, seed=s)[:, :1] for s in (1, 2)], axis=1)
    rng = np.random.default_rng(0)
    units = np.repeat(units, 6, axis=1) + 0.2 * rng.normal(size=(4, 12, 40))
    with pytest.warns(UserWarning, match=naming("disconnected")):
        places = embed.mphate(units).coordinates
    centres = [places[:, :6].mean(axis=(0, 1)), places[:, 6:].mean(axis=(0, 1))]
    apart = np.linalg.norm(centres[0] - centres[1])
    assert apart > 2.0 * np.linalg.norm(places[:, :6] - centres[0], axis=2).mean()


def test_one_epoch_and_two_units_are_drawn():
    assert embed.mphate(moving(epochs=1)).coordinates.shape == (1, 12, 2)
    assert embed.mphate(moving(units=2)).coordinates.shape == (4, 2, 2)


def test_constant_units_are_drawn_and_counted():
    units = moving()
    units[:, 3] = 0.0
    with pytest.warns(UserWarning, match=naming("units", 1, 12)):
        assert np.isfinite(embed.mphate(units).coordinates).all()


def test_one_epoch_of_two_units_is_too_few():
    with pytest.raises(ValueError, match=naming(3, 2)):
        embed.mphate(moving(epochs=1, units=2))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"t": "atuo"}, ValueError, ("t", "auto")),
        ({"t": 0}, ValueError, ("t",)),
        ({"t": 2.5}, TypeError, ("t",)),
        ({"n_components": 0}, ValueError, ("n_components",)),
        ({"n_components": 48}, ValueError, ("n_components", 47)),
        ({"gamma": 2.0}, ValueError, ("gamma", -1, 1)),
        ({"gamma": float("nan")}, ValueError, ("gamma",)),
        ({"n_landmark": 2}, ValueError, ("n_landmark",)),
        ({"mds_solver": "SGD"}, ValueError, ("mds_solver", "sgd")),
        ({"seed": -1}, ValueError, ("seed",)),
        ({"nlandmark": 4}, TypeError, ("n_landmark",)),
    ],
)
def test_options_out_of_range_are_refused_by_both(options, error, words):
    units = moving()
    with pytest.raises(error, match=naming(*words)):
        embed.mphate(units, **options)
    with pytest.raises(error, match=naming(*words)):
        embed.phate(units.reshape(48, 40), **options)


@pytest.mark.parametrize("options", [{"knn": 47}, {"knn": 0}, {"decay": 0.0}])
def test_phate_refuses_neighbours_that_are_not_there(options):
    with pytest.raises(ValueError, match=naming(*options)):
        embed.phate(moving().reshape(48, 40), **options)


def test_nan_is_refused():
    with pytest.raises(ValueError, match=naming("Z", "NaN", 1, 48)):
        embed.phate(np.where(np.arange(48)[:, None] == 5, np.nan, moving().reshape(48, 40)))


def test_equal_rows_have_no_picture():
    with pytest.raises(ValueError, match=naming("Z", 48)):
        embed.phate(np.ones((48, 3)))


def test_gamma_may_be_a_number_of_numpy():
    units = moving()
    one, same = (embed.mphate(units, t=2, gamma=gamma) for gamma in (0.5, np.float32(0.5)))
    assert np.array_equal(one.coordinates, same.coordinates)


@pytest.mark.parametrize("call", ["mphate(units)", "phate(units[0])"])
def test_without_phate_the_extra_and_its_licence_are_named(call):
    code = (
        "import sys; sys.modules['phate'] = None; import numpy as np\n"
        "from eigentropy import embed; units = np.random.default_rng(0).normal(size=(2, 9, 8))\n"
        f"try: embed.{call}\n"
        "except ImportError as error: print(error)"
    )
    alone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "eigentropy[embed]" in alone.stdout
    assert "GPL" in alone.stdout

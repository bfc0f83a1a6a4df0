"""The multislice kernel: against its definition in plain NumPy, against m-phate, and by itself."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

hypothesis = pytest.importorskip("hypothesis")
pytest.importorskip("scipy")

from hypothesis import given, settings
from hypothesis import strategies as st

from eigentropy import embed, reference
from eigentropy.embed.multislice import transition
from messages import naming


def moving(epochs=5, units=6, samples=30, seed=0, pace=0.5):
    """Units that walk at random over the epochs."""
    random = np.random.default_rng(seed)
    steps = pace * random.normal(size=(epochs, units, samples))
    return random.normal(size=(units, samples)) + np.cumsum(steps, axis=0)


@pytest.mark.parametrize("threshold", [0.0, 1e-4, 0.2])
@pytest.mark.parametrize("shape", [(5, 6, 30), (2, 2, 7), (1, 9, 13), (7, 3, 2)])
def test_the_kernel_is_its_definition(shape, threshold):
    units = moving(*shape)
    knn, interslice_knn = min(2, shape[1] - 1), min(3, shape[0] - 1)
    chosen = {"interslice_knn": interslice_knn} if interslice_knn else {}
    found = embed.multislice_kernel(units, knn=knn, decay=5.0, threshold=threshold, **chosen)
    expected = reference.multislice_kernel(units, knn, 5.0, interslice_knn, threshold)
    np.testing.assert_allclose(found.toarray(), expected, rtol=0.0, atol=1e-12)


@given(
    seed=st.integers(0, 999), epochs=st.integers(1, 5), units=st.integers(2, 7),
    samples=st.integers(2, 12), decay=st.sampled_from([1.0, 2.0, 5.0, 40.0]), data=st.data(),
)  # fmt: skip
@settings(deadline=None, max_examples=50)
def test_the_kernel_is_its_definition_for_all_options(seed, epochs, units, samples, decay, data):
    knn = data.draw(st.integers(1, units - 1))
    interslice_knn = data.draw(st.integers(1, epochs - 1)) if epochs > 1 else 0
    activations = moving(epochs, units, samples, seed)
    found = embed.multislice_kernel(
        activations, knn=knn, decay=decay, interslice_knn=interslice_knn or None, threshold=0.0
    ).toarray()
    expected = reference.multislice_kernel(activations, knn, decay, interslice_knn)
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("shape", [(28, 7, 60), (27, 12, 99)])
def test_the_kernel_is_that_of_m_phate(shape):
    theirs = pytest.importorskip("m_phate.kernel")
    utils = pytest.importorskip("m_phate.utils")
    units = moving(*shape, pace=0.2)
    expected = theirs.multislice_kernel(utils.normalize(units), n_jobs=1).toarray()
    expected[expected < 1e-4] = 0.0  # which its graph does
    found = embed.multislice_kernel(units).toarray()
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-13)


@given(seed=st.integers(0, 99), pace=st.sampled_from([0.01, 0.5, 3.0]))
@settings(deadline=None, max_examples=20)
def test_the_kernel_is_symmetric_with_ones_on_its_diagonal(seed, pace):
    kernel = embed.multislice_kernel(moving(seed=seed, pace=pace))
    assert (kernel != kernel.T).nnz == 0
    np.testing.assert_array_equal(kernel.diagonal(), 1.0)
    assert kernel.data.min() > 0.0
    assert kernel.data.max() <= 1.0
    np.testing.assert_allclose(transition(kernel).sum(axis=1), 1.0, rtol=1e-14)


@given(seed=st.integers(0, 99))
@settings(deadline=None, max_examples=20)
def test_permuted_epochs_and_units_permute_the_kernel(seed):
    units = moving(seed=seed)
    random = np.random.default_rng(seed)
    epochs, own = random.permutation(5), random.permutation(6)
    order = (epochs[:, None] * 6 + own).ravel()
    kernel = embed.multislice_kernel(units).toarray()
    permuted = embed.multislice_kernel(units[epochs][:, own]).toarray()
    np.testing.assert_allclose(permuted, kernel[np.ix_(order, order)], rtol=0.0, atol=1e-13)


def test_permuted_samples_change_nothing(rng):
    units = moving()
    permuted = embed.multislice_kernel(units[:, :, rng.permutation(30)]).toarray()
    np.testing.assert_allclose(permuted, embed.multislice_kernel(units).toarray(), atol=1e-13)


def test_different_units_at_different_epochs_are_not_joined():
    kernel = embed.multislice_kernel(moving(), threshold=0.0).toarray().reshape(5, 6, 5, 6)
    for one in range(5):
        for other in set(range(5)) - {one}:
            between = kernel[one, :, other]
            assert np.count_nonzero(between) == np.count_nonzero(np.diag(between)) == 6


def test_one_epoch_has_neighbours_within_it_only():
    units = moving(epochs=1)
    kernel = embed.multislice_kernel(units).toarray()
    np.testing.assert_array_equal(kernel, embed.multislice_kernel(units, knn=2).toarray())
    assert kernel.shape == (6, 6)


def test_constant_units_are_one_point_at_the_origin():
    units = moving()
    units[:, 1] = units[:, 4] = 2.0
    with pytest.warns(UserWarning, match=naming("units", 2, 6)):
        kernel = embed.multislice_kernel(units, knn=1).toarray().reshape(5, 6, 5, 6)
    np.testing.assert_array_equal(kernel[:, 1, :, 1], 1.0)  # it does not move
    np.testing.assert_array_equal(kernel[range(5), 1, range(5), 4], 1.0)
    assert np.isfinite(kernel).all()


def test_copies_of_a_unit_have_no_width_and_are_joined():
    units = np.repeat(moving(units=2), 3, axis=1)
    kernel = embed.multislice_kernel(units, knn=2).toarray().reshape(5, 6, 5, 6)
    np.testing.assert_array_equal(kernel[0, :3, 0, :3], 1.0)
    np.testing.assert_array_equal(kernel[0, :3, 0, 3:], 0.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"knn": 6}, ("knn=6", 7, 6)),
        ({"knn": 0}, ("knn",)),
        ({"interslice_knn": 5}, ("interslice_knn=5", 6, 5)),
        ({"decay": 0.0}, ("decay",)),
        ({"threshold": -0.1}, ("threshold",)),
        ({"threshold": 1.5}, ("threshold",)),
    ],
)
def test_options_out_of_range_are_refused(options, words):
    with pytest.raises(ValueError, match=naming(*words)):
        embed.multislice_kernel(moving(), **options)


def test_an_unknown_option_is_answered_by_the_nearest():
    with pytest.raises(TypeError, match=naming("interslice_knn")):
        embed.multislice_kernel(moving(), interslice_k=3)


def test_without_scipy_the_extra_is_named():
    code = (
        "import sys; sys.modules['scipy'] = None; import numpy as np\n"
        "from eigentropy import embed\n"
        "try: embed.multislice_kernel(np.random.default_rng(0).normal(size=(2, 3, 4)))\n"
        "except ImportError as error: print(error)"
    )
    alone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "eigentropy[embed]" in alone.stdout

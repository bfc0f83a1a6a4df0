"""eigvalsh: all eigenvalues of symmetric matrices."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import eigentropy as eg
from eigentropy import _core

REDUCTIONS = ["auto", "one-stage", "two-stage", "lapack"]


def symmetric(rng, *shape, dtype=np.float64):
    A = rng.normal(size=(*shape, shape[-1]))
    return (A + A.swapaxes(-1, -2)).astype(dtype)


def with_spectrum(values, rng, dtype=np.float64):
    Q, _ = np.linalg.qr(rng.normal(size=(len(values), len(values))))
    return ((Q * values) @ Q.T).astype(dtype)


def assert_spectrum(values, expected, dtype=np.float64):
    """Within n eps |A|, and descending; NaN fails."""
    expected = np.sort(np.asarray(expected, dtype=np.float64), axis=-1)[..., ::-1]
    assert values.shape == expected.shape
    assert values.dtype == dtype
    assert np.all(values[..., :-1] >= values[..., 1:])
    tolerance = (values.shape[-1] + 20) * np.finfo(dtype).eps * np.abs(expected).max()
    error = np.abs(values - expected).max()
    assert error <= tolerance


@pytest.mark.parametrize("n", [1, 2, 61, 255, 257, 499, 501, 1000, 1501])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_random_matrix_has_the_eigenvalues_of_numpy(n, dtype, rng):
    A = symmetric(rng, n, dtype=dtype)
    expected = np.linalg.eigvalsh(A.astype(np.float64))
    assert_spectrum(eg.eigvalsh(A), expected, dtype)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 700),
    st.sampled_from(["uniform", "geometric", "two levels", "rank one", "indefinite", "zero"]),
    st.floats(-200, 200),
    st.integers(0, 2**32 - 1),
)
def test_any_prescribed_spectrum_comes_back(n, kind, exponent, seed):
    rng = np.random.default_rng(seed)
    values = {
        "uniform": rng.uniform(size=n),
        "geometric": 0.8 ** np.arange(n),
        "two levels": rng.integers(0, 2, size=n).astype(float),
        "rank one": np.eye(1, n)[0],
        "indefinite": rng.normal(size=n),
        "zero": np.zeros(n),
    }[kind] * 10.0**exponent
    assert_spectrum(eg.eigvalsh(with_spectrum(values, rng)), values)


@pytest.mark.parametrize("n", [2, 300, 1100])
@pytest.mark.parametrize(
    ("dtype", "scale"),
    [(np.float64, 1e300), (np.float64, 1e-300), (np.float32, 1e36), (np.float32, 1e-36)],
)
def test_extreme_scales_neither_overflow_nor_vanish(n, dtype, scale, rng):
    A = symmetric(rng, n) / n
    expected = np.linalg.eigvalsh(A)
    for overwrite in (False, True):
        values = eg.eigvalsh((A * scale).astype(dtype), overwrite=overwrite)
        assert_spectrum((values.astype(np.float64) / scale).astype(dtype), expected, dtype)


def test_a_subnormal_matrix_is_scaled_without_overflow():
    smallest = np.finfo(np.float64).smallest_subnormal
    assert eg.eigvalsh([[smallest, 0], [0, 0]]).tolist() == [smallest, 0.0]


@pytest.mark.parametrize("n", [5, 300, 1100])
@pytest.mark.parametrize("overwrite", [False, True])
def test_only_the_upper_triangle_is_used(n, overwrite, rng):
    A = symmetric(rng, n)
    expected = np.linalg.eigvalsh(A)
    A[np.tril_indices(n, -1)] = np.nan
    assert_spectrum(eg.eigvalsh(A, overwrite=overwrite), expected)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_every_reduction_gives_the_same_spectrum(reduction, rng):
    A = symmetric(rng, 2, 601)
    values = _core.symmetric_eigenvalues(A, reduction)
    assert_spectrum(values[1], np.linalg.eigvalsh(A[1]))
    with pytest.raises(ValueError, match="reduction must be"):
        _core.symmetric_eigenvalues(A, "no-stage")


@pytest.mark.parametrize("shape", [(7, 40, 40), (2, 3, 11, 11), (1, 9, 9), (3, 1600, 1600)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_stack_has_the_spectrum_of_each_matrix(shape, dtype, rng):
    A = symmetric(rng, *shape[:-1], dtype=dtype)
    values = eg.eigvalsh(A)
    assert values.shape == shape[:-1]
    for index in np.ndindex(shape[:-2]):
        assert_spectrum(values[index], np.linalg.eigvalsh(A[index].astype(np.float64)), dtype)


def test_a_stack_and_its_matrices_alone_agree_for_every_number_of_threads(rng):
    A = symmetric(rng, 5, 120)
    threads = _core.thread_count()
    try:
        results = []
        for count in (1, 2, 3):
            _core.set_thread_count(count)
            results.append(eg.eigvalsh(A).tobytes())
    finally:
        _core.set_thread_count(threads)
    assert len(set(results)) == 1
    assert np.allclose(eg.eigvalsh(A)[3], eg.eigvalsh(A[3]), rtol=0, atol=1e-12)


def test_any_memory_layout_is_read(rng):
    A = symmetric(rng, 130)
    A[np.tril_indices(130, -1)] = 0.0  # which triangle is read shows
    expected = eg.eigvalsh(A)
    wide = np.zeros((260, 390))
    wide[::2, ::3] = A
    for view in (np.asfortranarray(A), wide[::2, ::3], A[::-1, ::-1][::-1, ::-1]):
        assert eg.eigvalsh(view).tobytes() == expected.tobytes()


@pytest.mark.parametrize("n", [40, 1100])
def test_the_matrix_is_kept_unless_it_may_be_overwritten(n, rng):
    A = symmetric(rng, n)
    before = A.copy()
    expected = eg.eigvalsh(A)
    assert np.array_equal(A, before)
    A.flags.writeable = False
    assert eg.eigvalsh(A, overwrite=True).tobytes() == expected.tobytes()
    assert np.array_equal(A, before)
    transposed = np.asfortranarray(before)
    assert_spectrum(eg.eigvalsh(transposed, overwrite=True), np.linalg.eigvalsh(before))


def test_overwriting_destroys_a_large_matrix_and_gives_the_same_bits(rng):
    A = symmetric(rng, 1100)
    wide = np.zeros((1100, 1200))
    wide[:, :1100] = A
    before = A.copy()
    expected = eg.eigvalsh(A)
    assert eg.eigvalsh(A, overwrite=True).tobytes() == expected.tobytes()
    assert not np.array_equal(A, before)
    assert eg.eigvalsh(wide[:, :1100], overwrite=True).tobytes() == expected.tobytes()
    assert not wide[:, 1100:].any()


@pytest.mark.parametrize(
    ("given_dtype", "solved_in"),
    [(np.float16, np.float32), (np.int32, np.float64), (bool, np.float64), (">f4", np.float32)],
)
def test_other_types_become_floats(given_dtype, solved_in):
    values = eg.eigvalsh(np.array([[0, 1], [1, 0]]).astype(given_dtype))
    assert values.dtype == solved_in
    assert values == pytest.approx([1.0, -1.0])


def test_torch_tensors_and_lists_are_read():
    assert_spectrum(eg.eigvalsh(torch.eye(3, dtype=torch.bfloat16)), np.ones(3), np.float32)
    assert eg.eigvalsh([[3.0]]).tolist() == [3.0]


def test_progress_rises_to_1(rng):
    for A in (symmetric(rng, 1600), symmetric(rng, 40, 100)):
        for overwrite in (False, True):
            seen = []
            eg.eigvalsh(A.copy(), overwrite=overwrite, progress=seen.append)
            assert seen == sorted(seen)
            assert seen[-1] == 1.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n", [9, 1100])
def test_a_nonfinite_entry_is_named_and_nothing_is_overwritten(bad, n, rng):
    A = symmetric(rng, n)
    A[n - 1, n - 1] = A[3, n - 2] = A[5, 6] = bad
    before = A.copy()
    for overwrite in (False, True):
        with pytest.raises(ValueError, match=r"NaN or infinity in the upper triangle; .* row 3$"):
            eg.eigvalsh(A, overwrite=overwrite)
        assert np.array_equal(A, before, equal_nan=True)
    with pytest.raises(ValueError, match=r"matrix 1: A has NaN.*; the first is in row 3"):
        eg.eigvalsh(np.stack([np.eye(n), A, A]))


@pytest.mark.parametrize(
    ("A", "error", "message"),
    [
        (np.zeros(3), ValueError, r"A must have shape \(n, n\) or \(\.\.\., n, n\), got \(3,\)"),
        (1.0, ValueError, r"got \(\)"),
        (np.zeros((2, 3)), ValueError, r"got \(2, 3\)"),
        (np.zeros((3, 2, 3)), ValueError, r"got \(3, 2, 3\)"),
        (np.zeros((0, 0)), ValueError, r"A is empty: its shape is \(0, 0\)"),
        (np.zeros((0, 4, 4)), ValueError, r"A is empty: its shape is \(0, 4, 4\)"),
        (np.eye(2) * 1j, TypeError, r"A is complex \(complex128\)"),
        ([["a"]], TypeError, "A must hold numbers"),
        ([[1.0, 2.0], [1.0]], ValueError, "A is not a rectangular array"),
    ],
)
def test_bad_matrices_are_named(A, error, message):
    with pytest.raises(error, match=message):
        eg.eigvalsh(A)


def test_a_copy_that_does_not_fit_is_refused_before_it_is_made(monkeypatch):
    from eigentropy._support import memory

    monkeypatch.setattr(memory, "available", lambda: 8.0 * 1500 * 1000)
    A = np.eye(1500)
    with pytest.raises(MemoryError, match=r"1500 x 1500 matrix.*overwrite=True"):
        eg.eigvalsh(A)
    assert_spectrum(eg.eigvalsh(A, overwrite=True), np.ones(1500))

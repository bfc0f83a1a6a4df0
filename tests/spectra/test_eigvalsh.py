"""eigvalsh: all eigenvalues of symmetric matrices."""

from __future__ import annotations

import numpy as np
import pytest

import eigentropy as eg
from checks import assert_spectrum
from eigentropy import _core
from messages import naming

REDUCTIONS = ["auto", "one-stage", "two-stage", "lapack"]


def symmetric(rng, *shape, dtype=np.float64):
    A = rng.normal(size=(*shape, shape[-1]))
    return (A + A.swapaxes(-1, -2)).astype(dtype)


@pytest.mark.parametrize("n", [1, 2, 61, 127, 129, 255, 257, 499, 501, 1025])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_random_matrix_has_the_eigenvalues_of_numpy(n, dtype, rng):
    A = symmetric(rng, n, dtype=dtype)
    expected = np.linalg.eigvalsh(A.astype(np.float64))
    assert_spectrum(eg.eigvalsh(A), expected, dtype)


@pytest.mark.parametrize("n", [2, 300, 1010])
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


@pytest.mark.parametrize("n", [5, 300, 1010])
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
    with pytest.raises(ValueError, match=naming("reduction", *REDUCTIONS)):
        _core.symmetric_eigenvalues(A, "no-stage")


@pytest.mark.parametrize("shape", [(7, 40, 40), (2, 3, 11, 11), (1, 9, 9), (2, 1510, 1510)])
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


@pytest.mark.parametrize("n", [1, 5, 50, 128, 129])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_matrix_of_a_stack_has_its_spectrum_whatever_is_beside_it(n, dtype, rng):
    A = symmetric(rng, 70, n, dtype=dtype)
    A[3], A[11], A[-1] = 0, np.eye(n), 1e-30 * A[-1]
    values = eg.eigvalsh(A)
    for index in (0, 3, 11, 42, 68):
        assert_spectrum(values[index], np.linalg.eigvalsh(A[index].astype(np.float64)), dtype)
    assert_spectrum(
        (values[-1].astype(np.float64) * 1e30).astype(dtype),
        np.linalg.eigvalsh(A[-1].astype(np.float64) * 1e30),
        dtype,
    )
    order = rng.permutation(70)
    assert eg.eigvalsh(A[order]).tobytes() == values[order].tobytes()


def test_the_first_matrix_of_a_stack_that_is_not_finite_is_named(rng):
    A = symmetric(rng, 60, 30)
    A[50, 2, 3] = np.inf
    A[17, 4, 29] = np.nan
    with pytest.raises(ValueError, match=r"matrix 17\b.*row 4\b"):
        eg.eigvalsh(A)


def test_any_memory_layout_is_read(rng):
    A = symmetric(rng, 130)
    A[np.tril_indices(130, -1)] = 0.0  # which triangle is read shows
    expected = eg.eigvalsh(A)
    wide = np.zeros((260, 390))
    wide[::2, ::3] = A
    for view in (np.asfortranarray(A), wide[::2, ::3], A[::-1, ::-1][::-1, ::-1]):
        assert eg.eigvalsh(view).tobytes() == expected.tobytes()


@pytest.mark.parametrize("n", [40, 1010])
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


def test_lists_are_read():
    assert eg.eigvalsh([[3.0]]).tolist() == [3.0]


def test_tensors_of_torch_are_read():
    torch = pytest.importorskip("torch")
    assert_spectrum(eg.eigvalsh(torch.eye(3, dtype=torch.bfloat16)), np.ones(3), np.float32)


def test_progress_rises_to_1(rng):
    for A in (symmetric(rng, 1510), symmetric(rng, 40, 100)):
        for overwrite in (False, True):
            seen = []
            eg.eigvalsh(A.copy(), overwrite=overwrite, progress=seen.append)
            assert seen == sorted(seen)
            assert seen[-1] == 1.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n", [9, 1010])
def test_a_nonfinite_entry_is_named_and_nothing_is_overwritten(bad, n, rng):
    A = symmetric(rng, n)
    A[n - 1, n - 1] = A[3, n - 2] = A[5, 6] = bad
    before = A.copy()
    for overwrite in (False, True):
        with pytest.raises(ValueError, match=naming("A", "NaN", "row 3")):
            eg.eigvalsh(A, overwrite=overwrite)
        assert np.array_equal(A, before, equal_nan=True)
    with pytest.raises(ValueError, match=naming("matrix 1", "A", "NaN", "row 3")):
        eg.eigvalsh(np.stack([np.eye(n), A, A]))


@pytest.mark.parametrize(
    ("A", "error", "named"),
    [
        (np.zeros(3), ValueError, ["(n, n)", "(..., n, n)", "(3,)"]),
        (1.0, ValueError, ["()"]),
        (np.zeros((2, 3)), ValueError, ["(2, 3)"]),
        (np.zeros((3, 2, 3)), ValueError, ["(3, 2, 3)"]),
        (np.zeros((0, 0)), ValueError, ["(0, 0)"]),
        (np.zeros((0, 4, 4)), ValueError, ["(0, 4, 4)"]),
        (np.eye(2) * 1j, TypeError, ["complex128"]),
        ([["a"]], TypeError, ["<U1"]),
        ([[1.0, 2.0], [1.0]], ValueError, ["rectangular"]),
    ],
)
def test_bad_matrices_are_named(A, error, named):
    with pytest.raises(error, match=naming("A", *named)):
        eg.eigvalsh(A)


def test_a_copy_that_does_not_fit_is_refused_before_it_is_made(monkeypatch):
    from eigentropy._support import memory

    monkeypatch.setattr(memory, "available", lambda: 8.0 * 1500 * 1000)
    A = np.eye(1500)
    with pytest.raises(MemoryError, match=naming("1500 x 1500", "overwrite=True")):
        eg.eigvalsh(A)
    assert_spectrum(eg.eigvalsh(A, overwrite=True), np.ones(1500))

"""What is masked, missing or imaginary is refused at every door, and never lost."""

from __future__ import annotations

import pathlib

import numpy as np
import numpy.lib.recfunctions
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import eigentropy as eg
from eigentropy.baselines import binning, ksg, spectral
from messages import naming

LABELS = np.arange(12) % 3

ROWS = {
    "dse": eg.dse,
    "dsmi": lambda Z: eg.dsmi(Z, LABELS, n_null=2),
    "dsmi of a sample": lambda Z: eg.dsmi(Z, LABELS, n_null=2, max_points=8),
    "kernel_entropy": eg.kernel_entropy,
    "kernel_information": lambda Z: eg.kernel_information(Z, LABELS, n_null=2),
    "kernel_information of vectors": lambda Z: eg.kernel_information(Z, np.eye(12), n_null=2),
    "bandwidth": eg.bandwidth,
    "DiffusionOperator": lambda Z: eg.DiffusionOperator(Z).entropy(),
    "effective_rank": spectral.effective_rank,
    "rankme": spectral.rankme,
    "participation_ratio": spectral.participation_ratio,
    "vendi_score": spectral.vendi_score,
    "binning": binning.entropy,
    "ksg": ksg.entropy,
}

pytestmark = [
    pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning"),
    pytest.mark.filterwarnings("ignore:.*groups of Y"),
    pytest.mark.filterwarnings("ignore:.*single group"),
]


@pytest.fixture
def Z(rng):
    return rng.normal(size=(12, 4))


def masks(shape):
    return arrays.arrays(bool, shape)


@pytest.mark.parametrize("door", ROWS)
@given(mask=masks((12, 4)))
def test_masked_rows_are_refused_with_their_number_and_others_are_plain(door, mask):
    Z = np.random.default_rng(0).normal(size=(12, 4))
    masked = np.ma.array(Z, mask=mask)
    if mask.any():
        bad = mask.any(axis=1)
        words = ["Z", f"{bad.sum()} of its 12", f"row {bad.argmax()}"]
        with pytest.raises(ValueError, match=naming(*words, mask.sum(), "masked", "filled")):
            ROWS[door](masked)
    else:
        assert float(ROWS[door](masked)) == float(ROWS[door](Z))


def test_a_masked_array_without_a_mask_is_read_in_place(Z):
    operator = eg.DiffusionOperator(np.ma.array(Z))
    assert np.shares_memory(operator.rows, Z)
    assert type(operator.rows) is np.ndarray


def test_rows_that_are_masked_arrays_in_a_list_are_refused(Z):
    rows = [np.ma.array(row, mask=row > 1.0) for row in Z]
    bad = (Z > 1.0).any(axis=1)
    with pytest.raises(ValueError, match=naming("Z", f"{bad.sum()} of its 12")):
        eg.dse(rows)
    assert float(eg.dse([np.ma.array(row) for row in Z])) == float(eg.dse(Z))


@given(mask=masks((5, 5)))
def test_masked_matrices_are_refused(mask):
    A = np.diag(np.arange(5.0))
    masked = np.ma.array(A, mask=mask)
    doors = {
        "A": eg.eigvalsh,
        "eigenvalues": lambda A: eg.spectral_entropy(A.diagonal()),
        "Z": lambda A: spectral.vendi_score(A + np.eye(5), kernel="precomputed"),
    }
    for name, door in doors.items():
        bad = mask.diagonal() if name == "eigenvalues" else mask.any(axis=1)
        if bad.any():
            with pytest.raises(ValueError, match=naming(name, f"{bad.sum()} of its 5", "masked")):
                door(masked)
        else:
            np.testing.assert_array_equal(door(masked), door(A))


def test_masked_vectors_are_refused(Z):
    operator = eg.DiffusionOperator(Z)
    with pytest.raises(ValueError, match=naming("V", "1 of its 12", "row 3")):
        operator @ np.ma.array(np.ones(12), mask=np.arange(12) == 3)


# Labels.

MISSING = [None, float("nan"), np.float64("nan"), np.ma.masked, np.datetime64("NaT")]

LABEL_DOORS = {
    "Y": lambda Y: eg.dsmi(np.eye(len(Y)), Y, n_null=2),
    "clusters": lambda Y: eg.dsmi(np.eye(len(Y)), clusters=Y, n_null=2),
    "kernel Y": lambda Y: eg.kernel_information(np.eye(len(Y)), Y, n_null=2),
    "kernel clusters": lambda Y: eg.kernel_information(np.eye(len(Y)), clusters=Y, n_null=2),
    "given": lambda Y: eg.kernel_information(np.eye(len(Y)), np.arange(len(Y)), given=Y, n_null=2),
    "binning": lambda Y: binning.mutual_information(np.eye(len(Y)), Y, n_null=2),
}


@pytest.mark.parametrize("door", LABEL_DOORS)
@given(
    labels=st.lists(st.sampled_from(["a", "b", "nan", "None", "NaN"]), min_size=4, max_size=12),
    missing=st.lists(st.tuples(st.integers(0, 11), st.sampled_from(MISSING)), max_size=4),
    objects=st.booleans(),
)
def test_a_missing_label_among_strings_is_refused_and_the_string_nan_is_none(
    door, labels, missing, objects
):
    """In a list, and in an array of objects."""
    for row, value in missing:
        labels[row % len(labels)] = value
    bad = [row for row, label in enumerate(labels) if not isinstance(label, str)]
    given = labels
    if objects:
        given = np.empty(len(labels), dtype=object)
        given[:] = labels
    name = next((name for name in ("clusters", "given") if name in door), "Y")
    if bad:
        words = [name, f"{len(bad)} of its {len(labels)}", f"row {bad[0]}"]
        with pytest.raises(ValueError, match=naming(*words)):
            LABEL_DOORS[door](given)
    else:
        LABEL_DOORS[door](given)


def test_the_string_nan_is_a_class():
    rows = np.random.default_rng(0).normal(size=(9, 3))
    for labels in (["nan", "a", "b"] * 3, np.array(["nan", "a", "b"] * 3)):
        assert len(eg.dsmi(rows, labels, n_null=2).group_sizes) == 3


@pytest.mark.parametrize("absent", [np.nan, None, "absent"])
def test_missing_strings_of_variable_width_are_refused(absent):
    if np.lib.NumpyVersion(np.__version__) < "2.0.0":
        pytest.skip("NumPy 1 has no strings of variable width")
    dtype = np.dtypes.StringDType(na_object=absent)
    labels = np.array(["a", absent, "b", "a", absent, "b"], dtype=dtype)
    with pytest.raises(ValueError, match=naming("Y", "2 of its 6", "row 1")):
        LABEL_DOORS["Y"](labels)
    whole = np.array(["a", "nan", "b", "a", "nan", "b"], dtype=dtype)
    assert len(LABEL_DOORS["Y"](whole).group_sizes) == 3


@given(mask=masks(10))
def test_masked_labels_are_refused(mask):
    labels = np.ma.array(np.arange(10) % 2, mask=mask)
    for values in (labels, labels.astype("U1"), labels.astype(float), list(labels)):
        if mask.any():
            words = ["Y", f"{mask.sum()} of its 10", f"row {mask.argmax()}", "masked"]
            with pytest.raises(ValueError, match=naming(*words)):
                LABEL_DOORS["Y"](values)
        else:
            assert LABEL_DOORS["Y"](values).group_sizes.tolist() == [5, 5]


def test_nan_among_numbers_is_refused_whether_they_are_labels_or_scalars(Z):
    labels = np.where(np.arange(12) % 5 == 1, np.nan, np.arange(12) % 2)
    for kind in ("auto", "labels", "scalars"):
        with pytest.raises(ValueError, match=naming("Y", "3 of its 12", "row 1")):
            eg.dsmi(Z, labels, kind=kind)


def test_strings_and_numbers_stay_what_they_are(Z):
    """NumPy would make one class of 1 and "1", and of names that end in a null character."""
    with pytest.raises(TypeError, match=naming("Y", "numbers", "strings")):
        eg.dsmi(Z, ["1", 1] * 6)
    assert len(eg.dsmi(Z, ["a", "a\0"] * 6, n_null=2).group_sizes) == 2


def test_integers_of_64_bits_are_labels_and_different_ones_stay_different(Z):
    """NumPy makes floats of a list in which some are above 2^63 and others below."""
    labels = [2**64 - 1, 2**64 - 2, 5] * 4
    assert np.asarray(labels).dtype == np.float64
    assert len(eg.dsmi(Z, labels, n_null=2).group_sizes) == 3
    assert float(eg.dse([[2**64 - 1, 5], [3, 4]])) == float(eg.dse([[2.0**64, 5], [3, 4]]))
    scalars = eg.dsmi(Z, np.geomspace(1, 1e300, 12).tolist(), n_null=2)
    assert len(scalars.group_sizes) < 12  # floats, which are cut into bins


def test_labels_of_a_figure_are_checked(Z):
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match=naming("labels", "6 of its 12", "row 1")):
        eg.plot.diffusion_map(eg.DiffusionOperator(Z), ["a", float("nan")] * 6)


# Complex numbers.


@pytest.mark.parametrize("door", ROWS)
def test_complex_rows_are_refused_with_a_remedy(door, Z):
    for value in (Z + 0j, (Z + 0j).astype(np.complex64), (Z + 0j).tolist(), np.ma.array(Z + 0j)):
        with pytest.raises(TypeError, match=naming("complex", "imag")):
            ROWS[door](value)


def test_complex_tensors_are_refused_with_a_remedy(Z):
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("eigentropy.torch.functional")
    tensor = torch.complex(torch.from_numpy(Z), torch.from_numpy(Z))
    for value in (tensor, tensor.conj(), tensor.to(torch.complex64)):
        for door in ROWS.values():
            with pytest.raises(TypeError, match=naming("complex", "imag")):
                door(value)
        for loss in (
            functional.diffusion_spectral_entropy,
            lambda Z: functional.diffusion_spectral_mutual_information(Z, LABELS),
        ):
            with pytest.raises(TypeError, match=naming("Z", "complex", "torch.view_as_real")):
                loss(value)


def test_complex_vectors_and_matrices_and_scalars_are_refused(Z):
    with pytest.raises(TypeError, match=naming("V", "complex", "V.imag")):
        eg.DiffusionOperator(Z) @ (1j * np.ones(12))
    with pytest.raises(TypeError, match=naming("A", "complex")):
        eg.eigvalsh(1j * np.eye(3))
    for Y in (1j * np.arange(12), 1j * Z):
        with pytest.raises(TypeError, match=naming("Y", "complex", "Y.imag")):
            eg.dsmi(Z, Y)


def test_text_is_no_vector(Z):
    with pytest.raises(TypeError, match=naming("V", "numbers")):
        eg.DiffusionOperator(Z) @ np.array(["1"] * 12)


def test_rows_in_objects_are_refused_with_the_call_that_makes_a_matrix_of_them(Z):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    rows = np.empty(len(Z), dtype=object)
    rows[:] = list(Z)
    fields = np.array([tuple(row) for row in Z], dtype=[(name, float) for name in "abcd"])
    to_numbers = np.lib.recfunctions.structured_to_unstructured
    for values, remedy, made in [
        (rows, "numpy.stack(Z)", np.stack(rows)),
        (pandas.Series(list(Z)), "numpy.stack(Z)", np.stack(pandas.Series(list(Z)))),
        (Z.astype(object), "Z.astype(float)", Z.astype(object).astype(float)),
        (fields, "structured_to_unstructured(Z)", to_numbers(fields)),
    ]:
        with pytest.raises(TypeError, match=naming("Z", "numbers", remedy)):
            eg.dse(values)
        assert float(eg.dse(made)) == float(eg.dse(Z))


# Tensors.


@pytest.mark.filterwarnings("ignore:The PyTorch API of")
@pytest.mark.filterwarnings("ignore:.*[Qq]uantize")
def test_tensors_that_are_no_plain_memory_are_refused_with_a_remedy(Z):
    torch = pytest.importorskip("torch")
    masked = pytest.importorskip("torch.masked")
    functional = pytest.importorskip("eigentropy.torch.functional")
    tensor = torch.from_numpy(Z).float()
    nested = torch.nested.nested_tensor([tensor[:5], tensor], layout=torch.jagged)
    present = torch.ones(12, 4, dtype=torch.bool)
    bad = present.clone()
    bad[[2, 7], 1] = False
    quantised = torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8)
    for door in (eg.dse, functional.diffusion_spectral_entropy):
        with pytest.raises(TypeError, match=naming("Z", "nested", "unbind")):
            door(nested)
        with pytest.raises(ValueError, match=naming("Z", "2 of its 12", "row 2", "to_tensor")):
            door(masked.masked_tensor(tensor, bad))
        expected = float(door(tensor))
        assert float(door(masked.masked_tensor(tensor, present))) == expected
    with pytest.raises(TypeError, match=naming("Z", "Z.dequantize")):
        eg.dse(quantised)
    with pytest.raises(TypeError, match=naming("Z", "torch.stack(Z)")):
        eg.dse(list(tensor.requires_grad_()))


@pytest.mark.filterwarnings("ignore:ComplexHalf")
def test_tensors_of_types_that_numpy_has_not_are_converted_or_refused(Z):
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(Z.round())
    for dtype in (torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2):
        assert float(eg.dse(tensor.to(dtype))) == float(eg.dse(tensor.float()))
    with pytest.raises(TypeError, match=naming("Z", "complex")):
        eg.dse(tensor.to(torch.complex32))


@pytest.mark.parametrize("value", ["z.npy", b"z.npy", pathlib.Path("z.npy")])
def test_the_name_of_a_file_is_no_array(Z, value):
    for door in (eg.dse, eg.bandwidth, eg.eigvalsh, spectral.effective_rank):
        with pytest.raises(TypeError, match=naming("z.npy", "numpy.load")):
            door(value)
    with pytest.raises(TypeError, match=naming("Y", "z.npy", "numpy.load")):
        eg.dsmi(Z, value)

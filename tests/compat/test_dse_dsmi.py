"""eigentropy.compat.dse_dsmi beside the package that it stands in for."""

from __future__ import annotations

import errno
import importlib
import inspect
import os
import random
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from eigentropy import _core
from eigentropy.compat import _graphs, _groups
from eigentropy.compat import dse_dsmi as ours
from messages import names, naming

FUNCTIONS = ours.__all__


def import_peer():
    with warnings.catch_warnings():  # it turns all warnings off for the process
        return importlib.import_module("dse_dsmi")


peer = import_peer()


def theirs(function, *args, **options):
    """What the peer returns, without what it does to the process."""
    state = random.getstate()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = getattr(peer, function)(*args, **options)
    random.setstate(state)
    return result


def agree(value, expected, relative=1e-9):
    # The absolute part is for entropies that are 0 but for rounding. NaN fails.
    return bool(abs(value - expected) <= relative * abs(expected) + 1e-11)


def check(function, *args, relative=1e-9, **options):
    value = getattr(ours, function)(*args, **options)
    expected = theirs(function, *args, **options)
    assert agree(value, expected, relative), (value, expected)


def check_information(function, *args, **options):
    value, clusters = getattr(ours, function)(*args, **options)
    expected, expected_clusters = theirs(function, *args, **options)
    assert agree(value, expected), (value, expected)
    np.testing.assert_array_equal(clusters, expected_clusters)
    assert clusters.shape == expected_clusters.shape
    assert clusters.dtype == expected_clusters.dtype
    return value


def data(name):
    rng = np.random.default_rng(5)
    normal = rng.normal(size=(131, 4))
    return {
        "gaussian": lambda: 4.0 * normal,
        "blobs": lambda: normal + 30.0 * (np.arange(131) % 3)[:, None],
        "integers": lambda: rng.integers(0, 4, size=(120, 3)),
        "repeated": lambda: np.repeat(np.round(8.0 * normal[:30]), 4, axis=0),
        "wide": lambda: rng.normal(size=(40, 300)),
        "constant columns": lambda: np.hstack([normal, np.full((131, 2), 7.0)]),
        "equal rows": lambda: np.tile(normal[:1], (20, 1)),
        "two rows": lambda: 10.0 * normal[:2],
        "one row": lambda: normal[:1],
        "strided": lambda: np.asfortranarray(3.0 * normal)[::2, ::-1],
        "images": lambda: np.round(8.0 * normal).astype(np.uint8),
    }[name]()


DATA = [
    "gaussian",
    "blobs",
    "integers",
    "repeated",
    "wide",
    "constant columns",
    "equal rows",
    "two rows",
    "one row",
    "strided",
]


def labelled():
    """Rows of 4 classes of unequal size that overlap."""
    rng = np.random.default_rng(11)
    labels = rng.choice(4, size=160, p=[0.4, 0.3, 0.2, 0.1])
    return 3.0 * rng.normal(size=(160, 6)) + 5.0 * np.eye(4, 6)[labels], labels


def test_checker_rejects_nan_and_a_relative_difference_of_two_in_a_billion():
    assert agree(1.0 + 0.5e-9, 1.0)
    assert not agree(1.0 + 2e-9, 1.0)
    assert not agree(np.nan, 1.0)
    assert not agree(1.0, np.nan)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_arguments_have_the_peers_names_order_and_defaults(function):
    expected = inspect.signature(getattr(peer, function)).parameters.values()
    actual = inspect.signature(getattr(ours, function)).parameters.values()
    assert [(p.name, p.default, p.kind) for p in actual] == [
        (p.name, p.default, p.kind) for p in expected
    ]


def test_all_of_the_peers_functions_are_offered():
    assert sorted(FUNCTIONS) == sorted(peer.__all__)


# --- entropies


@pytest.mark.parametrize("t", [1, 2, 5.5])
@pytest.mark.parametrize("sigma", [0.3, 3, 10])
@pytest.mark.parametrize("name", DATA)
def test_diffusion_entropy_equals_the_peers(name, sigma, t):
    check("diffusion_spectral_entropy", data(name), sigma, t)


def test_diffusion_entropy_equals_the_peers_by_default():
    check("diffusion_spectral_entropy", data("gaussian"))


def test_diffusion_entropy_of_more_rows_than_a_tile_equals_the_peers():
    Z = np.random.default_rng(3).normal(size=(300, 30))
    check("diffusion_spectral_entropy", Z, 2.0)


@pytest.mark.parametrize("t", [0, 0.5])
def test_diffusion_entropy_for_small_t_equals_the_peers_where_no_eigenvalue_is_noise(t):
    check("diffusion_spectral_entropy", data("gaussian"), 1.0, t)


@pytest.mark.parametrize("function", ["diffusion_spectral_entropy", "adjacency_spectral_entropy"])
@pytest.mark.parametrize("seed", [0, 1, -3, 12345678901])
@pytest.mark.parametrize("max_N", [1, 50, 130])
def test_rows_are_drawn_as_the_peer_draws_them(function, max_N, seed):
    check(function, data("gaussian"), 3.0, max_N=max_N, random_seed=seed)


def test_another_seed_draws_other_rows():
    Z = data("gaussian")
    a, b = (ours.diffusion_spectral_entropy(Z, 3.0, max_N=50, random_seed=seed) for seed in (0, 1))
    assert abs(a - b) > 1e-3


def test_rows_are_drawn_for_the_histogram_and_for_matrix_entries_too():
    Z = data("integers")
    check("diffusion_spectral_entropy", Z, max_N=30, classic_shannon_entropy=True)
    check("diffusion_spectral_entropy", Z, max_N=30, matrix_entry_entropy=True)


@pytest.mark.parametrize("max_N", [None, 131, 1000])
def test_all_rows_are_used_up_to_max_n(max_N):
    Z = data("gaussian")
    whole = ours.diffusion_spectral_entropy(Z, 3.0)
    assert ours.diffusion_spectral_entropy(Z, 3.0, max_N=max_N) == whole


@pytest.mark.parametrize("sigma", [0.3, 3, 10])
@pytest.mark.parametrize("name", DATA)
def test_matrix_entry_entropy_equals_the_peers(name, sigma):
    check("diffusion_spectral_entropy", data(name), sigma, matrix_entry_entropy=True)


@pytest.mark.parametrize("n", [_graphs.BLOCK - 1, _graphs.BLOCK, _graphs.BLOCK + 1, 200])
def test_matrix_entry_entropy_does_not_depend_on_blocks(n):
    Z = np.random.default_rng(n).normal(size=(n, 3))
    check("diffusion_spectral_entropy", Z, 1.0, matrix_entry_entropy=True)


@pytest.mark.parametrize("bins", [1, 2, 3, 10])
@pytest.mark.parametrize("name", [*DATA, "images"])
def test_histogram_entropy_equals_the_peers(name, bins):
    check(
        "diffusion_spectral_entropy",
        data(name),
        classic_shannon_entropy=True,
        num_bins_per_dim=bins,
    )


def test_matrix_entry_entropy_counts_entries_that_are_zero_as_the_peer_does():
    """Two million zeros, each raised by 2.2e-16, are 3 parts in a billion of the entropy."""
    rows = np.arange(1500.0)[:, None]
    value = ours.diffusion_spectral_entropy(rows, 1e-3, matrix_entry_entropy=True)
    assert not agree(value, np.log2(1500))
    check("diffusion_spectral_entropy", rows, 1e-3, matrix_entry_entropy=True)


def test_histogram_entropy_of_float32_equals_the_peers():
    Z = data("gaussian").astype(np.float32)
    check("diffusion_spectral_entropy", Z, classic_shannon_entropy=True, num_bins_per_dim=4)


def test_histogram_entropy_goes_before_matrix_entries():
    options = {"classic_shannon_entropy": True, "matrix_entry_entropy": True}
    check("diffusion_spectral_entropy", data("gaussian"), **options)


@pytest.mark.parametrize("anisotropic", [False, True])
@pytest.mark.parametrize("sigma", [0.3, 3, 10])
@pytest.mark.parametrize("name", DATA)
def test_adjacency_entropy_equals_the_peers(name, sigma, anisotropic):
    check("adjacency_spectral_entropy", data(name), sigma, anisotropic)


@pytest.mark.parametrize("knn", [1, 3, 10, 40])
@pytest.mark.parametrize("name", ["gaussian", "blobs", "integers", "repeated", "wide"])
def test_neighbour_entropy_equals_the_peers_also_with_ties(name, knn):
    check("adjacency_spectral_entropy", data(name), use_knn=True, knn=knn)


def test_neighbours_go_before_anisotropic():
    check("adjacency_spectral_entropy", data("gaussian"), anisotropic=True, use_knn=True)


def test_integers_do_have_ties_that_the_neighbour_matrix_keeps():
    graph = _core.knn_adjacency(data("integers").astype(float), 10)
    assert graph.sum(axis=1).min() >= 10
    assert graph.sum(axis=1).max() > 10


def test_neighbour_entropy_of_mutual_neighbours_is_that_of_their_pairs():
    pairs = np.repeat(100.0 * np.arange(8), 2) + np.tile([0.0, 1.0], 8)
    value = ours.adjacency_spectral_entropy(pairs[:, None], use_knn=True, knn=2)
    assert agree(value, 3.0)  # 8 eigenvalues 2, 8 eigenvalues 0
    check("adjacency_spectral_entropy", pairs[:, None], use_knn=True, knn=2)


def test_eigenvalues_are_those_of_alpha_0_and_matrix_entries_of_alpha_one_half():
    """By the formulas, without the peer."""
    Z, sigma = data("gaussian")[:40], 4.0
    G = np.exp(-((Z[:, None] - Z[None]) ** 2).sum(axis=2) / (2 * sigma**2))
    a = np.abs(np.linalg.eigvals(G / G.sum(axis=1, keepdims=True)))
    a /= a.sum()
    assert agree(ours.diffusion_spectral_entropy(Z, sigma), -(a @ np.log2(a)))
    K = G / np.sqrt(np.outer(G.sum(axis=1), G.sum(axis=1)))
    p = (K / K.sum(axis=1, keepdims=True)).ravel() / len(Z)
    entries = ours.diffusion_spectral_entropy(Z, sigma, matrix_entry_entropy=True)
    assert agree(entries, -(p @ np.log2(p)))


# --- mutual information


@pytest.mark.parametrize("sigma", [2.0, 10])
@pytest.mark.parametrize("t", [1, 3])
@pytest.mark.parametrize("seed", [0, 42])
def test_mutual_information_with_labels_equals_the_peers(sigma, t, seed):
    Z, labels = labelled()
    check_information(
        "diffusion_spectral_mutual_information",
        Z,
        labels,
        gaussian_kernel_sigma=sigma,
        t=t,
        random_seed=seed,
    )


@pytest.mark.parametrize("mode", ["classic_shannon_entropy", "matrix_entry_entropy"])
def test_mutual_information_by_other_entropies_equals_the_peers(mode):
    Z, labels = labelled()
    options = {mode: True, "num_bins_per_dim": 3}
    check_information("diffusion_spectral_mutual_information", Z, labels, **options)


ADJACENCIES = [{}, {"anisotropic": True}, {"use_knn": True}]


@pytest.mark.parametrize("options", ADJACENCIES)
@pytest.mark.parametrize("seed", [0, 3])
def test_adjacency_information_equals_the_peers(options, seed):
    Z, labels = labelled()
    options = {**options, "random_seed": seed, "gaussian_kernel_sigma": 4.0}
    check_information("adjacency_spectral_mutual_information", Z, labels, **options)


def test_neighbour_information_of_integer_data_equals_the_peers():
    Z, labels = labelled()
    options = {"use_knn": True}
    check_information("adjacency_spectral_mutual_information", np.round(Z), labels, **options)


REFERENCES = {
    "labels": (lambda y, Z: y, {}),
    "labels in a column": (lambda y, Z: y[:, None], {}),
    "bytes": (lambda y, Z: y.astype(np.uint8)[:, None], {}),
    "words": (lambda y, Z: np.array(["d", "b", "a", "c"])[y], {"reference_discrete": True}),
    "whole floats as labels": (lambda y, Z: y.astype(float), {"reference_discrete": True}),
    "integers as scalars": (lambda y, Z: y, {"reference_discrete": False, "n_clusters": 3}),
    "bytes as scalars": (lambda y, Z: y.astype(np.uint8), {"reference_discrete": False}),
    "scalars": (lambda y, Z: Z[:, 0], {"n_clusters": 4}),
    "scalars in a column": (lambda y, Z: Z[:, :1], {"n_clusters": 7}),
    "float32 scalars": (lambda y, Z: Z[:, 0].astype(np.float32), {"n_clusters": 5}),
    "one bin": (lambda y, Z: Z[:, 0], {"n_clusters": 1}),
    "a constant": (lambda y, Z: np.full(len(y), 2.5), {}),
    "one class": (lambda y, Z: np.zeros_like(y), {}),
    "clusters for scalars": (lambda y, Z: Z[:, 0], {"precomputed_clusters": labelled()[1]}),
    "clusters for vectors": (lambda y, Z: Z, {"precomputed_clusters": labelled()[1][:, None]}),
    "labels go before clusters": (lambda y, Z: y, {"precomputed_clusters": labelled()[1] % 2}),
}


@pytest.mark.parametrize("kind", REFERENCES)
@pytest.mark.parametrize("function", FUNCTIONS[1::2])
def test_references_are_grouped_as_the_peer_groups_them(function, kind):
    Z, labels = labelled()
    reference, options = REFERENCES[kind]
    options = {"num_repetitions": 2, **options}
    check_information(function, Z, reference(labels, Z), **options)


def test_a_group_of_one_row_equals_the_peers():
    Z, labels = labelled()
    labels[3] = 9
    check_information("diffusion_spectral_mutual_information", Z, labels)


@pytest.mark.parametrize("n_clusters", [2, 6])
def test_vectors_are_clustered_as_the_peer_clusters_them(n_clusters):
    Z, _ = labelled()
    X = np.random.default_rng(2).normal(size=(160, 12)) + Z[:, :1]
    value = check_information(
        "diffusion_spectral_mutual_information", Z, X, n_clusters=n_clusters, num_repetitions=2
    )
    again, _ = ours.diffusion_spectral_mutual_information(
        Z,
        X,
        precomputed_clusters=ours.diffusion_spectral_mutual_information(
            Z, X, n_clusters=n_clusters
        )[1],
        num_repetitions=2,
    )
    assert again == value


@pytest.mark.parametrize("repetitions", [1, 8])
def test_repetitions_are_as_many_as_asked(repetitions):
    Z, labels = labelled()
    check_information(
        "diffusion_spectral_mutual_information", Z, labels, num_repetitions=repetitions
    )


@pytest.mark.parametrize("seed", [0, 5])
@pytest.mark.parametrize("options", [{}, {"matrix_entry_entropy": True}])
def test_large_groups_are_thinned_out_as_the_peer_does(monkeypatch, seed, options):
    """With the limit of 10000 rows lowered in both."""
    entropy = importlib.import_module("dse_dsmi.dse").diffusion_spectral_entropy
    parameters = list(inspect.signature(entropy).parameters)
    defaults = list(entropy.__defaults__)
    place = parameters.index("max_N") - (len(parameters) - len(defaults))
    assert defaults[place] == _groups.MAX_GROUP
    defaults[place] = 30
    Z, labels = labelled()
    function = "diffusion_spectral_mutual_information"
    options = {**options, "random_seed": seed, "gaussian_kernel_sigma": 4.0}
    whole = getattr(ours, function)(Z, labels, **options)[0]

    def entropies(rows, subsets):
        more = {key: value for key, value in options.items() if key != "random_seed"}
        return [ours.diffusion_spectral_entropy(rows[s], max_N=None, **more) for s in subsets]

    value = _groups.information(Z, labels, entropies, 5, seed, print, max_group=30)
    monkeypatch.setattr(entropy, "__defaults__", tuple(defaults))  # of the peer
    assert agree(value, theirs(function, Z, labels, **options)[0])
    assert abs(value - whole) > 1e-3


# --- eigenvalue files


@pytest.fixture
def path(tmp_path):
    return tmp_path / "eigvals.npz"


SPECTRAL = {
    "diffusion": ("diffusion_spectral_entropy", {"t": 2}),
    "gaussian": ("adjacency_spectral_entropy", {}),
    "anisotropic": ("adjacency_spectral_entropy", {"anisotropic": True}),
    "symmetric neighbours": ("adjacency_spectral_entropy", {"use_knn": True, "knn": 131}),
}


@pytest.mark.parametrize("precision", [np.float16, np.float32, np.float64, "float16"])
@pytest.mark.parametrize("kind", SPECTRAL)
def test_files_hold_what_the_peers_hold_and_give_its_values(tmp_path, kind, precision):
    function, options = SPECTRAL[kind]
    Z = data("gaussian")
    options = {"gaussian_kernel_sigma": 3.0, "eigval_save_precision": precision, **options}
    mine, other = tmp_path / "sub" / "mine.npz", tmp_path / "other" / "peer.npz"

    written = getattr(ours, function)(Z, eigval_save_path=mine, **options)
    expected = theirs(function, Z, eigval_save_path=str(other), **options)
    assert agree(written, expected, 1e-6)
    with np.load(mine) as a, np.load(other) as b:
        assert a["eigvals"].dtype == b["eigvals"].dtype
        np.testing.assert_allclose(a["eigvals"], np.abs(b["eigvals"]), rtol=1e-6, atol=1e-13)

    read = getattr(ours, function)(Z, eigval_save_path=mine, **options)
    assert agree(read, theirs(function, Z, eigval_save_path=str(other), **options), 1e-6)


@pytest.mark.parametrize("function", FUNCTIONS[::2])
def test_the_peer_reads_our_files_and_we_read_the_peers(tmp_path, function):
    Z = data("gaussian")
    mine, other = tmp_path / "mine.npz", tmp_path / "peer.npz"
    getattr(ours, function)(Z, 3.0, eigval_save_path=mine)
    theirs(function, Z, 3.0, eigval_save_path=str(other))
    for file in mine, other:
        read = getattr(ours, function)(None, eigval_save_path=file)
        assert agree(read, theirs(function, None, eigval_save_path=str(file)))


def test_a_matching_file_is_used_without_computing(path):
    """It is believed: so other eigenvalues in it have their entropy, two bits."""
    Z = data("gaussian")
    ours.diffusion_spectral_entropy(Z, 3.0, eigval_save_path=path)
    stored = dict(np.load(path))
    np.savez(path, **{**stored, "eigvals": np.ones(4)})
    assert agree(ours.diffusion_spectral_entropy(Z, 3.0, eigval_save_path=path), 2.0)
    # D^-1 G is what the anisotropic adjacency entropy takes, too.
    assert agree(ours.adjacency_spectral_entropy(Z, 3.0, True, eigval_save_path=path), 2.0)


STALE = {
    "other rows": lambda Z: (Z + 1e-3 * np.arange(len(Z))[:, None], 3.0, {}),
    "fewer rows": lambda Z: (Z, 3.0, {"max_N": 60}),
    "other shape": lambda Z: (Z.reshape(-1, 2), 3.0, {}),
    "other sigma": lambda Z: (Z, 4.0, {}),
    "other matrix": lambda Z: (Z, 3.0, {"anisotropic": True}),
    "other neighbours": lambda Z: (Z, 3.0, {"use_knn": True}),
}


@pytest.mark.parametrize("change", STALE)
def test_a_file_of_other_data_or_settings_is_replaced_with_a_warning(path, change):
    keep = {"eigval_save_path": path, "eigval_save_precision": np.float64}
    Z = data("gaussian")
    first = ours.adjacency_spectral_entropy(Z, 3.0, **keep)
    changed, sigma, options = STALE[change](Z)
    with pytest.warns(UserWarning, match=naming(str(path))) as caught:
        value = ours.adjacency_spectral_entropy(changed, sigma, **options, **keep)
    assert caught[0].filename == __file__
    assert agree(value, ours.adjacency_spectral_entropy(changed, sigma, **options))
    assert abs(value - first) > 1e-6
    assert agree(ours.adjacency_spectral_entropy(changed, sigma, **options, **keep), value)


def test_a_file_of_the_peer_is_not_trusted_for_given_rows_and_not_touched(path):
    Z = data("gaussian")
    theirs("diffusion_spectral_entropy", 5.0 + 2.0 * Z, 3.0, eigval_save_path=str(path))
    before = path.read_bytes()
    with pytest.warns(
        UserWarning, match=naming(str(path), "embedding_vectors=None", "eigval_save_path")
    ) as caught:
        value = ours.diffusion_spectral_entropy(Z, 3.0, eigval_save_path=path)
    assert caught[0].filename == __file__
    assert agree(value, ours.diffusion_spectral_entropy(Z, 3.0))
    assert path.read_bytes() == before


@pytest.mark.parametrize("file", ["bare.npz", "no-suffix", Path("bare.npz"), "new/folder/a.npz"])
def test_bare_names_and_new_folders_work(monkeypatch, tmp_path, file):
    monkeypatch.chdir(tmp_path)
    ours.diffusion_spectral_entropy(data("gaussian"), eigval_save_path=file)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [tmp_path / file]


def test_a_link_stays_a_link(tmp_path, path):
    link = tmp_path / "link.npz"
    link.symlink_to(path)
    ours.diffusion_spectral_entropy(data("gaussian"), eigval_save_path=link)
    assert link.is_symlink()
    assert path.is_file()


def test_new_files_have_the_usual_permissions(tmp_path, path):
    ours.diffusion_spectral_entropy(data("gaussian"), eigval_save_path=path)
    plain = tmp_path / "plain"
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(full_disk, tmp_path, path):
    Z = data("gaussian")
    ours.diffusion_spectral_entropy(Z, 3.0, eigval_save_path=path)
    before = path.read_bytes()
    replaced = pytest.warns(UserWarning, match=naming(str(path)))
    with replaced, full_disk(100), pytest.raises(OSError, check=lambda e: e.errno == errno.EFBIG):
        ours.diffusion_spectral_entropy(Z, 4.0, eigval_save_path=path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def damaged_files():
    def arrays(**content):
        return lambda file: np.savez(file, **content)

    def truncated(file):
        np.savez(file, eigvals=np.ones(500))
        os.truncate(file, file.stat().st_size // 2)

    def corrupted(file):
        np.savez(file, eigvals=np.arange(1.0, 500.0))
        content = bytearray(file.read_bytes())
        content[1000] ^= 255
        file.write_bytes(content)

    def single_array(file):
        with file.open("wb") as stream:
            np.save(stream, np.ones(5))

    return {
        "empty": lambda file: file.touch(),
        "text": lambda file: file.write_text("eigvals: 1, 0.5\n"),
        "truncated": truncated,
        "corrupted": corrupted,
        "single array": single_array,
        "other key": arrays(values=np.ones(5)),
        "matrix": arrays(eigvals=np.ones((5, 5))),
        "no eigenvalue": arrays(eigvals=np.ones(0)),
        "words": arrays(eigvals=np.array(["a", "b"])),
        "complex": arrays(eigvals=np.ones(5, dtype=complex)),
        "NaN": arrays(eigvals=np.array([1.0, np.nan])),
        "all zero": arrays(eigvals=np.zeros(5)),
        "pickle": arrays(eigvals=np.array([{}], dtype=object)),
    }


# What is named of some of them, beside the file.
REASONS = {
    "single array": [".npz"],
    "other key": ["'eigvals'", "'values'"],
    "matrix": ["'eigvals'", "(5, 5)", "float64"],
    "NaN": ["'eigvals'", "NaN"],
    "all zero": ["'eigvals'", 0],
}


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("damage", damaged_files())
def test_a_file_without_eigenvalues_is_named_and_not_touched(path, damage, given):
    damaged_files()[damage](path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=naming(str(path), *REASONS.get(damage, []))):
        ours.diffusion_spectral_entropy(data("gaussian") if given else None, eigval_save_path=path)
    assert path.read_bytes() == before


def test_complex_eigenvalues_are_stored_as_magnitudes(tmp_path, path):
    """The peer drops the imaginary parts, and then has another entropy."""
    options = {"use_knn": True, "eigval_save_precision": np.float64}
    Z = data("gaussian")
    exact = ours.adjacency_spectral_entropy(Z, use_knn=True)
    stored = ours.adjacency_spectral_entropy(Z, eigval_save_path=path, **options)
    assert agree(stored, exact)
    assert agree(theirs("adjacency_spectral_entropy", None, eigval_save_path=str(path)), exact)
    dropped = theirs(
        "adjacency_spectral_entropy", Z, eigval_save_path=str(tmp_path / "peer.npz"), **options
    )
    assert abs(dropped - exact) > 1e-3


def test_eigenvalues_beyond_the_range_of_the_file_are_an_error(path):
    with pytest.raises(ValueError, match=naming("float16", "eigval_save_precision=np.float64")):
        ours.adjacency_spectral_entropy(np.ones((200, 2)), 1e-3, eigval_save_path=path)
    assert not path.exists()


def test_a_sum_beyond_the_range_of_the_file_is_taken_in_float64(path):
    """The peer divides by infinity and returns 0."""
    Z = data("gaussian").repeat(2, axis=0)
    value = ours.adjacency_spectral_entropy(Z, 1e-3, eigval_save_path=path)
    assert value == pytest.approx(np.log2(131), rel=1e-3)


def test_a_power_beyond_the_range_of_floats_does_not_lose_the_spectrum(path):
    np.savez(path, eigvals=np.array([100.0, 100.0, 1.0]))
    assert agree(ours.diffusion_spectral_entropy(None, t=1000, eigval_save_path=path), 1.0)


def test_files_are_of_no_use_to_the_other_entropies(path):
    for mode in "classic_shannon_entropy", "matrix_entry_entropy":
        check("diffusion_spectral_entropy", data("gaussian"), eigval_save_path=path, **{mode: True})
    assert not path.exists()


# --- what the peer does to the process, and this does not


def call_all(seed):
    Z, labels = labelled()
    ours.diffusion_spectral_entropy(Z, max_N=50, random_seed=seed)
    ours.adjacency_spectral_entropy(Z, max_N=50, random_seed=seed)
    ours.diffusion_spectral_mutual_information(Z, labels, random_seed=seed)
    ours.adjacency_spectral_mutual_information(Z, labels, random_seed=seed)


@pytest.mark.parametrize("seed", [0, None])
def test_global_random_states_and_warning_filters_stay(seed):
    before = random.getstate(), np.random.get_state()[1].tolist(), list(warnings.filters)
    call_all(seed)
    after = random.getstate(), np.random.get_state()[1].tolist(), list(warnings.filters)
    assert after == before


def test_seed_none_differs_at_each_call_whatever_the_global_state():
    Z = data("gaussian")
    values = set()
    for _ in range(3):
        random.seed(0)
        values.add(ours.diffusion_spectral_entropy(Z, 3.0, max_N=50, random_seed=None))
    assert len(values) == 3


def test_import_changes_no_warning_filter_and_imports_neither_peer_nor_matplotlib():
    code = (
        "import sys, warnings, numpy, eigentropy; before = list(warnings.filters);"
        "import eigentropy.compat.dse_dsmi;"
        "assert warnings.filters == before;"
        "assert not {'dse_dsmi', 'matplotlib', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("verbose", [False, True])
def test_progress_is_printed_when_asked_for(capsys, path, verbose):
    Z, labels = labelled()
    for options in (
        {},
        {"matrix_entry_entropy": True},
        {"classic_shannon_entropy": True},
        {"eigval_save_path": path},
    ):
        ours.diffusion_spectral_entropy(Z, verbose=verbose, **options)
        assert bool(capsys.readouterr().out) == verbose
    ours.adjacency_spectral_entropy(None, eigval_save_path=path, verbose=verbose)
    assert names(capsys.readouterr().out, str(path)) == verbose
    for function in FUNCTIONS[1::2]:
        getattr(ours, function)(Z, labels, verbose=verbose)
        assert names(capsys.readouterr().out, 4, 5) == verbose  # groups, random sets of each


# --- bad input


ENTROPY_ERRORS = [
    (np.ones(5), {}, ValueError, ["embedding_vectors", "(n, d)"]),
    (np.ones((0, 3)), {}, ValueError, ["embedding_vectors", "(0, 3)"]),
    ([[1.0, np.nan], [0.0, 1.0]], {}, ValueError, ["embedding_vectors", "NaN", 1, 2]),
    ([["a"], ["b"]], {}, TypeError, ["embedding_vectors"]),
    (np.ones((3, 2), dtype=complex), {}, TypeError, ["embedding_vectors", "complex"]),
    (None, {}, ValueError, ["embedding_vectors", "None"]),
    (np.ones((3, 2)), {"gaussian_kernel_sigma": 0}, ValueError, ["gaussian_kernel_sigma", 0]),
    (np.ones((3, 2)), {"gaussian_kernel_sigma": np.nan}, ValueError, ["gaussian_kernel_sigma"]),
    (np.ones((3, 2)), {"max_N": 0}, ValueError, ["max_N", 1, 0]),
    (np.ones((3, 2)), {"max_N": 2.5}, TypeError, ["max_N", 2.5]),
    (np.ones((3, 2)), {"random_seed": "seed"}, TypeError, ["random_seed", "'seed'"]),
]


@pytest.mark.parametrize(("Z", "options", "error", "words"), ENTROPY_ERRORS)
@pytest.mark.parametrize("function", FUNCTIONS[::2])
def test_bad_input_of_an_entropy_is_named(function, Z, options, error, words):
    with pytest.raises(error, match=naming(*words)):
        getattr(ours, function)(Z, **options)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"t": -1}, ValueError, ["t", "-1"]),
        ({"t": np.nan}, ValueError, ["t", "nan"]),
        ({"chebyshev_approx": True}, NotImplementedError, ["chebyshev_approx"]),
        (
            {"classic_shannon_entropy": True, "num_bins_per_dim": 0},
            ValueError,
            ["num_bins_per_dim", 1, 0],
        ),
    ],
)
def test_bad_options_of_a_diffusion_entropy_are_named(options, error, words):
    Z, labels = labelled()
    with pytest.raises(error, match=naming(*words)):
        ours.diffusion_spectral_entropy(Z, **options)
    with pytest.raises(error, match=naming(*words)):
        ours.diffusion_spectral_mutual_information(Z, labels, **options)


@pytest.mark.parametrize("mode", ["classic_shannon_entropy", "matrix_entry_entropy"])
def test_other_entropies_need_the_rows_even_if_there_is_a_file(path, mode):
    ours.diffusion_spectral_entropy(data("gaussian"), eigval_save_path=path)
    with pytest.raises(ValueError, match=naming("embedding_vectors", "None")):
        ours.diffusion_spectral_entropy(None, eigval_save_path=path, **{mode: True})


def test_a_file_that_is_not_there_cannot_replace_the_rows(path):
    with pytest.raises(ValueError, match=naming("embedding_vectors", "eigval_save_path")):
        ours.diffusion_spectral_entropy(None, eigval_save_path=path)


def test_eigenvalues_are_stored_in_a_float_type_only(path):
    with pytest.raises(ValueError, match=naming("eigval_save_precision", "int32")):
        ours.diffusion_spectral_entropy(
            data("gaussian"), eigval_save_path=path, eigval_save_precision=np.int32
        )
    assert not path.exists()


def test_more_neighbours_than_rows_are_an_error():
    with pytest.raises(ValueError, match=naming("knn", 5, 3)):
        ours.adjacency_spectral_entropy(np.eye(3), use_knn=True, knn=5)
    with pytest.raises(ValueError, match=naming("knn", 1, 0)):
        ours.adjacency_spectral_entropy(np.eye(3), use_knn=True, knn=0)
    with pytest.raises(ValueError, match=naming("knn", 10, 4)):
        ours.adjacency_spectral_mutual_information(
            data("gaussian"), np.arange(131) < 4, reference_discrete=True, use_knn=True
        )


INFORMATION_ERRORS = [
    (np.arange(159), {}, ["reference_vectors", 159, "embedding_vectors", 160]),
    (3, {}, ["reference_vectors", "embedding_vectors", 160]),
    (np.zeros((160, 2)), {"reference_discrete": True}, ["reference_vectors", "(160, 2)"]),
    (np.full(160, np.nan), {}, ["reference_vectors", "NaN", 160]),
    (np.full(160, np.nan), {"reference_discrete": True}, ["NaN", 160]),
    (np.zeros(160), {"n_clusters": 0}, ["n_clusters", 1, 0]),
    (np.zeros((160, 2)), {"n_clusters": 161}, ["n_clusters", 161, 160]),
    (np.zeros(160, int), {"num_repetitions": 0}, ["num_repetitions", 1, 0]),
    (
        np.zeros(160),
        {"precomputed_clusters": np.zeros(12)},
        ["precomputed_clusters", 12, "embedding_vectors", 160],
    ),
    (
        np.zeros(160),
        {"precomputed_clusters": np.zeros((160, 2))},
        ["precomputed_clusters", "(160,)", "(160, 1)", "(160, 2)"],
    ),
]


@pytest.mark.parametrize(("reference", "options", "words"), INFORMATION_ERRORS)
@pytest.mark.parametrize("function", FUNCTIONS[1::2])
def test_bad_input_of_an_information_is_named(function, reference, options, words):
    with pytest.raises(ValueError, match=naming(*words)):
        getattr(ours, function)(labelled()[0], reference, **options)


def test_lists_float32_and_read_only_arrays_work():
    Z, labels = labelled()
    value, _ = ours.diffusion_spectral_mutual_information(Z, labels)
    Z.flags.writeable = labels.flags.writeable = False
    again, clusters = ours.diffusion_spectral_mutual_information(Z.tolist(), labels.tolist())
    assert again == value
    assert clusters.shape == (160, 1)
    single, _ = ours.diffusion_spectral_mutual_information(Z.astype(np.float32), labels)
    assert single == pytest.approx(value, rel=1e-5)

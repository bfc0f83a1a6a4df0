"""Data sets with labels on which a share of the label entropy is read: made and real ones.

On the first ones the rule `narrow` was chosen; the others were kept out of that.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eigentropy.studies import data, sets
from eigentropy.studies.data import Array, Labels

Made = Callable[[int, int], tuple[Array, Labels]]


@dataclass(frozen=True)
class LabelledSet:
    """Rows and labels by number of rows and seed, and how far the rows tell the labels.

    Attributes
    ----------
    told : bool
        The rows tell all of the labels, by construction or as far as is known. Otherwise the truth
        lies between what a classifier finds and all.
    chosen_on : bool
        The rule for sigma was chosen on it.
    packages : tuple of str
        That it takes; a file of the first one has the rows.
    """

    name: str
    make: Made
    told: bool = True
    chosen_on: bool = False
    packages: tuple[str, ...] = ()


def _labelled(name: str) -> Made:
    """A data set of the study `bandwidth`."""

    def make(n: int, seed: int) -> tuple[Array, Labels]:
        Z, labels = sets.SETS[name].make(n, seed)
        assert labels is not None
        return Z, labels

    return make


def blobs(d: int, k: int) -> Made:
    """Blobs of unit variance, far apart."""
    return lambda n, seed: data.blobs(n, d, k, seed=seed)


def wide_blobs(n: int, seed: int) -> tuple[Array, Labels]:
    """Five blobs in 500 dimensions: distances between them are only an eighth longer than within.

    Yet each row is nearest to its own centre, by many standard deviations.
    """
    rng = np.random.default_rng(seed)
    centers = 0.5 * rng.standard_normal((5, 500))
    labels = rng.permutation(np.arange(n) % 5)
    return centers[labels] + rng.standard_normal((n, 500)), labels


def overlapping_blobs(n: int, seed: int) -> tuple[Array, Labels]:
    """Five blobs of unit variance on a circle of radius 3 in the plane."""
    rng = np.random.default_rng([seed, 77])
    angle = 2.0 * math.pi * np.arange(5) / 5
    labels = rng.permutation(np.arange(n) % 5)
    centers = 3.0 * np.column_stack([np.cos(angle), np.sin(angle)])
    return centers[labels] + rng.standard_normal((n, 2)), labels


def spirals(n: int, seed: int) -> tuple[Array, Labels]:
    """Three spirals within each other in the plane, with noise of 0.02."""
    rng = np.random.default_rng([seed, 78])
    labels = rng.permutation(np.arange(n) % 3)
    radius = rng.uniform(0.15, 1.0, n)
    angle = 2.0 * math.pi * (1.25 * radius + labels / 3.0)
    Z = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return Z + 0.02 * rng.standard_normal((n, 2)), labels


def sticks(n: int, seed: int) -> tuple[Array, Labels]:
    """Four long parallel clouds in ten dimensions."""
    rng = np.random.default_rng([seed, 79])
    labels = rng.permutation(np.arange(n) % 4)
    Z = rng.standard_normal((n, 10)) * np.array([10.0, 3.0, *[1.0] * 8])
    Z[np.arange(n), 2 + labels] += 8.0
    return Z, labels


def noisy_tree(n: int, seed: int) -> tuple[Array, Labels]:
    """Five branches of random walks in twenty dimensions, with noise of 0.5."""
    Z, labels = data.tree(5, n // 5, 20, seed=seed)
    return data.noisy(Z, 0.5, seed=seed), labels


def few_digits(n: int, seed: int) -> tuple[Array, Labels]:
    """At most 150 of the digits, 15 of each on average: few rows in many dimensions."""
    return _labelled("digits")(min(n, 150), seed)


def mixture(n: int, seed: int) -> tuple[Array, Labels]:
    """A mixture of two to ten Gaussian clouds of unequal shares, drawn anew for each seed.

    The number of columns is 2 to 200. Each cloud has axes of its own, whose lengths differ up to
    tenfold. Along the line between their centres, the nearest two are 10 standard deviations apart
    or more, so that the rows tell the labels.
    """
    rng = np.random.default_rng([seed, 81])
    k, d = int(rng.integers(2, 11)), round(2.0 * 100.0 ** rng.uniform())
    shares = rng.dirichlet(np.full(k, 5.0))
    labels = np.sort(rng.choice(k, n, p=shares))
    axes = [np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(k)]
    lengths = 10.0 ** rng.uniform(-1.0, 0.0, (k, d))
    centers = rng.standard_normal((k, d))
    centers *= _factor(centers, axes, lengths)
    clouds = [
        rng.standard_normal((int(np.sum(labels == y)), d)) * lengths[y] @ axes[y].T + centers[y]
        for y in range(k)
    ]
    order = rng.permutation(n)
    return np.concatenate(clouds)[order], labels[order]


def _factor(centers: Array, axes: list[Array], lengths: Array) -> float:
    """Of the centres, so that every two are 5 + 5 of their deviations apart."""
    factors = []
    for i in range(len(centers)):
        for j in range(i):
            between = centers[i] - centers[j]
            way = float(np.linalg.norm(between))
            spread = [np.linalg.norm(lengths[y] * (between / way @ axes[y])) for y in (i, j)]
            factors.append(5.0 * float(sum(spread)) / way)
    return max(factors)


def japanese_vowels(n: int, seed: int) -> tuple[Array, Labels]:
    """Utterances of nine speakers: mean and deviation over time of 12 coefficients."""
    folder = _folder("aeon") / "datasets" / "data" / "JapaneseVowels"
    rows, speakers = [], []
    for part in ("TRAIN", "TEST"):
        text = (folder / f"JapaneseVowels_{part}.ts").read_text(encoding="utf-8")
        for line in text.partition("@data\n")[2].splitlines():
            *channels, speaker = line.split(":")
            series = [np.array(channel.split(","), dtype=float) for channel in channels]
            rows.append([*(s.mean() for s in series), *(s.std() for s in series)])
            speakers.append(int(speaker))
    return _drawn(np.array(rows), np.array(speakers), n, seed)


def blood_cells(n: int, seed: int) -> tuple[Array, Labels]:
    """700 blood cells of ten types: 50 principal components of their expression."""
    h5py = importlib.import_module("h5py")
    path = _folder("scanpy") / "datasets" / "10x_pbmc68k_reduced.h5ad"
    with h5py.File(path) as file:
        Z = np.asarray(file["obsm"]["X_pca"], dtype=np.float64)
        labels = np.asarray(file["obs"]["bulk_labels"], dtype=np.int64)
    chosen = data.subset(len(Z), min(1.0, n / len(Z)), seed=seed)
    return Z[chosen], labels[chosen]


def _drawn(X: Array, labels: Labels, n: int, seed: int) -> tuple[Array, Labels]:
    """At most n rows, drawn at random, columns standardised."""
    chosen = data.subset(len(X), min(1.0, n / len(X)), seed=seed)
    spread = X.std(axis=0)
    Z: Array = (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return Z[chosen], labels[chosen]


def _folder(package: str) -> Path:
    """Where a package lies, which is not imported: only its files are wanted."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ImportError(
            f"this data set is a file of the package {package}: pip install {package}"
        )
    return Path(next(iter(found.submodule_search_locations)))


SETS = {
    each.name: each
    for each in (
        LabelledSet("blobs d=20", blobs(20, 3), chosen_on=True),
        LabelledSet("blobs d=100", blobs(100, 5), chosen_on=True),
        LabelledSet("wide blobs", wide_blobs, chosen_on=True),
        LabelledSet("overlapping blobs", overlapping_blobs, told=False, chosen_on=True),
        LabelledSet("spirals", spirals, chosen_on=True),
        LabelledSet("sticks", sticks, chosen_on=True),
        LabelledSet("tree", noisy_tree, chosen_on=True),
        LabelledSet("wine", _labelled("wine"), chosen_on=True),
        LabelledSet("150 digits", few_digits, chosen_on=True),
        LabelledSet("blobs d=2000", blobs(2000, 5)),
        LabelledSet("digits", _labelled("digits")),
        LabelledSet("breast cancer", _labelled("breast cancer"), told=False),
        LabelledSet("mixtures", mixture),
        LabelledSet("Japanese vowels", japanese_vowels, told=False, packages=("aeon",)),
        LabelledSet("blood cells", blood_cells, told=False, packages=("scanpy", "h5py")),
    )
}

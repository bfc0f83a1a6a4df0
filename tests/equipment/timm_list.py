"""A list of models as timm has: architectures are its own and accuracies made up."""

from __future__ import annotations

import csv
import zlib

import numpy as np

COUNT = 150


def written(path, count=COUNT):
    """The path, to which a list is written."""
    import timm

    from eigentropy.studies.imagenet_list import COLUMNS

    known = [name for name in timm.list_models(pretrained=True) if "224" in name or "resn" in name]
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(COLUMNS)
        for number, name in enumerate(known[:: len(known) // count][:count]):
            lines.writerow([name, 224, round(60.0 + 0.2 * number % 30, 3), 5.0 + number, 0.875])
    return path


def noise(cell):
    """Normal, always the same for a model and an estimator."""
    text = f"{cell.settings['model']} {cell.estimator}"
    return float(np.random.default_rng(zlib.crc32(text.encode())).normal())


def measure(job, runs):
    """The task of the study, in a process of its own, beside any build of PyTorch."""
    import torchvision_operators
    from eigentropy.studies import imagenet

    torchvision_operators.install()
    yield from imagenet.measure(job, runs)


def refused(job, runs):
    """A task that is not to be called."""
    raise AssertionError(job)

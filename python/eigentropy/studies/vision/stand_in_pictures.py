"""Pictures that stand in for ImageNet's: CIFAR-10, which each network enlarges to its own size."""

from __future__ import annotations

import numpy as np

from eigentropy.studies.vision import pictures
from eigentropy.torch.features.images import ImageArray


def enlarged(per_class: int) -> ImageArray:
    """So many held-out pictures of each class with their classes, always the same."""
    held = pictures.load("cifar10")[1]
    rng = np.random.default_rng([0, 13])
    of_classes = [np.flatnonzero(held.y == label) for label in range(held.classes)]
    rows = np.concatenate([np.sort(rng.permutation(of)[:per_class]) for of in of_classes])
    some = held.some(rows)
    return ImageArray(np.ascontiguousarray(some.X.permute(0, 2, 3, 1).numpy()), some.y)

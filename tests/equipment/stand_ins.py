"""Embeddings that take no time, in the place of those of the library `phate`."""

from __future__ import annotations

import numpy as np

from eigentropy import embed
from eigentropy.embed.multislice import KernelSettings


def phate(rows, **_):
    """The first two columns."""
    return np.asarray(rows, dtype=float)[:, :2]


def mphate(units, **_):
    """The mean over the samples, and the mean of the first ten."""
    coordinates = np.stack([units.mean(axis=2), units[:, :, :10].mean(axis=2)], axis=-1)
    kernel = KernelSettings(2, 5.0, 1, 1e-4)
    return embed.UnitEmbedding(coordinates, kernel, 1, 0.0, None, 0)


def use(monkeypatch, is_installed=True):
    """Let the report embed by these, whether `phate` is installed or not."""
    monkeypatch.setattr(embed, "phate", phate)
    monkeypatch.setattr(embed, "mphate", mphate)
    for place in ("views", "embedding"):
        monkeypatch.setattr(f"eigentropy.report.{place}.has_phate", lambda: is_installed)
    monkeypatch.setattr("eigentropy.report.embedding.version_of", lambda _: "0")

"""Recorded runs of three steps, as a monitor writes them."""

from __future__ import annotations

import numpy as np

import eigentropy as eg
from eigentropy.report import Recorder

NASTY = '</script><script>alert("1")</script><!--<img src=x onerror=alert(2)>'

N = 40
LAYERS = ("first", "second")


def rows_of(step, layer):
    generator = np.random.default_rng(LAYERS.index(layer) if layer in LAYERS else 7)
    return generator.normal(size=(N, 3)) + step * np.eye(3)[np.arange(N) % 3]


def record(
    path, steps=(1, 2, 3), layers=LAYERS, description=None, loaded=None, information=(), **options
):
    """A run of some steps, as a monitor writes it; `information` are further measures."""
    recorder = Recorder(path, resume=loaded is not None, **options)
    recorder.describe(
        **{
            "layers": list(layers), "measures": ["dse", "dsmi_y"], "n": N, "t": 1.0, "base": 2.0,
            "seed": 0, "classes": [{"name": str(k), "size": N // 3 + 1} for k in range(3)],
            **(description or {}),
        }
    )  # fmt: skip
    if loaded is not None:
        recorder.loaded(loaded)
    further = dict(information).items()
    for step in steps:
        recorder.begin(step)
        values = {}
        for layer in layers:
            rows = rows_of(step, layer)
            entropy = eg.DiffusionOperator(rows).entropy()
            recorder.layer(layer, rows, entropy, np.arange(N) % 3)
            values[f"dse/{layer}"] = float(entropy)
            values[f"dsmi_y/{layer}"] = 0.1 * step
            values.update({f"{kind}/{layer}": 0.1 + value * step for kind, value in further})
        recorder.write({**values, "loss": 1.0 / (1 + step)}, step)
    return path


def write(path, text):
    path.write_text(text)
    return path

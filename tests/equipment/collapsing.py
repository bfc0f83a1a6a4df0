"""A layer that returns what a test says, in health and in each kind of collapse."""

from __future__ import annotations

import numpy as np
import torch

from eigentropy.torch import CollapseAlarm, Monitor

N, D, CLASSES = 60, 8, 5
LABELS = np.arange(N) % CLASSES
CENTRES = np.random.default_rng(0).normal(size=(CLASSES, D))
ROWS = CENTRES[LABELS] + np.random.default_rng(1).normal(size=(N, D))


class Returns(torch.nn.Module):
    """A model whose layers return these rows, whatever its input is: numbers of samples."""

    def __init__(self, layers=("layer",)):
        super().__init__()
        self.rows = dict.fromkeys(layers, ROWS)
        for name in layers:
            self.add_module(name, torch.nn.Identity())

    def forward(self, x):
        for name, rows in self.rows.items():
            getattr(self, name)(torch.as_tensor(rows)[x[:, 0].long()])


def few_directions(rows):
    return rows * np.where(np.arange(D) == 0, 1.0, 1e-3)


def few_points(rows):
    return CENTRES[LABELS] + 1e-3 * (rows - CENTRES[LABELS])


def a_point(rows):
    return 0.01 * rows


def nothing(rows):
    return 0.0 * rows


def one_direction(rows):
    return rows + 1000.0


def one_class(rows):
    """The middle one shrinks to a point."""
    mine = (LABELS == 1)[:, None]
    return np.where(mine, CENTRES[1] + 0.01 * (rows - CENTRES[1]), rows)


def healthy(rng, rows=ROWS):
    return rows + 0.1 * rng.normal(size=rows.shape)


def monitored(model=None, labels=LABELS, measures=("kernel", "kernel_y"), **options):
    model = model or Returns()
    x = torch.arange(N, dtype=torch.float32)[:, None]
    probe = x if labels is None else (x, labels)
    return Monitor(model, list(model.rows), probe=probe, measures=measures, **options)


def steps(monitor, model, count, collapse=None, layer="layer", until=lambda: False):
    """Take `count` measurements of a layer that collapses or not; returns the last values."""
    rng, values = np.random.default_rng(monitor.steps), None
    for _ in range(count):
        if until():
            break
        for name in model.rows:
            model.rows[name] = healthy(rng)
        if collapse is not None:
            model.rows[layer] = collapse(model.rows[layer])
        values = monitor.step()
    return values


def alarmed(collapse, looks=15, layers=("layer",), **options):
    """An alarm that has seen five healthy measurements and then others."""
    model = Returns(layers)
    of_monitor = {
        name: options.pop(name) for name in ("labels", "measures", "log") if name in options
    }
    with monitored(model, **of_monitor) as monitor:
        alarm = CollapseAlarm(monitor, reference=options.pop("reference", 5), **options)
        steps(monitor, model, 5)
        steps(monitor, model, looks, collapse)
        alarm.history = monitor.history
    return alarm

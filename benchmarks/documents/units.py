"""The picture of docs/how_to/units.md: M-PHATE of units that learn, and of units that memorise.

    python -m benchmarks.documents.units docs/figures/units.png
    python -m benchmarks.documents.pictures docs/figures/units.png

Networks of the study `units` with fewer units, of one seed: the second hidden layer on held-out
digits, some 25 times from before training to its end, closer together at first.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from eigentropy import embed
from eigentropy.studies import units
from eigentropy.studies.courses import Course
from eigentropy.studies.vision import pictures
from eigentropy.studies.vision.units import perceptron, recorded

TITLES = {units.LEARNING: "true labels", units.MEMORISING: "scrambled labels"}


def activations(labels: str, width: int, epochs: int, seed: int = 0) -> Any:
    """Units of the second layer (looks, units, pictures) while labels of this kind are learned."""
    training, heldout = pictures.load("digits")
    training, probe = training.at_most(units.EXAMPLES, seed), heldout.at_most(units.PROBE, seed)
    if labels == units.MEMORISING:
        training = training.relabelled(np.random.default_rng([seed, 3]).permutation(training.y))
    looks = {0, *(round(epochs ** (k / units.LOOKS)) for k in range(units.LOOKS + 1))}
    network = perceptron(training, units.LAYERS, width, seed)
    course = Course(epochs, 2e-3, 64)
    return recorded(network, training, course, seed, looks, {"": probe})[""][units.LAYERS[-1]]


def draw(path: Path, width: int, epochs: int) -> None:
    """Draw both networks, each with a scale of colours for its looks."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 4.0), layout="constrained")
    for axes, (labels, title) in zip(figure.subplots(1, 2), TITLES.items(), strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of dead units and groups not joined
            found = embed.mphate(activations(labels, width, epochs))
        found.plot(ax=axes)
        figure.axes[-1].set_ylabel("look")
        axes.set_title(title)
    figure.savefig(path, dpi=120)


def main(arguments: list[str] | None = None) -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, metavar="PNG")
    parser.add_argument("--width", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=240)
    options = parser.parse_args(arguments)
    draw(options.path, options.width, options.epochs)


if __name__ == "__main__":
    main()

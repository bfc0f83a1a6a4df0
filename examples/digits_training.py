"""Watch a hidden layer while a network learns, and while it only memorises.

A small network is trained twice on scikit-learn's handwritten digits: on their true labels, and on
the same labels permuted, which can be memorised but not learned. At every epoch its hidden layer Z
is measured on digits held out from training: how spread out it is, DSE(Z), and what it tells about
the labels, DSMI(Z;Y), and about the pixels, DSMI(Z;X).

    python examples/digits_training.py --output demo-output

prints a table and writes digits_training.csv and digits_training.png.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import eigentropy as eg

RUNS = ("true", "permuted")
DIGITS = np.arange(10)
COLOURS = {"true": "#0072B2", "permuted": "#D55E00"}  # Okabe and Ito: also apart for colour-blind

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Row:
    """One epoch of one run. Entropies and informations in bits; `_error` is a standard error."""

    labels: str
    epoch: int
    dse: float
    dsmi_y: float
    dsmi_y_error: float
    dsmi_y_p: float
    dsmi_y_adjusted: float
    dsmi_x: float
    dsmi_x_error: float
    accuracy_training: float
    accuracy_heldout: float
    accuracy_heldout_error: float


# --- measuring: the part that uses eigentropy ----------------------------------------------------


def measure(Z: Array, labels: Labels, X: Array, clusters_of_X: Labels) -> dict[str, float]:
    """What the representation Z (n, d) of the inputs X (n, 64) tells about itself, labels and X."""
    entropy = eg.dse(Z)
    about_labels = eg.dsmi(Z, labels)
    about_pixels = eg.dsmi(Z, X, clusters=clusters_of_X)
    return {
        "dse": float(entropy),
        "dsmi_y": float(about_labels),
        "dsmi_y_error": about_labels.standard_error,
        "dsmi_y_p": about_labels.p_value,
        "dsmi_y_adjusted": about_labels.adjusted(),
        "dsmi_x": float(about_pixels),
        "dsmi_x_error": about_pixels.standard_error,
    }


def cluster(X: Array) -> Labels:
    """Ten spectral clusters of the rows of X, found once and used at every epoch."""
    return eg.dsmi(X, X, n_clusters=10).clusters


# --- training ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Digits:
    """Half of the digits for training, half held out, with the labels that each run is told."""

    X_training: Array
    X_heldout: Array
    y_training: dict[str, Labels]
    y_heldout: dict[str, Labels]


def load(seed: int) -> Digits:
    """The digits, pixels from 0 to 1, and one permutation of all their labels."""
    X, y = load_digits(return_X_y=True)
    permuted = np.random.default_rng(seed).permutation(y)
    X_training, X_heldout, *halves = train_test_split(
        X / 16.0, y, permuted, test_size=0.5, stratify=y, random_state=seed
    )
    return Digits(
        X_training,
        X_heldout,
        y_training={"true": halves[0], "permuted": halves[2]},
        y_heldout={"true": halves[1], "permuted": halves[3]},
    )


def network(seed: int, learning_rate: float = 3e-3) -> MLPClassifier:
    """64 pixels, 128 rectified linear units, 10 digits; the seed decides the initial weights."""
    return MLPClassifier(
        hidden_layer_sizes=(128,),
        batch_size=32,
        learning_rate_init=learning_rate,
        random_state=seed,
    )


def training(X: Array, y: Labels, epochs: int, seed: int) -> Iterator[MLPClassifier]:
    """The network after 0, 1, .. epochs."""
    # Steps this small change no weight, so this network is the untrained one.
    yield network(seed, learning_rate=1e-30).partial_fit(X, y, classes=DIGITS)
    net = network(seed)
    for _ in range(epochs):
        yield net.partial_fit(X, y, classes=DIGITS)


def hidden_layer(net: MLPClassifier, X: Array) -> Array:
    """Activations (n, 128) of the hidden layer."""
    return np.maximum(X @ net.coefs_[0] + net.intercepts_[0], 0.0)


def accuracies(net: MLPClassifier, digits: Digits, run: str) -> dict[str, float]:
    """Shares of right answers, by the labels of this run."""
    heldout = net.score(digits.X_heldout, digits.y_heldout[run])
    return {
        "accuracy_training": net.score(digits.X_training, digits.y_training[run]),
        "accuracy_heldout": heldout,
        "accuracy_heldout_error": math.sqrt(heldout * (1 - heldout) / len(digits.X_heldout)),
    }


def watch(epochs: int, seed: int, progress: Progress) -> list[Row]:
    """Train both networks and measure each after every epoch."""
    digits = load(seed)
    clusters = cluster(digits.X_heldout)
    rows = []
    for run in RUNS:
        nets = training(digits.X_training, digits.y_training[run], epochs, seed)
        steps = progress.track(nets, total=epochs + 1, description=f"{run} labels")
        for epoch, net in enumerate(steps):
            Z = hidden_layer(net, digits.X_heldout)
            measured = measure(Z, digits.y_heldout[run], digits.X_heldout, clusters)
            rows.append(Row(run, epoch, **measured, **accuracies(net, digits, run)))
    return rows


# --- showing -------------------------------------------------------------------------------------


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """One line an epoch and run, six significant digits."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            values = asdict(row).items()
            writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in values})


def landmarks(epochs: int) -> list[int]:
    """0, 1, 3, 10, 30, 100, .. up to the last epoch."""
    steps = (digit * 10**power for power in range(9) for digit in (1, 3))
    return [0, *(step for step in steps if step < epochs), epochs]


def table(rows: Sequence[Row]) -> Table:
    """Some epochs of both runs, in 80 columns."""
    shown = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        title="The hidden layer Z on held-out digits, trained on true and on permuted labels\n",
        caption="DSE and DSMI in bits, ± null se: over random partitions, not over other samples; "
        "p: permutation test; adjusted: DSMI(Z;Y) from 0 to 1; train, held-out: accuracy\n",
    )
    headings = "epoch,DSE(Z),DSMI(Z;Y),p,adjusted,DSMI(Z;X),train,held-out"
    for heading in headings.split(","):
        shown.add_column(heading, justify="right", no_wrap=True)
    epochs = landmarks(max(row.epoch for row in rows))
    for run in RUNS:
        shown.add_row(f"[bold]{run}[/]")
        for row in rows:
            if row.labels == run and row.epoch in epochs:
                shown.add_row(*cells(row))
    return shown


def cells(row: Row) -> list[str]:
    """The numbers of one line of the table."""
    return [
        str(row.epoch),
        f"{row.dse:.3f}",
        f"{row.dsmi_y:.3f} ±{row.dsmi_y_error:.3f}",
        f"{row.dsmi_y_p:.2f}",
        f"{row.dsmi_y_adjusted:.3f}",
        f"{row.dsmi_x:.3f} ±{row.dsmi_x_error:.3f}",
        f"{row.accuracy_training:.1%}",
        f"{row.accuracy_heldout:.1%}",
    ]


def draw(rows: Sequence[Row], path: Path) -> None:
    """Four panels over the epochs, both runs in each."""
    figure = Figure(figsize=(9, 6.6), layout="constrained")
    figure.get_layout_engine().set(hspace=0.06, wspace=0.04)
    (accuracy, entropy), (about_labels, about_pixels) = figure.subplots(2, 2)
    for run in RUNS:
        series = [row for row in rows if row.labels == run]
        curve(accuracy, series, "accuracy_training", linestyle="--", linewidth=1.3)
        curve(accuracy, series, "accuracy_heldout")
        curve(entropy, series, "dse")
        curve(about_labels, series, "dsmi_y")
        curve(about_pixels, series, "dsmi_x")
        note_adjusted(about_labels, series)
    epochs = max(row.epoch for row in rows)
    finish(accuracy, epochs, "Accuracy", "share of digits")
    finish(entropy, epochs, "Entropy of the hidden layer, DSE(Z)", "bits")
    finish(about_labels, epochs, "Information about the labels, DSMI(Z;Y)", "bits")
    finish(about_pixels, epochs, "Information about the pixels, DSMI(Z;X)", "bits")
    explain_accuracy(accuracy)
    about_labels.set_ylim(bottom=-0.15)
    about_pixels.set_ylim(about_labels.get_ylim())
    figure.legend(
        entropy.lines,
        [f"trained on {run} labels" for run in RUNS],
        title="The hidden layer of a small network on handwritten digits held out from training",
        title_fontsize=12,
        fontsize=12,
        loc="outside upper center",
        ncols=2,
        frameon=False,
    )
    figure.savefig(path, dpi=150)


def curve(axes: Axes, series: Sequence[Row], name: str, **style: Any) -> None:
    """One quantity of one run, with a band of two standard errors where it has one."""
    colour = COLOURS[series[0].labels]
    epochs = [row.epoch for row in series]
    values = np.array([getattr(row, name) for row in series])
    axes.plot(epochs, values, color=colour, **{"linewidth": 2.2, **style})
    if hasattr(series[0], f"{name}_error"):
        band = 2 * np.array([getattr(row, f"{name}_error") for row in series])
        axes.fill_between(epochs, values - band, values + band, color=colour, alpha=0.2, lw=0)


def note_adjusted(axes: Axes, series: Sequence[Row]) -> None:
    """The adjusted information at the first and the last epoch, as text below the curve."""
    for row, shift, side in ((series[0], 12, "left"), (series[-1], 0, "right")):
        axes.annotate(
            f"adjusted {round(row.dsmi_y_adjusted, 2) + 0.0:.2f}",  # + 0.0: never -0.00
            (row.epoch, row.dsmi_y),
            xytext=(shift, -5),
            textcoords="offset points",
            horizontalalignment=side,
            verticalalignment="top",
            color=COLOURS[row.labels],
            fontsize=9,
        )


def finish(axes: Axes, epochs: int, title: str, unit: str) -> None:
    """Title, unit, and an epoch axis that shows the first epochs as well as the last."""
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_ylabel(unit)
    axes.set_xlabel("epoch")
    axes.set_xscale("symlog", linthresh=1, linscale=0.35)
    ticks = landmarks(epochs)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.grid(color="0.9", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)


def explain_accuracy(axes: Axes) -> None:
    """The chance level, and which line is which."""
    axes.axhline(1 / len(DIGITS), color="0.3", linestyle=":", linewidth=1.3, label="chance")
    axes.plot([], [], color="0.3", linewidth=1.3, linestyle="--", label="digits trained on")
    axes.plot([], [], color="0.3", linewidth=2.2, label="held-out digits")
    axes.legend(frameon=False, loc="center", bbox_to_anchor=(0.47, 0.57), fontsize=9, reverse=True)
    axes.set_ylim(0, 1.03)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("demo-output"), metavar="DIR")
    parser.add_argument("--figure", type=Path, metavar="PATH", help="default: in the output folder")
    parser.add_argument("--epochs", type=int, default=100)
    # Of the seeds 0 to 9, the one whose last epoch is nearest to the median of all ten.
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args(arguments)
    if options.epochs < 1:
        parser.error(f"--epochs must be at least 1, got {options.epochs}")
    if options.seed < 0:
        parser.error(f"--seed must be at least 0, got {options.seed}")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, measure, and write the table, the CSV and the figure."""
    options = parse(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    data = options.output / "digits_training.csv"
    figure = options.figure or options.output / "digits_training.png"
    with Progress(console=Console(stderr=True), transient=True) as progress:
        rows = watch(options.epochs, options.seed, progress)
    write_csv(rows, data)
    draw(rows, figure)
    Console().print(table(rows))
    print(f"every epoch: {data}\nfigure: {figure}")


if __name__ == "__main__":
    main()

"""Size of a report page, and the time in which a browser draws it.

    python -m benchmarks.documents.report_page --output benchmarks/results/report_page.json
    python -m benchmarks.documents.report_page --screenshot docs/figures/report.png

The first makes a run of 200 epochs and 8 layers with the recorder of a monitor, from rows of known
shape instead of a network's, writes its page and opens it in headless Chromium again and again.
The second trains a small network on digits, with true and with permuted labels, and photographs the
page of both. Run the first alone on the machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.shared.browser import chromium, complaints, open_page
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, write
from eigentropy import DiffusionOperator
from eigentropy.report import Recorder, page, read_run

MEASURES = ("dse", "dsmi_y", "dsmi_x")


def record_run(path: Path, epochs: int, layers: int, samples: int) -> None:
    """A run whose layers gather their samples into ten clusters, the later ones further."""
    generator = np.random.default_rng(0)
    names = [f"encoder.block.{k}" for k in range(layers)]
    groups = np.arange(samples) % 10
    noise = generator.normal(size=(layers, samples, 16))
    centres = generator.normal(size=(10, 16))[groups]
    recorder = Recorder(path, title=path.name, settings={"lr": 0.1, "optimizer": "SGD"})
    sizes = np.bincount(groups).tolist()
    classes = [{"name": str(k), "size": size} for k, size in enumerate(sizes)]
    recorder.describe(layers=names, measures=list(MEASURES), n=samples, t=1.0, sigma="auto",
                      alpha=0.5, base=2.0, seed=0, classes=classes)  # fmt: skip
    for epoch in range(1, epochs + 1):
        learned = 1 - np.exp(-3 * epoch / epochs)
        values: dict[str, float] = {}
        recorder.begin(epoch)
        for k, name in enumerate(names):
            rows = noise[k] + 3 * learned * (k + 1) / layers * centres
            entropy = DiffusionOperator(rows).entropy()
            recorder.layer(name, rows, entropy, groups)
            values[f"dse/{name}"] = float(entropy)
            for measure in MEASURES[1:]:
                value = 3.2 * learned * (k + 1) / layers + 0.02 * generator.normal()
                values[f"{measure}/{name}"] = value
                values[f"{measure}_adjusted/{name}"] = value / 3.3
        further = {"loss": 2.3 * (1 - learned), "loss/test": 2.4 - 2 * learned,
                   "accuracy": learned, "accuracy/test": 0.95 * learned}  # fmt: skip
        recorder.write({**values, **further}, epoch)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        run, file = Path(folder) / "run", Path(folder) / "page.html"
        record_run(run, options.epochs, options.layers, options.samples)
        start = time.perf_counter()
        file.write_text(page([read_run(run)]))
        written = time.perf_counter() - start
        with chromium() as driver:
            version = driver.capabilities["browserVersion"]
            milliseconds = [open_page(driver, file) for _ in range(options.rounds + 1)][1:]
            said = complaints(driver)
        if said:
            raise SystemExit(f"the console says: {said}")
        return {
            "machine": describe(),
            "chromium": version,
            "epochs": options.epochs,
            "layers": options.layers,
            "samples": options.samples,
            "bytes": file.stat().st_size,
            "bytes_of_run": sum(f.stat().st_size for f in run.rglob("*") if f.is_file()),
            "seconds_to_write": written,
            "rendered_milliseconds": {
                "median": statistics.median(milliseconds),
                "most": max(milliseconds),
                "rounds": options.rounds,
            },
        }


def train_on_digits(path: Path, permuted: bool, epochs: int) -> None:
    """A small convolutional network, watched on digits that it is not trained on."""
    import torch
    from sklearn.datasets import load_digits

    from eigentropy.torch import Monitor, Probe

    torch.manual_seed(0)
    X, y = load_digits(return_X_y=True)
    X = torch.tensor(X / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
    y = torch.tensor(np.random.default_rng(0).permutation(y) if permuted else y)
    order = torch.randperm(len(X))
    training, probe = order[:1000], order[1000:]
    nn = torch.nn
    model = nn.Sequential()
    for name, module in {
        "conv1": nn.Conv2d(1, 16, 3, padding=1), "relu1": nn.ReLU(), "pool1": nn.MaxPool2d(2),
        "conv2": nn.Conv2d(16, 32, 3, padding=1), "relu2": nn.ReLU(), "pool2": nn.MaxPool2d(2),
        "flat": nn.Flatten(), "hidden": nn.Linear(128, 64), "relu3": nn.ReLU(),
        "head": nn.Linear(64, 10),
    }.items():  # fmt: skip
        model.add_module(name, module)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    labels = "permuted labels" if permuted else "true labels"
    recorder = Recorder(path, title=labels, settings={"labels": labels, "optimizer": "Adam",
                                                      "lr": 2e-3, "batch": 50})  # fmt: skip
    with Monitor(
        model, ["pool1", "pool2", "relu3", "head"], Probe(X[probe], y[probe], max_points=300),
        measures=["dse", "dsmi_y", "dsmi_x"], sampling=True, record=recorder,
    ) as monitor:  # fmt: skip

        def scores() -> dict[str, float]:
            with torch.no_grad():
                said = {"train": model(X[training]), "held out": model(X[probe])}
            known = {"train": y[training], "held out": y[probe]}
            loss = nn.functional.cross_entropy
            return {
                **{f"loss/{k}": float(loss(said[k], known[k])) for k in said},
                **{
                    f"accuracy/{k}": float((said[k].argmax(1) == known[k]).float().mean())
                    for k in said
                },
            }

        monitor.measure(values=scores())
        for _ in range(epochs):
            for batch in training[torch.randperm(len(training))].split(50):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(X[batch]), y[batch]).backward()
                optimizer.step()
            monitor.step(values=scores())


def photograph(target: Path, epochs: int, keep: Path | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        runs = [Path(folder) / "true", Path(folder) / "permuted"]
        for path in runs:
            train_on_digits(path, path.name == "permuted", epochs)
        file = keep or Path(folder) / "page.html"
        file.write_text(page([read_run(run) for run in runs], "A small network on digits"))
        with chromium(1560, 1000) as driver:
            open_page(driver, file)
            driver.execute_script(  # the table would be long, and names this machine's folders
                "document.getElementById('settings').parentElement.remove();"
                "document.getElementById('footer').remove()"
            )
            height = driver.execute_script("return document.documentElement.scrollHeight")
            driver.set_window_size(1560, height + 200)
            driver.find_element("tag name", "body").screenshot(str(target))


def main() -> None:
    parser = argparse.ArgumentParser(description="Size and speed of a report page.")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--screenshot", type=Path, metavar="PNG")
    parser.add_argument("--page", type=Path, help="with --screenshot: keep the page here")
    options = parser.parse_args()
    if options.screenshot is not None:
        photograph(options.screenshot, min(options.epochs, 25), options.page)
        return
    result = measure(options)
    print(json.dumps(result, indent=1))
    if options.output is not None:
        write(options.output, rounded(result))


if __name__ == "__main__":
    main()

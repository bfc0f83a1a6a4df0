"""What a monitor costs beside the training of a convolutional network on scikit-learn's digits.

    python -m benchmarks.compare.monitor_cost --output benchmarks/results/monitor_cost.json

Epochs take turns, A B A B, in one process with the same threads: without a monitor, and with one
that measures DSE and DSMI(Z;Y) at the end of each epoch on 1000 samples, in the two ways in which a
loop can have it:

- "probe": the monitor passes its 1000 samples through the network by itself;
- "evaluation": the loop evaluates all digits after each epoch anyway, as most do, and the monitor
  watches these passes. The epochs that it is compared with evaluate, too.

The networks are that of `eigentropy study training`, and what a user would write for digits: two
convolutions, as in PyTorch's own example of MNIST; three with batch normalisation; and these three
times as wide. All are trained on all 1797
digits with Adam. A measurement on its own costs the same for all of them, so that the share falls
as the network grows. `every` is how many epochs should lie between two measurements for the cost to
be at most 5 %. Run it alone on the machine.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import nn

from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, write
from eigentropy.torch import Evaluation, Monitor, Probe

PROBE = 1000
GOAL = 0.05


def block(inputs: int, width: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    ]


def of_the_studies() -> nn.Sequential:
    """A convolution, ReLU and a halving, three times; the mean is the last hidden layer."""
    body = [nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    body += [nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    body += [nn.Conv2d(32, 64, 3, padding=1), nn.ReLU()]
    return named(body, [nn.AdaptiveAvgPool2d(1), nn.Flatten()], nn.Linear(64, 10))


def two_layers() -> nn.Sequential:
    body = [nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU()]
    hidden = [nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1024, 128), nn.ReLU()]
    return named(body, hidden, nn.Linear(128, 10))


def three_layers(width: int) -> nn.Sequential:
    body = [*block(1, width), *block(width, 2 * width), nn.MaxPool2d(2)]
    body += block(2 * width, 4 * width)
    hidden = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, 128), nn.ReLU()]
    return named(body, hidden, nn.Linear(128, 10))


def named(body: list[nn.Module], hidden: list[nn.Module], head: nn.Module) -> nn.Sequential:
    network = nn.Sequential()
    network.add_module("body", nn.Sequential(*body))
    network.add_module("hidden", nn.Sequential(*hidden))
    network.add_module("head", head)
    return network


NETWORKS: dict[str, Callable[[], nn.Sequential]] = {
    "the studies' ConvNet, 16 to 64 channels": of_the_studies,
    "2 convolutions, 32 and 64 channels": two_layers,
    "3 convolutions, 32 to 128 channels": lambda: three_layers(32),
    "3 convolutions, 96 to 384 channels": lambda: three_layers(96),
}
# The last hidden layer; and with it what the convolutions give and the output.
WATCHED = {1: ["hidden"], 3: ["body", "hidden", "head"]}


class Loop:
    """A network that is trained and evaluated, maybe with a monitor."""

    def __init__(self, make: Callable[[], nn.Sequential], batch: int, x: Any, y: Any) -> None:
        torch.manual_seed(0)
        self.network, self.batch, self.x, self.y = make(), batch, x, y
        self.optimizer = torch.optim.Adam(self.network.parameters())
        self.monitor: Monitor | None = None
        self.right = 0

    def epoch(self, evaluates: bool) -> float:
        """Seconds of an epoch, with the evaluation and the measurement at its end."""
        start = time.perf_counter()
        for part in torch.randperm(len(self.x)).split(self.batch):
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.network(self.x[part]), self.y[part])
            loss.backward()
            self.optimizer.step()
        if evaluates:
            self.evaluate()
        if self.monitor is not None:
            self.monitor.step()
        return time.perf_counter() - start

    def evaluate(self) -> None:
        self.network.eval()
        with torch.no_grad():
            for x, y in zip(self.x.split(128), self.y.split(128), strict=True):
                self.right += int((self.network(x).argmax(dim=1) == y).sum())
                if self.monitor is not None:
                    self.monitor.collect(y)
        self.network.train()


def case(
    name: str,
    batch: int,
    layers: int,
    way: str,
    rounds: int,
    samples: int = PROBE,
    networks: Mapping[str, Callable[[], nn.Sequential]] = NETWORKS,
) -> dict[str, object]:
    digits = load_digits()
    x = torch.tensor(digits.data, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16.0
    y = torch.tensor(digits.target)
    probe = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:samples]
    alone, watched = (Loop(networks[name], batch, x, y) for _ in range(2))
    source = Evaluation(samples) if way == "evaluation" else Probe(x[probe], y[probe])
    watched.monitor = Monitor(watched.network, WATCHED[layers], source, pooling="mean")
    seconds: dict[str, list[float]] = {"without": [], "with": []}
    for number in range(rounds + 1):
        for label, loop in (("without", alone), ("with", watched)):
            taken = loop.epoch(evaluates=way == "evaluation")
            if number > 0:  # the first warms up
                seconds[label].append(taken)
    medians = {label: statistics.median(times) for label, times in seconds.items()}
    ratios = [b / a for a, b in zip(seconds["without"], seconds["with"], strict=True)]
    share = statistics.median(ratios) - 1.0
    return {
        "network": name,
        "parameters": sum(p.numel() for p in alone.network.parameters()),
        "batch": batch,
        "layers": layers,
        "way": way,
        "rounds": rounds,
        "median_seconds": medians,
        "least_seconds": {label: min(times) for label, times in seconds.items()},
        "share": share,
        "every": max(1, math.ceil(share / GOAL)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="The cost of a monitor beside the training.")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--layers", type=int, nargs="+", choices=WATCHED, default=list(WATCHED))
    parser.add_argument("--networks", type=int, default=len(NETWORKS), help="the first so many")
    options = parser.parse_args()
    result: dict[str, object] = {
        "machine": describe(),
        "torch_threads": torch.get_num_threads(),
        "samples": PROBE,
        "measures": ["dse", "dsmi_y"],
    }
    cases = [
        case(name, batch, layers, way, options.rounds)
        for name in list(NETWORKS)[: options.networks]
        for batch in options.batch
        for layers in options.layers
        for way in ("probe", "evaluation")
    ]
    result["cases"] = cases
    for one in cases:
        print(json.dumps(one))
    if options.output is not None:
        write(options.output, rounded(result))


if __name__ == "__main__":
    main()

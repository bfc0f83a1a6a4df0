"""The network of MINE: its training, by a bound of the information, and the bound itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eigentropy._support.progress import Callback
from eigentropy.baselines._mine_pairs import Pairs
from eigentropy.baselines._pytorch import require_torch

BOUNDS = ("dv", "f")

# How many other rows each held-out row is paired with for the second expectation: enough for its
# error to be below the error of the first expectation.
PAIRINGS = 20

# Weight of the newest batch in the moving average of E exp T.
AVERAGE_RATE = 0.01

DIVERGED = (
    "MINE diverged {}: its bound is not finite; pass a smaller learning_rate, a larger batch_size, "
    "or bound='f'"
)


@dataclass(frozen=True)
class TrainingOptions:
    """The options of `mine.mutual_information`, checked."""

    bound: str
    hidden: tuple[int, ...]
    epochs: int
    batch_size: int
    learning_rate: float
    bias_corrected: bool
    held_out: float
    patience: float
    seed: int


def _torch() -> Any:
    return require_torch("MINE needs")


def multiplications(pairs: Pairs, options: TrainingOptions) -> int:
    """Of the largest layer and a batch: what decides how many threads are worth while."""
    columns: int = sum(part.shape[1] for part in pairs.training)
    return columns * max(options.hidden, default=1) * options.batch_size


def _network(inputs: int, hidden: Sequence[int], generator: Any) -> Any:
    """Rectified linear layers with the uniform weights of He et al., and one output."""
    torch = _torch()
    layers: list[Any] = []
    for units in (*hidden, 1):
        # Without the usual weights, which would be drawn from the global state.
        layer = torch.nn.utils.skip_init(
            torch.nn.Linear, inputs, units, device="cpu", dtype=torch.float32
        )
        with torch.no_grad():
            reach = 1.0 / math.sqrt(inputs)
            layer.weight.uniform_(-reach, reach, generator=generator)
            layer.bias.zero_()
        layers += [layer, torch.nn.ReLU()]
        inputs = units
    return torch.nn.Sequential(*layers[:-1])


def trained(
    pairs: Pairs, options: TrainingOptions, generator: Any, progress: Callback | None
) -> Any:
    """The network with the weights whose bound on the validation pairs is largest.

    Raises
    ------
    FloatingPointError
        The loss or the bound is not finite.
    """
    torch = _torch()
    x, y = pairs.training
    network = _network(x.shape[1] + y.shape[1], options.hidden, generator)
    optimiser = torch.optim.Adam(network.parameters(), lr=options.learning_rate)
    # The same strangers each time, so that two epochs are compared by their weights alone.
    judge = options.seed + 1
    best, best_epoch, weights = -math.inf, 0, _copied(network)
    average, step = math.nan, 0
    for epoch in range(options.epochs):
        order = torch.randperm(len(x), generator=generator, device="cpu")
        for rows in order.split(options.batch_size):
            if len(rows) < 2:  # no strangers among them
                continue
            joint, strangers = _scores(network, x[rows], y[rows], generator)
            loss, average = _loss(joint, strangers, average, options)
            if not math.isfinite(loss.item()):
                raise FloatingPointError(DIVERGED.format(f"at step {step}"))
            optimiser.zero_grad()
            loss.backward()
            with torch.device("cpu"):  # where Adam's first step counts its steps
                optimiser.step()
            step += 1
        value, _ = evaluate(
            network, pairs.validation, options.bound, torch.Generator("cpu").manual_seed(judge)
        )
        if not math.isfinite(value):
            raise FloatingPointError(DIVERGED.format(f"at step {step}"))
        if value > best:
            best, best_epoch, weights = value, epoch, _copied(network)
        if progress is not None:
            progress((epoch + 1) / options.epochs)
        if epoch - best_epoch >= options.patience:
            break
    network.load_state_dict(weights)
    return network


def _copied(network: Any) -> dict[str, Any]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def _scores(network: Any, x: Any, y: Any, generator: Any) -> tuple[Any, Any]:
    """T of the pairs, and of strangers: y of another row, by a cyclic shift."""
    torch = _torch()
    shift = int(torch.randint(1, len(x), (1,), generator=generator, device="cpu"))
    strangers = torch.roll(y, shift, dims=0)
    both = network(torch.cat([torch.cat([x, y], dim=1), torch.cat([x, strangers], dim=1)]))[:, 0]
    return both[: len(x)], both[len(x) :]


def _loss(
    joint: Any, strangers: Any, average: float, options: TrainingOptions
) -> tuple[Any, float]:
    """Minus the bound, or something with its gradient, and log E exp T averaged over batches."""
    torch = _torch()
    if options.bound == "f":
        return torch.exp(strangers - 1.0).mean() - joint.mean(), average
    log_mean = torch.logsumexp(strangers, dim=0) - math.log(len(strangers))
    if not options.bias_corrected:
        return log_mean - joint.mean(), average
    now = float(log_mean.detach())
    average = now if math.isnan(average) else moving_average(average, now)
    # The gradient of E exp T over the average, instead of over the mean of this batch.
    return torch.exp(log_mean - average) - joint.mean(), average


def moving_average(average: float, now: float) -> float:
    """The moving average of exp, in logarithms, which do not overflow."""
    return float(np.logaddexp(math.log1p(-AVERAGE_RATE) + average, math.log(AVERAGE_RATE) + now))


def evaluate(
    network: Any, rows: tuple[Any, Any], bound: str, generator: Any
) -> tuple[float, float]:
    """The bound in nats, and its standard error by the spread of its terms."""
    torch = _torch()
    x, y = rows
    with torch.no_grad():
        drawn = [_scores(network, x, y, generator) for _ in range(min(PAIRINGS, len(x) - 1))]
    joint = drawn[0][0].double()
    strangers = torch.stack([other for _, other in drawn]).double()
    if bound == "f":
        each = torch.exp(strangers - 1.0)
        value = float(joint.mean() - each.mean())
    else:
        log_mean = float(torch.logsumexp(strangers.flatten(), dim=0)) - math.log(strangers.numel())
        each = torch.exp(strangers - log_mean)
        value = float(joint.mean()) - log_mean
    # Both terms have the same rows: their mean over the pairings of a row is what is independent.
    spread = float((joint - each.mean(dim=0)).std()) if len(joint) > 1 else math.nan
    return value, spread / math.sqrt(len(joint))

"""Mutual information by a network that is trained to tell pairs from strangers (MINE)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import as_matrix, as_numpy
from eigentropy._kernels.groups import KINDS, group_codes, infer_kind
from eigentropy._support.options import integer, logarithm_base, one_of, positive
from eigentropy._support.progress import Callback, reporter
from eigentropy.baselines._estimate import Estimate
from eigentropy.baselines._pytorch import require_torch, threads_for

BOUNDS = ("dv", "f")

# Share of the rows that are not held out by whose bound training is stopped.
VALIDATION = 0.125

# Each held-out row is paired with so many others for the second expectation: enough for its error
# to be below that of the first.
PAIRINGS = 20

# Weight of the newest batch in the moving average of E exp T.
AVERAGE_RATE = 0.01


def mutual_information(
    X: Any,
    Y: Any,
    *,
    kind: str = "auto",
    bound: str = "dv",
    hidden: Sequence[int] = (100, 100),
    epochs: int = 200,
    batch: int = 250,
    learning_rate: float = 1e-3,
    bias_corrected: bool = True,
    held_out: float = 0.2,
    patience: int | None = 20,
    base: float = 2.0,
    seed: int = 0,
    progress: bool | Callback = False,
) -> Estimate:
    r"""Mutual information neural estimation (MINE).

    A network T(x, y) is trained to make a lower bound of the information large, by gradient ascent
    over batches of pairs (x, y) and of strangers (x, y'), whose y' is of another row:

    - "dv", Donsker and Varadhan: :math:`I \ge E_{xy} T - \log E_x E_{y'} e^{T}`
    - "f", of f-divergences: :math:`I \ge E_{xy} T - E_x E_{y'} e^{T - 1}`, looser, but a batch
      gives its gradient without bias.

    The gradient of the first has E exp T in a denominator, where the mean of a batch would bias it.
    With `bias_corrected`, a moving average over batches is put there.

    The rows are divided at random: a share `held_out` on which the bound is evaluated, of the
    others one in eight by whose bound training is stopped, and the rest, on which it is trained.
    The weights are those with which the bound of the second part was largest. Columns are
    standardised by the training rows, which no information depends on.

    Where it fails: the bound is loose where the network has not learned enough, as it has not in
    many columns with few rows, and its variance grows as exp(I).

    Parameters
    ----------
    X : array-like of shape (n, d), or (n,) for scalars
    Y : array-like of length n
        Labels, which become one column each (one-hot); scalars; or vectors (n, m).
    kind : {"auto", "labels", "scalars", "vectors"}
        What Y is, as in `eigentropy.diffusion_spectral_mutual_information`.
    bound : {"dv", "f"}
    hidden : sequence of int
        Units of each hidden layer of T, rectified linear.
    epochs : int
        Passes over the training rows, at most.
    batch : int
        Rows of a batch.
    learning_rate : float
        Of Adam.
    bias_corrected : bool
        For "dv"; "f" needs no correction.
    held_out : float
        Between 0 and 1.
    patience : int, optional
        Training stops when the bound has not grown for so many epochs. None: never.
    base : float
        Of the logarithm: 2 gives bits, math.e nats.
    seed : int
        Of the division, the weights, the batches and the strangers. No global random state is
        read or changed; the same seed gives the same value on the same machine and PyTorch.
    progress : bool or callable
        Show a bar on stderr, or call it with the fraction that is done.

    Returns
    -------
    Estimate
        With the standard error of the evaluation; it knows nothing of how loose the bound is. A
        bound may be negative and is reported as it is.

    Raises
    ------
    FloatingPointError
        Training diverged; the message names the step.
    ImportError
        PyTorch is missing.
    ValueError, TypeError
        An argument of the wrong value or type; X and Y of different lengths; NaN or infinity; too
        few rows to divide.

    References
    ----------
    Belghazi et al.: Mutual information neural estimation. ICML 2018, arXiv:1801.04062.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, noise = rng.normal(size=(2, 2000))
    >>> y = 0.9 * x + 0.436 * noise               # correlation 0.9: 1.2 bits
    >>> bool(0.9 < mutual_information(x, y) < 1.4)
    True
    """
    settings = _Settings(
        one_of(bound, "bound", BOUNDS),
        tuple(integer(units, "hidden", at_least=1) for units in hidden),
        integer(epochs, "epochs", at_least=1),
        integer(batch, "batch", at_least=2),
        positive(learning_rate, "learning_rate"),
        bool(bias_corrected),
        _share(held_out),
        math.inf if patience is None else integer(patience, "patience", at_least=1),
        integer(seed, "seed", at_least=0),
    )
    base = logarithm_base(base)
    x, y = _columns(X, "X"), _second(Y, kind)
    if len(x) != len(y):
        raise ValueError(f"Y has {len(y)} entries, X has {len(x)} rows")
    torch = _torch()
    generator = torch.Generator().manual_seed(settings.seed)
    pairs = _divided(x, y, settings, generator)
    with (
        reporter(progress, "MINE") as callback,
        threads_for(torch, _multiplications(pairs, settings)),
    ):
        network = _train(pairs, settings, generator, callback)
        value, error = _evaluate(network, pairs.held_out, settings.bound, generator)
    if not math.isfinite(value):
        raise FloatingPointError(_DIVERGED.format("in the evaluation"))
    nats = math.log(base)
    shown = {"bound": bound, "epochs": epochs, "held_out": held_out, "seed": seed}
    return Estimate(value / nats, "MINE", len(x), base, error / nats, shown)


_DIVERGED = (
    "MINE diverged {}: its bound is not finite; pass a smaller learning_rate, a larger batch, or "
    "bound='f'"
)


@dataclass(frozen=True)
class _Settings:
    bound: str
    hidden: tuple[int, ...]
    epochs: int
    batch: int
    learning_rate: float
    bias_corrected: bool
    held_out: float
    patience: float
    seed: int


@dataclass(frozen=True)
class _Pairs:
    """Rows (x, y) as tensors, for training, for stopping and for the evaluation."""

    training: tuple[Any, Any]
    validation: tuple[Any, Any]
    held_out: tuple[Any, Any]


def _torch() -> Any:
    return require_torch("MINE needs")


def _multiplications(pairs: _Pairs, settings: _Settings) -> int:
    columns: int = sum(part.shape[1] for part in pairs.training)
    return columns * max(settings.hidden, default=1) * settings.batch


def _share(value: float) -> float:
    number = positive(value, "held_out")
    if number >= 1.0:
        raise ValueError(f"held_out must be between 0 and 1, got {value!r}")
    return number


def _columns(values: Any, name: str) -> npt.NDArray[Any]:
    array = as_numpy(values, name)
    return as_matrix(array[:, None] if array.ndim == 1 else array, name)


def _second(Y: Any, kind: str) -> npt.NDArray[Any]:
    """Y as columns of numbers: labels as one-hot rows."""
    values = as_numpy(Y, "Y")
    one_of(kind, "kind", KINDS)
    kind = infer_kind(values) if kind == "auto" else kind
    if kind != "labels":
        return _columns(values, "Y")
    codes = group_codes(values, len(values), "labels", 1, None)
    return np.eye(int(codes.max()) + 1)[codes]


def _divided(
    x: npt.NDArray[Any], y: npt.NDArray[Any], settings: _Settings, generator: Any
) -> _Pairs:
    torch, n = _torch(), len(x)
    evaluated = round(settings.held_out * n)
    validated = round(VALIDATION * (n - evaluated))
    trained = n - evaluated - validated
    if min(evaluated, validated, trained) < 2:
        raise ValueError(f"X has {n} rows, too few to hold out {settings.held_out:g} of them")
    order = torch.randperm(n, generator=generator).numpy()
    parts = np.split(order, [trained, trained + validated])
    tensors = [_standardised(values, parts[0]) for values in (x, y)]
    return _Pairs(*((tensors[0][part], tensors[1][part]) for part in parts))


def _standardised(values: npt.NDArray[Any], rows: npt.NDArray[Any]) -> Any:
    """Mean 0 and variance 1 on these rows, as far as a column varies there."""
    known = values[rows]
    deviation = known.std(axis=0)
    deviation[deviation == 0.0] = 1.0  # a constant column
    return _torch().from_numpy(((values - known.mean(axis=0)) / deviation).astype(np.float32))


def _network(inputs: int, hidden: Sequence[int], generator: Any) -> Any:
    """Rectified linear layers with the uniform weights of He et al., and one output."""
    torch = _torch()
    layers: list[Any] = []
    for units in (*hidden, 1):
        # Without the usual weights, which would be drawn from the global state.
        layer = torch.nn.utils.skip_init(torch.nn.Linear, inputs, units)
        with torch.no_grad():
            reach = 1.0 / math.sqrt(inputs)
            layer.weight.uniform_(-reach, reach, generator=generator)
            layer.bias.zero_()
        layers += [layer, torch.nn.ReLU()]
        inputs = units
    return torch.nn.Sequential(*layers[:-1])


def _train(pairs: _Pairs, settings: _Settings, generator: Any, progress: Callback | None) -> Any:
    torch = _torch()
    x, y = pairs.training
    network = _network(x.shape[1] + y.shape[1], settings.hidden, generator)
    optimiser = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    # The same strangers each time, so that two epochs are compared by their weights alone.
    judge = settings.seed + 1
    best, best_epoch, weights = -math.inf, 0, _copied(network)
    average, step = math.nan, 0
    for epoch in range(settings.epochs):
        for rows in torch.randperm(len(x), generator=generator).split(settings.batch):
            if len(rows) < 2:  # no strangers among them
                continue
            joint, strangers = _scores(network, x[rows], y[rows], generator)
            loss, average = _loss(joint, strangers, average, settings)
            if not math.isfinite(loss.item()):
                raise FloatingPointError(_DIVERGED.format(f"at step {step}"))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            step += 1
        value, _ = _evaluate(
            network, pairs.validation, settings.bound, torch.Generator().manual_seed(judge)
        )
        if not math.isfinite(value):
            raise FloatingPointError(_DIVERGED.format(f"at step {step}"))
        if value > best:
            best, best_epoch, weights = value, epoch, _copied(network)
        if progress is not None:
            progress((epoch + 1) / settings.epochs)
        if epoch - best_epoch >= settings.patience:
            break
    network.load_state_dict(weights)
    return network


def _copied(network: Any) -> dict[str, Any]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def _scores(network: Any, x: Any, y: Any, generator: Any) -> tuple[Any, Any]:
    """T of the pairs, and of strangers: y of another row, by a cyclic shift."""
    torch = _torch()
    shift = int(torch.randint(1, len(x), (1,), generator=generator))
    strangers = torch.roll(y, shift, dims=0)
    both = network(torch.cat([torch.cat([x, y], dim=1), torch.cat([x, strangers], dim=1)]))[:, 0]
    return both[: len(x)], both[len(x) :]


def _loss(joint: Any, strangers: Any, average: float, settings: _Settings) -> tuple[Any, float]:
    """Minus the bound, or something with its gradient, and log E exp T averaged over batches."""
    torch = _torch()
    if settings.bound == "f":
        return torch.exp(strangers - 1.0).mean() - joint.mean(), average
    log_mean = torch.logsumexp(strangers, dim=0) - math.log(len(strangers))
    if not settings.bias_corrected:
        return log_mean - joint.mean(), average
    now = float(log_mean.detach())
    average = now if math.isnan(average) else _mixed(average, now)
    # The gradient of E exp T over the average, instead of over the mean of this batch.
    return torch.exp(log_mean - average) - joint.mean(), average


def _mixed(average: float, now: float) -> float:
    """The moving average of exp, in logarithms, which do not overflow."""
    return float(np.logaddexp(math.log1p(-AVERAGE_RATE) + average, math.log(AVERAGE_RATE) + now))


def _evaluate(
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

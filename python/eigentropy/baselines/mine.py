"""Mutual information by a network that is trained to tell pairs from strangers (MINE)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from eigentropy._support.options import integer, logarithm_base, one_of, positive
from eigentropy._support.progress import Callback, reporter
from eigentropy._support.signatures import named_options
from eigentropy.baselines._estimate import BaselineEstimate
from eigentropy.baselines._mine_network import (
    BOUNDS,
    DIVERGED,
    TrainingOptions,
    evaluate,
    multiplications,
    trained,
)
from eigentropy.baselines._mine_pairs import as_columns, divided, second_columns
from eigentropy.baselines._pytorch import require_torch, threads_for, usual_modes


@named_options(batch="batch_size")
def mutual_information(
    X: Any,
    Y: Any,
    *,
    kind: str = "auto",
    bound: str = "dv",
    hidden: Sequence[int] = (100, 100),
    epochs: int = 200,
    batch_size: int = 250,
    learning_rate: float = 1e-3,
    bias_corrected: bool = True,
    held_out: float = 0.2,
    patience: int | None = 20,
    base: float = 2.0,
    seed: int = 0,
    progress: bool | Callback = False,
) -> BaselineEstimate:
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
    batch_size : int
        Rows of a batch.
    learning_rate : float
        Of Adam.
    bias_corrected : bool
        For "dv"; "f" needs no correction.
    held_out : float
        Between 0 and 1.
    patience : int, optional
        Training stops after this many epochs without a larger bound. None: never.
    base : float
        Of the logarithm: 2 gives bits, math.e nats.
    seed : int
        Of the division, the weights, the batches and the strangers. No global random state is
        read or changed; the same seed gives the same value on the same machine and PyTorch.
    progress : bool or callable
        Show a bar on stderr, or call it with the fraction that is done.

    Returns
    -------
    BaselineEstimate
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
    options = TrainingOptions(
        one_of(bound, "bound", BOUNDS),
        tuple(integer(units, "hidden", at_least=1) for units in hidden),
        integer(epochs, "epochs", at_least=1),
        integer(batch_size, "batch_size", at_least=2),
        positive(learning_rate, "learning_rate"),
        bool(bias_corrected),
        _share(held_out),
        math.inf if patience is None else integer(patience, "patience", at_least=1),
        integer(seed, "seed", at_least=0),
    )
    base = logarithm_base(base)
    x, y = as_columns(X, "X"), second_columns(Y, kind)
    if len(x) != len(y):
        raise ValueError(f"Y has {len(y)} entries, X has {len(x)} rows")
    torch = require_torch("MINE needs")
    generator = torch.Generator("cpu").manual_seed(options.seed)
    pairs = divided(x, y, options.held_out, generator)
    with (
        reporter(progress, "MINE") as callback,
        usual_modes(torch),
        threads_for(torch, multiplications(pairs, options)),
    ):
        network = trained(pairs, options, generator, callback)
        value, error = evaluate(network, pairs.held_out, options.bound, generator)
    if not math.isfinite(value):
        raise FloatingPointError(DIVERGED.format("in the evaluation"))
    nats = math.log(base)
    shown = {"bound": bound, "epochs": epochs, "held_out": held_out, "seed": seed}
    return BaselineEstimate(value / nats, "MINE", len(x), base, error / nats, shown)


def _share(value: float) -> float:
    number = positive(value, "held_out")
    if number >= 1.0:
        raise ValueError(f"held_out must be between 0 and 1, got {value!r}")
    return number

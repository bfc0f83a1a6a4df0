"""How many pairs of tiles a GPU computes from products of rows, and how many from differences.

    python -m benchmarks.accuracy.tensor_pairs --output benchmarks/results/tensor_pairs.json

The rule of csrc/cuda/kernel/precision.hpp for tiles of float32 on tensor cores, in NumPy, with
sigma="auto", or "narrow" where that is said. `before` is the rule that it replaced: rows in the
caller's order, one constant for the larger of two tiles' norms, taken from sums of the host, and no
tile left out. Nothing is computed on a device: tests/benchmarks/test_tensor_pairs.py compares with
what the plug-in says.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import eigentropy as eg
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, to_columns, write
from eigentropy.distributed.centering import Centering
from eigentropy.distributed.ranks import Ranks

Array = npt.NDArray[Any]

EPS = float(np.finfo(np.float32).eps)
TOLERANCE = 1e-5  # exponent_tolerance<float>
SIDE = 128  # of a tile
AT_ONCE, OTHERS = 32, 8.0  # sum_of_products of the tensor cores' path, whose rows are one chain
WIDEST_BLOCK = 1024


class Data(NamedTuple):
    """Rows, and the rule for sigma."""

    name: str
    Z: Array
    rule: str = "median"


def norms_of(Z: Array, sigma: float) -> tuple[Array, float]:
    """|x|^2 of the rows around their centre, and the exponent that squared distances have."""
    local = np.ascontiguousarray(Z)
    packed = Centering.of(local, [len(Z)], Ranks(), sigma, "float32").packed(local)
    return packed.norms[: len(Z)], packed.exponent


def tiles_of(norms: Array, side: int) -> tuple[Array, Array]:
    """The least and the largest norm of each tile."""
    starts = np.arange(0, len(norms), side)
    return np.minimum.reduceat(norms, starts), np.maximum.reduceat(norms, starts)


def ways_before(norms: Array, exponent: float, d: int, side: int = SIDE) -> dict[str, int]:
    """The rule of one constant for all rows, in the caller's order."""
    blocks = math.ceil(d / WIDEST_BLOCK)
    factor = 4.0 + math.sqrt(d) if blocks == 1 else 16.0 + math.sqrt(blocks)
    largest = TOLERANCE / ((factor + 8.0) * EPS * -exponent)
    good = int((tiles_of(norms, side)[1] <= largest).sum())
    count = math.ceil(len(norms) / side)
    return {"products": good**2, "differences": count**2 - good**2, "nothing": 0}


def ways(norms: Array, exponent: float, d: int, side: int = SIDE) -> dict[str, int]:
    """PrecisionRule::way of each pair of tiles of rows sorted by norm."""
    least, largest = tiles_of(np.sort(norms), side)
    shortest = np.sqrt(least.astype(np.float64)) * (1.0 - 2.0 * EPS)
    longest = np.sqrt(largest.astype(np.float64)) * (1.0 + 2.0 * EPS)
    additions = math.ceil(d / AT_ONCE)
    unit = EPS * -exponent / TOLERANCE
    of_products = unit * (math.sqrt(additions + 1) + OTHERS)
    gap = np.maximum(shortest[:, None] - longest, shortest - longest[:, None])
    r2 = np.maximum(gap, 0.0) ** 2
    squares = longest[:, None] ** 2 + longest**2
    error = unit * squares + of_products * np.outer(longest, longest)
    nothing = r2 > 152.0 / (-exponent * math.log2(math.e))
    near = (46.0 + 2.0 * TOLERANCE * error) / -exponent
    products = ~nothing & ((error <= 1.0) | (r2 > near))
    return {
        "products": int(products.sum()),
        "differences": int((~nothing & ~products).sum()),
        "nothing": int(nothing.sum()),
    }


def student(rng: np.random.Generator, n: int, d: int, freedom: float) -> Array:
    """Rows of the multivariate t distribution."""
    return rng.standard_normal((n, d)) / np.sqrt(rng.chisquare(freedom, (n, 1)) / freedom)


def made(n: int) -> Iterator[Data]:
    rng = np.random.default_rng(0)
    for d in (16, 128, 784):
        yield Data(f"Gaussian, d = {d}", rng.standard_normal((n, d)))
    for d in (128, 784):
        features = np.maximum(rng.standard_normal((n, d)), 0.0)
        yield Data(
            f"ReLU features with log-normal lengths, d = {d}",
            features * rng.lognormal(0.0, 0.5, (n, 1)),
        )
    for freedom in (3, 4):
        yield Data(f"Student t{freedom}, d = 128", student(rng, n, 128, freedom))
    yield Data("Student t3, d = 16, narrow", student(rng, n, 16, 3), "narrow")
    centres = rng.standard_normal((n // 20, 256))
    noise = 1e-3 * rng.standard_normal((n, 256))
    yield Data("near-duplicates, 20 each, d = 256", centres[np.arange(n) % len(centres)] + noise)
    far = 1e3 * rng.standard_normal((3, 64))
    yield Data("three far clusters, d = 64", far[np.arange(n) % 3] + rng.standard_normal((n, 64)))
    spectrum = np.arange(1, 513) ** -0.5
    yield Data("decaying spectrum, d = 512", rng.standard_normal((n, 512)) * spectrum)


def real(n: int, states: Path | None) -> Iterator[Data]:
    from sklearn.datasets import load_breast_cancer, load_digits

    yield Data("digits (pictures), d = 64", load_digits().data[:n])
    yield Data("breast cancer (measured cells), d = 30", load_breast_cancer().data[:n])
    if states is not None:
        layers = np.load(states, mmap_mode="r")
        for layer in (0, len(layers) // 2, len(layers) - 1):
            Z = np.asarray(layers[layer, :n], np.float32)
            yield Data(f"MiniLM, tokens of film reviews, layer {layer}, d = {Z.shape[1]}", Z)


def measured(name: str, Z: Array, rule: str) -> dict[str, Any]:
    width = eg.bandwidth(Z, rule)
    norms, exponent = norms_of(np.asarray(Z, np.float32), width)
    d = Z.shape[1]
    return {
        "data": name,
        "n": len(Z),
        "d": d,
        "sigma": width,
        "before": ways_before(norms, exponent, d),
        "after": ways(norms, exponent, d),
    }


def share(found: dict[str, int], way: str) -> float:
    return found[way] / sum(found.values())


def line(row: dict[str, Any]) -> str:
    before, after = row["before"], row["after"]
    return (
        f"{row['data']:55s} n = {row['n']:6d}  differences {share(before, 'differences'):6.1%} -> "
        f"{share(after, 'differences'):6.1%}  left out {share(after, 'nothing'):6.1%}"
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--n", type=int, default=20_000)
    parser.add_argument(
        "--states",
        type=Path,
        help="layers x tokens x d as an .npy file: scripts/write_token_states.py writes one",
    )
    options = parser.parse_args(arguments)
    rows = []
    for data in chain(made(options.n), real(options.n, options.states)):
        rows.append(measured(*data))
        print(line(rows[-1]), flush=True)
    if options.output:
        write(options.output, rounded({"machine": describe(), "rows": to_columns(rows)}, 4))


if __name__ == "__main__":
    main()

"""Forward and backward pass of SpectralEntropy beside autograd through torch's own operations.

    python benchmarks/torch_gradient.py --output benchmarks/results/torch_gradient.json

Both take turns, A B A B, in one process with the same threads and the same width of the kernel. The
peer is what a user of PyTorch would write: cdist, exp, eigvalsh and autograd. `auto` is the module
as it is used, with its own choice of sigma, which the peer does not have to make. Fails where the
gradients differ. Run it alone on the machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from eigentropy.torch import SpectralEntropy
from machine import describe

TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-3}


def by_autograd(Z: torch.Tensor, sigma: float) -> torch.Tensor:
    G = torch.exp(torch.cdist(Z, Z) ** 2 / (-2 * sigma**2))
    q = G.sum(dim=1)
    K = G / torch.sqrt(torch.outer(q, q))
    d = K.sum(dim=1)
    eigenvalues = torch.linalg.eigvalsh(K / torch.sqrt(torch.outer(d, d)))
    a = eigenvalues / eigenvalues.sum()
    return -torch.special.xlogy(a, a).sum() / torch.log(torch.tensor(2.0, dtype=Z.dtype))


def gradient(entropy: Callable[[torch.Tensor], torch.Tensor], Z: torch.Tensor) -> torch.Tensor:
    return torch.autograd.grad(entropy(Z), Z)[0]


def case(n: int, d: int, dtype: torch.dtype, rounds: int) -> dict[str, object]:
    generator = torch.Generator().manual_seed(0)
    Z = torch.randn(n, d, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
    auto = SpectralEntropy()
    auto(Z)
    fixed, sigma = SpectralEntropy(sigma=auto.sigma_used), auto.sigma_used
    contenders: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "autograd": lambda Z: by_autograd(Z, sigma),
        "eigentropy": fixed,
        "eigentropy, sigma auto": auto,
    }
    gradients = {name: gradient(entropy, Z) for name, entropy in contenders.items()}  # warm
    scale = float(gradients["autograd"].abs().max())
    error = float((gradients["eigentropy"] - gradients["autograd"]).abs().max()) / scale
    if not error <= TOLERANCE[dtype]:
        raise SystemExit(f"the gradients differ by {error:.1e}")
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, entropy in contenders.items():
            start = time.perf_counter()
            gradient(entropy, Z)
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    ours = [name for name in contenders if name != "autograd"]
    return {
        "n": n,
        "d": d,
        "dtype": str(dtype).removeprefix("torch."),
        "rounds": rounds,
        "median_seconds": medians,
        "least_seconds": {name: min(times) for name, times in seconds.items()},
        "speed": {name: medians["autograd"] / medians[name] for name in ours},
        "difference": error,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Gradient of the entropy beside autograd.")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    result: dict[str, object] = {"machine": describe(), "torch_threads": torch.get_num_threads()}
    cases = []
    for n, d in ((128, 128), (512, 256)):
        for dtype in (torch.float32, torch.float64):
            cases.append(case(n, d, dtype, options.rounds))
            print(json.dumps(cases[-1]))
    result["cases"] = cases
    if options.output is not None:
        options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

r"""Forward and backward pass of our entropy beside autograd through torch's own operations.

    python -m benchmarks.compare.torch_gradient --output benchmarks/results/torch_gradient.json
    python -m benchmarks.compare.torch_gradient --device cuda

All take turns, A B A B, in one process with the same threads and the same width of the kernel. The
peer is what a user of PyTorch would write: cdist, exp, eigvalsh and autograd. `sigma auto` is the
module as it is used, with its own choice of sigma, which the others do not have to make; `exact`
takes all eigenvectors, in float64. Rows are normal; in 20 dimensions the spectrum is so wide that
eigenvectors are needed. Gradients are compared with autograd's in float64: the largest difference,
beside the largest entry, and the cosine. Fails where that is too far. Run it alone on the machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, write
from eigentropy.torch import DiffusionSpectralEntropy

TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-3}

# Of so many rows the stochastic estimate takes part, with these tolerances: 32 probes and 256.
ESTIMATED_FROM = 2048
TOLS = (1.0, 1e-9)

Entropy = Callable[[torch.Tensor], torch.Tensor]


def by_autograd(Z: torch.Tensor, sigma: float) -> torch.Tensor:
    G = torch.exp(torch.cdist(Z, Z) ** 2 / (-2 * sigma**2))
    q = G.sum(dim=1)
    K = G / torch.sqrt(torch.outer(q, q))
    d = K.sum(dim=1)
    eigenvalues = torch.linalg.eigvalsh(K / torch.sqrt(torch.outer(d, d)))
    a = eigenvalues / eigenvalues.sum()
    return -torch.special.xlogy(a, a).sum() / torch.log(torch.tensor(2.0, dtype=Z.dtype))


def gradient(entropy: Entropy, Z: torch.Tensor) -> torch.Tensor:
    slope = torch.autograd.grad(entropy(Z), Z)[0]
    if slope.is_cuda:
        torch.cuda.synchronize()
    return slope


def contenders_for(n: int, sigma: float) -> dict[str, Entropy]:
    found: dict[str, Entropy] = {
        "autograd": lambda Z: by_autograd(Z, sigma),
        "eigentropy": DiffusionSpectralEntropy(sigma=sigma),
        "eigentropy, sigma auto": DiffusionSpectralEntropy(),
    }
    if n < ESTIMATED_FROM:
        return found | {"eigentropy exact": DiffusionSpectralEntropy(sigma=sigma, method="exact")}
    for tol in TOLS:
        estimate = DiffusionSpectralEntropy(sigma=sigma, method="stochastic", tol=tol)
        found[f"eigentropy stochastic, tol {tol:g}"] = estimate
    return found


def differences(found: torch.Tensor, expected: torch.Tensor) -> dict[str, float]:
    found, expected = found.double().cpu(), expected.cpu()
    return {
        "difference": float((found - expected).abs().max() / expected.abs().max()),
        "cosine": float(torch.cosine_similarity(found.flatten(), expected.flatten(), dim=0)),
    }


def case(n: int, d: int, dtype: torch.dtype, device: str, rounds: int) -> dict[str, object]:
    generator = torch.Generator().manual_seed(0)
    Z = torch.randn(n, d, generator=generator, dtype=torch.float64).to(device, dtype)
    Z.requires_grad_()
    auto = DiffusionSpectralEntropy()
    auto(Z.detach())
    sigma = auto.sigma_used
    contenders = contenders_for(n, sigma)
    doubles = Z.detach().double().requires_grad_()
    expected = gradient(lambda Z: by_autograd(Z, sigma), doubles)
    errors = {  # and all are warm
        name: differences(gradient(entropy, Z), expected) for name, entropy in contenders.items()
    }
    if not errors["eigentropy"]["difference"] <= TOLERANCE[dtype]:
        raise SystemExit(f"the gradients differ: {errors}")
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, entropy in contenders.items():
            start = time.perf_counter()
            gradient(entropy, Z)
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    return {
        "n": n,
        "d": d,
        "device": device,
        "dtype": str(dtype).removeprefix("torch."),
        "rounds": rounds,
        "median_seconds": medians,
        "least_seconds": {name: min(times) for name, times in seconds.items()},
        "speed": {name: medians["autograd"] / medians[name] for name in contenders},
        "errors": errors,
    }


def cases(largest: int) -> list[tuple[int, int, torch.dtype]]:
    both = (torch.float32, torch.float64)
    small = [(n, d, dtype) for n, d in ((128, 128), (512, 256), (512, 20)) for dtype in both]
    large = [(n, d, torch.float32) for n in (2048, 4096) for d in (256, 20)]
    return [found for found in small + large if found[0] <= largest]


def main() -> None:
    parser = argparse.ArgumentParser(description="Gradient of the entropy beside autograd.")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--large-rounds", type=int, default=3, help="from 2048 rows on")
    parser.add_argument("--largest", type=int, default=4096, help="rows")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    result: dict[str, object] = {
        "machine": describe(),
        "torch_threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if options.device == "cuda" else None,
    }
    measured = []
    for n, d, dtype in cases(options.largest):
        rounds = options.rounds if n < ESTIMATED_FROM else options.large_rounds
        measured.append(case(n, d, dtype, options.device, rounds))
        print(json.dumps(measured[-1]), flush=True)
    result["cases"] = measured
    if options.output is not None:
        write(options.output, rounded(result))


if __name__ == "__main__":
    main()

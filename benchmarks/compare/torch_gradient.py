r"""Forward and backward pass of our entropy beside autograd through torch's own operations.

    python -m benchmarks.compare.torch_gradient --output benchmarks/results/torch_gradient.json
    python -m benchmarks.compare.torch_gradient --measure kernel \
        --output benchmarks/results/kernel_gradient.json
    python -m benchmarks.compare.torch_gradient --device cuda

All take turns, A B A B, in one process with the same threads and the same width of the kernel. The
peer is what a user of PyTorch would write: cdist, exp, eigvalsh and autograd. `sigma auto` is the
module as it is used, with its own choice of sigma, which the others do not have to make; `exact`
takes all eigenvectors, in float64. Rows are normal; in 20 dimensions the spectrum is so wide that
eigenvectors are needed; at order 2 of the kernel entropy nobody needs eigenvalues. Gradients are
compared with autograd's in float64: the largest difference, beside the largest entry, and the
cosine. Fails where that is too far. Run it alone on the machine.
"""

from __future__ import annotations

import argparse
import functools
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, write
from eigentropy.torch import DiffusionSpectralEntropy, KernelEntropy

TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-3}

# Of so many rows the stochastic estimate takes part, with these tolerances: 32 probes and 256.
ESTIMATED_FROM = 2048
TOLS = (1.0, 1e-9)

Entropy = Callable[[torch.Tensor], torch.Tensor]


def kernel_of(Z: torch.Tensor, sigma: float) -> torch.Tensor:
    return torch.exp(torch.cdist(Z, Z) ** 2 / (-2 * sigma**2))


def in_bits(nats: torch.Tensor) -> torch.Tensor:
    return nats / torch.log(torch.tensor(2.0, dtype=nats.dtype))


def shannon(matrix: torch.Tensor) -> torch.Tensor:
    eigenvalues = torch.linalg.eigvalsh(matrix)
    a = eigenvalues / eigenvalues.sum()
    return in_bits(-torch.special.xlogy(a, a).sum())


def diffusion_by_autograd(Z: torch.Tensor, sigma: float) -> torch.Tensor:
    G = kernel_of(Z, sigma)
    q = G.sum(dim=1)
    K = G / torch.sqrt(torch.outer(q, q))
    d = K.sum(dim=1)
    return shannon(K / torch.sqrt(torch.outer(d, d)))


def von_neumann_by_autograd(Z: torch.Tensor, sigma: float) -> torch.Tensor:
    return shannon(kernel_of(Z, sigma) / len(Z))


def order_two_by_autograd(Z: torch.Tensor, sigma: float) -> torch.Tensor:
    return in_bits(-torch.log((kernel_of(Z, sigma) / len(Z)).square().sum()))


@dataclass(frozen=True)
class Measure:
    """An entropy: what a user of PyTorch would write, and ours."""

    by_autograd: Callable[[torch.Tensor, float], torch.Tensor]
    ours: Callable[..., torch.nn.Module]
    needs_spectrum: bool = True


MEASURES = {
    "diffusion": {"diffusion": Measure(diffusion_by_autograd, DiffusionSpectralEntropy)},
    "kernel": {
        "order 1": Measure(von_neumann_by_autograd, KernelEntropy),
        "order 2": Measure(
            order_two_by_autograd, functools.partial(KernelEntropy, order=2.0), False
        ),
    },
}


def gradient(entropy: Entropy, Z: torch.Tensor) -> torch.Tensor:
    slope = torch.autograd.grad(entropy(Z), Z)[0]
    if slope.is_cuda:
        torch.cuda.synchronize()
    return slope


def contenders_for(measure: Measure, n: int, sigma: float) -> dict[str, Entropy]:
    found: dict[str, Entropy] = {
        "autograd": lambda Z: measure.by_autograd(Z, sigma),
        "eigentropy": measure.ours(sigma=sigma),
        "eigentropy, sigma auto": measure.ours(),
    }
    if not measure.needs_spectrum:
        return found
    if n < ESTIMATED_FROM:
        return found | {"eigentropy exact": measure.ours(sigma=sigma, method="exact")}
    for tol in TOLS:
        estimate = measure.ours(sigma=sigma, method="stochastic", tol=tol)
        found[f"eigentropy stochastic, tol {tol:g}"] = estimate
    return found


def differences(found: torch.Tensor, expected: torch.Tensor) -> dict[str, float]:
    found, expected = found.double().cpu(), expected.cpu()
    return {
        "difference": float((found - expected).abs().max() / expected.abs().max()),
        "cosine": float(torch.cosine_similarity(found.flatten(), expected.flatten(), dim=0)),
    }


def case(
    measure: Measure, n: int, d: int, dtype: torch.dtype, device: str, rounds: int
) -> dict[str, object]:
    generator = torch.Generator().manual_seed(0)
    Z = torch.randn(n, d, generator=generator, dtype=torch.float64).to(device, dtype)
    Z.requires_grad_()
    auto = measure.ours()
    auto(Z.detach())
    sigma = auto.sigma_used
    contenders = contenders_for(measure, n, sigma)
    doubles = Z.detach().double().requires_grad_()
    expected = gradient(lambda Z: measure.by_autograd(Z, sigma), doubles)
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
    parser.add_argument("--measure", choices=MEASURES, default="diffusion")
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
    measured: list[dict[str, object]] = []
    result["cases"] = measured
    for name, measure in MEASURES[options.measure].items():
        for n, d, dtype in cases(options.largest):
            rounds = options.rounds if n < ESTIMATED_FROM else options.large_rounds
            found = case(measure, n, d, dtype, options.device, rounds)
            measured.append({"measure": name, **found})
            print(json.dumps(measured[-1]), flush=True)
            if options.output is not None:  # whole after each case: a run may be cut
                write(options.output, rounded(result))


if __name__ == "__main__":
    main()

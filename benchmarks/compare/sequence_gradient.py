r"""The entropy of each sequence of a batch, forward and backward, beside PyTorch's own operations.

    python -m benchmarks.compare.sequence_gradient \
        --output benchmarks/results/sequence_gradient.json
    python scripts/write_token_states.py STATES.npy PROMPTS.npz
    python -m benchmarks.compare.sequence_gradient --states STATES.npy --layers 0 3 6

All take turns, A B A B, in one process with the same width of the kernel. The peers are what a user
of PyTorch would write: the kernel, eigvalsh and autograd, in a loop over the sequences ("loop") or
for all of them in one call ("batched"), each with one thread and with all of them; the fastest is
what `eigentropy` is divided by. `sigma auto` chooses its own widths, which the others do not have
to. `one by one` is `DiffusionSpectralEntropy` in a loop, and `dispersion` the dispersion loss.
Tokens are normal, or states (layers, tokens, d) of the model of the script, whose sequences are
tokens that follow each other there, whatever text they are of. Gradients are compared with
autograd's in float64. Wall time, and the processor time of all threads, which others on the machine
disturb less.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from benchmarks.compare.torch_gradient import MEASURES, differences
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, write
from eigentropy._kernels.bandwidth import MEDIAN_FACTOR
from eigentropy.torch import DispersionLoss, SequenceEntropy

TOLERANCE = 2e-3  # of float32, whose smallest eigenvalues are rounding

PEERS = ("loop", "batched")
NAMES = {"dse": ("diffusion", "diffusion"), "kernel_entropy": ("kernel", "order 1")}

Entropies = Callable[[torch.Tensor], torch.Tensor]


def batched(Z: torch.Tensor, sigma: float, measure: str) -> torch.Tensor:
    A = torch.exp(torch.cdist(Z, Z) ** 2 / (-2 * sigma**2))
    if measure == "dse":
        q = A.sum(dim=-1)
        K = A / torch.sqrt(q[:, :, None] * q[:, None])
        d = K.sum(dim=-1)
        A = K / torch.sqrt(d[:, :, None] * d[:, None])
    eigenvalues = torch.linalg.eigvalsh(A)
    a = eigenvalues / eigenvalues.sum(dim=-1, keepdim=True)
    return -torch.special.xlogy(a, a.clamp(min=1e-30)).sum(dim=-1) / math.log(2.0)


def contenders_for(measure: str, sigma: float) -> dict[str, Entropies]:
    family, name = NAMES[measure]
    one = MEASURES[family][name]
    alone = one.ours(sigma=sigma)
    return {
        "loop": lambda Z: torch.stack([one.by_autograd(z, sigma) for z in Z]),
        "batched": lambda Z: batched(Z, sigma, measure),
        "eigentropy": SequenceEntropy(measure, sigma=sigma),
        "eigentropy, sigma auto": SequenceEntropy(measure),
        "eigentropy one by one": lambda Z: torch.stack([alone(z) for z in Z]),
        "dispersion": lambda Z: DispersionLoss()(Z)[None],
    }


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def gradient(entropies: Entropies, Z: torch.Tensor) -> torch.Tensor:
    return torch.autograd.grad(entropies(Z).sum(), Z)[0]


def normal_tokens(sequences: int, length: int, d: int) -> torch.Tensor:
    return torch.randn(sequences, length, d, generator=torch.Generator().manual_seed(0))


def tokens_of_layer(states: Path, layer: int, sequences: int, length: int) -> torch.Tensor:
    rows = np.load(states, mmap_mode="r")[layer, : sequences * length]
    return torch.from_numpy(np.array(rows, dtype=np.float32)).unflatten(0, (sequences, length))


def case(tokens: str, Z: torch.Tensor, measure: str, rounds: int) -> dict[str, object]:
    Z = Z.requires_grad_()
    sigma = MEDIAN_FACTOR * float(torch.pdist(Z.detach()[0]).median())
    contenders = contenders_for(measure, sigma)
    doubles = Z.detach()[:4].double().requires_grad_()  # float64 takes twice as long
    exact = gradient(SequenceEntropy(measure, sigma=sigma, method="exact"), doubles)
    found = gradient(contenders["eigentropy"], Z)[:4]
    errors = differences(found, exact)
    errors |= {
        f"{name} of autograd": value
        for name, value in differences(gradient(contenders["batched"], Z)[:4], exact).items()
    }
    if not errors["difference"] <= TOLERANCE:
        raise SystemExit(f"the gradients differ: {errors}")
    all_threads = torch.get_num_threads()
    ways = {
        f"{name}, {count} thread{'s' * (count > 1)}" if name in PEERS else name: (name, count)
        for name in contenders
        for count in (sorted({1, all_threads}) if name in PEERS else [all_threads])
    }
    wall: dict[str, list[float]] = {way: [] for way in ways}
    processor: dict[str, list[float]] = {way: [] for way in ways}
    for round_number in range(rounds + 1):
        for way, (name, count) in ways.items():
            with threads(count):
                start, used = time.perf_counter(), processor_seconds()
                gradient(contenders[name], Z)
            if round_number:  # the first is to be warm
                wall[way].append(time.perf_counter() - start)
                processor[way].append(processor_seconds() - used)
    medians = {way: statistics.median(taken) for way, taken in wall.items()}
    least = {way: min(taken) for way, taken in processor.items()}
    peers = [way for way, (name, _) in ways.items() if name in PEERS]
    best, thriftiest = min(peers, key=medians.__getitem__), min(peers, key=least.__getitem__)
    return {
        "tokens": tokens,
        "measure": measure,
        "sequences": len(Z),
        "length": Z.shape[1],
        "d": Z.shape[2],
        "rounds": rounds,
        "sigma": sigma,
        "median_seconds": medians,
        "least_processor_seconds": least,
        "best_peer": best,
        "speed": {way: medians[best] / medians[way] for way in ways},
        "processor_ratio": {way: least[thriftiest] / least[way] for way in ways},
        "errors": errors,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Entropies of sequences beside autograd.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sequences", type=int, default=64)
    parser.add_argument("--lengths", type=int, nargs="*", default=[64, 128, 256, 512])
    parser.add_argument("--measures", nargs="*", choices=NAMES, default=list(NAMES))
    parser.add_argument("--states", type=Path, help="states of a model, (layers, tokens, d)")
    parser.add_argument("--layers", type=int, nargs="*", default=[0, 3, 6])
    parser.add_argument("--d", type=int, default=384)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    measured = []
    for length in options.lengths:
        kinds = {"normal": normal_tokens(options.sequences, length, options.d)}
        if options.states is not None:
            for layer in options.layers:
                found = tokens_of_layer(options.states, layer, options.sequences, length)
                kinds[f"layer {layer}"] = found
        for tokens, Z in kinds.items():
            for measure in options.measures:
                measured.append(case(tokens, Z, measure, options.rounds))
                print(json.dumps(measured[-1]), flush=True)
                if options.output is not None:  # a run that is stopped leaves what it has
                    result = {"machine": describe(), "torch_threads": torch.get_num_threads()}
                    write(options.output, rounded({**result, "cases": measured}))


if __name__ == "__main__":
    main()

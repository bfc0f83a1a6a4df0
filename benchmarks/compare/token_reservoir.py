"""What a reservoir of tokens costs beside the forward passes of a model that it watches.

    python -m benchmarks.compare.token_reservoir --output benchmarks/results/token_reservoir.json

The model has the form of MiniLM: an encoder of 6 layers with d = 384, 12 heads and 1536 hidden
units, with random weights. It reads a million tokens, 32 prompts of 128 tokens a batch, without
padding. The reservoir stores 16 384 of them in each layer.

Time: rounds of batches take turns in one process, A B A B, without a reservoir and with the same
one. `share` is the time with it over the time without, less 1, of all rounds together; so it has
the first rounds, in which most tokens are stored. Memory: the peak of a process of its own, with a
reservoir less without. Run it alone on the machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.shared.machine import clean_environment, describe
from benchmarks.shared.results import ROOT, rounded, text, write
from benchmarks.shared.timing import resident_bytes
from eigentropy.torch import TokenReservoir

LAYERS, D, HEADS, HIDDEN, VOCABULARY = 6, 384, 12, 1536, 30_522
PROMPTS, LENGTH = 32, 128
TOKENS, STORED, ROUNDS = 1_000_000, 16_384, 24


class Block(nn.Module):
    """Attention and two dense layers, each followed by its norm, as in BERT."""

    def __init__(self) -> None:
        super().__init__()
        self.queries_keys_values, self.output = nn.Linear(D, 3 * D), nn.Linear(D, D)
        self.up, self.down = nn.Linear(D, HIDDEN), nn.Linear(HIDDEN, D)
        self.first_norm, self.second_norm = nn.LayerNorm(D), nn.LayerNorm(D)

    def forward(self, states: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        prompts, tokens, _ = states.shape
        parts = self.queries_keys_values(states).view(prompts, tokens, 3, HEADS, D // HEADS)
        attended = nn.functional.scaled_dot_product_attention(
            *parts.permute(2, 0, 3, 1, 4), attn_mask=seen
        )
        attended = self.output(attended.transpose(1, 2).reshape(states.shape))
        states = self.first_norm(states + attended)
        hidden = nn.functional.gelu(self.up(states))
        return self.second_norm(states + self.down(hidden))


class Encoder(nn.Module):
    """An encoder with the sizes of MiniLM."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(VOCABULARY, D), nn.Embedding(LENGTH, D)
        self.norm = nn.LayerNorm(D)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        states = self.words(input_ids) + self.places.weight[: input_ids.shape[1]]
        states = self.norm(states)
        seen = attention_mask[:, None, None, :].bool()
        for block in self.blocks:
            states = block(states, seen)
        return states


def reading(model: nn.Module, batches: int, first: int) -> None:
    """Pass batches of random tokens through the model."""
    mask = torch.ones(PROMPTS, LENGTH, dtype=torch.long)
    with torch.inference_mode():
        for number in range(first, first + batches):
            generator = torch.Generator().manual_seed(number)
            model(torch.randint(VOCABULARY, (PROMPTS, LENGTH), generator=generator), mask)


def seconds(model: nn.Module, batches: int, first: int) -> float:
    """What that takes."""
    start = time.perf_counter()
    reading(model, batches, first)
    return time.perf_counter() - start


def times(tokens: int, rounds: int, stored: int = STORED) -> dict[str, Any]:
    """Rounds without a reservoir and with one, in turn, until all tokens have been seen."""
    model = encoder()
    reservoir = TokenReservoir(model, "blocks.*", stored)
    batches = max(1, round(tokens / (rounds * PROMPTS * LENGTH)))
    seconds(model, min(batches, 3), 0)  # what is allocated at first
    without, within = [], []
    for number in range(rounds):
        without.append(seconds(model, batches, number * batches))
        with reservoir:
            within.append(seconds(model, batches, number * batches))
    ratios = [b / a for a, b in zip(without, within, strict=True)]
    return {
        "tokens": reservoir.seen,
        "stored": len(reservoir),
        "layers": len(reservoir.layers),
        "reservoir_bytes": reservoir.nbytes,
        "seconds_without": sum(without),
        "seconds_with": sum(within),
        "share": sum(within) / sum(without) - 1.0,
        "median_share_of_rounds": statistics.median(ratios) - 1.0,
        "share_of_the_first_round": ratios[0] - 1.0,
    }


def encoder() -> nn.Module:
    torch.manual_seed(0)
    return Encoder().eval()


def peak(tokens: int, watched: bool, stored: int = STORED) -> int:
    """The most bytes that this process has had in memory when it has read all tokens."""
    model = encoder()
    reservoir = TokenReservoir(model, "blocks.*", stored)
    with reservoir if watched else nullcontext():
        reading(model, round(tokens / (PROMPTS * LENGTH)), 0)
    return resident_bytes("VmHWM")


def memory(tokens: int, repetitions: int) -> dict[str, Any]:
    """Peaks of processes without a reservoir and with one, in turn."""
    peaks: dict[str, list[int]] = {"without": [], "with": []}
    for _ in range(repetitions):
        for name, found in peaks.items():
            command = [sys.executable, "-m", __spec__.name, "--peak", name, "--tokens", str(tokens)]
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=clean_environment(),
                capture_output=True,
                text=True,
                check=True,
            )
            found.append(json.loads(done.stdout))
    added = statistics.median(peaks["with"]) - statistics.median(peaks["without"])
    return {"tokens": tokens, "peak_bytes": peaks, "added_bytes": added}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what a reservoir costs, and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--tokens", type=int, default=TOKENS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--repetitions", type=int, default=3, help="of each process for its peak")
    parser.add_argument("--peak", choices=("without", "with"), help="print the peak of one process")
    options = parser.parse_args(arguments)
    if options.peak is not None:
        print(peak(options.tokens, options.peak == "with"))
        return
    result = rounded(
        {
            "machine": describe(),
            "torch_threads": torch.get_num_threads(),
            "model": {"layers": LAYERS, "d": D, "heads": HEADS, "hidden": HIDDEN},
            "batch": {"prompts": PROMPTS, "tokens": LENGTH},
            "time": times(options.tokens, options.rounds),
            "memory": memory(options.tokens, options.repetitions),
        }
    )
    print(text(result))
    if options.output is not None:
        write(options.output, result)


if __name__ == "__main__":
    main()

"""Small GPT-2-like decoders of characters, and their training. The seed determines the result."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from eigentropy.baselines._pytorch import usual_defaults

# A further term of the loss, of the states of all blocks, each (sequences, tokens, features).
Term = Callable[[list[torch.Tensor]], torch.Tensor]

# Features of each head of attention.
HEAD = 16


def deviation(width: int) -> float:
    """Of all weights: GPT-2's 0.02 at its width of 768, so that layers add as much at any width."""
    return 0.02 * math.sqrt(768.0 / width)


class Shape(NamedTuple):
    """What determines a decoder."""

    symbols: int
    length: int  # the longest sequence
    width: int
    depth: int


class Block(nn.Module):
    """Attention to earlier tokens, and a perceptron, each of the normalised stream and added."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.heads = max(1, width // HEAD)
        self.before_attention, self.before_perceptron = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.Linear(width, 3 * width)
        self.mix, self.narrow = nn.Linear(width, width), nn.Linear(4 * width, width)
        self.widen = nn.Linear(width, 4 * width)
        for layer in (self.attention, self.mix, self.widen, self.narrow):
            adds = layer in (self.mix, self.narrow)
            share = 1.0 / math.sqrt(2.0 * depth) if adds else 1.0
            nn.init.normal_(layer.weight, std=share * deviation(width))
            nn.init.zeros_(layer.bias)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """States (sequences, tokens, features) to such."""
        parts = self.attention(self.before_attention(states)).chunk(3, dim=-1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        states = states + self.mix(seen.transpose(1, 2).flatten(-2))
        hidden = functional.gelu(self.widen(self.before_perceptron(states)))
        added: torch.Tensor = states + self.narrow(hidden)
        return added


class Decoder(nn.Module):
    """GPT-2 in small: learned positions, norms before each part, tied weights of the output."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.symbols = nn.Embedding(shape.symbols, shape.width)
        self.positions = nn.Embedding(shape.length, shape.width)
        for embedding in (self.symbols, self.positions):
            nn.init.normal_(embedding.weight, std=deviation(shape.width))
        self.blocks = nn.ModuleList(Block(shape.width, shape.depth) for _ in range(shape.depth))
        self.last = nn.LayerNorm(shape.width)

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The logits of the next symbols, and the states of the embedding and of every block."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        states = [self.symbols(tokens) + self.positions(places)]
        for block in self.blocks:
            states.append(block(states[-1]))
        return functional.linear(self.last(states[-1]), self.symbols.weight), states


def decoder(shape: Shape, seed: int) -> Decoder:
    """With the seed's weights, whatever PyTorch's defaults are."""
    with torch.random.fork_rng(), usual_defaults(torch):
        torch.manual_seed(seed)
        return Decoder(shape)


class Lesson(NamedTuple):
    """How long and how fast: AdamW, linear warm-up, then a cosine down to a tenth."""

    steps: int
    sequences: int = 16  # in a batch
    learning_rate: float = 3e-3

    def rate(self, step: int) -> float:
        """The share of the learning rate."""
        warm_up = max(1, self.steps // 20)
        if step < warm_up:
            return (step + 1) / warm_up
        done = (step - warm_up) / max(1, self.steps - warm_up)
        return 0.55 + 0.45 * math.cos(math.pi * done)


def train(
    network: Decoder, text: npt.NDArray[Any], lesson: Lesson, seed: int, term: Term | None = None
) -> Iterator[int]:
    """Train on random pieces of the text; yields the number of steps done, 0 at first.

    Raises
    ------
    FloatingPointError
        The network diverges.
    """
    rng = np.random.default_rng([seed, 1])
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=lesson.learning_rate, betas=(0.9, 0.95), weight_decay=0.1
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lesson.rate)
    length = network.shape.length
    for step in range(lesson.steps):
        yield step
        network.train()
        starts = rng.integers(len(text) - length, size=lesson.sequences)
        pieces = torch.from_numpy(np.stack([text[at : at + length + 1] for at in starts])).long()
        logits, states = network(pieces[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), pieces[:, 1:].flatten())
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"training diverged at step {step}")
        if term is not None:
            loss = loss + term(states[1:])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    yield lesson.steps


@torch.no_grad()
def observed(network: Decoder, pieces: npt.NDArray[Any]) -> tuple[float, list[npt.NDArray[Any]]]:
    """The mean loss in bits a symbol of sequences, and the states of every layer.

    Pieces have one symbol more than the network sees, which is the last to be foretold.

    Raises
    ------
    FloatingPointError
        The network has diverged.
    """
    network.eval()
    tokens = torch.from_numpy(pieces).long()
    logits, states = network(tokens[:, :-1])
    loss = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    if not math.isfinite(loss.item()):
        raise FloatingPointError("the loss of held-out text is not finite")
    return float(loss) / math.log(2.0), [each.numpy() for each in states]

"""How large sampling errors over blocks of rows are, beside what new blocks change.

    python -m benchmarks.accuracy.block_errors --output benchmarks/results/block_errors.json

A block is a normal centre, whose coordinates have the standard deviation 1, with normal rows around
it. The centres of every second block are shifted, which is its label. Each sample has new blocks.
The share is the mean of the stated errors over the standard deviation of the values of all samples:
1 is right, less is too small. Its interval has 95 %, and is that of a normal logarithm: of the
deviation, and of the mean of the stated errors.

`entropies` is `eigentropy.entropies(blocks=...)`, and `tokens` is what
`eigentropy.torch.layers.profile` measures of a layer in its scope "tokens".
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import eigentropy as eg
from benchmarks.shared.machine import describe
from benchmarks.shared.results import rounded, text, write
from eigentropy._measures.sampling.halves import MOST_ROWS_OF_BLOCKS, used_blocks
from eigentropy.torch.layers.measured import ProfiledRows, of_rows
from eigentropy.torch.layers.measuring import profiled
from eigentropy.torch.layers.prompt_sample import SUBSET_ROWS, PromptSample

SHIFT = 2.0
ENTROPIES = ("dse", "kernel_entropy")
MEASURES = (*ENTROPIES, "kernel_information")
QUANTILE = 1.96

# Of each measure the value, and the stated error.
Numbers = dict[str, tuple[float, float]]


class Case(NamedTuple):
    """Blocks of as many rows, and how many samples of them are measured.

    `width` is the standard deviation of the rows of a block around their centre.
    """

    way: str
    blocks: int
    rows: int
    d: int
    width: float
    samples: int

    @property
    def used(self) -> int:
        """How many blocks the subsets are drawn from."""
        most = MOST_ROWS_OF_BLOCKS if self.way == "entropies" else SUBSET_ROWS
        return used_blocks(np.repeat(np.arange(self.blocks), self.rows), most)


CASES = (
    Case("tokens", 40, 16, 24, 0.5, 24),
    Case("tokens", 70, 10, 24, 0.5, 24),
    Case("entropies", 60, 12, 3, 0.5, 24),
    Case("entropies", 60, 12, 24, 0.5, 24),
    Case("entropies", 200, 4, 24, 1.0, 24),
    Case("tokens", 250, 8, 24, 0.5, 16),
)


def drawn(case: Case, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows, the block of each, and its label."""
    generator = np.random.default_rng([seed, case.blocks, case.rows, case.d])
    blocks = np.repeat(np.arange(case.blocks), case.rows)
    centers = generator.normal(size=(case.blocks, case.d))
    centers[1::2, 0] += SHIFT
    Z = centers[blocks] + case.width * generator.normal(size=(len(blocks), case.d))
    return Z, blocks, blocks % 2


def by_entropies(case: Case, seed: int) -> Numbers:
    Z, blocks, _ = drawn(case, seed)
    found = eg.entropies(Z, blocks=blocks)._asdict()
    return {name: (float(one), one.sampling_error) for name, one in found.items()}


def by_profile(case: Case, seed: int) -> Numbers:
    Z, blocks, labels = drawn(case, seed)
    found = of_rows(ProfiledRows(Z), MEASURES, PromptSample(blocks, labels, seed, True), {})
    (layer,) = profiled([("layer", found)], {"layer": case.d})
    return {name: (one.value, one.sampling_error) for name, one in layer.numbers.items()}


WAYS = {"entropies": by_entropies, "tokens": by_profile}


def share(values: np.ndarray, errors: np.ndarray) -> dict[str, float]:
    """The mean of the stated errors over the deviation of the values, with its interval.

    An error is NaN where what is random hides how a value moves; such errors are counted.
    """
    known = errors[np.isfinite(errors)]
    deviation, mean = float(np.std(values, ddof=1)), float(np.mean(known))
    of_mean = float(np.std(known, ddof=1)) / mean / math.sqrt(len(known))
    error = math.hypot(math.sqrt(0.5 / (len(values) - 1)), of_mean)
    found = mean / deviation
    return {
        "stated": mean,
        "deviation": deviation,
        "share": found,
        "low": found * math.exp(-QUANTILE * error),
        "high": found * math.exp(QUANTILE * error),
        "without_error": len(errors) - len(known),
    }


def measured(case: Case) -> dict[str, Any]:
    """The shares of all measures."""
    numbers = [WAYS[case.way](case, seed) for seed in range(case.samples)]
    shares = {name: share(*np.array([one[name] for one in numbers]).T) for name in numbers[0]}
    return {**case._asdict(), "used": case.used, "shares": shares}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    machine, cases = describe(), []
    for case in CASES:
        cases.append(rounded(measured(case), 4))
        print(text(cases[-1]), flush=True)
        if options.output:
            write(options.output, {"machine": machine, "cases": cases})


if __name__ == "__main__":
    main()

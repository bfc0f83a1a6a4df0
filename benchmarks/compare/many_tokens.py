"""Both entropies of 100 000 tokens of a layer, their errors, and what a reservoir says of them.

    python scripts/write_token_states.py STATES.npy PROMPTS.npz
    python -m benchmarks.compare.many_tokens --states STATES.npy --prompts PROMPTS.npz \\
        --output benchmarks/results/many_tokens.json

STATES.npy has what the layers of a language model make of the tokens of many prompts, an array
(layers, tokens, d); PROMPTS.npz has `pid`, the prompt of each token. The script says which model
and prompts these are. Of each layer, 100 000 tokens
are drawn at random, and a reservoir of 16 384 of all tokens. Each measurement is in a process of
its own. Seconds are from rows in memory to the numbers; CPU seconds are those of all threads of the
process, which other processes on the machine change less than seconds. Fails where the interval of
an entropy is wider than `TOL` on each side.

The prediction is that of `eigentropy.converge` from the reservoir, at the number of tokens. It is
of the sample of the reservoir; the 100 000 tokens are another sample, whose own error is far
smaller.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

import eigentropy as eg
from benchmarks.shared import timing
from benchmarks.shared.machine import clean_environment, describe
from benchmarks.shared.results import rounded, write

TOKENS, RESERVOIR, TOL = 100_000, 16_384, 1e-3
LAYERS, SEEDS, REPEATS = (0, 3, 6), (0,), 4
MEASURES = ("dse", "kernel_entropy")


def drawn(path: str, layer: int, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random tokens of a layer in float32, and their numbers."""
    states = np.load(path, mmap_mode="r")
    numbers = np.sort(np.random.default_rng(seed).permutation(states.shape[1])[:count])
    return states[layer][numbers].astype(np.float32), numbers


def cost(call: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    """Seconds and CPU seconds of a call, and its result."""
    before, start = resource.getrusage(resource.RUSAGE_SELF), perf_counter()
    result = call()
    seconds, after = perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "cpu_seconds": cpu}, result


def described(result: Any) -> dict[str, Any]:
    low, high = result.interval()
    return {
        "bits": float(result),
        "low": low,
        "high": high,
        "sigma": result.sigma,
        "method": result.method,
        "products": getattr(result.spectrum, "steps", None),
        "columns": getattr(result.spectrum, "columns", None),
        "probes": getattr(result.spectrum, "probes", None),
    }


def entropies(path: str, prompts: str, layer: int, count: int, errors: bool) -> dict[str, Any]:
    """Both in one go, with their sampling errors over prompts and over tokens."""
    Z, numbers = drawn(path, layer, count, 0)
    blocks = np.load(prompts)["pid"][numbers]
    both_cost, both = cost(lambda: eg.entropies(Z, tol=TOL, blocks=blocks))
    row: dict[str, Any] = {
        "layer": layer,
        "tokens": count,
        "prompts": len(np.unique(blocks)),
        "d": Z.shape[1],
        **both_cost,
        "peak_bytes": timing.resident_bytes("VmHWM"),
    }
    for name, one in zip(MEASURES, both, strict=True):
        row[name] = described(one)
        if errors:
            error_cost, row[name]["sampling_error"] = cost(lambda one=one: one.sampling_error)
            row[name]["of_the_error"] = error_cost
            row[name]["as_if_independent"] = one.over_blocks(None).sampling_error
    return row


def alone(path: str, layer: int, count: int, name: str) -> dict[str, Any]:
    """One of them by its own function."""
    Z, _ = drawn(path, layer, count, 0)
    own_cost, result = cost(lambda: getattr(eg, name)(Z, tol=TOL))
    return {"layer": layer, "tokens": count, "measure": name, **own_cost, **described(result)}


def prediction(
    path: str, layer: int, name: str, size: int, count: int, seed: int, repeats: int
) -> dict[str, Any]:
    """What a reservoir says of more tokens."""
    Z, _ = drawn(path, layer, size, seed + 1)
    own_cost, found = cost(lambda: eg.converge(Z, measure=name, repeats=repeats, seed=seed))
    low, high = found.predicted_interval(count)
    return {
        "layer": layer,
        "measure": name,
        "seed": seed,
        "reservoir": size,
        "of_reservoir": float(found.values[-1]),
        "tendency": found.tendency,
        "predicted": found.predict(count),
        "low": low,
        "high": high,
        **own_cost,
    }


FUNCTIONS = {one.__name__: one for one in (entropies, alone, prediction)}


def by_itself(function: str, *arguments: object) -> dict[str, Any]:
    """The function's result from a process of its own."""
    command = [sys.executable, "-m", "benchmarks.compare.many_tokens", "--alone"]
    command.append(json.dumps([function, *arguments]))
    output = subprocess.run(
        command, env=clean_environment(), stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    print(json.dumps(rounded(result)), flush=True)
    return result


def compared(row: dict[str, Any], measured: dict[str, Any]) -> dict[str, Any]:
    """A prediction beside what all tokens have, and where that lies."""
    bits = measured[row["measure"]]["bits"]
    return {**row, "bits": bits, "inside": row["low"] <= bits <= row["high"]}


def faults(rows: list[dict[str, Any]]) -> list[str]:
    """Entropies whose interval is too wide."""
    return [
        f"layer {row['layer']}: {name} {one['bits']:.4f} in {one['low']:.4f} .. {one['high']:.4f}"
        for row in rows
        for name, one in ((name, row[name]) for name in MEASURES)
        if (one["high"] - one["low"]) / 2.0 > TOL * one["bits"] * (1.0 + 1e-9)
    ]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--states")
    parser.add_argument("--prompts")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--layers", type=int, nargs="+", default=LAYERS)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--tokens", type=int, default=TOKENS)
    parser.add_argument("--reservoir", type=int, default=RESERVOIR)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--separate", action="store_true", help="each function by itself, too")
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.alone:
        function, *values = json.loads(options.alone)
        print(json.dumps(FUNCTIONS[function](*values)))
        return
    if options.states is None or options.prompts is None:
        parser.error("--states and --prompts are needed: the module's text says what they have")
    states, n = options.states, options.tokens
    rows = [
        by_itself("entropies", states, options.prompts, layer, n, True) for layer in options.layers
    ]
    separate = [
        by_itself("alone", states, options.layers[0], n, name)
        for name in MEASURES
        if options.separate
    ]
    predictions = [
        compared(
            by_itself(
                "prediction", states, row["layer"], name, options.reservoir, n, seed,
                options.repeats,
            ),
            row,
        )
        for row in rows
        for name in MEASURES
        for seed in options.seeds
    ]  # fmt: skip
    wrong = faults(rows)
    results = {
        "machine": describe(),
        "tol": TOL,
        "rows": rows,
        "separate": separate,
        "predictions": predictions,
        "inside": sum(one["inside"] for one in predictions),
        "faults": wrong,
    }
    if options.output:
        write(options.output, rounded(results))
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()

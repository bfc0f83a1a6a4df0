"""What docs/tutorials/collapse.md says of false alarms and delays, on simulated runs.

python -m benchmarks.accuracy.alarm --output benchmarks/results/alarm.json
python -m benchmarks.accuracy.alarm --update docs/tutorials/collapse.md
"""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.shared.machine import describe
from benchmarks.shared.results import RESULTS, rounded, text, write
from eigentropy._support.sequential import CAP
from eigentropy.torch.monitoring.alarm_evidence import Evidence
from eigentropy.torch.monitoring.alarm_options import KEEP, checked_rules
from eigentropy.torch.monitoring.watched_values import WatchedValue

ALPHA = 0.05
BLOCK = re.compile(r"(<!-- simulated: delays -->\n).*?(<!-- end of simulated -->)", re.DOTALL)
LOOKS = 200
REFERENCE = 10
BEGINS = 100  # the look at which a collapse begins

Series = np.ndarray  # (looks, values)

# Drifts and walks go down until this share of the margin between level and floor is left.
LEFT = 0.35

# The number of layers, and of classes in each.
SETTINGS = {"1 layer": (1, 0), "2 layers, 5 classes": (2, 5)}

# The share of its level that a value falls to, and the number of looks that the fall takes.
COLLAPSES = [(0.0, 1), (0.3, 1), (0.5, 1), (0.7, 1), (0.3, 50)]


def kinds_of(classes: int) -> list[tuple[str, str]]:
    """Name and kind of the values of a layer."""
    watched = [("kernel", "entropy"), ("spread", "spread"), ("scale", "scale")]
    return watched + [(f"class {k}", "class") for k in range(classes)]


def autocorrelated(rng: np.random.Generator, keep: Series, sd: float, rho: float) -> Series:
    """Values around 1 whose neighbours correlate."""
    noise = rng.normal(size=(LOOKS, len(keep)))
    for k in range(1, LOOKS):
        noise[k] = rho * noise[k - 1] + math.sqrt(1.0 - rho * rho) * noise[k]
    return 1.0 + sd * noise


def drift(rng: np.random.Generator, keep: Series) -> Series:
    """A fall into the margin, with noise."""
    low = keep + LEFT * (1.0 - keep)
    falls = 1.0 + np.linspace(0.0, 1.0, LOOKS)[:, None] * (low - 1.0)
    return falls * autocorrelated(rng, keep, 0.05, 0.5)


def heavy(rng: np.random.Generator, keep: Series) -> Series:
    """Noise with Student's distribution of 3 degrees."""
    return 1.0 + 0.05 * rng.standard_t(3, size=(LOOKS, len(keep)))


def walk(rng: np.random.Generator, keep: Series) -> Series:
    """A random walk that turns round inside the margin."""
    low = keep + LEFT * (1.0 - keep)
    at = np.ones((LOOKS, len(keep)))
    for k in range(1, LOOKS):
        at[k] = at[k - 1] + 0.02 * rng.normal(size=len(keep))
        at[k] = np.where(at[k] < low, 2.0 * low - at[k], at[k])
    return at


def seasonal(rng: np.random.Generator, keep: Series) -> Series:
    """A wave, such as one of the learning rate."""
    phase = rng.uniform(0.0, 2.0 * math.pi, size=len(keep))
    wave = np.sin(np.arange(LOOKS)[:, None] / 6.0 + phase)
    return 1.0 + 0.08 * wave + 0.03 * rng.normal(size=wave.shape)


PROCESSES: dict[str, Callable[[np.random.Generator, Series], Series]] = {
    "autocorrelated": lambda rng, keep: autocorrelated(rng, keep, 0.05, 0.9),
    "drift": drift,
    "heavy tails": heavy,
    "random walk": walk,
    "seasonal": seasonal,
}


def at_the_floor(rng: np.random.Generator, floors: Series) -> Series:
    """0 or the cap, with a mean that is just the floor: the worst case without a collapse."""
    high = rng.random((LOOKS, len(floors))) < 1.0 / CAP
    return np.where(high, CAP, 0.0) * floors


def first_alarm(
    series: Series, layers: int, classes: int, floors: dict[str, float] | None = None
) -> int | None:
    """The look at which the alarm is raised, from 0."""
    reference = None if floors else REFERENCE
    rules = checked_rules(ALPHA, reference, None, floors)
    of_layer = kinds_of(classes)
    kinds = list(dict.fromkeys(kind for _, kind in of_layer))
    evidence = Evidence(rules, [f"layer {k}" for k in range(layers)], kinds)
    for look, row in enumerate(np.maximum(series, 0.0).reshape(LOOKS, layers, -1).tolist()):
        for layer, numbers in zip(evidence.layers, row, strict=True):
            values = [
                WatchedValue(name, kind, x, math.inf)
                for (name, kind), x in zip(of_layer, numbers, strict=True)
            ]
            evidence.look(layer, values, look)
        if evidence.raise_now():
            return look
    return None


def keeps(layers: int, classes: int) -> Series:
    """The share that each value must keep, by default."""
    return np.array([KEEP[kind] for _, kind in kinds_of(classes)] * layers)


def false_alarms(runs: int) -> Iterator[dict[str, object]]:
    """How many healthy runs raise an alarm, by process."""
    for setting, (layers, classes) in SETTINGS.items():
        keep = keeps(layers, classes)
        share = runs // len(PROCESSES)
        for name, process in PROCESSES.items():
            found = [
                first_alarm(process(np.random.default_rng(seed), keep), layers, classes)
                for seed in range(share)
            ]
            alarms = sum(one is not None for one in found)
            yield {"setting": setting, "process": name, "runs": share, "alarms": alarms}


def at_floors(runs: int) -> dict[str, object]:
    """False alarms of values whose capped mean is just the floor that was given."""
    kinds = [kind for _, kind in kinds_of(0)]
    floors = dict.fromkeys(kinds, 1.0)
    alarms = sum(
        first_alarm(at_the_floor(np.random.default_rng(seed), np.ones(3)), 1, 0, floors) is not None
        for seed in range(runs)
    )
    return {"setting": "1 layer", "process": "at the floor", "runs": runs, "alarms": alarms}


def delays(runs: int) -> Iterator[dict[str, object]]:
    """The looks from the beginning of a collapse of one entropy to the alarm, by its depth."""
    for setting, (layers, classes) in SETTINGS.items():
        keep = keeps(layers, classes)
        for left, looks in COLLAPSES:
            fall = np.clip((np.arange(LOOKS) - BEGINS + 1) / looks, 0.0, 1.0)
            found = []
            for seed in range(runs):
                series = autocorrelated(np.random.default_rng(seed), keep, 0.03, 0.5)
                series[:, 0] *= 1.0 - (1.0 - left) * fall
                at = first_alarm(series, layers, classes)
                found.append(math.inf if at is None else at - BEGINS + 1)
            missed = sum(math.isinf(one) for one in found)
            yield {
                "setting": setting,
                "left": left,
                "falls_in": looks,
                "median": float(np.median(found)) if missed < runs / 2 else None,
                "longest": max((one for one in found if math.isfinite(one)), default=None),
                "missed": missed,
                "runs": runs,
            }


def table(rows: list[dict[str, object]]) -> str:
    """The delays as a table in Markdown."""
    lines = [
        f"| one entropy falls to | looks until the alarm, {' | '.join(SETTINGS)} |",
        "|---|" + "---|" * len(SETTINGS),
    ]
    for left, looks in COLLAPSES:
        how = "at once" if looks == 1 else f"within {looks} looks"
        found = [row for row in rows if (row["left"], row["falls_in"]) == (left, looks)]
        cells = [
            f"{row['median']:g}" + (f", not found in {row['missed']}" if row["missed"] else "")
            for row in found
        ]
        lines.append(f"| {left:.0%} of its level, {how} | {' | '.join(cells)} |")
    return "\n".join(lines)


def updated(page: str, rows: list[dict[str, object]]) -> str:
    """The page with the table of these delays."""
    return BLOCK.sub(lambda found: f"{found[1]}{table(rows)}\n{found[2]}", page)


def main(arguments: list[str] | None = None, runs: int = 1000, of_delays: int = 30) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--update", type=Path, help="a page, from the stored result")
    options = parser.parse_args(arguments)
    if options.update is not None:
        rows = json.loads((RESULTS / "alarm.json").read_text())["delays"]
        options.update.write_text(updated(options.update.read_text(), rows))
        return
    result = rounded(
        {
            "machine": describe(),
            "alpha": ALPHA,
            "looks": LOOKS,
            "reference": REFERENCE,
            "false_alarms": [*false_alarms(runs), at_floors(runs)],
            "delays": [*delays(of_delays)],
        }
    )
    print(text(result))
    if options.output is not None:
        write(options.output, result)


if __name__ == "__main__":
    main()

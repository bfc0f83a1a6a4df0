"""One estimate of I(Z; labels), in a process of its own: a specification on stdin, a result out.

Each contender is a function of the file of Z and the labels that gives (fresh, call), as in
peers.py. Ours read the mapped file; peers get what they want, an array in memory, before the clock
starts.
"""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.shared.timing import Ready, resident_bytes, timed

Make = Callable[[Path, np.ndarray, dict[str, Any]], Ready]

# Noise that makes labels the scalars that the continuous estimators want: NPEET adds as much.
JITTER = 1e-10
# What dse-dsmi draws for each group.
REPETITIONS = 5


@dataclass(frozen=True)
class Estimator:
    """A contender: the modules without which it is absent, and whether a limit of time holds."""

    make: Make
    needs: tuple[str, ...] = ()
    limited: bool = True


def _mapped(path: Path) -> Callable[[], np.ndarray]:
    return lambda: np.load(path, mmap_mode="r")


def _dsmi(path: Path, labels: np.ndarray, options: dict[str, Any]) -> Ready:
    import eigentropy as eg

    return _mapped(path), lambda Z: eg.dsmi(Z, labels)


def _dsmi_as_the_paper(path: Path, labels: np.ndarray, options: dict[str, Any]) -> Ready:
    """What dse-dsmi computes: its sigma, its alpha, as many random groups."""
    import eigentropy as eg

    def call(Z: np.ndarray) -> Any:
        sigma = math.sqrt(Z.shape[1])
        return eg.dsmi(Z, labels, sigma=sigma, alpha=0.0, n_null=REPETITIONS)

    return _mapped(path), call


def _dse_dsmi(dtype: str) -> Make:
    def make(path: Path, labels: np.ndarray, options: dict[str, Any]) -> Ready:
        with warnings.catch_warnings():  # its import changes the process's filters
            from dse_dsmi import diffusion_spectral_mutual_information as information
        Z = np.load(path, mmap_mode="r").astype(dtype)
        sigma = math.sqrt(Z.shape[1])
        return lambda: Z, lambda Z: information(
            Z, labels, gaussian_kernel_sigma=sigma, num_repetitions=REPETITIONS
        )[0]

    return make


def _npeet(path: Path, labels: np.ndarray, options: dict[str, Any]) -> Ready:
    """Its estimator for two continuous variables, given labels, as in the paper."""
    from npeet.entropy_estimators import mi

    Z = np.load(path, mmap_mode="r").astype(np.float64)
    return lambda: Z, lambda Z: mi(Z, labels)


def _ksg_continuous(path: Path, labels: np.ndarray, options: dict[str, Any]) -> Ready:
    from eigentropy.baselines import ksg

    scalars = labels + JITTER * np.random.default_rng(6).random(len(labels))
    return _mapped(path), lambda Z: ksg.mutual_information(Z, scalars)


def _ksg(path: Path, labels: np.ndarray, options: dict[str, Any]) -> Ready:
    from eigentropy.baselines import ksg

    return _mapped(path), lambda Z: ksg.discrete_mutual_information(Z, labels)


def _mine(path: Path, labels: np.ndarray, options: dict[str, Any]) -> Ready:
    from eigentropy.baselines import mine

    return _mapped(path), lambda Z: mine.mutual_information(Z, labels, **options.get("mine", {}))


def _bins(path: Path, labels: np.ndarray, options: dict[str, Any]) -> Ready:
    """Matched, which is what the paper's code computes."""
    from eigentropy.baselines import binning

    return _mapped(path), lambda Z: binning.mutual_information(Z, labels, estimator="matched")


ESTIMATORS = {
    "DSMI": Estimator(_dsmi, limited=False),
    "DSMI sqrt-d": Estimator(_dsmi_as_the_paper),
    "dse-dsmi": Estimator(_dse_dsmi("float64"), ("dse_dsmi",)),
    "dse-dsmi float32": Estimator(_dse_dsmi("float32"), ("dse_dsmi",)),
    "NPEET mi": Estimator(_npeet, ("npeet",)),
    "KSG continuous": Estimator(_ksg_continuous, ("scipy",)),
    "KSG": Estimator(_ksg, ("scipy",)),
    "MINE": Estimator(_mine, ("torch",)),
    "bins": Estimator(_bins),
}


def labels_of(n: int, seed: int) -> np.ndarray:
    """Of three groups whose sizes differ by at most one."""
    return np.random.default_rng([seed, 0]).permutation(np.arange(n) % 3)


def measured(spec: dict[str, Any]) -> dict[str, Any]:
    """The value and its time, and the anonymous memory before the estimator began."""
    before = resident_bytes("RssAnon")
    labels = labels_of(spec["n"], spec["seed"])
    ready = ESTIMATORS[spec["estimator"]].make(Path(spec["input"]), labels, spec["options"])
    times, value = timed(ready, spec["enough_seconds"])
    return {
        "seed": spec["seed"],
        "value": float(value),
        "seconds": times["seconds"],
        "calls": times["calls"],
        "bytes_before": before,
    }


def main() -> None:
    print(json.dumps(measured(json.load(sys.stdin))))


if __name__ == "__main__":
    main()

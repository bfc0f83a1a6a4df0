"""The estimators that studies compare, by the names in their tables.

A name says what is computed, and with which setting: ``DSE auto``, ``DSMI sigma=10``,
``adjusted sqrt-d``, ``plain sqrt-d`` (equation 8 of the paper), ``p auto``, ``CSE 10 bins``,
``MINE``. Some need an explanation:

- ``CSMI 10 bins``: matched, as DSMI is, which is what the paper's code computes;
- ``plug-in 10 bins``: mutual information of cells and labels, without that baseline;
- ``KSG``: of numbers and labels, by Ross;
- ``KSG continuous``: the one for two continuous variables, given labels, as in the paper.

Behind DSE and DSMI stands a rule of `eigentropy.bandwidth`, ``sigma=10``, ``0.5 medians``,
``width`` (a number that the study gives), or a kernel of `kernels.KERNELS`.
"""

from __future__ import annotations

import importlib.util
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

import eigentropy as eg
from eigentropy._kernels.bandwidth import MEDIAN_FACTOR
from eigentropy._support.warnings import warn
from eigentropy.baselines import BaselineEstimate, binning, ksg, mine
from eigentropy.ranking.correlations import spearman as spearman
from eigentropy.studies import kernels
from eigentropy.studies.rows import Cell, StudyRow
from eigentropy.studies.study import Job

# The numbers that one result of DSMI has: none needs a second computation.
PARTS = ("DSMI", "adjusted", "plain", "p")

# The optional package that an estimator takes, and the extra that brings it.
NEEDS = {"KSG": ("scipy", "baselines"), "MINE": ("torch", "torch")}

# The setting "0.5 medians" is a sigma of half the median distance.
MEDIANS = " medians"

# Noise that is added to labels for the continuous KSG, which refuses ties. NPEET adds as much.
JITTER = 1e-10


def available(names: Sequence[str]) -> list[str]:
    """Those of the names whose packages are installed, with a warning about the others."""
    found = []
    for name in names:
        package, extra = NEEDS.get(name.split()[0], ("", ""))
        if not package or importlib.util.find_spec(package):
            found.append(name)
        else:
            warn(f"{name} is left out: it needs {package}, pip install 'eigentropy[{extra}]'")
    return found


def possible(name: str) -> tuple[float, float] | None:
    """The range of this estimator where it is not that of the others beside it."""
    return (0.0, 1.0) if name.startswith("adjusted") else None


def sigma_of(setting: str, width: float | None = None, Z: Any = None) -> float | str:
    """The argument `sigma` of a setting: "sigma=10", a rule, or "0.5 medians" of the rows of Z.

    Or "width", a given number.
    """
    if setting == "width":
        if width is None:
            raise ValueError("a setting of 'width' needs a sigma")
        return width
    if setting.endswith(MEDIANS):
        return float(setting.removesuffix(MEDIANS)) * eg.bandwidth(Z, "median") / MEDIAN_FACTOR
    return float(setting.removeprefix("sigma=")) if setting.startswith("sigma=") else setting


def measure(
    job: Job, Z: Any, labels: Any = None, *, sigma: float | None = None, **mine: Any
) -> Iterator[StudyRow]:
    """The rows of a job's cells on these data; `sigma` is of "width", `mine` has options of MINE.

    Cells of one DSMI, or of one DSE at several t, are computed together: the time is of all.
    A saturated sigma is a result here, not a mistake: no warning. An estimator that fails at a
    cell leaves it out, with a warning.
    """
    for cells in _together(job.cells):
        kind, _, setting = cells[0].estimator.partition(" ")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", eg.SaturationWarning)
                if setting in kernels.KERNELS:
                    yield from _of_kernel(cells, Z, labels, setting)
                elif kind == "DSE":
                    yield from _entropies(cells, Z, sigma_of(setting, sigma, Z))
                elif kind in PARTS:
                    yield from _informations(cells, Z, labels, sigma_of(setting, sigma, Z))
                else:
                    yield _baseline(cells[0], kind, setting, Z, labels, mine)
        except (FloatingPointError, MemoryError) as error:
            warn(f"{cells[0].estimator} at {cells[0].settings}: {error}")


def _together(cells: Sequence[Cell]) -> list[list[Cell]]:
    groups: dict[Any, list[Cell]] = {}
    for cell in cells:
        kind, _, setting = cell.estimator.partition(" ")
        if kind == "DSE":
            groups.setdefault(("DSE", setting), []).append(cell)
        elif kind in PARTS:
            groups.setdefault(("DSMI", setting), []).append(cell)
        else:
            groups.setdefault(cell, []).append(cell)
    return list(groups.values())


def _times(cells: Sequence[Cell]) -> list[float]:
    return [float(cell.settings.get("t", 1.0)) for cell in cells]


def _entropies(cells: Sequence[Cell], Z: Any, sigma: float | str) -> Iterator[StudyRow]:
    start = time.perf_counter()
    times = _times(cells)
    # In float64, which is accurate at every t.
    found = eg.dse(Z, sigma=sigma, method="exact", seed=cells[0].seed)
    values = [found.at(t) for t in times]
    seconds = time.perf_counter() - start
    for cell, entropy in zip(cells, values, strict=True):
        yield StudyRow(cell, entropy.value, entropy.standard_error, seconds)


def _informations(
    cells: Sequence[Cell], Z: Any, labels: Any, sigma: float | str
) -> Iterator[StudyRow]:
    start = time.perf_counter()
    seed = cells[0].seed
    times = _times(cells)
    method = "auto" if set(times) == {1.0} else "exact"
    found = eg.dsmi(Z, labels, t=times[0], sigma=sigma, method=method, n_null=20, seed=seed)
    by_t = {t: found.at(t) for t in dict.fromkeys(times)}
    numbers = [_part(by_t[t], cell, Z) for t, cell in zip(times, cells, strict=True)]
    seconds = time.perf_counter() - start
    for cell, (value, error) in zip(cells, numbers, strict=True):
        yield StudyRow(cell, value, error, seconds)


def _part(found: eg.DiffusionInformation, cell: Cell, Z: Any) -> tuple[float, float]:
    kind = cell.estimator.split()[0]
    if kind == "DSMI":
        return found.value, found.standard_error
    if kind == "adjusted":
        return found.adjusted(), float("nan")
    if kind == "p":
        return found.p_value, float("nan")
    whole = eg.dse(Z, t=found.t, sigma=found.sigma, method="exact")
    return whole.value - found.conditional_entropy, 0.0


def _of_kernel(cells: Sequence[Cell], Z: Any, labels: Any, setting: str) -> Iterator[StudyRow]:
    """The same numbers, of a kernel with a width for each row."""
    start = time.perf_counter()
    G = kernels.kernel(Z, setting)
    if cells[0].estimator.startswith("DSE"):
        spectrum = kernels.eigenvalues(G)
        numbers = [(eg.spectral_entropy(spectrum, t=t), 0.0) for t in _times(cells)]
    else:
        found = {
            t: kernels.information(G, labels, t=t, seed=cells[0].seed)
            for t in dict.fromkeys(_times(cells))
        }
        numbers = [
            _part_of_kernel(found[t], cell) for t, cell in zip(_times(cells), cells, strict=True)
        ]
    seconds = time.perf_counter() - start
    for cell, (value, error) in zip(cells, numbers, strict=True):
        yield StudyRow(cell, value, error, seconds)


def _part_of_kernel(found: kernels.GivenKernelInformation, cell: Cell) -> tuple[float, float]:
    return {
        "DSMI": (found.value, found.standard_error),
        "adjusted": (found.adjusted, float("nan")),
        "plain": (found.plain, 0.0),
        "p": (found.p_value, float("nan")),
    }[cell.estimator.split()[0]]


def _baseline(
    cell: Cell, kind: str, setting: str, Z: Any, labels: Any, mine_options: dict[str, Any]
) -> StudyRow:
    start = time.perf_counter()
    if kind == "MINE":
        value = mine.mutual_information(Z, labels, seed=cell.seed, **mine_options)
    elif kind == "KSG":
        value = _neighbours(setting, Z, labels, cell.seed)
    elif kind == "CSE":
        value = binning.entropy(Z, bins=int(setting.split()[0]))
    else:
        value = binning.mutual_information(
            Z,
            labels,
            bins=int(setting.split()[0]),
            estimator="plain" if kind == "plug-in" else "matched",
            seed=cell.seed,
        )
    return StudyRow(cell, float(value), value.standard_error, time.perf_counter() - start)


def _neighbours(setting: str, Z: Any, labels: Any, seed: int) -> BaselineEstimate:
    if setting != "continuous":
        return ksg.discrete_mutual_information(Z, labels, k=3, seed=seed)
    noise = np.random.default_rng([seed, 6]).random(len(labels))
    return ksg.mutual_information(Z, labels + JITTER * noise, k=3, seed=seed)

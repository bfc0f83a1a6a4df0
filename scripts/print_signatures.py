"""Print every public option in one table: its default, and who has another one and why.

    python scripts/print_signatures.py            the table of options
    python scripts/print_signatures.py --calls    the signature of each public function and class

`eigentropy.compat` is left out: it has the names of the package that it stands in for.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import inspect
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

MODULES = (
    "eigentropy",
    "eigentropy.anndata",
    "eigentropy.plot",
    "eigentropy.baselines.binning",
    "eigentropy.baselines.densities",
    "eigentropy.baselines.discrete",
    "eigentropy.baselines.ksg",
    "eigentropy.baselines.mine",
    "eigentropy.baselines.spectral",
    "eigentropy.bottleneck",
    "eigentropy.io",
    "eigentropy.report",
    "eigentropy.torch",
    "eigentropy.torch.functional",
    "eigentropy.torch.initialization",
    "eigentropy.torch.layers",
)

# Options whose name says something else in each function: their defaults are not compared.
OWN_MEANING = {"by", "key_added", "measure", "title"}

# What functions return: nobody calls these with options.
RESULTS = (
    "Entropy",
    "DiffusionEntropy",
    "KernelEntropy",
    "MutualInformation",
    "DiffusionInformation",
    "KernelInformation",
    "Estimate",
    "Convergence",
    "Comparison",
    "Difference",
    "Ranking",
    "Run",
    "SnapshotRow",
    "Sweep",
    "Scale",
    "Bifurcation",
    "BottleneckSolution",
    "CurvePoint",
    "InformationCurve",
    "JointDistribution",
    "SamplingBound",
    "LanguageProfile",
)

# Where a default must differ from that of the other functions, and why.
REASONS = {
    ("eigentropy.io.MeasurementSettings", "t"): "several times are measured from one spectrum",
    ("eigentropy.io.MeasurementSettings", "order"): "several orders are measured from one spectrum",
    ("eigentropy.io.MeasurementSettings", "kernel"): "whether the density matrix is measured, too",
    ("eigentropy.io.MeasurementSettings", "clusters"): "an algorithm has to be named, since the "
    "groups themselves cannot be given here",
    ("eigentropy.io.MeasurementSettings", "sampling"): "sampling errors cost several times as much "
    "as what is asked for",
    ("eigentropy.torch.Monitor", "sampling"): "as in MeasurementSettings, at each measurement",
    ("eigentropy.torch.InformationLoss", "estimator"): "random partitions at each step of the "
    "training would cost n_null times as much",
    ("eigentropy.torch.KernelInformationLoss", "estimator"): "as in InformationLoss",
    ("eigentropy.torch.DiffusionSpectralMutualInformation", "n_null"): "a function with a gradient "
    "is the same for all rows, and so is its number of partitions",
    (
        "eigentropy.torch.functional.diffusion_spectral_mutual_information",
        "n_null",
    ): "as in DiffusionSpectralMutualInformation",
    ("eigentropy.torch.functional.kernel_information", "n_null"): "as in "
    "DiffusionSpectralMutualInformation",
    ("eigentropy.torch.Monitor", "n_null"): "a measurement is repeated all through the training",
    ("eigentropy.profile", "layers"): "a profile is of the whole model",
    ("eigentropy.torch.CollapseAlarm", "alpha"): "the probability of a false alarm",
    ("eigentropy.torch.Probe", "max_points"): "a probe is measured again and again",
    ("eigentropy.torch.layers.profile", "views"): "how many, or the texts of another view",
    ("eigentropy.torch.layers.profile", "pooling"): "of tokens: there is no pooling of the model's "
    "own in an inner layer",
    ("eigentropy.torch.TokenReservoir", "layers"): "the blocks of a transformer can be told",
    ("eigentropy.torch.TokenReservoir", "max_bytes"): "n bounds it",
    ("eigentropy.torch.TokenReservoir", "dtype"): "in which states are stored, not computed with",
    ("eigentropy.torch.TokenReservoir", "device"): "where states are stored: the memory of "
    "a GPU is the model's",
    ("eigentropy.bottleneck.solve", "alpha"): "of the bottleneck, not of the kernel: 1 is the "
    "original one",
    ("eigentropy.bottleneck.curve", "alpha"): "as in solve",
    ("eigentropy.bottleneck.solve", "tol"): "of a residual, not of an entropy",
    ("eigentropy.bottleneck.curve", "tol"): "as in solve",
    (
        "eigentropy.bottleneck.solve",
        "n_clusters",
    ): "of the bottleneck: as many as may be, and equal ones are merged",
    ("eigentropy.bottleneck.curve", "n_clusters"): "as in solve",
    ("eigentropy.bottleneck.joint_distribution", "normalize"): "whether a matrix is divided by its "
    "sum; elsewhere how each token is",
    ("eigentropy.bottleneck.layers", "estimator"): "only bits can be compared between layers",
    (
        "eigentropy.bottleneck.layers",
        "n_null",
    ): "four informations of each layer have random orders",
    ("eigentropy.bottleneck.layers", "n_clusters"): "clusters stand for the values of a layer, of "
    "which there are more than classes",
    ("eigentropy.bottleneck.layers", "bins"): "of each unit, and cells multiply with the units",
    ("eigentropy.plot.entropy", "t"): "None draws S over a grid of times",
    ("eigentropy.plot.history", "n_null"): "None draws no bands: rows do not say how many "
    "partitions stand behind them",
}


# Adapters, whose libraries may be missing.
ADAPTERS = (
    ("eigentropy.sklearn", "DiffusionMap"),
    ("eigentropy.sklearn", "RepresentationScorer"),
    ("eigentropy.sklearn", "feature_information"),
    ("eigentropy.torch.integrations.lightning", "MonitorCallback"),
    ("eigentropy.torch.integrations.transformers", "MonitorCallback"),
    ("eigentropy.torch.integrations.torchmetrics", "DiffusionSpectralEntropy"),
    ("eigentropy.torch.integrations.torchmetrics", "DiffusionSpectralMutualInformation"),
    ("eigentropy.torch.integrations.torchmetrics", "KernelEntropy"),
    ("eigentropy.torch.integrations.torchmetrics", "KernelInformation"),
)


def public() -> Iterator[tuple[str, Any]]:
    """The dotted name and the object of each public function and class."""
    for module_name, name in ADAPTERS:
        with contextlib.suppress(ImportError):
            yield f"{module_name}.{name}", getattr(importlib.import_module(module_name), name)
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name in sorted(getattr(module, "__all__", [])):
            value = getattr(module, name)
            is_error = isinstance(value, type) and issubclass(value, Exception)
            if callable(value) and not is_error and name not in RESULTS:
                yield f"{module_name}.{name}", value


def signatures() -> dict[str, inspect.Signature]:
    """The signature of each, once for those with several names."""
    found: dict[Any, str] = {}
    for name, value in public():
        if value not in found or len(name) > len(found[value]):
            found[value] = name
    return {name: inspect.signature(value) for value, name in found.items()}


def options() -> dict[str, dict[str, list[str]]]:
    """For each option the functions that have it, by their default."""
    table: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, signature in signatures().items():
        for parameter in signature.parameters.values():
            if parameter.default is not inspect.Parameter.empty:
                table[parameter.name][repr(parameter.default)].append(name)
    return table


def usual(defaults: dict[str, list[str]]) -> str:
    """The default that most functions have; the first of those in case of a tie."""
    counts = Counter({default: len(functions) for default, functions in defaults.items()})
    return counts.most_common(1)[0][0]


def differing() -> dict[tuple[str, str], str]:
    """Function and option of each default that is not the usual one, and that default."""
    return {
        (function, option): default
        for option, defaults in options().items()
        if option not in OWN_MEANING
        for default, functions in defaults.items()
        if default != usual(defaults)
        for function in functions
    }


def table() -> str:
    """The table of all options in Markdown."""
    lines = [
        "| option | default | functions | other defaults, and why |",
        "| --- | --- | --- | --- |",
    ]
    for option, defaults in sorted(options().items()):
        others = [
            f"{default} in `{function}`: {REASONS.get((function, option), 'its own meaning')}"
            for default, functions in defaults.items()
            if default != usual(defaults)
            for function in functions
        ]
        count = sum(map(len, defaults.values()))
        lines.append(f"| `{option}` | `{usual(defaults)}` | {count} | {'; '.join(others)} |")
    return "\n".join(lines)


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", action="store_true", help="print each signature instead")
    if parser.parse_args().calls:
        for name, signature in sorted(signatures().items()):
            plain = signature.replace(
                return_annotation=inspect.Signature.empty,
                parameters=[
                    p.replace(annotation=inspect.Parameter.empty)
                    for p in signature.parameters.values()
                ],
            )
            print(f"{name}{plain}")
    else:
        print(table())


if __name__ == "__main__":
    main()

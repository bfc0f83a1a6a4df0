"""How much information vectors carry, and how much of it is about their labels.

>>> import numpy as np, eigentropy as eg
>>> Z = np.random.default_rng(0).normal(size=(300, 8))
>>> S = eg.diffusion_spectral_entropy(Z)      # works as a float; bits
>>> bool(0 < S < np.log2(300))
True

A name is imported when it is first used: `import eigentropy` itself is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eigentropy import plot
    from eigentropy._backends.plugin import DeviceError
    from eigentropy._core import SolverError
    from eigentropy._kernels.bandwidth import bandwidth
    from eigentropy._measures.closed_forms import cluster_gain, gaussian_entropy
    from eigentropy._measures.comparison.compare import compare
    from eigentropy._measures.comparison.comparison import Comparison
    from eigentropy._measures.comparison.difference import Difference
    from eigentropy._measures.converge import converge
    from eigentropy._measures.convergence.result import Convergence
    from eigentropy._measures.entropies import Entropies, entropies
    from eigentropy._measures.entropy import diffusion_spectral_entropy
    from eigentropy._measures.entropy import diffusion_spectral_entropy as dse
    from eigentropy._measures.information import diffusion_spectral_mutual_information
    from eigentropy._measures.information import diffusion_spectral_mutual_information as dsmi
    from eigentropy._measures.kernel_entropy import kernel_entropy
    from eigentropy._measures.kernel_information import kernel_information
    from eigentropy._measures.kernel_results import KernelEntropy, KernelInformation
    from eigentropy._measures.layer_profile import LayerProfile
    from eigentropy._measures.operator import DiffusionOperator
    from eigentropy._measures.profile import profile
    from eigentropy._measures.results import (
        DiffusionEntropy,
        DiffusionInformation,
        Entropy,
        MutualInformation,
    )
    from eigentropy._spectra.eigenvalues import eigvalsh, spectral_entropy
    from eigentropy._support.warnings import (
        GroupWarning,
        PrecisionWarning,
        SaturationWarning,
        ShapeWarning,
    )
    from eigentropy.ranking.rank import rank
    from eigentropy.ranking.result import Ranking

    __version__: str

# The module of each public name.
_HOMES = {
    "Comparison": "_measures.comparison.comparison",
    "Convergence": "_measures.convergence.result",
    "DeviceError": "_backends.plugin",
    "Difference": "_measures.comparison.difference",
    "DiffusionEntropy": "_measures.results",
    "DiffusionInformation": "_measures.results",
    "DiffusionOperator": "_measures.operator",
    "Entropies": "_measures.entropies",
    "Entropy": "_measures.results",
    "GroupWarning": "_support.warnings",
    "KernelEntropy": "_measures.kernel_results",
    "KernelInformation": "_measures.kernel_results",
    "LayerProfile": "_measures.layer_profile",
    "MutualInformation": "_measures.results",
    "PrecisionWarning": "_support.warnings",
    "Ranking": "ranking.result",
    "SaturationWarning": "_support.warnings",
    "ShapeWarning": "_support.warnings",
    "SolverError": "_core",
    "bandwidth": "_kernels.bandwidth",
    "cluster_gain": "_measures.closed_forms",
    "compare": "_measures.comparison.compare",
    "converge": "_measures.converge",
    "diffusion_spectral_entropy": "_measures.entropy",
    "diffusion_spectral_mutual_information": "_measures.information",
    "eigvalsh": "_spectra.eigenvalues",
    "entropies": "_measures.entropies",
    "gaussian_entropy": "_measures.closed_forms",
    "kernel_entropy": "_measures.kernel_entropy",
    "kernel_information": "_measures.kernel_information",
    "profile": "_measures.profile",
    "rank": "ranking.rank",
    "spectral_entropy": "_spectra.eigenvalues",
}

_SHORT = {
    "dse": "diffusion_spectral_entropy",
    "dsmi": "diffusion_spectral_mutual_information",
}

# Packages for those who need them; `import eigentropy` alone does not import them.
_PACKAGES = (
    "anndata",
    "baselines",
    "compat",
    "io",
    "reference",
    "report",
    "sklearn",
    "studies",
    "torch",
)

# Where a script that was written for an earlier version finds what it looks for.
_FORMER = {
    "entropy": "eigentropy.diffusion_spectral_entropy",
    "information": "eigentropy.diffusion_spectral_mutual_information",
    "files": "eigentropy.io",
    "tracking": "eigentropy.io",
    "spectrum": "eigentropy.eigvalsh and eigentropy.spectral_entropy",
    "results": "eigentropy.Entropy and eigentropy.MutualInformation",
    "operator": "eigentropy.DiffusionOperator",
}

__all__ = [
    "Comparison",
    "Convergence",
    "DeviceError",
    "Difference",
    "DiffusionEntropy",
    "DiffusionInformation",
    "DiffusionOperator",
    "Entropies",
    "Entropy",
    "GroupWarning",
    "KernelEntropy",
    "KernelInformation",
    "LayerProfile",
    "MutualInformation",
    "PrecisionWarning",
    "Ranking",
    "SaturationWarning",
    "ShapeWarning",
    "SolverError",
    "__version__",
    "bandwidth",
    "cluster_gain",
    "compare",
    "converge",
    "diffusion_spectral_entropy",
    "diffusion_spectral_mutual_information",
    "dse",
    "dsmi",
    "eigvalsh",
    "entropies",
    "gaussian_entropy",
    "kernel_entropy",
    "kernel_information",
    "plot",
    "profile",
    "rank",
    "spectral_entropy",
]


def __getattr__(name: str) -> Any:
    if name in _SHORT:
        value = __getattr__(_SHORT[name])
    elif name in _HOMES:
        value = getattr(import_module(f"eigentropy.{_HOMES[name]}"), name)
    elif name == "plot":
        value = import_module("eigentropy.plot")
    elif name == "__version__":
        value = import_module("eigentropy._support.lifetime").version()
    else:
        raise AttributeError(_missing(name))
    globals()[name] = value  # found at once the next time
    return value


def _missing(name: str) -> str:
    message = f"module 'eigentropy' has no attribute {name!r}"
    if name in _PACKAGES:
        return f"{message} before it is imported: import eigentropy.{name}"
    return f"{message}; see {_FORMER[name]}" if name in _FORMER else message


def __dir__() -> list[str]:
    return list(__all__)

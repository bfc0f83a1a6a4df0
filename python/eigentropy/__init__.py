"""Diffusion spectral entropy and mutual information of neural representations.

>>> import numpy as np, eigentropy as eg
>>> Z = np.random.default_rng(0).normal(size=(300, 8))
>>> S = eg.diffusion_spectral_entropy(Z)      # works as a float; bits
>>> bool(0 < S < np.log2(300))
True
"""

from eigentropy._backends.plugin import DeviceError
from eigentropy._core import SolverError
from eigentropy._kernels.bandwidth import bandwidth
from eigentropy._kernels.diffusion import DiffusionOperator
from eigentropy._measures.entropy import cluster_gain, diffusion_spectral_entropy, gaussian_entropy
from eigentropy._measures.information import diffusion_spectral_mutual_information
from eigentropy._measures.results import (
    Entropy,
    MutualInformation,
    PrecisionWarning,
    SaturationWarning,
)
from eigentropy._spectra.eigenvalues import eigvalsh, spectral_entropy
from eigentropy._support.lifetime import version as _version

dse = diffusion_spectral_entropy
dsmi = diffusion_spectral_mutual_information

__version__ = _version()

__all__ = [
    "DeviceError",
    "DiffusionOperator",
    "Entropy",
    "MutualInformation",
    "PrecisionWarning",
    "SaturationWarning",
    "SolverError",
    "__version__",
    "bandwidth",
    "cluster_gain",
    "diffusion_spectral_entropy",
    "diffusion_spectral_mutual_information",
    "dse",
    "dsmi",
    "eigvalsh",
    "gaussian_entropy",
    "spectral_entropy",
]

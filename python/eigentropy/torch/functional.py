"""The measures of a batch as functions with a gradient."""

from eigentropy.torch.losses.dispersion import dispersion
from eigentropy.torch.losses.functional import (
    diffusion_spectral_entropy,
    diffusion_spectral_mutual_information,
    kernel_entropy,
    kernel_information,
)
from eigentropy.torch.losses.sequence_modules import sequence_entropy

__all__ = [
    "diffusion_spectral_entropy",
    "diffusion_spectral_mutual_information",
    "dispersion",
    "kernel_entropy",
    "kernel_information",
    "sequence_entropy",
]

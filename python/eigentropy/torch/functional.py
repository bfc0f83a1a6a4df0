"""The measures of a batch as functions with a gradient."""

from eigentropy.torch.losses.functional import (
    diffusion_spectral_entropy,
    diffusion_spectral_mutual_information,
    kernel_entropy,
    kernel_information,
)

__all__ = [
    "diffusion_spectral_entropy",
    "diffusion_spectral_mutual_information",
    "kernel_entropy",
    "kernel_information",
]

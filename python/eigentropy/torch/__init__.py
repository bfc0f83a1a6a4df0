"""Entropy and information inside a PyTorch training loop: losses, a monitor, initial scales.

Needs PyTorch: ``pip install 'eigentropy[torch]'``. Nothing else of the package imports this.
"""

try:
    import torch as _torch  # noqa: F401  (the library: imports are absolute)
except ImportError as error:
    raise ImportError(
        "eigentropy.torch needs PyTorch: pip install 'eigentropy[torch]', or PyTorch by itself"
    ) from error

from eigentropy.torch import initialization
from eigentropy.torch.losses import threads
from eigentropy.torch.losses.modules import EntropyLoss, InformationLoss, SpectralEntropy
from eigentropy.torch.monitoring.loggers import (
    CSVLogger,
    JSONLinesLogger,
    TensorBoardLogger,
    WandbLogger,
)
from eigentropy.torch.monitoring.monitor import Monitor

threads.borrow()

__all__ = [
    "CSVLogger",
    "EntropyLoss",
    "InformationLoss",
    "JSONLinesLogger",
    "Monitor",
    "SpectralEntropy",
    "TensorBoardLogger",
    "WandbLogger",
    "initialization",
]

"""Entropy and information inside a PyTorch training loop: losses, a monitor, initial scales.

Needs PyTorch: ``pip install 'eigentropy[torch]'``. Nothing else of the package imports this.
"""

try:
    import torch as _torch  # noqa: F401  (the library: imports are absolute)
except ImportError as error:
    raise ImportError(
        "eigentropy.torch needs PyTorch: pip install 'eigentropy[torch]', or PyTorch by itself"
    ) from error

from eigentropy._support.signatures import missing_name as _missing_name
from eigentropy.torch import functional, initialization
from eigentropy.torch.layers.reservoir import TokenReservoir
from eigentropy.torch.losses import threads as _threads
from eigentropy.torch.losses.dispersion import DispersionLoss
from eigentropy.torch.losses.kernel_modules import (
    KernelEntropy,
    KernelEntropyLoss,
    KernelInformation,
    KernelInformationLoss,
)
from eigentropy.torch.losses.modules import (
    DiffusionSpectralEntropy,
    DiffusionSpectralMutualInformation,
    EntropyLoss,
    InformationLoss,
)
from eigentropy.torch.losses.sequence_modules import SequenceEntropy, SequenceEntropyLoss
from eigentropy.torch.monitoring.alarm import CollapseAlarm
from eigentropy.torch.monitoring.alarm_actions import (
    CollapseError,
    CollapseEvent,
    CollapseWarning,
)
from eigentropy.torch.monitoring.background import BackgroundError
from eigentropy.torch.monitoring.evaluation import Evaluation
from eigentropy.torch.monitoring.loggers import (
    CSVLogger,
    JSONLinesLogger,
    TensorBoardLogger,
    WandbLogger,
)
from eigentropy.torch.monitoring.monitor import Monitor
from eigentropy.torch.monitoring.probe import Probe
from eigentropy.torch.monitoring.reservoir import Reservoir

_threads.borrow()

__all__ = [
    "BackgroundError",
    "CSVLogger",
    "CollapseAlarm",
    "CollapseError",
    "CollapseEvent",
    "CollapseWarning",
    "DiffusionSpectralEntropy",
    "DiffusionSpectralMutualInformation",
    "DispersionLoss",
    "EntropyLoss",
    "Evaluation",
    "InformationLoss",
    "JSONLinesLogger",
    "KernelEntropy",
    "KernelEntropyLoss",
    "KernelInformation",
    "KernelInformationLoss",
    "Monitor",
    "Probe",
    "Reservoir",
    "SequenceEntropy",
    "SequenceEntropyLoss",
    "TensorBoardLogger",
    "TokenReservoir",
    "WandbLogger",
    "functional",
    "initialization",
]

_RENAMED = {
    "SpectralEntropy": "DiffusionSpectralEntropy",
    "loss": "DiffusionSpectralEntropy, EntropyLoss and InformationLoss of eigentropy.torch",
    "monitor": "Monitor of eigentropy.torch",
    "lightning": "eigentropy.torch.integrations.lightning",
    "transformers": "eigentropy.torch.integrations.transformers",
    "metrics": "eigentropy.torch.integrations.torchmetrics",
}


def __getattr__(name: str) -> object:
    raise _missing_name(__name__, name, _RENAMED)


def __dir__() -> list[str]:
    return __all__

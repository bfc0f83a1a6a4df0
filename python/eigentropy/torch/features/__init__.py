"""Features of pretrained models, written to files: one pass of a model over images or texts."""

from eigentropy._support.signatures import missing_name as _missing_name
from eigentropy.torch.features.extraction import extract
from eigentropy.torch.features.feature_file import FeatureFile
from eigentropy.torch.features.hubs import UnavailableModelError
from eigentropy.torch.features.images import ImageArray, ImageFolder
from eigentropy.torch.features.inputs import Inputs
from eigentropy.torch.features.texts import TextFile, TextList

__all__ = [
    "FeatureFile",
    "ImageArray",
    "ImageFolder",
    "Inputs",
    "TextFile",
    "TextList",
    "UnavailableModelError",
    "extract",
]


def __getattr__(name: str) -> object:
    raise _missing_name(__name__, name)


def __dir__() -> list[str]:
    return __all__

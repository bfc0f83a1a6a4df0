"""Diffusion maps and scorers for scikit-learn: a transformer, scorers, a score of each feature.

Needs scikit-learn: ``pip install 'eigentropy[sklearn]'``. Nothing else of the package imports this.
"""

try:
    # The library: imports are absolute. It has this function from version 1.6 on.
    from sklearn.utils.validation import validate_data as _validate_data  # noqa: F401
except ImportError as error:
    try:
        from sklearn import __version__ as _found
    except ImportError:
        _there = "none is there"
    else:
        _there = f"{_found} is there"
    raise ImportError(
        f"eigentropy.sklearn needs scikit-learn 1.6 or newer, and {_there}: "
        "pip install --upgrade 'eigentropy[sklearn]'"
    ) from error

from eigentropy._support.signatures import missing_name as _missing_name
from eigentropy.sklearn.diffusion_map import DiffusionMap
from eigentropy.sklearn.features import feature_information
from eigentropy.sklearn.scorers import RepresentationScorer

__all__ = ["DiffusionMap", "RepresentationScorer", "feature_information"]


def __getattr__(name: str) -> object:
    raise _missing_name(__name__, name)


def __dir__() -> list[str]:
    return __all__

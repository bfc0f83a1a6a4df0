"""Many models or files of features, ranked by scores with their sampling errors."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from eigentropy._support.signatures import missing_name

if TYPE_CHECKING:
    from eigentropy.ranking.measured import ModelScores, score_model
    from eigentropy.ranking.result import Ranking

# The module of each name.
_HOMES = {
    "ModelScores": "measured",
    "Ranking": "result",
    "score_model": "measured",
}

__all__ = ["ModelScores", "Ranking", "score_model"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"eigentropy.ranking.{_HOMES[name]}"), name)
    raise missing_name(__name__, name)


def __dir__() -> list[str]:
    return __all__

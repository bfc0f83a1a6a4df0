"""Inside the layers of language models: a bounded sample of tokens, and profiles of layers."""

from eigentropy._support.signatures import missing_name as _missing_name
from eigentropy.torch.layers.language_profile import LanguageProfile
from eigentropy.torch.layers.profile import profile
from eigentropy.torch.layers.states_files import StatesFolder

__all__ = ["LanguageProfile", "StatesFolder", "profile"]


def __getattr__(name: str) -> object:
    raise _missing_name(__name__, name)


def __dir__() -> list[str]:
    return __all__

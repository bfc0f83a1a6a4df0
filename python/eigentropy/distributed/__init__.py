"""Entropies of rows that lie on several processes or machines, by torch.distributed."""

from typing import TYPE_CHECKING, Any

from eigentropy._support.signatures import missing_name

if TYPE_CHECKING:
    from eigentropy.distributed.diffusion import DistributedOperator
    from eigentropy.distributed.entropy import dse, kernel_entropy
    from eigentropy.distributed.ranks import DistributedError

_HOMES = {
    "dse": "entropy",
    "kernel_entropy": "entropy",
    "DistributedOperator": "diffusion",
    "DistributedError": "ranks",
}

__all__ = ["DistributedError", "DistributedOperator", "dse", "kernel_entropy"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise missing_name(__name__, name)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__

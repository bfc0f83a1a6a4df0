"""Packages that some sources need: imported when used, named when missing."""

from __future__ import annotations

import sys
import traceback
from contextlib import suppress
from importlib import import_module, metadata
from typing import Any

# What pip calls the packages that have other names there.
_DISTRIBUTIONS = {"PIL": "pillow"}


def required(module: str, for_what: str) -> Any:
    """The module.

    Raises
    ------
    ImportError
        Its package is missing, or broken; the message names the extra.
    """
    package = module.partition(".")[0]
    name = _DISTRIBUTIONS.get(package, package)
    try:
        return import_module(module)
    except (RuntimeError, OSError) as error:  # of torchvision beside another PyTorch
        broken = _broken(error, package)
        broken = _DISTRIBUTIONS.get(broken, broken)
        via = "" if broken == name else f" {name}, which imports"
        raise ImportError(
            f"{for_what} needs{via} {broken}, which is installed and cannot be imported: {error}; "
            f"install builds of PyTorch and {broken} that fit each other"
        ) from error
    except ModuleNotFoundError as error:
        if (error.name or package).partition(".")[0] != package:
            raise  # it is there, and lacks another one
        raise ImportError(
            f"{for_what} needs {name}: pip install 'eigentropy[features]', or {name} by itself"
        ) from None


def _broken(error: BaseException, package: str) -> str:
    """The package that raised an error while it was imported: PyTorch is used by all of them."""
    frames = traceback.walk_tb(error.__traceback__)
    names = [frame.f_globals.get("__name__", "").partition(".")[0] for frame, _ in frames]
    passed = {"", "torch", __name__.partition(".")[0], *sys.stdlib_module_names}
    return next((name for name in reversed(names) if name not in passed), package)


def versions(*modules: str) -> dict[str, str]:
    """The versions of those packages that are installed."""
    found = {}
    for module in modules:
        name = _DISTRIBUTIONS.get(module, module)
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found

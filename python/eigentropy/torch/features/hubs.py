"""Weights from a local cache or from a hub, and one error that says what is missing and where."""

from __future__ import annotations

import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch

# Seconds in which a hub has to answer before the local cache is taken alone.
PATIENCE = 5.0

_VARIABLE = "HF_HUB_OFFLINE"
_VARIABLES = (_VARIABLE, "TRANSFORMERS_OFFLINE")


class UnavailableModelError(OSError):
    """The weights of a model are neither in the local cache nor to be had from the hub."""


@contextmanager
def hugging_face(source: str, offline: bool) -> Iterator[bool]:
    """Load inside from the hub of Hugging Face, or from its cache alone if the hub is not there.

    Yields whether only the cache is asked. A hub that does not answer is asked once, for some
    seconds: the library itself would try for minutes.

    Raises
    ------
    UnavailableModelError
        What is loaded inside is not there; the message names the model, the place and the remedy.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import LocalEntryNotFoundError

    switch = "offline" if offline else _set_variable() if constants.HF_HUB_OFFLINE else ""
    reachable = not switch and _answers(constants.ENDPOINT)
    try:
        with _cache_alone(constants, not reachable):
            yield not reachable
    except OSError as error:
        hub, cache = constants.ENDPOINT, constants.HF_HUB_CACHE
        # This error says that the library could use no answer; a hub's own "no" is another one.
        unused = [one for one in _causes(error) if isinstance(one, LocalEntryNotFoundError)]
        if reachable and unused:
            why = _one_line(unused[0].__cause__ or unused[0])
            raise _not_had(source, f"{hub} does not answer as a hub does ({why})", cache) from None
        reason = _one_line(error) if reachable else ""
        raise _unavailable(source, switch, reachable, hub, cache, reason) from None


def _set_variable() -> str:
    """The variable of the environment that the library takes for "offline"."""
    return next((name for name in _VARIABLES if os.environ.get(name)), _VARIABLE)


@contextmanager
def _cache_alone(constants: Any, wanted: bool) -> Iterator[None]:
    """The library's switch, for the time of this call."""
    if not wanted:
        yield
        return
    before = constants.HF_HUB_OFFLINE, os.environ.get(_VARIABLE)
    constants.HF_HUB_OFFLINE = True
    os.environ[_VARIABLE] = "1"
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before[0]
        if before[1] is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before[1]


def _answers(url: str) -> bool:
    """Whether a server answers, with whatever it says, through the proxy if there is one."""
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PATIENCE).close()
    except urllib.error.HTTPError:
        return True
    except urllib.error.URLError as error:
        return isinstance(error.reason, ssl.SSLError)  # whose certificate others may know
    except (OSError, ValueError):
        return False
    return True


@contextmanager
def torch_hub(source: str, url: str, offline: bool) -> Iterator[None]:
    """Load inside what PyTorch keeps in its own cache, by the last part of a url.

    Raises
    ------
    UnavailableModelError
        As above.
    """
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    kept = (cache / url.rpartition("/")[2]).exists()
    if offline and not kept:
        raise _unavailable(source, "offline", False, url, cache)
    try:
        yield
    except OSError as error:  # urllib's, too
        switch = "offline" if offline else ""
        raise _unavailable(source, switch, kept, url, cache, _one_line(error)) from None


def _unavailable(
    source: str, switch: str, reachable: bool, hub: str, cache: Any, reason: str = ""
) -> UnavailableModelError:
    """The error for weights that are not to be had; `switch` is what forbids to ask the hub."""
    if switch:
        return UnavailableModelError(
            f"{source}: its files are not in the local cache {cache}, and {switch} asks no hub; "
            f"run once without {switch} where there is a network, or copy that cache from such a "
            "machine"
        )
    if reachable:
        return UnavailableModelError(f"{source} cannot be loaded from {hub} or {cache}: {reason}")
    return _not_had(source, f"{hub} cannot be reached{f' ({reason})' if reason else ''}", cache)


def _not_had(source: str, why: str, cache: Any) -> UnavailableModelError:
    return UnavailableModelError(
        f"{source}: {why}, and its files are not in the local cache {cache}; look for a network, a "
        "proxy (HTTPS_PROXY) or another hub (HF_ENDPOINT), copy that cache from a machine that has "
        "them, or give a local file or folder"
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, what it was raised from, and so on."""
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__ or one.__context__


def _one_line(error: BaseException) -> str:
    return shorten(str(error).partition("For more information")[0], 200, placeholder=" ...")

"""Readers of files of arrays: the names of the arrays, each with the function that loads it."""

from __future__ import annotations

import itertools
import os
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import as_numpy
from eigentropy._backends.libraries import is_zarr
from eigentropy.io import safetensors
from eigentropy.io.paths import FileError, refused, shown

Array = npt.NDArray[Any]


Members = Mapping[str, Callable[[], Array]]


def _open_npy(path: Path) -> Members:
    array = np.lib.format.open_memmap(path, mode="r")
    return {"": lambda: array}


def _open_npz(path: Path) -> Members:
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError("it is not a zip archive")
    with np.load(path, allow_pickle=False) as archive:
        return {name: partial(_npz_array, path, name) for name in archive.files}


def _npz_array(path: Path, name: str) -> Array:
    with np.load(path, allow_pickle=False) as archive:
        member = archive[name]
    if not isinstance(member, np.ndarray):  # a zip file with something else in it
        raise FileError(f"{shown(path)}: {name!r} is not an array")
    return member


def _open_torch(path: Path) -> Members:
    try:
        import torch
    except ImportError as error:
        raise FileError(
            f"{shown(path)}: reading {path.suffix} needs torch; pip install torch, or save the "
            "matrix as .npy or .safetensors"
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pickle protocols, asking to report it to torch
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    members = dict(_tensors(loaded, ""))
    if not members:
        raise FileError(
            f"{shown(path)} has no tensor: it is a {type(loaded).__name__}, and a tensor or a "
            "dict of tensors is wanted"
        )
    return {name: partial(as_numpy, tensor, shown(path)) for name, tensor in members.items()}


def _tensors(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Find the tensors in nested dicts, keys joined by dots; other entries are passed over."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _tensors(inner, f"{name}.{key}" if name else str(key))
    elif hasattr(value, "detach"):
        yield name, value


_ZARR_METADATA = ("zarr.json", ".zarray", ".zgroup")


def _open_zarr(path: Path) -> Members:
    try:
        import zarr
    except ImportError as error:
        raise FileError(
            f"{shown(path)}: reading .zarr needs zarr; pip install 'eigentropy[zarr]'"
        ) from error
    if not any((path / name).is_file() for name in _ZARR_METADATA):
        raise FileError(f"{shown(path)} holds neither a Zarr array nor a group")
    arrays = list(_zarr_arrays(zarr.open(os.fspath(path), mode="r"), ""))
    return {name: partial(_zarr_array, path, array) for name, array in arrays}


def _zarr_arrays(node: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Find the arrays in nested groups, names joined by slashes."""
    if is_zarr(node):
        yield name, node
        return
    members = itertools.chain(node.arrays(), node.groups())
    for inner, member in sorted(members, key=lambda member: str(member[0])):
        yield from _zarr_arrays(member, f"{name}/{inner}" if name else inner)


def _zarr_array(path: Path, array: Any) -> Any:
    """Return it unread, since it may be larger than memory."""
    compressors = array.compressors if hasattr(array, "compressors") else (array.compressor,)
    codecs = (*(array.filters or ()), *(compressors or ()))
    if any(getattr(codec, "codec_id", None) == "pickle" for codec in codecs):
        raise FileError(refused(path, "holds"))
    return array


OPENERS: dict[str, Callable[[Path], Members]] = {
    ".npy": _open_npy,
    ".npz": _open_npz,
    ".pt": _open_torch,
    ".pth": _open_torch,
    ".safetensors": safetensors.opened,
    ".zarr": _open_zarr,
}

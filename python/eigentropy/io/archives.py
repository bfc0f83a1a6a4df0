"""Readers of files of arrays: the names of the arrays, each with the function that loads it."""

from __future__ import annotations

import itertools
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy._backends.host_arrays import as_numpy
from eigentropy._support import memory
from eigentropy._support.npz_files import npz_array, npz_names, require_whole
from eigentropy.io import safetensors
from eigentropy.io.paths import FileError, missing_package, shown

Array = npt.NDArray[Any]


Members = Mapping[str, Callable[[], Array]]


def _open_npy(path: Path) -> Members:
    with path.open("rb") as file:
        require_whole(file, "the array", path.stat().st_size)
    array = np.lib.format.open_memmap(path, mode="r")
    return {"": lambda: array}


def _open_npz(path: Path) -> Members:
    return {name: partial(npz_array, path, name) for name in npz_names(path)}


def _open_torch(path: Path) -> Members:
    try:
        import torch
    except ImportError as error:
        raise missing_package(
            path, path.suffix, "torch", "torch", ".npy or .safetensors"
        ) from error
    size = _inflated_size(path)
    memory.require(size, f"the {path.suffix} file", "save the matrix alone, as .npy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pickle protocols, asking to report it to torch
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    members = dict(_tensors(loaded, "", itertools.count(1)))
    if not members:
        raise FileError(
            f"{shown(path)} has no tensor: it is a {type(loaded).__name__}, and a tensor or a "
            "dict of tensors is wanted"
        )
    return {
        name: partial(_torch_array, tensor, shown(path, name or None), size)
        for name, tensor in members.items()
    }


def _inflated_size(path: Path) -> int:
    """Bytes of what the file holds; PyTorch itself does not compress, but reads what is."""
    if not zipfile.is_zipfile(path):
        return path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        return sum(member.file_size for member in archive.infolist())


# Dictionaries may refer to one another, so that a small file has more of them than any machine
# can list.
_MOST_ENTRIES = 1_000_000


def _tensors(value: Any, name: str, count: Iterator[int]) -> Iterator[tuple[str, Any]]:
    """Find the tensors in nested dicts, keys joined by dots; other entries are passed over."""
    if next(count) > _MOST_ENTRIES:
        raise ValueError(
            f"it has more than {_MOST_ENTRIES} entries, counting what is in nested dicts once for "
            "each reference; save the tensor alone"
        )
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _tensors(inner, f"{name}.{key}" if name else str(key), count)
    elif hasattr(value, "detach"):
        yield name, value


def _torch_array(tensor: Any, name: str, size: int) -> Array:
    """The tensor as an array; one whose rows are expanded takes more than the file has."""
    needed = tensor.numel() * tensor.element_size()
    if needed > size:
        memory.require(
            needed,
            f"{name} of shape {tuple(tensor.shape)}, which is expanded from a file of {size} "
            "bytes,",
            "save the rows before they are expanded",
        )
    return as_numpy(tensor, name)


def _open_zarr(path: Path) -> Members:
    try:
        import zarr  # noqa: F401
    except ImportError as error:
        raise missing_package(path, ".zarr", "zarr", "'eigentropy[zarr]'", ".npy") from error
    from eigentropy.io import zarr_directories

    return zarr_directories.opened(path)


OPENERS: dict[str, Callable[[Path], Members]] = {
    ".npy": _open_npy,
    ".npz": _open_npz,
    ".pt": _open_torch,
    ".pth": _open_torch,
    ".safetensors": safetensors.opened,
    ".zarr": _open_zarr,
}

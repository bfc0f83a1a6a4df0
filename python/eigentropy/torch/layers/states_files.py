"""The hidden states that a server wrote, one file a request, read one after the other."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eigentropy.io.paths import FileError, listed, named_errors, shown
from eigentropy.io.safetensors import opened
from eigentropy.io.snapshot_files import natural_key
from eigentropy.torch.layers.states import Numbers, StatesBatch, chosen_names

SUFFIX = ".safetensors"
STATES, TOKENS = "hidden_states", "token_ids"


class StatesFolder:
    """A directory of hidden states, one safetensors file a request, as vLLM extracts them.

    Each file has "hidden_states" (tokens, layers, d), in any float type, and "token_ids" (tokens,).
    It is a prompt; prompts are in the natural order of the names of their files. One file is in
    memory at a time.

    Parameters
    ----------
    path : str or path
    numbers : sequence of int, optional
        Which layers they are, as vLLM was asked for (``eagle_aux_hidden_state_layer_ids``): k is
        what the k-th block returns, 0 the embedding. The files do not say it. Without, layers are
        called "state 1", "state 2", ... `layers` of `profile` counts as they are called: 2 is
        "state 2", or "block 2".

    Attributes
    ----------
    files : list of path
    prompts : int

    Raises
    ------
    FileError
        The directory is not there, or has no such file; as it is read, a file that is truncated,
        lacks a tensor, or has other layers or features than the first.
    """

    def __init__(self, path: str | os.PathLike[str], numbers: Sequence[int] | None = None) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise FileError(f"{shown(self.path)} is no directory; one of {SUFFIX} files is wanted")
        found = (one for one in self.path.iterdir() if one.suffix.lower() == SUFFIX)
        self.files = sorted(found, key=lambda file: natural_key(file.name))
        if not self.files:
            raise FileError(
                f"{shown(self.path)} has no {SUFFIX} file; one a request is wanted, each with "
                f"{STATES!r} and {TOKENS!r}"
            )
        self.name, self.prompts = self.path.name, len(self.files)
        self._numbers = None if numbers is None else [int(number) for number in numbers]
        self._shape: tuple[int, int] | None = None

    def read(self, number: int) -> tuple[list[str], torch.Tensor]:
        """The names of the layers, and the states (tokens, layers, d) of a prompt."""
        states = torch.from_numpy(np.array(self._read(self.files[number])))
        return self._names(states.shape[1]), states

    def _names(self, count: int) -> list[str]:
        if self._numbers is None:
            return [f"state {number}" for number in range(1, 1 + count)]
        if len(self._numbers) != count:
            raise FileError(
                f"{shown(self.path)} has the states of {count} layers, and numbers names "
                f"{len(self._numbers)}: pass one a layer"
            )
        return [self.layer(number) for number in self._numbers]

    def layer(self, number: int) -> str:
        """The name of the layer with a number, which the name has, too."""
        if self._numbers is None:
            return f"state {number}"
        return f"block {number}" if number else "embedding"

    def _read(self, file: Path) -> Any:
        with named_errors(file):
            tensors: Mapping[str, Any] = opened(file)
            missing = [name for name in (STATES, TOKENS) if name not in tensors]
            if missing:
                raise FileError(
                    f"{shown(file)} has no {missing[0]!r}, it has {listed(list(tensors))}; a file "
                    f"of a request has {STATES!r} (tokens, layers, d) and {TOKENS!r}"
                )
            states, tokens = tensors[STATES](), tensors[TOKENS]()
            if states.ndim != 3 or states.dtype.kind != "f" or 0 in states.shape:
                raise FileError(
                    f"{shown(file)}: {STATES} must be floats (tokens, layers, d), got "
                    f"{states.dtype} {states.shape}"
                )
            if tokens.shape != states.shape[:1]:
                raise FileError(
                    f"{shown(file)}: {TOKENS} has shape {tokens.shape}, {STATES} has "
                    f"{states.shape[0]} tokens"
                )
            self._shape = self._shape or states.shape[1:]
            if states.shape[1:] != self._shape:
                raise FileError(
                    f"{shown(file)} has (layers, d) = {states.shape[1:]}, the files before it have "
                    f"{self._shape}: keep the requests of one model and setting in a directory"
                )
            return states


@dataclass(frozen=True)
class FolderStates:
    """The states of a directory, of which some layers are wanted.

    Attributes
    ----------
    folder : StatesFolder
    wanted : sequence of str or int, or None
    """

    folder: StatesFolder
    wanted: Sequence[str | int] | None

    @property
    def name(self) -> str:
        """Of the directory."""
        return self.folder.name

    @property
    def prompts(self) -> int:
        """How many files there are."""
        return self.folder.prompts

    def batches(self, chosen: Numbers | None) -> Iterator[StatesBatch]:
        """Each prompt by itself."""
        wanted = self.wanted and [
            self.folder.layer(one) if isinstance(one, int) and one >= 0 else one
            for one in self.wanted
        ]
        for number in range(self.prompts) if chosen is None else chosen.tolist():
            names, states = self.folder.read(number)
            kept = chosen_names(names, wanted)
            by_name = {name: states[None, :, names.index(name)] for name in kept}
            yield StatesBatch(by_name, None, np.array([number]))

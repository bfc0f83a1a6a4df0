"""What a profile is of: which states the arguments of `profile` mean, and the labels of prompts."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch

from eigentropy._support.options import integer
from eigentropy.io.paths import FileError, named_errors, shown
from eigentropy.torch.features.sample_sets import as_labels
from eigentropy.torch.layers.model_states import ModelStates, opened_model
from eigentropy.torch.layers.prompts import as_prompts
from eigentropy.torch.layers.states import States
from eigentropy.torch.layers.states_files import SUFFIX, FolderStates, StatesFolder

# Of the folder of an adapter of PEFT: its configuration, and its model and its task therein.
ADAPTER, BASE, TASK = "adapter_config.json", "base_model_name_or_path", "task_type"

Array = npt.NDArray[Any]
Wanted = Sequence[str | int] | None


def opened(
    model: Any,
    texts: Any,
    layers: Any,
    tokenizer: Any,
    batch_size: int | None,
    max_length: int | None,
    offline: bool,
) -> States:
    """The states that the arguments of `profile` of these names mean.

    Raises
    ------
    ValueError, TypeError
        There are no texts, or texts beside states, or arguments that say how a model is run; an
        argument of the wrong type.
    FileError
        The folder of an adapter.
    """
    wanted = _listed(layers)
    refuse_adapter(model)
    if _is_folder_of_states(model):
        model = StatesFolder(model)
    if isinstance(model, StatesFolder):
        if texts is not None:
            raise ValueError(
                f"texts is given, but {model.name} has states already: leave texts out"
            )
        _refuse_of_models(
            model.name, tokenizer=tokenizer, batch_size=batch_size, max_length=max_length,
            offline=offline or None,
        )  # fmt: skip
        return FolderStates(model, wanted)
    if not isinstance(model, (str, os.PathLike, torch.nn.Module)):
        raise TypeError(
            "model must be a name, a folder, a module or a StatesFolder, got "
            f"{type(model).__name__}"
        )
    if texts is None:
        raise ValueError("texts is missing: pass a file of texts, a list of texts or batches")
    size = None if batch_size is None else integer(batch_size, "batch_size", at_least=1)
    longest = None if max_length is None else integer(max_length, "max_length", at_least=1)
    return opened_model(model, as_prompts(texts), wanted, tokenizer, size, longest, offline)


def refuse_adapter(model: Any) -> None:
    """Say of the folder of an adapter of PEFT, which is no model by itself, how it is loaded.

    Raises
    ------
    FileError
        It is one.
    """
    if not isinstance(model, (str, os.PathLike)) or (Path(model) / "config.json").exists():
        return
    path = Path(model) / ADAPTER
    if not path.is_file():
        return
    with named_errors(path):
        known = json.loads(path.read_text(encoding="utf-8"))
    base, task = (known.get(name) if isinstance(known, dict) else None for name in (BASE, TASK))
    raise FileError(
        f"{shown(Path(model))} is an adapter of PEFT, of {base or 'another model'}, and no model "
        f"by itself: load both by the class of its task ({task or 'not named'}), such as adapted = "
        f"peft.AutoPeftModelForCausalLM.from_pretrained({os.fspath(model)!r}), and pass adapted as "
        "the model, or the folder that adapted.merge_and_unload().save_pretrained(folder) writes"
    )


def _refuse_of_models(name: str, **given: Any) -> None:
    """Refuse what says how a model is run, where there are states of one that has run."""
    for option, value in given.items():
        if value is not None:
            raise ValueError(
                f"{option} is {value!r}, which says how a model is run, but {name} has states "
                f"already: leave {option} out"
            )


def _is_folder_of_states(model: Any) -> bool:
    """Whether this is a directory of states, which has no configuration of a model."""
    if not isinstance(model, (str, os.PathLike)) or not Path(model).is_dir():
        return False
    path = Path(model)
    return not (path / "config.json").exists() and any(path.glob(f"*{SUFFIX}"))


def _listed(layers: Any) -> Wanted:
    if layers is None:
        return None
    several = [layers] if isinstance(layers, (str, int)) else list(layers)
    for one in several:
        if not isinstance(one, (str, int)) or isinstance(one, bool):
            raise TypeError(f"layers must be names, patterns or numbers, got {type(one).__name__}")
    if not several:
        raise ValueError("layers is empty: name layers, such as 'block *', or leave it out")
    return several


def labels_of(labels: Any, states: States) -> Array | None:
    """One label a prompt, as they are given or as the file of texts has them; None without.

    Raises
    ------
    ValueError, TypeError
        Not one a prompt, or one is missing.
    """
    texts = states.given.texts if isinstance(states, ModelStates) else None
    if labels is None:
        return None if texts is None else texts.labels
    if isinstance(labels, (str, bytes)):
        raise TypeError(
            "labels must be one a prompt, got a text; name a column by TextFile(label=)"
        )
    count = states.prompts
    if count is None:  # of batches, which are counted as they pass
        labels = list(labels)
        count = len(labels)
    return as_labels(labels, count, "labels")[0]

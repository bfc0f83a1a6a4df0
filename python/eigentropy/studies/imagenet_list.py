"""timm's list of pretrained models with their accuracy on ImageNet, and which a study takes."""

from __future__ import annotations

import csv
import importlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eigentropy._support.warnings import warn
from eigentropy.io.paths import FileError, shown

FILE = "results-imagenet.csv"
SOURCE = "https://github.com/huggingface/pytorch-image-models/tree/main/results"
COLUMNS = ("model", "img_size", "top1", "param_count", "crop_pct")


@dataclass(frozen=True)
class Listed:
    """A model of the list: what it was evaluated with, and how well it did."""

    name: str  # ARCHITECTURE.WEIGHTS
    size: int  # of the pictures, in pixels
    crop: float  # the share of a picture's side that is seen
    parameters: float  # millions
    top1: float  # percent, of 1000 classes

    @property
    def architecture(self) -> str:
        """The name without that of the weights."""
        return self.name.partition(".")[0]


def read_list(path: Path) -> list[Listed]:
    """The models of a table with the columns of timm's `results-imagenet.csv`, in its order.

    Of a model that was evaluated at several sizes, the line with the highest accuracy.

    Raises
    ------
    FileError
        There is no such file, a column is missing, a number cannot be read, or a model is there
        twice with one size.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            models = list(_models(csv.DictReader(file), path))
    except OSError as error:
        raise FileError(
            f"timm's list of models, {shown(path)}, cannot be read: {error.strerror or error}; "
            f"download {FILE} from {SOURCE}, or name another table by --models"
        ) from error
    counts = Counter((model.name, model.size) for model in models)
    for (name, size), count in counts.items():
        if count > 1:
            raise FileError(
                f"{shown(path)} has {name!r} with img_size {size} {count} times; once is wanted"
            )
    if not models:
        raise FileError(f"{shown(path)} has no models; one line a model is wanted")
    best: dict[str, Listed] = {}
    for model in sorted(models, key=lambda model: -model.top1):
        best.setdefault(model.name, model)
    return [model for model in models if best[model.name] is model]


def _models(lines: csv.DictReader[str], path: Path) -> Iterator[Listed]:
    missing = [name for name in COLUMNS if name not in (lines.fieldnames or ())]
    if missing:
        raise FileError(
            f"{shown(path)} lacks the column {', '.join(missing)}; it has "
            f"{', '.join(lines.fieldnames or ['none'])}, and those of timm's {FILE} are wanted"
        )
    for line in lines:
        try:
            yield Listed(
                line["model"],
                int(line["img_size"]),
                _number(line["crop_pct"]),
                _number(line["param_count"]),
                _number(line["top1"]),
            )
        except (TypeError, ValueError, AttributeError) as error:
            raise FileError(
                f"{shown(path)}, line {lines.line_num}, is no model with its numbers: {error}"
            ) from error


def _number(text: str) -> float:
    """Thousands may be set apart by commas."""
    return float(text.replace(",", ""))


def spread(models: Iterable[Listed], count: int | None = None) -> list[Listed]:
    """So many of the models, evenly over their accuracies; all by default.

    A larger count begins with the models of a smaller one.
    """
    ranked = sorted(models, key=lambda model: (model.top1, model.name))
    digits = max(1, (len(ranked) - 1).bit_length())
    mirrored = (int(f"{number:0{digits}b}"[::-1], 2) for number in range(2**digits))
    return [ranked[rank] for rank in mirrored if rank < len(ranked)][:count]


def require_timm() -> Any:
    """timm, or an error that says which extra brings it."""
    try:
        return importlib.import_module("timm")
    except ImportError as error:
        raise ImportError(
            "the study imagenet needs timm and torchvision: pip install 'eigentropy[vision]'"
        ) from error


def known(models: Iterable[Listed]) -> list[Listed]:
    """Those whose architecture the installed timm has, with a warning about the others."""
    timm = require_timm()
    found: list[Listed] = []
    missing: list[Listed] = []
    for model in models:
        (found if timm.is_model(model.architecture) else missing).append(model)
    if missing:
        names = ", ".join(model.name for model in missing[:3])
        warn(
            f"{len(missing)} models of the list are left out, such as {names}: timm "
            f"{timm.__version__} has no such architecture; another version may have"
        )
    return found


def family(architecture: str) -> str:
    """The file of timm that an architecture stands in, such as ``resnet``."""
    entrypoint = require_timm().model_entrypoint(architecture)
    return str(entrypoint.__module__).rpartition(".")[2]

"""The task of one model of `eigentropy rank`: its features, and their scores as a file."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from eigentropy._support.lifetime import version
from eigentropy.io.paths import split_key
from eigentropy.ranking.feature_files import read_features
from eigentropy.ranking.measured import VERSION, score_model


@dataclass(frozen=True, kw_only=True)
class RankingTask:
    """One model, and all that its scores need. A process or a machine of its own can do it.

    Attributes
    ----------
    name : str
    source : str
        A file of features; with `images` or `texts` a network.
    labels : array of shape (n,)
    images, texts : str, optional
        What the network is run on.
    features : str
        The directory for the features of networks.
    offline : bool
    reading : mapping
        Options of `read_features`.
    scoring : mapping
        Options of `score_model`.
    state : list
        The `state` of the file of features, or of the images or texts and of the network.
    """

    name: str
    source: str
    labels: Any
    images: str | None
    texts: str | None
    features: str
    offline: bool
    reading: Mapping[str, Any]
    scoring: Mapping[str, Any]
    state: list[tuple[str, int, int]]

    @property
    def data(self) -> str | None:
        """The images or texts; None of a file of features."""
        return self.images or self.texts


def measure_task(task: RankingTask, path: Path) -> None:
    """Measure a model and write its scores, from which `ModelScores.from_json` reads them."""
    rows = read_features(task.source, **task.reading) if task.data is None else _extracted(task)
    path.write_text(score_model(task.name, rows, task.labels, **task.scoring).to_json())


def _extracted(task: RankingTask) -> Any:
    """The features of a network, which are kept in a file."""
    from eigentropy.torch.features import extract

    folder = Path(task.features)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{quote(task.name, safe='')}.safetensors"
    data = samples(task.images, task.texts)
    return extract(task.source, data, target, offline=task.offline, overwrite=True).features


def samples(images: str | None, texts: str | None) -> Any:
    """The samples that networks are run on."""
    from eigentropy.torch.features import ImageFolder, TextFile

    return ImageFolder(images) if images is not None else TextFile(str(texts))


def fingerprint(task: RankingTask) -> str:
    """A text that changes with all that the scores depend on."""
    settings = [sorted(mapping.items()) for mapping in (task.reading, task.scoring)]
    # Results are kept without the linear probe where the package that fits it is missing.
    measured_by = [version(), VERSION, find_spec("sklearn") is not None]
    return repr([measured_by, task.source, task.data, settings, task.labels.tolist(), task.state])


def state(name: str) -> list[tuple[str, int, int]]:
    """Name, size and time of a file, or of all in a directory, which tell it from an older one."""
    return _state_of(split_key(name, None)[0])


def network_state(source: str) -> list[tuple[str, int, int]]:
    """The `state` of what a network is made from, as far as that is a file here.

    An ONNX file, a folder of Hugging Face or a module of Python may change under its name; what a
    hub has under a name does not.
    """
    kind, _, name = source.partition(":")
    if kind != "python":
        return _state_of(Path(name)) if kind in ("onnx", "hf") else []
    spec = None
    with suppress(ImportError, ValueError):  # the task says what is wrong
        spec = find_spec(name.partition(":")[0])
    return [] if spec is None or spec.origin is None else _state_of(Path(spec.origin))


def _state_of(path: Path) -> list[tuple[str, int, int]]:
    inside = sorted(path.rglob("*")) if path.is_dir() else [path] if path.exists() else []
    known = ((one, one.stat()) for one in inside)
    return [(str(one), status.st_size, status.st_mtime_ns) for one, status in known]

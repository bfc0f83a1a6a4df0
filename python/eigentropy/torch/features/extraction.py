"""Run a model over data and write its features."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eigentropy._support import options
from eigentropy._support.lifetime import version
from eigentropy._support.progress import Callback, reporter
from eigentropy._support.signatures import named_options
from eigentropy._support.warnings import warn
from eigentropy.baselines._pytorch import usual_defaults
from eigentropy.io.files import read_labels
from eigentropy.torch.features import digests
from eigentropy.torch.features.batches import computed, size_for
from eigentropy.torch.features.extractors import OWN_TYPE, Extractor, Request
from eigentropy.torch.features.feature_file import FORMAT, FeatureFile
from eigentropy.torch.features.growing_file import GrowingFile
from eigentropy.torch.features.identity import check_path, existing, identity_of
from eigentropy.torch.features.inputs import as_samples
from eigentropy.torch.features.packages import versions
from eigentropy.torch.features.pooling import POOLINGS
from eigentropy.torch.features.sample_sets import SampleSet, as_labels
from eigentropy.torch.features.sources import PACKAGES, device_for, name_of, opened, prefix_of
from eigentropy.torch.monitoring.undisturbed import same_random_numbers
from eigentropy.torch.tokens.pooling import check_pooling

Array = npt.NDArray[Any]


@named_options()
def extract(
    source: str | Callable[..., Any],
    data: Any,
    path: str | os.PathLike[str],
    *,
    batch_size: int | None = None,
    device: Any = None,
    dtype: Any = None,
    pooling: str | Callable[[Any], Any] = "auto",
    layers: str | Sequence[str] | None = None,
    output: str | int | None = None,
    preprocessing: Mapping[str, Any] | Callable[[Any], Any] | None = None,
    weights: str | os.PathLike[str] | None = None,
    labels: Any = None,
    offline: bool = False,
    overwrite: bool = False,
    progress: bool | Callback = False,
) -> FeatureFile:
    """Run a model over images or texts and write its features, one row a sample.

    Parameters
    ----------
    source : str or callable
        ``timm:NAME``, ``torchvision:NAME`` (or ``torchvision:NAME:WEIGHTS``),
        ``hf:NAME_OR_FOLDER``, ``onnx:FILE``, ``python:MODULE:FUNCTION`` (called without arguments,
        it returns a model, or a model and its preprocessing), or a model itself: a torch.nn.Module
        or a function of a batch.
    data : ImageFolder, ImageArray, TextFile, TextList, Inputs, or what they are made of
        A folder of images, a file of texts, an array (n, height, width, 3) of uint8 or a list of
        texts. Other arrays and tensors (n, ...) are given to the model as they are.
    path : str or path
        The file to be written, NAME.safetensors; missing directories are made. It is there when it
        is complete, not before. A file that is there with the same digest is returned, and nothing
        is computed.
    batch_size : int, optional
        By default as many as the free memory holds, 256 on a GPU and 64 elsewhere at most. A batch
        that does not fit after all is halved.
    device : str or torch.device, optional
        A GPU by default where there is one; for a module of the caller's, where it is.
    dtype : str, optional
        "bfloat16" (by default on a GPU), "float16" or "float32" (by default elsewhere): the type
        of products in modules of PyTorch. Rows are written as float32.
    pooling : {"auto", "mean", "first", "last", "pooler", "flatten"} or callable, default="auto"
        How the last layer's outputs become one row a sample. "auto" is the model's own way, else
        the mean over space of maps and over the tokens that are not padding; "first" and "last" are
        such tokens. A function takes what the model returns.
    layers : str or sequence of str, optional
        Names or patterns of inner modules (of an ONNX file: names of tensors), pooled in the same
        way. They are written to the same file, under the key ``layers.NAME``.
    output : str or int, optional
        Which of several outputs to take. "penultimate" is the input of the last linear layer.
    preprocessing : mapping or callable, optional
        By default what the model's own configuration says. A mapping replaces some of it: "size",
        "mean", "std", "crop", "interpolation" for images, "max_length" and "tokenizer" for texts.
        A function takes one sample and returns its tensor.
    weights : {"untrained"} or path, optional
        By default those that were published under this name, from the local cache or from the hub.
        "untrained" draws them anew, always the same; a path is a file of a state dictionary.
    labels : array-like of shape (n,) or path, optional
        In the place of those that the data have.
    offline : bool, default=False
        Take weights from the local cache alone, and say what is missing.
    overwrite : bool, default=False
        Replace a file that is there with another digest.
    progress : bool or callable, default=False
        Show a bar, or call a function with the share that is done.

    Returns
    -------
    FeatureFile

    Raises
    ------
    ValueError, TypeError
        An unknown source, model, layer or option; data without a sample.
    ImportError
        A package is missing; the message says which extra has it.
    UnavailableModelError
        The weights are neither in the local cache nor to be had from the hub.
    OutputExistsError
        The file is there with another digest.
    """
    path, samples = Path(path), as_samples(data)
    check_path(path, overwrite)
    if batch_size is not None:
        batch_size = options.integer(batch_size, "batch_size", at_least=1)
    if not (preprocessing is None or callable(preprocessing) or isinstance(preprocessing, Mapping)):
        raise TypeError(
            "preprocessing must be a mapping, such as {'size': 224}, or a function of one sample, "
            f"got {type(preprocessing).__name__}"
        )
    if not callable(pooling):
        check_pooling(pooling, POOLINGS)
    where = device_for(source, device)
    wanted = Request(
        name_of(source), samples.kind, pooling, _names(layers), output, preprocessing, weights,
        offline, where, _product_type(dtype, where),
    )  # fmt: skip
    own_labels, classes = _labels(samples, labels)
    with same_random_numbers([where] if where.type == "cuda" else []):
        with usual_defaults(torch):
            extractor = opened(source, wanted)
        identity = identity_of(extractor, wanted, samples, own_labels, classes)
        if dtype is not None and identity["dtype"] == OWN_TYPE:
            raise ValueError(
                f"dtype={dtype!r}: {wanted.source} computes in types of its own; leave dtype out"
            )
        if (found := existing(path, identity, dtype, overwrite)) is not None:
            return found
        with reporter(progress, wanted.source) as report, extractor.running():
            about = _about(source, wanted, identity, classes)
            _write(path, extractor, wanted, samples, own_labels, batch_size, about, report)
    return FeatureFile.open(path)


def _names(layers: str | Sequence[str] | None) -> tuple[str, ...]:
    if layers is None:
        return ()
    names = (layers,) if isinstance(layers, str) else tuple(layers)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"layers must be names, got a {type(name).__name__}")
    return names


def _product_type(dtype: Any, device: torch.device) -> torch.dtype:
    if dtype is None:
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    known = ("bfloat16", "float16", "float32")
    name = str(dtype).removeprefix("torch.")
    product_type: torch.dtype = getattr(torch, options.one_of(name, "dtype", known))
    return product_type


def _labels(samples: SampleSet, given: Any) -> tuple[Array | None, tuple[str, ...] | None]:
    if given is None:
        return samples.labels, samples.classes
    values = read_labels(given) if isinstance(given, (str, os.PathLike)) else given
    return as_labels(values, len(samples), "labels")


def _about(
    source: Any, wanted: Request, identity: Mapping[str, str], classes: tuple[str, ...] | None
) -> dict[str, str]:
    """What a file says of itself, but for what is known at the end."""
    packages = versions("torch", "numpy", "pillow", *PACKAGES.get(prefix_of(source), ()))
    about = {
        "format": FORMAT,
        "source": wanted.source,
        "digest": digests.of_settings(identity),
        **identity,
        "device": str(wanted.device),
        "versions": json.dumps({"eigentropy": version(), **packages}),
    }
    return about if classes is None else {**about, "classes": json.dumps(classes)}


def _write(
    path: Path,
    extractor: Extractor,
    wanted: Request,
    samples: SampleSet,
    labels: Array | None,
    batch_size: int | None,
    about: dict[str, str],
    report: Callback | None,
) -> None:
    """Run the model over all samples, and put their rows into the file as they are made."""
    started, n = time.perf_counter(), len(samples)
    rows, needed = extractor.probed(extractor.preparation.each(samples[int(samples.order()[0])]))
    size = batch_size or size_for(needed, wanted.device)
    bad = np.zeros(n, dtype=bool)
    with GrowingFile(path, _shapes(rows, n, labels), about) as file:
        if labels is not None:
            file.write("labels", np.arange(n), labels)
        for numbers, found in computed(extractor, samples, size, report):
            for key, values in found.items():
                file.write(key, numbers, values)
                bad[numbers] |= ~np.isfinite(values).all(axis=1)
        seconds = time.perf_counter() - started
        about["batch_size"], about["rows_not_finite"] = str(size), str(int(bad.sum()))
        about["seconds"], about["samples_per_second"] = f"{seconds:.3f}", f"{n / seconds:.3f}"
        file.complete(about)
    if bad.any():
        narrow = wanted.dtype != torch.float32
        warn(
            f"{wanted.source} returns NaN or infinity for {bad.sum()} of {n} samples; the first is "
            f"{samples.name(int(bad.argmax()))}" + "; dtype='float32' may help" * narrow
        )


def _shapes(
    rows: Mapping[str, torch.Tensor], n: int, labels: Array | None
) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type and shape of each array of the file; labels first, whose numbers have 8 bytes."""
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {}
    if labels is not None:
        shapes["labels"] = ("I64" if labels.dtype.kind == "i" else "F64", (n,))
    kinds = {key: "F64" if one.dtype == torch.float64 else "F32" for key, one in rows.items()}
    for key in sorted(kinds, key=lambda key: kinds[key], reverse=True):
        shapes[key] = (kinds[key], (n, rows[key].shape[1]))
    return shapes

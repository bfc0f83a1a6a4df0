"""Preprocessing of models without a configuration: the caller's own models, and ONNX files."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from eigentropy.torch.features import hubs
from eigentropy.torch.features.pictures import Picture, checked
from eigentropy.torch.features.preparation import (
    Preparation,
    as_they_are,
    by_function,
    by_picture,
    listed_samples,
)
from eigentropy.torch.features.tokens import tokenised


def own(
    source: str,
    kind: str,
    preprocessing: Any,
    offline: bool,
    *,
    listed: bool = False,
    picture: Mapping[str, Any] | None = None,
) -> Preparation:
    """Of a source without a configuration: what the caller says, and nothing is guessed.

    Parameters
    ----------
    source, kind, preprocessing, offline
        As for `extract`; the kind of samples.
    listed : bool, default=False
        Whether the model takes lists of samples, where no preprocessing is given.
    picture : mapping, optional
        What is known about images without the caller.

    Raises
    ------
    ValueError, TypeError
        The preprocessing is missing, or incomplete.
    """
    if callable(preprocessing):
        return by_function(preprocessing)
    if kind == "inputs":
        if preprocessing is not None:
            raise TypeError(
                f"{source}: the data are arrays that are given to the model as they are, without "
                "the preprocessing; leave it out, or give pictures (uint8) or texts"
            )
        return as_they_are()
    if preprocessing is None and listed:
        return listed_samples()
    given = preprocessing or {}
    if kind == "texts":
        if "tokenizer" not in given:
            raise ValueError(
                f"{source} has no tokenizer; give preprocessing={{'tokenizer': NAME_OR_FOLDER}} of "
                "Hugging Face, or a function of one text"
            )
        local = Path(given["tokenizer"]).is_dir()
        with nullcontext(True) if local else hubs.hugging_face(source, offline) as cache_alone:
            return tokenised(source, given, cache_alone)
    values = {**(picture or {}), **checked(source, given)}
    if "size" not in values:
        raise ValueError(
            f"{source} does not say how large its images are; give preprocessing={{'size': 224, "
            "'mean': ..., 'std': ...}, or a function of one image"
        )
    return by_picture(Picture(**values))

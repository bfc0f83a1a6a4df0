"""Models of Hugging Face, by name or from a folder, with their own tokenizer or image processor."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from eigentropy._support.warnings import warn
from eigentropy.io.paths import FileError, shown
from eigentropy.torch.features import digests, hubs
from eigentropy.torch.features.extractors import Extractor, ModuleExtractor, Request
from eigentropy.torch.features.packages import required
from eigentropy.torch.features.pictures import checked
from eigentropy.torch.features.preparation import Preparation, as_they_are, by_function
from eigentropy.torch.features.tokens import named, tokenised
from eigentropy.torch.features.weights import UNTRAINED, seeded

# So many of the weights that are missing are named.
_SHOWN_WEIGHTS = 3

# Our words for images, in those of image processors.
_FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}
# What a model takes, by the name of its first input.
_KINDS = {"input_ids": "texts", "pixel_values": "images"}

# Of each kind of data: what prepares them, why it may not be had, and how such data are given, here
# and in a terminal.
_PARTS = {
    "texts": (
        "tokenizer",
        "its files, such as tokenizer.json, are missing or damaged, or it needs sentencepiece or "
        "tiktoken",
        "TextFile or a list of texts (--texts)",
    ),
    "images": (
        "image processor",
        "its files, such as preprocessor_config.json, are missing or damaged",
        "ImageFolder or pictures as uint8 (--images)",
    ),
}

_IMAGE_KEYS = ("size", "mean", "std", "interpolation")


def open_hugging_face(name: str, wanted: Request) -> Extractor:
    """The model without a head: for texts the mean over tokens, for images over patches or space.

    Of a model with two towers, CLIP's say, the tower of the data's kind gives its projection; of an
    encoder-decoder the encoder is taken.
    """
    model, preparation = model_of(name, wanted)
    call, pooled_by = _tower(model, wanted)
    if pooled_by and wanted.pooling == "auto" and wanted.output is None:
        wanted = replace(wanted, pooling=_projection)
    return ModuleExtractor(model, wanted, preparation, call=call)


def model_of(name: str, wanted: Request) -> tuple[Any, Preparation]:
    """The model without a head, for evaluation, and what prepares its data."""
    transformers = required("transformers", wanted.source)
    local = Path(name).is_dir()
    if not local and (Path(name).is_absolute() or name[0] in ".~" or re.search(r"/.*/|\\", name)):
        raise FileError(f"{wanted.source}: {shown(Path(name))} is no folder")
    if Path(name).is_file():
        raise FileError(
            f"{wanted.source} is a file; the folder of a model or its name on the hub is wanted"
        )
    if wanted.weights not in (None, UNTRAINED):
        raise ValueError(
            f"{wanted.source}: weights={wanted.weights!r} cannot be; name the folder that has them "
            "as hf:FOLDER, or 'untrained'"
        )
    sought = f"{wanted.source} (there is no such folder)"
    hub: Any = nullcontext(True) if local else hubs.hugging_face(sought, wanted.offline)
    with hub as cache_alone, _quiet(transformers), named(wanted.source):
        model = _loaded(transformers, name, wanted, cache_alone).to(wanted.device).eval()
        return model, _preparation(transformers, name, wanted, cache_alone, model)


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """No bar for the loading of each model."""
    logging = transformers.utils.logging
    shown_before = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown_before:
            logging.enable_progress_bar()


def _loaded(transformers: Any, name: str, wanted: Request, cache_alone: bool) -> Any:
    if wanted.weights == UNTRAINED:
        config = transformers.AutoConfig.from_pretrained(name, local_files_only=cache_alone)
        with seeded():
            return transformers.AutoModel.from_config(config)
    with _without_its_report(transformers):
        model, told = transformers.AutoModel.from_pretrained(
            name, local_files_only=cache_alone, output_loading_info=True
        )
    _say_missing(told["missing_keys"], wanted)
    return model.float()  # whatever the file has: products are narrowed by autocast


@contextmanager
def _without_its_report(transformers: Any) -> Iterator[None]:
    """No table of weights: those of a head are in most files, and left out on purpose."""
    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(before)


def _say_missing(keys: Iterable[str], wanted: Request) -> None:
    """Warn of weights that no file has and that were drawn, but for those of an unused pooler."""
    uses_pooler = wanted.layers or "pooler" in f"{wanted.pooling} {wanted.output}"
    missing = sorted(key for key in keys if uses_pooler or not key.startswith("pooler."))
    if missing:
        first = ", ".join(missing[:_SHOWN_WEIGHTS])
        more = len(missing) - _SHOWN_WEIGHTS
        warn(
            f"{wanted.source}: its files lack {first}{f' and {more} more' if more > 0 else ''}: "
            "these weights are random; look whether the files are whole, and what of the model is "
            "measured"
        )


def _tower(model: Any, wanted: Request) -> tuple[Any, bool]:
    """What is called, and whether it projects."""
    own = f"get_{wanted.kind.removesuffix('s')}_features"
    if hasattr(model, own):
        return getattr(model, own), True
    if getattr(model.config, "is_encoder_decoder", False):
        return model.get_encoder(), False
    return None, False


def _projection(output: Any) -> torch.Tensor:
    """What a tower projects to: a tensor, or from transformers 5 on with what led to it."""
    rows: torch.Tensor = output["pooler_output"] if isinstance(output, Mapping) else output
    return rows


def _preparation(
    transformers: Any, name: str, wanted: Request, cache_alone: bool, model: Any
) -> Preparation:
    if callable(wanted.preprocessing):
        return by_function(wanted.preprocessing)
    if wanted.kind == "inputs":
        return as_they_are()
    given = wanted.preprocessing or {}
    if wanted.kind == "texts":
        own = {"tokenizer": name, **given}
        with nullcontext() if "tokenizer" in given else _required_part("texts", wanted, model):
            return tokenised(wanted.source, own, cache_alone, model.config)
    replaced = checked(wanted.source, given, _IMAGE_KEYS)
    with _required_part("images", wanted, model):
        processor = transformers.AutoImageProcessor.from_pretrained(
            name, local_files_only=cache_alone
        )
    options = _processor_options(processor, replaced)

    def each(image: Any) -> Any:
        return processor(images=[image], return_tensors="pt", **options)["pixel_values"][0]

    settings = {**processor.to_dict(), **options}
    return Preparation(each, _as_pixels, f"{type(processor).__name__} {digests.as_json(settings)}")


@contextmanager
def _required_part(kind: str, wanted: Request, model: Any) -> Iterator[None]:
    """Say that a tokenizer or an image processor is not there, or that the data do not fit.

    The model itself has been loaded, so that the place that it is loaded from is there.
    """
    part, files, _ = _PARTS[kind]
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError) as error:
        takes = _KINDS.get(getattr(model, "main_input_name", ""), kind)
        if takes != kind:
            raise ValueError(
                f"{wanted.source} has no {part}: it is a model of {takes}, and the data are "
                f"{kind}; pass {_PARTS[takes][2]}"
            ) from error
        texts, images = wanted.other_tokenizer, "preprocessing=FUNCTION of one image"
        raise ValueError(
            f"{wanted.source}: its {part} cannot be loaded: {files}; get them from where the model "
            f"is published, or give {texts if kind == 'texts' else images}"
        ) from error


def _as_pixels(items: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    return {"pixel_values": torch.stack(items)}


def _processor_options(processor: Any, replaced: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if "size" in replaced:
        height, width = replaced["size"]
        sides = {"height": height, "width": width}
        cut = getattr(processor, "do_center_crop", False)
        options["size"] = {"shortest_edge": min(height, width)} if cut else sides
        if cut:
            options["crop_size"] = sides
    for key in ("mean", "std"):
        if key in replaced:
            options[f"image_{key}"] = list(replaced[key])
    if "interpolation" in replaced:
        options["resample"] = _FILTERS[replaced["interpolation"]]
    return options

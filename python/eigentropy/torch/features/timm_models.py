"""Networks of timm, by name, with the transform of their own configuration."""

from __future__ import annotations

from typing import Any

import torch

from eigentropy._support.signatures import nearest
from eigentropy.torch.features import hubs
from eigentropy.torch.features.extractors import Extractor, ModuleExtractor, Request
from eigentropy.torch.features.packages import required
from eigentropy.torch.features.pictures import checked
from eigentropy.torch.features.preparation import Preparation, as_they_are, by_function, stacked
from eigentropy.torch.features.weights import UNTRAINED, load_file, seeded

# Our words for the keys of timm's configurations.
_OWN_WORDS = {"crop": "crop_pct"}


def open_timm(name: str, wanted: Request) -> Extractor:
    """The network without its classifier.

    Its own pooling is taken unless another one is asked for.
    """
    timm = required("timm", wanted.source)
    wanted.require_images()
    callers = callable(wanted.preprocessing)
    replaced = checked(wanted.source, {} if callers else wanted.preprocessing or {})
    model = _loaded(timm, name, wanted, replaced).to(wanted.device).eval()
    own = wanted.pooling == "auto" or wanted.output is not None
    return ModuleExtractor(
        model,
        wanted,
        _preparation(timm, model, wanted, replaced),
        call=None if own else model.forward_features,
    )


def _loaded(timm: Any, name: str, wanted: Request, replaced: dict[str, Any]) -> Any:
    network, _, tag = name.partition(".")
    if not timm.is_model(network):
        known = nearest(name, timm.list_models())
        raise ValueError(
            f"{wanted.source}: timm has no model {name!r}"
            + (f"; the nearest is 'timm:{known}'" if known else "; timm.list_models() has all")
        )
    published = timm.list_pretrained(network)
    if tag and name not in published:
        tags = ", ".join(one.partition(".")[2] for one in published) or "none"
        raise ValueError(f"{wanted.source}: {network} has no weights {tag!r}; it has {tags}")
    config = timm.get_pretrained_cfg(name)
    options: dict[str, Any] = {}
    if "size" in replaced and config.fixed_input_size:
        options["img_size"] = replaced["size"]
    if wanted.weights is not None:
        with seeded():
            model = timm.create_model(name, pretrained=False, **options)
        if wanted.weights != UNTRAINED:
            load_file(model, wanted.weights, wanted.source)
        model.reset_classifier(0)
        return model
    if not config.has_weights:
        raise ValueError(
            f"{wanted.source}: nobody has published weights of this network; take another one, or "
            "weights='untrained'"
        )
    if config.hf_hub_id:
        context: Any = hubs.hugging_face(wanted.source, wanted.offline)
    else:
        context = hubs.torch_hub(wanted.source, config.url or config.file, wanted.offline)
    with context:
        return timm.create_model(name, pretrained=True, num_classes=0, **options)


def _preparation(
    timm: Any, model: torch.nn.Module, wanted: Request, replaced: dict[str, Any]
) -> Preparation:
    if wanted.kind == "inputs":
        return as_they_are()
    if callable(wanted.preprocessing):
        return by_function(wanted.preprocessing)
    own = {_OWN_WORDS.get(key, key): value for key, value in replaced.items() if key != "size"}
    if "size" in replaced:
        own["input_size"] = (3, *replaced["size"])
    config = timm.data.resolve_data_config(own, model=model)
    transform = timm.data.create_transform(**config, is_training=False)
    return Preparation(transform, stacked, f"timm {transform!r}")

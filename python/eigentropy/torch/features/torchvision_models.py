"""Networks of torchvision, by name, with the transforms of their weights."""

from __future__ import annotations

from typing import Any

from eigentropy._support.signatures import nearest
from eigentropy.torch.features import hubs
from eigentropy.torch.features.extractors import PENULTIMATE, Extractor, ModuleExtractor, Request
from eigentropy.torch.features.packages import required
from eigentropy.torch.features.pictures import checked
from eigentropy.torch.features.preparation import Preparation, as_they_are, by_function, stacked
from eigentropy.torch.features.weights import UNTRAINED, load_file, seeded


def open_torchvision(name: str, wanted: Request) -> Extractor:
    """The classifier, of which the input of its last linear layer is taken.

    ``NAME:WEIGHTS`` names weights, such as IMAGENET1K_V1; without, torchvision's default.
    """
    torchvision = required("torchvision", wanted.source)
    wanted.require_images()
    models = torchvision.models
    network, _, tag = name.partition(":")
    if network not in models.list_models():
        known = nearest(network, models.list_models())
        raise ValueError(
            f"{wanted.source}: torchvision has no model {network!r}"
            + (f"; the nearest is 'torchvision:{known}'" if known else "")
        )
    published = models.get_model_weights(network)
    if tag and tag not in published.__members__:
        raise ValueError(
            f"{wanted.source}: {network} has no weights {tag!r}; it has "
            f"{', '.join(published.__members__)}"
        )
    weights = published[tag] if tag else published.DEFAULT
    model = _loaded(models, network, weights, wanted).to(wanted.device).eval()
    return ModuleExtractor(model, wanted, _preparation(weights, wanted), output=PENULTIMATE)


def _loaded(models: Any, network: str, weights: Any, wanted: Request) -> Any:
    if wanted.weights is None:
        with hubs.torch_hub(wanted.source, weights.url, wanted.offline):
            return models.get_model(network, weights=weights, progress=False)
    # Else auxiliary heads, of training alone, would be drawn that no published weights have.
    with seeded():
        model = models.get_model(network, weights=None, **_without_warning(network))
    if wanted.weights != UNTRAINED:
        load_file(model, wanted.weights, wanted.source)
    return model


def _without_warning(network: str) -> dict[str, Any]:
    """Two networks warn of how long they draw their first weights unless they are told how."""
    return {"init_weights": True} if network in ("googlenet", "inception_v3") else {}


def _preparation(weights: Any, wanted: Request) -> Preparation:
    if wanted.kind == "inputs":
        return as_they_are()
    if callable(wanted.preprocessing):
        return by_function(wanted.preprocessing)
    replaced = checked(wanted.source, wanted.preprocessing or {})
    own = weights.transforms()
    options: dict[str, Any] = {
        key: list(replaced[key]) for key in ("mean", "std") if key in replaced
    }
    if "size" in replaced or "crop" in replaced:
        before = own.crop_size[0]
        side, other = replaced.get("size", (before, before))
        if side != other:
            raise ValueError(f"{wanted.source}: size must be one number: pictures become square")
        crop = replaced.get("crop", before / own.resize_size[0])
        options["crop_size"], options["resize_size"] = side, round(side / crop)
    if "interpolation" in replaced:
        modes = required("torchvision.transforms", wanted.source).InterpolationMode
        options["interpolation"] = modes(replaced["interpolation"])
    transform = weights.transforms(**options)
    return Preparation(transform, stacked, f"torchvision {transform!r}")

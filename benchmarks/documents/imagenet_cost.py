"""What the study `imagenet` costs a model, measured, and its plan for hundreds of models, by a law.

    python -m benchmarks.documents.imagenet_cost --output benchmarks/results/imagenet_cost.json \
        --counts benchmark-infer-amp-nchw-pt291-cu130-pro6000maxq.csv --lists results-imagenet.csv

Untrained networks, since weights cost no time, and pictures of no meaning. Time of the processor
and not of the clock, with one thread: other programs matter less. Each network is measured in a
process of its own, which says how much memory it takes. The counts of operations are timm's own, of
every model at its size, and so are the speeds on a GPU; both files are in the folder `results` of
https://github.com/huggingface/pytorch-image-models. What is not measured here is extrapolated:
seconds a picture are a sum of two terms, for products and for numbers written.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.shared.machine import describe, environment
from benchmarks.shared.results import ROOT, rounded, write

# Of many families, and of most sizes: what timm lists, at the size at which it is evaluated.
NETWORKS = (
    ("mobilenetv3_large_100", 224), ("efficientnet_b0", 224), ("tf_efficientnet_b4", 380),
    ("resnet18", 224), ("resnet50", 224), ("resnext50_32x4d", 288), ("resnet152d", 320),
    ("regnety_032", 288), ("densenet121", 288), ("vgg16", 224), ("convnext_nano", 288),
    ("convnext_base", 288), ("mobilevit_s", 256), ("mixer_b16_224", 224),
    ("vit_tiny_patch16_224", 224), ("vit_base_patch16_224", 224),
    ("swin_tiny_patch4_window7_224", 224), ("vit_large_patch14_clip_224", 224),
)  # fmt: skip
BATCH, ENOUGH = 4, 2.0

# Of the pictures of the study, and an average one of ImageNet.
ROWS, CLASSES = 1000, 20
PICTURE = (500, 375)
DIMENSIONS = (192, 768, 2048)
SIZES = (224, 384)

# Of the paper.
MODELS = 962


def repeated(call: Callable[[], Any]) -> float:
    """The median time of the processor of the calls after the first, of at least two."""
    call()
    seconds: list[float] = []
    while len(seconds) < 2 or sum(seconds) < ENOUGH:
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds)


def of_network(name: str, size: int) -> dict[str, Any]:
    """One network in this process."""
    timm, torch = _timm()
    start = time.process_time()
    network = timm.create_model(name, pretrained=False, num_classes=0).eval()
    created = time.process_time() - start
    X = torch.randn(BATCH, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        seconds = repeated(lambda: network(X)) / BATCH
        d = network(X[:1]).flatten(1).shape[1]
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    parameters = sum(p.numel() for p in network.parameters())
    return {"network": name, "size": size, "parameters": parameters, "d": d, "seconds": seconds,
            "creation_seconds": created, "peak_bytes": peak}  # fmt: skip


def _timm() -> Any:
    """With one thread, and beside a build of PyTorch for CPUs."""
    sys.path.insert(0, str(ROOT / "tests" / "equipment"))
    import torchvision_operators

    torchvision_operators.install()
    import timm
    import torch

    torch.set_num_threads(1)
    return timm, torch


def in_its_own_process(name: str, size: int) -> dict[str, Any]:
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", __spec__.name, "--one", name, str(size)],
        env={**environment(), "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(json.loads(found.stdout))


def of_preprocessing(size: int) -> dict[str, Any]:
    """Reading a JPEG file and what timm does to it, for one picture."""
    from PIL import Image

    timm, _ = _timm()
    transform = timm.data.create_transform((3, size, size), is_training=False)
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "picture.jpg"
        Image.fromarray(coarse).resize(PICTURE, Image.Resampling.BICUBIC).save(file, quality=95)

        def prepared() -> Any:
            with Image.open(file) as image:
                return transform(image.convert("RGB"))

        return {"size": size, "file_bytes": file.stat().st_size, "seconds": repeated(prepared)}


def of_scores(d: int) -> dict[str, Any]:
    """All scores of the study, of rows in 20 groups that are drawn at random."""
    from eigentropy.ranking import score_model
    from eigentropy.studies.imagenet import SETTINGS

    rng = np.random.default_rng(d)
    y = np.repeat(np.arange(CLASSES), ROWS // CLASSES)
    Z = (rng.normal(size=(CLASSES, d))[y] + 2.0 * rng.normal(size=(ROWS, d))).astype(np.float32)
    start = time.process_time()
    for setting in SETTINGS:
        options = {} if setting.sigma is None else {"sigma": setting.sigma}
        score_model("rows", Z, y, scores=setting.scores, sampling=False, **options)
    return {"d": d, "rows": ROWS, "seconds": time.process_time() - start}


# timm's files


def read_counts(path: Path) -> dict[tuple[str, int], dict[str, float]]:
    """Products and numbers written, of 10^9 and 10^6, and pictures a second, by name and size."""
    with path.open(newline="") as file:
        return {
            (line["model"].partition(".")[0], int(line["infer_img_size"])): {
                "gmacs": _number(line["infer_gmacs"]),
                "mactivations": _number(line["infer_macts"]),
                "gpu_rate": _number(line["infer_samples_per_sec"]),
            }
            for line in csv.DictReader(file)
            if line["infer_gmacs"]
        }


def _number(text: str) -> float:
    return float(text.replace(",", ""))


# The law


def fitted(cases: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Seconds = per_gmac gmacs + per_mactivation mactivations, with the least relative errors."""
    from scipy.optimize import nnls

    terms = np.array([[case["gmacs"], case["mactivations"]] for case in cases])
    seconds = np.array([case["seconds"] for case in cases])
    found, _ = nnls(terms / seconds[:, None], np.ones(len(cases)))
    return dict(zip(("per_gmac", "per_mactivation"), map(float, found), strict=True))


def predicted(law: dict[str, float], case: dict[str, Any]) -> float:
    return law["per_gmac"] * case["gmacs"] + law["per_mactivation"] * case["mactivations"]


def left_out(cases: Sequence[dict[str, Any]]) -> list[float]:
    """By what factor the law of the others errs at each case."""
    return [
        predicted(fitted([*cases[:i], *cases[i + 1 :]]), case) / case["seconds"]
        for i, case in enumerate(cases)
    ]


def planned(path: Path, result: dict[str, Any], counts: Any) -> dict[str, Any]:
    """The whole list by the law: hours of one core, and what a GPU takes by timm's own speeds."""
    from eigentropy.studies.imagenet_list import read_list

    models = read_list(path)
    known = [model for model in models if (model.architecture, model.size) in counts]
    cases = [counts[model.architecture, model.size] for model in known]
    small, large = result["preprocessing"][0], result["preprocessing"][-1]
    slope = (large["seconds"] - small["seconds"]) / (large["size"] ** 2 - small["size"] ** 2)
    parts = {
        "networks": [ROWS * predicted(result["law"], case) for case in cases],
        "preprocessing": [
            ROWS * (small["seconds"] + slope * (m.size**2 - small["size"] ** 2)) for m in known
        ],
        "scores": [statistics.mean(s["seconds"] for s in result["scores"])] * len(known),
    }
    a_model = [sum(times) for times in zip(*parts.values(), strict=True)]
    gpu = [ROWS / case["gpu_rate"] for case in cases]
    hours = 1.0 / 3600.0
    largest = max(case["gmacs"] for case in result["networks"])
    beyond = [case["gmacs"] > largest for case in cases]
    share = MODELS / len(known)
    return {
        "list": path.name, "models": len(models), "counted": len(known),
        "sizes": [min(m.size for m in known), max(m.size for m in known)],
        "parameters": sum(m.parameters for m in known) * 1e6,
        "core_hours": hours * sum(a_model), "core_hours_of_962": hours * sum(a_model) * share,
        "parts_of_962": {name: hours * sum(times) * share for name, times in parts.items()},
        "seconds_a_model": {"median": statistics.median(a_model), "longest": max(a_model)},
        "longest": known[int(np.argmax(a_model))].name,
        "gpu_hours_of_962_by_timm": hours * sum(gpu) * share,
        "beyond_measured": sum(beyond),
        "hours_share_beyond_measured": float(np.array(a_model) @ beyond) / sum(a_model),
    }  # fmt: skip


def measure(options: argparse.Namespace, result: dict[str, Any]) -> dict[str, Any]:
    """The result with what it lacks; what it has is not measured again."""
    counts = read_counts(options.counts)
    result = {"machine": describe(), "counts": options.counts.name, "batch": BATCH, "rows": ROWS,
              "picture": PICTURE, "networks": [], **result}  # fmt: skip
    known = {(case["network"], case["size"]) for case in result["networks"]}
    for name, size in NETWORKS:
        if (name, size) in known:
            continue
        found = {**in_its_own_process(name, size), **counts[name, size]}
        result["networks"].append(found)
        print(f"{name} {size}: {found['seconds']:.3f} s a picture", file=sys.stderr, flush=True)
        save(options.output, result)
    for part, function, values in (
        ("preprocessing", of_preprocessing, SIZES),
        ("scores", of_scores, DIMENSIONS),
    ):
        if part not in result:
            result[part] = [function(value) for value in values]
            save(options.output, result)
    factors = [abs(math.log(factor)) for factor in left_out(result["networks"])]
    result["law"] = {
        **fitted(result["networks"]),
        "typical_factor": math.exp(statistics.median(factors)),
        "largest_factor": math.exp(max(factors)),
    }
    result["plans"] = [planned(path, result, counts) for path in options.lists]
    return result


def save(path: Path | None, result: dict[str, Any]) -> None:
    if path is not None:
        write(path, rounded(result))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--counts", type=Path, help="timm's benchmark of inference")
    parser.add_argument("--lists", type=Path, nargs="+", help="timm's lists of accuracies")
    parser.add_argument("--one", nargs=2, metavar=("NETWORK", "SIZE"), help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(of_network(options.one[0], int(options.one[1]))))
        return
    started = options.output is not None and options.output.exists()
    result = measure(options, json.loads(options.output.read_text()) if started else {})
    print(json.dumps(result, indent=1))
    save(options.output, result)


if __name__ == "__main__":
    main()

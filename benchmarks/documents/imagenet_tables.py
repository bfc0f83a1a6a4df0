"""Tables of what the study `imagenet` costs a model, and of its plan for hundreds of models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.documents.imagenet_cost import predicted
from benchmarks.shared.markdown_tables import table, time

Results = dict[str, dict[str, Any]]  # by suite
GIB = 2.0**30


def networks(results: Results) -> str:
    """Measured, and by the law; the smallest first."""
    known = results["imagenet_cost"]
    header = ["network, untrained", "pixels", "10^6 parameters", "10^9 products", "d",
              "a picture", "by the law", "peak of memory"]  # fmt: skip
    rows = [
        [case["network"], str(case["size"]), f"{case['parameters'] / 1e6:.1f}",
         f"{case['gmacs']:.1f}", str(case["d"]), time(case["seconds"]),
         time(predicted(known["law"], case)), f"{case['peak_bytes'] / GIB:.1f} GiB"]
        for case in sorted(known["networks"], key=lambda case: case["gmacs"])
    ]  # fmt: skip
    return table(header, rows)


def parts(results: Results) -> str:
    """What is the same for all networks, but for their sizes and columns."""
    known = results["imagenet_cost"]
    rows = [["a picture, read and prepared", f"{case['size']} pixels", time(case["seconds"])]
            for case in known["preprocessing"]]  # fmt: skip
    rows += [[f"all scores of {case['rows']} rows", f"d = {case['d']}", time(case["seconds"])]
             for case in known["scores"]]  # fmt: skip
    return table(["part", "of", "one thread"], rows)


def plan(results: Results) -> str:
    """Extrapolated, but for the speeds on a GPU, which are timm's."""
    header = ["timm's list", "models", "10^9 parameters in all", "hours of one core", "for 962",
              "of them networks", "pictures", "scores", "longest model",
              "a GPU, by timm, for 962"]  # fmt: skip
    rows = []
    for case in results["imagenet_cost"]["plans"]:
        share = case["parts_of_962"]
        rows.append([
            case["list"], str(case["models"]), f"{case['parameters'] / 1e9:.0f}",
            f"{case['core_hours']:.0f}", f"{case['core_hours_of_962']:.0f}",
            *[f"{share[part]:.0f}" for part in ("networks", "preprocessing", "scores")],
            f"{case['longest']}, {case['seconds_a_model']['longest'] / 3600:.1f} h",
            f"{case['gpu_hours_of_962_by_timm']:.2f} h",
        ])  # fmt: skip
    return table(header, rows)


BLOCKS: dict[str, tuple[tuple[str, ...], Callable[[Results], str]]] = {
    "imagenet networks": (("imagenet_cost",), networks),
    "imagenet parts": (("imagenet_cost",), parts),
    "imagenet plan": (("imagenet_cost",), plan),
}

"""The information bottleneck: how few bits of X keep how many bits about Y.

>>> import numpy as np
>>> from eigentropy import bottleneck
>>> channel = np.array([[0.45, 0.05], [0.05, 0.45]])  # p(x, y)
>>> solution = bottleneck.solve(channel, beta=2.0)
>>> solution.n_clusters
2
>>> round(solution.information_y, 3)  # bits about Y, of the 0.531 that X has
0.407
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from eigentropy._support.signatures import missing_name

if TYPE_CHECKING:
    from eigentropy.bottleneck.bifurcations import Bifurcation
    from eigentropy.bottleneck.bounds import SamplingBound, sampling_bound
    from eigentropy.bottleneck.following import curve
    from eigentropy.bottleneck.gaussian import gaussian_curve
    from eigentropy.bottleneck.information_curve import CurvePoint, InformationCurve
    from eigentropy.bottleneck.information_plane import layers
    from eigentropy.bottleneck.joint import JointDistribution, joint_distribution
    from eigentropy.bottleneck.layer_plane import LayerPlane, PlaneLayer
    from eigentropy.bottleneck.solution import BottleneckSolution
    from eigentropy.bottleneck.solver import solve
    from eigentropy.bottleneck.symmetric import binary_symmetric_curve

_MODULES = {
    "Bifurcation": "bifurcations",
    "BottleneckSolution": "solution",
    "CurvePoint": "information_curve",
    "InformationCurve": "information_curve",
    "JointDistribution": "joint",
    "LayerPlane": "layer_plane",
    "PlaneLayer": "layer_plane",
    "SamplingBound": "bounds",
    "binary_symmetric_curve": "symmetric",
    "curve": "following",
    "gaussian_curve": "gaussian",
    "joint_distribution": "joint",
    "layers": "information_plane",
    "sampling_bound": "bounds",
    "solve": "solver",
}

__all__ = [
    "Bifurcation", "BottleneckSolution", "CurvePoint", "InformationCurve", "JointDistribution",
    "LayerPlane", "PlaneLayer", "SamplingBound", "binary_symmetric_curve", "curve",
    "gaussian_curve", "joint_distribution", "layers", "sampling_bound", "solve",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Each function is imported when it is first used."""
    if name in _MODULES:
        return getattr(import_module(f"eigentropy.bottleneck.{_MODULES[name]}"), name)
    raise missing_name(__name__, name)


def __dir__() -> list[str]:
    return __all__

"""torchvision beside a build of PyTorch for CPUs only: its operators get a signature, no code.

The wheels of torchvision on PyPI have operators that need PyTorch's CUDA libraries. Without these
they cannot be loaded, and torchvision, timm and what else imports torchvision fail, although models
and transforms call none of them. `install()` names two operators as soon as torchvision is
imported, where its library cannot be loaded. It is for tests, and for measuring; users install a
pair of PyTorch and torchvision that fits.

The way out: wheels of torchvision for CPUs only in the index that tests install from.
"""

from __future__ import annotations

import sys
from pathlib import Path

SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
OPERATORS = ("nms", "qnms")

kept = []  # a library takes its operators with it


def install():
    """Wait for an import of torchvision; again is no harm."""
    if not any(isinstance(finder, _Watch) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Watch())


class _Watch:
    def find_spec(self, name, path=None, target=None):
        """Never finds anything: it looks at what is about to be imported."""
        if name == "torchvision.extension" and not kept:
            _name_operators(sys.modules["torch"], Path(next(iter(path))) / "_C.so")


def _name_operators(torch, file):
    try:
        torch.ops.load_library(file)
    except OSError:
        library = torch.library.Library("torchvision", "DEF")
        for operator in OPERATORS:
            library.define(operator + SIGNATURE)
        kept.append(library)

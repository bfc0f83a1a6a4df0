"""Renders the conda recipe for each machine and Python that the package promises, and builds it.

python packaging/conda/check_recipe.py            renders it: syntax, expressions; offline
python packaging/conda/check_recipe.py --build    builds the package; needs conda-forge
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PLATFORMS = ("linux-64", "linux-aarch64", "osx-arm64")


def pythons() -> list[str]:
    """Those of the classifiers."""
    text = (HERE.parents[1] / "pyproject.toml").read_text()
    return re.findall(r"Programming Language :: Python :: (3\.\d+)", text)


def render(platform: str) -> list[dict[str, Any]]:
    """The recipe for each Python, all expressions evaluated."""
    from rattler_build import PlatformConfig, RenderConfig, Stage0Recipe, VariantConfig

    config = RenderConfig(PlatformConfig(target_platform=platform))
    variants = VariantConfig(
        {
            "python": [f"{python}.* *_cpython" for python in pythons()],
            "c_stdlib": ["sysroot" if platform.startswith("linux") else "macosx_deployment_target"],
        }
    )
    recipe = Stage0Recipe.from_file(HERE / "recipe.yaml")
    return [variant.recipe.to_dict() for variant in recipe.render(variants, config)]


def build() -> None:
    """Build the package for this machine into build/conda, and run the tests of the recipe."""
    from rattler_build import Stage0Recipe, ToolConfiguration, VariantConfig

    recipe = Stage0Recipe.from_file(HERE / "recipe.yaml")
    recipe.run_build(
        variant_config=VariantConfig({"python": ["3.13.* *_cpython"]}),
        tool_config=ToolConfiguration(test_strategy="native"),
        channels=["conda-forge"],
        output_dir=HERE.parents[1] / "build/conda",
    )


def main() -> None:
    """Check every platform; build where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--build", action="store_true")
    options = parser.parse_args()
    for platform in PLATFORMS:
        found = len(render(platform))
        if found != len(pythons()):
            sys.exit(f"error: {platform} has {found} variants, and {len(pythons())} Pythons")
        print(f"{platform}: {found} variants")
    if options.build:
        build()


if __name__ == "__main__":
    main()

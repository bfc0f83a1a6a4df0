"""Prints the oldest version of each dependency that pyproject.toml allows, as constraints for pip.

python scripts/oldest_versions.py cluster,plot
python scripts/oldest_versions.py cluster,plot --installed FILE    checks the output of pip freeze
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    from pip._vendor import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]


def requirements(project: dict[str, Any], extras: list[str]) -> list[str]:
    """Those of the package and of the named extras."""
    offered = project["project"].get("optional-dependencies", {})
    if unknown := [extra for extra in extras if extra not in offered]:
        raise SystemExit(f"error: pyproject.toml has no extra '{unknown[0]}'")
    found = [project["project"]["dependencies"], *(offered[extra] for extra in extras)]
    return [entry for entries in found for entry in entries]


def oldest(entries: list[str]) -> dict[str, str]:
    """The lower bound of each package; of several, the highest."""
    bounds: dict[str, str] = {}
    for entry in entries:
        match = re.fullmatch(r"([\w.-]+)>=([\d.]+)", entry)
        if match is None:
            raise SystemExit(f"error: '{entry}' has no lower bound, or more than that")
        name, bound = match.groups()
        if parts(bound) > parts(bounds.get(name, "0")):
            bounds[name] = bound
    return bounds


def parts(version: str) -> list[int]:
    """The numbers of a version, without zeros at its end."""
    numbers = [int(part) for part in re.findall(r"\d+", version.partition("+")[0])]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return numbers


def check(bounds: dict[str, str], installed: str) -> list[str]:
    """Packages whose installed version is not the oldest one, or that are not there."""
    found = dict(line.split("==", 1) for line in installed.splitlines() if "==" in line)
    return [
        f"{name} {found.get(name, 'is missing')} instead of {bound}"
        for name, bound in bounds.items()
        if parts(found.get(name, "0")) != parts(bound)
    ]


def main() -> None:
    """Print constraints, or check what was installed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("extras", help="separated by commas; may be empty")
    parser.add_argument("--installed", type=Path)
    options = parser.parse_args()
    extras = [extra for extra in options.extras.split(",") if extra]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    bounds = oldest(requirements(project, extras))
    if options.installed is None:
        print("\n".join(f"{name}=={bound}" for name, bound in bounds.items()))
    elif problems := check(bounds, options.installed.read_text()):
        sys.exit("error: " + "; ".join(problems))


if __name__ == "__main__":
    main()

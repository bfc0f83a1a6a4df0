"""The structure of the package, read from its imports: which module needs which, and the map.

    python tests/equipment/house.py                           print the map
    python tests/equipment/house.py --update CONTRIBUTING.md  write it between the marks there

Every import counts: those at the top, those inside of functions, and those for type checkers.
"""

from __future__ import annotations

import argparse
import ast
import textwrap
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "python" / "eigentropy"
NAME = "eigentropy"

# From left to right: a module imports only from packages that come before its own. "" is the
# package's own __init__, which has the public names.
ORDER = (
    "_core", "_support", "_backends", "_kernels", "_spectra", "plot", "_measures", "baselines",
    "io", "ranking", "", "reference", "compat", "sklearn", "anndata", "bottleneck", "embed",
    "distributed", "report", "torch", "studies", "cli", "__main__",
)  # fmt: skip

# What runs side by side: the map shows them on floors, and inside of a package, module by module.
MARKS = ("<!-- map -->", "<!-- end of map -->")


@cache
def modules() -> dict[str, Path]:
    """The file of each module by its dotted name without the package's; "" is the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def room(module: str) -> str:
    """The package at the top that a module stands in."""
    return module.partition(".")[0]


@cache
def imports(module: str) -> frozenset[str]:
    """The modules of the package that a module imports, wherever in its code it does so."""
    found = set()
    for node in ast.walk(ast.parse(modules()[module].read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {_resolved(name) for name in names if name.split(".")[0] == NAME}
    return frozenset(found - {module})


def _resolved(name: str) -> str:
    """The module behind `eigentropy.a.b.name`, which may be a name inside of a module."""
    parts = name.split(".")[1:]
    while parts and ".".join(parts) not in {*modules(), "_core"}:
        parts.pop()
    return ".".join(parts)


def back_arrows() -> list[str]:
    """Imports from a package that does not come before the module's own."""
    return [
        f"{module or '__init__'} imports {other or '__init__'}"
        for module in modules()
        for other in sorted(imports(module))
        if room(other) != room(module) and ORDER.index(room(other)) > ORDER.index(room(module))
    ]


def ordered() -> list[str]:
    """All modules in an order in which each needs only those before it; CycleError if none is."""
    graph = {module: sorted(imports(module) - {"_core"}) for module in sorted(modules())}
    return list(TopologicalSorter(graph).static_order())


def folder_order(parent: str) -> list[str]:
    """The folders in a package, each of which needs only those before it; CycleError if none is."""
    graph: dict[str, set[str]] = {}
    for module in modules():
        if (own := _folder(module, parent)) is not None:
            needed = {_folder(other, parent) for other in imports(module)}
            graph.setdefault(own, set()).update(needed - {own, None})
    return list(TopologicalSorter(graph).static_order())


def _folder(module: str, parent: str) -> str | None:
    path = module.removeprefix(f"{parent}.")
    inside = module.startswith(f"{parent}.") and "." in path
    return path.partition(".")[0] if inside else None


def floors() -> dict[str, int]:
    """The floor of each package at the top: one above the highest that it imports from."""
    known: dict[str, int] = {"_core": 0}
    for package in ORDER[1:]:
        needed = {
            room(other)
            for module in modules()
            if room(module) == package
            for other in imports(module)
        } - {package}
        known[package] = 1 + max((known[other] for other in needed), default=0)
    return known


def drawn() -> str:
    """The map: packages in their order, with their floor, their purpose and their modules."""
    lines, order, heights = [], ordered(), floors()
    for package in ORDER:
        inside = [module for module in order if room(module) == package and module != package]
        names = [module.partition(".")[2] for module in inside]
        label = package or "__init__"
        lines.append(f"{heights[package]:>2}  {label:<13}{_purpose(package)}")
        if package and any(names):
            listed = " ".join(name for name in names if name)
            lines += textwrap.wrap(
                listed, 97, initial_indent=" " * 16, subsequent_indent=" " * 16,
                break_on_hyphens=False, break_long_words=False,
            )  # fmt: skip
    return "\n".join(lines)


def _purpose(package: str) -> str:
    if package == "_core":
        return "The compiled core, from csrc."
    doc = ast.get_docstring(ast.parse(modules()[package].read_text())) or ""
    return doc.partition("\n")[0]


def with_map(text: str) -> str:
    """A document with the map between its marks."""
    before, _, rest = text.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    return f"{before}{MARKS[0]}\n```text\n{drawn()}\n```\n{MARKS[1]}{after}"


def main() -> None:
    """Print the map, or write it into a document."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--update", type=Path, help="the document between whose marks it goes")
    options = parser.parse_args()
    if options.update is None:
        print(drawn())
    else:
        options.update.write_text(with_map(options.update.read_text()))


if __name__ == "__main__":
    main()

"""Data moves one way: each module imports only from its left, and the map says so."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter

import pytest

import eigentropy
import house

# Private names of Python and of PyTorch that have no public counterpart.
PRIVATE_OF_OTHERS = {
    "_exit",
    "_getframe",
    "_buffers",
    "_C",
    "_current_graph_task_id",
    "_get_tracing_state",
    "_orig_mod",
    "_version",
    "_core",
}

# What is imported when it is needed, and not before.
HEAVY = (
    "torch",
    "sklearn",
    "scipy",
    "faiss",
    "matplotlib",
    "pyarrow",
    "pandas",
    "polars",
    "h5py",
    "anndata",
    "zarr",
    "rich",
    "typer",
    "phate",
    "graphtools",
    "timm",
    "torchvision",
)


def test_a_package_imports_only_from_its_left():
    assert house.back_arrows() == []


def test_no_module_imports_itself_by_way_of_others():
    order = house.ordered()  # CycleError names the circle
    assert set(house.modules()) <= set(order)


@pytest.mark.parametrize("package", ["torch", "studies"])
def test_the_folders_of_a_package_have_an_order(package):
    assert house.folder_order(package)


def test_an_import_back_and_a_circle_are_seen(monkeypatch):
    """The checks above can fail."""
    plain = house.imports
    monkeypatch.setattr(
        house,
        "imports",
        lambda module: plain(module) | ({"cli.console"} if module == "_kernels.groups" else set()),
    )
    assert house.back_arrows() == ["_kernels.groups imports cli.console"]
    with pytest.raises(ValueError, match="cycle"):
        house.ordered()


def test_deferred_imports_and_those_for_type_checkers_count():
    assert "studies" in {house.room(module) for module in house.imports("cli.console")}
    assert "_measures.entropy" in house.imports("")


def test_there_are_few_rooms_at_the_top():
    rooms = {house.room(module) for module in house.modules()} - {""}
    assert len(rooms) <= 21
    assert rooms | {"_core", ""} == set(house.ORDER)


def test_contributing_shows_the_map():
    text = (house.ROOT / "CONTRIBUTING.md").read_text()
    assert house.with_map(text) == text, "python tests/equipment/house.py --update CONTRIBUTING.md"


def test_the_public_names_are_the_api():
    assert dir(eigentropy) == sorted(eigentropy.__all__)
    for name in eigentropy.__all__:
        value = getattr(eigentropy, name)
        assert name in ("plot", "__version__") or callable(value), name
        assert name == "__version__" or value.__doc__, name


@pytest.mark.parametrize("name", ["entropy", "spectrum", "information", "files"])
def test_a_former_module_is_no_attribute_and_its_successor_is_named(name):
    with pytest.raises(AttributeError, match=rf"'{name}'; see eigentropy\."):
        getattr(eigentropy, name)


def test_the_public_names_import_nothing_heavy():
    code = (
        "import sys, eigentropy; [getattr(eigentropy, n) for n in eigentropy.__all__]; "
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    alone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert alone.stdout == "[]\n"


@pytest.mark.parametrize("module", sorted(house.modules()))
def test_no_module_reads_what_is_private_to_another_object(module):
    tree = ast.parse(house.modules()[module].read_text())
    read = {
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and node.attr not in PRIVATE_OF_OTHERS
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
        and not (isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "super")
    }
    assert read == set()


def test_no_two_classes_have_one_name():
    """But for those that are the same measure for another library, and for private ones."""
    classes = Counter(
        node.name
        for path in house.modules().values()
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    same = {
        "MonitorCallback",
        "DiffusionSpectralEntropy",
        "DiffusionSpectralMutualInformation",
        "KernelEntropy",
        "KernelInformation",
    }
    assert {name for name, count in classes.items() if count > 1} <= same


def test_only_the_backends_name_torch_and_cupy():
    allowed = {
        "_backends",
        "distributed",
        "torch",
        "studies",
        "baselines",
        "io",
        "cli",
        "report",
        "compat",
    }
    for module, path in house.modules().items():
        if house.room(module) not in allowed:
            names = {n.id for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Name)}
            assert not names & {"torch", "cupy"}, module


def test_the_plugin_has_the_version_of_the_package():
    here = (house.ROOT / "pyproject.toml").read_text()
    plugin = (house.ROOT / "packaging" / "cuda13" / "pyproject.toml").read_text()
    version = re.search('^version = "(.*)"', here, re.MULTILINE).group(1)
    assert f'\nversion = "{version}"' in plugin
    assert f"eigentropy-cuda13=={version}" in here


# Studies that import eigentropy.torch where they measure, and nothing of it before.
OF_TRAINING = (
    "condensation_terms",
    "imagenet",
    "initialization",
    "language.networks",
    "regularization",
    "views",
)


def test_nothing_imports_the_folder_torch_but_what_trains_or_runs_networks():
    for module in house.modules():
        package, _, name = module.partition(".")
        runs_networks = module in ("cli.ranking_tasks", "cli.layers") or (
            package == "studies" and name in OF_TRAINING
        )
        if package != "torch" and not runs_networks:
            needed = {house.room(other) for other in house.imports(module)}
            assert "torch" not in needed or name.startswith("vision"), module


def test_whoever_computes_with_the_core_has_its_orderly_end():
    """Without it, a LAPACK call that Ctrl-C left behind would crash the exit of the process."""
    module = "eigentropy._support.lifetime"
    code = f"import sys, eigentropy as eg; eg.eigvalsh; print({module!r} in sys.modules)"
    alone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert alone.stdout == "True\n"


@pytest.mark.parametrize("script", sorted((house.ROOT / "scripts").glob("*.sh")))
def test_the_tests_that_a_script_names_exist(script):
    for name in re.findall(r"tests/[\w/]+\.py", script.read_text()):
        assert (house.ROOT / name).exists(), name


def test_the_studies_are_known_without_torch():
    code = "import sys; sys.modules['torch'] = None; import eigentropy.studies"
    subprocess.run([sys.executable, "-c", code], check=True)

"""The examples of README.md, docs/torch.md, docs/report.md and of the docstrings are right."""

from __future__ import annotations

import csv
import doctest
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from eigentropy.report import page, read_run
from eigentropy.torch.losses import modules
from eigentropy.torch.monitoring import monitor

DOCUMENT = Path(__file__).parents[2] / "docs" / "torch.md"


def examples(text):
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


TEXT, RECIPES = DOCUMENT.read_text().split("## Recipes")
LIBRARIES = {"lightning": ["lightning.pytorch"], "transformers": ["transformers", "accelerate"]}


def run(example, names):
    exec(compile(example, DOCUMENT.name, "exec"), names)
    return names


def test_the_examples_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    assert len(examples(TEXT)) >= 3
    names: dict[str, object] = {}
    for example in examples(TEXT):
        run(example, names)
    with Path("run.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert {"dse/1", "dse/2", "dsmi_y/1", "dsmi_y_adjusted/2"} <= set(rows[0])
    assert "<- recommended" in capsys.readouterr().out
    assert names["result"].recommended in (0.01, 0.1, 1.0, 10.0)


@pytest.fixture
def quick_start(tmp_path, monkeypatch):
    """The names that the first example leaves."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    return run(examples(TEXT)[0], {})


def recipe(title, names):
    """Run all code below this title, in the libraries that it needs."""
    for library in LIBRARIES.get(title.lower().replace("hugging face", "transformers"), []):
        pytest.importorskip(library, reason=f"{library} is not installed: group adapters")
    text = RECIPES[RECIPES.index(f"**{title}") :]
    for example in examples(text.split("\n\n**")[0]):  # until the next title
        run(example, names)
    return names


def test_the_recipe_of_a_plain_loop(quick_start):
    monitor = recipe("A plain loop", quick_start)["monitor"]
    assert [row["step"] for row in monitor.history] == [1, 2]
    assert {"accuracy", "dse/1", "dsmi_y/2"} <= set(monitor.history[-1])


def test_the_recipe_for_several_processes(quick_start, process_group):
    recipe("Several processes", quick_start)
    history = quick_start["monitor"].history
    quick_start.clear()
    assert {"dse/1", "dsmi_y/2"} <= set(history[0])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("title", "layer"),
    [("Lightning", "network.1"), ("Hugging Face", "bert.encoder.layer.1")],
)
def test_the_recipes_for_other_libraries(quick_start, monkeypatch, title, layer):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    names = recipe(title, quick_start)
    for callback in (names["callback"], names["watching"]):
        history = callback.monitor.history
        assert [row["step"] for row in history] == [1, 2]
        assert {f"dse/{layer}", f"dsmi_y/{layer}"} <= set(history[0])


def test_the_quick_start_has_ten_lines_beside_its_imports():
    example = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL).group(1)
    lines = [line for line in example.splitlines() if line and "import" not in line]
    assert len(lines) == 10


class Network(torch.nn.Module):
    """With the layers of the examples."""

    def __init__(self):
        super().__init__()
        self.encoder = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU())
        self.head = torch.nn.Linear(16, 3)

    def forward(self, x):
        return self.head(self.encoder(x))


@pytest.fixture
def given(tmp_path, monkeypatch):
    """What examples take for granted."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    labels = np.arange(500) % 3
    return {
        "model": Network(), "x": torch.randn(120, 8), "y": torch.arange(120) % 3, "epochs": 2,
        "train": lambda model: (0.5, 0.9), "labels": labels,
        "Z": np.random.default_rng(0).normal(size=(500, 20)) + 3 * np.eye(20)[labels],
    }  # fmt: skip


def test_the_examples_about_the_report_run(given):
    for example in examples((DOCUMENT.parent / "report.md").read_text()):
        run(example, given)
    first, second = read_run("runs/a"), read_run("runs/b")
    assert (first.steps, first.values["loss"]) == ([1, 2], [0.5, 0.5])
    assert {"dsmi_x/encoder.0", "dsmi_y/head"} <= first.values.keys()
    assert (second.steps, second.title) == ([0], "lr 0.1")
    page([first, second])


def test_the_examples_of_the_readme_run(given, capsys):
    text = (DOCUMENT.parents[1] / "README.md").read_text()
    for example in examples(text):
        run(example, given)
    shown = capsys.readouterr().out.splitlines()[0]
    assert f"print(S)           # {shown}\n" in text
    assert read_run("run.csv").steps == [1, 2]


@pytest.mark.parametrize("module", [modules, monitor])
def test_the_examples_of_the_docstrings_are_right(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None   # as if it were not installed
import eigentropy
try:
    import eigentropy.torch
except ImportError as error:
    print(error)
"""


def test_without_torch_the_package_works_and_the_extra_is_named():
    output = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, check=True
    ).stdout
    assert "pip install 'eigentropy[torch]'" in output


def test_the_package_does_not_import_torch_by_itself():
    command = "import sys, eigentropy; print('torch' in sys.modules)"
    output = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    ).stdout
    assert output.strip() == "False"


def test_inside_of_the_package_torch_is_the_library():
    assert modules.torch is torch
    assert modules.torch.__name__ == "torch"

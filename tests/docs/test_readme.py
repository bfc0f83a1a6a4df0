"""The README's example prints the numbers that the README shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from eigentropy.report import read_run

README = (Path(__file__).parents[2] / "README.md").read_text()
NUMBER = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?")


def fenced(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def numbers(text):
    return [float(number) for number in NUMBER.findall(text)]


def test_the_eight_lines_print_what_is_shown(capsys):
    shown = fenced("text")[0]
    example = fenced("python")[0]
    assert len(example.strip().splitlines()) == 8
    exec(example, {})
    printed = capsys.readouterr().out
    assert len(numbers(printed)) > 10
    assert numbers(printed) == pytest.approx(numbers(shown), rel=1e-5)
    # The words around the numbers, which a result prints about itself.
    assert NUMBER.sub("", printed).split() == NUMBER.sub("", shown).split()


def test_the_later_examples_print_what_is_shown(capsys):
    names = {}
    printed = []
    for example in fenced("python")[:3]:
        capsys.readouterr()
        exec(example, names)
        printed.append(capsys.readouterr().out)
    difference, kernel = printed[1:]
    assert numbers(difference) == pytest.approx(numbers(fenced("text")[1]), rel=1e-3)
    assert NUMBER.sub("", difference).split() == NUMBER.sub("", fenced("text")[1]).split()
    assert kernel.split() == fenced("text")[2].split()


def test_the_monitor_of_the_readme_runs(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")
    monkeypatch.chdir(tmp_path)
    model = torch.nn.Sequential()
    model.add_module("encoder", torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU()))
    model.add_module("head", torch.nn.Linear(16, 3))
    names = {
        "model": model, "x": torch.randn(120, 8), "y": torch.arange(120) % 3,
        "epochs": 2, "train": lambda model: None,
    }  # fmt: skip
    exec(fenced("python")[3], names)
    run = read_run("run.csv")
    assert run.steps == [1, 2]
    assert {"dse/encoder.0", "dsmi_y/head"} <= run.values.keys()

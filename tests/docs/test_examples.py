"""The Python examples of the how-to guides and of the docstrings run and do what the pages say.

A page may be written and ordered freely: its ``python`` blocks run one after the other, with the
names of `given` for what an example takes for granted.
"""

from __future__ import annotations

import csv
import doctest
import importlib
import linecache
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import eigentropy as eg
from eigentropy.report import page, read_run
from eigentropy.torch.losses import functional, modules
from eigentropy.torch.monitoring import alarm, monitor, probe

GUIDES = Path(__file__).parents[2] / "docs" / "how_to"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(text):
    return BLOCK.findall(text)


def run(guide, names, section=None):
    """All examples of a guide, or its first one and those below the title `section`."""
    text = (GUIDES / guide).read_text()
    code = blocks(text)
    if section is not None:
        code = code[:1] + blocks(text.split(f"\n## {section}\n")[1].split("\n## ")[0])
    assert code
    for number, example in enumerate(code):
        file = f"<{guide}, example {section or ''} {number}>"  # nnsight reads the source of a block
        linecache.cache[file] = (len(example), None, example.splitlines(keepends=True), file)
        exec(compile(example, file, "exec"), names)
    return names


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
    import eigentropy as eg

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    torch.manual_seed(0)
    labels = np.arange(500) % 3
    return {
        "eg": eg, "model": Network(), "x": torch.randn(120, 8), "y": torch.arange(120) % 3,
        "epochs": 2, "train": lambda model: (0.5, 0.9), "labels": labels,
        "Z": np.random.default_rng(0).normal(size=(500, 20)) + 3 * np.eye(20)[labels],
    }  # fmt: skip


def test_inputs(given, capsys):
    names = run("inputs.md", given)
    assert float(names["S"]) == float(given["eg"].dse(given["Z"]))
    assert 400 < names["I"].n < 500
    printed = capsys.readouterr().out
    assert [f"n={n}" in printed for n in (100, 1600, 200)] == [True] * 3


def test_choosing(given):
    curve = run("choosing.md", given)["curve"]
    assert list(curve.values()) == sorted(curve.values(), reverse=True)


def test_knn(given):
    pytest.importorskip("scipy", reason="SciPy is not installed")
    names = run("knn.md", given)
    assert names["curve"] == {1: 11.05, 10: 4.90, 100: 2.32, 1000: 2.32}
    assert names["clusters"] == 5
    assert names["counts"] == {100: 5, 500: 5}
    assert (round(names["early"].value, 2), round(names["late"].value, 2)) == (-0.08, 2.30)
    assert round(names["late"].label_entropy, 2) == 1.48
    others = {rule: eg.dse(names["Z"], sigma=rule, dtype="float64") for rule in ("auto", "knn")}
    late = {rule: round(float(S.at(1000)), 2) for rule, S in others.items()}
    assert late == {"auto": 0.0, "knn": 9.56}


def test_many_rows(given):
    assert run("many_rows.md", given)["S"].sampled_from == 500


def test_token_reservoir(given):
    names = run("token_reservoir.md", given)
    tokens, found, small = (names[name] for name in ("tokens", "found", "small"))
    assert (len(tokens), tokens.seen, tokens.prompts_seen) == (300, 20 * 52, 160)
    assert len(tokens.labels) == 300
    assert found.seen == 20 * 60
    assert small.nbytes <= 20_000
    assert len(small) == 60


def test_features(given, capsys):
    pytest.importorskip("PIL", reason="pillow is not installed")
    names = run("features.md", given)
    assert names["Z"].shape == (60, 16)
    np.testing.assert_array_equal(names["y"], np.arange(60) % 3)
    assert names["first"].shape == (60, 16)
    assert capsys.readouterr().out.endswith("['0', '1']\nTrue\n")


def test_how_many_rows(given):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    found = run("how_many_rows.md", given)["found"]
    assert found.n == 500
    assert found.sizes.tolist() == [30, 60, 120, 240]


def test_figures(given):
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")
    names = run("figures.md", given)
    assert len(names["ax"].get_lines()) >= 2
    assert Path("entropy.png").stat().st_size > 0
    pyplot.close("all")


@pytest.mark.filterwarnings("ignore:Graph is disconnected:UserWarning")
def test_units(given):
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")
    pytest.importorskip("phate", reason="phate is not installed")
    names = run("units.md", given)
    assert names["kernel"].shape == (640, 640)
    assert names["embedding"].coordinates.shape == (20, 32, 2)
    assert names["numbers"].dse[0] < names["numbers"].dse[-1]  # four groups walk apart
    pyplot.close("all")


def test_npeet(given, monkeypatch):
    pytest.importorskip("scipy", reason="scipy is not installed")
    from eigentropy.compat import npeet

    monkeypatch.setattr(npeet, "add_noise", npeet.add_noise)  # which the page replaces
    state = np.random.get_state()
    try:
        names = run("npeet.md", given)
    finally:
        np.random.set_state(state)
    assert names["ee"].mi(names["x"], names["y"]) == pytest.approx(0.168, abs=1e-3)


def test_training(given, capsys):
    run("training.md", given)
    with Path("run.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert {"dse/1", "dse/2", "dsmi_y/1", "dsmi_y_adjusted/2"} <= set(rows[0])


def test_activations(given, process_group):
    names = run("activations.md", given)
    with Path("evaluated.csv").open(newline="") as file:
        evaluated = list(csv.DictReader(file))
    assert [row["step"] for row in evaluated] == ["1", "2"]
    assert {"accuracy", "dse/1", "dsmi_y/2"} <= set(evaluated[-1])
    assert {"dse/1", "dsmi_y/2"} <= set(names["monitor"].history[0])  # of the reservoir
    assert {"dse/1", "dsmi_y/2"} <= set(names["evaluate"](names["model"]))


LIBRARIES = {"Lightning": ["lightning.pytorch"], "Hugging Face": ["transformers", "accelerate"]}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("section", "layer"), [("Lightning", "network.1"), ("Hugging Face", "bert.encoder.layer.1")]
)
def test_frameworks(given, section, layer):
    for library in LIBRARIES[section]:
        pytest.importorskip(library, reason=f"{library} is not installed: group adapters")
    names = run("frameworks.md", given, section)
    for callback in (names["callback"], names["watching"]):
        history = callback.monitor.history
        assert [row["step"] for row in history] == [1, 2]
        assert {f"dse/{layer}", f"dsmi_y/{layer}"} <= set(history[0])
    history = names["alarmed"].monitor.history
    assert [row["alarm"] for row in history] == [0.0, 0.0]
    found = {"Lightning": "keeping", "Hugging Face": "trainer"}[section]
    best = getattr(names[found], "best_model_score", None) or names[found].state.best_metric
    (key,) = (key for key in history[0] if key.startswith("dse/"))
    assert float(best) == pytest.approx(max(row[key] for row in history), rel=1e-6)


OF_LANGUAGE = {
    "Transformers": "reservoir",
    "Trainer": "callback",
    "vLLM": "found",
    "nnsight": "saved",
    "TransformerLens": "cache",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("section", OF_LANGUAGE)
def test_language_models(given, section):
    """What the first section makes, the others use."""
    of = {"nnsight": "nnsight", "TransformerLens": "transformer_lens", "Trainer": "accelerate"}
    for library in ("transformers", "safetensors", of.get(section, "tokenizers")):
        pytest.importorskip(library, reason=f"{library} is not installed")
    names = run("language_models.md", given, "Transformers")
    assert list(names["entropies"]) == ["embedding", "block 1", "block 2", "block 3"]
    if section == "Transformers":
        names = run("language_models.md", names, "Generation")
        assert names["reservoir"].seen > 20
    else:
        names = run("language_models.md", names, section)
    found = names[OF_LANGUAGE[section]]
    if section == "vLLM":
        assert found.names == ["block 1", "block 2", "block 3"]
        assert found.prompts == 60
    if section == "Trainer":
        assert "dse/transformer.h.2" in found.monitor.history[-1]
    if section in ("nnsight", "TransformerLens"):
        assert tuple(names["reservoir"].layers) == ("block 1", "block 2", "block 3")


def test_losses(given, capsys):
    names = run("losses.md", given)
    assert names["loss"].requires_grad
    assert "<- recommended" in capsys.readouterr().out
    assert names["result"].recommended in (0.01, 0.1, 1.0, 10.0)


def test_report(given):
    run("report.md", given)
    first, second = read_run("runs/a"), read_run("runs/b")
    assert (first.steps, first.values["loss"]) == ([1, 2], [0.5, 0.5])
    assert {"dsmi_x/encoder.0", "dsmi_y/head"} <= first.values.keys()
    assert (second.steps, second.title) == ([0], "lr 0.1")
    page([first, second])
    assert read_run("runs/c").units("encoder.0")[1].shape[:2] == (2, 16)


def test_uncertainty(given):
    names = run("uncertainty.md", given)
    low, high = names["I"].interval()
    assert low < names["I"].value < high
    assert not names["difference"].paired


def test_difference(given):
    rng = np.random.default_rng(1)
    labels = np.arange(300) % 3
    rows = rng.normal(size=(300, 5))
    layer3, layer4 = (rows + 0.05 * rng.normal(size=rows.shape) for _ in range(2))
    known = {"layer3": layer3, "layer4": layer4, "labels": labels}
    names = run("difference.md", {**known, "layer5": rows + 6.0 * np.eye(5)[labels]})
    assert names["several"].ties() == [("layer 3", "layer 4")]
    assert names["since"].changed_at == "step 200"
    assert (
        len(eg.compare(dict.fromkeys(map(str, range(10)), rows), measure="rankme").p_values) == 45
    )


def test_ranking(given):
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    rng = np.random.default_rng(1)
    labels = np.arange(120) % 3
    rows = rng.normal(size=(120, 4))
    gaps = {"vit": 6.0, "resnet": 3.0, "mixer": 2.0, "untrained": 0.0}
    known = {name: rows + gap * np.eye(4)[labels] for name, gap in gaps.items()}
    names = run("ranking.md", {**known, "labels": labels})
    assert names["ranking"].models == tuple(gaps)
    assert names["ranking"].shown_above("vit", "untrained")
    pyplot.close("all")


def test_scikit_learn(given, capsys):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    names = run("scikit_learn.md", given)
    assert names["accuracy"] > 0.9
    assert (names["scores"]["test_information"] > 0.5).all()
    assert names["search"].best_params_["n_components"] >= 2  # three classes
    assert capsys.readouterr().out == "[0 1 2]\n"
    assert names["significant"].get_support()[:3].all()


@pytest.mark.filterwarnings("ignore:The '.*' option is deprecated")  # of pandas, by anndata
def test_anndata(given):
    pytest.importorskip("anndata", reason="anndata is not installed")
    names = run("anndata.md", given)
    assert float(names["S"]) == float(eg.dse(given["Z"]))
    assert names["diversity"]["cells"].tolist() == [167, 167, 166]
    assert names["adata"].obsm["X_diffusion_map"].shape == (500, 5)
    assert 400 < names["I"].n < 500


def test_cluster(given, tmp_path, monkeypatch):
    """The first example: the others need Slurm, and a running Ray."""
    (tmp_path / "scores.py").write_text(
        "import pathlib\ndef of_model(argument, path): pathlib.Path(path).write_text('{}')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    names = {"scores": importlib.import_module("scores")}
    first = blocks((GUIDES / "cluster.md").read_text())[0].replace("4 * 2**30", "2**20")
    exec(compile(first, "cluster.md", "exec"), names)
    assert sorted(names["outcome"].done) == ["resnet50", "vit_b"]


def test_distributed(given, monkeypatch):
    """One rank: tests/distributed has several."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    known = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": 0, "WORLD_SIZE": 1}
    for name, value in known.items():
        monkeypatch.setenv(name, str(value))
    Z = given["Z"]
    try:
        names = run("distributed.md", {"Z_of_this_rank": Z, "V_of_this_rank": np.ones((len(Z), 1))})
    finally:
        torch.distributed.destroy_process_group()
    exact = given["eg"].kernel_entropy(Z, order=2)
    assert float(names["S"]) == pytest.approx(float(exact), rel=1e-6)


def test_dse_dsmi(given):
    names = run("dse_dsmi.md", given)
    theirs = names["diffusion_spectral_entropy"](given["Z"])
    assert float(names["S"]) == pytest.approx(theirs, abs=1e-9)


def test_every_guide_with_examples_is_run():
    tested = {name.removeprefix("test_") + ".md" for name in globals() if name.startswith("test_")}
    needs_a_gpu = {"cuda.md"}
    with_examples = {guide.name for guide in GUIDES.glob("*.md") if blocks(guide.read_text())}
    assert with_examples - needs_a_gpu <= tested


@pytest.mark.parametrize("module", [functional, modules, monitor, probe, alarm])
def test_docstrings(module):
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

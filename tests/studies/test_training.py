"""The studies of training: networks, losses, the loop, what is measured, and each through the
command at a tiny size."""

from __future__ import annotations

import csv
import json
import math
import sys
from dataclasses import replace
from functools import partial
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the studies of training need PyTorch")
pytest.importorskip("sklearn", reason="the digits come with scikit-learn")

from typer.testing import CliRunner

import eigentropy as eg
from eigentropy import studies
from eigentropy.cli import commands
from eigentropy.studies import courses, regularization
from eigentropy.studies.courses import Course, Sizes
from eigentropy.studies.study import StudyPlan, select
from eigentropy.studies.vision import architectures, learning, pictures, watching
from messages import names, naming
from torch_defaults import defaults, with_other_defaults

NAMES = ("training", "memorization", "forgetting", "initialization", "regularization")


@pytest.fixture(autouse=True)
def _one_thread():
    """As the studies of digits train: several threads wait for each other by spinning."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def digits():
    return pictures.load("digits")


# Some digits and two epochs: a second or two a study.
FEW = Sizes(digits=60, points_of_digits=30, points=60, side=16)
SHORT = StudyPlan(repetitions=1, epochs=2)


def small(name, sizes=FEW, **changes):
    """The study of that name on few pictures."""
    study = studies.STUDIES[name]
    return replace(study, measure=partial(study.measure, sizes=sizes), **changes)


# Networks


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        *((name, (1, 8, 8)) for name in ("convnet", "convnet-bn", "vit")),
        *((name, (1, 28, 28)) for name in ("convnet", "convnet-bn", *courses.MEDIUM)),
        *((name, (3, 32, 32)) for name in courses.MEDIUM),
    ],
)
def test_networks_have_blocks_a_representation_and_a_head(name, shape):
    before = torch.get_rng_state()
    X = torch.rand(7, *shape, generator=torch.Generator().manual_seed(0))
    given = pictures.Pictures(X, np.array([0, 1, 2, 9, 4, 5, 6]))
    network = architectures.make(name, given, seed=3)
    again = architectures.make(name, given, seed=3)
    other = architectures.make(name, given, seed=4)
    assert torch.equal(torch.get_rng_state(), before)
    assert network.features(X).shape == (7, network.width)
    assert network(X).shape == (7, 10)
    assert torch.equal(network(X), again(X))
    assert not torch.equal(network(X), other(X))
    modules = [module for module, _ in network.named_modules()]
    blocks = [f"body.{block}" for block in courses.BLOCKS[name]]
    assert [m for m in modules if m in (*blocks, "Z")] == [*blocks, "Z"]


def test_bytes_are_numbers_from_0_to_1():
    X = torch.tensor([[[[0, 255], [51, 102]]]], dtype=torch.uint8)
    assert architectures.as_numbers(X).flatten().tolist() == pytest.approx([0, 1, 0.2, 0.4])
    assert architectures.as_numbers(X.double()) is not X
    floats = torch.rand(2, 1, 2, 2)
    assert architectures.as_numbers(floats) is floats


def test_blocks_with_channels_last_are_pooled_over_positions():
    activation = torch.arange(24.0).reshape(1, 2, 3, 4)
    pooled = architectures.pooling("swin_tiny_patch4_window7_224")(activation)
    assert pooled.tolist() == [[10.0, 11.0, 12.0, 13.0]]
    assert architectures.pooling("vit") == "mean"


# Losses


def test_the_contrastive_loss_is_its_formula(digits):
    network = architectures.make("convnet", digits[0], seed=0)
    objective = learning.Contrastive(network.width, 0, flips=False)
    X = digits[0].X[:5]
    loss = objective(network, X, None, torch.Generator().manual_seed(7))
    generator = torch.Generator().manual_seed(7)
    views = [learning.augmented(X, generator, flips=False) for _ in range(2)]
    rows = objective.projector(network.features(torch.cat(views))).double()
    rows = (rows / rows.norm(dim=1, keepdim=True)).detach().numpy()
    expected = []
    for i in range(10):
        terms = [math.exp(rows[i] @ rows[j] / learning.TEMPERATURE) for j in range(10)]
        expected.append(-math.log(terms[(i + 5) % 10] / (sum(terms) - terms[i])))
    assert loss.item() == pytest.approx(np.mean(expected), rel=1e-5)


@with_other_defaults
@pytest.mark.parametrize("flips", [False, True])
@pytest.mark.parametrize("name", ["convnet-bn", "vit"])
def test_the_defaults_of_pytorch_do_not_matter(name, flips, dtype_and_device, digits):
    """Of the networks, the views, the losses and the loop."""
    seen, heldout = (part.at_most(60, 0) for part in digits)
    course = Course(1, batch_size=30, learning_rate=1e-3)

    def trained():
        network = architectures.make(name, seen, seed=3)
        losses = []
        for objective in (
            learning.CrossEntropy(),
            learning.Contrastive(network.width, 0, flips=flips),
        ):
            losses += [loss for _, loss in learning.train(network, seen, course, objective, 1)]
        return [*learning.outputs(network, heldout.X), np.array(losses)]

    expected = trained()
    with defaults(dtype_and_device):
        found = trained()
    # With a default device, PyTorch's transformer layer takes another path, which rounds elsewhere.
    atol = 1e-5 if name == "vit" else 0.0
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=atol)


def test_views_are_drawn_by_the_generator(digits):
    X = digits[0].X[:6]
    first, again, other = (
        learning.augmented(X, torch.Generator().manual_seed(s), flips=True) for s in (0, 0, 1)
    )
    assert first.shape == X.shape
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_term_joins_the_cross_entropy(digits):
    from eigentropy.torch import EntropyLoss, InformationLoss

    network = architectures.make("convnet", digits[0], seed=0)
    X, y = digits[0].X[:100], torch.from_numpy(digits[0].y[:100])
    plain = learning.CrossEntropy()(network, X, y, None).item()
    assert plain == pytest.approx(torch.nn.functional.cross_entropy(network(X), y).item())
    rows = torch.nn.functional.normalize(network.features(X)).detach()
    spread = learning.CrossEntropy(EntropyLoss(0.5, "raise"))
    assert spread(network, X, y, None).item() == pytest.approx(
        plain - 0.5 * float(eg.dse(rows.numpy())), rel=1e-4
    )
    informed = learning.CrossEntropy(InformationLoss(0.5, "raise"), takes_labels=True)
    information = eg.dsmi(rows.numpy(), y.numpy(), estimator="plain", kind="labels")
    assert informed(network, X, y, None).item() == pytest.approx(
        plain - 0.5 * float(information), rel=1e-4
    )
    assert spread(network, X[:1], y[:1], None).item() == pytest.approx(
        torch.nn.functional.cross_entropy(network(X[:1]), y[:1]).item()
    )


def test_terms_have_names_and_weights():
    made = regularization.objective_of("lower DSE", 0.25)
    assert (made.term.goal, made.term.weight, made.takes_labels) == ("lower", 0.25, False)
    made = regularization.objective_of("raise DSMI", 0.5)
    assert (made.term.goal, type(made.term).__name__) == ("raise", "InformationLoss")
    assert regularization.objective_of(regularization.NONE, 0.0).term is None


@pytest.mark.parametrize("changed", [learning.shifted, learning.mirrored])
def test_pictures_are_moved_and_mirrored_by_the_generator(changed):
    X = 1 + torch.rand(40, 3, 6, 5, generator=torch.Generator().manual_seed(0))
    first, again, other = (changed(X, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert first.shape == X.shape
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_mirrored_picture_is_itself_or_left_for_right():
    X = torch.rand(60, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    found = learning.mirrored(X, torch.Generator().manual_seed(1))
    same = [torch.equal(a, b) for a, b in zip(found, X, strict=True)]
    turned = [torch.equal(a, b.flip(-1)) for a, b in zip(found, X, strict=True)]
    assert all(a != b for a, b in zip(same, turned, strict=True))
    assert 15 < sum(turned) < 45


def test_a_moved_picture_is_a_window_of_the_padded_one():
    X = torch.rand(50, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    found = learning.shifted(X, torch.Generator().manual_seed(1))
    side, most = 6, 2 * learning.SHIFT + 1
    padded = torch.nn.functional.pad(X, (learning.SHIFT,) * 4)
    places = set()
    for whole, picture in zip(padded, found, strict=True):
        here = [
            (down, right)
            for down in range(most)
            for right in range(most)
            if torch.equal(whole[:, down : down + side, right : right + side], picture)
        ]
        assert len(here) == 1
        places.update(here)
    assert len(places) > most**2 // 2


def test_what_is_moved_is_what_is_learned_from(digits):
    network = architectures.make("convnet", digits[0], seed=0)
    X, y = digits[0].X[:30], torch.from_numpy(digits[0].y[:30])
    moved = learning.CrossEntropy(moved=lambda X, generator: X.flip(-1))
    plain = learning.CrossEntropy()
    assert moved(network, X, y, None).item() == plain(network, X.flip(-1), y, None).item()
    assert learning.supervised("digits").moved is None
    assert learning.supervised("mnist-5000").moved is learning.shifted


# The loop


def trained(digits, seed=0, epochs=3, rows=200, **options):
    training = digits[0].at_most(rows, 0)
    network = architectures.make("convnet", training, seed)
    plan = Course(epochs, options.pop("learning_rate", 1e-2), 32)
    steps = list(learning.train(network, training, plan, learning.CrossEntropy(), seed))
    return network, steps


def test_training_lowers_the_loss_and_is_decided_by_the_seed(digits):
    before = torch.get_rng_state()
    network, steps = trained(digits, epochs=8)
    again, same = trained(digits, epochs=8)
    assert torch.equal(torch.get_rng_state(), before)
    assert [epoch for epoch, _ in steps] == list(range(9))
    assert math.isnan(steps[0][1])
    assert steps[1:] == same[1:]
    assert steps[-1][1] < 0.5 * steps[1][1]
    weights = zip(network.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)
    assert trained(digits, seed=1)[1][1:] != trained(digits)[1][1:]
    assert learning.accuracy(network, digits[0], digits[1]) > 0.5


def test_a_loss_that_is_not_finite_names_the_epoch(digits):
    with pytest.raises(FloatingPointError, match=naming("epoch", 1)):
        trained(digits, learning_rate=1e30)


def test_the_learning_rate_rises_and_falls():
    plan = Course(200, 1.0, 128)
    assert plan.warm_up == 10
    factors = [learning.rate_factor(epoch, plan) for epoch in (1, 5, 10, 105, 200)]
    assert factors == pytest.approx([0.1, 0.5, 1.0, 0.5, 0.0])
    assert learning.rate_factor(1, Course(1, 1.0, 8)) == 1.0


def test_a_linear_probe_finds_classes_on_a_line_and_no_others():
    network = SimpleNamespace(
        features=lambda X: X.flatten(1), head=torch.nn.Linear(2, 3), eval=lambda: None,
        parameters=lambda: iter([torch.zeros(1)]),
    )  # fmt: skip
    network.head.out_features = 3
    y = np.arange(90) % 3
    centres = torch.tensor([[0.0, 5.0], [5.0, 0.0], [-5.0, -5.0]])
    X = centres[y] + 0.1 * torch.randn(90, 2, generator=torch.Generator().manual_seed(0))
    of = pictures.Pictures(X, y)
    assert learning.linear_probe(network, of, of) == 1.0
    mixed = of.relabelled(np.random.default_rng(0).permutation(y))
    assert learning.linear_probe(network, mixed, mixed) < 0.6


def test_few_labels_are_balanced_and_drawn_by_the_seed():
    y = np.repeat(np.arange(5), [100, 50, 30, 20, 10])
    chosen = regularization.balanced(y, 40, seed=1)
    assert sorted(chosen) == list(chosen)
    assert np.bincount(y[chosen]).tolist() == [8] * 5
    assert np.array_equal(chosen, regularization.balanced(y, 40, seed=1))
    assert not np.array_equal(chosen, regularization.balanced(y, 40, seed=2))
    assert len(regularization.balanced(y, 1000, seed=0)) == 210


# What is measured


def test_numbers_are_those_of_the_functions(digits):
    heldout = digits[1].at_most(50, 0)
    network = architectures.make("convnet", heldout, seed=0)
    watch = watching.Watch(network, heldout, 50, blocks=True, clusters=True)
    numbers = watch(4, {"loss": math.nan, "accuracy": 0.5})
    with torch.no_grad():
        rows = network.eval().features(heldout.X).numpy()
        block = network.body.block1(heldout.X).mean(dim=(2, 3)).numpy()
    assert numbers["Z", "DSE auto"] == pytest.approx(float(eg.dse(rows)))
    assert numbers["block 1", "DSE auto"] == pytest.approx(float(eg.dse(block)))
    information = eg.dsmi(rows, heldout.y, n_null=5, kind="labels")
    assert numbers["Z", "DSMI(Z;Y) auto"] == pytest.approx(float(information))
    assert numbers["Z", "adjusted(Z;Y) auto"] == pytest.approx(information.adjusted())
    assert {place for place, _ in numbers} == {"block 1", "block 2", "block 3", "Z"}
    assert ("Z", "DSMI(Z;X) auto") in numbers
    assert watch.monitor.history[0]["step"] == 4
    assert watch.monitor.history[0]["accuracy"] == 0.5
    assert "loss" not in watch.monitor.history[0]
    fixed = watching.Watch(network, heldout, 50, sigma=10.0, place="there")(0)
    assert fixed["there", "DSE sigma=10"] == pytest.approx(float(_quiet_dse(rows, 10.0)))


def _quiet_dse(rows, sigma):
    with pytest.warns(eg.SaturationWarning):
        return eg.dse(rows, sigma=sigma)


def test_epochs_are_dense_at_first():
    assert courses.observed(120, StudyPlan()) == [0, 1, 2, 3, 6, 11, 20, 36, 66, 120]
    assert courses.observed(1, StudyPlan()) == [0, 1]
    full = courses.observed(200, StudyPlan(full=True))
    assert set(range(0, 201, 5)) < set(full)


# The studies, through the command


def invoke(*args):
    return CliRunner().invoke(commands.app, ["study", *map(str, args)])


def lines_of(path):
    with path.open(newline="") as file:
        return [{k: v for k, v in line.items() if k != "seconds"} for line in csv.DictReader(file)]


@pytest.mark.parametrize("name", NAMES)
def test_a_study_runs_judges_draws_and_reports(name, tmp_path, monkeypatch):
    make = studies.STUDIES[name].jobs
    count = 3 if name == "training" else 2  # of three kinds, or of any
    jobs = small(name, jobs=lambda plan: make(replace(plan, epochs=2))[:count])
    monkeypatch.setitem(studies.STUDIES, name, jobs)
    args = (name, "-o", tmp_path, "--repetitions", "1", "--processes", "1", "--json")
    result = invoke(*args, "--data", "digits")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    cells = [cell for job in jobs.jobs(StudyPlan(repetitions=1)) for cell in job.cells]
    assert document["rows"] == document["measured"] == len(cells)
    assert document["findings"]
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / f"{name}.html").read_text()
    runs = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert len(runs) == len(jobs.jobs(StudyPlan(repetitions=1)))
    assert all(run in page for run in runs)
    assert json.loads(invoke(*args).stdout)["measured"] == 0  # nothing is trained again


def test_the_same_seed_gives_the_same_rows_and_a_killed_run_goes_on(tmp_path):
    forgetting = small("forgetting")
    plan = replace(SHORT, repetitions=2)
    whole = studies.run(forgetting, plan, tmp_path / "whole.csv", processes=1)
    seen = []

    def killed(row):
        seen.append(row)
        if len(seen) == 15:  # in the middle of the first network
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        studies.run(forgetting, plan, tmp_path / "part.csv", processes=1, on_row=killed)
    jobs = forgetting.jobs(plan)
    trained = []
    counting = replace(
        forgetting,
        measure=lambda job, runs: trained.append(job) or forgetting.measure(job, runs),
    )
    again = studies.run(counting, plan, tmp_path / "part.csv", processes=1)
    assert len(trained) == len(jobs)
    assert len(trained[0].cells) == len(jobs[0].cells) - 15
    assert again.measured == len(whole.rows) - 15
    assert [(r.cell, r.value) for r in again.rows if not math.isnan(r.value)] == [
        (r.cell, r.value) for r in whole.rows if not math.isnan(r.value)
    ]
    last = [job for job in jobs if job.cells[0].seed == 1][-1]
    table = tmp_path / "part.csv"
    kept = [line for line in table.read_text().splitlines(True) if "vit" not in line]
    table.write_text("".join(kept))
    trained.clear()
    studies.run(counting, plan, table, processes=1)
    assert {job.settings["network"] for job in trained} == {"vit"}
    assert last in trained


def test_permuted_labels_have_no_information_on_held_out_digits():
    """And the true ones have, in a network that has not learned anything yet."""
    job = studies.STUDIES["training"].jobs(StudyPlan(repetitions=1))[2]
    first = replace(job, cells=tuple(c for c in job.cells if c.settings["epoch"] == 0))
    rows = list(studies.STUDIES["training"].measure(first))
    permuted, true = (
        select(rows, place=place, estimator="adjusted(Z;Y) auto")[0].value
        for place in ("Z", "Z, true labels")
    )
    assert abs(permuted) < 0.05 < 0.2 < true


@pytest.mark.filterwarnings("ignore:layer")
def test_a_network_that_diverges_is_left_out_with_a_warning():
    study = small(
        "memorization", replace(FEW, course=lambda data, epochs, network: Course(epochs, 1e30, 8))
    )
    job = study.jobs(SHORT)[0]
    with pytest.warns(UserWarning, match=naming("convnet", "epoch")):
        rows = list(study.measure(job))
    assert {row["epoch"] for row in rows} <= {0, 1}


@pytest.fixture
def few_pictures(monkeypatch, tmp_path):
    """Caches with 80 pictures of noise, whose mean says the class."""
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("EIGENTROPY_DATA", str(folder))
    rng = np.random.default_rng(0)
    y = np.arange(80) % 10
    for data, shape in (("mnist-5000", (1, 28, 28)), ("cifar10", (3, 32, 32))):
        X = rng.integers(0, 80, size=(80, *shape)) + 15 * y[:, None, None, None]
        np.savez(folder / f"{data}.npz", X=X.astype(np.uint8), y=y)


@pytest.mark.filterwarnings("ignore:layer")
@pytest.mark.parametrize("data", ["mnist-5000", "cifar10"])
@pytest.mark.parametrize("name", NAMES)
def test_pictures_of_28_and_32_pixels_are_learned_block_by_block(
    name, data, few_pictures, tmp_path
):
    epochs = 2 if name == "forgetting" else 1  # one for each task
    study = small(name, replace(FEW, points_of_medium=30))
    jobs = study.jobs(StudyPlan(repetitions=1, data=data, epochs=epochs))
    # Of `training` every network, and one of them by all that it learns.
    for job in [*jobs[:4], jobs[-1]] if name == "training" else [jobs[0], jobs[-1]]:
        rows = list(study.measure(job, tmp_path / "runs"))
        assert {row.cell for row in rows} == set(job.cells)
        assert all(math.isfinite(row.value) for row in rows if row.cell.estimator == "DSE auto")


@pytest.mark.filterwarnings("ignore:layer")
def test_the_same_seed_trains_pictures_alike(few_pictures):
    """With products of bfloat16, moves and views, too."""
    study = small("training", replace(FEW, points_of_medium=30))
    jobs = study.jobs(StudyPlan(repetitions=1, data="mnist-5000", epochs=1))
    for job in jobs[:3]:
        first, again = ([r.value for r in study.measure(job)] for _ in range(2))
        np.testing.assert_array_equal(first, again)


# Pictures


def fake_packages(monkeypatch):
    """Stand-ins for torchvision and timm: 60 pictures a set, and a small network for any name."""
    rng = np.random.default_rng(0)

    def data_set(shape, attribute):
        def load(root, download, train=None, split=None):
            assert download
            data = rng.integers(0, 256, size=(60, *shape), dtype=np.uint8)
            return SimpleNamespace(data=data, **{attribute: np.arange(60) % 10})

        return load

    datasets = ModuleType("torchvision.datasets")
    datasets.MNIST = data_set((28, 28), "targets")
    datasets.CIFAR10 = data_set((32, 32, 3), "targets")
    datasets.STL10 = data_set((3, 96, 96), "labels")
    torchvision, timm = ModuleType("torchvision"), ModuleType("timm")
    torchvision.datasets = datasets
    made = []

    def create_model(name, *, pretrained, num_classes, in_chans):
        assert not pretrained
        made.append((name, num_classes, in_chans))
        return _StandIn(name, in_chans)

    timm.create_model = create_model
    for module in (torchvision, datasets, timm):
        module.__spec__ = ModuleSpec(module.__name__, None)  # which says that it is installed
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return made


class _StandIn(torch.nn.Module):
    """A body with the blocks of the network of that name."""

    num_features = 12

    def __init__(self, name, channels):
        super().__init__()
        self.first = torch.nn.Conv2d(channels, 12, 3, stride=4)
        groups = {}
        for block in courses.BLOCKS[name]:
            group, _, number = block.partition(".")
            layer = torch.nn.Sequential(torch.nn.Conv2d(12, 12, 1), torch.nn.ReLU())
            if number:
                groups.setdefault(group, []).append(layer)
            else:
                self.add_module(group, layer)
        for group, layers in groups.items():
            self.add_module(group, torch.nn.ModuleList(layers))
        self.blocks_in_order = courses.BLOCKS[name]

    def forward(self, X):
        X = self.first(X)
        for block in self.blocks_in_order:
            X = self.get_submodule(block)(X)
        return X.mean(dim=(2, 3))


@pytest.mark.parametrize(
    ("data", "shape"), [("mnist", (1, 28, 28)), ("cifar10", (3, 32, 32)), ("stl10", (3, 96, 96))]
)
def test_pictures_come_as_bytes_channels_first(data, shape, monkeypatch, tmp_path):
    fake_packages(monkeypatch)
    monkeypatch.setenv("EIGENTROPY_DATA", str(tmp_path / "cache"))
    for part in pictures.load(data):
        assert part.X.shape == (60, *shape)
        assert part.X.dtype == torch.uint8
        assert part.classes == 10
        assert part.y.dtype == np.int64


def test_pictures_go_to_the_user_s_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("EIGENTROPY_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert pictures.cache() == tmp_path / "eigentropy"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert pictures.cache() == tmp_path / ".cache" / "eigentropy"


@pytest.mark.parametrize("name", NAMES)
def test_the_paper_s_networks_learn_the_paper_s_pictures(name, monkeypatch, tmp_path):
    """With stand-ins for the data and the networks: what is called, and that it runs."""
    made = fake_packages(monkeypatch)
    monkeypatch.setenv("EIGENTROPY_DATA", str(tmp_path / "cache"))
    epochs = 2 if name == "forgetting" else 1  # one for each task
    plan = StudyPlan(full=True, repetitions=1, data="cifar10", epochs=epochs)
    study = small(name)
    jobs = study.jobs(plan)
    assert {job.settings["network"] for job in jobs} <= set(courses.PAPER)
    for job in {job.settings["network"]: job for job in jobs}.values():
        rows = list(study.measure(job, tmp_path / "runs"))
        assert {row.cell for row in rows} == set(job.cells)
    assert {name for name, _, _ in made} == {job.settings["network"] for job in jobs}
    assert {(classes, channels) for _, classes, channels in made} == {(0, 3)}


def test_two_tasks_need_two_epochs():
    with pytest.raises(ValueError, match=naming("epochs", 2, 1)):
        studies.STUDIES["forgetting"].jobs(StudyPlan(epochs=1))


def test_the_paper_s_course():
    assert courses.course("cifar10", 200, "resnet50") == Course(200, 1e-4, 128)
    assert courses.course("mnist", 200, "resnet50").learning_rate == 1e-5
    assert courses.course("mnist", 200, "resnet") == courses.course("digits", 200, "vit")
    assert courses.epochs(StudyPlan(full=True), "stl10", 1, 2) == 200
    assert courses.epochs(StudyPlan(full=True), "digits", 1, 2) == 2
    assert courses.epochs(StudyPlan(epochs=7), "digits", 1, 2) == 7
    assert courses.epochs(StudyPlan(epochs=7, full=True), "cifar10", 1, 2) == 7
    assert courses.epochs(StudyPlan(full=True), "mnist-5000", 1, 2) == courses.EPOCHS["mnist-5000"]


def error(*args):
    result = invoke(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    return line


@pytest.mark.parametrize("name", NAMES)
def test_data_sets_that_are_not_known_are_refused(name, tmp_path):
    line = error(name, "--data", "imagenet", "-o", tmp_path)
    assert names(line, "--data", *courses.DATA, "'imagenet'")
    with pytest.raises(ValueError, match=naming("data", *courses.DATA, "'imagenet'")):
        studies.STUDIES[name].jobs(StudyPlan(data="imagenet"))


@pytest.mark.parametrize("missing", ["torchvision", "timm"])
def test_missing_packages_are_named_with_their_extra(missing, monkeypatch, tmp_path):
    fake_packages(monkeypatch)
    monkeypatch.setenv("EIGENTROPY_DATA", str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, missing, None)
    line = error("training", "--data", "cifar10", "--full", "-o", tmp_path)
    assert names(line, missing, "eigentropy[vision]")
    assert not list(tmp_path.iterdir())


def test_a_missing_data_set_is_an_error_of_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("EIGENTROPY_DATA", str(tmp_path / "cache"))
    line = error("training", "--data", "mnist-5000", "-o", tmp_path)
    assert names(line, "mnist-5000.npz", "scripts/fetch_study_data.py")
    assert not list(tmp_path.iterdir())


def test_torch_and_scikit_learn_are_named_with_their_extras(monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torch", None)
        assert "eigentropy[torch]" in error("training", "-o", tmp_path)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert "eigentropy[cluster]" in error("regularization", "-o", tmp_path)

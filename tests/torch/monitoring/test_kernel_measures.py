"""A monitor measures the density matrix: the numbers of the library, where they are asked for."""

from __future__ import annotations

import csv
import math
import sys
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import eigentropy as eg
from eigentropy._kernels.density import DensityMatrix
from eigentropy._kernels.diffusion import DiffusionMatrix
from eigentropy.report import page, read_run, remarks
from eigentropy.report.assembly import ASSETS
from eigentropy.report.measures import DEFAULT, DEFAULT_WITH_LABELS, KINDS, MEASURES, NULL_ERRORS
from eigentropy.torch import Evaluation, Monitor, Probe, Reservoir
from eigentropy.torch.monitoring.readings import error_of_bits
from messages import naming

ABOUT_GROUPS = ("kernel", "kernel_y")
KERNEL = (*ABOUT_GROUPS, "kernel_x", "kernel_previous")


@pytest.fixture
def net():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))


def samples(n=60):
    generator = torch.Generator().manual_seed(1)
    y = torch.arange(n) % 3
    return torch.randn(n, 4, generator=generator) + 2 * torch.eye(4)[y], y


def rows_of(net, x):
    """What layers 1 and 2 return, by hand."""
    with torch.no_grad():
        hidden = net[:2](x)
        return {"1": hidden.numpy(), "2": net[2](hidden).numpy()}


def without(modules, monkeypatch):
    for name in modules:
        monkeypatch.setitem(sys.modules, name, None)


# ---- Values -------------------------------------------------------------------------------------


def test_the_values_are_those_of_the_library(net, monkeypatch):
    without(["sklearn", "sklearn.cluster"], monkeypatch)  # the joint kernel needs no clusters
    x, y = samples()
    values = Monitor(net, ["1", "2"], probe=(x, y), measures=KERNEL, base=math.e).measure()
    rows = rows_of(net, x)
    expected = {}
    for name, Z in rows.items():
        entropy = eg.kernel_entropy(Z, base=math.e)
        labels = eg.kernel_information(Z, y.numpy(), n_null=2, base=math.e)
        expected[f"kernel/{name}"] = float(entropy)
        expected[f"kernel_y/{name}"] = labels.bits()  # in bits, whatever the base
        expected[f"kernel_y_adjusted/{name}"] = labels.adjusted()
        expected[f"kernel_y_null_se/{name}"] = error_of_bits(labels, 0.0)
        of_x = eg.kernel_information(Z, x.numpy(), kind="vectors", n_null=2, base=math.e)
        expected[f"kernel_x/{name}"] = float(of_x)
        expected[f"kernel_x_null_se/{name}"] = of_x.standard_error
    before = eg.kernel_information(rows["2"], rows["1"], kind="vectors", n_null=2, base=math.e)
    expected["kernel_previous/2"] = float(before)
    expected["kernel_previous_null_se/2"] = before.standard_error
    assert values == pytest.approx(expected, rel=1e-6)


def test_both_families_stand_side_by_side(net):
    x, y = samples()
    both = Monitor(net, "1", probe=(x, y), measures=("dse", "dsmi_y", *ABOUT_GROUPS)).measure()
    default = Monitor(net, "1", probe=(x, y)).measure()
    kernel = Monitor(net, "1", probe=(x, y), measures=ABOUT_GROUPS).measure()
    assert both == {**default, **kernel}
    assert not default.keys() & kernel.keys()


def test_the_labels_are_in_bits_where_the_classes_are_apart():
    y = torch.arange(60) % 4
    x = 100 * torch.eye(4)[y]
    net = torch.nn.Sequential(torch.nn.Identity())
    values = Monitor(net, "0", probe=(x, y), measures="kernel_y", sigma=1.0).measure()
    assert values["kernel_y/0"] == pytest.approx(2.0, abs=1e-9)
    assert values["kernel_y_null_se/0"] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("columns", [1, 2])
def test_numbers_to_be_predicted_have_a_joint_kernel_and_no_scale(net, columns, monkeypatch):
    without(["sklearn", "sklearn.cluster"], monkeypatch)
    x, _ = samples()
    y = x[:, :columns].sin() if columns > 1 else x[:, 0].sin()
    values = Monitor(net, "1", Probe(x, y), measures=ABOUT_GROUPS, base=math.e).measure()
    alone = eg.kernel_information(rows_of(net, x)["1"], y.numpy(), n_null=2)
    assert values["kernel_y/1"] == pytest.approx(float(alone), rel=1e-6)  # in bits, too
    assert values["kernel_y_null_se/1"] == pytest.approx(alone.standard_error, rel=1e-6)
    assert "kernel_y_adjusted/1" not in values


@pytest.mark.parametrize("order", [0.5, 2, math.inf])
def test_the_order_is_that_of_the_entropy(net, order):
    x, _ = samples()
    values = Monitor(net, "1", probe=x, measures="kernel", order=order).measure()
    expected = eg.kernel_entropy(rows_of(net, x)["1"], order=order)
    assert values == {"kernel/1": pytest.approx(float(expected), rel=1e-9)}


def test_a_layer_that_is_not_finite_has_the_same_keys_and_no_values(net):
    x, y = samples()
    monitor = Monitor(net, ["1", "2"], probe=(x, y), measures=KERNEL)
    good = monitor.measure()
    with torch.no_grad():
        net[0].weight.fill_(math.nan)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bad = monitor.measure()
    assert len(caught) == 2  # one a layer
    assert bad.keys() == good.keys()
    assert all(math.isnan(value) for value in bad.values())


def test_after_a_layer_that_is_not_finite_the_next_one_knows_nothing_of_it():
    class Mending(torch.nn.Module):
        def forward(self, x):
            return torch.nan_to_num(x) + torch.arange(len(x))[:, None]

    net = torch.nn.Sequential(torch.nn.Linear(4, 4), Mending())
    with torch.no_grad():
        net[0].weight.fill_(math.inf)
    monitor = Monitor(net, ["0", "1"], probe=samples()[0], measures="kernel_previous")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        values = monitor.measure()
    assert values.keys() == {"kernel_previous/1", "kernel_previous_null_se/1"}
    assert values["kernel_previous/1"] == pytest.approx(0.0, abs=1e-9)
    assert [one.category for one in caught] == [UserWarning] * 2  # NaN, and a single group


def test_of_a_single_class_there_is_nothing_to_know(net):
    x, _ = samples()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = Monitor(net, "1", Probe(x, torch.zeros(60)), measures="kernel_y").measure()
        labels = torch.zeros(60, dtype=torch.int64)
        of_classes = Monitor(net, "1", Probe(x, labels), measures="kernel_y").measure()
    assert values["kernel_y/1"] == pytest.approx(0.0, abs=1e-9)
    assert math.isnan(of_classes["kernel_y/1"])
    assert math.isnan(of_classes["kernel_y_null_se/1"])


# ---- What is computed ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measures", "matrix"), [(ABOUT_GROUPS, DiffusionMatrix), (("dse", "dsmi_y"), DensityMatrix)]
)
def test_a_family_that_is_not_asked_for_costs_nothing(net, monkeypatch, measures, matrix):
    monkeypatch.setattr(matrix, "__init__", lambda *args, **kwargs: pytest.fail("it was made"))
    assert Monitor(net, "1", probe=samples(), measures=measures).measure()


def test_of_each_layer_the_density_matrix_is_solved_once(net, monkeypatch):
    solved = []
    spectrum = DensityMatrix._computed_spectrum
    monkeypatch.setattr(
        DensityMatrix,
        "_computed_spectrum",
        lambda self, progress: solved.append(self.n) or spectrum(self, progress),
    )
    Monitor(net, ["1", "2"], probe=samples(), measures=ABOUT_GROUPS).measure()
    assert solved == [60, 60]


def test_what_is_measured_by_default_is_said_in_one_place(net):
    x, y = samples()
    for source in (Probe(x, y), Evaluation(9), Reservoir(9)):
        assert Monitor(net, "1", source).measures is DEFAULT_WITH_LABELS
    assert Monitor(net, "1", x).measures is DEFAULT
    assert set(DEFAULT_WITH_LABELS) <= set(MEASURES)


# ---- Error --------------------------------------------------------------------------------------


def test_the_error_of_bits_is_their_spread_over_random_partitions(net):
    x, y = samples(45)
    Z = rows_of(net, x)["1"]
    found = [eg.kernel_information(Z, y.numpy(), n_null=4, seed=seed) for seed in range(150)]
    spread = np.std([result.bits() for result in found], ddof=1)
    squares = [error_of_bits(result, 0.0) ** 2 for result in found]
    assert math.sqrt(np.mean(squares)) == pytest.approx(spread, rel=0.2)
    values = np.std([float(result) for result in found], ddof=1)
    assert abs(values / spread - 1.0) > 0.2  # it is not the error of the value


def test_where_all_rows_are_equal_the_information_is_certain():
    with pytest.warns(eg.SaturationWarning):
        result = eg.kernel_information(np.zeros((9, 2)), np.arange(9) % 3, n_null=2)
    assert (result.bits(), error_of_bits(result, 0.0)) == (0.0, 0.0)


# ---- Sources ------------------------------------------------------------------------------------


def test_an_evaluation_has_the_labels_of_its_batches(net):
    x, y = samples()
    monitor = Monitor(net.eval(), "1", Evaluation(60), measures=ABOUT_GROUPS)
    net(x)
    monitor.collect(y)
    expected = Monitor(net, "1", probe=(x, y), measures=ABOUT_GROUPS).measure()
    assert monitor.step() == pytest.approx(expected, rel=1e-9)


def test_a_reservoir_has_the_labels_of_its_steps(net):
    x, y = samples()
    monitor = Monitor(net, "1", Reservoir(60), measures=ABOUT_GROUPS)
    net(x)
    expected = Monitor(net, "1", probe=(x, y), measures=ABOUT_GROUPS).measure()
    assert monitor.step(labels=y) == pytest.approx(expected, rel=1e-9)


def test_labels_in_memory_that_the_loop_reuses_are_those_of_their_batch(net):
    x, _ = samples()
    found = []
    for reused in (None, torch.empty(20, 2)):
        with Monitor(net, "1", Reservoir(60), every=3, measures="kernel_y") as monitor:
            for part in x.split(20):
                net(part)
                labels = part[:, :2].clone() if reused is None else reused.copy_(part[:, :2])
                values = monitor.step(labels)
        found.append(values)
    assert found[1] == found[0]


def test_missing_labels_are_said(net):
    x, _ = samples()
    with pytest.raises(ValueError, match=naming("labels", "kernel_y", "Probe(x, y)")):
        Monitor(net, "1", probe=x, measures=ABOUT_GROUPS)
    evaluated = Monitor(net.eval(), "1", Evaluation(9), measures="kernel_y")
    net(x)
    with pytest.raises(ValueError, match=naming("labels", "kernel_y", "collect(labels)")):
        evaluated.collect()
    net.train()
    trained = Monitor(net, "1", Reservoir(9), measures="kernel_y")
    net(x)
    with pytest.raises(ValueError, match=naming("labels", "kernel_y", "step(labels)")):
        trained.step()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"measures": ["kernel_z"]}, ["measures", "kernel_z", "kernel_y"]),
        ({"measures": ["kernel"], "order": 0}, ["order", "0"]),
        ({"measures": ["kernel"], "order": -1.5}, ["order", "-1.5"]),
        ({"measures": ["kernel_y"], "order": 2}, ["order", "2", "kernel_y", "order=1"]),
        ({"order": 2}, ["order", "2", "kernel"]),
    ],
)
def test_bad_arguments_are_named(net, options, words):
    with pytest.raises(ValueError, match=naming(*words)):
        Monitor(net, "1", probe=samples(), **options)


@pytest.mark.parametrize("source", [Evaluation(9), Reservoir(9)])
def test_activations_alone_have_no_input(net, source):
    with pytest.raises(ValueError, match=naming("kernel_x", "Probe")):
        Monitor(net, "1", source, measures=["kernel_x"])


# ---- Where the values go ------------------------------------------------------------------------


def test_logs_and_history_have_them_under_their_keys(net, tmp_path):
    seen = []
    x, y = samples()
    logs = [tmp_path / "a.csv", lambda values, step: seen.append(values)]
    with Monitor(net, "1", probe=(x, y), measures=ABOUT_GROUPS, log=logs) as monitor:
        values = monitor.step()
    with open(tmp_path / "a.csv", newline="") as file:  # noqa: PTH123
        (row,) = csv.DictReader(file)
    assert {key: float(value) for key, value in row.items() if key != "step"} == values
    assert seen == [values]
    assert read_run(tmp_path / "a.csv").series("kernel_y")["1"] == [values["kernel_y/1"]]


def test_the_axes_of_a_plot_say_the_unit(net):
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    matplotlib.use("agg")
    with Monitor(net, "1", probe=samples(), measures=KERNEL, base=math.e) as monitor:
        monitor.step()
        monitor.step()
    labels = {kind: monitor.plot(kind).get_ylabel() for kind in ("kernel", "kernel_y", "kernel_x")}
    matplotlib.pyplot.close("all")
    assert {kind: "bits" in label for kind, label in labels.items()} == {
        "kernel": False, "kernel_y": True, "kernel_x": False,
    }  # fmt: skip
    assert "nats" in labels["kernel"]
    assert "nats" in labels["kernel_x"]


def test_a_run_of_the_density_matrix_alone_is_recorded_with_spectra_and_maps(net, tmp_path):
    x, y = samples()
    path = tmp_path / "run"
    with Monitor(net, "1", probe=(x, y), measures=(*ABOUT_GROUPS, "kernel_x"), record=path) as m:
        values = m.step()
    run = read_run(path)
    assert run.description["order"] == 1.0
    assert run.series("kernel")["1"] == [values["kernel/1"]]
    assert run.series("dse") == {}
    assert run.scalars() == {}  # none of them is taken for the caller's own
    assert len(run.spectra[1]["1"]["eigenvalues"]) > 10
    assert run.views[0]["groups"] == y.tolist()
    assert remarks(run) == []
    assert "kernel_y" in page([run])


@pytest.mark.parametrize(("measures", "has"), [(("kernel",), True), (("dse",), False)])
def test_a_run_goes_on_only_with_the_same_order(net, tmp_path, measures, has):
    from eigentropy.report import Recorder

    x, _ = samples()
    options = {"measures": measures, **({"order": math.inf} if has else {})}
    with Monitor(net, "1", probe=x, record=tmp_path / "run", **options) as monitor:
        monitor.step()
    assert read_run(tmp_path / "run").description.get("order") == ("inf" if has else None)
    again = Recorder(tmp_path / "run", resume=True)
    resumed = Monitor(net, "1", probe=x, record=again, measures=measures)
    resumed.load_state_dict(monitor.state_dict())
    if has:
        with pytest.raises(ValueError, match=naming("order", "'inf'", "1.0")):
            resumed.step()
    else:
        assert resumed.step()


def test_a_dead_layer_is_remarked_on_without_its_dse(net, tmp_path):
    with torch.no_grad():
        net[0].weight.zero_()
    monitor = Monitor(net, "1", probe=samples()[0], measures="kernel", record=tmp_path / "run")
    with pytest.warns(eg.SaturationWarning):
        monitor.step()
    (text,) = remarks(read_run(tmp_path / "run"))
    assert "1" in text


def test_the_page_draws_all_that_a_monitor_measures():
    script = (ASSETS / "runs.js").read_text(encoding="utf-8")
    table = script.split("const MEASURES = {")[1].split("};")[0]
    drawn = [line.split(":")[0].strip() for line in table.splitlines() if ":" in line]
    assert sorted(drawn) == sorted(KINDS)
    assert not set(drawn) & set(NULL_ERRORS)

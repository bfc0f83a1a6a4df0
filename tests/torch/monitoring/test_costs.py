"""What a step of a monitor computes, and how often: each kernel, each spectrum, each bound once."""

from __future__ import annotations

import warnings
from collections import Counter

import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import eigentropy as eg
from eigentropy import _core
from eigentropy._support import memory
from eigentropy.torch import Monitor, Probe
from eigentropy.torch.monitoring import measuring
from subprocesses import run_script

nn = torch.nn
LAYERS = ("0", "1")


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4)).eval()


def data(n):
    y = torch.arange(n) % 3
    x = torch.randn(n, 6, generator=torch.Generator().manual_seed(1))
    return x + 3.0 * torch.eye(6)[y], y


def rows_of(network, layer, x):
    """In one batch, as the probe passes so few numbers: the last bits depend on it."""
    with torch.no_grad():
        return network[: int(layer) + 1](x).numpy()


@pytest.fixture
def calls(monkeypatch):
    """How often each function of the core that looks at the rows is called."""
    counted = Counter()

    def count(name, function):
        def call(*arguments, **options):
            counted[name] += 1
            return function(*arguments, **options)

        monkeypatch.setattr(_core, name, call)

    for name in (
        "nonfinite_rows", "median_distance", "kept_distances", "squared_distances", "spectrum",
        "subset_spectra", "matrix", "brief_entropies",
    ):  # fmt: skip
        count(name, getattr(_core, name))
    return counted


@pytest.mark.parametrize("n", [90, 1000])
def test_the_numbers_of_a_layer_are_one_call(network, calls, n):
    x, y = data(n)
    with Monitor(network, LAYERS, Probe(x, y)) as monitor:
        calls.clear()
        values = monitor.step()
        assert calls == {"brief_entropies": len(LAYERS)}
        assert "dsmi_y_adjusted/1" in values


# The second number of rows is one of which the spectrum of all is tried in float32.
@pytest.mark.parametrize(("n", "median"), [(90, "median_distance"), (1000, "kept_distances")])
def test_with_results_a_layer_has_one_median_one_spectrum_and_one_batch_of_groups(
    network, calls, monkeypatch, n, median
):
    x, y = data(n)
    monkeypatch.setattr(measuring, "brief_numbers", lambda *_: None)
    with Monitor(network, LAYERS, Probe(x, y)) as monitor:
        calls.clear()
        monitor.step()
        once = ("nonfinite_rows", median, "spectrum", "subset_spectra")
        assert calls == dict.fromkeys(once, len(LAYERS))


@pytest.mark.parametrize("n", [90, 1000])
def test_values_are_those_of_the_public_functions_bit_for_bit(network, n):
    x, y = data(n)
    measures = ["dse", "dsmi_y", "dsmi_x", "kernel", "kernel_y"]
    how = {"clusters": "kmeans", "n_clusters": 3}
    pytest.importorskip("sklearn", reason="dsmi_x finds clusters")
    with Monitor(network, LAYERS, Probe(x, y), measures=measures, **how) as monitor:
        found = monitor.step()
    for layer in LAYERS:
        rows = rows_of(network, layer, x)
        about_y = eg.dsmi(rows, y, n_null=2)
        about_x = eg.dsmi(rows, x, n_null=2, kind="vectors", **how)
        assert found[f"dse/{layer}"] == float(eg.dse(rows))
        assert found[f"dsmi_y/{layer}"] == float(about_y)
        assert found[f"dsmi_y_adjusted/{layer}"] == about_y.adjusted()
        assert found[f"dsmi_y_null_se/{layer}"] == about_y.standard_error
        assert found[f"dsmi_x/{layer}"] == float(about_x)
        assert found[f"kernel/{layer}"] == float(eg.kernel_entropy(rows))
        of_kernel = eg.kernel_information(rows, y, n_null=2, sigma="auto")
        assert found[f"kernel_y/{layer}"] == of_kernel.bits()


@pytest.mark.parametrize("measures", [["dse"], ["dsmi_y"], ["dse", "dsmi_y"]])
@pytest.mark.parametrize("n", [90, 1000])
def test_a_brief_measurement_has_the_values_of_one_with_results(network, monkeypatch, n, measures):
    x, y = data(n)
    with Monitor(network, LAYERS, Probe(x, y), measures=measures) as monitor:
        with monkeypatch.context() as patched:
            patched.setattr(measuring, "measure", None)  # which makes results
            brief = monitor.step()
        monkeypatch.setattr(measuring, "brief_numbers", lambda *_: None)
        assert monitor.step() == brief
        assert [key for key in brief if key.endswith("/1")] == [
            f"{kind}/1"
            for kind in ("dse", "dsmi_y", "dsmi_y_adjusted", "dsmi_y_null_se")
            if kind.removesuffix("_adjusted").removesuffix("_null_se") in measures
        ]


def test_what_does_not_fit_is_refused_by_the_measurement_with_results(network, monkeypatch):
    def refuse(*_):
        raise MemoryError

    x, y = data(90)
    with Monitor(network, LAYERS, Probe(x, y)) as monitor:
        expected = monitor.step()
        monkeypatch.setattr(measuring, "brief_numbers", refuse)
        assert monitor.step() == expected
        monkeypatch.setattr(memory, "_machine", lambda: 1000.0)
        with pytest.raises(MemoryError, match="90"):
            monitor.step()


def test_a_warning_of_a_brief_measurement_names_its_layer_once(network):
    x, y = data(90)
    with Monitor(network, LAYERS, Probe(torch.zeros_like(x), y)) as monitor:
        with pytest.warns(eg.SaturationWarning) as said:
            monitor.step()
        told = [str(one.message) for one in said]
        assert all(f"layer '{name}'" in text for name, text in zip(LAYERS, told, strict=True))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            monitor.step()


class Given(nn.Module):
    """Returns one matrix after the other, whatever it is called with."""

    def __init__(self, *outputs):
        super().__init__()
        self.outputs = list(outputs)
        self.inner = nn.Identity()

    def forward(self, x):
        return self.inner(self.outputs.pop(0))


def test_a_layer_that_is_not_finite_again_is_warned_about_again():
    x, y = data(60)
    bad = torch.full_like(x, torch.nan)
    with Monitor(Given(bad, x, bad, bad), "inner", Probe(x, y)) as monitor:
        with pytest.warns(UserWarning, match="NaN"):
            monitor.step()
        monitor.step()
        with pytest.warns(UserWarning, match="NaN"):
            monitor.step()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            monitor.step()


class Sizes(nn.Module):
    """Notes how many samples it is called with."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.inner = nn.Linear(1, 2)

    def forward(self, *x):
        self.seen.append(len(x[0]))
        return self.inner(x[0].flatten(1)[:, :1].float())


@pytest.mark.parametrize(
    ("x", "sizes"),
    [
        (torch.randn(300, 2**10), [256, 44]),
        (torch.randn(300, 4, 2**8).numpy(), [256, 44]),
        ((torch.randn(300, 2**9), torch.randn(300, 2**9)), [256, 44]),
        (torch.randn(100, 2**14), [64, 36]),  # never fewer
        (torch.randn(1000, 3), [1000]),
        (torch.randint(0, 9, (100, 3)), [64, 36]),  # token ids become long vectors inside
        ((torch.randn(100, 3), torch.ones(100, 3, dtype=torch.bool)), [64, 36]),
    ],
)
def test_few_numbers_are_passed_at_once(x, sizes):
    network = Sizes()
    with Monitor(network, "inner", Probe(x if not isinstance(x, tuple) else [*x])) as monitor:
        monitor.step()
        assert network.seen == sizes
    network.seen.clear()
    with Monitor(network, "inner", Probe(x, batch_size=50)) as monitor:
        monitor.step()
        assert set(network.seen) == {50}


def test_the_bound_of_the_rounding_is_found_once(network, monkeypatch):
    bounds, plain = [], _core.entropy_with_error

    def counted(values, *rest):
        bounds.append(len(values))
        return plain(values, *rest)

    x, y = data(1000)
    with Monitor(network, "1", Probe(x, y), measures=["dse", "dsmi_y", "kernel"]) as monitor:
        monkeypatch.setattr(_core, "entropy_with_error", counted)
        monitor.step()  # the adjusted information asks for the entropy of all rows, too
    assert bounds == [1000, 1000]  # of the diffusion operator and of the density matrix


@pytest.mark.parametrize(
    ("measures", "times"),
    [(["dse", "dsmi_y"], 0), (["dse", "kernel", "kernel_y"], 1)],
    ids=["brief", "with results"],
)
def test_how_often_the_system_is_asked_for_its_memory(network, monkeypatch, measures, times):
    asked = []
    monkeypatch.setattr(memory, "_machine", lambda: asked.append(1) or 2.0**40)
    x, y = data(90)
    with Monitor(network, LAYERS, Probe(x, y), measures=measures) as monitor:
        taken = monitor._procedure.take(1)
        asked.clear()
        begin = lambda layers: {}  # noqa: E731
        monitor._procedure._measured_here(
            taken, monitor._procedure._wanted, begin, lambda found, *rest: found
        )
    assert len(asked) == times * len(LAYERS)


def test_nothing_is_loaded_in_the_first_step():
    """It would count as the cost of a measurement."""
    program = """
import sys
import torch
from eigentropy.torch import Monitor
net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh())
x, y = torch.randn(60, 4), torch.arange(60) % 3
net(x)
monitor = Monitor(net, "1", probe=(x, y))
before = set(sys.modules)
monitor.step()
print(sorted(set(sys.modules) - before))
"""
    assert run_script(program).stdout.strip() == "[]"

"""Processes share the layers of a measurement, and find what one process finds."""

from __future__ import annotations

import json
import warnings
from itertools import pairwise, product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import processes
from eigentropy.torch import CollapseAlarm, Evaluation, Monitor, Probe
from eigentropy.torch.monitoring import measuring
from eigentropy.torch.monitoring.sharing import shares
from messages import names

nn = torch.nn
N = 61
LAYERS = ["0", "1", "2", "3", "4"]
EVERYTHING = [
    "dse", "dsmi_y", "dsmi_x", "dsmi_previous", "kernel", "kernel_y", "kernel_x", "kernel_previous",
]  # fmt: skip


class NotANumber(nn.Module):
    def forward(self, x):
        return x * float("nan")


class Constant(nn.Module):
    def forward(self, x):
        return torch.zeros_like(x)


def net(*further):
    """Its numbers are whole, and so exact, whatever the batches."""
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(*(nn.Linear(6, 6) for _ in range(5)), *further)
    with torch.no_grad():
        for layer in model[:5]:
            for parameter in layer.parameters():
                parameter.copy_(torch.randint(-2, 3, parameter.shape, generator=generator))
    return model


def data():
    y = torch.arange(N) % 3
    x = torch.randint(-3, 4, (N, 6), generator=torch.Generator().manual_seed(1))
    return x.float() + 4 * torch.eye(6)[y], y


def probe():
    return Probe(*data(), batch_size=7)


def everything(rank, folder=None):
    options = {"measures": EVERYTHING, "record": folder and Path(folder, "run")}
    return warned(rank, net(), LAYERS, **options)


def with_sampling_errors(rank, folder=None):
    """Values, profiles of each measurement in the record, and one more profile."""
    with (
        warnings.catch_warnings(),
        Monitor(
            net(), LAYERS, probe(), measures=["dsmi_y", "dsmi_previous", "dse"], gather=True,
            sampling=True, record=folder and Path(folder, "sampling"),
        ) as monitor,
    ):  # fmt: skip
        warnings.simplefilter("ignore")
        values, profile = monitor.step(), monitor.profile()
    differences = [
        [one.measure, one.a, one.b, one.difference.value, one.difference.standard_error]
        for one in profile.neighbours
    ]
    return [values, profile.to_record(), differences, repr(profile)]


def shrink(model, times):
    """The second layer's rows come to nothing."""
    with torch.no_grad():
        for parameter in model[1].parameters():
            parameter.mul_(times)


def with_alarms(rank, folder=None):
    """An alarm on every layer, of classes too; some rows are dumped, and none is recorded."""
    model, values = net(), []
    with (
        warnings.catch_warnings(record=True) as caught,
        Monitor(model, LAYERS, probe(), measures=["dse", "dsmi_y"], gather=True) as monitor,
    ):
        warnings.simplefilter("always")
        dump = folder and Path(folder, "rows")
        alarm = CollapseAlarm(monitor, reference=5, classes=True, dump=dump)
        for step in range(20):
            if step == 5:
                shrink(model, 0.0)
            values.append(monitor.step())
    events = [[event.layer, event.step] for event in alarm.events]
    texts = [str(warning.message).replace(str(folder), "") for warning in caught]
    return [values, events, sorted(texts)]


def alarm_in_the_first_alone(rank):
    with Monitor(net(), LAYERS, probe(), gather=True) as monitor:
        if rank == 0:
            CollapseAlarm(monitor)
        try:
            monitor.measure()
        except Exception as error:
            return str(error)
    return ""


def recorded_kernel(rank, folder=None):
    """What is drawn is of the diffusion operator, which is measured for the recorder alone."""
    where = folder and rank == 0 and Path(folder, "kernel")
    with Monitor(net(), LAYERS, probe(), measures="kernel", gather=True, record=where or None) as m:
        return m.measure()


def thinned(rank, count=1):
    """Samples come twice, and more of them than are measured."""
    x, y = data()
    model = net().eval()
    numbers = torch.arange(N).repeat(2)[rank::count]
    with Monitor(model, LAYERS, Evaluation(40)) as monitor, torch.no_grad():
        model(x[numbers])
        monitor.collect(y[numbers], numbers)
        return monitor.step()


def warned(rank, model, layers, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with Monitor(model, layers, probe(), gather=True, **options) as monitor:
            values = [monitor.measure() for _ in range(2)][-1]
    return [values, [str(warning.message) for warning in caught]]


def not_finite(rank):
    options = {"measures": ["dse", "dsmi_y", "dsmi_previous"]}
    return warned(
        rank, net(NotANumber(), Constant(), nn.Identity()), ["3", "5", "6", "7"], **options
    )


def one_layer(rank):
    return warned(rank, net(), "4")


def doubtful_labels(rank, count=1):
    """Scalars that look like classes: every process groups them."""
    numbers = torch.arange(60)[rank::count]
    x, model = data()[0][numbers], net().eval()
    with warnings.catch_warnings(record=True) as caught, torch.no_grad():
        warnings.simplefilter("always")
        with Monitor(model, LAYERS, Evaluation(60), measures=["dsmi_y", "kernel_y"]) as monitor:
            model(x)
            monitor.collect((numbers % 12).float(), numbers)
            monitor.step()
    return [str(warning.message) for warning in caught]


def failing(rank, layer):
    """What each process says of an error in the one that measures this layer."""
    plain, seen = measuring.measure, []

    def measure(*arguments, name, **options):
        seen.append(name)
        if name == layer:
            raise MemoryError(f"no room for {name}")
        return plain(*arguments, name=name, **options)

    measuring.measure = measure
    try:
        with Monitor(net(), LAYERS, probe(), measures="kernel", gather=True) as monitor:
            monitor.measure()
    except Exception as error:
        return [f"{type(error).__name__}: {error}", seen]
    finally:
        measuring.measure = plain
    return ["", seen]


def unsendable(rank):
    """A result that cannot be sent is an error in all, and none waits for it."""
    plain = measuring.FoundLayer
    measuring.FoundLayer = lambda name, *rest: plain(name, {"dse/0": (lambda: None)})
    try:
        Monitor(net(), LAYERS, probe(), gather=True).measure()
    except Exception as error:
        return type(error).__name__
    finally:
        measuring.FoundLayer = plain
    return ""


@pytest.fixture(scope="module", autouse=True)
def width_of_the_terminal():
    """The same here and in the other processes, which have none: tables are cut to it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "120")
        yield


@pytest.fixture(scope="module", params=[2, 3])
def found(request, tmp_path_factory):
    """What each of two or three processes returns, by case; and the folder of what they record."""
    folder = tmp_path_factory.mktemp(f"processes{request.param}")
    cases = {
        "everything": (everything, str(folder)),
        "kernel": (recorded_kernel, str(folder)),
        "sampling": (with_sampling_errors, str(folder)),
        "alarms": (with_alarms, str(folder)),
        "one alarm": (alarm_in_the_first_alone,),
        "thinned": (thinned, request.param),
        "not finite": (not_finite,),
        "one layer": (one_layer,),
        "failing": (failing, "4"),
        "failing first": (failing, "0"),
        "no failure": (failing, ""),
        "unsendable": (unsendable,),
        "labels": (doubtful_labels, request.param),
    }
    return processes.results(cases, request.param, folder), folder


def same(found, case):
    """What all processes return alike."""
    several = [json.dumps(one[case]) for one in found]
    assert set(several) == {several[0]}
    return found[0][case]


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_values_are_those_of_one_process_and_so_is_what_is_recorded(found, tmp_path):
    of_all, folder = found
    (values, messages), *others = (one["everything"] for one in of_all)
    assert [values, messages] == everything(0, str(tmp_path))
    assert all(one == [values, []] for one in others)
    assert files(folder / "run") == files(tmp_path / "run")


def test_the_recorder_of_the_first_process_gets_what_the_others_have_computed(found, tmp_path):
    of_all, folder = found
    assert same(of_all, "kernel") == recorded_kernel(0, str(tmp_path))
    assert files(folder / "kernel") == files(tmp_path / "kernel")


def test_sampling_errors_and_profiles_are_those_of_one_process(found, tmp_path):
    of_all, folder = found
    assert same(of_all, "sampling") == with_sampling_errors(0, str(tmp_path))
    assert files(folder / "sampling") == files(tmp_path / "sampling")


def test_alarms_are_those_of_one_process(found, tmp_path):
    of_all, folder = found
    values, events, texts = with_alarms(0, str(tmp_path))
    assert "1" in [layer for layer, _ in events]
    assert all(one["alarms"][:2] == [values, events] for one in of_all)
    assert of_all[0]["alarms"][2] == texts
    assert files(folder / "rows").keys() == files(tmp_path / "rows").keys()


def test_an_alarm_that_another_process_lacks_is_an_error_in_all(found):
    for one in found[0]:
        assert names(one["one alarm"], "alarm", "all processes")


def test_samples_that_come_twice_count_once_in_every_share(found):
    assert same(found[0], "thinned") == thinned(0)


def test_a_layer_of_nan_is_nan_and_is_warned_about_by_the_first_process_alone(found):
    (values, messages), *others = (one["not finite"] for one in found[0])
    alone, expected = not_finite(0)
    assert json.dumps(values) == json.dumps(alone)
    assert [names(text, "'5'", "NaN") for text in messages].count(True) == 1
    assert messages == expected
    assert all(json.dumps(one) == json.dumps([values, []]) for one in others)


def test_there_may_be_fewer_layers_than_processes(found):
    values, messages = found[0][0]["one layer"]
    assert [values, messages] == one_layer(0)
    assert all(one["one layer"][0] == values for one in found[0])


def test_each_layer_is_measured_by_one_process(found):
    seen = [one["no failure"][1] for one in found[0]]
    # A process measures its layers side by side, in any order.
    assert [name for names_of_one in seen for name in sorted(names_of_one)] == LAYERS
    assert all(seen)


@pytest.mark.parametrize(("case", "layer"), [("failing", "4"), ("failing first", "0")])
def test_an_error_in_the_process_that_measures_a_layer_is_an_error_in_all(found, case, layer):
    of_all = [one[case] for one in found[0]]
    (there,) = (rank for rank, (_, seen) in enumerate(of_all) if layer in seen)
    for rank, (error, _) in enumerate(of_all):
        assert error.startswith("MemoryError" if rank == there else "RuntimeError")
        assert names(error, "no room for", layer)
        assert rank == there or names(error, "rank", there)


def test_what_cannot_be_sent_is_an_error_in_all(found):
    errors = [one["unsendable"] for one in found[0]]
    assert all(errors)


def test_what_there_is_to_say_of_labels_is_said_once(found):
    first, *others = (one["labels"] for one in found[0])
    assert first == doubtful_labels(0)
    assert [names(text, "labels", "12") for text in first].count(True) == 1
    assert all(one == [] for one in others)


def test_one_process_has_all_layers():
    """From Python 3.12 on, `sum` rounds these costs to less than they add up to one by one."""
    assert shares([0.1, 0.2, 0.3], 1) == [range(3)]


costs = st.lists(st.floats(0.01, 100.0), max_size=7)


@given(costs, st.integers(1, 4))
def test_shares_are_consecutive_and_their_largest_cost_is_the_smallest(layers, count):
    blocks = shares(layers, count)
    assert len(blocks) == count
    assert [layer for block in blocks for layer in block] == list(range(len(layers)))
    largest = max((sum(layers[k] for k in block) for block in blocks), default=0.0)
    ways = product(range(len(layers) + 1), repeat=count - 1)
    best = min(
        max(sum(layers[a:b]) for a, b in pairwise([0, *sorted(way), len(layers)])) for way in ways
    )
    assert largest <= best * (1 + 1e-9)

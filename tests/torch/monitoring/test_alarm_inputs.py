"""What an alarm says of input that it cannot use, and of references that cannot be trusted."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import collapsing
from collapsing import Returns, alarmed, monitored, steps
from eigentropy._measures.measurement import MeasurementSettings, Variable, measure
from eigentropy.torch import CollapseAlarm, CollapseWarning
from eigentropy.torch.monitoring.watched_values import values_of_classes
from messages import names, naming

quiet = pytest.mark.filterwarnings("ignore::eigentropy._support.warnings.SaturationWarning")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alpha": 0.0}, ("alpha", "0.0")),
        ({"alpha": 1.0}, ("alpha", "1.0")),
        ({"action": "panic"}, ("action", "panic", "warn", "raise", "stop")),
        ({"action": ()}, ("action", "warn")),
        ({"reference": 4}, ("reference", "4", "5")),
        ({"reference": (3,)}, ("reference", "first", "last")),
        ({"reference": (9, 3)}, ("reference[1]", "9", "3")),
        ({"reference": None}, ("reference", "floor=")),
        ({"keep": 1.0}, ("keep", "1.0")),
        ({"keep": {"entropie": 0.5}}, ("keep", "entropie", "entropy", "scale")),
        ({"floor": -1.0}, ("floor", "-1.0")),
        ({"floor": {"scale": 0.0}}, ("floor['scale']", "0.0")),
        ({"nan": "ignore"}, ("nan", "ignore", "skip", "collapse")),
    ],
)
def test_an_option_that_cannot_be_is_named(options, words):
    with pytest.raises(ValueError, match=naming(*words)):
        CollapseAlarm(**options)


def test_an_option_that_is_not_known_is_named():
    with pytest.raises(TypeError, match=naming("referense", "reference")):
        CollapseAlarm(referense=4)


def test_classes_need_labels_that_the_monitor_looks_at():
    for options in ({"labels": None, "measures": "kernel"}, {"measures": "kernel"}):
        with monitored(**options) as monitor:
            with pytest.raises(ValueError, match=naming("classes", "labels", "kernel_y")):
                CollapseAlarm(monitor, classes=True)
            CollapseAlarm(monitor)  # without classes


def test_labels_that_are_no_classes_are_said_once():
    with pytest.warns(UserWarning, match=naming("class", "scalars")) as caught:
        alarm = alarmed(None, labels=np.linspace(0.0, 1.0, collapsing.N) ** 2, looks=2)
    assert sum("no class" in str(one.message) for one in caught) == 1
    assert set(alarm._evidence.tests["layer"]) == {"kernel", "spread", "scale"}


def test_classes_with_few_rows_are_left_out_and_named():
    labels = np.where(
        np.arange(collapsing.N) < 5, "rare", np.array(["a", "b"])[np.arange(collapsing.N) % 2]
    )
    with pytest.warns(UserWarning, match=naming("rare", "10", "3")) as caught:
        alarm = alarmed(None, labels=labels, looks=2)
    assert len([one for one in caught if "rare" in str(one.message)]) == 1
    assert {"class a", "class b"} <= set(alarm._evidence.tests["layer"])
    assert "class rare" not in alarm._evidence.tests["layer"]


@pytest.mark.filterwarnings("ignore:.*single row")
def test_very_many_classes_are_not_watched():
    labels = np.arange(120)
    model = Returns()
    model.rows["layer"] = np.random.default_rng(0).normal(size=(120, 4))
    from eigentropy.torch import Monitor

    x = torch.arange(120.0)[:, None]
    with Monitor(model, "layer", (x, labels), measures=("dse", "dsmi_y")) as monitor:
        CollapseAlarm(monitor)
        with pytest.warns(UserWarning, match=naming("120", "100")):
            monitor.step()


@quiet
@pytest.mark.parametrize(
    ("collapse", "test"),
    [(collapsing.one_direction, "spread"), (collapsing.nothing, "scale"),
     (collapsing.nothing, "kernel")],
)  # fmt: skip
def test_a_reference_that_is_itself_collapsed_is_said_and_not_trusted(collapse, test):
    model = Returns()
    with monitored(model) as monitor:
        alarm = CollapseAlarm(monitor, reference=5)
        with pytest.warns(CollapseWarning) as caught:
            steps(monitor, model, 5, collapse)
        texts = [str(one.message) for one in caught]
        assert any(names(text, "layer", test, "floor", "step 5") for text in texts)
        assert ("layer", test) in alarm.refused
        values = steps(monitor, model, 12, collapse)
    assert not alarm.events
    assert values["alarm_evidence/layer"] == 0.0


def test_a_reference_that_falls_is_said():
    model = Returns()
    with monitored(model) as monitor:
        CollapseAlarm(monitor, reference=8)
        factors = iter(0.5 ** np.arange(8))
        with pytest.warns(UserWarning, match=naming("scale", "falls")):
            steps(monitor, model, 8, lambda rows: next(factors) * rows)


def test_given_steps_with_too_few_values_are_no_reference():
    model = Returns()
    with monitored(model) as monitor:
        alarm = CollapseAlarm(monitor, reference=(3, 6))
        with pytest.warns(CollapseWarning, match=naming("4", "5")):
            steps(monitor, model, 10)
    assert len(alarm.refused) == 3 + collapsing.CLASSES


def not_finite(rows):
    return np.where(np.arange(len(rows))[:, None] == 3, np.nan, rows)


@pytest.mark.filterwarnings("ignore:.*NaN or infinity")
def test_steps_that_are_not_finite_are_no_evidence_and_said():
    with pytest.warns(UserWarning, match=naming("nan='collapse'")) as caught:
        alarm = alarmed(not_finite, looks=30)
    assert sum("nan='collapse'" in str(one.message) for one in caught) == 1
    assert alarm.evidence == pytest.approx(1.0)
    assert alarm.skipped == {"layer": 30}
    assert set(alarm.history[-1]) == set(alarm.history[0])
    assert np.isnan(alarm.history[-1]["spread/layer"])
    assert not alarm.events


@pytest.mark.filterwarnings("ignore:.*NaN or infinity")
def test_steps_that_are_not_finite_count_as_collapsed_where_that_is_asked_for():
    with pytest.warns(CollapseWarning, match="not finite"):
        alarm = alarmed(not_finite, nan="collapse")
    assert all(np.isnan(value) for value in alarm.events[0].values.values())
    assert alarm.skipped["layer"] == 15


@pytest.mark.filterwarnings("ignore:.*NaN or infinity", "ignore:.*nan='collapse'")
def test_steps_that_are_not_finite_do_not_count_for_the_reference():
    model = Returns()
    with monitored(model) as monitor:
        alarm = CollapseAlarm(monitor, reference=5)
        steps(monitor, model, 2)
        steps(monitor, model, 4, not_finite)
        steps(monitor, model, 3)
        assert not alarm.refused
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CollapseWarning)
            steps(monitor, model, 10, collapsing.a_point)
    assert [event.tests for event in alarm.events] == [("scale",)]


def test_a_monitor_of_informations_alone_is_watched_by_the_entropy_behind_them():
    with pytest.warns(CollapseWarning):
        alarm = alarmed(collapsing.few_points, looks=25, measures="dsmi_y")
    assert alarm.events[0].tests[0] == "dse"
    assert "dse/layer" not in alarm.history[-1]


def test_most_classes_as_single_points_do_not_count_as_healthy(rng):
    """Their median entropy is 0, over which no class can be taken."""
    labels = np.repeat(np.arange(3), 30)
    rows = np.eye(3)[labels]
    rows[:30] += 0.3 * rng.normal(size=(30, 3))
    settings = MeasurementSettings(sigma=0.1)
    variable = Variable("labels", labels, "labels")
    measured = measure(rows, {"y": variable}, settings)
    values = {one.name: one.value for one in values_of_classes(rows, measured, variable, settings)}
    assert values == {"class 0": 1.0, "class 1": 0.0, "class 2": 0.0}

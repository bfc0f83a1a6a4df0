"""A collapse alarm finds each kind of collapse, tells which, and is silent in health."""

from __future__ import annotations

import json
import math
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import collapsing
from collapsing import Returns, alarmed, monitored, steps
from eigentropy.torch import CollapseAlarm, CollapseWarning
from eigentropy.torch.monitoring.watched_values import scale, spread

pytestmark = pytest.mark.filterwarnings(
    "ignore::eigentropy.torch.CollapseWarning",
    "ignore::eigentropy._support.warnings.SaturationWarning",
)

KERNEL = ("kernel", "kernel_y")
DIFFUSION = ("dse", "dsmi_y")


@pytest.mark.parametrize("measures", [KERNEL, DIFFUSION])
@pytest.mark.parametrize(
    ("collapse", "shown_by"),
    [
        (collapsing.few_directions, "entropy"),
        (collapsing.few_points, "entropy"),
        (collapsing.a_point, "scale"),
        (collapsing.nothing, "scale"),
        (collapsing.one_direction, "spread"),
        (collapsing.one_class, "class 1"),
    ],
)
def test_each_collapse_is_found_by_what_sees_it(collapse, shown_by, measures):
    alarm = alarmed(collapse, measures=measures, looks=25)
    (event,) = alarm.events
    test = measures[0] if shown_by == "entropy" else shown_by
    assert test in alarm._evidence.causes("layer")  # in the end; others may be sooner
    assert event.layer == "layer"
    assert 5 < event.step < 25
    assert alarm.raised
    assert not alarm.should_stop


def test_the_collapse_of_a_class_is_one_where_all_rows_together_show_nothing():
    alarm = alarmed(collapsing.one_class, looks=15, keep=0.75)
    (event,) = alarm.events
    assert event.tests == ("class 1",)
    for name in ("kernel", "spread", "scale"):
        assert event.values[name] > 1.1 * event.floors[name]
    assert not alarmed(collapsing.one_class, looks=15, keep=0.75, classes=False).events


@pytest.mark.parametrize("measures", [KERNEL, DIFFUSION, (*KERNEL, *DIFFUSION)])
def test_health_is_silent(measures):
    alarm = alarmed(None, measures=measures, looks=25)
    assert not alarm.events
    assert alarm.evidence == pytest.approx(1.0)
    assert not alarm.refused


def test_a_change_within_the_margin_is_silent():
    shrinks = lambda rows: 0.5 * rows  # noqa: E731
    assert not alarmed(shrinks, looks=25).events
    assert alarmed(shrinks, looks=25, keep={"scale": 0.9}).events


def test_the_layer_that_collapses_is_named_and_the_others_go_on():
    model = Returns(("first", "second"))
    with monitored(model) as monitor:
        alarm = CollapseAlarm(monitor, reference=5)
        steps(monitor, model, 5)
        values = steps(monitor, model, 10, collapsing.a_point, layer="second")
        assert [event.layer for event in alarm.events] == ["second"]
        assert (values["alarm"], values["alarm/first"], values["alarm/second"]) == (1.0, 0.0, 1.0)
        assert values["alarm_evidence/first"] == 0.0
        assert values["alarm_evidence/second"] > 1.0
        steps(monitor, model, 10, collapsing.nothing, layer="first")
        assert [event.layer for event in alarm.events] == ["second", "first"]


def test_layers_that_are_not_enough_alone_are_enough_together():
    model = Returns(("a", "b", "c", "d"))
    with monitored(model, labels=None, measures="kernel") as monitor:
        alarm = CollapseAlarm(monitor, reference=5)
        steps(monitor, model, 5)
        for name in model.rows:
            model.rows[name] = 0.22 * collapsing.ROWS  # a little below the floor
        while not alarm.raised and monitor.steps < 50:
            before, values = alarm.evidence, monitor.step()
    assert before < alarm.threshold <= alarm.evidence
    parts = [values[f"alarm_evidence/{name}"] for name in model.rows]
    assert max(parts) < 1.0
    assert len(alarm.events) == 1


def test_the_values_say_how_much_evidence_there_is():
    alarm = alarmed(collapsing.a_point, looks=12)
    history = alarm.history
    evidence = [row["alarm_evidence"] for row in history]
    raised = [row["alarm"] for row in history]
    assert raised == [float(one >= 1.0) for one in evidence]
    assert evidence[:5] == [0.0] * 5
    assert raised[4] == 0.0 < raised[-1]
    assert alarm.evidence == pytest.approx(alarm.threshold ** evidence[-1])
    assert alarm.events[0].step == 1 + raised.index(1.0)
    assert history[0]["scale/layer"] > 50 * history[-1]["scale/layer"]
    assert {"spread/layer", "alarm/layer", "alarm_evidence/layer"} <= set(history[-1])


def test_it_warns_once_and_names_layer_step_and_test():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        alarm = alarmed(collapsing.a_point, looks=20)
    (text,) = [str(one.message) for one in caught if one.category is CollapseWarning]
    (event,) = alarm.events
    assert text == str(event)
    assert "'layer'" in text
    assert f"step {event.step}" in text
    assert "scale" in text
    assert caught[-1].filename == collapsing.__file__


def test_a_smaller_alpha_takes_longer():
    found = [alarmed(collapsing.a_point, alpha=alpha).events[0] for alpha in (0.2, 0.05, 1e-4)]
    assert found[0].step <= found[1].step < found[2].step
    assert [event.alpha for event in found] == [0.2, 0.05, 1e-4]
    assert [event.threshold for event in found] == pytest.approx([6.25, 25.0, 12500.0])


def test_a_floor_is_tested_from_the_first_step_on():
    alarm = alarmed(collapsing.a_point, reference=None, floor={"scale": 100.0})
    (event,) = alarm.events
    assert event.step <= 5
    assert event.tests == ("scale",)
    assert event.floors == {"scale": 100.0}
    assert event.threshold == pytest.approx(20.0)
    assert not alarmed(None, reference=None, floor={"scale": 0.5}).events


def test_a_number_is_the_floor_of_entropies_beside_a_reference_of_the_rest():
    alarm = alarmed(collapsing.a_point, floor=1.0)
    (event,) = alarm.events
    assert event.floors["kernel"] == 1.0
    assert event.tests == ("scale",)
    (event,) = alarmed(None, floor=50.0).events
    assert event.tests == ("kernel",)


def test_the_floors_that_hold_now_are_there_by_layer_and_test():
    model = Returns(("first", "second"))
    with monitored(model) as monitor:
        alarm = CollapseAlarm(monitor, reference=5, floor={"spread": 0.2}, classes=False)
        assert alarm.floors == {"first": {}, "second": {}}
        history = [steps(monitor, model, 1) for _ in range(4)]
        assert alarm.floors == {name: {"spread": 0.2} for name in model.rows}
        history.append(steps(monitor, model, 1))
        for layer, floors in alarm.floors.items():
            assert set(floors) == {"kernel", "spread", "scale"}
            level = np.mean([row[f"scale/{layer}"] for row in history])
            assert 0.2 * level < floors["scale"] < 0.3 * level
        steps(monitor, model, 10, collapsing.a_point, layer="second")
    assert alarm.events[0].floors == alarm.floors["second"]


def test_the_reference_may_be_of_given_steps():
    model = Returns()
    with monitored(model) as monitor:
        alarm = CollapseAlarm(monitor, reference=(6, 12))
        steps(monitor, model, 5, collapsing.a_point)  # before it: no matter
        steps(monitor, model, 10)
        assert not alarm.raised
        assert not alarm.refused
        steps(monitor, model, 10, collapsing.a_point)
    assert [event.tests for event in alarm.events] == [("scale",)]


def test_reset_begins_a_new_reference():
    model = Returns()
    with monitored(model) as monitor:
        alarm = CollapseAlarm(monitor, reference=5, action="stop")
        steps(monitor, model, 5)
        steps(monitor, model, 10, collapsing.a_point)
        assert alarm.should_stop
        alarm.reset()
        assert not alarm.should_stop
        assert not alarm.raised
        steps(monitor, model, 15, collapsing.a_point)  # which is now the reference
        assert len(alarm.events) == 1
        steps(monitor, model, 10, lambda rows: 1e-4 * rows)
        assert len(alarm.events) == 2


def test_an_alarm_goes_on_where_its_monitor_was_saved():
    model, other = Returns(), Returns()
    with monitored(model) as whole, monitored(other) as resumed:
        alarm = CollapseAlarm(whole, reference=5, action="stop")
        steps(whole, model, 5)
        steps(whole, model, 2, collapsing.a_point)
        assert not alarm.raised
        state = json.loads(json.dumps(whole.state_dict()))
        resumed.load_state_dict(state)
        later = CollapseAlarm(resumed, reference=5, action="stop")  # made after the state
        for collapse in (collapsing.a_point,) * 6:
            a, b = (steps(one, m, 1, collapse) for one, m in ((whole, model), (resumed, other)))
            assert a == b
        assert later.raised
        assert [event.step for event in later.events] == [event.step for event in alarm.events]
        resumed.load_state_dict(state)
        assert not later.raised
        assert not later.should_stop


def test_two_alarms_of_a_monitor_have_names():
    model = Returns()
    with monitored(model) as monitor:
        CollapseAlarm(monitor, reference=5)
        with pytest.raises(ValueError, match="name='alarm'"):
            CollapseAlarm(monitor, reference=5)
        late = CollapseAlarm(monitor, reference=8, alpha=0.001, name="late")
        steps(monitor, model, 8)
        values = steps(monitor, model, 5, collapsing.a_point)
    assert (values["alarm"], values["late"]) == (1.0, 0.0)
    assert 0.0 < values["late_evidence/layer"] < 1.0
    assert not late.raised


def test_the_spread_is_one_for_even_directions_and_none_for_one():
    Z = np.random.default_rng(0).normal(size=(4000, 16))
    assert spread(Z) == pytest.approx(1.0, abs=0.01)
    assert spread(1e300 * Z) == pytest.approx(spread(Z))
    assert spread(1e-300 * Z.astype(np.float32).astype(float)) == pytest.approx(spread(Z), abs=1e-6)
    assert spread(np.ones((9, 4))) == spread(np.zeros((9, 4))) == 0.0
    # Columns +-1/sqrt(2) and a constant one: the mean of (1/sqrt(2), 0) times sqrt(2).
    assert spread(np.array([[1.0, 1.0], [-1.0, 1.0]] * 3)) == pytest.approx(0.5)


def test_the_scale_is_the_distance_from_the_mean():
    Z = np.random.default_rng(0).normal(size=(200, 5))
    expected = math.sqrt(((Z - Z.mean(axis=0)) ** 2).sum(axis=1).mean())
    assert scale(Z) == pytest.approx(expected)
    assert scale(1e200 * Z) == pytest.approx(1e200 * expected)
    assert scale(np.zeros((4, 3))) == scale(np.ones((4, 3), np.float32)) == 0.0

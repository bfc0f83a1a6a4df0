"""What an alarm says of input that it cannot use, and of references that cannot be trusted."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import collapsing
from collapsing import Returns, alarmed, monitored, steps
from eigentropy._measures.measurement import MeasurementSettings, Variable, measure
from eigentropy.torch import CollapseAlarm, CollapseWarning
from eigentropy.torch.monitoring.alarm_evidence import Evidence
from eigentropy.torch.monitoring.alarm_options import checked_rules
from eigentropy.torch.monitoring.alarm_tests import ValueTest
from eigentropy.torch.monitoring.watched_values import KINDS, WatchedValue, values_of_classes
from messages import names, naming

FLOORS = {"entropy": 1.0, "class": 0.3, "spread": 0.3, "scale": 1.0}

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
        CollapseAlarm(monitor, reference=None, floor={"class": 0.5})
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


@pytest.mark.parametrize(
    "factors",
    [10.0 ** np.arange(8), np.where(np.arange(8) % 2, 1.0, 50.0)],
    ids=["rises steeply", "varies"],
)
def test_a_reference_with_a_useless_floor_is_said_when_it_is_complete(factors):
    model, known = Returns(), iter(factors)
    with monitored(model) as monitor:
        alarm = CollapseAlarm(monitor, reference=8)
        with pytest.warns(CollapseWarning) as caught:
            history = [steps(monitor, model, 1, lambda rows: next(known) * rows) for _ in factors]
    (text,) = [str(one.message) for one in caught]
    level = np.mean([row["scale/layer"] for row in history[-2:]])
    floor = alarm.floors["layer"]["scale"]
    assert floor < 0.1 * level
    assert names(text, "'layer'", "step 8", "'scale'", f"{floor:.3g}", f"{level:.3g}", "keep=0.3")
    assert not alarm.refused


def test_a_floor_that_rounds_to_0_is_refused():
    model, factors = Returns(), iter([1e-140, 1e140] * 3)
    with monitored(model) as monitor:
        alarm = CollapseAlarm(monitor, reference=6)
        with pytest.warns(CollapseWarning, match=naming("'scale'", "floor", "0")):
            steps(monitor, model, 6, lambda rows: next(factors) * rows)
    assert [*alarm.refused] == [("layer", "scale")]


@quiet
def test_a_bad_reference_is_said_again_after_a_reset():
    model = Returns()
    with monitored(model) as monitor:
        alarm = CollapseAlarm(monitor, reference=5)
        for _ in range(2):
            alarm.reset()
            with pytest.warns(CollapseWarning) as caught:
                steps(monitor, model, 5, collapsing.nothing)
            assert any(names(str(one.message), "'scale'", "collapsed") for one in caught)


def value_test(values, keep=0.5, share=0.25):
    """A test that has seen this reference."""
    rules = checked_rules(0.05, len(values), {"scale": keep}, None)
    test = ValueTest("scale", share, rules)
    for step, value in enumerate(values, 1):
        test.look(WatchedValue("scale", "scale", float(value), np.inf), step)
    return test


@given(st.lists(st.floats(1e-300, 1e300), min_size=5, max_size=12), st.floats(0.05, 0.95))
def test_a_reference_without_a_remark_has_a_floor_of_use(values, keep):
    test = value_test(values, keep)
    last = np.mean(values[-max(1, len(values) // 3) :])
    if test.refused:
        assert test.test is None
    elif not test.doubt:
        assert test.test.floor >= 0.5 * keep * last


@given(st.floats(1e-100, 1e100), st.integers(5, 30), st.integers(0, 2**32 - 1))
def test_steady_references_are_not_remarked_upon(level, count, seed):
    values = level * (1.0 + 0.01 * np.random.default_rng(seed).uniform(-1, 1, count))
    test = value_test(values)
    assert not test.refused
    assert not test.doubt


def test_classes_with_bad_references_are_named_in_one_warning():
    model = Returns()
    with monitored(model) as monitor:
        alarm = CollapseAlarm(monitor, reference=(3, 6))
        with pytest.warns(CollapseWarning) as caught:
            steps(monitor, model, 6)
    texts = [str(one.message) for one in caught]
    assert len(texts) == 4
    (text,) = [one for one in texts if "class" in one]
    assert names(text, *(test for _, test in alarm.refused if test.startswith("class")))


def test_given_steps_with_too_few_values_are_no_reference():
    model = Returns()
    with monitored(model) as monitor:
        alarm = CollapseAlarm(monitor, reference=(3, 6))
        with pytest.warns(CollapseWarning, match=naming("4", "5")):
            steps(monitor, model, 10)
    assert len(alarm.refused) == 3 + collapsing.CLASSES


@pytest.mark.parametrize("reference", [6, (125, 275), (3, 9)])
def test_a_reference_that_is_never_complete_is_said_once_at_the_end(reference):
    model = Returns(("first", "second"))
    monitor = monitored(model)
    alarm = CollapseAlarm(monitor, reference=reference, floor={"spread": 0.1})
    steps(monitor, model, 5, layer="first")
    with pytest.warns(CollapseWarning) as caught:
        monitor.remove()
    monitor.remove()  # once is enough
    (text,) = [str(one.message) for one in caught]
    assert names(text, str(reference), "step 5", "first", "second", "scale", "entropy", "floor=")
    assert not names(text, "spread")
    assert alarm.floors == {name: {"spread": 0.1} for name in model.rows}


@pytest.mark.filterwarnings("ignore:.*NaN or infinity", "ignore:.*nan='collapse'")
def test_a_layer_that_was_never_finite_has_no_reference():
    model = Returns(("first", "second"))
    monitor = monitored(model)
    CollapseAlarm(monitor, reference=5)
    steps(monitor, model, 6, not_finite, layer="second")
    with pytest.warns(CollapseWarning, match=naming("second", "step 6")) as caught:
        monitor.remove()
    assert not names(str(caught[0].message), "'first'")


@given(first=st.integers(0, 12), more=st.integers(0, 12), looks=st.integers(0, 30))
def test_a_reference_waits_until_its_last_step_and_no_longer(first, more, looks):
    value = WatchedValue("scale", "scale", 1.0, np.inf)
    for reference in ((first, first + more), max(5, more)):
        evidence = Evidence(checked_rules(0.05, reference, None, {"spread": 1.0}), ["a"], KINDS)
        for step in range(1, looks + 1):
            evidence.look("a", [value], step)
        last = max(reference[1], 1) if isinstance(reference, tuple) else reference
        assert ("scale" in evidence.waiting("a")) == (looks < last)
        assert "spread" not in evidence.waiting("a")


def test_an_end_that_leaves_nothing_untested_is_silent():
    for options, count in (({"reference": None, "floor": 1.0}, 2), ({"reference": 5}, 5)):
        model = Returns()
        with monitored(model) as monitor:
            CollapseAlarm(monitor, **options)
            steps(monitor, model, count)
    with monitored(model) as monitor:
        CollapseAlarm(monitor)  # which never saw a step
    monitor = monitored(model)
    CollapseAlarm(monitor)
    steps(monitor, model, 1)
    monitor.__exit__(KeyError, KeyError(), None)  # of which the user hears
    assert monitor.removed


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


@pytest.mark.filterwarnings("ignore:.*NaN or infinity")
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_is_never_finite_raises_the_alarm_of_any_floor(kind):
    model = Returns()
    with monitored(model) as monitor:
        alarm = CollapseAlarm(monitor, reference=None, floor={kind: 1.0}, nan="collapse")
        with pytest.warns(CollapseWarning, match=naming("layer", kind, "not finite")):
            steps(monitor, model, 10, not_finite)
    (event,) = alarm.events
    assert event.tests == (kind,)
    assert event.floors == {kind: 1.0}


@pytest.mark.filterwarnings("ignore:.*NaN or infinity")
def test_evidence_of_the_first_steps_stays_when_values_are_finite():
    def seen(bad_first):
        model = Returns()
        with monitored(model) as monitor:
            alarm = CollapseAlarm(monitor, reference=None, floor=FLOORS, nan="collapse")
            steps(monitor, model, 1 - bad_first)
            steps(monitor, model, 2, not_finite)
            before = alarm.evidence
            steps(monitor, model, bad_first)
        return before, alarm

    before, alarm = seen(bad_first=1)
    assert 1.0 < alarm.evidence < before < alarm.threshold
    assert set(alarm._evidence.tests["layer"]) == set(seen(0)[1]._evidence.tests["layer"])
    shares = [test.share for test in alarm._evidence.tests["layer"].values()]
    assert sum(shares) == pytest.approx(1.0)


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

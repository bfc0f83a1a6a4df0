"""What an alarm does, and the rows that it keeps."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import collapsing
from collapsing import Returns, alarmed, monitored, steps
from eigentropy.torch import CollapseAlarm, CollapseError, CollapseWarning
from eigentropy.torch.monitoring.alarm_actions import CollapseEvent
from messages import naming

quiet = pytest.mark.filterwarnings("ignore::eigentropy.torch.CollapseWarning")


def test_raise_raises_after_the_values_were_written():
    model, seen = Returns(), []
    with monitored(model, log=lambda values, step: seen.append(values["alarm"])) as monitor:
        alarm = CollapseAlarm(monitor, reference=5, action="raise")
        steps(monitor, model, 5)
        with pytest.raises(CollapseError, match=naming("layer", "scale")) as caught:
            steps(monitor, model, 10, collapsing.a_point)
        assert seen[-2:] == [0.0, 1.0]
        assert monitor.history[-1]["alarm"] == 1.0
        assert caught.value.events == tuple(alarm.events)
        steps(monitor, model, 1, collapsing.a_point)  # once is enough
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)


def test_stop_warns_and_sets_a_flag_for_the_loop():
    model = Returns()
    with monitored(model) as monitor:
        alarm = CollapseAlarm(monitor, reference=5, action="stop")
        steps(monitor, model, 5)
        with pytest.warns(CollapseWarning):
            steps(monitor, model, 10, collapsing.a_point, until=lambda: alarm.should_stop)
        assert 6 < monitor.steps < 15


def test_a_callable_gets_the_event_and_may_be_one_of_several():
    seen = []
    with pytest.warns(CollapseWarning):
        alarm = alarmed(collapsing.a_point, action=[seen.append, "warn"])
    assert seen == alarm.events
    assert isinstance(seen[0], CollapseEvent)
    assert seen[0].rows is None


def test_errors_of_a_callable_are_the_caller_s():
    def action(event):
        raise KeyError(event.layer)

    with pytest.raises(KeyError, match="layer"):
        alarmed(collapsing.a_point, action=action)


def test_other_alarms_act_before_one_raises():
    model, seen = Returns(), []
    with monitored(model) as monitor:
        CollapseAlarm(monitor, reference=5, action="raise")
        CollapseAlarm(monitor, reference=5, action=seen.append, name="other")
        steps(monitor, model, 5)
        with pytest.raises(CollapseError):
            steps(monitor, model, 10, collapsing.a_point)
    assert len(seen) == 1


def test_the_rows_that_raise_it_are_kept_in_a_file(tmp_path):
    folder = tmp_path / "new" / "dumps"
    model, seen = Returns(("a_layer",)), []
    (layer,) = model.rows
    with monitored(model) as monitor:
        CollapseAlarm(monitor, reference=5, action=seen.append, dump=folder)
        steps(monitor, model, 5)
        steps(monitor, model, 10, collapsing.one_class, layer=layer)
    (event,) = seen
    (path,) = folder.iterdir()
    assert event.dump == path
    assert str(path) in str(event)
    with np.load(path, allow_pickle=False) as known:
        np.testing.assert_array_equal(known["rows"], event.rows)
        np.testing.assert_array_equal(known["groups"], collapsing.LABELS)
        assert known["step"] == event.step
        assert known["layer"] == layer
        assert known["tests"].tolist() == ["class 1"]
        values = dict(zip(known["names"].tolist(), known["values"].tolist(), strict=True))
        floors = dict(zip(known["names"].tolist(), known["floors"].tolist(), strict=True))
        assert values == event.values
        assert floors == event.floors
        assert known["evidence"] >= known["threshold"] == pytest.approx(25.0)
        assert known["alpha"] == 0.05
    spread_of_class = np.ptp(event.rows[collapsing.LABELS == 1], axis=0).max()
    assert spread_of_class < 0.1 * np.ptp(event.rows, axis=0).max()


def test_without_labels_and_with_words_for_labels_the_file_has_what_there_is(tmp_path):
    words = np.array(["ant", "bee", "cat", "dog", "eel"], dtype=object)[collapsing.LABELS]
    for labels in (None, words):
        seen = []
        measures = "kernel" if labels is None else ("kernel", "kernel_y")
        options = {"labels": labels, "measures": measures, "dump": tmp_path}
        alarmed(collapsing.a_point, action=seen.append, **options)
        with np.load(seen[0].dump, allow_pickle=False) as known:
            assert ("groups" in known) == (labels is not None)
            assert labels is None or known["groups"].tolist() == words.tolist()


@quiet
def test_a_file_that_cannot_be_written_does_not_stop_the_alarm(tmp_path):
    taken = tmp_path / "file"
    taken.write_text("")
    with pytest.warns(UserWarning, match=naming("dump", str(taken))):
        alarm = alarmed(collapsing.a_point, dump=taken)
    assert alarm.events[0].dump is None
    assert alarm.events[0].rows is not None


def test_rows_stay_out_of_a_pickled_event(tmp_path):
    seen = []
    alarmed(collapsing.a_point, action=seen.append, dump=tmp_path)
    copy = pickle.loads(pickle.dumps(seen[0]))
    assert copy == seen[0]
    assert copy.rows is None

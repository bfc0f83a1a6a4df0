"""An alarm in one process of a group is one in all of them."""

from __future__ import annotations

import json
import os
import time
import warnings
from datetime import timedelta
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import collapsing
from collapsing import Returns, monitored, steps
from eigentropy.torch import CollapseAlarm, CollapseError, CollapseWarning

PATIENCE = 400  # seconds, of a machine that does much else
LOOKS = 20


def looked_at(rank, gather, folder=None, budget=None):
    """The step at which a loop ends by the flag, in a process that waits for no other."""
    model = Returns()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CollapseWarning)
        with monitored(model, gather=gather, budget=budget) as monitor:
            alarm = CollapseAlarm(monitor, reference=5, action="stop", dump=folder)
            steps(monitor, model, 5)
            values = steps(
                monitor, model, LOOKS, collapsing.a_point, until=lambda: alarm.should_stop
            )
    said = [one for one in caught if one.category is CollapseWarning]
    return {
        "stopped": monitor.steps,
        "values": values,
        "event": str(alarm.events[0]),
        "warnings": len(said),
        "has rows": alarm.events[0].rows is not None,
    }


def raises(rank):
    model = Returns()
    with monitored(model) as monitor:
        CollapseAlarm(monitor, reference=5, action="raise")
        steps(monitor, model, 5)
        try:
            steps(monitor, model, LOOKS, collapsing.a_point)
        except CollapseError as error:
            return str(error)
    return "no error"


def without_an_alarm(rank):
    with monitored(Returns()) as monitor:
        return monitor.step()


def process(rank, folder):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2,
        timeout=timedelta(seconds=300),
    )  # fmt: skip
    results = {
        "probe of the first": looked_at(rank, None, Path(folder, "dumps")),
        "gathered": looked_at(rank, True),
        "budget": looked_at(rank, None, budget=1.0),
        "raises": raises(rank),
        "without": without_an_alarm(rank),
    }
    Path(folder, f"{rank}.json").write_text(json.dumps(results))
    torch.distributed.barrier()
    os._exit(0)  # a thread of the group may still ask for Python's lock, which then is gone


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each of two processes returns, by case; and the files."""
    folder = tmp_path_factory.mktemp("two")
    context = torch.multiprocessing.spawn(process, (str(folder),), nprocs=2, join=False)
    end = time.monotonic() + PATIENCE
    while not context.join(timeout=5):
        if time.monotonic() > end:
            for one in context.processes:
                one.kill()
            pytest.fail(f"the processes did not end in {PATIENCE} s")
    known = [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]
    return *known, sorted((folder / "dumps").iterdir())


@pytest.mark.parametrize("case", ["probe of the first", "gathered", "budget"])
def test_all_processes_stop_at_one_step(found, case):
    first, second, _ = found
    assert 5 < first[case]["stopped"] == second[case]["stopped"] < 5 + LOOKS
    for name in ("values", "event"):
        assert first[case][name] == second[case][name]
    assert first[case]["warnings"] == second[case]["warnings"] == 1
    assert first[case]["values"]["alarm/layer"] == 1.0


def test_the_first_process_keeps_the_rows(found):
    first, second, (file,) = found
    assert first["probe of the first"]["has rows"]
    assert not second["probe of the first"]["has rows"]
    assert str(file) in second["probe of the first"]["event"]


def test_an_error_is_raised_in_all_processes(found):
    first, second, _ = found
    assert "scale" in first["raises"]
    assert first["raises"] == second["raises"]


def test_without_an_alarm_the_first_process_measures_alone(found):
    first, second, _ = found
    assert first["without"]
    assert second["without"] == {}

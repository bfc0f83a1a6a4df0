"""The same tasks on a Ray cluster of two workers, with what may be wrong with a cluster."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

import engine_tasks
import ray_clusters
from eigentropy.ranking.engines import ray_cluster, run_tasks
from eigentropy.ranking.engines.ray_cluster import LOCAL, connect, room_of
from eigentropy.ranking.engines.ray_pool import AHEAD, RayPool
from messages import names, naming


@pytest.fixture(scope="module")
def cluster():
    pytest.importorskip("ray", reason="ray is not installed")
    before = dict(os.environ)
    path = os.pathsep.join([str(engine_tasks.EQUIPMENT), os.environ.get("PYTHONPATH", "")])
    os.environ.update(RAY_AUTH_MODE="disabled", PYTHONPATH=path)
    with ray_clusters.cluster() as address:
        yield address
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def without_ray(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)


@pytest.fixture(scope="module")
def ray(cluster):
    """Connected to the cluster, so that a call of run_tasks need not do it."""
    ray = pytest.importorskip("ray")
    ray.init(address=cluster, log_to_driver=False, logging_level="ERROR")
    yield ray
    ray.shutdown()


def test_ray_missing_names_the_extra_and_the_other_engine(tmp_path, without_ray):
    with pytest.raises(ImportError, match=naming("eigentropy[ray]", "processes")):
        run_tasks(engine_tasks.number, {"a": 1}, tmp_path, engine="ray")


def test_what_is_done_needs_no_ray(tmp_path, without_ray):
    (tmp_path / "a.json").write_text("{}")
    assert list(run_tasks(engine_tasks.number, {"a": 1}, tmp_path, engine="ray").done) == ["a"]


def test_failures_and_results_are_as_with_processes(tmp_path, ray):
    tasks = {"a": 1, "b": -2, "c/d": 3}
    found = [
        run_tasks(engine_tasks.failing, tasks, tmp_path / engine, engine=engine)
        for engine in ("processes", "ray")
    ]
    assert engine_tasks.table(found[0]) == engine_tasks.table(found[1])
    assert found[0].failed == found[1].failed


def test_a_lost_worker_is_replaced_and_its_task_called_again(tmp_path, ray):
    tasks, statuses = {"a": "", "killed": str(tmp_path / "mark")}, []
    outcome = run_tasks(
        engine_tasks.killed_once, tasks, tmp_path, engine="ray", progress=statuses.append
    )
    assert (list(outcome.done), outcome.failed) == (["a", "killed"], {})
    assert statuses[-1].lost == 1


def test_a_task_that_is_always_killed_has_failed_after_its_retries(tmp_path, ray):
    outcome = run_tasks(
        engine_tasks.always_killed, {"poison": 1, "b": 0}, tmp_path, engine="ray", retries=1
    )
    assert list(outcome.done) == ["b"]
    assert names(outcome.failed["poison"], "killed", "memory", "2 times")


def test_a_worker_that_is_killed_in_the_middle_costs_only_its_task(tmp_path, ray):
    tasks = engine_tasks.tasks_of(tmp_path / "log", 6, 0.5)
    killed = []

    def kill_one(status):
        at_work = {process for _, process in engine_tasks.calls(tmp_path / "log")}
        for name, where in status.running.items():
            if not killed and where.place.process in at_work:
                killed.append(name)
                os.kill(where.place.process, signal.SIGKILL)

    outcome = run_tasks(engine_tasks.measured, tasks, tmp_path, engine="ray", progress=kill_one)
    called = [list(tasks)[task] for task, _ in engine_tasks.calls(tmp_path / "log")]
    assert set(outcome.done) == set(tasks)
    assert sorted(called) == sorted([*tasks, *killed])


def test_an_argument_that_cannot_be_pickled_is_of_a_failed_task(tmp_path, ray):
    tasks = {"a": threading.Lock(), "b": 2}
    outcome = run_tasks(engine_tasks.number, tasks, tmp_path, engine="ray")
    assert list(outcome.done) == ["b"]
    assert names(outcome.failed["a"], "pickled", "lock")


def test_an_interrupt_ends_the_tasks_and_keeps_what_is_done(tmp_path, ray):
    tasks = {"a": str(tmp_path / "process")}

    def interrupt(status):
        if status.running and (tmp_path / "process").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=naming("0 of 1 done", tmp_path)):
        run_tasks(engine_tasks.slow, tasks, tmp_path, engine="ray", progress=interrupt)
    assert engine_tasks.ended([int((tmp_path / "process").read_text())]) == []


def test_the_table_of_a_killed_program_is_that_of_one_that_was_not(tmp_path, cluster):
    tasks = engine_tasks.tasks_of(tmp_path / "log", 12, 0.0)
    whole = engine_tasks.table(run_tasks(engine_tasks.measured, tasks, tmp_path / "whole"))
    directory, log = tmp_path / "results", tmp_path / "calls"
    options = {"engine": "ray", "address": cluster}
    assert engine_tasks.killed_and_resumed(directory, log, random.Random(5), 2, **options) == whole


def test_status_says_on_which_node_a_task_runs(tmp_path, ray):
    seen = {}
    run_tasks(
        engine_tasks.process_of, {"a": []}, tmp_path, engine="ray",
        progress=lambda status: seen.update(status.running),
    )  # fmt: skip
    process = json.loads((tmp_path / "a.json").read_text())["process"]
    assert (seen["a"].place.host, seen["a"].place.process) == (os.uname().nodename, process)


def test_few_tasks_wait_at_ray(tmp_path, ray):
    pool = RayPool(engine_tasks.number, None, 0.0, None, None)
    for task in range(2 + AHEAD):  # two run at a time
        assert pool.room() > 0
        pool.start(str(task), task)
    assert pool.room() == 0
    pool.close(at_once=True)
    assert RayPool(engine_tasks.number, 1, 0.0, None, None).room() == 1


@pytest.mark.parametrize(
    ("option", "value", "resource"),
    [("gpus_per_task", 0.5, "GPU"), ("memory_per_task", 2**60, "memory")],
)
def test_what_no_node_has_is_refused(tmp_path, ray, option, value, resource):
    with pytest.raises(ValueError, match=naming(option, resource, os.uname().nodename)):
        run_tasks(engine_tasks.number, {"a": 1}, tmp_path, engine="ray", **{option: value})


def test_as_many_tasks_run_as_memory_and_gpus_of_each_node_hold():
    nodes = [
        {"Alive": True, "Resources": {"CPU": 8.0, "GPU": 1.0, "memory": 100.0}},
        {"Alive": True, "Resources": {"CPU": 8.0, "memory": 100.0}},
        {"Alive": False, "Resources": {"CPU": 8.0, "GPU": 8.0, "memory": 100.0}},
    ]
    ray = SimpleNamespace(nodes=lambda: nodes)
    assert room_of(ray, {"CPU": 1.0}) == 16
    assert room_of(ray, {"CPU": 1.0, "memory": 30.0}) == 6
    assert room_of(ray, {"CPU": 1.0, "GPU": 0.3, "memory": 1.0}) == 3


def test_a_cluster_of_another_version_names_both(tmp_path, cluster):
    code = f"""
import engine_tasks, ray
from eigentropy.ranking.engines import run_tasks
ours, ray.__version__ = ray.__version__, "2.9.0"
try:
    run_tasks(engine_tasks.number, {{"a": 1}}, {str(tmp_path)!r}, engine="ray", address={cluster!r})
except ConnectionError as error:
    print(ours, "|", error)
"""
    said = engine_tasks.finished(engine_tasks.program(code)).strip()
    ours, _, said = said.partition(" | ")
    assert names(said, f"Ray {ours}", "Ray 2.9.0", cluster)
    assert len(said.splitlines()) == 1


def test_an_address_where_nothing_answers_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(ConnectionError, match=naming(address)):
        connect(FakeRay(), address, None)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_an_address_where_something_else_listens_is_refused_before_ray_tries(monkeypatch, answer):
    monkeypatch.setattr(ray_cluster, "ANSWER", 0.2)
    ray = FakeRay()
    with ray_clusters.listener(answer) as address:
        with pytest.raises(ConnectionError, match=naming(address, "ray status", "ray start")):
            connect(ray, address, None)
        assert ray.started == {}
        monkeypatch.setenv("RAY_USE_TLS", "1")  # whose answer is not plain
        assert connect(ray, address, None)


class FakeRay:
    """Notes what it is started with."""

    def __init__(self):
        self.started = {}

    def is_initialized(self):
        return False

    def init(self, **options):
        self.started = options


@pytest.fixture
def no_cluster(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (tmp_path / "ray").mkdir()
    return tmp_path / "ray" / "ray_current_cluster"


@pytest.mark.parametrize("address", ["6379", "host", "host:port", ":6379", "ray://"])
def test_an_address_without_a_host_or_a_port_is_refused(no_cluster, address):
    with pytest.raises(ConnectionError, match=naming("address", repr(address), "host:port")):
        connect(FakeRay(), address, None)


def test_auto_without_a_cluster_is_refused_and_no_address_starts_one(no_cluster):
    with pytest.raises(ConnectionError, match=naming("auto", "RAY_ADDRESS", "local")):
        connect(FakeRay(), "auto", None)
    ray = FakeRay()
    assert connect(ray, None, 2)
    assert (ray.started["address"], ray.started["num_cpus"]) == (LOCAL, 2)


def test_what_an_earlier_cluster_has_left_behind_is_no_cluster(no_cluster):
    with ray_clusters.listener(ray_clusters.GREETING) as address:
        no_cluster.write_text(address)
        ray = FakeRay()
        connect(ray, None, None)
        assert ray.started["address"] == address
    connect(ray, None, None)
    assert ray.started["address"] == LOCAL
    with pytest.raises(ConnectionError, match=naming(address)):
        connect(ray, "auto", None)


def test_the_cluster_that_the_environment_names_is_taken_or_missed(no_cluster, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    for address in (None, "auto"):
        with pytest.raises(ConnectionError, match=naming("127.0.0.1:1")):
            connect(FakeRay(), address, None)


def test_a_ray_of_its_own_ends_with_a_killed_program(tmp_path, cluster):
    log = tmp_path / "log"
    process = engine_tasks.driver(tmp_path / "results", log, 50, 0.2, engine="ray", address=LOCAL)
    engine_tasks.until(lambda: len(engine_tasks.calls(log)) > 3)
    below = {
        one: Path(f"/proc/{one}/cmdline").read_text() for one in engine_tasks.below(process.pid)
    }
    # These report the end of Ray for a minute, to nobody, before they end themselves.
    agents = [one for one, command in below.items() if "Agent" in command]
    try:
        process.kill()
        process.communicate(timeout=engine_tasks.PATIENCE)
        assert len(below) > len(agents) + 2
        assert engine_tasks.ended(below.keys() - agents) == []
    finally:
        for one in agents:
            os.kill(one, signal.SIGKILL)

"""Long calls in real processes: Ctrl-C, progress, threads, fork, GIL, determinism."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import eigentropy as eg
from eigentropy import _core
from subprocesses import run_script

INTERRUPTED = """
    import os, signal, threading, time
    import numpy as np, eigentropy as eg

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it

    Z = np.random.default_rng(0).normal(size=({n}, {d}))
    labels = np.arange({n}) % 3
    sent = []

    def interrupt():
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    timers = []

    def report(done):  # Ctrl-C when the call has come so far, and is back in compiled code
        if done >= {after} and not timers:
            timers.append(threading.Timer(0.02, interrupt))
            timers[0].start()

    try:
        {call}
        print("finished 0")
    except KeyboardInterrupt:
        print("seconds", time.perf_counter() - sent[0])
    small = Z[:200]
    print("usable", float(eg.dse(small)) == float(eg.dse(small)) > 0)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "n", "d", "after"),
    [
        ("eg.dse(Z, sigma=20.0, progress=report)", 8000, 3000, 0.01),  # products of the kernel
        ("eg.dse(Z, sigma=300.0, progress=report)", 600, 60_000, 0.01),  # block after block
        ("eg.dse(Z, sigma=2.0, progress=report)", 8000, 4, 0.3),  # our eigenvalue solver
        ("eg.dsmi(Z, labels, sigma=2.0, progress=report)", 4200, 4, 0.6),  # the batch
        ("eg.eigvalsh(Z @ Z.T, overwrite=True, progress=report)", 5000, 4, 0.3),  # in place
        (
            "threading.Timer(1.0, interrupt).start(); "
            "eg.DiffusionOperator(Z, sigma=2.0).diffusion_map(2)",  # LAPACK, which reports nothing
            4000,
            4,
            0.0,
        ),
    ],
    ids=["kernel", "long-rows", "eigenvalues", "batch", "in-place", "diffusion-map"],
)
def test_ctrl_c_raises_keyboard_interrupt_within_a_second(call, n, d, after):
    stops_within_a_second(call, n, d, after)


# Libraries that report nothing, and would look at signals only when they are done.
SOON = "threading.Timer(0.7, interrupt).start(); "
LIBRARIES = {
    "spectral-clusters": ("sklearn.cluster", SOON + "eg.dsmi(Z, Z, sigma=2.0)", 3500, 50),
    "many-clusters": (
        "sklearn.cluster",
        SOON + "eg.dsmi(Z, Z, n_clusters=100, sigma=2.0)",
        3000,
        1000,
    ),
    "k-means": (
        "sklearn.cluster",
        SOON + "eg.dsmi(Z, Z, clusters='kmeans', n_clusters=100, sigma=2.0)",
        20_000,
        300,
    ),
    "tree": ("eigentropy.baselines.ksg", SOON + "eigentropy.baselines.ksg.entropy(Z)", 40_000, 12),
    "neighbour-graph": (
        "eigentropy.compat.dse_dsmi",
        SOON + "eigentropy.compat.dse_dsmi.adjacency_spectral_entropy(Z, use_knn=True)",
        2500,
        4,
    ),
    "products": (
        "eigentropy.baselines.spectral",
        SOON + "eigentropy.baselines.spectral.effective_rank(Z)",
        7000,
        7000,
    ),
    "loss": (  # when the kernel is there, and LAPACK begins
        "eigentropy.torch, torch",
        "rows = torch.from_numpy(Z).requires_grad_(); solve = torch.linalg.eigh; "
        "torch.linalg.eigh = lambda A: (threading.Timer(0.2, interrupt).start(), solve(A))[1]; "
        "eigentropy.torch.DiffusionSpectralEntropy(sigma=2.0, method='exact')(rows)",
        3000,
        4,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("module", "call", "n", "d"), LIBRARIES.values(), ids=LIBRARIES)
def test_ctrl_c_does_not_wait_for_a_library(module, call, n, d):
    for name in module.split(", "):
        pytest.importorskip(name)
    stops_within_a_second(f"import {module}; {call}", n, d, 0.0)


def stops_within_a_second(call, n, d, after):
    result = run_script(INTERRUPTED.format(call=call, n=n, d=d, after=after))
    assert result.returncode == 0, result.stderr
    word, seconds = result.stdout.splitlines()[0].split()
    assert word == "seconds", result.stdout
    assert float(seconds) < 1.0
    assert "usable True" in result.stdout


def test_progress_rises_to_1(rng):
    Z, long = rng.normal(size=(2000, 30)), rng.normal(size=(600, 5000))
    for call in (
        lambda report: eg.dse(Z, progress=report),
        lambda report: eg.dse(long, progress=report),
        lambda report: eg.dsmi(Z, np.arange(2000) % 4, progress=report),
        lambda report: eg.DiffusionOperator(Z, progress=report).trace(),
    ):
        seen = []
        call(seen.append)
        assert seen == sorted(seen)
        assert seen[-1] == 1.0
        assert all(0.0 <= done <= 1.0 for done in seen)


def test_a_failing_progress_callback_stops_the_call(rng):
    class StopNowError(Exception):
        pass

    def fail(done):
        raise StopNowError

    with pytest.raises(StopNowError):
        eg.dse(rng.normal(size=(2500, 100)), progress=fail)


def test_the_progress_bar_goes_to_stderr(rng, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")  # what Rich 13 reads instead
    eg.dse(rng.normal(size=(1500, 20)), progress=True)
    assert "diffusion spectrum" in stream.getvalue()


def test_the_gil_is_released(rng):
    Z = rng.normal(size=(2500, 20))
    ticks = []
    stop = threading.Event()

    def tick():
        while not stop.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    start = time.perf_counter()
    eg.dse(Z, sigma=3.0)
    elapsed = time.perf_counter() - start
    stop.set()
    thread.join()
    during = [t for t in ticks if start < t < start + elapsed]
    assert len(during) > 10


def test_python_threads_agree_with_one(rng):
    Z, labels = rng.normal(size=(700, 10)), np.arange(700) % 5
    entropy, information = float(eg.dse(Z)), float(eg.dsmi(Z, labels, n_null=4))
    with ThreadPoolExecutor(6) as pool:
        entropies = [pool.submit(eg.dse, Z) for _ in range(6)]
        informations = [pool.submit(eg.dsmi, Z, labels, n_null=4) for _ in range(6)]
        for job in entropies:
            assert float(job.result()) == pytest.approx(entropy, rel=1e-12)
        for job in informations:
            assert float(job.result()) == pytest.approx(information, rel=1e-9)


def _entropy_in_child(Z, queue):
    queue.put(float(eg.dse(Z, sigma=3.0)))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_computes_what_its_parent_does(rng):
    Z = rng.normal(size=(1600, 10))  # large enough for BLAS to have started its threads
    expected = float(eg.dse(Z, sigma=3.0))
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_entropy_in_child, args=(Z, queue))
    child.start()
    assert queue.get(timeout=60) == pytest.approx(expected, rel=1e-12)
    child.join(timeout=60)
    assert child.exitcode == 0


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_forked_during_a_batch_is_not_left_with_one_thread_or_a_lock(rng):
    Z, labels = rng.normal(size=(1200, 10)), np.arange(1200) % 3
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    worker = threading.Thread(target=eg.dsmi, args=(Z, labels))
    worker.start()
    time.sleep(0.1)
    child = context.Process(target=_entropy_in_child, args=(Z, queue))
    child.start()
    worker.join()
    assert queue.get(timeout=60) > 0
    child.join(timeout=60)
    assert child.exitcode == 0


def test_kernel_and_traces_are_bitwise_the_same_for_every_number_of_threads(rng):
    Z = rng.normal(size=(900, 40))
    threads = _core.thread_count()
    try:
        results = []
        for count in (1, 2, 5):
            _core.set_thread_count(count)
            A, trace, frobenius2, degrees = _core.matrix(Z, 3.0, 0.5, "float64")
            results.append((A.tobytes(), trace, frobenius2, degrees.tobytes()))
        assert results[0] == results[1] == results[2]
    finally:
        _core.set_thread_count(threads)


def test_results_are_the_same_to_rounding_for_every_number_of_threads(rng):
    Z, labels = rng.normal(size=(1700, 10)), np.arange(1700) % 3
    threads = _core.thread_count()
    try:
        values = []
        for count in (1, 2, 3):
            _core.set_thread_count(count)
            values.append((float(eg.dse(Z)), float(eg.dsmi(Z, labels, n_null=2))))
        np.testing.assert_allclose(values, [values[0]] * 3, rtol=1e-9)
    finally:
        _core.set_thread_count(threads)


def test_the_same_call_twice_gives_the_same_bits(rng):
    Z = rng.normal(size=(1600, 10))
    assert eg.dse(Z).eigenvalues.tobytes() == eg.dse(Z).eigenvalues.tobytes()


@pytest.mark.parametrize("variable", ["EIGENTROPY_NUM_THREADS", "OMP_NUM_THREADS"])
def test_the_environment_sets_the_number_of_threads(variable):
    environment = {"EIGENTROPY_NUM_THREADS": "", variable: "1"}
    result = run_script("from eigentropy import _core; print(_core.thread_count())", **environment)
    assert result.stdout.strip() == "1", result.stderr


@pytest.mark.parametrize("name", ["avx512", "avx2", "baseline"])
def test_every_instruction_set_of_this_machine_gives_the_same_entropy(name, rng):
    """A machine without the set falls back to its best one, which is then tested twice."""
    script = """
        import numpy as np, eigentropy as eg
        from eigentropy import _core
        Z = np.random.default_rng(0).normal(size=(400, 11))
        print(_core.instruction_set(), float(eg.dse(Z)), float(eg.dse(Z, dtype="float32")))
    """
    Z = np.random.default_rng(0).normal(size=(400, 11))
    result = run_script(script, EIGENTROPY_SIMD=name)
    assert result.returncode == 0, result.stderr
    _, double, single = result.stdout.split()
    assert float(double) == pytest.approx(float(eg.dse(Z)), rel=1e-12)
    assert float(single) == pytest.approx(float(eg.dse(Z)), rel=1e-5)


@pytest.mark.parametrize(("name", "active"), [("baseline", "baseline"), ("nonsense", "best")])
def test_the_environment_names_the_instruction_set_if_the_machine_has_it(name, active):
    def instruction_set(wanted):
        script = "from eigentropy import _core; print(_core.instruction_set())"
        return run_script(script, EIGENTROPY_SIMD=wanted).stdout.strip()

    assert instruction_set(name) == (instruction_set("") if active == "best" else active)


def test_importing_is_light():
    """No framework, no plotting, no clustering is imported before it is needed."""
    result = run_script(
        "import sys, eigentropy; "
        "print([m for m in ('torch','cupy','sklearn','scipy','matplotlib','pandas','pyarrow',"
        "'zarr') if m in sys.modules])"
    )
    assert result.stdout.strip() == "[]", result.stderr


@pytest.mark.slow
def test_exit_during_an_abandoned_solve_waits_for_it():
    """The signal comes when the matrix is there, and LAPACK, which cannot be stopped, has begun."""
    result = run_script("""
        import os, signal, threading
        import numpy as np, eigentropy as eg
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
        timers = []

        def report(done):
            if done >= 0.19 and not timers:  # of 0.2
                timers.append(threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGINT)))
                timers[0].start()

        Z = np.random.default_rng(0).normal(size=(3500, 4))
        operator = eg.DiffusionOperator(Z, sigma=2.0, progress=report)
        try:
            operator.diffusion_map(2)
        except KeyboardInterrupt:
            print("interrupted")
    """)
    assert result.stdout.strip() == "interrupted"
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_signal_handlers_of_the_caller_run_during_a_call(rng):
    """The signal comes 20 ms after the first report, when most of the work is still to be done."""
    reports, handled = [], []

    def handle(_, frame):
        handled.append((len(reports), frame.f_code.co_name))

    def report(done):
        reports.append(done)
        if len(reports) == 1:
            threading.Timer(0.02, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()

    previous = signal.signal(signal.SIGUSR1, handle)
    try:
        eg.dse(rng.normal(size=(3000, 10)), sigma=3.0, progress=report)
    finally:
        signal.signal(signal.SIGUSR1, previous)
    (reports_before, function) = handled[0]
    assert function != "report"  # it interrupted the compiled code
    assert reports_before < len(reports)  # which went on afterwards

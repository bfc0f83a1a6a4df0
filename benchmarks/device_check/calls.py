"""The two calls of the check, as steps with their limits.

A machine is lent for LEASE_SECONDS in all, which its start, the transfers and the time between the
calls are part of. Each call is one command. The limits add up to less than the time of the call,
and what a step leaves of its limit goes to the next one.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.device_check import chosen
from benchmarks.device_check.place import Place
from benchmarks.device_check.running import Step

LEASE_SECONDS = 900
START_SECONDS = 120
# Of a call: the working tree there and the results back.
TRANSFER_SECONDS = 30
# To read what the first call has found, while the machine waits.
BETWEEN_SECONDS = 30
# For the start of the program, and for its table, after which a call has ended.
MARGIN_SECONDS = 5
CALL_SECONDS = {"one": 330, "two": 300}

PYTHON_TESTS = (
    "tests/backends/test_cuda.py",
    "tests/backends/test_device_arrays.py",
    "tests/backends/test_plugin.py",
    "tests/cli/test_cuda_cli.py",
    "tests/benchmarks/test_gpu.py",
)
TORCH_TESTS = (
    "tests/torch/losses/test_modules.py",
    "tests/torch/losses/test_resolvents.py",
    "tests/torch/losses/test_threads.py",
)
# Monitors whose rows stay on the device, and those that measure in the background.
MONITOR_TESTS = (
    "tests/torch/monitoring/test_where.py",
    "tests/torch/monitoring/test_background.py",
)
# On the emulated device all of these take minutes.
FEW_TESTS = ("tests/backends/test_plugin.py",)
BUILD = "scripts/device_builds.sh"


def shared(place: Place) -> list[Step]:
    """What both calls begin with. What the first call has built is there in the second.

    The first import of torch reads gigabytes from the disk; meanwhile the GPU is at work.
    """
    modules = ("-c", "import torch, sklearn")
    return [
        # Some seconds; much longer where the carried programs do not run and are built anew.
        Step("programs", 250, ("bash", BUILD, "programs"), background=True),
        Step("packages", 90, ("bash", BUILD, "packages"), background=True),
        Step("warm", 60, (place.python, *modules), tools=("torch", "sklearn"), background=True),
        Step("describe", 5, ("bash", BUILD, "describe")),
    ]


def microbenchmarks(place: Place, name: str, limit: float, filter_: str) -> Step:
    if place.emulated:  # whose sizes are others
        filter_ = filter_.replace(chosen.PRODUCT_SIZES, "")
    size = ("--tiny",) if place.emulated else ()
    command = (
        place.microbenchmarks,
        f"--benchmark_filter={filter_}",
        f"--benchmark_out={place.file(name)}",
        "--benchmark_min_time=0.05",
        *size,
    )
    return Step(name, limit, command, needs=("programs",))


def beside_torch(place: Place, name: str, limit: float, **sizes: tuple[int, ...]) -> Step:
    """`benchmarks.gpu.beside_torch` with these sizes and nothing else."""
    options: list[str] = []
    for option in ("estimates", "entropies", "informations", "agreement", "costs"):
        several = option not in ("agreement", "costs")
        values = sizes.get(option, () if several else (0,))
        options += [f"--{option}", *map(str, map(place.rows, values))]
    return measured(place, name, limit, "benchmarks.gpu.beside_torch", "--rounds", "1", *options)


def measured(place: Place, name: str, limit: float, module: str, *arguments: str) -> Step:
    """A program of `benchmarks`."""
    output = ("--output", str(place.file(name)))
    command = (place.python, "-m", module, *arguments, *output)
    return Step(name, limit, command, needs=("packages",))


def pytest(
    place: Place,
    name: str,
    limit: float,
    files: tuple[str, ...],
    *options: str,
    tools: tuple[str, ...] = (),
) -> Step:
    """Warnings of other versions of the libraries are no failures."""
    quiet = ("-q", "-p", "no:cacheprovider", "-o", "filterwarnings=default")
    command = (place.python, "-m", "pytest", *quiet, *options, *files)
    return Step(name, limit, command, needs=("packages",), tools=tools)


def sanitized(place: Place, tool: str, limit: float) -> Step:
    # Tests ask for devices and for memory that are not there.
    options = ("--report-api-errors", "no") if tool == "memcheck" else ()
    command = (
        *("compute-sanitizer", "--tool", tool, "--error-exitcode", "1", *options),
        *(place.tests, "--gtest_brief=1", f"--gtest_filter={chosen.SANITIZED}"),
    )
    return Step(tool, limit, command, needs=("programs",), tools=("compute-sanitizer",))


def profiled(place: Place, name: str, limit: float, benchmark: str, kernel: str) -> Step:
    """The counters of one launch. The clocks are left as they are."""
    ncu = ("ncu", "--clock-control", "none", "--set", "full", "--launch-skip", "1")
    command = (
        *(*ncu, "--launch-count", "1", "--kernel-name", f"regex:{kernel}"),
        *(place.microbenchmarks, f"--benchmark_filter={benchmark}", "--benchmark_min_time=0.01"),
    )
    return Step(name, limit, command, needs=("programs",), tools=("ncu",))


def call_one(place: Place) -> list[Step]:
    """Whether it is right, and what the table of `holding` asks for.

    A million rows come last: they take longest, and get all the time that is left.
    """
    orders = [str(place.rows(n)) for n in (8000, 16000, 32000)]
    return [
        *shared(place),
        Step(
            *("cpp-tests", 25),
            (place.tests, "--gtest_brief=1", *(chosen.EMULATED if place.emulated else ())),
            needs=("programs",),
        ),
        microbenchmarks(place, "products", 25, chosen.PRODUCTS),
        microbenchmarks(place, "solvers", 35, chosen.SOLVERS),
        beside_torch(place, "agreement", 15, agreement=(1000,)),
        pytest(
            place,
            "python-tests",
            30,
            FEW_TESTS if place.emulated else PYTHON_TESTS,
            "--device",
            "cuda",
        ),
        beside_torch(place, "estimates", 30, estimates=(10000, 200000)),
        beside_torch(place, "entropies", 20, entropies=(10000,), informations=(10000,)),
        measured(place, "eigenvalues", 30, "benchmarks.gpu.eigenvalues", "--orders", *orders),
        beside_torch(place, "million", 105, estimates=(1000000,)),
    ]


def call_two(place: Place) -> list[Step]:
    """What takes a sanitizer or a profiler, gradients, and the rest of the microbenchmarks."""
    device = "cpu" if place.emulated else "cuda"
    gradients = ("--largest", "128", "--rounds", "1") if place.emulated else ("--rounds", "5")
    few = ("--samples", "64", "--rounds", "1", "--steps", "4")
    monitors = few if place.emulated else ("--samples", "512", "2048", "--rounds", "2")
    return [
        *shared(place),
        sanitized(place, "memcheck", 40),
        sanitized(place, "racecheck", 40),
        pytest(place, "torch-tests", 20, TORCH_TESTS, tools=("torch",)),
        pytest(place, "monitor-tests", 30, MONITOR_TESTS, tools=("torch",)),
        measured(
            *(place, "gradients", 25, "benchmarks.compare.torch_gradient"),
            *("--device", device, *gradients),
        ),
        measured(place, "monitor", 45, "benchmarks.compare.monitor_devices", *monitors),
        beside_torch(place, "costs", 15, costs=(8000,)),
        profiled(
            *(place, "profile-registers", 12),
            *(chosen.PROFILED_REGISTERS, chosen.REGISTER_KERNELS),
        ),
        profiled(
            *(place, "profile-warpgroups", 12),
            *(chosen.PROFILED_WARPGROUPS, chosen.WARPGROUP_KERNELS),
        ),
        profiled(place, "profile-kernel", 12, chosen.PROFILED_KERNEL, chosen.KERNEL_KERNELS),
        microbenchmarks(place, "microbenchmarks", 33, chosen.REST),
    ]


CALLS: dict[str, Callable[[Place], list[Step]]] = {"one": call_one, "two": call_two}

"""What the constants that only a GPU can settle should be."""

from __future__ import annotations

import json

from benchmarks.device_check import constants
from benchmarks.device_check.__main__ import report
from checked_calls import measured, passed


def test_constants_are_those_of_the_fastest_way(tmp_path, written, capsys):
    for name, content in measured().items():
        (written / f"{name}.json").write_text(json.dumps(content))
    report("one", tmp_path, passed("one"))
    constants.main([str(tmp_path / "results.json")])
    printed = capsys.readouterr().out
    assert "Costs(entry=12, eigenvalues=9, start=1e+12, soon=4e+13, kept=1.0)" in printed
    assert "products, float, n = 50000, d = 784, m = 64: registers (" in printed
    assert "solvers, float, n = 8000: eigenvalues_by_bisection (" in printed
    assert "n = 16000" not in printed  # which failed
    assert constants.text(constants.proposed({})) == ""


def products(**seconds):
    """Entries of Google Benchmark: seconds of float32 at two sizes, None where a way has failed."""
    return {
        "products": {
            "benchmarks": [
                {"name": f"matrix_free<float>/{way}/n:9/d:{d}/m:64/manual_time", "time_unit": "s"}
                | ({"error_occurred": True} if value is None else {"real_time": value})
                for way, values in seconds.items()
                for d, value in zip((128, 784), values, strict=True)
            ]
        }
    }


def test_a_way_to_multiply_pays_if_it_takes_less_time_at_all_sizes_together():
    ways = {"threads": (2, 9), "registers": (3, 5)}
    found = constants.product_tuning(products(**ways, warpgroups=(2, 7), warpgroups_at_once=(1, 6)))
    assert found == {"tensor_cores_pay": 1, "warpgroups_pay": 1, "warpgroups_take_turns": 0}
    found = constants.product_tuning(products(**ways, warpgroups=(3, 6), warpgroups_at_once=(4, 6)))
    assert found == {"tensor_cores_pay": 1, "warpgroups_pay": 0, "warpgroups_take_turns": 1}
    # On a device without warpgroups nothing is said about them.
    missing = products(**ways, warpgroups=(None, None), warpgroups_at_once=(None, None))
    assert constants.product_tuning(missing) == {"tensor_cores_pay": 1}
    assert "tuning.hpp: tensor_cores_pay = 1\n" in constants.text(constants.proposed(missing))
    assert constants.product_tuning({}) == {}


def solved(name, **seconds):
    """Entries of Google Benchmark: seconds of float32 and float64 by way."""
    return [
        {
            "name": f"{name}<{precision}>/{way}/manual_time",
            "real_time": value,
            "time_unit": "s",
        }
        for way, values in seconds.items()
        for precision, value in zip(("float", "double"), values, strict=True)
    ]


def at(n, entries):
    return [{**one, "name": one["name"].replace("/manual", f"/n:{n}/manual")} for one in entries]


def test_a_driver_is_taken_from_the_order_on_from_which_it_wins_in_both_precisions():
    drivers = ("values", "one_stage", "two_stages_32", "two_stages_64")
    seconds = {
        1000: ((1, 1), (2, 2), (3, 3), (4, 4)),
        4000: ((9, 9), (4, 10), (11, 11), (12, 12)),  # not in float64
        8000: ((20, 20), (9, 9), (10, 10), (11, 11)),
        16000: ((90, 90), (40, 40), (30, 30), (31, 31)),
    }
    entries = []
    for n, values in seconds.items():
        entries += at(n, solved("eigenvalues_by", **dict(zip(drivers, values, strict=True))))
    files = {"solvers": {"benchmarks": entries}}
    assert constants.solver_tuning(files) == {
        "one_stage_from": 8000,
        "two_stages_from": 16000,
        "wide_from": "never",
    }
    # One that was not measured, as a driver may refuse an order, does not win there.
    files["solvers"]["benchmarks"] = [
        one for one in entries if "two_stages" not in one["name"] or "n:16000" not in one["name"]
    ]
    assert constants.solver_tuning(files)["two_stages_from"] == "never"


def test_matrices_are_solved_together_up_to_the_order_up_to_which_it_pays():
    ways = ("one_by_one", "batched", "two_stages")
    seconds = {
        600: ((9, 9), (1, 1), (2, 2)),
        1000: ((9, 9), (5, 5), (4, 4)),
        2000: ((9, 9), (20, 20), (30, 30)),
    }
    entries = []
    for n, values in seconds.items():
        entries += at(n, solved("together_by", **dict(zip(ways, values, strict=True))))
    found = constants.solver_tuning({"microbenchmarks": {"benchmarks": entries}})
    assert found == {"largest_batched": 600, "largest_together": 1000}
    assert "largest_batched = 600, largest_together = 1000" in constants.text(
        {"solver_tuning": found}
    )

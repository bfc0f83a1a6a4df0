"""The calls of the device check, and files of their steps whose values all hold."""

from __future__ import annotations

from benchmarks.device_check import calls, holding
from benchmarks.device_check.place import Place
from benchmarks.device_check.running import Outcome

PLACE = Place()


def steps_of(call):
    return calls.CALLS[call](PLACE)


def gigabytes(n):
    return int(n * 2**30)


def measured():
    """Files of a call whose values all hold."""
    benchmark = {"run_type": "iteration", "iterations": 3, "time_unit": "ms"}
    products = [
        {
            **benchmark,
            "name": f"matrix_free<{way}/n:50000/d:{d}/m:{m}/manual_time",
            "real_time": milliseconds,
            "of_limit": share,
        }
        for way, milliseconds, share in (
            ("double>", 90.0, 0.45),
            ("float>/threads", 80.0, 0.9),
            ("float>/registers", 30.0, 0.5),
            ("float>/warpgroups", 35.0, 0.43),
            ("float>/warpgroups_at_once", 40.0, 0.38),
        )
        for d in (128, 784)
        for m in (32, 64)
    ]
    stochastic = {"case": "stochastic", "d": 128, "speed": {}, "differs": {}}
    peak = {"eigentropy": gigabytes(5)}
    return {
        "agreement": {
            "agreement": [
                {"data": "blobs", "dtype": "float64", "relative_difference": 1e-12},
                {"data": "blobs", "dtype": "float32", "relative_difference": 1e-6},
                {"data": "digits", "dtype": "float32", "relative_difference": 2e-6},
            ]
        },
        "estimates": {
            "cases": [
                {**stochastic, "n": 10000, "seconds": {"eigentropy": 0.02}, "peak_bytes": peak},
                {**stochastic, "n": 200000, "seconds": {"eigentropy": 2.0}, "peak_bytes": peak},
            ]
        },
        "million": {
            "cases": [
                {**stochastic, "n": 1000000, "seconds": {"eigentropy": 60.0}, "peak_bytes": peak}
            ]
        },
        "entropies": {
            "cases": [
                {
                    "case": "dse float64",
                    "n": 10000,
                    "d": 512,
                    "seconds": {"eigentropy": 1.0, "torch": 2.0},
                    "speed": {"torch": 2.0},
                    "peak_bytes": {"eigentropy": 2 * 8 * 10**8, "torch": 1},
                },
                {"case": "dsmi", "n": 10000, "d": 128, "speed": {"torch loop": 20.0}},
            ]
        },
        "products": {"benchmarks": products},
        "solvers": {
            "benchmarks": [
                {
                    **benchmark,
                    "name": "eigenvalues_alone<float>/n:8000/iterations:1/manual_time",
                    "real_time": 700.0,
                },
                {
                    **benchmark,
                    "name": "eigenvalues_by_bisection<float>/n:8000/iterations:1/manual_time",
                    "real_time": 500.0,
                },
                {
                    **benchmark,
                    "name": "tridiagonal<float>/n:8000/iterations:1/manual_time",
                    "real_time": 400.0,
                },
                {"name": "eigenvalues_alone<float>/n:16000/manual_time", "error_occurred": True},
            ]
        },
        "eigenvalues": {
            "cases": [
                {"n": 8000, "dtype": "float32", "seconds": {"eigentropy": 0.5, "torch": 0.7}},
                {"n": 32000, "dtype": "float64", "left_out": "too large"},
            ]
        },
        "costs": {"costs": {"entry": 12.0, "eigenvalues": 9.0, "start": 1e12, "soon": 4e13}},
    }


def passed(call):
    return [Outcome(step.name, "passed", 1.0, step.limit) for step in steps_of(call)]


def verdicts(files, outcomes=None, call="one"):
    found = holding.Findings(files, outcomes or passed(call))
    return {row.what: row.verdict for row in holding.ROWS[call](found)}

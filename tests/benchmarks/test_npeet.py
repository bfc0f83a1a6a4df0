"""benchmarks/compare/npeet.py runs, and writes what it prints. Not its figures."""

from __future__ import annotations

import json

from benchmarks.compare import npeet
from benchmarks.documents import tables
from eigentropy.compat import npeet as compat


def test_it_runs_beside_a_peer_and_compares_the_values(tmp_path, capsys):
    file = tmp_path / "npeet.json"
    npeet.main(["--output", str(file), "--rows", "400", "--rounds", "2"], peer=compat)
    found = json.loads(file.read_text())
    assert found == json.loads(capsys.readouterr().out)
    assert [case["function"] for case in found["cases"]] == [
        *npeet.CONTINUOUS,
        *npeet.DISCRETE,
        *npeet.MIXED,
    ]
    assert all(case["difference"] == 0.0 for case in found["cases"])
    assert all(len(s) == 2 for case in found["cases"] for s in case["seconds"].values())
    lines = tables.npeet({"npeet": found}).splitlines()
    assert len(lines) == 2 + len(found["cases"])
    assert "`entropy`" in lines[2]


def test_a_difference_is_seen():
    class Other:
        @staticmethod
        def entropy(x):
            return compat.entropy(x) + 1e-6

    case = npeet.beside("entropy", 30, {"eigentropy": compat, "NPEET": Other}, 1)
    assert 0.9e-6 < case["difference"] < 1.1e-6

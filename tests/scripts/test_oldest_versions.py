"""The oldest versions that pyproject.toml allows are those that are tested."""

from __future__ import annotations

import oldest_versions
import pytest

PROJECT = {
    "project": {
        "dependencies": ["numpy>=1.24", "rich>=13"],
        "optional-dependencies": {"one": ["scipy>=1.9", "numpy>=1.25"], "all": ["x[one]"]},
    }
}


def test_the_highest_bound_of_a_package_counts():
    found = oldest_versions.oldest(oldest_versions.requirements(PROJECT, ["one"]))
    assert found == {"numpy": "1.25", "rich": "13", "scipy": "1.9"}
    assert oldest_versions.oldest(oldest_versions.requirements(PROJECT, []))["numpy"] == "1.24"


def test_an_unknown_extra_and_an_entry_without_a_bound_are_errors():
    with pytest.raises(SystemExit, match="two"):
        oldest_versions.requirements(PROJECT, ["two"])
    with pytest.raises(SystemExit, match="x\\[one\\]"):
        oldest_versions.oldest(oldest_versions.requirements(PROJECT, ["all"]))


def test_what_is_installed_instead_is_named():
    bounds = {"numpy": "1.24", "rich": "13", "torch": "2.4"}
    assert oldest_versions.check(bounds, "numpy==1.24.0\nrich==13.0.0\ntorch==2.4.0+cpu\n") == []
    problems = oldest_versions.check(bounds, "numpy==1.24.1\nrich==13.0.0\n")
    assert [problem.split()[0] for problem in problems] == ["numpy", "torch"]

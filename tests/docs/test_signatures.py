"""Every public option has one name and one default, or a reason why not."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="eigentropy.torch is part of the table")

from scripts import print_signatures


def test_each_default_that_differs_has_a_reason():
    assert set(print_signatures.differing()) == set(print_signatures.REASONS)


def test_the_usual_default_is_that_of_most_functions():
    assert print_signatures.usual({"1": ["a", "b"], "2": ["c"]}) == "1"
    assert print_signatures.usual(print_signatures.options()["n_null"]) == "'auto'"


def test_the_table_shows_defaults_that_differ_with_their_reason():
    (line,) = (one for one in print_signatures.table().splitlines() if one.startswith("| `n_null`"))
    assert "| `'auto'` |" in line
    assert print_signatures.REASONS["eigentropy.torch.Monitor", "n_null"] in line


@pytest.mark.parametrize("former", ["clustering", "max_point", "batch", "nnull"])
def test_no_function_has_a_former_name_of_an_option(former):
    assert former not in print_signatures.options()

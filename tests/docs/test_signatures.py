"""Every public option has one name and one default, or a reason why not."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="eigentropy.torch is part of the table")

from scripts import print_signatures


def test_each_default_that_differs_has_a_reason():
    assert set(print_signatures.differing()) == set(print_signatures.REASONS)


def test_the_usual_default_is_that_of_most_functions():
    assert print_signatures.usual({"1": ["a", "b"], "2": ["c"]}) == "1"
    assert print_signatures.usual(print_signatures.options()["n_null"]) == "20"


def test_the_table_has_a_line_for_each_option():
    lines = print_signatures.table().splitlines()[2:]
    assert len(lines) == len(print_signatures.options()) > 30


@pytest.mark.parametrize("former", ["clustering", "max_point", "batch", "nnull"])
def test_no_function_has_a_former_name_of_an_option(former):
    assert former not in print_signatures.options()
    assert Path(print_signatures.__file__).exists()

"""The command takes the orders of an entropy that the library takes, and refuses them alike."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from eigentropy._support.options import renyi_order
from eigentropy.cli import commands


@settings(max_examples=60, deadline=None)
@given(order=st.floats(allow_nan=True, allow_infinity=True))
def test_the_command_takes_the_orders_that_the_library_takes(order):
    try:
        renyi_order(order)
    except ValueError as error:
        said = str(error)
    else:
        said = "nope.npy"  # the order is good, and the file is missing
    args = ["measure", "nope.npy", "--kernel", f"--order={order!r}"]
    result = CliRunner().invoke(commands.app, args)
    assert result.exit_code == 2
    assert said in result.stderr

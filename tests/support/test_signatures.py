"""An option or a name that does not exist is answered by the one that was probably meant."""

from __future__ import annotations

import inspect

import pytest

from eigentropy._support.signatures import (
    arguments_called,
    missing_name,
    named_options,
    nearest,
    option_names,
    unknown_option,
)

KNOWN = ("sigma", "max_points", "batch_size")


@named_options(evaluation="Evaluation(n)")
def measure(Z, *, sigma=1.0, max_points=None):
    """Measure."""
    return Z, sigma, max_points


class Source:
    @named_options()
    def __init__(self, x, batch_size=64):
        self.x, self.batch_size = x, batch_size


def test_an_unknown_option_names_the_nearest():
    error = unknown_option("dse", "max_point", KNOWN)
    assert isinstance(error, TypeError)
    assert "dse" in str(error)
    assert "'max_point'" in str(error)
    assert "'max_points'" in str(error)
    assert "sigma" not in str(error)


def test_an_option_that_is_like_no_other_gets_the_list():
    text = str(unknown_option("dse", "zzz", KNOWN))
    assert all(name in text for name in KNOWN)


def test_an_old_option_names_the_new_one():
    assert "Evaluation(n)" in str(
        unknown_option("Monitor", "evaluation", KNOWN, {"evaluation": "Evaluation(n)"})
    )


def test_an_option_that_is_near_to_an_old_one_names_the_new_one():
    assert "Evaluation(n)" in str(
        unknown_option("Monitor", "evaluations", KNOWN, {"evaluation": "Evaluation(n)"})
    )


def test_known_options_reach_the_function():
    assert measure(3, max_points=5) == (3, 1.0, 5)
    assert Source(1, batch_size=2).batch_size == 2


@pytest.mark.parametrize(
    ("call", "name", "meant"),
    [
        (lambda: measure(1, max_point=2), "measure", "'max_points'"),
        (lambda: measure(1, evaluation=2), "measure", "Evaluation(n)"),
        (lambda: Source(1, batch=2), "Source", "'batch_size'"),
    ],
)
def test_a_decorated_function_answers_unknown_options(call, name, meant):
    with pytest.raises(TypeError) as error:
        call()
    assert str(error.value).startswith(name)
    assert meant in str(error.value)


def test_a_decorated_function_keeps_its_signature_and_its_docstring():
    assert list(inspect.signature(measure).parameters) == ["Z", "sigma", "max_points"]
    assert measure.__doc__ == "Measure."
    assert option_names(Source.__init__) == {"x", "batch_size"}


def test_missing_arguments_are_python_s_business():
    with pytest.raises(TypeError, match="Z"):
        measure()


def test_an_old_name_of_a_module_says_the_new_one_also_where_it_is_imported():
    error = missing_name("package", "Old", {"Old": "New"})
    assert isinstance(error, ImportError)
    assert "New" in str(error)


def test_another_name_is_an_attribute_error():
    assert isinstance(missing_name("package", "Other", {"Old": "New"}), AttributeError)


@pytest.mark.parametrize(
    ("given", "meant"),
    [("y", "Y"), ("Sigma", "sigma"), ("MAX_POINT", "max_points"), ("zzz", None)],
)
def test_the_nearest_name_whatever_its_case(given, meant):
    assert nearest(given, ("Y", *KNOWN)) == meant


@pytest.mark.parametrize("error", [ValueError, TypeError])
def test_errors_from_within_name_arguments_as_the_caller_does(error):
    with pytest.raises(error) as caught, arguments_called(Z="rows[0]", Y="Z"):
        raise error("Z has 3 rows, Y 4: pass Z.real, not Z_2, 'Z' or eg.Z")
    assert str(caught.value) == "rows[0] has 3 rows, Z 4: pass rows[0].real, not Z_2, 'Z' or eg.Z"


def test_errors_of_other_classes_stay_as_they_are():
    class OwnError(ValueError):
        pass

    for error in (OwnError, KeyError):
        with pytest.raises(error, match="Z is"), arguments_called(Z="X"):
            raise error("Z is")

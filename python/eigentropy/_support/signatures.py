"""Errors for options and names that do not exist, and errors in the names that a caller knows."""

from __future__ import annotations

import difflib
import functools
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_NOTHING: Mapping[str, str] = MappingProxyType({})


def nearest(given: str, known: Iterable[str]) -> str | None:
    """The known name that is nearest to a misspelt one, whatever its case; None if none is near."""
    by_spelling = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(given.casefold(), by_spelling, n=1)
    return by_spelling[near[0]] if near else None


def unknown_option(
    function: str, given: str, known: Iterable[str], renamed: Mapping[str, str] = _NOTHING
) -> TypeError:
    """The error for an option that a function does not have.

    Parameters
    ----------
    function : str
        Name of the function or class, as the caller writes it.
    given : str
        The option that it does not have.
    known : iterable of str
        The options that it has.
    renamed : mapping of str to str
        From options that it had once to what takes their place, as the caller writes it.
    """
    options = sorted(known)
    meant = given if given in renamed else nearest(given, [*options, *renamed])
    if meant is None:
        advice = f"its options are {', '.join(options)}"
    elif meant in renamed:
        advice = f"use {renamed[meant]}"
    else:
        advice = f"the nearest is {meant!r}"
    return TypeError(f"{function} has no option {given!r}; {advice}")


def check_options(
    function: str,
    given: Iterable[str],
    known: Iterable[str],
    renamed: Mapping[str, str] = _NOTHING,
) -> None:
    """Raise `unknown_option` for the first option that is not known."""
    names = frozenset(known)
    for name in given:
        if name not in names:
            raise unknown_option(function, name, names, renamed)


def check_case(function: str, given: Iterable[str], own: Iterable[str]) -> None:
    """Refuse options that are passed on, where only their case tells them from the function's own.

    So ``y=`` is answered by Y, and not by what lacks Y.
    """
    names = frozenset(own)
    spellings = {name.casefold() for name in names}
    for name in given:
        if name.casefold() in spellings:
            raise unknown_option(function, name, names)


def option_names(function: Callable[..., object]) -> frozenset[str]:
    """The parameters that a caller may pass by name, without `self`."""
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(function).parameters.values()
    return frozenset(p.name for p in parameters if p.kind in by_name) - {"self"}


def named_options(**renamed: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function or an ``__init__``: an unknown option is answered by the nearest one.

    Python's own error does not say which options there are.

    Parameters
    ----------
    **renamed : str
        From options that the function had once to what takes their place.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        known = option_names(function)

        @functools.wraps(function)
        def checked(*args: P.args, **options: P.kwargs) -> R:
            if not known.issuperset(options):
                check_options(_shown_name(function, args), options, known, renamed)
            return function(*args, **options)

        return checked

    return decorate


@contextmanager
def arguments_called(**names: str) -> Iterator[None]:
    """Let errors from within name arguments as the caller knows them.

    Parameters
    ----------
    **names : str
        From arguments of the functions that are called, such as Z, to what the caller calls them.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        if type(error) not in (TypeError, ValueError):  # another class: of other arguments
            raise
        argument = re.compile(rf"(?<![\w'.])({'|'.join(names)})(?!\w)")
        error.args = (argument.sub(lambda found: names[found.group()], str(error)),)
        raise


def _shown_name(function: Callable[..., object], args: tuple[object, ...]) -> str:
    """The name that the caller wrote: of the class, which may be a subclass, for an `__init__`."""
    if function.__name__ == "__init__":
        return type(args[0]).__name__
    return function.__name__


def missing_name(module: str, given: str, renamed: Mapping[str, str] = _NOTHING) -> Exception:
    """The error for a name that a module does not have, for its ``__getattr__``.

    Of a name that the module had once it is an `ImportError`: Python replaces the message of an
    `AttributeError` in ``from module import name`` by its own.
    """
    if given in renamed:
        return ImportError(f"{module} has no {given!r} any more; use {renamed[given]}")
    return AttributeError(f"module {module!r} has no attribute {given!r}")

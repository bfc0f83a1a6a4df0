"""What a comparison consists of: contenders, the cases in which they take turns, and suites."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Contender:
    name: str
    # Distributions that it needs; the first is the library that the tables group it under.
    needs: tuple[str, ...]
    spec: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)
    # Contenders that name the same thing give the same answer; None: no answer is kept.
    answer: str | None = "answer"
    # Of its answer; see rounds.difference.
    tolerance: float = 10.0
    # The tolerance is of the difference as a share of the reference.
    relative: bool = False
    # Only its answer is wanted: it takes part in the first round alone.
    once: bool = False


@dataclass(frozen=True)
class Case:
    parameters: dict[str, Any]
    contenders: list[Contender]
    # Writes the input file; None where there is none.
    write_input: Callable[[Path], None] | None = None
    # Slow contenders may be dropped on the evidence of the case before with the same value of this;
    # without one, nobody is.
    series: str = ""
    # Of one call of a contender of which no time is stored; for the plan.
    guess: float = 0.1
    # Only the memory of the first call is wanted: there are no rounds after it.
    memory_only: bool = False


@dataclass(frozen=True)
class Suite:
    cases: Callable[[list[int]], Iterator[Case]]
    # n of the default form, which has 20 minutes for all suites, and what --full measures.
    sizes: tuple[int, ...]
    full_sizes: tuple[int, ...]

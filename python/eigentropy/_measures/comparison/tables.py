"""How a comparison prints: tables, and sentences about those that do not differ."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from eigentropy._measures.comparison.layout import Table, aligned, html_table, title
from eigentropy._measures.comparison.several import Compared, Pair
from eigentropy._measures.comparison.ties import Group, letters, runs
from eigentropy._support.interval import percent

# Of more differences only these are printed, those with the smallest p-values.
MOST_PRINTED = 40


def text(several: Compared) -> str:
    """Both tables and the sentences."""
    lines = [
        _heading(several),
        "",
        *aligned(values(several)),
        "",
        *aligned(differences(several)),
        *_left_out(several),
        "",
        *sentences(several),
    ]
    return "\n".join(lines)


def html(several: Compared) -> str:
    """The same for a notebook."""
    parts = [
        f"<div>{escape(_heading(several))}</div>",
        html_table(values(several)),
        html_table(differences(several)),
        *(f"<div>{escape(line)}</div>" for line in [*_left_out(several), *sentences(several)]),
    ]
    return f'<div style="color: inherit">{"".join(parts)}</div>'


def _heading(several: Compared) -> str:
    rows = sorted({n for one in several.differences.values() for n in one.n})
    counts = f"{rows[0]}" if len(rows) == 1 else f"{rows[0]} to {rows[-1]}"
    paired = {one.paired for one in several.differences.values()}
    how = {True: "paired", False: "unpaired"}
    kinds = " and ".join(how[one] for one in sorted(paired, reverse=True))
    what = title(several.measure, several.base)
    return f"{what}: {len(several.values)} representations of {counts} rows, {kinds}"


def values(several: Compared) -> Table:
    """One line for each value; of all pairs with the letters of its groups."""
    with_letters = several.against is None and several.pairs == "all"
    marks = letters(several.groups(), len(several.values)) if with_letters else []
    rows: Table = [("", "value", "sampling error", *(["group"] if marks else []))]
    for number, (name, value) in enumerate(several.values.items()):
        error = several.errors[name][0]
        rows.append((str(name), f"{value:.6g}", f"{error:.2g}", *marks[number : number + 1]))
    return rows


def differences(several: Compared) -> Table:
    """One line for each difference, or for those that are the surest."""
    rows: Table = [
        ("", "", "difference", f"{percent(several.level)} interval", "p", "p (Holm)", "differ")
    ]
    for (a, b), one in several.differences.items():
        if (a, b) in _printed(several):
            low, high = one.interval()
            ends, p = f"{low:.4g} to {high:.4g}", several.p_values[a, b]
            is_sure = "yes" if several.differs(a, b) else "no"
            numbers = f"{one.value:.4g}", ends, f"{one.p_value:.2g}", f"{p:.2g}"
            rows.append((str(a), str(b), *numbers, is_sure))
    return rows


def marks(several: Compared) -> tuple[list[str], str]:
    """What a figure has beside each name, and what that says: letters, or = for no difference."""
    names = several.names
    if several.against is not None:
        tied = _tied_with_one(several)
        found = ["=" if number in tied else "" for number in range(len(names))]
        return found, f"= does not differ from {several.against}"
    if several.pairs == "neighbours":
        found = ["" if several.differs(*pair) else "=" for pair in pairwise(names)]
        return ["", *found], "= does not differ from the one above"
    return letters(several.groups(), len(names)), "two differ exactly if they share no letter"


def _printed(several: Compared) -> set[Pair]:
    surest = sorted(several.differences, key=lambda pair: several.differences[pair].p_value)
    return set(surest[:MOST_PRINTED])


def _left_out(several: Compared) -> list[str]:
    more = len(several.differences) - MOST_PRINTED
    return [f"and {more} more with larger p: to_rows() has all"] if more > 0 else []


def sentences(several: Compared) -> list[str]:
    """Which do not differ, in words."""
    names = [str(name) for name in several.names]
    if several.against is not None:
        return _about_one(several, names)
    found = [group for group in several.groups() if len(group) > 1]
    if several.pairs == "neighbours":
        return [_about_run(names, run) for run in found] or ["each differs from the next"]
    return [f"{_listed(names, group)} do not differ" for group in found] or ["all differ"]


def _about_run(names: Sequence[str], run: Group) -> str:
    if len(run) == 2:
        return f"{_listed(names, run)} do not differ"
    return f"{_listed(names, run)}: none differs from the next"


def _tied_with_one(several: Compared) -> list[int]:
    """The numbers of those that do not differ from the one with which all were compared."""
    one = several.against
    return [
        number
        for number, name in enumerate(several.names)
        if one is not None and name != one and not several.differs(one, name)
    ]


def _about_one(several: Compared, names: Sequence[str]) -> list[str]:
    one, since = str(several.against), several.changed_at
    tied = _tied_with_one(several)
    if not tied:
        return [f"all differ from {one}"]
    verb = "does" if len(tied) == 1 else "do"
    lines = [f"{_listed(names, tied)} {verb} not differ from {one}"]
    return lines if since is None else [*lines, f"from {since} on all differ from {one}"]


def _listed(names: Sequence[str], group: Sequence[int]) -> str:
    """The names of a group; three or more in a row by the first and the last."""
    parts: list[str] = []
    tied = [later == one + 1 for one, later in pairwise(group)]
    for run in runs(tied):
        ends = [names[group[place]] for place in (run[0], run[-1])]
        in_full = [names[group[place]] for place in run]
        parts += [" to ".join(ends)] if len(run) > 2 else in_full
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"

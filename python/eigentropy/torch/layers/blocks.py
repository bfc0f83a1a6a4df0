"""The blocks of a transformer: the longest list of equal modules."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from eigentropy.torch.monitoring.layers import unwrapped

# This many names are shown where there are no blocks.
SHOWN_NAMES = 5


def find_blocks(model: torch.nn.Module) -> list[str]:
    """The names of the blocks of a model, in their order.

    They are the longest `ModuleList`, or `Sequential` of modules with parts, whose entries are all
    of one class; what is inside of the entries of a list does not count, as lists of experts. Of
    lists of one length the first is taken: the encoder's before the decoder's.

    Raises
    ------
    ValueError
        There is no such list; the message has the names of the parts.
    """
    found = max(_lists(model, ""), key=len, default=None)
    if found is None:
        parts = [name for name, _ in model.named_children()]
        shown = ", ".join(map(repr, parts[:SHOWN_NAMES])) + ", ..." * (len(parts) > SHOWN_NAMES)
        raise ValueError(
            f"layers='auto': this {type(model).__name__} has no list of equal blocks, and so no "
            f"hidden states that can be told; give layers=, names or patterns of its parts "
            f"({shown or 'none'})"
        )
    return found


def _lists(module: torch.nn.Module, name: str) -> Iterator[list[str]]:
    """Of each list of equal modules, the names of these."""
    entries = dict(module.named_children())
    if entries and _is_list(module):
        if len({type(unwrapped(one)) for one in entries.values()}) == 1:
            yield [name + part for part in entries]
        return
    for part, child in entries.items():
        inside = "" if part == "_orig_mod" else f"{part}."  # a part that torch.compile has wrapped
        yield from _lists(child, name + inside)


def _is_list(module: torch.nn.Module) -> bool:
    if isinstance(module, torch.nn.ModuleList):
        return True
    with_parts = all(any(True for _ in one.children()) for one in module.children())
    return isinstance(module, torch.nn.Sequential) and with_parts

"""Which modules of a model a reservoir hooks: its layers, and the parts that hold all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from eigentropy.torch.layers.blocks import find_blocks
from eigentropy.torch.layers.states import block_names, chosen_names, is_of_hidden_states
from eigentropy.torch.monitoring.layers import Layers, as_sequence, find_layers, unwrapped

# What goes into the first block.
EMBEDDING = "embedding"


@dataclass(frozen=True)
class Targets:
    """What is hooked.

    Attributes
    ----------
    chain : list of modules
        The model, and inside of it the parts in which all layers are, from the outermost.
    layers : dict of str to module
        Of a layer that is compiled by itself, the wrapper: its hooks are called in any case.
    first : module or None
        Whose input is a layer of its own.
    blocks : dict of str to str
        The names of the blocks as modules, by those that they have as hidden states.
    """

    chain: list[torch.nn.Module]
    layers: dict[str, torch.nn.Module]
    first: torch.nn.Module | None
    blocks: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Of all layers."""
        return [*([] if self.first is None else [EMBEDDING]), *self.layers]


def find_targets(model: torch.nn.Module, layers: Layers) -> Targets:
    """The modules behind the argument `layers`.

    Raises
    ------
    TypeError, ValueError
        See `find_layers` and `find_blocks`.
    """
    root = unwrapped(model)
    automatic = isinstance(layers, str) and layers == "auto"
    blocks = _blocks(root, automatic)
    hidden = [EMBEDDING, *blocks]
    modules, chosen = ([], hidden) if automatic else _wanted(root, layers, hidden)
    begins = list(blocks.values())[: EMBEDDING in chosen]
    modules += [blocks[name] for name in chosen if name != EMBEDDING]
    found = find_layers(root, modules) if modules or not begins else {}
    around = {**(find_layers(root, begins) if begins else {}), **found}
    compiled = {unwrapped(one): one for one in root.modules() if hasattr(one, "_orig_mod")}
    hooked = {name: compiled.get(module, module) for name, module in around.items()}
    chain = _chain(root, list(around))
    _check_side(chain, around)
    first = hooked[begins[0]] if begins else None
    return Targets(chain, {name: hooked[name] for name in found}, first, blocks)


def _blocks(root: torch.nn.Module, needed: bool) -> dict[str, str]:
    """The blocks by their names as hidden states; none where they are not known nor needed."""
    try:
        found = find_blocks(root)
    except ValueError:
        if needed:
            raise
        return {}
    return dict(zip(block_names(1 + len(found))[1:], found, strict=True))


def _wanted(
    root: torch.nn.Module, layers: Layers, hidden: Sequence[str]
) -> tuple[list[str], list[str]]:
    """The names of modules, and those of hidden states, which are what matches no module."""
    modules: list[str] = []
    states: list[str] = []
    for one in as_sequence(layers):
        try:
            modules += find_layers(root, one)
        except ValueError:
            if len(hidden) == 1 or not isinstance(one, str) or not is_of_hidden_states(one):
                raise
            states += chosen_names(hidden, [one])
    return modules, states


def _check_side(chain: list[torch.nn.Module], layers: Mapping[str, torch.nn.Module]) -> None:
    """Refuse layers of an encoder beside those of its decoder, which has other tokens."""
    for whole in chain:
        sides = [getattr(whole, name, None) for name in ("get_encoder", "get_decoder")]
        if not all(sides) or not getattr(getattr(whole, "config", None), "is_encoder_decoder", 0):
            continue
        encoder, decoder = (set(side().modules()) for side in sides if side is not None)
        read = [name for name, module in layers.items() if module in encoder - decoder]
        made = [name for name, module in layers.items() if module in decoder - encoder]
        if read and made:
            raise ValueError(
                f"layers: {read[0]!r} has the tokens of the encoder, {made[0]!r} those of the "
                "decoder: make a reservoir for each"
            )


def _chain(root: torch.nn.Module, names: list[str]) -> list[torch.nn.Module]:
    """The root, and its parts on the way to what all names have in common."""
    paths = [name.split(".")[:-1] for name in names]
    shared = 0
    while all(len(path) > shared and path[shared] == paths[0][shared] for path in paths):
        shared += 1
    chain = [root]
    for part in paths[0][:shared]:
        chain.append(unwrapped(getattr(chain[-1], part)))
    return chain

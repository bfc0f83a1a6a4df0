"""Formulas as MathML: browsers show it by themselves, also where there is no network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from docutils.nodes import SkipNode
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

ElementTree.register_namespace("", "http://www.w3.org/1998/Math/MathML")

# With an index or a limit the name of a function comes first.
SCRIPTS = {"msub", "msup", "msubsup", "munder", "mover", "munderover"}
THIN = "0.1667em"

# In a displayed formula their index stands below.
LIMITS = {"max", "min", "inf", "sup", "lim"}


def mathml(tex: str, display: str) -> str:
    """The formula, with the names of functions as TeX sets them: upright, between thin spaces."""
    formula = ElementTree.fromstring(convert(tex, display=display))
    elements = list(formula.iter())
    functions = [element for element in elements if _is_function(element)]
    for element in functions:
        element.tag = element.tag[:-2] + "mi"
        element.set("mathvariant", "normal")
    for element in elements:
        if _name(element) not in SCRIPTS:
            _space_out(element, functions)
        elif display == "block" and element[0].text in LIMITS:
            element.tag = element.tag.replace("msub", "munder")
    return ElementTree.tostring(formula, encoding="unicode")


def _is_function(element: Any) -> bool:
    """Whether it is a name such as log, which the converter takes for an operator or a letter."""
    text = element.text or ""
    return text.isalpha() and (
        (_name(element) == "mo" and text.isascii()) or (_name(element) == "mi" and len(text) > 1)
    )


def _space_out(row: Any, functions: Sequence[Any]) -> None:
    children = list(row)
    for number in range(len(children) - 1, 0, -1):
        pair = children[number - 1 : number + 1]
        if any(_base(one) in functions for one in pair) and not any(map(_is_operator, pair)):
            row.insert(number, row.makeelement("mspace", {"width": THIN}))


def _base(element: Any) -> Any:
    return element[0] if _name(element) in SCRIPTS else element


def _is_operator(element: Any) -> bool:
    return _name(_base(element)) in ("mo", "mspace")


def _name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _visit_inline(self: HTML5Translator, node: Any) -> None:
    self.body.append(mathml(node.astext(), "inline"))
    raise SkipNode


def _visit_block(self: HTML5Translator, node: Any) -> None:
    self.body.append(f'<div class="math-block">{mathml(node.astext(), "block")}</div>\n')
    raise SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Register it as `html_math_renderer`."""
    app.add_html_math_renderer("mathml", (_visit_inline, None), (_visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}

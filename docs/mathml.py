"""Formulas as MathML: browsers show it by themselves, also where there is no network."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from latex2mathml.converter import convert_to_element

# With an index or a limit the name of a function comes first.
SCRIPTS = {"msub", "msup", "msubsup", "munder", "mover", "munderover"}
THIN = "0.1667em"

# Without spaces around them.
TIGHT = {"|", "\N{DOUBLE VERTICAL LINE}", "/"}

# In a displayed formula their index stands below.
LIMITS = {"max", "min", "inf", "sup", "lim"}


def mathml(tex: str, display: str) -> str:
    """The formula, with the names of functions as TeX sets them: upright, between thin spaces."""
    formula = convert_to_element(tex.replace("{aligned}", "{align*}"), display=display)
    elements = list(formula.iter())
    for element in elements:
        element.text = element.text and html.unescape(element.text)
        if element.text in TIGHT:
            element.attrib.update(lspace="0", rspace="0")
        if "columnalign" in element.attrib:  # which browsers leave to styles
            element.set("class", element.attrib.pop("columnalign"))
    functions = [element for element in elements if _is_function(element)]
    for element in functions:
        element.tag = "mi"
        element.set("mathvariant", "normal")
    for element in elements:
        if element.tag not in SCRIPTS:
            _space_out(element, functions)
        elif display == "block" and element[0].text in LIMITS:
            element.tag = element.tag.replace("msub", "munder")
    return ElementTree.tostring(formula, encoding="unicode")


def _is_function(element: Any) -> bool:
    """Whether it is a name such as log, which the converter takes for an operator or a letter."""
    text = element.text or ""
    return text.isalpha() and (
        (element.tag == "mo" and text.isascii()) or (element.tag == "mi" and len(text) > 1)
    )


def _space_out(row: Any, functions: Sequence[Any]) -> None:
    children = list(row)
    for number in range(len(children) - 1, 0, -1):
        pair = children[number - 1 : number + 1]
        if any(_base(one) in functions for one in pair) and not any(map(_is_operator, pair)):
            row.insert(number, row.makeelement("mspace", {"width": THIN}))


def _base(element: Any) -> Any:
    return element[0] if element.tag in SCRIPTS else element


def _is_operator(element: Any) -> bool:
    return _base(element).tag in ("mo", "mspace")


def setup(app: Any) -> dict[str, Any]:
    """Register the renderer for Sphinx's `html_math_renderer`."""
    from docutils.nodes import SkipNode  # the tests of the formulas do without Sphinx

    def inline(translator: Any, node: Any) -> None:
        translator.body.append(mathml(node.astext(), "inline"))
        raise SkipNode

    def block(translator: Any, node: Any) -> None:
        formula = mathml(node.astext(), "block")
        translator.body.append(f'<div class="math-block">{formula}</div>\n')
        raise SkipNode

    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""What `make docs` checks of the pages that it has built, and how formulas are written."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]


def loaded(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check_pages = loaded(ROOT / "scripts" / "check_pages.py")

PAGE = '<html><head>{head}</head><body id="top">{body}</body></html>'


@pytest.fixture
def built(tmp_path):
    """Writes a page and a style, and returns the faults of the folder."""

    def faults(head="", body="", style=""):
        (tmp_path / "index.html").write_text(PAGE.format(head=head, body=body))
        (tmp_path / "other.html").write_text(PAGE.format(head="", body='<p id="a b">'))
        (tmp_path / "site.css").write_text(style)
        return list(check_pages.faults(tmp_path))

    return faults


def test_a_page_of_its_own_files_has_no_faults(built):
    head = (
        '<link rel="stylesheet" href="site.css"><script src="a.js"></script>'
        '<link rel="canonical" href="https://example.org/"><style>p { color: red }</style>'
    )
    links = "other.html#a%20b", "#top", "site.css", "https://example.org/", "mailto:a@example.org"
    body = "".join(f'<a href="{link}">x</a>' for link in links)
    image = '<img src="data:image/png;base64,x">'
    assert built(head, body + image, "@font-face { src: url('a.woff2') }") == []


@pytest.mark.parametrize(
    "parts",
    [
        {"head": '<script src="https://example.org/a.js"></script>'},
        {"head": '<script src="//example.org/a.js"></script>'},
        {"head": '<link rel="stylesheet" href="https://example.org/a.css">'},
        {"head": '<link rel="preload" href="https://example.org/a.woff2">'},
        {"head": "<style>@import 'https://example.org/a.css';</style>"},
        {"body": '<img src="https://example.org/a.png">'},
        {"body": '<p style="background: url(https://example.org/a.png)">'},
        {"style": "@font-face { src: url(https://example.org/a.woff2) }"},
    ],
)
def test_what_another_host_would_have_to_send_is_a_fault(built, parts):
    (fault,) = built(**parts)
    assert "example.org" in fault


@pytest.mark.parametrize("link", ["none.html", "other.html#none", "#none"])
def test_a_link_that_leads_nowhere_is_a_fault(built, link):
    (fault,) = built(body=f'<a href="{link}">x</a>')
    assert link in fault


def test_a_folder_without_pages_is_a_fault(tmp_path):
    assert len(list(check_pages.faults(tmp_path))) == 1


def test_make_docs_checks_its_pages():
    assert "scripts/check_pages.py build/docs" in (ROOT / "Makefile").read_text()


# Formulas


@pytest.fixture(scope="module")
def mathml():
    pytest.importorskip("latex2mathml", reason="part of the group test")
    return loaded(ROOT / "docs" / "mathml.py").mathml


def test_names_of_functions_are_upright_and_between_thin_spaces(mathml):
    formula = mathml(r"x \log y", "inline")
    space = '<mspace width="0.1667em" />'
    assert formula.count(space) == 2
    assert '<mi mathvariant="normal">log</mi>' in formula
    assert space not in mathml(r"\log(y) + x y", "inline")


def test_limits_stand_below_in_a_displayed_formula(mathml):
    assert "<munder>" in mathml(r"\max_i x", "block")
    assert "<munder>" not in mathml(r"\max_i x", "inline")


def test_columns_are_aligned(mathml):
    formula = mathml(r"\begin{aligned} a &= b \\ c &< d \end{aligned}", "block")
    assert formula.count('<mtd class="right">') == formula.count('<mtd class="left">') == 2
    assert "&lt;" in formula


CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$]+?)\$", re.DOTALL)


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*/*.md")), ids=lambda page: page.stem)
def test_no_tex_is_left_in_a_formula(mathml, page):
    for block, inline in FORMULA.findall(CODE.sub("", page.read_text())):
        formula = ElementTree.fromstring(mathml(block or inline, "block" if block else "inline"))
        text = "".join(formula.itertext())
        assert not set(text) & set("\\&_$"), (block or inline, text)

"""Whether built pages can be read without a network, and whether their links lead somewhere.

python scripts/check_pages.py build/docs

Prints what a page loads from another host, and each link to a file or an anchor that is not there.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser loads by itself. A link of class "a" is followed by readers only.
LOADED = {
    "script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src",
    "embed": "src", "object": "data", "link": "href",
}  # fmt: skip
NAMED_ONLY = {"canonical", "next", "prev", "search", "index", "genindex", "license"}
STYLE = re.compile(r"""(?:url\(\s*|@import\s+)["']?([^"')\s;]+)""")


class Page(HTMLParser):
    """The addresses in a page: those that it loads, its links, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self._in_style = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of addresses and anchors."""
        known = {name: value or "" for name, value in attrs}
        self.anchors.update(known[name] for name in ("id", "name") if name in known)
        self._in_style = tag == "style"
        address = known.get(LOADED.get(tag, ""))
        if address and not NAMED_ONLY & set(known.get("rel", "").split()):
            self.loaded.append(address)
        self.loaded += STYLE.findall(known.get("style", ""))
        if tag == "a" and "href" in known:
            self.links.append(known["href"])

    def handle_data(self, data: str) -> None:
        """Take note of what a style in the page loads."""
        if self._in_style:
            self.loaded += STYLE.findall(data)


def faults(folder: Path) -> Iterator[str]:
    """What is wrong, one sentence each."""
    pages = {path.resolve(): Page(path.read_text()) for path in sorted(folder.rglob("*.html"))}
    if not pages:
        yield f"{folder} has no pages"
    for path, page in pages.items():
        shown = path.relative_to(folder.resolve())
        for address in filter(_is_elsewhere, page.loaded):
            yield f"{shown} loads {address} from another host"
        for link in page.links:
            if not _leads_somewhere(path, link, pages):
                yield f"{shown} links to {link}, which is not there"
    for style in sorted(folder.rglob("*.css")):
        for address in filter(_is_elsewhere, STYLE.findall(style.read_text())):
            yield f"{style.relative_to(folder)} loads {address} from another host"


def _is_elsewhere(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc) and parts.scheme in ("", "http", "https")


def _leads_somewhere(path: Path, link: str, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    anchor = unquote(parts.fragment)
    if not anchor or target not in pages:
        return target.is_file()
    return anchor in pages[target].anchors


def main() -> int:
    """Print the faults; 1 if there are any."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="of the built pages")
    found = list(faults(parser.parse_args().folder))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

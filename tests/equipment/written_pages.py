"""What tests read from the text of a page."""

from __future__ import annotations

import json
import re

# A name that ends an element, if it is written as it is.
NASTY = "</script><script>alert(1)</script>&\"'\ud800"


def data_of(page):
    """What the page's scripts draw."""
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1]
    return json.loads(text)

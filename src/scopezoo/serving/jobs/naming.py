"""File names that come from clients, made safe for a disk, a header and a URL."""

from __future__ import annotations

import re
import unicodedata

MAX_CHARACTERS = 100


def safe_name(text: str) -> str:
    """The last part of a path as a file name: letters, digits and `._-+()` of any script.

    Never empty, hidden, or longer than 100 characters; the ending stays.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", text))[-1]
    name = re.sub(r"[^\w.+()-]+", "_", last).strip("._") or "image"
    if len(name) <= MAX_CHARACTERS:
        return name
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > 10:
        return name[:MAX_CHARACTERS]
    return f"{stem[: MAX_CHARACTERS - len(ending) - 1]}.{ending}"

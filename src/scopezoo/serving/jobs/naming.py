"""File names that come from clients, made safe for a disk, a header and a URL."""

from __future__ import annotations

import re
import unicodedata

MAX_BYTES = 180
"""In UTF-8; a disk takes 255, and results are called more than their image."""


def safe_name(text: str) -> str:
    """The last part of a path as a file name: letters, digits and `._-+()` of any script.

    Never empty, hidden, or longer than MAX_BYTES; the ending stays.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", text))[-1]
    name = re.sub(r"[^\w.+()-]+", "_", last).strip("._") or "image"
    if len(name.encode()) <= MAX_BYTES:
        return name
    stem, dot, ending = name.rpartition(".")
    ending = f".{ending}"
    if not dot or len(ending.encode()) > 12:
        return _cut(name, MAX_BYTES).rstrip("._")
    return _cut(stem, MAX_BYTES - len(ending.encode())) + ending


def _cut(text: str, size_bytes: int) -> str:
    return text.encode()[:size_bytes].decode(errors="ignore")

"""The engine's parameters as clients write them."""

from __future__ import annotations

from scopezoo.errors import UsageError

_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}


def flag(text: str, name: str) -> bool:
    """True or false from a word; UsageError for another."""
    if text.lower() not in _WORDS:
        raise UsageError(f"{name} is {text[:40]!r}; expected true or false")
    return _WORDS[text.lower()]

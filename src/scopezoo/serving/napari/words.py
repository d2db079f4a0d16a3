"""What the widget says: messages in its own words, and times for people."""

from __future__ import annotations

_WORDS = {
    "say which with --channel": "pick one under Channel",
    "name its axes with --axes": "say so under Dimensions",
    "say --overwrite to replace it": "give another name under Save to",
    "--rescale runs it at that": "tick 'at the model's pixel size' to run it at that",
    "give more --memory or a larger --tile": "allow more Memory or larger Tiles under More options",
    "give more --memory": "allow more Memory under More options",
    "--rescale needs": "running at the model's pixel size needs",
    "--trust": "'Trust this package' under More options",
}
"""What messages of the engine call by the options of the command line, in the widget's words."""


def in_widget_words(message: str) -> str:
    """A message of the engine, with the widget's names for the options it speaks of."""
    for option, words in _WORDS.items():
        message = message.replace(option, words)
    return message


def duration(seconds: float) -> str:
    """A time span for people: 8 s, 3 min, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"

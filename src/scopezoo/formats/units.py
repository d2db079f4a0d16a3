"""Units as people write them, turned into micrometres and seconds."""

from __future__ import annotations

import math
import re
import unicodedata

MICROMETRES = {
    "μm": 1.0,  # NFKC turns the micro sign U+00B5 into this Greek mu
    "um": 1.0,
    "micron": 1.0,
    "micrometer": 1.0,
    "micrometre": 1.0,
    "pm": 1e-6,
    "å": 1e-4,
    "angstrom": 1e-4,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "nanometre": 1e-3,
    "mm": 1e3,
    "millimeter": 1e3,
    "millimetre": 1e3,
    "cm": 1e4,
    "centimeter": 1e4,
    "centimetre": 1e4,
    "m": 1e6,
    "meter": 1e6,
    "metre": 1e6,
    "in": 25_400.0,
    "inch": 25_400.0,
    "inche": 25_400.0,
}
"""Micrometres in one of each unit, by its singular in lower case."""

SECONDS = {
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "ns": 1e-9,
    "nanosecond": 1e-9,
    "μs": 1e-6,
    "us": 1e-6,
    "microsecond": 1e-6,
    "ms": 1e-3,
    "msec": 1e-3,
    "millisecond": 1e-3,
    "min": 60.0,
    "minute": 60.0,
    "h": 3600.0,
    "hr": 3600.0,
    "hour": 3600.0,
    "d": 86_400.0,
    "day": 86_400.0,
}
"""Seconds in one of each unit, by its singular in lower case."""


def to_micrometres(value: object, unit: str | None) -> float | None:
    """A length in µm, or None where it is not known.

    Not known is a value that is no positive finite number, and a unit that is missing, "pixel",
    or not a length.
    """
    return _convert(value, unit, MICROMETRES)


def to_seconds(value: object, unit: str | None) -> float | None:
    """A duration in seconds, or None where value or unit are not known, as `to_micrometres`."""
    return _convert(value, unit, SECONDS)


def _convert(value: object, unit: str | None, table: dict[str, float]) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]  # anything that a file may hold
    except (TypeError, ValueError, OverflowError):
        return None
    factor = _factor(unit or "", table)
    if factor is None or not math.isfinite(number) or number <= 0:
        return None
    return number if factor == 1.0 else number * factor


def _factor(unit: str, table: dict[str, float]) -> float | None:
    # ImageJ writes the mu as the six characters of a Java escape
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), unit)
    name = unicodedata.normalize("NFKC", text).strip().lower()
    return table.get(name, table.get(name.removesuffix("s")))

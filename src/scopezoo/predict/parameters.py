"""Parameters as people write them."""

from __future__ import annotations

from collections.abc import Sequence

from scopezoo.errors import UsageError


def parse_bytes(text: str, option: str, least: int = 50 * 10**6) -> int:
    """Bytes from "500MB", "1.5GB" or a plain number; UsageError naming `option` otherwise."""
    units = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "B": 1, "": 1}
    number = text.strip().upper().rstrip("KMGTB")
    unit = text.strip().upper()[len(number) :].strip()
    try:
        value = int(float(number) * units[unit])
    except (ValueError, KeyError, OverflowError) as error:
        raise UsageError(f"{option} {text!r}: expected a size such as 500MB or 4GB") from error
    if value < least:
        raise UsageError(f"{option} {text!r} is too small; give at least {least // 10**6}MB")
    return value


def parse_tile(text: str | None, axes: Sequence[str]) -> dict[str, int]:
    """Tile bounds by axis from "512" (for y and x) or "z=32,y=256"; UsageError otherwise."""
    if text is None:
        return {}
    try:
        if "=" in text:
            pairs = [part.split("=") for part in text.split(",")]
            found = {axis.strip().lower(): int(size) for axis, size in pairs}
        else:
            found = dict.fromkeys((axis for axis in axes if axis != "z"), int(text))
    except ValueError as error:
        raise UsageError(f"--tile {text!r}: expected 512 or z=32,y=256,x=256") from error
    if min(found.values(), default=1) < 1:
        raise UsageError(f"--tile must be at least 1; given was {text!r}")
    wrong = [axis for axis in found if axis not in axes]
    if wrong:
        raise UsageError(f"--tile {text!r}: the model's axes are {', '.join(axes)}")
    return found

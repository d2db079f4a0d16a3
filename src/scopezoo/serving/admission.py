"""Whether a package that somebody uploads may be served."""

from __future__ import annotations

from pathlib import Path

from scopezoo.validation import validate

LAST_LEVEL = "reproduces"
"""A package is served if it is safe, true to the format, and gives its test outputs: in a process
of its own, so that weights which crash a runtime do not take the server with them."""


def admit(path: Path) -> list[dict[str, str]]:
    """The checks that a package failed; none where it may be served."""
    report = validate(path, last_level=LAST_LEVEL)
    return [
        {"level": check.level, "name": check.name, "message": check.message, "hint": check.hint}
        for check in report.checks
        if check.status == "failed"
    ]

"""What a validation found: checks, grouped by level, of one package."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Status = Literal["passed", "warned", "failed", "skipped"]
STATUSES: tuple[Status, ...] = ("passed", "warned", "failed", "skipped")
MAX_LISTED = 8
SCHEMA = 1
"""Version of the JSON form; it rises when a field changes its meaning or goes away."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    `message` says what was found, or why it was skipped; `measured` holds the figures, with their
    unit in the key; `hint` says what to do about it.
    """

    level: str
    name: str
    status: Status
    message: str
    measured: Mapping[str, Any] = field(default_factory=dict)
    hint: str = ""


def judged(
    level: str, name: str, problems: Sequence[str], good: str, hint: str = "", **measured: Any
) -> Check:
    """A check that failed with these problems, or passed with the message `good`."""
    if not problems:
        return Check(level, name, "passed", good, measured)
    more = f"; and {len(problems) - MAX_LISTED} more" if len(problems) > MAX_LISTED else ""
    message = "; ".join(problems[:MAX_LISTED]) + more
    return Check(level, name, "failed", message, measured, hint)


@dataclass(frozen=True)
class Identity:
    """Which model was judged: its id and version, and the SHA-256 of every file by name."""

    id: str
    version: str | None = None
    sha256: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """All checks of one package, in the order they ran; `versions` names what judged it."""

    package: str
    identity: Identity
    trust: bool
    checks: tuple[Check, ...]
    versions: Mapping[str, str]
    duration_s: float

    @property
    def passed(self) -> bool:
        """True without a failed check; warnings do not count."""
        return not any(check.status == "failed" for check in self.checks)

    @property
    def counts(self) -> dict[Status, int]:
        """Number of checks by status."""
        found = [check.status for check in self.checks]
        return {status: found.count(status) for status in STATUSES}

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data for JSON; numbers that JSON lacks (inf, nan) become text."""
        return {**to_plain(self), "passed": self.passed, "counts": self.counts}


def to_plain(value: Check | Identity | Report) -> dict[str, Any]:
    """Fields as plain data for JSON."""
    plain: dict[str, Any] = _plain(asdict(value))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, str | bytes):  # a number of numpy
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return str(value)

"""One thing that is wrong, or worth knowing, about a dataset or what is to become one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Finding:
    """`about` is a pair, a file or a specimen, None for the dataset as a whole."""

    level: Literal["error", "warning"]
    check: str
    message: str
    about: str | None = None

    def line(self) -> str:
        name = f"{self.about}: " if self.about else ""
        return f"{self.level}: {name}{self.message}"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def failed(findings: Iterable[Finding]) -> bool:
    """Whether any of them is an error."""
    return any(finding.level == "error" for finding in findings)

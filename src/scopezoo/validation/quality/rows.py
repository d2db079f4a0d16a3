"""What was measured on one case."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from scopezoo.predict.training_images import Likeness
from scopezoo.validation.quality.pictures import Picture


@dataclass
class Row:
    """`badness` sorts: the higher, the worse. `pictures` are kept of the worst cases only."""

    id: str
    badness: float
    figures: dict[str, Any]
    pictures: list[Picture] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return {"id": self.id, **self.figures}


def row_start(likeness: Likeness | None, warnings: list[str]) -> dict[str, Any]:
    """What every row has: how like training the image is, and what `predict` warned of."""
    return {
        "likeness": None
        if likeness is None
        else {
            "distance": likeness.distance,
            "is_unlike": likeness.is_unlike,
            "reason": likeness.reason,
        },
        "warnings": warnings,
    }

"""What training on has brought, for the description and the card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scopezoo.packaging.markdown import table


def tuned_rows(evaluation: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    """(short name, long name, value) of the one figure."""
    name = evaluation["score_name"]
    return [(name, f"{name} on images that were kept back", float(evaluation["score"]))]


def tuned_text(evaluation: Mapping[str, Any]) -> list[str]:
    """Paragraphs with the scores of parent and child."""
    count = evaluation["images"]
    return [
        f"On {count} image{'s' if count > 1 else ''} of {evaluation['dataset']} that training did "
        "not learn from, but by which the step that is kept was chosen: measure it on others "
        "before you rely on it (`scopezoo validate MODEL --dataset FOLDER`).",
        table(
            ["", evaluation["score_name"]],
            [
                [f"`{evaluation['parent']}`, the parent", f"{evaluation['parent_score']:.3f}"],
                ["this model", f"{evaluation['score']:.3f}"],
            ],
        ),
        *(f"**Beware:** {warning}." for warning in evaluation["warnings"]),
    ]

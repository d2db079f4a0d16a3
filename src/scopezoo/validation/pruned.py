"""The description as other programs get to see it: without what was refused or left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scopezoo.validation.subject import Subject

_DROPPED = ("badges", "training_data", "download_url", "rdf_source")


def pruned_rdf(subject: Subject) -> dict[str, Any]:
    """The description with only the weights that may run, and no link that a program would open."""
    rdf = {k: v for k, v in subject.package.description.rdf.items() if k not in _DROPPED}
    rdf["weights"] = _weights(rdf["weights"], subject.formats)
    return rdf


def _weights(entries: Mapping[str, Any], formats: tuple[str, ...]) -> dict[str, Any]:
    """The runnable entries; where the original was dropped, the first one takes its place."""
    original = formats[0] if formats else None
    kept: dict[str, Any] = {}
    for name in formats:
        entry = {k: v for k, v in entries[name].items() if k != "parent"}
        if name != original:
            entry["parent"] = original
        kept[name] = entry
    return kept

"""A model that a server runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, repr=False)
class Model:
    """What a server tells of a model.

    `axes` are the axes of space that it sees at once, YX or ZYX; `outputs` says by output id what
    it gives, "image" or "labels"; `pixel_size_um`, by letter, is that of its training images.
    `details` is all that the server told, with authors, citations and figures where it was asked
    for one model.
    """

    id: str
    name: str
    description: str
    version: str | None
    license: str | None
    tags: tuple[str, ...]
    task: str | None
    modality: str | None
    axes: str
    inputs: tuple[str, ...]
    outputs: Mapping[str, str]
    pixel_size_um: Mapping[str, float]
    details: Mapping[str, Any] = field(hash=False)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Model:
        """From the server's JSON."""
        pixel_size_um = told.get("pixel_size_um") or {}
        return cls(
            id=told["id"],
            name=told["name"],
            description=told.get("description") or "",
            version=told.get("version"),
            license=told.get("license"),
            tags=tuple(told.get("tags") or ()),
            task=told.get("task"),
            modality=told.get("modality"),
            axes=told["axes"],
            inputs=tuple(tensor["id"] for tensor in told["inputs"]),
            outputs={tensor["id"]: tensor["kind"] for tensor in told["outputs"]},
            pixel_size_um={axis.upper(): size for axis, size in pixel_size_um.items()},
            details=told,
        )

    @property
    def gives_labels(self) -> bool:
        """Whether one of its outputs is a label image: objects with a number each."""
        return "labels" in self.outputs.values()

    def __repr__(self) -> str:
        gives = ", ".join(f"{name}: {kind}" for name, kind in self.outputs.items())
        about = f" - {self.description}" if self.description else ""
        return f"<Model {self.id!r} ({self.axes} -> {gives}){about}>"

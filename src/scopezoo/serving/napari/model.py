"""What the widget knows of a model, be it on this computer or on a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scopezoo.predict.scale import model_pixel_size_um
from scopezoo.predict.sources import axis_letter
from scopezoo.predict.stages import output_kind
from scopezoo.store import Description, Package, Tensor
from scopezoo.store.tensors import FixedSize


@dataclass(frozen=True)
class ModelInput:
    """An image that a model takes; `channels` is how many of its channels."""

    id: str
    channels: int
    optional: bool


@dataclass(frozen=True)
class Model:
    """A model in the list. `axes` are those of space, "YX" or "ZYX"."""

    id: str
    name: str
    description: str
    tags: tuple[str, ...]
    axes: str
    inputs: tuple[ModelInput, ...]
    outputs: Mapping[str, str]
    """ "labels" or "image" by output id."""
    pixel_size_um: Mapping[str, float]
    links: Mapping[str, str | None] = field(default_factory=dict)
    """Paths on the server that has it: card, cover, sample."""
    package: Package | None = None

    def answers(self, search: str) -> bool:
        """Whether all words of `search` occur in what is said of the model."""
        text = " ".join((self.id, self.name, self.description, *self.tags)).lower()
        return all(word in text for word in search.lower().split())

    @classmethod
    def of_package(cls, package: Package) -> Model:
        """The model of a package on this computer."""
        description = package.description
        first = description.inputs[0]
        return cls(
            id=package.id,
            name=description.name,
            description=_line(description.rdf.get("description")),
            tags=_tags(description),
            axes="".join(filter(None, (axis_letter(first, axis) for axis in first.space))),
            inputs=tuple(
                ModelInput(tensor.id, _channels(tensor), tensor.optional)
                for tensor in description.inputs
            ),
            outputs={tensor.id: output_kind(tensor) for tensor in description.outputs},
            pixel_size_um=model_pixel_size_um(first),
            package=package,
        )

    @classmethod
    def of_entry(cls, entry: Mapping[str, Any]) -> Model:
        """The model that an entry of a server's list describes."""
        said = [entry.get(key) for key in ("task", "modality")]
        return cls(
            id=str(entry["id"]),
            name=str(entry["name"]),
            description=_line(entry.get("description")),
            tags=(*map(str, entry.get("tags") or ()), *(str(text) for text in said if text)),
            axes=str(entry["axes"]),
            inputs=tuple(
                ModelInput(one["id"], max(1, len(one["channels"])), bool(one["optional"]))
                for one in entry["inputs"]
            ),
            outputs={one["id"]: one["kind"] for one in entry["outputs"]},
            pixel_size_um={axis.upper(): um for axis, um in entry["pixel_size_um"].items()},
            links=entry["links"],
        )


def _line(text: Any) -> str:
    return " ".join(str(text or "").split())


def _tags(description: Description) -> tuple[str, ...]:
    tags = description.rdf.get("tags")
    return tuple(map(str, tags)) if isinstance(tags, list) else ()


def _channels(tensor: Tensor) -> int:
    sizes = (axis.size for axis in tensor.axes if axis.type == "channel")
    return next((size.size for size in sizes if isinstance(size, FixedSize)), 1)

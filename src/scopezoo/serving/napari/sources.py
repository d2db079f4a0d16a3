"""Where models run: in this process, or on a server. Both answer to the same calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from scopezoo.image import Image
from scopezoo.predict import Engine, predict
from scopezoo.result import Extras, Result
from scopezoo.serving.cards import card_source, cover
from scopezoo.serving.napari.model import Model
from scopezoo.serving.napari.package_images import package_layers
from scopezoo.serving.napari.pixels import LayerData
from scopezoo.store import Package, model_ids, open_package, resolve

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Parameters:
    """How a model is run; `tile` is the largest tile's width in pixels, 0 as memory allows."""

    channel: str | None = None
    rescale: bool = False
    memory_bytes: int = 1_000_000_000
    tile: int = 0
    trust: bool = False
    output: Path | None = None


class Source(Protocol):
    """Models, what they say of themselves, and runs of them."""

    def models(self) -> Iterator[Model]: ...

    def cover(self, model: Model) -> bytes | None: ...

    def card(self, model: Model) -> str: ...

    def sample(self, model: Model) -> list[LayerData]: ...

    def predict(
        self,
        model: Model,
        images: Mapping[str, Image],
        parameters: Parameters,
        progress: Progress,
    ) -> Result: ...


class ThisComputer:
    """The models of the collection and those that were opened; the last engine is kept."""

    def __init__(self) -> None:
        self._opened: list[Package] = []
        self._engine: tuple[Any, Engine] | None = None

    def open(self, path: Path) -> Model:
        """Add the model of a folder or zip. Raises what `open_package` raises."""
        package = open_package(path)
        self._opened.insert(0, package)
        return Model.of_package(package)

    def models(self) -> Iterator[Model]:
        for package in (*self._opened, *map(resolve, model_ids())):
            yield Model.of_package(package)

    def cover(self, model: Model) -> bytes | None:
        found = cover(_package(model))
        return found[0] if found else None

    def card(self, model: Model) -> str:
        return card_source(_package(model))

    def sample(self, model: Model) -> list[LayerData]:
        return package_layers(_package(model), outputs=False)

    def predict(
        self,
        model: Model,
        images: Mapping[str, Image],
        parameters: Parameters,
        progress: Progress,
    ) -> Result:
        return predict(
            self._engine_of(model, parameters),
            images,
            parameters.output,
            channel=parameters.channel,
            rescale=parameters.rescale,
            extras=Extras(table="labels" in model.outputs.values()),
            progress=progress,
        )

    def _engine_of(self, model: Model, parameters: Parameters) -> Engine:
        package = _package(model)
        tile = {
            axis.id: parameters.tile
            for axis in package.description.inputs[0].space
            if parameters.tile and axis.id != "z"
        }
        options: dict[str, Any] = {
            "trust": parameters.trust,
            "memory_bytes": parameters.memory_bytes,
            "tile": tile,
        }
        key = (package.location, package.rdf_sha256, options)
        if self._engine is None or self._engine[0] != key:
            self._engine = None  # first, so that two networks are never in memory
            self._engine = (key, Engine(package, **options))
        return self._engine[1]


def _package(model: Model) -> Package:
    assert model.package is not None, "models of this computer have packages"
    return model.package

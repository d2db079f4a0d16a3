"""One run of a model on layers, from the images to the layers of the result."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from scopezoo.errors import IncompatibleImageError
from scopezoo.image import Image
from scopezoo.predict.machine import memory_bytes
from scopezoo.predict.table import write_table
from scopezoo.result import Extras, result_names
from scopezoo.serving.napari.model import Model
from scopezoo.serving.napari.pixels import LayerData, open_levels
from scopezoo.serving.napari.result_layers import Place, output_layers
from scopezoo.serving.napari.sources import Parameters, Progress, Source

RESULT_BYTES_PER_PX = 4
"""float32 images and the largest labels."""


@dataclass(frozen=True)
class Job:
    """What one press of Run asks for; `place` is that of the first image's layer."""

    source: Source
    model: Model
    images: Mapping[str, Image]
    place: Place
    channel_index: int
    parameters: Parameters


@dataclass(frozen=True)
class Finished:
    """Layers to add, how many objects were found where that was asked, and warnings."""

    layers: list[LayerData]
    objects: int | None
    warnings: list[str]


def run_job(job: Job, progress: Progress) -> Finished:
    """Run the model, and make layers of what it gives; Labels layers have features by object.

    Raises what `predict` raises, IncompatibleImageError for an image whose result does not fit in
    memory.
    """
    image = next(iter(job.images.values()))
    if job.parameters.output is None:
        _check_memory(image)
    result = job.source.predict(job.model, job.images, job.parameters, progress)
    layers: list[LayerData] = []
    objects = None
    for output, found in result.images.items():
        words = [job.place.name, job.model.id, *([output] if len(result.images) > 1 else [])]
        more: dict[str, Any] = {"metadata": {"scopezoo": result.record}}
        kind = job.model.outputs[output]
        if kind == "labels":
            more["features"] = _features(found, image, 3 if job.model.axes == "ZYX" else 2)
            objects = len(more["features"])
        for pixels, settings, _ in output_layers(
            _levels(found, output, job), kind, image, job.place, " ".join(words), job.channel_index
        ):
            layers.append((pixels, settings | more, kind))
    return Finished(layers, objects, result.warnings)


def _check_memory(image: Image) -> None:
    needed = image.nbytes // image.dtype.itemsize * RESULT_BYTES_PER_PX
    available = memory_bytes()
    if available is not None and needed > available // 2:
        raise IncompatibleImageError(
            f"the result of {image.source} would take {needed / 1e9:.0f} GB of memory; name a file "
            "under Save to, e.g. result.ome.zarr, and it is written there"
        )


def _levels(found: Image, output: str, job: Job) -> list[Image]:
    """The resolutions of an output: of its file where it was written to one."""
    if job.parameters.output is None:
        return [found]
    names = result_names(job.parameters.output, list(job.model.outputs), Extras())
    path = names.images[output]
    labels = path / "labels" / output
    return open_levels(labels if labels.is_dir() else path)


def _features(labels: Image, image: Image, ndim: Literal[2, 3]) -> Any:
    """The table of objects as a pandas table; `index` is by what napari finds an object's row."""
    import pandas  # type: ignore[import-untyped]

    same = all(labels.size(axis) == image.size(axis) for axis in "TZYX")
    with tempfile.TemporaryDirectory(prefix="scopezoo-") as folder:
        path = Path(folder) / "objects.csv"
        write_table(labels, image if same else None, path, ndim=ndim)
        table = pandas.read_csv(path)
    return table.rename(columns={"label": "index"})

"""The one Python call: a model, an image, and where the result goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from scopezoo.formats import as_image
from scopezoo.image import Image
from scopezoo.predict.destination import Kind
from scopezoo.predict.engine import Engine, TilePlan
from scopezoo.predict.extras import check_extras, write_extras
from scopezoo.predict.instances import Instances
from scopezoo.predict.record import (
    image_record,
    model_record,
    tiles_record,
    versions_record,
    write_record,
)
from scopezoo.predict.scale import at_model_scale, back_on_grid, scale_factors, scale_warnings
from scopezoo.predict.sources import Sample, axis_letter, given_images, picked_names, samples_of
from scopezoo.predict.stages import COMPLETE, Stages, image_places, output_kind
from scopezoo.predict.stores import FileStore, MemoryStore, Store
from scopezoo.predict.work import TemporaryWork, WorkFolder, check_same, disk_errors
from scopezoo.result import (
    Extras,
    Names,
    Result,
    check_free,
    check_names,
    result_names,
    written_result,
)
from scopezoo.store import resolve
from scopezoo.store.package import Package

Progress = Callable[[int, int], None]


def predict(
    model: str | Path | Package | Engine,
    image: Image | str | Path | NDArray[Any] | Mapping[str, Any],
    output: str | Path | None = None,
    *,
    axes: str | None = None,
    channel: str | None = None,
    rescale: bool = False,
    uncertainty: str | None = None,
    instances: bool = False,
    extras: Extras | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: Progress = lambda _done, _total: None,
    **engine_options: Any,
) -> Result:
    """Run a model on an image of any size, and give or write the result.

    `image` is an Image, a path or URL, an array (with `axes`), or one of these by input id.
    `output` names the first output's file (.tif, .ome.tif, .ome.zarr, .npy, .png); the record and
    `extras` go beside it. Without it the result stays in memory. `rescale` runs at the pixel size
    of the model and gives the result on the image's grid. `uncertainty` "tta" gives, beside each
    output, an image `<id>.uncertainty` of how much it varies when the network's input is mirrored
    and turned (float32; of labels, the probability of objects). `instances` gives an image "labels"
    too, by the step that the package describes for its probabilities. `engine_options` are those of
    `Engine`, where `model` is not one already. `progress` is called with (done, total) tiles.

    The result has the image's axes, pixel size and channel names, and is that of the whole image
    at once whatever the tiles. Every expected error is a `scopezoo.errors.ScopezooError`.
    """
    engine = open_engine(model, engine_options)
    originals = given_images(open_images(image, axes), engine.description.inputs)
    prediction = Prediction(engine, originals, channel, rescale, uncertainty, instances, progress)
    if output is None:
        return prediction.in_memory()
    ids = [tensor.id for tensor in engine.description.outputs]
    wanted = extras or Extras()
    names = result_names(
        Path(output), ids, wanted, uncertainty=uncertainty is not None, labels=instances
    )
    if not instances:
        check_extras(engine.description, wanted)
    return to_files(prediction, names, overwrite, resume)


def open_engine(model: str | Path | Package | Engine, options: Mapping[str, Any]) -> Engine:
    """The engine of a model, which may be one already."""
    if isinstance(model, Engine):
        return model
    return Engine(model if isinstance(model, Package) else resolve(model), **options)


def open_images(image: Any, axes: str | None) -> Image | dict[str, Image]:
    """One image, or images by input id, from what `predict` takes."""
    if isinstance(image, Mapping):
        return {name: as_image(one, axes) for name, one in image.items()}
    return as_image(image, axes)


class Prediction:
    """One image, or one per input, on its way through an engine."""

    def __init__(
        self,
        engine: Engine,
        originals: Mapping[str, Image],
        channel: str | None,
        rescale: bool,
        uncertainty: str | None,
        instances: bool,
        progress: Progress,
    ) -> None:
        self.started = datetime.now(UTC)
        self.engine = engine
        self.originals = originals
        self.channel = channel
        self.progress = progress
        first = engine.description.inputs[0]
        self.original = originals[first.id]
        self.rescaled = rescale and set(scale_factors(self.original, first).values()) != {1.0}
        self.warnings = [] if rescale else scale_warnings(self.original, first)
        images = {
            tensor.id: at_model_scale(originals[tensor.id], tensor)
            if self.rescaled and tensor.space
            else originals[tensor.id]
            for tensor in engine.description.inputs
            if tensor.id in originals
        }
        self.image = images[first.id]
        self.channels = picked_names(self.original, first, channel)
        self.samples: list[Sample] = samples_of(images, engine.description.inputs, channel)
        self.plan: TilePlan = engine.plan(self.samples[0].sources[first.id].shape)
        self.uncertainty = None
        if uncertainty is not None:
            from scopezoo.predict.uncertainty import Uncertainty

            self.uncertainty = Uncertainty(engine, uncertainty, self.samples, self.image)
        self.instances = Instances(engine.description) if instances else None
        self.tiles = len(self.plan) * len(self.samples)
        self.tiles += self.uncertainty.tiles if self.uncertainty is not None else 0
        self.warnings += engine.halo_warnings(self.plan)
        if engine.training_images is not None:
            self.warnings += engine.training_images.warnings(self.image, first, channel)

    def in_memory(self) -> Result:
        """Run, with the results as arrays."""
        store = MemoryStore()
        with TemporaryWork() as work:
            names = list(self.run(work, store))
        images = {name: store.image(name) for name in names}
        return Result(images, self.record(), warnings=self.warnings)

    def make(self, work: WorkFolder, names: Names, record: dict[str, Any]) -> None:
        """Make all results in the work folder."""
        file_names = {name: path.name for name, path in names.images.items()}
        store = FileStore(work.path, file_names)
        outputs = self.run(work, store)
        store.close()
        found = {name: (store.image(name), kind) for name, kind in outputs.items()}
        record["outputs"] = {name: said(image) for name, (image, _) in found.items()}
        is_3d = len(self.engine.description.inputs[0].space) == 3
        write_extras(work.folder, names, self.original, found, 3 if is_3d else 2)
        write_record(work.path(names.record.name), record, self.started)

    def run(self, work: WorkFolder, store: Store) -> dict[str, Kind]:
        """Run all samples into `store`, and find instances; gives "labels" or "image" by id."""
        kinds = self._run_outputs(work, store)
        if self.instances is not None:
            first = self.engine.description.outputs[0].id
            self.instances.run(store.image(first), work, store)
            kinds[self.instances.name] = "labels"
        return kinds

    def _run_outputs(self, work: WorkFolder, store: Store) -> dict[str, Kind]:
        """Run all samples into `store`.

        At the model's scale, images come back by interpolation; labels are drawn on the image's
        own grid.
        """
        outputs = self.engine.description.outputs
        kinds: dict[str, Kind] = {tensor.id: output_kind(tensor) for tensor in outputs}
        if self.uncertainty is not None:
            kinds |= dict.fromkeys(self.uncertainty.names.values(), "image")
        if not self.rescaled:
            places = image_places(self.engine, self.image, self.channels, store)
            self._run_samples(Stages(self.engine, self.plan, work, places), work, store)
            return kinds
        scratch = FileStore(work.path, {name: f"{name}.model_scale.npy" for name in kinds})
        grid = (self.original, store)
        places = image_places(self.engine, self.image, self.channels, scratch, labels_on=grid)
        first = self.engine.description.inputs[0]
        letters = [axis_letter(first, axis) for axis in self.engine.geometry.axes]
        sizes = [self.original.size(letter) for letter in letters if letter]
        self._run_samples(Stages(self.engine, self.plan, work, places, sizes), work, scratch)
        for name in (name for name, kind in kinds.items() if kind == "image"):
            back_on_grid(name, scratch.image(name), self.original, store)
        return kinds

    def _run_samples(self, stages: Stages, work: WorkFolder, spreads: Store) -> None:
        done = 0

        def on_tiles(more: int) -> None:
            nonlocal done
            done += more
            if more:
                self.progress(done, self.tiles)

        for number, sample in enumerate(self.samples):
            finished = work.finished(number)
            on_tiles(len(finished - {COMPLETE}))
            stages.run(number, sample, finished, lambda _: on_tiles(1))
        stages.finish()
        if self.uncertainty is not None:
            self.uncertainty.run(work, self.image, self.channels, spreads, on_tiles)

    def record(self) -> dict[str, Any]:
        """What is done, for the file beside the result."""
        return {
            **self.own_record(),
            "inputs": {name: image_record(image) for name, image in self.originals.items()},
            "versions": versions_record(),
            "warnings": self.warnings,
        }

    def own_record(self) -> dict[str, Any]:
        """The part of the record that is of this model."""
        spread = {} if self.uncertainty is None else {"uncertainty": self.uncertainty.record()}
        found = {} if self.instances is None else {"instances": asdict(self.instances.settings)}
        return {
            "model": model_record(self.engine),
            "parameters": {
                "channel": self.channel,
                "rescaled": self.rescaled,
                "memory_bytes": self.engine.memory_bytes,
                "tile": dict(self.engine.tile),
            },
            "tiling": tiles_record(self.engine, self.plan),
            **spread,
            **found,
        }


class Job(Protocol):
    """What writes results: the work, and what is known of it beforehand."""

    originals: Mapping[str, Image]
    warnings: list[str]

    def record(self) -> dict[str, Any]: ...

    def make(self, work: WorkFolder, names: Names, record: dict[str, Any]) -> None: ...


def to_files(job: Job, names: Names, overwrite: bool, resume: bool) -> Result:
    """Do a job, with the results under their names, which appear when all is done."""
    check_names(names, job.originals.values())
    record = job.record()
    is_begun = resume and WorkFolder.exists(names.stem)
    if not is_begun and resume and names.record.exists():
        result = written_result(names, job.warnings)
        check_same(result.record, _identity(record), str(names.record))
        return result
    if not is_begun and not overwrite:
        check_free(names)
    work = WorkFolder.start(names.stem, _identity(record), resume)
    if not work.is_ready():
        try:
            with disk_errors(work.folder):
                job.make(work, names, record)
            work.ready(names.all())
        except BaseException:
            work.abandon()
            raise
    work.publish()
    return written_result(names, job.warnings)


def _identity(record: Mapping[str, Any]) -> dict[str, Any]:
    """What must be the same for a killed run to go on: all but versions that do not matter."""
    keys = ("model", "models", "inputs", "parameters", "tiling", "uncertainty", "instances")
    return {key: record[key] for key in keys if key in record}


def said(image: Image) -> dict[str, Any]:
    """What a record says of an output."""
    return {"axes": image.axes, "shape": list(image.shape), "dtype": str(image.dtype)}

"""Several models on one image: their results as the channels of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import UsageError
from scopezoo.image import Image, arranged
from scopezoo.predict.destination import Kind, Layout, with_channel
from scopezoo.predict.engine import Engine
from scopezoo.predict.extras import write_extras
from scopezoo.predict.geometry import output_size
from scopezoo.predict.prediction import (
    Prediction,
    Progress,
    open_engine,
    open_images,
    said,
    to_files,
)
from scopezoo.predict.record import image_record, versions_record, write_record
from scopezoo.predict.scale import blocks_of_image
from scopezoo.predict.sources import axis_letter, given_images
from scopezoo.predict.stages import output_kind
from scopezoo.predict.stores import FileStore, MemoryStore, Store
from scopezoo.predict.work import TemporaryWork, WorkFolder, WorkPart
from scopezoo.result import Extras, Names, Result, result_names
from scopezoo.store.package import Package

COMBINED = "combined"
"""Id of the one image that several models give."""


@dataclass(frozen=True)
class Part:
    """What one output of one model gave."""

    model: str
    output: str
    kind: Kind
    image: Image


def predict_several(
    models: Sequence[str | Path | Package | Engine],
    image: Image | str | Path | NDArray[Any] | Mapping[str, Any],
    output: str | Path | None = None,
    *,
    axes: str | None = None,
    channel: str | None = None,
    rescale: bool = False,
    extras: Extras | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: Progress = lambda _done, _total: None,
    **engine_options: Any,
) -> Result:
    """Run several models on one image, one after the other; see `predict` for what is given.

    The result is the image "combined", whose channels are the outputs of all models in order, each
    as the model alone gives it, in the smallest type that holds all of them exactly. A table and
    ROIs are of the one output that is labels. Raises UsageError for a model given twice, outputs
    of different sizes, and extras that cannot be made of these models.
    """
    engines = [open_engine(model, engine_options) for model in models]
    opened = open_images(image, axes)
    several = _Several(
        [
            Prediction(
                engine,
                given_images(opened, engine.description.inputs),
                channel,
                rescale,
                None,
                False,
                progress,
            )
            for engine in engines
        ],
        extras or Extras(),
        progress,
    )
    if output is None:
        return several.in_memory()
    names = result_names(Path(output), [COMBINED], several.extras)
    return to_files(several, names, overwrite, resume)


class _Several:
    """Predictions of one image that become one result."""

    def __init__(
        self, predictions: Sequence[Prediction], extras: Extras, progress: Progress
    ) -> None:
        self.started = datetime.now(UTC)
        self.predictions = predictions
        self.extras = extras
        self.originals: Mapping[str, Image] = {
            name: image for p in predictions for name, image in p.originals.items()
        }
        self.warnings = [_of_model(p, text) for p in predictions for text in p.warnings]
        ids = [p.engine.package.id for p in predictions]
        twice = next((name for name in ids if ids.count(name) > 1), None)
        if twice is not None:
            raise UsageError(f"the model {twice} is given twice; give each once")
        self._check_sizes()
        self._check_extras()
        total = sum(p.tiles for p in predictions)
        before = 0
        for prediction in predictions:
            prediction.progress = partial(_progress, progress, before, total)
            before += prediction.tiles

    def in_memory(self) -> Result:
        """Run, with the result as an array."""
        store = MemoryStore()
        with TemporaryWork() as work:
            parts, record = self._run(work, None), self.record()
            self._join(parts, store, record)
        return Result({COMBINED: store.image(COMBINED)}, record, warnings=self.warnings)

    def record(self) -> dict[str, Any]:
        """What is done, for the file beside the result."""
        own = [prediction.own_record() for prediction in self.predictions]
        return {
            "models": [
                {**one["model"], "parameters": one["parameters"], "tiling": one["tiling"]}
                for one in own
            ],
            "inputs": {name: image_record(image) for name, image in self.originals.items()},
            "versions": versions_record(),
            "warnings": self.warnings,
        }

    def make(self, work: WorkFolder, names: Names, record: dict[str, Any]) -> None:
        """Make all results in the work folder: each model's in turn, then the image of all."""
        parts = self._run(work, work)
        store = FileStore(work.path, {COMBINED: names.images[COMBINED].name})
        self._join(parts, store, record)
        store.close()
        image = store.image(COMBINED)
        record["outputs"] = {COMBINED: said(image)}
        found: dict[str, tuple[Image, Kind]] = {COMBINED: (image, "image")}
        found |= {part.output: (part.image, part.kind) for part in parts if part.kind == "labels"}
        is_3d = any(
            len(p.engine.description.inputs[0].space) == 3
            for p in self.predictions
            if _kinds(p).count("labels")
        )
        original = self.predictions[0].original
        write_extras(work.folder, names, original, found, 3 if is_3d else 2)
        write_record(work.path(names.record.name), record, self.started)

    def _run(self, work: WorkFolder, files: WorkFolder | None) -> list[Part]:
        """All outputs of all models, in `files` or in memory."""
        parts: list[Part] = []
        before = 0
        for number, prediction in enumerate(self.predictions):
            own = WorkPart(work, f"{number}.", before)
            before += len(prediction.samples)
            ids = [tensor.id for tensor in prediction.engine.description.outputs]
            store: Store = MemoryStore()
            if files is not None:
                store = FileStore(own.path, {name: f"{name}.npy" for name in ids})
            kinds = prediction.run(own, store)
            store.close()
            model = prediction.engine.package.id
            parts += [Part(model, name, kind, store.image(name)) for name, kind in kinds.items()]
        return parts

    def _join(self, parts: Sequence[Part], store: Store, record: dict[str, Any]) -> None:
        """Write the parts as the channels of one image, block by block."""
        names = channel_names(parts)
        layout = _layout([part.image for part in parts], [name for own in names for name in own])
        record["channels"] = [
            {"name": name, "model": part.model, "output": part.output}
            for part, own in zip(parts, names, strict=True)
            for name in own
        ]
        pixels = store.create(COMBINED, layout)
        before = 0
        for part, own in zip(parts, names, strict=True):
            for region in blocks_of_image(part.image):
                at = dict(zip(part.image.axes, region, strict=True))
                channels = at.get("C", slice(0, 1))
                at["C"] = slice(before + channels.start, before + channels.stop)
                block = arranged(part.image.data[region], part.image.axes, layout.axes)
                target = tuple(at.get(axis, slice(0, 1)) for axis in layout.axes)
                pixels[target] = block.astype(layout.dtype, copy=False)
            before += len(own)

    def _check_sizes(self) -> None:
        """Refuse outputs on different grids before anything runs."""
        found = {
            f"{prediction.engine.package.id} ({tensor.id})": _sizes(prediction, tensor.id)
            for prediction in self.predictions
            for tensor in prediction.engine.description.outputs
        }
        if len({tuple(sizes.items()) for sizes in found.values()}) > 1:
            told = "; ".join(f"{name}: {_words(sizes)}" for name, sizes in found.items())
            raise UsageError(
                f"the results of these models differ in size and cannot be channels of one image "
                f"({told}); run them one by one"
            )

    def _check_extras(self) -> None:
        kinds = [kind for prediction in self.predictions for kind in _kinds(prediction)]
        if (self.extras.table or self.extras.rois) and kinds.count("labels") != 1:
            raise UsageError(
                f"--table and --rois need one model that gives labels; of these "
                f"{kinds.count('labels')} outputs are labels; run them one by one"
            )
        if self.extras.preview and "labels" in kinds:
            raise UsageError(
                "--preview of several models shows images on top of each other, and one of these "
                "gives labels; run that one by itself"
            )


def channel_names(parts: Sequence[Part]) -> list[list[str]]:
    """Names of the channels of each part, all different.

    One channel has the name of its model, with that of the output where the model has several;
    more have their own names, with that of the model where they have none or others have the same.
    """
    outputs = [part.model for part in parts]
    given = [name for part in parts for name in part.image.channel_names]
    names = []
    for part in parts:
        base = part.model if outputs.count(part.model) == 1 else f"{part.model} {part.output}"
        count, own = part.image.size("C"), part.image.channel_names
        if count == 1:
            names.append([base])
        elif own and all(given.count(name) == 1 for name in own):
            names.append(list(own))
        else:
            names.append([f"{base} {own[i] if own else i}" for i in range(count)])
    return names


def _layout(images: Sequence[Image], names: Sequence[str]) -> Layout:
    first = max(images, key=lambda image: "C" in image.axes)
    axes = first.axes if "C" in first.axes else with_channel(first.axes)
    return Layout(
        shape=tuple(len(names) if axis == "C" else first.size(axis) for axis in axes),
        dtype=_common([image.dtype for image in images]),
        axes=axes,
        pixel_size_um=first.pixel_size_um,
        frame_interval_s=first.frame_interval_s,
        channel_names=tuple(names),
        kind="image",
        planes=True,
    )


def _common(dtypes: Sequence[np.dtype[Any]]) -> np.dtype[Any]:
    """The type that holds all values of the others exactly. Raises UsageError for none."""
    common = np.result_type(*dtypes)
    lost = [d for d in dtypes if common.kind == "f" and d.kind in "iu" and d.itemsize > 4]
    if lost:
        raise UsageError(f"no type holds both {lost[0]} and {common} exactly; run them one by one")
    return common


def _sizes(prediction: Prediction, output: str) -> dict[str, int]:
    """Sizes by axis letter of an output as it is written."""
    description, image = prediction.engine.description, prediction.original
    tensor = description.tensor(output)
    sizes = {axis: image.size(axis) for axis in "TZYX"}
    if prediction.rescaled or output_kind(tensor) == "labels":
        return sizes
    follows = prediction.engine.geometry.outputs[output]
    for axis, f in zip(tensor.axes, follows, strict=True):
        letter = axis_letter(tensor, axis)
        if f is not None and letter in sizes:
            sizes[letter] = output_size(f, sizes[letter])
    return sizes


def _kinds(prediction: Prediction) -> list[Kind]:
    return [output_kind(tensor) for tensor in prediction.engine.description.outputs]


def _progress(progress: Progress, before: int, total: int, done: int, _: int) -> None:
    progress(before + done, total)


def _of_model(prediction: Prediction, warning: str) -> str:
    name = prediction.engine.package.id
    return warning if warning.startswith(name) else f"{name}: {warning}"


def _words(sizes: Mapping[str, int]) -> str:
    return " × ".join(f"{size} {axis}" for axis, size in sizes.items() if size > 1)

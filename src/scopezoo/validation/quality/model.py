"""The model under measurement: what `scopezoo predict` gives for an image, and what that is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import IncompatibleImageError
from scopezoo.image import Image, arranged
from scopezoo.predict.engine import Engine
from scopezoo.predict.instances import Instances, instance_settings
from scopezoo.predict.prediction import predict
from scopezoo.predict.sources import pick_channels
from scopezoo.predict.stages import output_kind
from scopezoo.predict.training_images import Likeness
from scopezoo.predict.uncertainty import check_uncertainty
from scopezoo.store.package import Package
from scopezoo.validation.quality.cases import Cases, Kind, LabelCase, PairCase

IN_MEMORY_PX = 64_000_000
"""Results of larger images go to a file until they are measured."""
FOREGROUND = 0.5
NEEDS = {
    "restoration": "pairs of images: a paired dataset, or source/ and target/",
    "segmentation": "images/ and masks/",
}


@dataclass(frozen=True)
class Predicted:
    """The first output for a case, or the objects found in it, with what `predict` warned of, and
    the spread where it was asked."""

    image: Image
    warnings: list[str]
    spread: Image | None


@dataclass(frozen=True)
class Model:
    """An engine, and whether its first output is an image or objects."""

    engine: Engine
    kind: Kind
    uncertainty: str | None = None

    @classmethod
    def open(
        cls, package: Package, cases: Cases, *, trust: bool = False, uncertainty: str | None = None
    ) -> Model:
        """The model, once it is clear that it can be measured on these images.

        Raises IncompatibleImageError where it cannot, and what `Engine` and `check_uncertainty`
        raise.
        """
        kind = model_kind(package)
        if kind != cases.kind:
            gives = "label images" if kind == "segmentation" else "images"
            raise IncompatibleImageError(
                f"{package.id} gives {gives}, {cases.dataset} has {NEEDS[cases.kind]}: "
                f"give a dataset with {NEEDS[kind]}"
            )
        is_3d = len(package.description.inputs[0].space) == 3
        if is_3d and all(case.image.size("Z") < 2 for case in cases.cases):
            raise IncompatibleImageError(
                f"{package.id} is a 3D model, and the images of {cases.dataset} are planes"
            )
        if cases.kind == "segmentation" and not is_3d:
            _check_planes(package, cases)
        engine = Engine(package, trust=trust)
        if uncertainty is not None:
            check_uncertainty(engine, uncertainty)
        return cls(engine, kind, uncertainty)

    @property
    def finds_instances(self) -> bool:
        """Whether objects are found by the step that the package describes."""
        return instance_settings(self.engine.description) is not None

    def likeness(self, case: PairCase | LabelCase) -> Likeness | None:
        """How like an image is to those of training; None where the package does not know."""
        known = self.engine.training_images
        if known is None:
            return None
        first = self.engine.description.inputs[0]
        return known.likeness(case.image, pick_channels(case.image, first, case.channel))

    @contextmanager
    def predicted(self, case: PairCase | LabelCase) -> Iterator[Predicted]:
        """What the model gives for a case; the same pixels as `scopezoo predict`."""
        with tempfile.TemporaryDirectory(prefix="scopezoo-quality-") as folder:
            is_small = np.prod(case.image.shape, dtype=np.int64) <= IN_MEMORY_PX
            result = predict(
                self.engine,
                case.image,
                None if is_small else Path(folder) / "prediction.npy",
                channel=case.channel,
                uncertainty=self.uncertainty,
                instances=self.finds_instances,
            )
            first = self.engine.description.outputs[0].id
            spread = result.images.get(f"{first}.uncertainty")
            shown = Instances.name if self.finds_instances else first
            yield Predicted(result.images[shown], _named(result.warnings, case), spread)


def _named(warnings: list[str], case: PairCase | LabelCase) -> list[str]:
    """With the case's name for the file's place, which is another on every machine."""
    return [warning.replace(case.image.source, case.id) for warning in warnings]


def model_kind(package: Package) -> Kind:
    """Objects where the output becomes them, or the description says segmentation."""
    description = package.description
    if output_kind(description.outputs[0]) == "labels" or instance_settings(description):
        return "segmentation"
    rdf = package.description.rdf
    config = rdf.get("config")
    bioimageio = config.get("bioimageio") if isinstance(config, dict) else None
    task = bioimageio.get("task") if isinstance(bioimageio, dict) else None
    tags = rdf.get("tags")
    words = [task, *(tags if isinstance(tags, list) else [])]
    is_segmentation = any("segmentation" in str(word).lower() for word in words)
    return "segmentation" if is_segmentation else "restoration"


def one_channel(image: Image, what: str) -> NDArray[Any]:
    """Pixels ZYX. Raises IncompatibleImageError for several channels or times."""
    if image.size("C") > 1 or image.size("T") > 1:
        raise IncompatibleImageError(
            f"{what} has axes {image.axes} {image.shape}: expected one channel and no time"
        )
    return arranged(image.read(), tuple(image.axes), ("Z", "Y", "X"))


def objects_of(image: Image) -> NDArray[np.int64]:
    """Labels ZYX of a segmentation's output.

    Whole numbers are labels; of one channel of probabilities, connected pixels above 0.5 are an
    object. Raises IncompatibleImageError for several channels.
    """
    from skimage.measure import label

    found = one_channel(image, "the model's output")
    if found.dtype.kind in "iu":
        return found.astype(np.int64)
    objects: NDArray[np.int64] = label(found > FOREGROUND)  # type: ignore[no-untyped-call]
    return objects


def _check_planes(package: Package, cases: Cases) -> None:
    stack = next((case for case in cases.cases if case.image.size("Z") > 1), None)
    if stack is not None:
        raise IncompatibleImageError(
            f"{package.id} is a 2D model, and {stack.id} is a stack {stack.image.shape} whose "
            "objects go through planes: measure on planes, or a 3D model"
        )

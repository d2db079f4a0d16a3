"""Two folders of images with the same names and shapes, to measure restoration on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scopezoo.datasets.image_folders import images_in, open_stack, two_folders
from scopezoo.datasets.paired.sampling import GriddedImage
from scopezoo.datasets.split import Part
from scopezoo.errors import FileError, ScopezooError
from scopezoo.validation.quality.cases import Cases, LeftOut, PairCase


def layout_of(folder: Path, part: Part | None) -> tuple[Path, Path, Part | None] | None:
    """The two folders, those below `folder/part` first, and the part that they are."""
    places: list[tuple[Path, Part | None]] = [(folder, None)]
    if part is not None:
        places.insert(0, (folder / part, part))
    for place, found in places:
        folders = two_folders(place)
        if folders:
            return *folders, found
    return None


def cases(folder: Path, part: Part | None) -> Cases:
    """Pairs of one name; what cannot be compared is left out and told.

    Raises FileError where nothing is left.
    """
    layout = layout_of(folder, part)
    assert layout is not None  # whoever asks has seen it
    source, target, found = layout
    sources, targets = images_in(source), images_in(target)
    kept: list[PairCase] = []
    left_out = [
        LeftOut(name, f"only in {here.name}/")
        for here, own, other in ((source, sources, targets), (target, targets, sources))
        for name in sorted(own.keys() - other.keys())
    ]
    for name in sorted(sources.keys() & targets.keys()):
        try:
            kept.append(_case(name, sources[name], targets[name]))
        except ScopezooError as error:
            left_out.append(LeftOut(name, str(error)))
    if not kept:
        first = f"; {left_out[0].id}: {left_out[0].reason}" if left_out else ""
        raise FileError(
            f"{folder} has no pair to measure on: expected images of the same name and shape in "
            f"{source.name}/ and {target.name}/{first}"
        )
    return Cases(folder.resolve().name, "restoration", found, kept, left_out)


def _case(name: str, source_path: Path, target_path: Path) -> PairCase:
    image, wanted = open_stack(source_path), open_stack(target_path)
    for one in (image, wanted):
        if one.size("T") > 1 or one.size("C") > 1:
            raise FileError(f"{one.source} has axes {one.axes}: expected one channel, YX or ZYX")
    shapes = [tuple(one.size(axis) for axis in "ZYX") for one in (image, wanted)]
    if shapes[0] != shapes[1]:
        raise FileError(
            f"its images have the shapes {image.shape} and {wanted.shape}: expected the same; "
            "images of two microscopes are put on one grid by `scopezoo dataset import` and "
            "`register-all`"
        )
    step = image.pixel_size_um
    x = step.get("X", 1.0)
    voxel = (step.get("Z", x), step.get("Y", x), x)
    return PairCase(
        id=name,
        specimen="",
        image=image,
        channel=None,
        source=GriddedImage(image, voxel, 0),
        target=GriddedImage(wanted, voxel, 0),
        to_target=np.eye(4),
        pixel_um=step.get("X"),
    )

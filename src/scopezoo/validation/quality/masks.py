"""Images with masks of their objects, to measure segmentation on."""

from __future__ import annotations

from pathlib import Path

from scopezoo.datasets.image_folders import open_stack
from scopezoo.datasets.segmentation import SegmentationFolder
from scopezoo.datasets.split import Part, Split, read_split
from scopezoo.errors import FileError, ScopezooError, UsageError
from scopezoo.store.collection import collection_folder
from scopezoo.store.package import Package
from scopezoo.validation.quality.cases import Cases, LabelCase, LeftOut

SPLIT = "split.json"


def is_layout(folder: Path) -> bool:
    """Whether there are images and masks."""
    return (folder / "images").is_dir() and (folder / "masks").is_dir()


def cases(folder: Path, part: Part | None, package: Package) -> Cases:
    """The images of a part, all of them where the folder has no split.

    Raises FileError for an image without a mask, UsageError where the part has no image.
    """
    data = SegmentationFolder(folder)
    ids = data.ids()
    split = find_split(folder, ids, package)
    name = split.dataset if split else folder.resolve().name
    if split is not None and part is not None:
        members = set(split.ids(part))
        ids = [one for one in ids if one in members]
        if not ids:
            raise UsageError(
                f"{folder} has no image of the {part} part of {name}; "
                "measure on all of its images with --split all"
            )
    kept: list[LabelCase] = []
    left_out: list[LeftOut] = []
    for one in ids:
        try:
            kept.append(_case(data, one))
        except ScopezooError as error:
            left_out.append(LeftOut(one, str(error)))
    if not kept:
        raise FileError(f"{folder} has no image to measure on: {left_out[0].reason}")
    return Cases(name, "segmentation", part if split else None, kept, left_out)


def find_split(folder: Path, ids: list[str], package: Package) -> Split | None:
    """The split beside the images, or that of the collection for the model's training data.

    The collection's is taken only if it knows every image.
    """
    if (folder / SPLIT).is_file():
        return read_split(folder / SPLIT)
    trained_on = package.description.rdf.get("training_data")
    known = trained_on.get("id") if isinstance(trained_on, dict) else None
    for name in dict.fromkeys((str(known), folder.resolve().name)):
        path = collection_folder() / "datasets" / Path(name).name / SPLIT
        if path.is_file():
            split = read_split(path)
            if split.images.keys() >= set(ids):
                return split
    return None


def _case(data: SegmentationFolder, name: str) -> LabelCase:
    image = open_stack(data.path / "images" / f"{name}.tif")
    mask = open_stack(data.path / "masks" / f"{name}.tif")
    if mask.dtype.kind not in "iu":
        raise FileError(f"its mask is of {mask.dtype}: expected whole numbers, 0 for background")
    if mask.size("C") > 1 or mask.size("T") > 1:
        raise FileError(f"its mask has axes {mask.axes}: expected YX or ZYX")
    for axis in "ZYX":
        if mask.size(axis) != image.size(axis):
            raise FileError(f"its image is {image.shape}, its mask {mask.shape}: expected the same")
    return LabelCase(name, image, mask)

"""A folder of images with instance masks: `images/<id>.tif` beside `masks/<id>.tif`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import FileError, ImageError


@dataclass(frozen=True)
class SegmentationFolder:
    """Grey-level images and their label images (0 is background) under one folder.

    `axes` are those of all of them, YX or ZYX.
    """

    path: Path
    axes: str = "YX"

    def __post_init__(self) -> None:
        for part in ("images", "masks"):
            if not (self.path / part).is_dir():
                raise FileError(
                    f"{self.path} has no folder {part!r}: expected images/<id>.tif and "
                    "masks/<id>.tif; give the folder of the dataset with --data"
                )

    def ids(self) -> list[str]:
        """The ids of all images, sorted; raises FileError where one has no mask."""
        images = sorted(path.stem for path in (self.path / "images").glob("*.tif"))
        masks = {path.stem for path in (self.path / "masks").glob("*.tif")}
        if not images:
            raise FileError(f"{self.path / 'images'} has no .tif file: expected images/<id>.tif")
        without = [image for image in images if image not in masks]
        if without:
            raise FileError(
                f"{self.path / 'masks'} lacks {without[0]}.tif and {len(without)} in all"
            )
        return images

    def image(self, image_id: str) -> NDArray[Any]:
        """Pixels of one image, in the type of the file."""
        return _read_pixels(self.path / "images" / f"{image_id}.tif", self.axes)

    def mask(self, image_id: str) -> NDArray[np.int32]:
        """Labels of one image, int32."""
        return _read_pixels(self.path / "masks" / f"{image_id}.tif", self.axes).astype(np.int32)


def _read_pixels(path: Path, axes: str) -> NDArray[Any]:
    import tifffile

    try:
        pixels = np.asarray(tifffile.imread(path))
    except FileNotFoundError as error:
        raise FileError(f"{path} is missing: the dataset is not complete") from error
    except (OSError, ValueError, tifffile.TiffFileError) as error:
        raise ImageError(f"{path} cannot be read as a TIFF: {error}") from error
    if pixels.ndim != len(axes):
        what = "one plane, YX" if axes == "YX" else f"axes {axes}"
        raise ImageError(f"{path} has shape {pixels.shape}: expected {what}")
    return pixels

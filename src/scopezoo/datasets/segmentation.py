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
    """Grey-level images (YX) and their label images (YX, 0 is background) under one folder."""

    path: Path

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
        """Pixels of one image, YX, in the type of the file."""
        return _read_plane(self.path / "images" / f"{image_id}.tif")

    def mask(self, image_id: str) -> NDArray[np.int32]:
        """Labels of one image, int32 YX."""
        return _read_plane(self.path / "masks" / f"{image_id}.tif").astype(np.int32)


def _read_plane(path: Path) -> NDArray[Any]:
    import tifffile

    try:
        plane = np.asarray(tifffile.imread(path))
    except FileNotFoundError as error:
        raise FileError(f"{path} is missing: the dataset is not complete") from error
    except (OSError, ValueError, tifffile.TiffFileError) as error:
        raise ImageError(f"{path} cannot be read as a TIFF: {error}") from error
    if plane.ndim != 2:
        raise ImageError(f"{path} has shape {plane.shape}: expected one plane, YX")
    return plane

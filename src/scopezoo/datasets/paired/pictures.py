"""A pair as three small pictures: source, target, and one on top of the other."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.paired.manifest import ImageEntry, Pair
from scopezoo.datasets.paired.sampling import GriddedImage, IndexMap, Matrix, inverse, sampled_block
from scopezoo.datasets.paired.store import Dataset
from scopezoo.formats.pyramid import plan_levels

PERCENTILES = (1.0, 99.8)
SHOWN_PX = 320
JPEG_QUALITY = 88


@dataclass(frozen=True)
class Picture:
    """uint8, YX or YX with red, green and blue."""

    pixels: NDArray[np.uint8]
    caption: str

    def jpeg_base64(self) -> str:
        """For an address of the kind `data:`."""
        import imagecodecs

        encoded = imagecodecs.jpeg8_encode(np.ascontiguousarray(self.pixels), JPEG_QUALITY)
        return base64.b64encode(encoded).decode("ascii")


@dataclass(frozen=True)
class _Coarse:
    """The coarsest level of an image, and the 4×4 matrix from its indices to µm."""

    image: GriddedImage
    to_um: Matrix

    def plane(self, z: int) -> NDArray[np.float32]:
        planes = self.image.read((slice(z, z + 1), slice(None), slice(None)))
        return np.asarray(planes[0])


def pair_pictures(dataset: Dataset, pair: Pair) -> list[Picture]:
    """Middle planes; on top of each other, the source is magenta and the target green.

    Of the source, the plane is shown where the middle of the target lies, if a transform tells.
    Raises ImageError where an image cannot be read.
    """
    source, target = _coarse(dataset, pair.source), _coarse(dataset, pair.target)
    z_source, z_target = (one.image.shape[0] // 2 for one in (source, target))
    green = _contrast(target.plane(z_target))
    overlay: list[Picture] = []
    if pair.source_to_target is not None:
        back = inverse(pair.source_to_target.array @ source.to_um)
        if source.image.is_plane:
            back[0] = 0
        smooth = pair.source_to_target.smooth
        where = IndexMap(target.to_um, back, smooth.undone if smooth else None)
        _, height, width = target.image.shape
        block = (slice(z_target, z_target + 1), slice(0, height), slice(0, width))
        magenta = _contrast(sampled_block(source.image, where, block, beyond="constant")[0])
        colours = np.stack([magenta, green, magenta], axis=-1)
        overlay = [Picture(_small(colours), "source (magenta) placed on the target (green)")]
        middle = where(np.array([z_target, height / 2, width / 2]))
        z_source = int(np.clip(np.rint(middle[0]), 0, source.image.shape[0] - 1))
    red = _contrast(source.plane(z_source))
    return [
        Picture(_small(red), _caption("source", source, z_source)),
        Picture(_small(green), _caption("target", target, z_target)),
        *overlay,
    ]


def cover_png(dataset: Dataset) -> bytes:
    """Source and target of the first registered pair, side by side, as a PNG."""
    import imagecodecs

    registered = [pair for pair in dataset.pairs if pair.status == "registered"]
    pictures = pair_pictures(dataset, (registered or dataset.pairs)[0])[:2]
    height = min(one.pixels.shape[0] for one in pictures)
    beside = np.hstack([one.pixels[:height] for one in pictures])
    return bytes(imagecodecs.png_encode(np.ascontiguousarray(beside)))


def _coarse(dataset: Dataset, entry: ImageEntry) -> _Coarse:
    """Levels are means of blocks, so the first voxel's centre moves by half of what is new."""
    voxel = entry.voxel_um
    sizes = dict(zip(entry.axes, entry.shape, strict=True))
    known = {"Z": voxel.z or voxel.x, "Y": voxel.y, "X": voxel.x}
    levels = plan_levels(sizes, known)
    factors = np.array([levels[-1].factors.get(axis, 1) for axis in "ZYX"])
    finest = np.array([voxel.z or voxel.x, voxel.y, voxel.x])
    to_um = np.diag([*(finest * factors), 1.0])
    to_um[:3, 3] = finest * (factors - 1) / 2
    image = GriddedImage.of(dataset.image(entry, len(levels) - 1), entry)
    return _Coarse(image, to_um)


def _caption(side: str, coarse: _Coarse, z: int) -> str:
    depth = coarse.image.shape[0]
    return side if depth == 1 else f"{side}, plane {z + 1} of {depth}"


def _contrast(plane: NDArray[np.float32]) -> NDArray[np.uint8]:
    finite = plane[np.isfinite(plane)]
    low, high = np.percentile(finite, PERCENTILES) if finite.size else (0.0, 1.0)
    scaled = (np.nan_to_num(plane) - low) / max(float(high - low), 1e-12)
    return np.asarray(np.clip(scaled * 255, 0, 255), np.uint8)


def _small(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Averaged down by a whole number where it is larger than SHOWN_PX."""
    step = -(-max(pixels.shape[:2]) // SHOWN_PX)
    height, width = (max(1, size // step) for size in pixels.shape[:2])
    cut = pixels[: height * step, : width * step]
    step_y, step_x = cut.shape[0] // height, cut.shape[1] // width
    blocks = cut.reshape(height, step_y, width, step_x, -1).mean(axis=(1, 3))
    return np.asarray(np.rint(blocks), np.uint8).reshape(height, width, *pixels.shape[2:])

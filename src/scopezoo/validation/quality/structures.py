"""Bright structures of an image and of the wanted one, found in the same way and compared.

Each image is smoothed (Gaussian, 1 px), its surroundings (Gaussian, 8 px; 4 along z) are taken off,
what is above its own Otsu level (IEEE Trans. Syst. Man Cybern. 9, 62, 1979) falls into connected
parts, and parts of less than 10 pixels (20 voxels) do not count. That is no segmentation to publish
with, and of large objects it sees what stands out in them, but it is the same for all images and
depends on no model.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SMOOTH_PX = 1.0
SURROUNDINGS_PX = (4.0, 8.0, 8.0)
SMALLEST = {2: 10, 3: 20}
"""Pixels of a plane, voxels of a stack."""
FOUND = 0.5
"""Of a wanted structure, what must be covered for it to count as found."""
INVENTED = 0.1
"""Of a structure, what may at most lie on wanted ones (or 1 px beside) for it to be invented."""


@dataclass(frozen=True)
class Structures:
    """How the structures of an image compare with the wanted ones.

    `size` is the median of the diameters of circles (spheres) of the same area (volume), in pixels,
    or in µm where the pixel size is known. `dice` is of all pixels in structures.
    """

    wanted: int
    count: int
    wanted_size: float | None
    size: float | None
    found: float | None
    invented: float | None
    dice: float | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def smoothed(image: NDArray[Any]) -> NDArray[np.float32]:
    """A stack ZYX, a plane of which is smoothed within itself only."""
    from scipy.ndimage import gaussian_filter

    sigma = [SMOOTH_PX if size > 1 else 0.0 for size in image.shape]
    return np.asarray(gaussian_filter(image.astype(np.float32), sigma))


def structures_of(image: NDArray[Any], seen: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Labels ZYX of the structures where something was `seen`."""
    from scipy import ndimage
    from skimage.filters import threshold_otsu

    ndim = 3 if image.shape[0] > 1 else 2
    sigma = [px if n > 1 else 0.0 for px, n in zip(SURROUNDINGS_PX, image.shape, strict=True)]
    outstanding = smoothed(image) - ndimage.gaussian_filter(image.astype(np.float32), sigma)
    inside = outstanding[seen]
    if inside.min() == inside.max():
        return np.zeros(image.shape, np.int32)
    level = threshold_otsu(inside)  # type: ignore[no-untyped-call]
    labels, count = ndimage.label((outstanding > level) & seen, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    keep = sizes >= SMALLEST[ndim]
    keep[0] = False
    numbers = np.cumsum(keep) * keep
    return np.asarray(numbers[labels], np.int32)


def compare_structures(
    found: NDArray[np.int32], wanted: NDArray[np.int32], voxel_um: tuple[float, float, float] | None
) -> Structures:
    """Structures by label image ZYX against the wanted ones."""
    from scipy.ndimage import binary_dilation

    near = binary_dilation(wanted > 0, np.ones([min(3, size) for size in wanted.shape]))
    covered = _covered(wanted, found > 0)
    supported = _covered(found, near)
    both = int(((found > 0) & (wanted > 0)).sum())
    all_px = int((found > 0).sum() + (wanted > 0).sum())
    return Structures(
        wanted=len(covered),
        count=len(supported),
        wanted_size=_median_size(wanted, voxel_um),
        size=_median_size(found, voxel_um),
        found=float((covered >= FOUND).mean()) if covered.size else None,
        invented=float((supported <= INVENTED).mean()) if supported.size else None,
        dice=2 * both / all_px if all_px else None,
    )


def _covered(labels: NDArray[np.int32], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The part of each label that lies in a mask."""
    sizes = np.bincount(labels.ravel())[1:]
    inside = np.bincount(labels[mask], minlength=sizes.size + 1)[1:]
    return np.asarray(inside / np.maximum(sizes, 1))


def _median_size(
    labels: NDArray[np.int32], voxel_um: tuple[float, float, float] | None
) -> float | None:
    sizes = np.bincount(labels.ravel())[1:]
    if not sizes.size:
        return None
    z, y, x = voxel_um or (1.0, 1.0, 1.0)
    if labels.shape[0] == 1:
        return float(np.median(2 * np.sqrt(sizes * y * x / np.pi)))
    return float(np.median(np.cbrt(6 * sizes * z * y * x / np.pi)))

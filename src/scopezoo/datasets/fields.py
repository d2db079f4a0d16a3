"""Which images show one field of view: neighbouring crops and near-duplicates.

Two crops of one field that lie side by side continue each other: the last column of one differs
from the first column of the other no more than two neighbouring columns of one image do, and the
two correlate. Near-duplicates (the same field at another focus) correlate as whole images.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

MIN_EDGE_CORRELATION = 0.8
MAX_EDGE_STEP = 1.6
"""Step across the seam, in units of the step between the last two lines of either image."""
MIN_IMAGE_CORRELATION = 0.9
COARSE_PX = 4


def group_fields(images: Mapping[str, NDArray[Any]]) -> list[list[str]]:
    """Ids of `images` (grey levels, YX) in groups of one field each; sorted, every id once."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ids = sorted(images)
    # Seams must show in dim images too, and grey levels spread by factors: hence the logarithm.
    logs = [np.log(np.maximum(images[key], 0).astype(np.float32) + 4) for key in ids]
    pairs = _seams(logs) + _seams([image.T for image in logs]) + _near_duplicates(logs)
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    links = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(len(ids), len(ids)))
    _, component = connected_components(links, directed=False)
    groups: dict[int, list[str]] = {}
    for key, number in zip(ids, component, strict=True):
        groups.setdefault(int(number), []).append(key)
    return sorted(groups.values())


def _seams(images: list[NDArray[np.float32]]) -> list[tuple[int, int]]:
    """Index pairs (upper, lower) of images whose last and first rows continue each other."""
    pairs = []
    for width in sorted({image.shape[1] for image in images}):
        members = [i for i, image in enumerate(images) if image.shape[1] == width]
        last, first = (np.stack([images[i][row] for i in members]) for row in (-1, 0))
        step = np.abs(last[:, None] - first[None]).mean(-1)
        own = np.stack(
            [
                [np.abs(images[i][a] - images[i][b]).mean() for a, b in ((-1, -2), (0, 1))]
                for i in members
            ]
        )
        usual = np.minimum(own[:, 0][:, None], own[:, 1][None])
        seam = (step < MAX_EDGE_STEP * usual) & (_correlation(last, first) > MIN_EDGE_CORRELATION)
        pairs += [(members[a], members[b]) for a, b in np.argwhere(seam) if a != b]
    return pairs


def _near_duplicates(images: list[NDArray[np.float32]]) -> list[tuple[int, int]]:
    """Index pairs of images of one shape that correlate pixel by pixel, on a coarse grid."""
    pairs = []
    for shape in sorted({image.shape for image in images}):
        members = [i for i, image in enumerate(images) if image.shape == shape]
        coarse = np.stack([_coarse(images[i]).ravel() for i in members])
        alike = np.triu(_correlation(coarse, coarse) > MIN_IMAGE_CORRELATION, k=1)
        pairs += [(members[a], members[b]) for a, b in np.argwhere(alike)]
    return pairs


def _coarse(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means over blocks; what does not fill a block at the far edges is left out."""
    height, width = (size // COARSE_PX for size in image.shape)
    whole = image[: height * COARSE_PX, : width * COARSE_PX]
    return np.asarray(whole.reshape(height, COARSE_PX, width, COARSE_PX).mean(axis=(1, 3)))


def _correlation(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float64]:
    """Pearson's r of each row of `first` with each row of `second`; 0 for constant rows."""

    def standardise(rows: NDArray[Any]) -> NDArray[np.float64]:
        centred = rows - rows.mean(axis=1, keepdims=True, dtype=np.float64)
        norm = np.linalg.norm(centred, axis=1, keepdims=True)
        flat = np.zeros_like(centred, dtype=np.float64)
        return np.asarray(np.divide(centred, norm, out=flat, where=norm > 1e-6))

    return np.asarray(standardise(first) @ standardise(second).T)

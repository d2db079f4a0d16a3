"""Objects as ImageJ regions of interest, traced along the edges of their pixels."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from scopezoo.image import Image
from scopezoo.predict.objects import WINDOW_PX, Frame, Window, frames, object_windows
from scopezoo.predict.whole_file import whole_file

if TYPE_CHECKING:
    from roifile import ImagejRoi


def write_rois(
    labels: Image, path: Path, *, ndim: Literal[2, 3] = 2, window_px: int = WINDOW_PX
) -> int:
    """Write a zip for ImageJ's ROI Manager, and return how many ROIs it has.

    There is one ROI per object and plane, whose vertices lie on pixel edges, so that ImageJ
    measures exactly the object's pixels: a traced polygon, or a composite ROI where the object
    has holes or parts that do not touch even at a corner. Its name is the label, padded with
    zeros; with `ndim` 3 the plane follows (`00012-z3`, from 1), as plane and frame do for a label
    that comes again elsewhere. Its position is its plane and frame. The same labels give the
    same bytes. `window_px` bounds the memory as in `write_table`.

    Raises UsageError for an image that cannot be labels, FileError if the file cannot be written.
    """
    names: set[str] = set()
    with whole_file(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for frame in frames(labels, 2):
            traced = [
                found for window in object_windows(frame, window_px) for found in _trace(window)
            ]
            for label, loops in sorted(traced, key=lambda found: found[0]):
                name = _name(label, frame.position, ndim, names)
                names.add(name)
                _add(archive, name, _roi(name, loops, frame))
    return len(names)


def outlines(mask: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """The closed outlines of a YX mask, each as its corners (x, y) on pixel edges.

    Pixels that touch at a corner are of one outline. Outlines begin at their topmost corner and
    follow each other by it; they run clockwise on the screen, those of holes the other way.
    """
    y, x, falling = _corners(mask)
    # Of the corners in one row the first is joined to the second by an edge, the third to the
    # fourth and so on, and the same down each column. A corner where two outlines meet is there
    # twice: its first copy ends the edge on the left, and of two pixels that touch like \ the
    # second copy ends the edge above, so that the outline passes from one pixel to the other.
    copy = np.zeros(len(y), np.int64)
    copy[1:] = (y[1:] == y[:-1]) & (x[1:] == x[:-1])
    by_column = np.lexsort((copy ^ falling, y, x))
    below = np.empty(len(y), np.int64)
    below[by_column[0::2]], below[by_column[1::2]] = by_column[1::2], by_column[0::2]
    loops = []
    for corners in _walk(below.tolist()):
        first = corners[0]
        is_hole = not mask[y[first], x[first]]
        loop = np.column_stack([x[corners], y[corners]])
        loops.append(loop[::-1] if is_hole else loop)
    return loops


def _corners(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], ...]:
    """Corners of outlines row by row: y, x, and whether two pixels touch there like \\."""
    padded = np.pad(mask, 1)
    above, below = padded[:-1], padded[1:]
    turns = above[:, :-1] ^ above[:, 1:] ^ below[:, :-1] ^ below[:, 1:]
    touch = ~turns & (above[:, :-1] == below[:, 1:]) & (above[:, :-1] != above[:, 1:])
    y, x = np.nonzero(turns | touch)
    copies = 1 + touch[y, x]
    falling = touch[y, x] & above[y, x]
    return y.repeat(copies), x.repeat(copies), falling.repeat(copies).astype(np.int64)


def _walk(below: list[int]) -> list[list[int]]:
    """Closed ways that go in turn along the row, i to i ^ 1, and the column, i to `below[i]`."""
    seen = [False] * len(below)
    ways = []
    for start in range(len(below)):
        way = []
        corner = start
        while not seen[corner]:
            seen[corner] = seen[corner ^ 1] = True
            way += [corner, corner ^ 1]
            corner = below[corner ^ 1]
        if way:
            ways.append(way)
    return ways


def _trace(window: Window) -> list[tuple[int, list[NDArray[np.int64]]]]:
    """Labels and outlines, in pixels of the frame, of the objects of a window."""
    from scipy.ndimage import find_objects

    found = []
    for index, box in enumerate(find_objects(window.numbers)):
        corner = [box[1].start + window.start[1], box[0].start + window.start[0]]
        loops = outlines(window.numbers[box] == index + 1)
        found.append((int(window.labels[index]), [loop + corner for loop in loops]))
    return found


def _name(label: int, position: dict[str, int], ndim: int, names: set[str]) -> str:
    name = f"{label:05}"
    for axis in "ZT":
        if axis in position and (name in names or (axis == "Z" and ndim == 3)):
            name += f"-{axis.lower()}{position[axis] + 1}"
    return name


def _roi(name: str, loops: list[NDArray[np.int64]], frame: Frame) -> ImagejRoi:
    from roifile import ROI_TYPE, ImagejRoi

    roi = ImagejRoi.frompoints(np.concatenate(loops), name=name)
    roi.roitype = ROI_TYPE.TRACED
    if len(loops) > 1:
        roi.roitype = ROI_TYPE.RECT  # what ImageJ wants around a composite
        roi.multi_coordinates = np.concatenate([_path(loop) for loop in loops])
        roi.shape_roi_size = len(roi.multi_coordinates)
    stacked = {axis: at for axis, at in frame.position.items() if frame.image.size(axis) > 1}
    if len(stacked) == 1:
        # Tried in ImageJ: this is right with and without channels, for planes and for frames.
        roi.position = next(iter(stacked.values())) + 1
    elif stacked:
        roi.z_position, roi.t_position = stacked["Z"] + 1, stacked["T"] + 1
    return roi


def _path(loop: NDArray[np.int64]) -> NDArray[np.float32]:
    """An outline as ImageJ's ShapeRoi stores it: 0 x y (move to), 1 x y (line to), …, 4 (close)."""
    steps = np.column_stack([np.ones(len(loop)), loop]).astype(np.float32)
    steps[0, 0] = 0
    return np.append(steps.ravel(), np.float32(4))


def _add(archive: zipfile.ZipFile, name: str, roi: ImagejRoi) -> None:
    entry = zipfile.ZipInfo(f"{name}.roi", date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3  # what it is on Linux, everywhere
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, roi.tobytes())

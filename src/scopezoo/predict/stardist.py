"""What a StarDist network says: parameters of its decoding, and candidates tile by tile.

A network with `stardist_postprocessing` (bioimageio.spec 0.5) yields, for each cell of a grid over
its input, the probability that an object is centred there and the lengths of rays from there to
the object's border (Schmidt et al. 2018, arXiv:1806.03535; Weigert et al. 2020, WACV).
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import FileError, MissingDependencyError, PackageError
from scopezoo.predict.work import disk_errors

MAX_RAYS = 1024
MAX_GRID_PX = 1024
LONGEST_RAY_PX = {2: 65536.0, 3: 320.0}
"""By dimensions: stardist's C code overflows, and ends the process, on objects far beyond."""
SHORTEST_RAY_3D_PX = 1e-3
"""StarDist's own floor: a polyhedron needs a volume."""

Border = tuple[tuple[int, int], ...]


def require_stardist() -> None:
    """Raise MissingDependencyError unless the package `stardist` is installed."""
    if find_spec("stardist") is None:
        raise MissingDependencyError("StarDist decoding", "stardist")


@dataclass(frozen=True)
class StardistParameters:
    """Checked parameters of `stardist_postprocessing`; per-axis values are in the order (z,) y, x.

    `grid` is the size of a cell in input pixels, `b` the cells at the low and high end of each
    axis in which no object may be centred. `anisotropy` and `overlap_label` (written where
    objects overlap) are for 3D alone.
    """

    n_rays: int
    prob_threshold: float
    nms_threshold: float
    grid: tuple[int, ...]
    b: Border
    anisotropy: tuple[float, ...] | None = None
    overlap_label: int | None = None

    @property
    def ndim(self) -> int:
        return len(self.grid)

    @classmethod
    def from_kwargs(cls, kwargs: Mapping[str, Any]) -> StardistParameters:
        """Parameters from the `kwargs` of a package's description.

        Raises PackageError for what is missing, unknown, or out of range.
        """
        grid = kwargs.get("grid")
        ndim = len(grid) if isinstance(grid, Sequence) else 0
        if ndim not in (2, 3):
            raise _wrong("grid", grid, "two (y, x) or three (z, y, x) numbers")
        _check_names(kwargs, ndim)
        cells = tuple(_whole(f"grid[{i}]", g, 1, MAX_GRID_PX) for i, g in enumerate(grid or ()))
        if any(g & (g - 1) for g in cells):
            raise _wrong("grid", grid, "powers of two")
        overlap_label = kwargs.get("overlap_label")
        return cls(
            n_rays=_whole("n_rays", kwargs["n_rays"], ndim + 1, MAX_RAYS),
            prob_threshold=_number("prob_threshold", kwargs["prob_threshold"], 0, 1),
            nms_threshold=_number("nms_threshold", kwargs["nms_threshold"], 0, 1),
            grid=cells,
            b=_border(kwargs["b"], ndim),
            anisotropy=_anisotropy(kwargs["anisotropy"]) if ndim == 3 else None,
            overlap_label=None
            if overlap_label is None
            else _whole("overlap_label", overlap_label, 0, 2**31 - 1),
        )


def _wrong(name: str, found: object, expected: str) -> PackageError:
    text = repr(found)
    shown = text if len(text) <= 60 else text[:57] + "..."
    return PackageError(
        f"stardist_postprocessing: {name} is {shown}, expected {expected}; "
        "correct it in the package's description"
    )


def _check_names(kwargs: Mapping[str, Any], ndim: int) -> None:
    needed = {"prob_threshold", "nms_threshold", "n_rays", "grid", "b"}
    needed |= {"anisotropy"} if ndim == 3 else set()
    known = needed | ({"overlap_label"} if ndim == 3 else set())
    if not needed <= set(kwargs) or not set(kwargs) <= known:
        raise _wrong("kwargs", sorted(map(str, kwargs)), f"{sorted(needed)} for {ndim}D")


def _whole(name: str, value: object, low: int, high: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise _wrong(name, value, f"a whole number from {low} to {high}")


def _number(name: str, value: object, low: float, high: float) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
        return float(value)
    raise _wrong(name, value, f"a number from {low} to {high}")


def _border(value: Any, ndim: int) -> Border:
    if isinstance(value, int):
        return ((_whole("b", value, 0, 2**31 - 1),) * 2,) * ndim
    pairs = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
    if len(pairs) != ndim or any(not isinstance(p, Sequence) or len(p) != 2 for p in pairs):
        raise _wrong("b", value, f"a whole number or {ndim} pairs of them")
    low_high = [(_whole("b", p[0], 0, 2**31 - 1), _whole("b", p[1], 0, 2**31 - 1)) for p in pairs]
    return tuple(low_high)


def _anisotropy(value: Any) -> tuple[float, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 3:
        raise _wrong("anisotropy", value, "three numbers (z, y, x)")
    return tuple(_number("anisotropy", a, 0.01, 100) for a in value)


@dataclass(frozen=True)
class Candidates:
    """Possible objects: centres in input pixels (int32, n × ndim), probabilities (float32, n),
    and ray lengths in input pixels (float32, n × n_rays)."""

    points: NDArray[np.int32]
    prob: NDArray[np.float32]
    dist: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.prob)

    def take(self, rows: NDArray[Any]) -> Candidates:
        return Candidates(self.points[rows], self.prob[rows], self.dist[rows])

    @staticmethod
    def none(parameters: StardistParameters) -> Candidates:
        return Candidates(
            np.zeros((0, parameters.ndim), np.int32),
            np.zeros(0, np.float32),
            np.zeros((0, parameters.n_rays), np.float32),
        )

    @staticmethod
    def join(parts: Iterable[Candidates]) -> Candidates:
        some = list(parts)
        return Candidates(
            np.concatenate([part.points for part in some]),
            np.concatenate([part.prob for part in some]),
            np.concatenate([part.dist for part in some]),
        )


def find_candidates(
    output: NDArray[Any],
    origin: Sequence[int],
    whole_shape: Sequence[int],
    parameters: StardistParameters,
) -> Candidates:
    """The candidates in one tile of a network's output.

    `output` is ([1,] [z,] y, x, 1 + n_rays), `origin` the tile's first cell in the whole sample,
    `whole_shape` the sample's size, both in cells. Candidates that are not finite, or have a ray
    beyond LONGEST_RAY_PX, are dropped. Raises PackageError where the channels are not 1 + n_rays.
    """
    ndim = parameters.ndim
    block = output[0] if output.ndim == ndim + 2 and len(output) == 1 else output
    if block.ndim != ndim + 1 or block.shape[-1] != 1 + parameters.n_rays:
        expected = f"{ndim} axes of space and then {1 + parameters.n_rays} channels"
        raise _wrong("the network's output", output.shape, expected)
    chosen = block[..., 0] > parameters.prob_threshold
    for axis, (low, high) in enumerate(parameters.b):
        cell = origin[axis] + np.arange(block.shape[axis])
        inside = (cell >= low) & (cell < whole_shape[axis] - high)
        chosen &= inside.reshape([-1 if a == axis else 1 for a in range(ndim)])
    cells = np.stack(np.nonzero(chosen), axis=1) + np.asarray(origin)
    prob = block[..., 0][chosen].astype(np.float32)
    dist = block[..., 1:][chosen].astype(np.float32)
    with np.errstate(invalid="ignore"):
        sound = np.isfinite(prob) & (np.abs(dist) <= LONGEST_RAY_PX[ndim]).all(axis=1)
    if ndim == 3:
        dist = np.maximum(dist, np.float32(SHORTEST_RAY_3D_PX))
    points = (cells * np.asarray(parameters.grid)).astype(np.int32)
    return Candidates(points, prob, dist).take(sound)


class CandidateFolder(Sequence[Candidates]):
    """Candidates of the tiles of one sample, a file for each tile: `folder/000012.npz`.

    A file is there once its tile is done, never half: what `--resume` looks at.
    """

    def __init__(self, folder: Path, n_tiles: int) -> None:
        self.folder = folder
        self.n_tiles = n_tiles

    def path(self, tile: int) -> Path:
        return self.folder / f"{tile:06d}.npz"

    def has(self, tile: int) -> bool:
        return self.path(tile).exists()

    def save(self, tile: int, candidates: Candidates) -> None:
        """Write a tile's file; raises FileError where the disk does not take it."""
        part = self.path(tile).with_suffix(".part")
        with disk_errors(part):
            with part.open("wb") as file:
                np.savez(file, points=candidates.points, prob=candidates.prob, dist=candidates.dist)
            part.replace(self.path(tile))

    def __len__(self) -> int:
        return self.n_tiles

    @overload
    def __getitem__(self, tile: int) -> Candidates: ...
    @overload
    def __getitem__(self, tile: slice) -> Sequence[Candidates]: ...
    def __getitem__(self, tile: int | slice) -> Candidates | Sequence[Candidates]:
        """The candidates of a tile; raises FileError for a file that is missing or broken."""
        if isinstance(tile, slice):
            return [self[i] for i in range(*tile.indices(self.n_tiles))]
        if not 0 <= tile < self.n_tiles:
            raise IndexError(tile)
        try:
            with np.load(self.path(tile)) as arrays:
                return Candidates(arrays["points"], arrays["prob"], arrays["dist"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise FileError(
                f"{self.path(tile)}: no sound candidates of a tile; delete it and resume"
            ) from error

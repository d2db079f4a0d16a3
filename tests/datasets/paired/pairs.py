"""Pairs whose every grey value is known: a smooth function of the place, seen on two grids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from scopezoo.datasets.paired import Dataset
from scopezoo.datasets.paired.manifest import Instrument, Specimen
from scopezoo.datasets.paired.store import NewImage, new_manifest
from scopezoo.datasets.smooth import Smooth
from scopezoo.formats import create_image
from scopezoo.image import Image

SOURCE_UM = (0.4, 0.2, 0.2)
TARGET_UM = (0.3, 0.15, 0.15)
SOURCE_SHAPE = (12, 60, 64)
TARGET_SHAPE = (16, 88, 84)


def known_matrix(angle_deg: float = 3.0, shift_um: tuple[float, ...] = (0.1, 0.5, -0.3)) -> Any:
    """A turn about z, then a shift; µm, zyx."""
    c, s = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    matrix = np.eye(4)
    matrix[1:3, 1:3] = [[c, s], [-s, c]]
    matrix[:3, 3] = shift_um
    return matrix


def bent(largest_um: float = 0.3) -> Smooth:
    """A smooth residual over the target, of waves along z and x."""
    step = (0.5, 4.0, 2.0)
    z, y, x = np.meshgrid(np.arange(10), np.arange(4), np.arange(7), indexing="ij")
    waves = np.sin(z / 2), np.cos(z / 2) * np.sin(x / 3)
    nodes = largest_um * np.stack([0.3 * waves[1], waves[0], waves[1] + 0 * y], axis=-1)
    return Smooth(origin_um=(0.0, 0.0, 0.0), spacing_um=step, displacements_um=nodes.tolist())


def scene(places_um: NDArray[Any], seed: int) -> NDArray[np.float64]:
    """Grey values at places (…, 3) of the target's frame: waves with periods of some µm."""
    rng = np.random.default_rng(seed)
    waves = rng.uniform(-1, 1, (6, 3))
    phases = rng.uniform(0, 2 * np.pi, 6)
    values = np.sin(places_um @ waves.T + phases).sum(axis=-1)
    return np.asarray(10_000 + 1500 * values)


def seen(
    shape: tuple[int, ...],
    voxel_um: tuple[float, ...],
    to_scene: NDArray[Any],
    seed: int,
    smooth: Smooth | None = None,
) -> NDArray[np.float32]:
    """The scene on a grid, ZYX; `to_scene`, then `smooth`, take the grid's µm to the scene's."""
    index = np.stack(np.indices(shape), axis=-1) * np.array(voxel_um)
    places = index @ to_scene[:3, :3].T + to_scene[:3, 3]
    return scene(smooth.applied(places) if smooth else places, seed).astype(np.float32)


def image(pixels: NDArray[Any], voxel_um: tuple[float, ...], axes: str = "ZYX") -> Image:
    return Image(pixels, axes, dict(zip("ZYX", voxel_um, strict=True)))


def known_pair(
    seed: int = 0, matrix: NDArray[Any] | None = None, smooth: Smooth | None = None
) -> tuple[Image, Image]:
    to_scene = known_matrix() if matrix is None else matrix
    source = seen(SOURCE_SHAPE, SOURCE_UM, to_scene, seed, smooth)
    target = seen(TARGET_SHAPE, TARGET_UM, np.eye(4), seed)
    return image(source, SOURCE_UM), image(target, TARGET_UM)


def write(path: Path, one: Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = create_image(path, shape=one.shape, dtype=one.dtype, axes=one.axes, like=one)
    writer[tuple(slice(0, size) for size in one.shape)] = one.read()
    writer.close()
    return path


def folders(root: Path, names: list[str], **metadata: Any) -> tuple[Path, Path]:
    """Two folders of pairs with these stems, and `metadata.yaml` beside them."""
    for number, name in enumerate(names):
        source, target = known_pair(number)
        write(root / "source" / f"{name}.ome.tif", source)
        write(root / "target" / f"{name}.ome.tif", target)
    (root / "metadata.yaml").write_text(yaml.safe_dump(metadata), encoding="utf-8")
    return root / "source", root / "target"


def dataset(folder: Path, specimens: list[str], *, registered: bool = True) -> Dataset:
    """A dataset with a pair of each specimen; names may repeat."""
    instruments = [Instrument(id="wide", na=1.2), Instrument(id="confocal", na=1.3)]
    made = Dataset.create(folder, new_manifest("known", "Known pairs", instruments=instruments))
    for number, specimen in enumerate(specimens):
        source, target = known_pair(number)
        pair_id = f"{specimen}_{number}"
        made.add(
            pair_id, Specimen(id=specimen), NewImage(source, "wide"), NewImage(target, "confocal")
        )
        if registered:
            made.set_registration(pair_id, known_matrix(), {"passed": True}, status="registered")
    return made

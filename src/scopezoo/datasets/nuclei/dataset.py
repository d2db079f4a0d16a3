"""Simulated stacks of nuclei on disk.

images/<specimen>-<number>.tif   uint16 ZYX, with voxel sizes
masks/<specimen>-<number>.tif    uint16 ZYX, 0 is background
split.json                       the part of each stack, whole specimens at a time
simulation.yaml                  what it was made from
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml

from scopezoo.datasets.nuclei.config import NucleiConfig, Tissue
from scopezoo.datasets.nuclei.stack import simulate_stack
from scopezoo.datasets.simulation.dataset import field_seed
from scopezoo.datasets.split import Split, SplitEntry
from scopezoo.errors import FileError
from scopezoo.formats import create_image
from scopezoo.formats.limits import writing
from scopezoo.image import Image

FOLDERS = "images", "masks"


def simulate_nuclei_dataset(
    config: NucleiConfig,
    folder: Path,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Split:
    """Simulate all stacks of a configuration into a new folder; the split of the stacks.

    A stack depends on the seed, its specimen and its number, not on which others there are. Raises
    FileError where the folder has content or the system refuses.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise FileError(f"{folder} is not empty; give a new folder")
    with writing(folder):
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
    stacks = [
        (tissue, number) for tissue in config.specimens for number in range(1, config.stacks + 1)
    ]
    progress(0, len(stacks))
    for done, (tissue, number) in enumerate(stacks, start=1):
        _write_stack(config, tissue, number, folder)
        progress(done, len(stacks))
    split = split_of(config)
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    with writing(folder):
        split.write(folder / "split.json")
        (folder / "simulation.yaml").write_text(text, encoding="utf-8")
    return split


def split_of(config: NucleiConfig) -> Split:
    """The part of each stack: its specimen's. The stratum is the specimen."""
    images = {
        _stack_id(tissue, number): SplitEntry(part=tissue.part, group=group, stratum=tissue.name)
        for group, tissue in enumerate(config.specimens)
        for number in range(1, config.stacks + 1)
    }
    return Split(dataset=config.name, seed=config.seed, images=images)


def _stack_id(tissue: Tissue, number: int) -> str:
    return f"{tissue.name}-{number:02d}"


def _write_stack(config: NucleiConfig, tissue: Tissue, number: int, folder: Path) -> None:
    seed = field_seed(config.seed, tissue.name, number)
    stack = simulate_stack(tissue, config.microscopes[tissue.microscope], seed)
    name = f"{_stack_id(tissue, number)}.tif"
    labels = stack.labels.astype(np.uint16)
    _write_image(folder / "images" / name, stack.image)
    _write_image(folder / "masks" / name, Image(labels, "ZYX", stack.image.pixel_size_um))


def _write_image(path: Path, image: Image) -> None:
    writer = create_image(path, shape=image.shape, dtype=image.dtype, axes=image.axes, like=image)
    writer[tuple(slice(0, size) for size in image.shape)] = image.read()
    writer.close()

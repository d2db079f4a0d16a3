"""Splitting a dataset into training, validation and test, whole fields at a time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from scopezoo.datasets.fields import group_fields
from scopezoo.datasets.segmentation import SegmentationFolder
from scopezoo.errors import FileError

Part = Literal["training", "validation", "test"]
FRACTIONS: dict[Part, float] = {"training": 0.75, "validation": 0.10, "test": 0.15}
DIAMETER_CLASSES_PX = (12.0, 18.0, 28.0)


class SplitEntry(BaseModel):
    """Where one image is: its part, its field (group), and the stratum it was drawn from."""

    model_config = ConfigDict(extra="forbid")
    part: Part
    group: int
    stratum: str


class Split(BaseModel):
    """A dataset's images by id; no group is in two parts."""

    model_config = ConfigDict(extra="forbid")
    dataset: str
    seed: int
    images: dict[str, SplitEntry]

    def ids(self, part: Part) -> list[str]:
        """Ids of one part, sorted."""
        return sorted(key for key, entry in self.images.items() if entry.part == part)

    def write(self, path: Path) -> None:
        """Write as JSON, one image a line so that a change is easy to see."""
        lines = [
            f"    {json.dumps(k)}: {e.model_dump_json()}" for k, e in sorted(self.images.items())
        ]
        head = f'{{\n  "dataset": {json.dumps(self.dataset)},\n  "seed": {self.seed},\n'
        body = ",\n".join(lines)
        path.write_text(f'{head}  "images": {{\n{body}\n  }}\n}}\n', encoding="utf-8")


def read_split(path: Path) -> Split:
    """Read a split file; raises FileError where it is missing or not a split."""
    try:
        return Split.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileError(f"{path} is missing: expected the dataset's split file") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(key) for key in first["loc"])
        raise FileError(f"{path} is not a split file: {where}: {first['msg']}") from error


def make_split(dataset: str, folder: Path, seed: int) -> Split:
    """Split the images of `folder` (images/ and masks/) by field, stratified.

    Strata are the image's size and the diameter class of its objects (the median over the field's
    images), so that each kind of image is in each part where there are enough fields of it.
    """
    data = SegmentationFolder(folder)
    images = {key: data.image(key) for key in data.ids()}
    groups = group_fields(images)
    strata = []
    for group in groups:
        diameter = float(np.median([_median_diameter_px(data, key) for key in group]))
        height, width = images[group[0]].shape
        size_class = sum(diameter >= limit for limit in DIAMETER_CLASSES_PX)
        strata.append(f"{height}x{width}-{size_class}")
    parts = assign_parts([len(group) for group in groups], strata, seed)
    entries = {
        key: SplitEntry(part=part, group=number, stratum=stratum)
        for number, (group, part, stratum) in enumerate(zip(groups, parts, strata, strict=True))
        for key in group
    }
    return Split(dataset=dataset, seed=seed, images=entries)


def assign_parts(
    sizes: Sequence[int],
    strata: Sequence[str],
    seed: int,
    fractions: Mapping[Part, float] = FRACTIONS,
) -> list[Part]:
    """The part of each group, given its number of images and its stratum.

    Groups are drawn in random order, the largest of a stratum first, and each goes to the part
    that lacks most images in its stratum; what all strata together lack decides among equals.
    """
    drawn = np.random.default_rng(seed).permutation(len(sizes)).tolist()
    order: list[int] = sorted(drawn, key=lambda i: (strata[i], -sizes[i]))
    whole: Counter[str] = Counter()
    for size, stratum in zip(sizes, strata, strict=True):
        whole[stratum] += size
    in_stratum: Counter[tuple[str, Part]] = Counter()
    in_all: Counter[Part] = Counter()
    seen = 0
    result: list[Part] = ["training"] * len(sizes)
    for i in order:
        seen += sizes[i]

        def lack(part: Part, i: int = i, seen: int = seen) -> float:
            own = fractions[part] * whole[strata[i]] - in_stratum[strata[i], part]
            return own + fractions[part] * seen - in_all[part]

        part = max(fractions, key=lack)
        result[i] = part
        in_stratum[strata[i], part] += sizes[i]
        in_all[part] += sizes[i]
    return result


def two_parts(groups: Sequence[Sequence[str]], seed: int, source: str) -> dict[str, Part]:
    """Training and validation by id: groups with a fifth of all ids together for validation.

    Raises FileError where there are fewer than two groups in `source`.
    """
    if len(groups) < 2:
        raise FileError(
            f"{source} shows {len(groups)} field: expected at least two, one to learn from and one "
            "to see whether it helped"
        )
    wanted = sum(len(group) for group in groups) / 5
    # the largest group is learned from, whatever is drawn
    drawn = np.random.default_rng(seed).permutation(len(groups)).tolist()
    learned = max(drawn, key=lambda number: len(groups[number]))
    parts: dict[str, Part] = {}
    checked = 0
    for number in drawn:
        part: Part = "validation" if checked < wanted and number != learned else "training"
        checked += len(groups[number]) if part == "validation" else 0
        parts |= dict.fromkeys(groups[number], part)
    return parts


def split_own_images(name: str, folder: Path, seed: int) -> Split:
    """Somebody's own images/ and masks/ in two parts, by field; see `two_parts`."""
    data = SegmentationFolder(folder)
    groups = group_fields({key: data.image(key) for key in data.ids()})
    parts = two_parts(groups, seed, str(folder))
    entries = {
        key: SplitEntry(part=parts[key], group=number, stratum="own")
        for number, group in enumerate(groups)
        for key in group
    }
    return Split(dataset=name, seed=seed, images=entries)


def _median_diameter_px(data: SegmentationFolder, key: str) -> float:
    """Median diameter of the circles that have the objects' areas; 0 without objects."""
    area_px = np.bincount(data.mask(key).ravel())[1:]
    area_px = area_px[area_px > 0]
    return float(np.median(2 * np.sqrt(area_px / np.pi))) if area_px.size else 0.0

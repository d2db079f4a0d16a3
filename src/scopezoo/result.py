"""What a prediction gives, in memory or as files, and how the files are named.

The local engine and the client of a server give the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scopezoo.errors import FileError, UsageError
from scopezoo.formats import check_ending, open_image
from scopezoo.image import Image

ENDINGS = (".ome.zarr", ".ome.tiff", ".ome.tif", ".zarr", ".tiff", ".tif", ".npy", ".png")


@dataclass
class Result:
    """What a prediction gave: an image per output id, the record, and the files written."""

    images: dict[str, Image]
    record: dict[str, Any]
    files: list[Path] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Extras:
    """What is written beside the result: a picture, a table of objects, ImageJ ROIs."""

    preview: bool = False
    table: bool = False
    rois: bool = False


@dataclass(frozen=True)
class Names:
    """`stem` is the path without its ending; `images` has a path per output id."""

    stem: Path
    images: dict[str, Path]
    extras: Extras

    def beside(self, ending: str) -> Path:
        """A further file of this result, e.g. `beside(".csv")`."""
        return self.stem.with_name(self.stem.name + ending)

    def all(self) -> list[str]:
        """Names of all files that the result has, the record last."""
        endings = {
            ".preview.png": self.extras.preview,
            ".csv": self.extras.table,
            ".rois.zip": self.extras.rois,
        }
        beside = [self.beside(ending).name for ending, wanted in endings.items() if wanted]
        return [*(path.name for path in self.images.values()), *beside, self.record.name]

    def paths(self) -> list[Path]:
        """The same as paths."""
        return [self.stem.with_name(name) for name in self.all()]

    @property
    def record(self) -> Path:
        return self.beside(".json")


def result_names(
    output: Path,
    output_ids: list[str],
    extras: Extras,
    *,
    uncertainty: bool = False,
    labels: bool = False,
) -> Names:
    """Names for a first output at `output`; the others have their id before the ending.

    With `uncertainty` there is an image `<id>.uncertainty` for each output as well, with `labels`
    an image of that name. Raises UsageError where the format has no float32.
    """
    stem, ending = split_ending(output)
    if uncertainty and ending.lower() == ".png":
        raise UsageError(f"{output.name}: PNG cannot hold an uncertainty; write a .tif")
    stems = [stem, *(stem.with_name(f"{stem.name}.{name}") for name in output_ids[1:])]
    images = {output_ids[0]: output}
    images |= {
        name: own.with_name(f"{own.name}{ending}")
        for name, own in zip(output_ids[1:], stems[1:], strict=True)
    }
    if uncertainty:
        images |= {
            f"{name}.uncertainty": own.with_name(f"{own.name}.uncertainty{ending}")
            for name, own in zip(output_ids, stems, strict=True)
        }
    if labels:
        images["labels"] = stem.with_name(f"{stem.name}.labels{ending}")
    return Names(stem, images, extras)


def split_ending(path: Path) -> tuple[Path, str]:
    """A path without its image ending, and the ending: `a.ome.tif` is `a` and `.ome.tif`."""
    lower = path.name.lower()
    ending = next((e for e in ENDINGS if lower.endswith(e) and len(lower) > len(e)), path.suffix)
    return path.with_name(path.name[: len(path.name) - len(ending)]), ending


def check_names(names: Names, inputs: Iterable[Image]) -> None:
    """Raise UsageError for an ending of no image format, and for the file of an input."""
    for path in names.images.values():
        check_ending(path)
    there = [path for path in names.paths() if path.exists()]
    for source in (Path(image.source) for image in inputs):
        same = [path for path in there if source.exists() and path.samefile(source)]
        if same:
            raise UsageError(f"{same[0]} is the input itself; give another output with -o")


def check_free(names: Names) -> None:
    """Raise FileError where one of the files is there already."""
    for path in names.paths():
        if path.exists():
            raise FileError(f"{path} exists; say --overwrite to replace it")


def written_result(names: Names, warnings: list[str]) -> Result:
    """The result whose files lie under `names`. Raises FileError where they do not."""
    try:
        record = json.loads(names.record.read_text(encoding="utf-8"))
        axes = {name: record["outputs"][name]["axes"] for name in names.images}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"{names.record} is no record of a finished result") from error
    images = {}
    for name, path in names.images.items():
        inside = path / "labels" / name
        given = axes[name] if path.suffix == ".npy" else None
        images[name] = open_image(inside if inside.is_dir() else path, axes=given)
    return Result(images, record, [path for path in names.paths() if path.exists()], warnings)

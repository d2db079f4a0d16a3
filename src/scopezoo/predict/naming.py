"""Names of the files that one prediction writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ENDINGS = (".ome.zarr", ".ome.tiff", ".ome.tif", ".zarr", ".tiff", ".tif", ".npy", ".png")


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


def result_names(output: Path, output_ids: list[str], extras: Extras) -> Names:
    """Names for a first output at `output`; the others have their id before the ending."""
    stem, ending = split_ending(output)
    others = {name: stem.with_name(f"{stem.name}.{name}{ending}") for name in output_ids[1:]}
    return Names(stem, {output_ids[0]: output} | others, extras)


def split_ending(path: Path) -> tuple[Path, str]:
    """A path without its image ending, and the ending: `a.ome.tif` is `a` and `.ome.tif`."""
    lower = path.name.lower()
    ending = next((e for e in ENDINGS if lower.endswith(e) and len(lower) > len(e)), path.suffix)
    return path.with_name(path.name[: len(path.name) - len(ending)]), ending

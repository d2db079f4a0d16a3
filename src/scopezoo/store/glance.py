"""What one wants to know of a model before choosing it: task, quality, speed, size, licence, data.

All of it stands in the package's description, where packaging wrote what it measured. What a
stranger's description has in another form is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scopezoo.errors import PackageError, UnsafePackageError
from scopezoo.store.package import Package

HEADLINES = (
    ("segmentation", "AP 0.5"),
    ("detection", "AP 0.5"),
    ("label-free", "r"),
    ("", "PSNR (dB)"),
)
"""By a word of the task: the metric that it is known by."""
LARGEST = 1e15
"""Beyond this a number is no figure of a model."""


@dataclass(frozen=True)
class Quality:
    """A measured figure: average precision at IoU 0.5, PSNR in dB, …; on which dataset's part."""

    metric: str
    value: float
    dataset: str | None
    part: str | None

    def __str__(self) -> str:
        return f"{self.metric}: {self.value:.3g}"


@dataclass(frozen=True)
class Speed:
    """Time per million pixels (of a 3D model: voxels) and peak memory of the timed run."""

    s_per_megapixel: float
    memory_bytes: int | None
    is_3d: bool
    processor: str | None

    def __str__(self) -> str:
        return f"{self.s_per_megapixel:.2g} s/M{'voxel' if self.is_3d else 'pixel'}"


@dataclass(frozen=True)
class Glance:
    """The facts of a model, None where its package does not state them."""

    task: str | None
    modality: str | None
    quality: Quality | None
    speed: Speed | None
    weights_bytes: int | None
    license: str | None
    dataset: str | None

    @property
    def size(self) -> str | None:
        """Size of the weights in words."""
        count = self.weights_bytes
        if count is None:
            return None
        return f"{count / 1e3:.1f} kB" if count < 1e5 else f"{count / 1e6:.1f} MB"


def glance(package: Package) -> Glance:
    """The facts of a package."""
    rdf = package.description.rdf
    about = bioimageio_config(package)
    own = _mapping(_own_config(package).get("evaluation"))
    evaluations = mappings(about.get("evaluations")) or ([own] if own else [])
    task = _text(about.get("task"))
    return Glance(
        task=task,
        modality=_text(about.get("modality")),
        quality=_headline(evaluations[0], task or "") if evaluations else None,
        speed=_speed(package),
        weights_bytes=_weights_bytes(package),
        license=_text(rdf.get("license")),
        dataset=_text(_mapping(rdf.get("training_data")).get("id"))
        or next((_text(entry.get("dataset_id")) for entry in evaluations), None),
    )


def bioimageio_config(package: Package) -> Mapping[str, Any]:
    """`config.bioimageio` of a description, empty where it is missing or no mapping."""
    return _mapping(_mapping(package.description.rdf.get("config")).get("bioimageio"))


def _own_config(package: Package) -> Mapping[str, Any]:
    """`config.scopezoo`: what the format has no place for."""
    return _mapping(_mapping(package.description.rdf.get("config")).get("scopezoo"))


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """The mappings of a list; none of what is no list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _headline(evaluation: Mapping[str, Any], task: str) -> Quality | None:
    names, rows = evaluation.get("metrics"), evaluation.get("results")
    if not isinstance(names, list) or not isinstance(rows, list):
        return None
    found = [
        (str(name), value)
        for name, row in zip(names, rows, strict=False)
        if (value := _number(row[0] if isinstance(row, list) and row else row)) is not None
    ]
    wanted = next(metric for word, metric in HEADLINES if word in task.lower())
    known = [pair for pair in found if pair[0].partition(",")[0] == wanted] or found
    if not known:
        return None
    dataset, part = evaluation.get("dataset_id"), evaluation.get("dataset_role")
    return Quality(*known[0], _text(dataset), _text(part))


def _speed(package: Package) -> Speed | None:
    inference = _mapping(_own_config(package).get("inference"))
    first = package.description.inputs[0]
    seconds, shape = _number(inference.get("time_s")), inference.get("input_shape")
    if seconds is None or not isinstance(shape, list) or len(shape) != len(first.axes):
        return None
    sizes = [_number(shape[first.axes.index(axis)]) for axis in first.space]
    pixels = math.prod(size or 0 for size in sizes)
    if pixels < 1:
        return None
    memory = _number(inference.get("peak_memory_bytes"))
    return Speed(
        s_per_megapixel=float(f"{seconds / pixels * 1e6:.3g}"),
        memory_bytes=None if memory is None else int(memory),
        is_3d=len(first.space) == 3,
        processor=_text(inference.get("processor")),
    )


def _weights_bytes(package: Package) -> int | None:
    """Bytes of the ONNX weights, or of the first where there are none."""
    weights = package.description.weights
    entry = weights.get("onnx") or next(iter(weights.values()), None)
    try:
        return None if entry is None else package.files.size(entry.file.source)
    except (PackageError, UnsafePackageError):
        return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float | None:
    """A number of a size that figures have, without which sums could overflow."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < LARGEST else None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)

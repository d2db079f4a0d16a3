"""Is a dataset whole, and fit to train on? Every check says what it found, with the pair."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from scopezoo.datasets.paired.copying import copy_regions, stored_axes
from scopezoo.datasets.paired.duplicates import alike_fields
from scopezoo.datasets.paired.finding import Finding, failed
from scopezoo.datasets.paired.hashing import image_sha256
from scopezoo.datasets.paired.importing import UNFINISHED
from scopezoo.datasets.paired.manifest import SIDES, ImageEntry, Manifest, Pair
from scopezoo.datasets.paired.pixels import PixelSummary
from scopezoo.datasets.paired.plausible import MIN_OVERLAP, overlap_fraction, transform_problems
from scopezoo.datasets.paired.sampling import GriddedImage
from scopezoo.datasets.paired.store import Dataset
from scopezoo.errors import ScopezooError
from scopezoo.image import Image

FEW_SATURATED = 1e-4
"""Worth knowing; stars and debris saturate without harm."""
MANY_SATURATED = 0.01
NOISE_ONLY = 0.05
"""Correlation of neighbours, after averaging 2×2, below which a plane is all noise."""
SAME_SIZE = 1e-6


@dataclass(frozen=True)
class DatasetReport:
    """All that was found; `passed` is whether none of it is an error."""

    name: str
    pairs: int
    findings: list[Finding]

    @property
    def passed(self) -> bool:
        return not failed(self.findings)


def check_dataset(
    dataset: Dataset, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> DatasetReport:
    """Read everything once: files, hashes, pixels, transforms, split, duplicates."""
    findings = [*_manifest(dataset)]
    for done, pair in enumerate(dataset.pairs):
        progress(done, len(dataset.pairs))
        findings += check_pair(dataset, pair)
    findings += split_findings(dataset.manifest)
    findings += duplicate_findings(dataset.manifest, alike_fields(dataset))
    progress(len(dataset.pairs), len(dataset.pairs))
    return DatasetReport(dataset.manifest.name, len(dataset.pairs), findings)


def check_pair(dataset: Dataset, pair: Pair) -> list[Finding]:
    """Both images, then the transform between them."""
    findings: list[Finding] = []
    images: list[GriddedImage] = []
    for side in SIDES:
        entry = pair.image(side)
        try:
            image = dataset.image(entry)
            problems = [*differences(image, entry), *_hash(dataset, entry)]
            images.append(GriddedImage.of(image, entry))
            findings += [_error("files", f"{side}: {problem}", pair) for problem in problems]
            findings += [*_pixels(image, side, pair)]
        except ScopezooError as error:
            findings.append(_error("files", f"{side}: {error}", pair))
    return [*findings, *_registration(pair, images)]


def split_findings(manifest: Manifest) -> list[Finding]:
    """Specimens in two parts, in none, or unknown."""
    split = manifest.split
    if split is None:
        return [Finding("warning", "split", "the dataset has no split yet")]
    known = {pair.specimen for pair in manifest.pairs}
    placed = [(name, part) for part, names in split.parts.items() for name in names]
    findings = []
    for name in sorted({name for name, _ in placed} | known):
        parts = [part for one, part in placed if one == name]
        if len(parts) > 1:
            text = f"leaks: this specimen is in {' and '.join(parts)}"
            findings.append(Finding("error", "split", text, name))
        if not parts:
            text = "this specimen is in no part; run `scopezoo dataset split` again"
            findings.append(Finding("warning", "split", text, name))
        if name not in known:
            text = f"is in {parts[0]}, but no pair is of this specimen"
            findings.append(Finding("warning", "split", text, name))
    return findings


def duplicate_findings(manifest: Manifest, alike: list[list[str]]) -> list[Finding]:
    """Fields that are there twice; an error where the two are in different parts."""
    split = manifest.split
    specimen_of = {pair.id: pair.specimen for pair in manifest.pairs}
    findings = []
    for group in alike:
        names = ", ".join(group)
        parts = {split.part_of(specimen_of[one]) for one in group} - {None} if split else set()
        if len(parts) > 1:
            shown = " and ".join(sorted(str(part) for part in parts))
            text = f"leaks: {names} show one field, or nearly, and are in {shown}"
            findings.append(Finding("error", "duplicates", text))
        elif len({specimen_of[one] for one in group}) > 1:
            text = f"{names} show one field, or nearly, but are of different specimens"
            findings.append(Finding("warning", "duplicates", text))
        else:
            text = f"{names} show one field, or nearly"
            findings.append(Finding("warning", "duplicates", text))
    return findings


def _manifest(dataset: Dataset) -> Iterator[Finding]:
    for problem in dataset.manifest.problems():
        yield Finding("error", "manifest", problem)
    if not dataset.pairs:
        yield Finding("error", "manifest", "the dataset has no pairs")
    if (dataset.location / UNFINISHED).exists():
        yield Finding("error", "files", "an import has not ended: run the same command again")


def differences(image: Image, entry: ImageEntry) -> Iterator[str]:
    shape = tuple(image.size(axis) for axis in entry.axes)
    if stored_axes(image) != entry.axes or shape != entry.shape:
        yield f"is {image.axes} {image.shape}, the manifest says {entry.axes} {entry.shape}"
    if str(image.dtype) != entry.dtype:
        yield f"is {image.dtype}, the manifest says {entry.dtype}"
    for axis in entry.axes.replace("C", ""):
        said, found = getattr(entry.voxel_um, axis.lower()), image.pixel_size_um.get(axis)
        if said is None or found is None or abs(said - found) > SAME_SIZE * said:
            yield f"its pixels are {found} µm along {axis}, the manifest says {said}"


def _hash(dataset: Dataset, entry: ImageEntry) -> Iterator[str]:
    found = image_sha256(dataset.files, entry.path, dataset.files.names(entry.path))
    if found != entry.sha256:
        yield f"has sha256 {found[:12]}…, the manifest says {entry.sha256[:12]}…: it was changed"


def _pixels(image: Image, side: str, pair: Pair) -> Iterator[Finding]:
    axes = image.axes
    summary = PixelSummary(np.dtype(image.dtype))
    for region in copy_regions(axes, image.shape, image.dtype.itemsize):
        summary.add(image.read(**dict(zip(axes, region, strict=True))))
    problem = summary.problem()
    if problem:
        yield _error("pixels", f"{side}: {problem}", pair)
        return
    share = f"{100 * summary.saturated:.2g} % of its pixels are saturated (at {summary.maximum:g})"
    if summary.saturated > MANY_SATURATED:
        yield _error("pixels", f"{side}: {share}", pair)
    elif summary.saturated > FEW_SATURATED:
        yield _warning("pixels", f"{side}: {share}", pair)
    gridded = GriddedImage.of(image, pair.source if side == "source" else pair.target)
    if neighbour_correlation(gridded) < NOISE_ONLY:
        yield _warning("pixels", f"{side}: its middle plane looks empty, all noise", pair)


def neighbour_correlation(image: GriddedImage) -> float:
    """Pearson's r of neighbouring 2×2 means in the middle plane: about 0 for noise alone."""
    z = image.shape[0] // 2
    plane = image.read((slice(z, z + 1), slice(None), slice(None)))[0]
    height, width = (size // 2 for size in plane.shape)
    if height < 2 or width < 3:
        return 1.0
    means = plane[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean(axis=(1, 3))
    left, right = means[:, :-1].ravel(), means[:, 1:].ravel()
    if left.std() == 0 or right.std() == 0:
        return 0.0
    return float(np.corrcoef(left, right)[0, 1])


def _registration(pair: Pair, images: list[GriddedImage]) -> Iterator[Finding]:
    if pair.status == "failed":
        reasons = "; ".join(pair.reasons) or "no reason is given"
        yield _warning("registration", f"is left out, registering it failed: {reasons}", pair)
    if pair.status == "unregistered":
        yield _warning(
            "registration", "is not registered; run `scopezoo dataset register-all`", pair
        )
    if pair.status != "registered" or pair.source_to_target is None:
        return
    matrix = pair.source_to_target.array
    errors, warnings = transform_problems(matrix)
    if not errors and len(images) == 2:
        overlap = overlap_fraction(images[0], images[1], matrix)
        if overlap < MIN_OVERLAP:
            errors.append(f"the images overlap by {100 * overlap:.0f} % of the smaller one only")
    if pair.quality is not None and not pair.quality.passed:
        reasons = "; ".join(pair.quality.reasons) or "no reason is given"
        errors.append(f"counts as registered though its quality did not pass: {reasons}")
    yield from (_error("registration", problem, pair) for problem in errors)
    yield from (_warning("registration", problem, pair) for problem in warnings)


def _error(check: str, message: str, pair: Pair) -> Finding:
    return Finding("error", check, message, pair.id)


def _warning(check: str, message: str, pair: Pair) -> Finding:
    return Finding("warning", check, message, pair.id)

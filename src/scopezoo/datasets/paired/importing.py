"""From two folders of files to pairs in a dataset: first looked at, then copied.

`survey` lists everything that is missing or contradictory and writes nothing; `import_pairs` copies
the pairs that are free of errors. A file `.import.part` marks a dataset whose import has not ended:
the same call goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from scopezoo.datasets.paired.files import MANIFEST
from scopezoo.datasets.paired.finding import Finding
from scopezoo.datasets.paired.judging import (
    Voxel,
    as_voxel_size,
    check_same_grid,
    middle_problem,
    opened,
    unusual,
    usual_voxel,
    voxel_of,
)
from scopezoo.datasets.paired.manifest import SIDES, Instrument, Manifest, Side
from scopezoo.datasets.paired.matching import Match, as_id, match_names, match_table
from scopezoo.datasets.paired.metadata import METADATA, ImportMetadata, read_metadata
from scopezoo.datasets.paired.store import Dataset, NewImage, new_manifest
from scopezoo.errors import ImageError, IncompatibleImageError, ScopezooError, UsageError
from scopezoo.image import Image

UNFINISHED = ".import.part"
EXTENT_RATIO = 20.0
"""Fields of one place do not differ more than this in size."""


@dataclass(frozen=True)
class ReadyPair:
    """A pair without errors so far; its pixels were looked at in the middle only."""

    match: Match
    specimen: str
    nbytes: int


@dataclass(frozen=True)
class Survey:
    """What an import would do, and all that is wrong."""

    metadata: ImportMetadata
    instruments: list[Instrument]
    pairs: list[ReadyPair]
    findings: list[Finding]


def survey(
    source_dir: Path,
    target_dir: Path,
    *,
    metadata: Path | None = None,
    pattern: str | None = None,
    table: Path | None = None,
) -> Survey:
    """Match the files, open them, and compare what they say with `metadata`.

    `metadata` is a YAML file, by default `metadata.yaml` beside or in `source_dir`.
    Raises FileError and UsageError where nothing can be imported at all.
    """
    said = _metadata(source_dir, metadata)
    matches, findings = (
        match_table(table, source_dir, target_dir)
        if table
        else match_names(source_dir, target_dir, pattern or said.pattern)
    )
    missing = said.missing()
    if missing:
        text = f"not known, though a published dataset needs it: {', '.join(missing)}"
        findings.append(Finding("warning", "metadata", text))
    voxels: dict[Side, dict[str, Voxel]] = {"source": {}, "target": {}}
    ready: list[ReadyPair] = []
    for match in matches:
        pair, problems = _look(match, said, voxels)
        findings += [Finding("error", "pair", problem, match.id) for problem in problems]
        if pair:
            ready.append(pair)
    usual = {side: usual_voxel(list(voxels[side].values())) for side in SIDES}
    mixed = _unusual(voxels, usual, findings)
    kept = [pair for pair in ready if pair.match.id not in mixed]
    if not kept and not findings:
        findings.append(Finding("error", "match", "there are no images in these folders"))
    instruments = _instruments(said, usual)
    findings += _unused(said, kept)
    return Survey(said, instruments, kept, findings)


def import_pairs(
    found: Survey,
    folder: Path,
    *,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> tuple[Dataset, list[Finding]]:
    """Copy the pairs of a survey into the dataset at `folder`, which is made where it is missing.

    Pairs that are in it already, from the same files, are left as they are. Returns the dataset and
    what copying found besides. Raises FileError where `folder` is something else, or full.
    """
    dataset = _open_or_create(found, folder)
    marker = folder / UNFINISHED
    marker.touch()
    findings: list[Finding] = []
    total = sum(pair.nbytes for pair in found.pairs)
    done = 0
    for pair in found.pairs:

        def copied(part: int, _all: int, before: int = done) -> None:
            progress(before + part, total)

        try:
            _add(dataset, found, pair, copied)
        except (ImageError, IncompatibleImageError, UsageError) as error:
            findings.append(Finding("error", "pair", str(error), pair.match.id))
        done += pair.nbytes
        progress(done, total)
    marker.unlink()
    return dataset, findings


def _metadata(source_dir: Path, given: Path | None) -> ImportMetadata:
    if given is not None:
        return read_metadata(given)
    places = (source_dir.parent / METADATA, source_dir / METADATA)
    return next((read_metadata(one) for one in places if one.is_file()), ImportMetadata())


def _look(
    match: Match, said: ImportMetadata, voxels: dict[Side, dict[str, Voxel]]
) -> tuple[ReadyPair | None, list[str]]:
    """What opening both files shows; their voxel sizes are noted in `voxels`."""
    problems: list[str] = []
    images: dict[Side, Image] = {}
    for side in SIDES:
        try:
            image, found = opened(match.file(side), said.side(side))
            blank = None if found else middle_problem(image)
        except ScopezooError as error:
            problems.append(f"{side}: {error}")
            continue
        found += [blank] if blank else []
        problems += [f"{side} {match.file(side).name}: {one}" for one in found]
        images[side] = image
        if not found:
            voxels[side][match.id] = voxel_of(image)
    specimen = said.specimen or match.specimen
    if specimen is None:
        problems.append(
            "its specimen is not known: give --pattern with (?P<specimen>…), or `specimen` in the "
            "metadata where all is of one"
        )
    if len(images) == 2 and not problems:
        problems += _pair_problems(images["source"], images["target"], said)
    if problems or specimen is None:
        return None, problems
    nbytes = sum(image.nbytes for image in images.values())
    return ReadyPair(match, as_id(specimen), nbytes), []


def _pair_problems(source: Image, target: Image, said: ImportMetadata) -> list[str]:
    depths = [image.size("Z") for image in (source, target)]
    if min(depths) == 1 < max(depths):
        return [f"2D against 3D: the source has {depths[0]} planes, the target {depths[1]}"]
    if said.aligned:
        try:
            check_same_grid(source, target)
        except UsageError as error:
            return [str(error)]
    for axis in "ZYX" if depths[0] > 1 else "YX":
        extents = [image.size(axis) * image.pixel_size_um[axis] for image in (source, target)]
        if max(extents) > EXTENT_RATIO * min(extents):
            return [
                f"along {axis} the source is {extents[0]:.3g} µm long, the target {extents[1]:.3g} "
                "µm: these are no images of one field, or a voxel size is wrong"
            ]
    return []


def _unusual(
    voxels: dict[Side, dict[str, Voxel]],
    usual: dict[Side, Voxel | None],
    findings: list[Finding],
) -> set[str]:
    """Pairs whose units must be wrong; other differences are but told."""
    wrong: set[str] = set()
    for side in SIDES:
        common = usual[side]
        for pair_id, voxel in voxels[side].items():
            different = unusual(voxel, common) if common else None
            if different is None:
                continue
            mixed, message = different
            level: Literal["error", "warning"] = "error" if mixed else "warning"
            findings.append(Finding(level, "pair", f"{side}: {message}", pair_id))
            wrong |= {pair_id} if mixed else set()
    return wrong


def _instruments(said: ImportMetadata, usual: dict[Side, Voxel | None]) -> list[Instrument]:
    found = []
    for side in SIDES:
        voxel = usual[side]
        size = as_voxel_size(voxel) if voxel else said.side(side).voxel_size_um
        found.append(said.side(side).instrument(side, size))
    if found[0].id == found[1].id and found[0] != found[1]:
        raise UsageError(
            f"source and target are both called {found[0].id!r} in the metadata but differ; give "
            "each its own id"
        )
    return found[:1] if found[0].id == found[1].id else found


def _unused(said: ImportMetadata, pairs: list[ReadyPair]) -> list[Finding]:
    found = {pair.specimen for pair in pairs}
    return [
        Finding("warning", "metadata", "the metadata describes it, but no file is of it", name)
        for name in said.specimens
        if name not in found
    ]


def _open_or_create(found: Survey, folder: Path) -> Dataset:
    said = found.metadata
    fields: dict[str, Any] = {
        "name": said.name,
        "description": said.description,
        "license": said.licence,
        "authors": said.authors,
        "cite": said.cite,
    }
    given = {key: value for key, value in fields.items() if value}
    if not (folder / MANIFEST).exists():
        named = {"name": folder.name, **given}
        return Dataset.create(
            folder, new_manifest(as_id(folder.name), instruments=found.instruments, **named)
        )
    dataset = Dataset.open(folder)

    def merged(old: Manifest) -> Manifest:
        ids = {one.id for one in found.instruments}
        others = [one for one in old.instruments if one.id not in ids]
        return old.model_copy(update={**given, "instruments": [*others, *found.instruments]})

    dataset.update(merged)
    return dataset


def _add(
    dataset: Dataset, found: Survey, pair: ReadyPair, progress: Callable[[int, int], None]
) -> None:
    originals = {side: pair.match.file(side).name for side in SIDES}
    listed = dataset.manifest.pair(pair.match.id)
    if listed:
        if any(listed.image(side).original != originals[side] for side in SIDES):
            raise UsageError(
                f"the dataset has a pair of this name, from {listed.source.original} and "
                f"{listed.target.original}; rename the files"
            )
        return
    new = {}
    for side in SIDES:
        said = found.metadata.side(side)
        image, _ = opened(pair.match.file(side), said)
        new[side] = NewImage(image, said.id or side, said.channel, originals[side])
    dataset.add(
        pair.match.id,
        found.metadata.described(pair.specimen),
        new["source"],
        new["target"],
        aligned=found.metadata.aligned,
        progress=progress,
    )

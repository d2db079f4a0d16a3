"""The registered pairs of a paired dataset, to measure restoration on."""

from __future__ import annotations

from pathlib import Path

from scopezoo.datasets.paired import Dataset
from scopezoo.datasets.paired.manifest import Instrument, Pair
from scopezoo.datasets.paired.sampling import GriddedImage, index_map
from scopezoo.datasets.split import Part
from scopezoo.errors import UsageError
from scopezoo.validation.quality.cases import Cases, LeftOut, PairCase


def cases(location: Path, part: Part | None) -> Cases:
    """The pairs of a part, all for None; unregistered ones are left out and told.

    Raises UsageError where there is no split or no registered pair of that part.
    """
    dataset = Dataset.open(location)
    split = dataset.manifest.split
    if part is not None and split is None:
        raise UsageError(
            f"{location} has no split, so nothing tells which of its pairs training did not see: "
            "run `scopezoo dataset split`, or measure on all of them with --split all"
        )
    chosen = dataset.pairs_of(part)
    members = [
        pair
        for pair in dataset.pairs
        if part is None or (split and split.part_of(pair.specimen) == part)
    ]
    used = {pair.id for pair in chosen}
    left_out = [LeftOut(pair.id, _why(pair)) for pair in members if pair.id not in used]
    return Cases(
        dataset.manifest.id,
        "restoration",
        part,
        [_case(dataset, pair) for pair in chosen],
        left_out,
        _instrument(dataset, chosen),
    )


def _why(pair: Pair) -> str:
    told = f": {'; '.join(pair.reasons)}" if pair.reasons else ""
    return f"registering it failed{told}" if pair.status == "failed" else "it is not registered"


def _case(dataset: Dataset, pair: Pair) -> PairCase:
    image = dataset.image(pair.source)
    source = GriddedImage.of(image, pair.source)
    target = GriddedImage.of(dataset.image(pair.target), pair.target)
    assert pair.source_to_target is not None  # of a registered pair
    where = index_map(pair.source_to_target, source, target, onto="source")
    return PairCase(
        id=pair.id,
        specimen=pair.specimen,
        image=image,
        channel=None if pair.source.channel is None else str(pair.source.channel),
        source=source,
        target=target,
        to_target=where.matrix,
        pixel_um=pair.source.voxel_um.x,
        bent_to_target=where if where.bend else None,
    )


def _instrument(dataset: Dataset, pairs: list[Pair]) -> Instrument | None:
    """The microscope of all sources, None where there are several."""
    names = {pair.source.instrument for pair in pairs}
    return dataset.manifest.instrument(names.pop()) if len(names) == 1 else None

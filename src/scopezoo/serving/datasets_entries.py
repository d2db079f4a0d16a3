"""Datasets in the form that the server tells of them."""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import quote

from scopezoo.datasets.paired.card import how_to_cite
from scopezoo.datasets.paired.manifest import SIDES, Manifest, Pair, Side
from scopezoo.serving.datasets import Shared

BASE = "/api/v1/datasets"


def dataset_entry(shared: Shared) -> dict[str, Any]:
    """A dataset in short; sizes are bytes of files."""
    manifest = shared.dataset.manifest
    base = f"{BASE}/{quote(manifest.id)}"
    parts = Counter(_part(manifest, pair) or "none" for pair in manifest.pairs)
    status = Counter(pair.status for pair in manifest.pairs)
    return {
        "id": manifest.id,
        "name": manifest.name,
        "description": " ".join(manifest.description.split()),
        "license": manifest.license,
        "dimensions": sorted({_dimensions(pair) for pair in manifest.pairs}),
        "modalities": sorted({one.modality for one in manifest.instruments if one.modality}),
        "simulated": bool(manifest.specimens) and all(one.simulated for one in manifest.specimens),
        "specimens": len(manifest.specimens),
        "pairs": len(manifest.pairs),
        "parts": dict(parts) if manifest.split else {},
        "status": dict(status),
        "bytes": sum(shared.image_bytes.values()),
        "links": {
            "self": base,
            "card": f"{base}/card",
            "cover": f"{base}/cover" if manifest.pairs else None,
            "manifest": f"{base}/dataset.json",
        },
    }


def full_dataset_entry(shared: Shared) -> dict[str, Any]:
    """A dataset with its microscopes, specimens and pairs; `pairs` is then a list."""
    manifest = shared.dataset.manifest
    return {
        **dataset_entry(shared),
        "authors": [one.model_dump() for one in manifest.authors],
        "cite": [one.model_dump() for one in manifest.cite],
        "cite_as": how_to_cite(manifest),
        "instruments": [one.model_dump() for one in manifest.instruments],
        "specimens": [one.model_dump() for one in manifest.specimens],
        "pairs": [_pair(shared, pair) for pair in manifest.pairs],
    }


def _pair(shared: Shared, pair: Pair) -> dict[str, Any]:
    place = f"{BASE}/{quote(shared.dataset.manifest.id)}/fields/{quote(pair.id)}"
    return {
        "id": pair.id,
        "specimen": pair.specimen,
        "part": _part(shared.dataset.manifest, pair),
        "status": pair.status,
        "reasons": pair.reasons,
        "quality": pair.quality and pair.quality.model_dump(mode="json"),
        "source_to_target": pair.source_to_target and pair.source_to_target.matrix,
        **{side: _image(shared, pair, side, place) for side in SIDES},
        "links": {"picture": f"{place}/picture"},
    }


def _image(shared: Shared, pair: Pair, side: Side, place: str) -> dict[str, Any]:
    entry = pair.image(side)
    return {
        "url": f"{place}/{side}.ome.zarr",
        "bytes": shared.image_bytes[pair.id, side],
        "instrument": entry.instrument,
        "axes": entry.axes,
        "shape": list(entry.shape),
        "dtype": entry.dtype,
        "voxel_um": entry.voxel_um.model_dump(exclude_none=True),
        "sha256": entry.sha256,
    }


def _part(manifest: Manifest, pair: Pair) -> str | None:
    return manifest.split.part_of(pair.specimen) if manifest.split else None


def _dimensions(pair: Pair) -> str:
    return "3D" if "Z" in pair.source.axes else "2D"

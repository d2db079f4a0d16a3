"""The record beside every result: what was run on what, how, and with which versions."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import scopezoo
from scopezoo.image import Image
from scopezoo.predict.engine import Engine, TilePlan

_LIBRARIES = ("numpy", "onnxruntime", "openvino", "torch", "stardist", "tifffile", "zarr")


def model_record(engine: Engine) -> dict[str, Any]:
    """Identity of the model and of what runs it."""
    runtime = engine.runtime
    return {
        "id": engine.package.id,
        "name": engine.description.name,
        "version": engine.description.version,
        "format_version": engine.description.format_version,
        "rdf_sha256": engine.package.rdf_sha256,
        "weights_format": runtime.weights_format,
        "weights_sha256": runtime.weights_sha256,
        "runtime": f"{runtime.name} {runtime.version}",
        "precision": runtime.precision,
        "device": runtime.device,
    }


def tiles_record(engine: Engine, plan: TilePlan) -> dict[str, Any]:
    """How the samples were tiled, with the halo in input pixels, and whether the network was
    rewritten to compute less."""
    sizes = {axis: p.width for axis, p in zip(plan.axes, plan.plans, strict=True)}
    is_lighter = engine.network(plan.tile_px, len(plan)) is not engine.runtime
    record: dict[str, Any] = {
        "tiles_per_sample": len(plan),
        "tile_px": sizes,
        "lighter_network": is_lighter,
    }
    if len(plan) > 1:
        halo = engine.halo
        record["halo_px"] = {
            "declared": dict(halo.declared),
            "needed": dict(halo.needed),
            "receptive_radius": dict(halo.radius),
            "used": dict(plan.halo),
        }
    return record


def versions_record() -> dict[str, str]:
    """Versions of what made the result."""
    found = {"scopezoo": scopezoo.__version__, "python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def image_record(image: Image) -> dict[str, Any]:
    """Identity of an input image."""
    return {
        "source": image.source,
        **content_hash(Path(image.source)),
        "axes": image.axes,
        "shape": list(image.shape),
        "dtype": str(image.dtype),
        "pixel_size_um": dict(image.pixel_size_um),
        "channel_names": list(image.channel_names),
    }


def content_hash(path: Path) -> dict[str, str]:
    """SHA-256 of a file; of a folder (OME-Zarr), that of its metadata and of its files' sizes.

    Empty for what is neither.
    """
    if path.is_file():
        with path.open("rb") as file:
            return {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    if not path.is_dir():
        return {}
    digest = hashlib.sha256()
    for file_path in sorted(path.rglob("*")):
        if file_path.is_file():
            digest.update(f"{file_path.relative_to(path)} {file_path.stat().st_size}\n".encode())
            if file_path.name in ("zarr.json", ".zarray", ".zattrs", ".zgroup"):
                digest.update(file_path.read_bytes())
    return {"listing_sha256": digest.hexdigest()}


def write_record(path: Path, record: Mapping[str, Any], started: datetime) -> None:
    """Write a record as JSON, with the time that the work took until now."""
    ended = datetime.now(UTC)
    timed = {
        **record,
        "started": started.isoformat(timespec="seconds"),
        "seconds": round((ended - started).total_seconds(), 3),
    }
    path.write_text(json.dumps(timed, indent=2) + "\n", encoding="utf-8")

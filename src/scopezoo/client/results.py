"""What a server answered, as the local engine gives it: in memory, or as files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scopezoo.client.model import Model
from scopezoo.client.parcels import Parcel, copy_pixels, in_own_words, restored
from scopezoo.errors import ServerError
from scopezoo.formats import create_image, open_image
from scopezoo.formats.limits import writing
from scopezoo.image import Image
from scopezoo.result import Names, Result, written_result


def in_memory(fetched: Names, parcels: Sequence[Parcel]) -> Result:
    """The fetched files' result as arrays."""
    record = _record(fetched, parcels)
    images = {}
    for name, image in _images(fetched, record, parcels).items():
        pixels = image.read()
        images[name] = Image(
            pixels, image.axes, image.pixel_size_um, image.frame_interval_s, image.channel_names
        )
    return Result(images, record, warnings=record["warnings"])


def to_files(fetched: Names, names: Names, model: Model, parcels: Sequence[Parcel]) -> Result:
    """The fetched files under their final names, the record last.

    Raises FileError where they cannot be written.
    """
    record = _record(fetched, parcels)
    images = _images(fetched, record, parcels)
    for name, path in fetched.images.items():
        if not _is_same_file(path, names.images[name], parcels[0]):
            path = path.with_name(f"rewritten.{names.images[name].name}")
            _write(path, images[name], name, model)
            record["outputs"][name] |= {
                "axes": images[name].axes,
                "shape": list(images[name].shape),
            }
        fetched.images[name] = path
    fetched.record.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    for path, final in zip(fetched.paths(), names.paths(), strict=True):
        with writing(final):
            _replace(path, final)
    return written_result(names, record["warnings"])


def _record(fetched: Names, parcels: Sequence[Parcel]) -> dict[str, Any]:
    """The server's record, with the images as the caller has them."""
    try:
        record: dict[str, Any] = json.loads(fetched.record.read_text(encoding="utf-8"))
        for parcel in parcels:
            record["inputs"][parcel.tensor] = _input(parcel, record["inputs"][parcel.tensor])
        record["warnings"] = [in_own_words(str(text), parcels) for text in record["warnings"]]
        record["outputs"] = {name: dict(record["outputs"][name]) for name in fetched.images}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ServerError("the server's record of the result cannot be read") from error
    return record


def _input(parcel: Parcel, told: dict[str, Any]) -> dict[str, Any]:
    image = parcel.image
    return {
        "source": image.source,
        **({"sha256": told["sha256"]} if parcel.is_own_file else {}),
        "axes": image.axes,
        "shape": list(image.shape),
        "dtype": str(image.dtype),
        "pixel_size_um": dict(image.pixel_size_um),
        "channel_names": list(image.channel_names),
    }


def _images(fetched: Names, record: dict[str, Any], parcels: Sequence[Parcel]) -> dict[str, Image]:
    images = {}
    for name, path in fetched.images.items():
        axes = record["outputs"][name]["axes"] if path.suffix == ".npy" else None
        images[name] = restored(open_image(path, axes=axes), parcels[0].image)
    return images


def _is_same_file(path: Path, final: Path, first: Parcel) -> bool:
    """Whether the local engine would have written this very file."""
    ending = final.name.lower()
    is_same_format = (
        ending.endswith(path.suffix) or (path.suffix == ".tif" and ending.endswith(".tiff"))
    ) and not ending.endswith((".ome.tif", ".ome.tiff"))
    return is_same_format and first.sent_axes == first.image.axes


def _write(path: Path, image: Image, name: str, model: Model) -> None:
    is_labels = model.outputs[name] == "labels"
    writer = create_image(
        path,
        shape=image.shape,
        dtype=image.dtype,
        axes=image.axes,
        like=image,
        labels=name if is_labels and path.suffix == ".zarr" else None,
        chunks=None if "Z" in model.axes else {"Z": 1},
    )
    copy_pixels(image.data, writer)
    writer.close()


def _replace(path: Path, final: Path) -> None:
    """Move a file or folder to its place; what is there moves away first."""
    if final.is_dir() and not final.is_symlink():
        final.replace(path.with_name(f"old.{final.name}"))  # removed with its folder
    path.replace(final)

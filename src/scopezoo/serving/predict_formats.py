"""The forms in which a prediction is answered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scopezoo.predict import Extras
from scopezoo.serving.errors import HttpError

FORMATS = ("tif", "npy", "png", "labels", "csv", "rois", "json", "zip")
_ACCEPTED = {
    "image/tiff": "tif",
    "application/x-npy": "npy",
    "image/png": "png",
    "text/csv": "csv",
    "application/json": "json",
    "application/zip": "zip",
}
MEDIA_TYPES = {
    ".tif": "image/tiff",
    ".npy": "application/x-npy",
    ".png": "image/png",
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".zip": "application/zip",
}
_STARTS = {
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
    b"II+\0": ".tif",
    b"MM\0+": ".tif",
    b"\x89PNG\r\n": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"\x93NUMPY": ".npy",
}


@dataclass(frozen=True)
class Wanted:
    """`ending` of the result's file, the `extras` that the answer needs, the output with labels."""

    format: str
    ending: str
    extras: Extras
    labels: str | None


def wanted(
    asked: str | None, accept: str | None, labels: str | None, packed: Extras | None = None
) -> Wanted:
    """What `format` or the Accept header asks of a model; a zip has all extras, or those `packed`.

    Raises HttpError 406 for a form that does not exist, or that this model cannot give.
    """
    name = asked or _accepted(accept or "*/*")
    if name not in FORMATS:
        raise HttpError(
            406,
            "UsageError",
            f"format {str(asked or accept)[:100]!r}: expected {', '.join(FORMATS)}",
        )
    if name in ("labels", "csv", "rois") and labels is None:
        raise HttpError(406, "UsageError", f"format {name} needs a model that gives labels")
    if name == "zip":
        extras = packed or Extras(True, labels is not None, labels is not None)
    else:
        extras = Extras(preview=name == "png", table=name == "csv", rois=name == "rois")
    return Wanted(name, ".npy" if name == "npy" else ".tif", extras, labels)


def _accepted(accept: str) -> str | None:
    """The format of the first media type that is known; any type is answered with TIFF."""
    for part in accept.split(","):
        media_type = part.partition(";")[0].strip().lower()
        if media_type in _ACCEPTED:
            return _ACCEPTED[media_type]
        if media_type in ("*/*", "image/*", "application/octet-stream"):
            return "tif"
    return None


def image_ending(start: bytes) -> str:
    """The ending of an image file by its first bytes. Raises HttpError 415 for no image."""
    for begin, ending in _STARTS.items():
        if start.startswith(begin):
            return ending
    raise HttpError(
        415,
        "ImageError",
        "the body is no image that is taken here; expected TIFF, PNG, JPEG or NPY",
    )


def media_type(path: Path) -> str:
    """What a file is sent as."""
    return MEDIA_TYPES.get(path.suffix.lower(), "application/octet-stream")

"""Looks at pictures and documents of a package before anybody shows them."""

from __future__ import annotations

import io
import re
import warnings
from pathlib import PurePosixPath

MAX_PICTURE_PIXELS = 100_000_000
_PICTURES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".gif": "GIF", ".webp": "WEBP"}
_SCRIPT = re.compile(
    r"<\s*(script|iframe|object|embed|form|svg)\b|javascript\s*:|<[^>]*\son\w+\s*=|srcdoc\s*=",
    re.IGNORECASE,
)


def picture_problem(name: str, content: bytes) -> str | None:
    """What is wrong with a picture, by its name and its header; None if nothing."""
    from PIL import Image

    expected = _PICTURES.get(PurePosixPath(name.lower()).suffix)
    if expected is None:
        return f"is no picture that can be shown safely; expected {', '.join(_PICTURES)}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=[expected]) as picture:
                width, height = picture.size
    except Exception as error:  # Pillow's readers raise almost anything on broken files
        return f"is no readable {expected} ({' '.join(str(error).split())[:200]})"
    if width * height > MAX_PICTURE_PIXELS:
        return f"declares {width}×{height} pixels; at most {MAX_PICTURE_PIXELS}"
    return None


def sample_problem(name: str, content: bytes) -> str | None:
    """What is wrong with a sample image (picture or TIFF), by its header; None if nothing."""
    if not name.lower().endswith((".tif", ".tiff")):
        return picture_problem(name, content)
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(content)) as tiff:
            pixels = sum(int(series.size) for series in tiff.series)
    except Exception as error:  # tifffile raises almost anything on broken files
        return f"is no readable TIFF ({' '.join(str(error).split())[:200]})"
    if pixels > 10 * MAX_PICTURE_PIXELS:
        return f"declares {pixels} pixels; at most {10 * MAX_PICTURE_PIXELS}"
    return None


def document_problem(content: bytes) -> str | None:
    """What in a Markdown document could act on the page that shows it; None if nothing."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return "is not UTF-8 text"
    found = _SCRIPT.search(text)
    return f"has active content: {found.group(0)[:60]!r}" if found else None

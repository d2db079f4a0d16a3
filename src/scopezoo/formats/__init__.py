"""Reads and writes images: `open_image` gives a lazy Image, `create_image` an ImageWriter."""

from __future__ import annotations

from scopezoo.formats.creator import check_ending, create_image
from scopezoo.formats.image_writer import ImageWriter
from scopezoo.formats.opener import as_image, open_image

__all__ = ["ImageWriter", "as_image", "check_ending", "create_image", "open_image"]

"""Small pictures of a dataset and of its pairs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.paired.manifest import Pair
from scopezoo.datasets.paired.pictures import JPEG_QUALITY, cover_png, pair_pictures
from scopezoo.datasets.paired.rdf import COVER
from scopezoo.errors import ScopezooError
from scopezoo.serving.cards import MAX_COVER_BYTES
from scopezoo.serving.datasets import Shared
from scopezoo.serving.errors import HttpError

PNG_START = b"\x89PNG\r\n\x1a\n"
GAP_PX = 6


def cover(shared: Shared) -> bytes:
    """The dataset's own cover, a PNG, or one of its first pair. Raises HttpError 404."""
    files = shared.dataset.files
    facts = files.facts(COVER)
    if facts is not None and facts.size_bytes <= MAX_COVER_BYTES:
        with files.open(COVER) as stream:
            content = stream.read(MAX_COVER_BYTES)
        if content.startswith(PNG_START):
            return content
    if not shared.dataset.pairs:
        raise HttpError(404, "NotFound", "the dataset has no pairs yet, and no cover")
    with _readable():
        return cover_png(shared.dataset)


def picture(shared: Shared, pair: Pair) -> bytes:
    """Source, target and, where it is registered, one on the other, side by side: a JPEG.

    Raises HttpError 404 for images that cannot be read.
    """
    import imagecodecs

    with _readable():
        shown = pair_pictures(shared.dataset, pair)
    height = max(one.pixels.shape[0] for one in shown)
    strip: list[NDArray[np.uint8]] = []
    for one in shown:
        colours = one.pixels if one.pixels.ndim == 3 else np.stack([one.pixels] * 3, axis=-1)
        lower = height - colours.shape[0]
        strip.append(np.pad(colours, ((lower // 2, lower - lower // 2), (0, GAP_PX), (0, 0))))
    whole = np.ascontiguousarray(np.concatenate(strip, axis=1)[:, :-GAP_PX])
    return bytes(imagecodecs.jpeg8_encode(whole, JPEG_QUALITY))


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except ScopezooError as error:
        raise HttpError(404, "NotFound", "an image of this pair cannot be read") from error

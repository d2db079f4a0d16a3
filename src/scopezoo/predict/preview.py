"""A picture of what went in and what came out, for those who would rather look."""

from __future__ import annotations

from math import ceil, floor, log10
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from scopezoo.image import Image
from scopezoo.predict.label_colours import label_colours
from scopezoo.predict.objects import read_as
from scopezoo.predict.whole_file import whole_file

if TYPE_CHECKING:
    from PIL import ImageDraw

MAX_SIDE_PX = 1024
READ_PX = 1 << 24
CONTRAST_PERCENTILES = (1.0, 99.8)
GAP_PX = 8
FILL = 0.3

CHANNEL_COLOURS = np.array(
    [
        (0, 190, 255),
        (255, 60, 150),
        (255, 200, 40),
        (80, 255, 120),
        (150, 100, 255),
        (255, 255, 255),
    ]
)
"""Of channels that are shown on top of each other; those after the sixth are not shown."""


def write_preview(
    image: Image,
    result: Image,
    kind: Literal["labels", "image"],
    path: Path,
    *,
    max_side_px: int = MAX_SIDE_PX,
) -> None:
    """Write a PNG: the input on the left, the result on the right.

    Labels are outlined and tinted over the input; another result is shown as the input is: with
    black at its 1st and white at its 99.8th percentile, channels in colours, RGB as it is. Of a
    stack this is the middle plane, of a series the first frame. A larger plane is averaged down
    (labels: sampled) to at most `max_side_px` a side while it is read in bands; a smaller one is
    enlarged by a whole number. A scale bar is there where the pixel size along X is known.

    Raises FileError if the file cannot be written.
    """
    from PIL import Image as Pillow

    left = _picture(image, max_side_px)
    if kind == "labels":
        # Enlarged pixels have room for a stronger line.
        width = 2 if left.shape[0] > image.size("Y") else 1
        right = _outlined(left, _sampled(result, left.shape[:2]), width)
    else:
        right = _picture(result, max_side_px)
    left = _with_scale_bar(left, image)
    height = max(left.shape[0], right.shape[0])
    canvas = Pillow.new("RGB", (left.shape[1] + GAP_PX + right.shape[1], height), "white")
    canvas.paste(Pillow.fromarray(left), (0, 0))
    canvas.paste(Pillow.fromarray(right), (left.shape[1] + GAP_PX, 0))
    with whole_file(path) as temporary:
        canvas.save(temporary, format="PNG")


def _plane(image: Image) -> dict[str, slice]:
    """The middle plane of the first frame."""
    middle = image.size("Z") // 2
    return {"T": slice(0, 1), "Z": slice(middle, middle + 1)}


def _picture(image: Image, max_side_px: int) -> NDArray[np.uint8]:
    """Red, green and blue (Y, X, 3) of an image's plane."""
    count = min(image.size("C"), len(CHANNEL_COLOURS))
    shrink = ceil(max(image.size("Y"), image.size("X")) / max_side_px)
    channels = [_averaged(image, channel, shrink) for channel in range(count)]
    picture = np.stack(channels, axis=-1) if _is_rgb(image) else _in_colour(channels)
    zoom = max(1, max_side_px // max(picture.shape))
    enlarged = np.clip(picture, 0, 255).astype(np.uint8).repeat(zoom, axis=0)
    return enlarged.repeat(zoom, axis=1)


def _in_colour(channels: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """One channel in grey, several in their colours on top of each other; 0..255 and beyond."""
    colours = CHANNEL_COLOURS if len(channels) > 1 else np.array([(255, 255, 255)])
    picture = np.zeros((*channels[0].shape, 3), np.float32)
    for pixels, colour in zip(channels, colours, strict=False):
        picture += _stretched(pixels)[..., None] * colour
    return picture


def _is_rgb(image: Image) -> bool:
    names = "".join(name[:1].lower() for name in image.channel_names)
    return image.size("C") == 3 and image.dtype == np.uint8 and names in ("", "rgb")


def _averaged(image: Image, channel: int, shrink: int) -> NDArray[np.float32]:
    """One channel of the plane, means of `shrink` by `shrink` pixels (fewer at the far edges)."""
    height, width = image.size("Y"), image.size("X")
    rows = shrink * max(1, READ_PX // (width * shrink))
    region = _plane(image) | {"C": slice(channel, channel + 1)}
    bands = []
    for top in range(0, height, rows):
        band = read_as(image, "YX", region | {"Y": slice(top, min(top + rows, height))})
        bands.append(_block_means(band, shrink))
    return np.concatenate(bands)


def _block_means(pixels: NDArray[Any], size: int) -> NDArray[np.float32]:
    means: NDArray[np.float32] = pixels.astype(np.float32)
    for axis, length in enumerate(pixels.shape):
        starts = np.arange(0, length, size)
        counts = np.diff(np.append(starts, length)).astype(np.float32)
        means = np.add.reduceat(means, starts, axis=axis)
        means /= counts[:, None] if axis == 0 else counts
    return means


def _stretched(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Contrast to 0..1; what is not a number becomes 0."""
    finite = pixels[np.isfinite(pixels)]
    if finite.size == 0:
        return np.zeros_like(pixels)
    low, high = (float(value) for value in np.percentile(finite, CONTRAST_PERCENTILES))
    if low == high:  # a few spots on nothing lie beyond the percentiles
        low, high = float(finite.min()), float(finite.max())
    stretched: NDArray[np.float32] = np.clip((pixels - low) / ((high - low) or 1.0), 0, 1)
    return np.nan_to_num(stretched)


def _sampled(labels: Image, shape: tuple[int, ...]) -> NDArray[Any]:
    """The labels of the plane at the centres of the pixels of a picture of the same field."""
    sizes = zip(shape, (labels.size("Y"), labels.size("X")), strict=True)
    y, x = ((2 * np.arange(shown) + 1) * size // (2 * shown) for shown, size in sizes)
    step = max(1, READ_PX * shape[0] // (labels.size("X") * labels.size("Y")))
    bands = []
    for top in range(0, shape[0], step):
        rows = y[top : top + step]
        region = _plane(labels) | {"Y": slice(int(rows[0]), int(rows[-1]) + 1)}
        band = read_as(labels, "YX", region)
        bands.append(band[rows - rows[0]][:, x])
    return np.concatenate(bands)


def _outlined(picture: NDArray[np.uint8], labels: NDArray[Any], width: int) -> NDArray[np.uint8]:
    """A grey picture with its objects tinted, and outlined inside their edge."""
    from skimage.segmentation import find_boundaries

    grey = np.repeat(picture.mean(axis=-1, dtype=np.float32)[..., None], 3, axis=-1)
    weight = np.where(labels > 0, np.float32(FILL), np.float32(0))
    inside = labels
    for _ in range(width):
        edge = find_boundaries(inside, mode="inner")  # type: ignore[no-untyped-call]
        weight[edge] = 1
        inside = np.where(edge, 0, inside)
    grey += weight[..., None] * (label_colours(labels) - grey)
    return grey.astype(np.uint8)


def _with_scale_bar(picture: NDArray[np.uint8], image: Image) -> NDArray[np.uint8]:
    from PIL import Image as Pillow
    from PIL import ImageDraw

    if "X" not in image.pixel_size_um:
        return picture
    height, width = picture.shape[:2]
    shown_um = image.pixel_size_um["X"] * image.size("X") / width
    length_um = _round_length(0.2 * width * shown_um)
    length, thick, margin = round(length_um / shown_um), max(3, width // 200), width // 40
    drawn = Pillow.fromarray(picture)
    draw = ImageDraw.Draw(drawn)
    left, bottom = width - margin - length, height - margin
    bar = (left, bottom - thick, left + length - 1, bottom - 1)
    draw.rectangle([bar[0] - 1, bar[1] - 1, bar[2] + 1, bar[3] + 1], fill="black")
    draw.rectangle(bar, fill="white")
    _write_um(
        draw, (left + length / 2, bottom - 2.5 * thick), f"{length_um:g}", max(10, width // 36)
    )
    return np.asarray(drawn)


def _write_um(draw: ImageDraw.ImageDraw, foot: tuple[float, float], number: str, size: int) -> None:
    """A length in µm, centred above `foot`."""
    from PIL import ImageFont

    font = ImageFont.load_default(size)
    text = f"{number} um"
    x, y = round(foot[0] - font.getlength(text) / 2), round(foot[1] - size / 5)
    # The font in Pillow has no µ: the left stem of its u is drawn on below the line.
    left = round(x + font.getlength(f"{number} ") + 0.07 * size)
    right, end = left + round(0.08 * size), round(y + size / 5)
    draw.rectangle((left - 1, y, right + 1, end + 1), fill="black")
    draw.text(
        (x, y), text, anchor="ls", fill="white", stroke_fill="black", stroke_width=1, font=font
    )
    draw.rectangle((left, y - size // 4, right, end), fill="white")


def _round_length(limit: float) -> float:
    """The largest of 1, 2, 5, 10, 20, … (and of 0.5, 0.2, …) that is not above `limit`."""
    decade = 10.0 ** floor(log10(limit))
    return max(step * decade for step in (1, 2, 5) if step * decade <= limit)

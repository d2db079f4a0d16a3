"""A picture of a registration: magenta and green before and after, checkerboard, residuals."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets.registration.register import Registration
from scopezoo.datasets.registration.sampling import sampled
from scopezoo.datasets.registration.volume import Volume, read_volume
from scopezoo.image import Image

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MAX_SIDE_PX = 512
GAP_PX = 6
TITLE_PX = 22
SQUARES = 8
CONTRAST_PERCENTILES = (1.0, 99.8)
ARROW_PX = 40
"""Length of an arrow of the 95th percentile's residual."""
MATCHED, UNMATCHED = (255, 210, 60), (255, 60, 60)
BACKGROUND, INK = (24, 24, 24), (235, 235, 235)


def picture(
    source: Image,
    target: Image,
    registration: Registration,
    *,
    source_channel: int | str | None = None,
    target_channel: int | str | None = None,
) -> bytes:
    """PNG: the source (magenta) on the target (green) before and after, a checkerboard of both, a
    section along z of stacks, and the residual that each sub-block sees, enlarged.

    Raises what `read_volume` does.
    """
    moving, fixed = read_volume(source, source_channel), read_volume(target, target_channel)
    fixed = fixed.with_voxels(np.nan_to_num(fixed.voxels, posinf=0, neginf=0))
    moving = moving.with_voxels(np.nan_to_num(moving.voxels, posinf=0, neginf=0))
    panels = _panels(moving, fixed, registration)
    return _png(_arranged(panels))


@dataclass(frozen=True)
class _Panel:
    title: str
    pixels: NDArray[np.uint8]


def _panels(source: Volume, target: Volume, registration: Registration) -> list[_Panel]:
    plane = _plane(target, target.shape[0] // 2)
    green = _grey(plane.voxels[0])
    as_is = Registration(np.eye(4), registration.quality)
    before = _grey(_moved(source, as_is, plane)[0])
    after = _grey(_moved(source, registration, plane)[0])
    verdict = "passed" if registration.quality.passed else "FAILED"
    panels = [
        _Panel("before: source magenta, target green", _overlay(before, green)),
        _Panel(f"after ({verdict})", _overlay(after, green)),
        _Panel("after: checkerboard of source and target", _checkerboard(after, green)),
        _residual_panel(green, plane, registration),
    ]
    if not target.is_plane:
        panels += [
            _section("before: section along z", source, target, as_is),
            _section("after: section along z", source, target, registration),
        ]
    return panels


def _moved(source: Volume, found: Registration, grid: Volume) -> NDArray[np.float32]:
    return sampled(source, np.linalg.inv(found.matrix), grid, smooth=found.smooth)[0]


def _plane(target: Volume, z: int) -> Volume:
    """A plane, thinned to at most MAX_SIDE_PX."""
    step = max(1, -(-max(target.shape[1:]) // MAX_SIDE_PX))
    origin = target.origin_um + np.array([z, 0, 0]) * target.spacing_um
    voxels = target.voxels[z : z + 1, ::step, ::step]
    return Volume(voxels, target.spacing_um * np.array([1, step, step]), origin)


def _section(title: str, source: Volume, target: Volume, found: Registration) -> _Panel:
    """z down, x across, in the middle of y; planes repeated to true proportions."""
    y = target.shape[1] // 2
    step = max(1, -(-target.shape[2] // MAX_SIDE_PX))
    origin = target.origin_um + np.array([0, y, 0]) * target.spacing_um
    spacing = target.spacing_um * np.array([1, 1, step])
    line = Volume(target.voxels[:, y : y + 1, ::step], spacing, origin)
    both = (_grey(_moved(source, found, line)[:, 0]), _grey(line.voxels[:, 0]))
    times = max(1, round(spacing[0] / spacing[2]))
    overlay = np.repeat(_overlay(*both), times, axis=0)
    return _Panel(title, overlay[:MAX_SIDE_PX])


def _grey(pixels: NDArray[np.float32]) -> NDArray[np.float64]:
    """0 to 1; of unlike microscopes, each by its own percentiles."""
    low, high = np.percentile(pixels, CONTRAST_PERCENTILES)
    grey: NDArray[np.float64] = np.clip((pixels - low) / max(high - low, 1e-9), 0, 1)
    return grey


def _overlay(magenta: NDArray[np.float64], green: NDArray[np.float64]) -> NDArray[np.uint8]:
    return (np.stack([magenta, green, magenta], axis=-1) * 255).astype(np.uint8)


def _checkerboard(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.uint8]:
    side = max(1, -(-max(one.shape) // SQUARES))
    rows, columns = np.ogrid[: one.shape[0], : one.shape[1]]
    first = (rows // side + columns // side) % 2 == 0
    mixed = np.where(first, one, other)
    tint = np.where(first[..., None], (1.0, 0.85, 1.0), (0.85, 1.0, 0.85))
    return (mixed[..., None] * tint * 255).astype(np.uint8)


def _residual_panel(green: NDArray[np.float64], plane: Volume, found: Registration) -> _Panel:
    from PIL import Image as Pillow
    from PIL import ImageDraw

    grey = np.repeat((green[..., None] * 120).astype(np.uint8), 3, axis=2)
    if found.judgement is None or found.quality.residual_p95_um is None:
        return _Panel("residuals: none could be measured", grey)
    blocks = found.judgement.blocks
    lateral = np.hypot(*blocks.displacements_um[:, 1:].T)
    longest_um = max(float(np.percentile(lateral[blocks.matched], 95)), 1e-6)
    canvas = Pillow.fromarray(grey)
    draw = ImageDraw.Draw(canvas)
    for centre, shift, matched in zip(
        blocks.centres_um, blocks.displacements_um, blocks.matched, strict=True
    ):
        y, x = ((centre - plane.origin_um) / plane.spacing_um)[1:]
        colour = MATCHED if matched else UNMATCHED
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), outline=colour)
        if matched:
            dy, dx = shift[1:] / longest_um * ARROW_PX
            draw.line((x, y, x + dx, y + dy), fill=colour, width=2)
    title = f"residual of sub-blocks; {ARROW_PX} px are {longest_um * 1000:.0f} nm"
    return _Panel(title, np.asarray(canvas))


def _arranged(panels: list[_Panel]) -> Picture:
    """Two in a row."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    width = max(200, *(panel.pixels.shape[1] for panel in panels))
    rows = [panels[i : i + 2] for i in range(0, len(panels), 2)]
    heights = [TITLE_PX + max(panel.pixels.shape[0] for panel in row) + GAP_PX for row in rows]
    canvas = Pillow.new("RGB", (2 * width + 3 * GAP_PX, sum(heights) + GAP_PX), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    top = GAP_PX
    for row, height in zip(rows, heights, strict=True):
        for i, panel in enumerate(row):
            left = GAP_PX + i * (width + GAP_PX)
            draw.text((left, top + 4), panel.title, fill=INK)
            canvas.paste(Pillow.fromarray(panel.pixels), (left, top + TITLE_PX))
        top += height
    return canvas


def _png(canvas: Picture) -> bytes:
    stream = BytesIO()
    canvas.save(stream, format="PNG")
    return stream.getvalue()

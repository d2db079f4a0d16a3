"""A picture of what methods make of the same planes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PANEL_INCHES = 2.0
SHOWN_PX = 128
PERCENTILES = (1, 99.8)
"""Of the wanted image: black and white."""
BAR_UM = 5


def panels_figure(
    fields: Mapping[str, Mapping[str, NDArray[np.float32]]],
    pixel_um: float,
    path: Path,
    *,
    own_levels: tuple[str, ...] = (),
    shown_px: int = SHOWN_PX,
) -> None:
    """Write a PNG: a row for each field, a column for each method, the wanted image last.

    Planes are the middle ones of stacks ZYX. Grey levels are those of the wanted image, but for
    methods in `own_levels`.
    """
    from matplotlib.figure import Figure

    columns = max(len(images) for images in fields.values())
    size = (PANEL_INCHES * columns, PANEL_INCHES * len(fields) + 0.3)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(fields), columns, squeeze=False)
    for row, (name, images) in zip(panels, fields.items(), strict=True):
        *_, wanted = images.values()
        window = _window(wanted, shown_px)
        for axes, (method, stack) in zip(row, images.items(), strict=False):
            low, high = np.percentile(stack if method in own_levels else wanted, PERCENTILES)
            axes.imshow(stack[window], cmap="gray", vmin=low, vmax=high, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            if axes in panels[0]:
                axes.set_title(method, fontsize=8)
        row[0].set_ylabel(name, fontsize=8)
        side = wanted[window].shape[0]
        row[0].plot([4, 4 + BAR_UM / pixel_um], [side - 6] * 2, color="white", linewidth=2.5)
        row[0].text(4, side - 10, f"{BAR_UM} µm", color="white", fontsize=7)
    figure.savefig(path, dpi=100)


def _window(wanted: NDArray[np.float32], shown_px: int) -> tuple[int, slice, slice]:
    """The middle plane, and the square in it that has most contrast among some."""
    plane = len(wanted) // 2
    height, width = (min(shown_px, size) for size in wanted.shape[1:])
    places = [
        (y, x)
        for y in range(0, wanted.shape[1] - height + 1, 32)
        for x in range(0, wanted.shape[2] - width + 1, 32)
    ]
    y, x = max(
        places, key=lambda at: wanted[plane, at[0] : at[0] + height, at[1] : at[1] + width].std()
    )
    return plane, slice(y, y + height), slice(x, x + width)

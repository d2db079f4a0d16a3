"""A picture of what restoration methods make of the same fields."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = Mapping[str, NDArray[np.float32]]
"""One field by each method, ZYX, the wanted one last."""
PANEL_INCHES = 2.0
SHOWN_PX = 96
TOP_PERCENTILE = 99.8
LINE_COLOUR = "#ffcc00"


def comparison_figure(
    fields: Mapping[str, Images], pixel_size_um: Mapping[Any, float], path: Path
) -> None:
    """Write a PNG: for each field a plane, a section along z, and a profile along a line.

    Grey levels run from the median to a high percentile of each image; the line is where the wanted
    image varies most.
    """
    from matplotlib.figure import Figure

    columns = max(len(images) for images in fields.values()) + 1
    figure = Figure(
        figsize=(PANEL_INCHES * columns, PANEL_INCHES * 1.45 * len(fields)), layout="constrained"
    )
    rows = figure.subplots(
        2 * len(fields), columns, squeeze=False, height_ratios=[1, 0.42] * len(fields)
    )
    step_z, step = pixel_size_um["z"], pixel_size_um["x"]
    for number, (name, images) in enumerate(fields.items()):
        *_, wanted = images.values()
        z, y, x = _liveliest_line(wanted)
        top, bottom = rows[2 * number], rows[2 * number + 1]
        profile = top[-1]
        for axes, side, (method, image) in zip(top, bottom, images.items(), strict=False):
            shown = _stretched(image)
            plane, section = shown[z, y, x], shown[:, (y.start + y.stop) // 2, x]
            axes.imshow(plane, cmap="gray", vmin=0, vmax=1)
            axes.axhline(plane.shape[0] // 2, color=LINE_COLOUR, linewidth=0.5)
            side.imshow(section, cmap="gray", vmin=0, vmax=1, aspect=step_z / step)
            line = plane[plane.shape[0] // 2]
            style = {"color": "black", "linewidth": 1.6} if image is wanted else {"linewidth": 0.9}
            profile.plot(np.arange(line.size) * step, line, label=method, **style)
            if number == 0:
                axes.set_title(method, fontsize=7)
        top[0].set_ylabel(name, fontsize=7)
        bottom[0].set_ylabel("z", fontsize=7)
        profile.tick_params(labelsize=5)
        profile.set_xlabel("µm along the line", fontsize=6)
        for axes in (*top[:-1], *bottom[:-1]):
            axes.set(xticks=[], yticks=[])
        bottom[-1].axis("off")
        if number == 0:
            bottom[-1].legend(*profile.get_legend_handles_labels(), fontsize=5, loc="upper left")
    figure.savefig(path, dpi=100)


def _liveliest_line(wanted: NDArray[np.float32]) -> tuple[int, slice, slice]:
    """Plane, rows and columns of a window whose middle row varies most."""
    height, width = (min(SHOWN_PX, size) for size in wanted.shape[1:])
    rows = wanted[:, height // 2 : wanted.shape[1] - (height - height // 2) + 1]
    spread = rows[:, :, :width].std(axis=2)
    z, row = np.unravel_index(int(spread.argmax()), spread.shape)
    return int(z), slice(int(row), int(row) + height), slice(0, width)


def _stretched(image: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = np.percentile(image, [50, TOP_PERCENTILE])
    return np.asarray((image - low) / max(float(high - low), 1e-9))

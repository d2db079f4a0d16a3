"""A picture of what restoration methods make of the same fields."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = Mapping[str, NDArray[np.float32]]
"""One field by each method, ZYX, the wanted one last."""
PANEL_INCHES = 2.1
PROFILE_WIDTH = 1.7
"""Of a panel's."""
SHOWN_PX = 112
PERCENTILES = (50, 99.8)
"""Of a stack; black and white."""
BAR_UM = 5
LINE_COLOUR = "#ffcc00"
CURVES = ("#9a9a9a", "#3d85c6", "#8e63c8", "#e07b1a", "#d62728")


def comparison_figure(
    fields: Mapping[str, Images], pixel_size_um: Mapping[Any, float], path: Path
) -> None:
    """Write a PNG: for each field a plane, a section along z, and a profile along a line.

    Grey levels run from the median to a high percentile of each stack; the line is where those of
    the wanted image go up and down most.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    columns = max(len(images) for images in fields.values()) + 1
    depth = max(images[name].shape[0] for images in fields.values() for name in images)
    z_height = depth * pixel_size_um["z"] / (SHOWN_PX * pixel_size_um["x"])
    width = PANEL_INCHES * (columns - 1 + PROFILE_WIDTH)
    height = PANEL_INCHES * ((1.04 + z_height) * len(fields) + 0.15)
    layout = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    figure = Figure(figsize=(width, height), layout=layout)
    rows = figure.subplots(
        2 * len(fields),
        columns,
        squeeze=False,
        height_ratios=[1, z_height] * len(fields),
        width_ratios=[1] * (columns - 1) + [PROFILE_WIDTH],
    )
    for number, (name, images) in enumerate(fields.items()):
        top, bottom = rows[2 * number], rows[2 * number + 1]
        _draw_field(top, bottom, images, pixel_size_um)
        top[0].set_ylabel(name, fontsize=9)
        bottom[0].set_ylabel("z", fontsize=8)
        if number == 0:
            for axes, method in zip(top, images, strict=False):
                axes.set_title(method, fontsize=9)
            bottom[-1].legend(
                *top[-1].get_legend_handles_labels(), fontsize=7.5, loc="center", frameon=False
            )
    figure.savefig(path, dpi=90)


def _draw_field(top: Any, bottom: Any, images: Images, pixel_size_um: Mapping[Any, float]) -> None:
    """The panels of one field, and its profiles in the last column."""
    *_, wanted = images.values()
    z, y, x = _liveliest_line(wanted)
    step_z, step = pixel_size_um["z"], pixel_size_um["x"]
    curves = iter(CURVES)
    profile = top[-1]
    for axes, side, (method, image) in zip(top, bottom, images.items(), strict=False):
        shown = _stretched(image)
        plane, section = shown[z, y, x], shown[:, (y.start + y.stop) // 2, x]
        middle = plane.shape[0] // 2
        axes.imshow(plane, cmap="gray", vmin=0, vmax=1)
        axes.axhline(middle, color=LINE_COLOUR, linewidth=0.6)
        side.imshow(section, cmap="gray", vmin=0, vmax=1, aspect=step_z / step)
        side.axhline(z, color=LINE_COLOUR, linewidth=0.4)
        style = (
            {"color": "black", "linewidth": 1.8}
            if image is wanted
            else {"color": next(curves, None), "linewidth": 1.1}
        )
        profile.plot(np.arange(plane.shape[1]) * step, plane[middle], label=method, **style)
        axes.set(xticks=[], yticks=[])
        side.set(xticks=[], yticks=[])
    _draw_bar(top[0], SHOWN_PX, BAR_UM / step)
    peak = _stretched(wanted)[z, (y.start + y.stop) // 2, x].max()
    profile.set(ylim=(-0.15, 1.25 * max(1.0, float(peak))), yticks=[])
    profile.tick_params(labelsize=7)
    profile.set_xlabel("µm along the line", fontsize=7)
    profile.spines[["top", "right"]].set_visible(False)
    bottom[-1].axis("off")


def _draw_bar(axes: Any, side_px: int, length_px: float) -> None:
    axes.plot([4, 4 + length_px], [side_px - 6] * 2, color="white", linewidth=2.5)
    axes.text(4, side_px - 10, f"{BAR_UM} µm", color="white", fontsize=7)


def _liveliest_line(wanted: NDArray[np.float32]) -> tuple[int, slice, slice]:
    """Plane, rows and columns of a window whose middle row goes up and down most."""
    height, width = (min(SHOWN_PX, size) for size in wanted.shape[1:])
    first = (wanted.shape[2] - width) // 2
    columns = slice(first, first + width)
    rows = wanted[:, height // 2 : wanted.shape[1] - (height - height // 2) + 1, columns]
    # Beyond white nothing is seen: one bright spot is no lively line.
    change = np.abs(np.diff(np.clip(_stretched(rows), 0, 1), axis=2)).sum(axis=2)
    z, row = np.unravel_index(int(change.argmax()), change.shape)
    return int(z), slice(int(row), int(row) + height), columns


def _stretched(image: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = np.percentile(image, PERCENTILES)
    return np.asarray((image - low) / max(float(high - low), 1e-9))

"""A picture of what is made of label images: such as it is for, and such as it is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scopezoo.datasets import simulate_nuclei
from scopezoo.models.looks import LOOKS, with_texture
from scopezoo.models.pix2pix import Pix2PixGenerator2d
from scopezoo.models.synthesis import make_image

SIDE_PX = 256
SEED = 7
PLAIN = "whole numbers alone"
PANEL_INCHES = 2.0

Labels = NDArray[np.int32]


def synthesis_figure(generator: Pix2PixGenerator2d, path: Path) -> None:
    """Write a PNG: label images above, what is made of them below."""
    from matplotlib.figure import Figure

    examples = label_examples()
    figure = Figure(figsize=(PANEL_INCHES * len(examples), 2 * PANEL_INCHES + 0.3))
    figure.set_layout_engine("constrained")
    panels = figure.subplots(2, len(examples))
    for (name, labels), (above, below) in zip(examples.items(), panels.T, strict=True):
        shown = np.where(labels > 0, labels * 37 % 19 + 1, np.nan)
        above.imshow(shown, cmap="tab20", interpolation="nearest")
        above.set_facecolor("black")
        above.set_title(name, fontsize=8)
        chance = np.random.default_rng(SEED)
        given = labels if name == PLAIN else with_texture(labels, chance)
        made = make_image(generator, given)
        below.imshow(made, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        for axes in (above, below):
            axes.set(xticks=[], yticks=[])
    figure.savefig(path, dpi=100)


def label_examples() -> dict[str, Labels]:
    """Label images YX that nobody annotated, by what they show."""
    nuclei = simulated((14, 26))
    return {
        "nuclei": nuclei,
        "other numbers": with_other_numbers(nuclei),
        PLAIN: nuclei,
        "small": simulated((7, 12)),
        "large": simulated((45, 75)),
        "not nuclei": squares_and_bars(),
        "one of 200 px": disc(100),
    }


def simulated(diameter_px: tuple[float, float]) -> Labels:
    """Ellipses, about a quarter of the image."""
    count = round(0.45 * SIDE_PX**2 / np.mean(diameter_px) ** 2)
    _, labels = simulate_nuclei((SIDE_PX, SIDE_PX), SEED, nuclei=count, diameter_px=diameter_px)
    return labels


def with_other_numbers(labels: Labels) -> Labels:
    """The same nuclei, each with the look of another number."""
    numbers = np.arange(labels.max() + 1)
    numbers[1:] += LOOKS // 2 - 3
    return np.asarray(numbers[labels], np.int32)


def squares_and_bars() -> Labels:
    """Shapes that no nucleus has."""
    labels = np.zeros((SIDE_PX, SIDE_PX), np.int32)
    for number in range(4):
        top = 10 + 62 * number
        labels[top : top + 44, 12:56] = 1 + number
        labels[top : top + 4, 80:240] = 5 + number
        labels[top + 14 : top + 44 : 6, 80:240:2] = 9 + number
    return labels


def disc(radius_px: int) -> Labels:
    """One, in the middle."""
    y, x = np.indices((SIDE_PX, SIDE_PX)) - SIDE_PX // 2
    return np.asarray(y**2 + x**2 <= radius_px**2, np.int32)

"""Sample images in napari's menu."""

from __future__ import annotations

from scopezoo.datasets.simulate import simulate_nuclei
from scopezoo.serving.napari.package_images import package_layers
from scopezoo.serving.napari.pixels import LayerData
from scopezoo.store import resolve

SIDE_PX = 512
SEED = 1


def simulated_nuclei() -> list[LayerData]:
    """Simulated nuclei, in photo-electrons, and their true labels (hidden at first)."""
    image, labels = simulate_nuclei((SIDE_PX, SIDE_PX), SEED, nuclei=120)
    return [
        (image, {"name": "simulated nuclei"}, "image"),
        (labels, {"name": "simulated nuclei, true labels", "visible": False}, "labels"),
    ]


def real_nuclei() -> list[LayerData]:
    """The image to try that comes with the model of nuclei."""
    return package_layers(resolve("nuclei-stardist-2d"), outputs=False)

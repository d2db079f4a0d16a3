"""Small models and datasets to measure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from onnx import helper

from scopezoo.datasets import simulate_nuclei
from scopezoo.datasets.split import Split, SplitEntry
from tests import small_models as small

PARTS = ("test", "test", "test", "training")


def blur_model(folder: Path, ndim: int, **more: object) -> Path:
    """Gives the mean over 3 pixels in every direction."""
    kernel = np.ones((1, 1, *(3,) * ndim)) / 3**ndim
    node, weights = small.convolution("out", "raw", kernel)
    free = ["z", "y", "x"][-ndim:]
    network = small.network(
        node,
        weights,
        {"raw": [1, 1, *free]},
        {"out": [1, 1, *(f"{axis}_out" for axis in free)]},
    )
    return small.write_package(folder, small.image_model(ndim) | more, network)


def threshold_model(folder: Path) -> Path:
    """Gives the probability of foreground: high where an image is bright."""
    node, weights = small.convolution("bright", "raw", np.full((1, 1, 1, 1), 1.0))
    probability = helper.make_node("Sigmoid", ["bright"], ["out"])
    network = small.network(
        [*node, probability],
        weights,
        {"raw": [1, 1, "y", "x"]},
        {"out": [1, 1, "y_out", "x_out"]},
    )
    rdf = small.image_model(2) | {"tags": ["instance-segmentation"]}
    rdf["inputs"][0]["preprocessing"] = [
        {"id": "scale_range", "kwargs": {"min_percentile": 1.0, "max_percentile": 99.0}},
        {"id": "scale_linear", "kwargs": {"gain": 20.0, "offset": -8.0}},
    ]
    return small.write_package(folder, rdf, network)


def nuclei(folder: Path) -> Path:
    """Four simulated fields of nuclei with masks and a split, three of them for testing."""
    entries = {}
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for seed, part in enumerate(PARTS):
        image, labels = simulate_nuclei((96, 80), seed, nuclei=6 + 6 * seed)
        name = f"field{seed}"
        tifffile.imwrite(folder / "images" / f"{name}.tif", image)
        tifffile.imwrite(folder / "masks" / f"{name}.tif", labels.astype("uint16"))
        entries[name] = SplitEntry(part=part, group=seed, stratum="s")  # type: ignore[arg-type]
    Split(dataset="simulated nuclei", seed=0, images=entries).write(folder / "split.json")
    return folder


def noisy_pairs(folder: Path, names: tuple[str, str] = ("low", "GT")) -> Path:
    """Fields of nuclei with noise and without, of one name each; the later the noisier."""
    for name in names:
        (folder / name).mkdir(parents=True)
    for seed in range(3):
        image, _ = simulate_nuclei((96, 80), seed, nuclei=12)
        clean = image.astype(np.float32)
        noise = np.random.default_rng(seed).normal(0, 10 + 20 * seed, clean.shape)
        tifffile.imwrite(folder / names[0] / f"f{seed}.tif", (clean + noise).astype(np.float32))
        tifffile.imwrite(folder / names[1] / f"f{seed}.tif", clean)
    return folder

"""Runs a model of the collection on an array, without files."""

from __future__ import annotations

import numpy as np
from stardist.data import test_image_nuclei_2d

from scopezoo.image import Image
from scopezoo.predict import Engine, predict
from scopezoo.store import resolve


def main() -> None:
    """Count the nuclei of two images with one engine, which is loaded once."""
    engine = Engine(resolve("nuclei-stardist-2d"))
    whole = test_image_nuclei_2d()  # 512 × 512, uint16; shipped by stardist (BSD-3-Clause)
    for pixels in (whole, whole[:200, :300]):
        result = predict(engine, Image(pixels, "YX"))
        labels = np.asarray(next(iter(result.images.values())).data)
        print(f"{pixels.shape}: {labels.max()} nuclei")


if __name__ == "__main__":
    main()

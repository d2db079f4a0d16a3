"""Runs a model of the collection on an array, without files."""

from __future__ import annotations

import numpy as np
from skimage.data import human_mitosis

from scopezoo.image import Image
from scopezoo.predict import Engine, predict
from scopezoo.store import resolve


def main() -> None:
    """Count the nuclei of two images with one engine, which is loaded once."""
    engine = Engine(resolve("nuclei-stardist-2d"))
    whole = human_mitosis()  # a public-domain image that scikit-image ships, uint8
    for pixels in (whole, whole[:200, :300]):
        result = predict(engine, Image(pixels, "YX"))
        labels = np.asarray(next(iter(result.images.values())).data)
        print(f"{pixels.shape}: {labels.max()} nuclei")


if __name__ == "__main__":
    main()

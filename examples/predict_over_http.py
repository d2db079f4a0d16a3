"""Runs a model on a server: what comes back is what this machine would have computed.

Start a server with `scopezoo serve`, then `python examples/predict_over_http.py http://127.0.0.1:8000
RESULTS`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from stardist.data import test_image_nuclei_2d

import scopezoo
from scopezoo.image import Image
from scopezoo.predict import Extras


def main() -> None:
    """Count the nuclei of an image, then write labels, table and ROIs of it."""
    url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else "results")
    pixels = test_image_nuclei_2d()  # 512 × 512, uint16; shipped by stardist (BSD-3-Clause)
    with scopezoo.connect(url) as client:
        for model in client.models("nuclei"):
            print(model)
        result = client.predict("nuclei-stardist-2d", pixels)
        labels = next(iter(result.images.values())).read()
        print(f"{pixels.shape}: {labels.max()} nuclei")

        image = Image(pixels, "YX", pixel_size_um={"Y": 0.5, "X": 0.5})
        extras = Extras(preview=True, table=True, rois=True)
        written = client.predict(
            "nuclei-stardist-2d", image, folder / "nuclei.tif", extras=extras, overwrite=True
        )
        print("written:", *(path.name for path in written.files))


if __name__ == "__main__":
    main()

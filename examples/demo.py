"""Finds the nuclei of a real fluorescence image with a model of the collection.

The image is a field of the 2018 Data Science Bowl (BBBC038, CC0) that the stardist package ships
(BSD-3-Clause). Run it as `python examples/demo.py FOLDER`.
"""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path


def real_image() -> Path:
    """The 512 × 512 image of nuclei in the installed stardist package."""
    spec = find_spec("stardist")
    if spec is None or spec.origin is None:
        raise SystemExit("the demo needs the package stardist: pip install 'scopezoo[stardist]'")
    return Path(spec.origin).parent / "data" / "images" / "img2d.tif"


def main() -> int:
    """Run `scopezoo predict` as a person would, and say what came of it."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
    scopezoo = Path(sys.executable).with_name("scopezoo")
    command = [str(scopezoo), "predict", "nuclei-stardist-2d", str(real_image())]
    command += ["-o", str(folder / "nuclei.tif"), "--preview", "--table", "--rois", "--overwrite"]
    print("scopezoo", *command[1:], flush=True)
    started = time.monotonic()
    status = subprocess.run(command, check=False).returncode
    if status == 0:
        objects = len((folder / "nuclei.csv").read_text().splitlines()) - 1
        print(f"{objects} nuclei in {time.monotonic() - started:.1f} s, in {folder.resolve()}:")
        print("  nuclei.tif          every nucleus with a number of its own, for ImageJ or napari")
        print("  nuclei.preview.png  a picture: the image, and what was found in it")
        print("  nuclei.csv          a row per nucleus: place, size, shape, brightness")
        print("  nuclei.rois.zip     outlines for ImageJ's ROI Manager")
        print("  nuclei.json         the record: model, versions, parameters")
    return status


if __name__ == "__main__":
    sys.exit(main())

"""ImageJ itself opens what is written, calibrated."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from scopezoo.formats import create_image

IJ_JAR = Path("/usr/share/java/ij.jar")

MACRO = """
open("{image}");
getVoxelSize(width, height, depth, unit);
getDimensions(x, y, channels, slices, frames);
setSlice(nSlices);
fields = newArray(x, y, channels, slices, frames, width, height, depth, unit,
    Stack.getFrameInterval(), getInfo("slice.label"), getPixel(3, 2));
File.saveString(String.join(fields, "|"), "{result}");
"""


@pytest.mark.skipif(
    not (IJ_JAR.exists() and shutil.which("java") and shutil.which("xvfb-run")),
    reason="needs ImageJ: apt-get install imagej xvfb xauth",
)
def test_imagej_shows_the_same(tmp_path: Path) -> None:
    values = np.arange(2 * 3 * 2 * 20 * 30, dtype=np.uint16).reshape(2, 3, 2, 20, 30)
    writer = create_image(
        tmp_path / "a.tif",
        shape=values.shape,
        dtype=values.dtype,
        axes="TZCYX",
        pixel_size_um={"Z": 0.3, "Y": 0.2, "X": 0.1},
        frame_interval_s=2.5,
        channel_names=("DAPI", "GFP"),
    )
    writer[(slice(None),) * 5] = values
    writer.close()
    result = tmp_path / "result.txt"
    macro = tmp_path / "look.ijm"
    macro.write_text(MACRO.format(image=tmp_path / "a.tif", result=result))
    command = ["xvfb-run", "-a", "java", "-cp", IJ_JAR, "ij.ImageJ", "-batch", macro]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    *dimensions, unit, interval, label, pixel = result.read_text().strip().split("|")
    assert [float(size) for size in dimensions] == [30, 20, 2, 3, 2, 0.1, 0.2, 0.3]
    assert (unit, float(interval), label) == ("µm", 2.5, "GFP")
    assert int(pixel) == values[-1, -1, -1, 2, 3]

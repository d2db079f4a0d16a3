from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw
from roifile import ROI_TYPE, ImagejRoi, roiread

from scopezoo.errors import FileError, UsageError
from scopezoo.image import Image
from scopezoo.predict.rois import outlines, write_rois

IMAGEJ = Path("/usr/share/java/ij.jar")
masks = hnp.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


def signed_area(loop: NDArray[np.int64]) -> float:
    x, y = loop.T
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2)


def simulated_labels(shape: tuple[int, int], count: int, seed: int = 0) -> NDArray[np.uint16]:
    """Discs that cut into each other, so that some have pieces, holes and touching corners."""
    random = np.random.default_rng(seed)
    y, x = np.ogrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.uint16)
    for label in range(1, count + 1):
        cy, cx = random.random(2) * shape
        radius = random.uniform(1, 12)
        labels[(y - cy) ** 2 + (x - cx) ** 2 < radius**2] = label
    labels[random.random(shape) < 0.02] = 0
    return labels


def read(path: Path) -> dict[str, ImagejRoi]:
    found = roiread(path)
    rois = found if isinstance(found, list) else [found]
    return {roi.name: roi for roi in rois}


@given(masks)
def test_outlines_enclose_exactly_the_mask(mask: NDArray[np.bool_]) -> None:
    filled = Picture.new("I", (mask.shape[1] * 4 + 4, mask.shape[0] * 4 + 4))
    total = 0.0
    winding = np.zeros((mask.shape[0], mask.shape[1]), int)
    for loop in outlines(mask):
        area = signed_area(loop)
        total += area
        filled.paste(0, (0, 0, *filled.size))
        ImageDraw.Draw(filled).polygon([(4 * int(a), 4 * int(b)) for a, b in loop], fill=1)
        inside = np.asarray(filled)[2::4, 2::4][: mask.shape[0], : mask.shape[1]]
        winding += int(np.sign(area)) * inside
    assert total == mask.sum()
    np.testing.assert_array_equal(winding, mask)


def test_pixels_that_touch_at_a_corner_are_one_outline() -> None:
    assert len(outlines(np.eye(4, dtype=bool))) == 1
    assert len(outlines(np.eye(4, dtype=bool)[::-1])) == 1
    assert len(outlines(np.array([[1, 0, 1]], bool))) == 2


@given(st.integers(1, 4000))
def test_windows_change_nothing(tmp_path_factory: pytest.TempPathFactory, window_px: int) -> None:
    folder = tmp_path_factory.mktemp("rois")
    labels = Image(simulated_labels((50, 40), 30), "YX")
    count = write_rois(labels, folder / "whole.zip")
    assert write_rois(labels, folder / "windows.zip", window_px=window_px) == count
    assert (folder / "whole.zip").read_bytes() == (folder / "windows.zip").read_bytes()


def test_names_and_positions_in_stacks(tmp_path: Path) -> None:
    stack = np.zeros((3, 4, 8, 8), np.uint16)
    stack[1, 2, 1:4, 2:5] = 7
    stack[2, 3, 1:4, 2:5] = 9
    path = tmp_path / "rois.zip"

    write_rois(Image(stack, "TZYX"), path)
    found = {
        name: (roi.position, roi.z_position, roi.t_position) for name, roi in read(path).items()
    }
    assert found == {"00007": (0, 3, 2), "00009": (0, 4, 3)}

    for axes in ("ZYX", "TYX"):
        write_rois(Image(stack[1], axes), path)
        assert [(roi.position, roi.z_position) for roi in read(path).values()] == [(3, 0)]

    volume = np.where(np.arange(4)[:, None, None] > 1, np.uint16(5), np.uint16(0)) * np.ones(
        (1, 8, 8), np.uint16
    )
    write_rois(Image(volume, "ZYX"), path, ndim=3)
    assert list(read(path)) == ["00005-z3", "00005-z4"]
    write_rois(Image(volume, "ZYX"), path)
    assert list(read(path)) == ["00005", "00005-z4"]
    assert read(path)["00005"].integer_coordinates.tolist() == [[0, 0], [8, 0], [8, 8], [0, 8]]


def test_an_object_with_a_hole_is_a_composite(tmp_path: Path) -> None:
    labels = np.ones((5, 5), np.uint8)
    labels[2, 2] = 0
    write_rois(Image(labels, "YX"), tmp_path / "rois.zip")
    (roi,) = read(tmp_path / "rois.zip").values()
    assert roi.roitype == ROI_TYPE.RECT
    assert roi.composite


def test_no_objects_no_rois(tmp_path: Path) -> None:
    assert write_rois(Image(np.zeros((5, 5), np.uint8), "YX"), tmp_path / "rois.zip") == 0
    assert read(tmp_path / "rois.zip") == {}


def test_bad_input_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="whole numbers"):
        write_rois(Image(np.zeros((5, 5), np.float32), "YX"), tmp_path / "rois.zip")
    with pytest.raises(FileError, match="cannot write"):
        write_rois(Image(np.zeros((5, 5), np.uint8), "YX"), tmp_path / "none" / "rois.zip")
    assert list(tmp_path.iterdir()) == []


MACRO = """
newImage("image", "8-bit composite-mode", {shape});
roiManager("open", "{rois}");
text = "";
for (i = 0; i < roiManager("count"); i++) {{
  roiManager("select", i);
  Stack.getPosition(channel, slice, frame);
  text = text + Roi.getName + "," + getValue("Area raw") + "," + slice + "," + frame + "\\n";
}}
File.saveString(text, "{report}");
"""


def in_imagej(rois: Path, shape: tuple[int, int, int, int, int]) -> dict[str, list[float]]:
    """Area in pixels, plane and frame by name, as ImageJ says over an image of (X, Y, C, Z, T)."""
    if not shutil.which("xvfb-run") or not shutil.which("java") or not IMAGEJ.exists():
        pytest.skip(f"needs ImageJ: xvfb-run, java and {IMAGEJ}")
    report, macro = rois.with_suffix(".csv"), rois.with_suffix(".ijm")
    sizes = ", ".join(str(size) for size in shape)
    macro.write_text(MACRO.format(shape=sizes, rois=rois, report=report))
    java = ["java", "-cp", str(IMAGEJ), "ij.ImageJ", "-batch", str(macro)]
    subprocess.run(["xvfb-run", "-a", *java], check=True, timeout=120, capture_output=True)
    rows = (line.split(",") for line in report.read_text().splitlines())
    return {name: [float(value) for value in values] for name, *values in rows}


def areas_in_imagej(rois: Path, shape: tuple[int, ...]) -> dict[str, float]:
    found = in_imagej(rois, (shape[1], shape[0], 1, 1, 1))
    return {name: values[0] for name, values in found.items()}


def pixel_counts(labels: NDArray[np.uint16]) -> dict[str, float]:
    values, counts = np.unique(labels[labels > 0], return_counts=True)
    return {f"{value:05}": float(count) for value, count in zip(values, counts, strict=True)}


def test_imagej_measures_the_same_areas(tmp_path: Path) -> None:
    labels = simulated_labels((200, 300), 150)
    path = tmp_path / "rois.zip"
    write_rois(Image(labels, "YX"), path)
    kinds = {roi.roitype for roi in read(path).values()}
    assert kinds == {ROI_TYPE.TRACED, ROI_TYPE.RECT}
    assert areas_in_imagej(path, labels.shape) == pixel_counts(labels)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("axes", ["TZYX", "ZYX", "TYX"])
def test_imagej_goes_to_the_plane_of_an_object(tmp_path: Path, axes: str, channels: int) -> None:
    stack = np.zeros((3, 4, 16, 16), np.uint8)
    stack[2, 1, 2:5, 2:6] = 7
    stack[0, 3, 8:9, 2:6] = 9
    stack = {"TZYX": stack, "ZYX": stack.max(axis=0), "TYX": stack.max(axis=1)}[axes]
    image = Image(stack, axes)
    write_rois(image, tmp_path / "rois.zip")
    shape = (16, 16, channels, image.size("Z"), image.size("T"))
    planes = {"00007": (12, 2, 3), "00009": (4, 4, 1)}
    assert in_imagej(tmp_path / "rois.zip", shape) == {
        name: [area, z if "Z" in axes else 1, t if "T" in axes else 1]
        for name, (area, z, t) in planes.items()
    }


@pytest.mark.parametrize("width", [50_000, 70_000])
def test_imagej_measures_far_from_the_corner(tmp_path: Path, width: int) -> None:
    labels = np.zeros((40, width), np.uint16)
    labels[:, -60:] = simulated_labels((40, 60), 12)
    write_rois(Image(labels, "YX"), tmp_path / "rois.zip")
    assert areas_in_imagej(tmp_path / "rois.zip", labels.shape) == pixel_counts(labels)


def test_imagej_measures_real_nuclei(tmp_path: Path, shared_data: Path) -> None:
    from tifffile import imread

    labels = imread(shared_data / "stardist_test_images" / "mask2d.tif")
    write_rois(Image(labels, "YX"), tmp_path / "rois.zip")
    assert areas_in_imagej(tmp_path / "rois.zip", labels.shape) == pixel_counts(labels)

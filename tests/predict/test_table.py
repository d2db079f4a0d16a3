from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.measure import label as components
from skimage.measure import regionprops_table
from skimage.morphology import ball, dilation, disk

from scopezoo.errors import FileError, UsageError
from scopezoo.image import Image
from scopezoo.predict.table import write_table

NAMES_PX = {
    "label": "label",
    "equivalent_diameter_area": "equivalent_diameter_{u}",
    "axis_major_length": "major_axis_{u}",
    "axis_minor_length": "minor_axis_{u}",
    "solidity": "solidity",
}


def simulated_labels(
    shape: tuple[int, ...], seed: int, dtype: str = "uint32"
) -> NDArray[np.generic]:
    """Objects of many sizes with sparse large labels; some in pieces, some of one pixel."""
    random = np.random.default_rng(seed)
    seeds = random.random(shape) < 0.01
    grown = dilation(seeds, disk(2) if len(shape) == 2 else ball(1))
    numbered = components(grown) % 40  # far components share a label
    values = random.permutation(np.iinfo(dtype).max - np.arange(40, dtype=dtype))
    values[0] = 0
    labels = values[numbered]
    labels.ravel()[random.integers(labels.size)] = 7
    return labels


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def column(rows: list[dict[str, str]], name: str) -> list[float]:
    return [float(row[name]) for row in rows]


def assert_is_regionprops(
    rows: list[dict[str, str]], labels: NDArray[np.generic], spacing: tuple[float, ...] | None
) -> None:
    # regionprops takes memory for each number up to the largest
    values, numbers = np.unique(labels, return_inverse=True)
    numbers = numbers.reshape(labels.shape) + (0 if values[0] == 0 else 1)
    axes = "zyx"[-labels.ndim :]
    wanted = regionprops_table(
        numbers,
        spacing=spacing,
        properties=[*NAMES_PX, "area", "num_pixels", "centroid", "bbox"]
        + (["eccentricity"] if labels.ndim == 2 else []),
    )
    unit = "um" if spacing else "px"
    names = {theirs: ours.format(u=unit) for theirs, ours in NAMES_PX.items()}
    names["num_pixels"] = "area_px" if labels.ndim == 2 else "volume_px"
    if spacing:
        names["area"] = "area_um2" if labels.ndim == 2 else "volume_um3"
    if labels.ndim == 2:
        names["eccentricity"] = "eccentricity"
    for index, axis in enumerate(axes):
        names[f"centroid-{index}"] = f"centroid_{axis}_{unit}"
        names[f"bbox-{index}"] = f"bbox_{axis}_min_px"
        names[f"bbox-{index + labels.ndim}"] = f"bbox_{axis}_max_px"
    wanted["label"] = values[values > 0]
    for theirs, ours in names.items():
        # regionprops divides by 0 for the solidity of flat objects in 3D
        values = np.where(np.isinf(wanted[theirs]), np.nan, wanted[theirs])
        np.testing.assert_allclose(column(rows, ours), values, rtol=1e-7, err_msg=ours)


@given(st.integers(0, 1000), st.integers(1, 5000), st.sampled_from([None, (0.2, 0.2), (0.3, 0.1)]))
def test_blocks_give_the_table_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    window_px: int,
    spacing: tuple[float, float] | None,
) -> None:
    folder = tmp_path_factory.mktemp("table")
    labels = simulated_labels((60, 45), seed)
    sizes = dict(zip("YX", spacing, strict=True)) if spacing else {}
    image = Image(labels, "YX", sizes)
    intensity = Image(np.random.default_rng(seed).random((60, 45)).astype(np.float32), "YX")
    count = write_table(image, intensity, folder / "whole.csv")
    write_table(image, intensity, folder / "blocks.csv", window_px=window_px)
    assert (folder / "whole.csv").read_bytes() == (folder / "blocks.csv").read_bytes()
    rows = read(folder / "blocks.csv")
    assert len(rows) == count
    assert_is_regionprops(rows, labels, spacing)


@pytest.mark.filterwarnings("ignore:Failed to get convex hull", "ignore:divide by zero")
@given(st.integers(0, 100), st.integers(1, 5000), st.sampled_from([None, (0.5, 0.2, 0.2)]))
def test_volumes_in_blocks_give_the_table_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    window_px: int,
    spacing: tuple[float, float, float] | None,
) -> None:
    folder = tmp_path_factory.mktemp("table")
    labels = simulated_labels((9, 20, 22), seed, "uint16")
    image = Image(labels, "ZYX", dict(zip("ZYX", spacing, strict=True)) if spacing else {})
    write_table(image, None, folder / "blocks.csv", ndim=3, window_px=window_px)
    assert_is_regionprops(read(folder / "blocks.csv"), labels, spacing)


def test_a_square_of_known_size(tmp_path: Path) -> None:
    labels = np.zeros((20, 30), np.uint8)
    labels[4:8, 10:20] = 3
    image = Image(labels, "YX", {"Y": 0.5, "X": 0.5})
    assert write_table(image, None, tmp_path / "table.csv") == 1
    assert read(tmp_path / "table.csv") == [
        {
            "label": "3",
            "centroid_y_px": "5.5",
            "centroid_x_px": "14.5",
            "centroid_y_um": "2.75",
            "centroid_x_um": "7.25",
            "bbox_y_min_px": "4",
            "bbox_x_min_px": "10",
            "bbox_y_max_px": "8",
            "bbox_x_max_px": "20",
            "area_px": "40",
            "area_um2": "10",
            "equivalent_diameter_um": "3.5682482",
            "major_axis_um": "5.7445626",
            "minor_axis_um": "2.236068",
            "solidity": "1",
            "eccentricity": "0.92113237",
            "perimeter_um": "12",
        }
    ]


@pytest.mark.parametrize(
    ("sizes", "unit"),
    [({}, "px"), ({"Y": 0.5}, "px"), ({"Y": 0.5, "X": 0.25}, "px"), ({"Y": 0.5, "X": 0.5}, "um")],
)
def test_perimeter_needs_square_pixels(tmp_path: Path, sizes: dict[str, float], unit: str) -> None:
    write_table(Image(np.ones((4, 4), np.uint8), "YX", sizes), None, tmp_path / "table.csv")
    (row,) = read(tmp_path / "table.csv")
    assert row[f"perimeter_{unit}"] == ("6" if unit == "um" else "12")
    assert ("area_um2" in row) == ({"Y", "X"} <= set(sizes))


def test_stacks_have_a_row_per_object_and_plane(tmp_path: Path) -> None:
    labels = np.zeros((2, 3, 8, 8), np.uint16)
    labels[0, 1, :2, :2] = 1
    labels[1, 1:, 4:6, 4:6] = 2
    image = Image(labels, "TZYX")
    write_table(image, None, tmp_path / "planes.csv")
    rows = read(tmp_path / "planes.csv")
    assert [(row["t"], row["z"], row["label"]) for row in rows] == [
        ("0", "1", "1"),
        ("1", "1", "2"),
        ("1", "2", "2"),
    ]
    write_table(image, None, tmp_path / "volumes.csv", ndim=3)
    rows = read(tmp_path / "volumes.csv")
    assert [(row["t"], row["label"], row["volume_px"]) for row in rows] == [
        ("0", "1", "4"),
        ("1", "2", "8"),
    ]
    assert rows[1]["centroid_z_px"] == "1.5"


def test_intensities_of_each_channel_whatever_the_order_of_axes(tmp_path: Path) -> None:
    labels = np.zeros((3, 8, 8), np.uint16)
    labels[1, :2, :4] = 5
    pixels = np.random.default_rng(0).integers(0, 4000, (8, 8, 2, 3)).astype(np.uint16)
    intensity = Image(pixels, "YXCZ", channel_names=("DAPI", "actin, F"))
    write_table(Image(labels, "ZYX"), intensity, tmp_path / "table.csv")
    (row,) = read(tmp_path / "table.csv")
    for channel, name in enumerate(intensity.channel_names):
        values = pixels[:2, :4, channel, 1]
        assert float(row[f"intensity_mean_{name}"]) == pytest.approx(values.mean())
        assert float(row[f"intensity_std_{name}"]) == pytest.approx(values.std())
        assert row[f"intensity_min_{name}"] == str(values.min())
        assert row[f"intensity_max_{name}"] == str(values.max())


def test_channels_without_names_of_their_own_are_numbered(tmp_path: Path) -> None:
    labels = Image(np.ones((4, 4), np.uint8), "YX")
    for names in ((), ("same", "same")):
        intensity = Image(np.zeros((2, 4, 4), np.uint8), "CYX", channel_names=names)
        write_table(labels, intensity, tmp_path / "table.csv")
        assert "intensity_mean_1" in read(tmp_path / "table.csv")[0]


class Watched:
    """An array that remembers the most pixels that were read from it at once."""

    def __init__(self, pixels: NDArray[np.generic]) -> None:
        self.pixels, self.shape, self.dtype, self.most = pixels, pixels.shape, pixels.dtype, 0

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[np.generic]:
        part = self.pixels[index]
        self.most = max(self.most, part.size)
        return part


def test_what_is_read_is_bounded_by_the_window(tmp_path: Path) -> None:
    labels = np.zeros((2000, 1000), np.uint16)
    for number in range(1, 501):
        y, x = number // 25 * 90, number % 25 * 40
        labels[y : y + 30, x : x + 20] = number
    watched, pixels = Watched(labels), Watched(labels)
    found = write_table(
        Image(watched, "YX"), Image(pixels, "YX"), tmp_path / "table.csv", window_px=50_000
    )
    assert found == 500
    assert 0 < watched.most <= 50_000
    assert 0 < pixels.most <= 50_000


def test_no_objects_give_the_header_alone(tmp_path: Path) -> None:
    labels = Image(np.zeros((5, 5), np.uint16), "YX")
    assert write_table(labels, labels, tmp_path / "table.csv") == 0
    lines = (tmp_path / "table.csv").read_text().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("label,centroid_y_px,")


def test_bad_input_leaves_nothing_behind(tmp_path: Path) -> None:
    labels = Image(np.zeros((5, 5), np.uint16), "YX", source="cells.tif")
    path = tmp_path / "table.csv"
    with pytest.raises(UsageError, match="5 pixels along Y"):
        write_table(labels, Image(np.zeros((6, 5)), "YX"), path)
    with pytest.raises(UsageError, match="float64: labels are whole numbers"):
        write_table(Image(np.zeros((6, 5)), "YX"), None, path)
    with pytest.raises(UsageError, match="2 channels"):
        write_table(Image(np.zeros((2, 6, 5), int), "CYX"), None, path)
    with pytest.raises(UsageError, match="need Z"):
        write_table(labels, None, path, ndim=3)
    with pytest.raises(FileError, match="cannot write"):
        write_table(labels, None, tmp_path / "none" / "table.csv")
    assert list(tmp_path.iterdir()) == []


def test_real_nuclei(tmp_path: Path, shared_data: Path) -> None:
    from tifffile import imread

    labels = imread(shared_data / "stardist_test_images" / "mask2d.tif")
    write_table(Image(labels, "YX"), None, tmp_path / "table.csv", window_px=100_000)
    assert_is_regionprops(read(tmp_path / "table.csv"), labels, None)


def test_real_volume(tmp_path: Path, shared_data: Path) -> None:
    from tifffile import imread

    labels = imread(shared_data / "stardist_test_images" / "mask3d.tif")
    image = Image(labels, "ZYX", {"Z": 0.5, "Y": 0.2, "X": 0.2})
    write_table(image, None, tmp_path / "table.csv", ndim=3, window_px=20_000)
    assert_is_regionprops(read(tmp_path / "table.csv"), labels, (0.5, 0.2, 0.2))

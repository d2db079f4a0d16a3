from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image as Pillow
from scipy.ndimage import binary_dilation

from scopezoo.errors import FileError
from scopezoo.image import Image
from scopezoo.predict.label_colours import NEIGHBOUR_PX, PALETTE, label_colours
from scopezoo.predict.preview import GAP_PX, write_preview


def picture(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Pillow.open(path))


def panels(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Left and right half of a preview whose two halves are equally wide."""
    found = picture(path)
    width = (found.shape[1] - GAP_PX) // 2
    return found[:, :width], found[:, width + GAP_PX :]


def discs(shape: tuple[int, int], count: int, seed: int) -> NDArray[np.int32]:
    random = np.random.default_rng(seed)
    y, x = np.ogrid[: shape[0], : shape[1]]
    distances = [(y - cy) ** 2 + (x - cx) ** 2 for cy, cx in random.random((count, 2)) * shape]
    nearest = np.argmin(distances, axis=0).astype(np.int32) + 1
    return np.where(np.min(distances, axis=0) < 60, nearest, 0)


class Watched:
    """An array of a repeated value that remembers the most pixels it was asked for at once."""

    def __init__(self, shape: tuple[int, ...], dtype: str) -> None:
        self.shape, self.dtype, self.most = shape, np.dtype(dtype), 0

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[np.generic]:
        sizes = [len(range(*s.indices(n))) for s, n in zip(index, self.shape, strict=True)]
        self.most = max(self.most, int(np.prod(sizes)))
        return np.broadcast_to(np.ones((), self.dtype), sizes)


@given(st.integers(0, 500), st.integers(0, 120))
def test_labels_that_touch_have_different_colours(seed: int, count: int) -> None:
    labels = discs((90, 110), max(1, count), seed) * (count > 0)
    colours = label_colours(labels * 1000)
    assert np.all(colours[labels == 0] == 0)
    colour_of = {}
    for label in range(1, count + 1):
        found = np.unique(colours[labels == label], axis=0)
        assert len(found) <= 1
        colour_of[label] = found.tolist()
    for label in range(1, count + 1):
        around = np.unique(labels[binary_dilation(labels == label)])
        neighbours = [colour_of[other] for other in around.tolist() if other not in (0, label)]
        assert not neighbours or colour_of[label] not in neighbours


@pytest.mark.parametrize("gap", [1, NEIGHBOUR_PX // 2, NEIGHBOUR_PX - 1])
def test_labels_with_a_narrow_gap_have_different_colours(gap: int) -> None:
    step = 10 + gap
    labels = np.zeros((6 * step, 7 * step), np.uint16)
    for label in range(42):
        y, x = label // 7 * step, label % 7 * step
        labels[y : y + 10, x : x + 10] = label + 1
    colours = label_colours(labels)[5::step, 5::step].astype(int)
    assert np.all(np.any(np.diff(colours, axis=0), axis=-1))
    assert np.all(np.any(np.diff(colours, axis=1), axis=-1))


def test_all_colours_are_used() -> None:
    labels = np.zeros((60, 60 * 8), np.uint8)
    labels[20:40, 20::60] = np.arange(1, 9)
    assert len(np.unique(label_colours(labels).reshape(-1, 3), axis=0)) == len(PALETTE) + 1


def test_small_images_are_enlarged_and_large_ones_averaged(tmp_path: Path) -> None:
    for side, shown in ((100, 1000), (700, 700), (1025, 513), (4096, 1024)):
        image = Image(np.zeros((side, side), np.uint8), "YX")
        write_preview(image, image, "image", tmp_path / "preview.png")
        assert picture(tmp_path / "preview.png").shape == (shown, 2 * shown + GAP_PX, 3)


def test_a_large_plane_shows_means_of_blocks(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((70, 55)).astype(np.float32)
    pixels[:35] += 9
    image = Image(pixels, "YX")
    write_preview(image, image, "image", tmp_path / "preview.png", max_side_px=10)
    left, right = panels(tmp_path / "preview.png")
    means = np.array(
        [[pixels[y : y + 7, x : x + 7].mean() for x in range(0, 55, 7)] for y in range(0, 70, 7)]
    )
    low, high = np.percentile(means, (1, 99.8))
    wanted = np.clip((means - low) / (high - low), 0, 1) * 255
    np.testing.assert_allclose(left[..., 0], wanted, atol=1.01)
    np.testing.assert_array_equal(left, right)


def test_labels_are_tinted_and_outlined_over_the_input(tmp_path: Path) -> None:
    image = Image(np.tile(np.arange(64, dtype=np.uint16), (64, 1)), "YX")
    labels = np.zeros((64, 64), np.uint16)
    labels[16:32, 16:32] = 5
    write_preview(image, Image(labels, "YX"), "labels", tmp_path / "p.png", max_side_px=64)
    left, right = panels(tmp_path / "p.png")
    outside = labels == 0
    np.testing.assert_array_equal(right[outside], left[outside])
    edge = right[16, 16:32]
    assert np.all(edge == edge[0])
    assert edge[0].tolist() in PALETTE.tolist()
    inside = right[17:31, 17:31].astype(int)
    assert np.all(inside != left[17:31, 17:31])
    assert np.all(np.diff(inside.sum(axis=-1), axis=1) >= 0)  # the input shows through


def test_labels_of_another_size_fall_on_their_place(tmp_path: Path) -> None:
    image = Image(np.zeros((64, 64), np.uint8), "YX")
    for size in (32, 64, 192):
        labels = np.zeros((size, size), np.uint8)
        labels[size // 4 : size // 2, : size // 4] = 1
        write_preview(image, Image(labels, "YX"), "labels", tmp_path / "p.png", max_side_px=64)
        shown = panels(tmp_path / "p.png")[1].any(axis=-1)
        assert np.argwhere(shown).min(axis=0).tolist() == [16, 0]
        assert np.argwhere(shown).max(axis=0).tolist() == [31, 15]


def test_the_middle_plane_of_the_first_frame_is_shown(tmp_path: Path) -> None:
    stack = np.zeros((2, 5, 64, 64), np.uint16)
    stack[0, 2, :32] = 100
    labels = np.where(stack > 0, np.uint16(1), np.uint16(0))
    write_preview(Image(stack, "TZYX"), Image(labels, "TZYX"), "labels", tmp_path / "p.png")
    left, right = panels(tmp_path / "p.png")
    assert np.all(left[:512] == 255)
    assert np.all(left[512:] == 0)
    assert np.all(right[:512].any(axis=-1))


def test_channels_are_coloured_and_rgb_is_left_as_it_is(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    write_preview(Image(rgb, "YXC"), Image(rgb, "YXC"), "image", tmp_path / "p.png", max_side_px=64)
    np.testing.assert_array_equal(panels(tmp_path / "p.png")[0], rgb)

    channels = np.zeros((3, 64, 64), np.uint16)
    for channel in range(3):
        channels[channel, 20 * channel : 20 * channel + 20] = 50 + channel
    image = Image(channels, "CYX", channel_names=("DAPI", "actin", "tubulin"))
    write_preview(image, image, "image", tmp_path / "p.png", max_side_px=64)
    left = panels(tmp_path / "p.png")[0]
    shown = {tuple(left[y, 5].tolist()) for y in (5, 25, 45)}
    assert len(shown) == 3
    assert not any(red == green == blue for red, green, blue in shown)


@pytest.mark.parametrize("pixel_um", [0.02, 0.325, 60.0])
def test_the_scale_bar_is_as_long_as_it_says(tmp_path: Path, pixel_um: float) -> None:
    image = Image(np.zeros((512, 512), np.uint8), "YX", {"X": pixel_um})
    write_preview(image, image, "image", tmp_path / "p.png")
    left, right = panels(tmp_path / "p.png")
    assert not right.any()
    lengths = np.flatnonzero((left == 255).all(axis=-1)[-30:].any(axis=0))
    bar_um = (lengths[-1] - lengths[0] + 1) * pixel_um / 2
    steps = [step * 10.0**power for power in range(-3, 5) for step in (1, 2, 5)]
    assert min(abs(bar_um / step - 1) for step in steps) < 0.01
    assert lengths[0] > 512  # small, and on the right


def test_no_scale_bar_without_a_pixel_size(tmp_path: Path) -> None:
    image = Image(np.zeros((512, 512), np.uint8), "YX")
    write_preview(image, image, "image", tmp_path / "p.png")
    assert not panels(tmp_path / "p.png")[0].any()


@pytest.mark.parametrize("value", [0.0, 7.0, np.nan, np.inf])
def test_images_of_one_value_and_without_numbers(tmp_path: Path, value: float) -> None:
    image = Image(np.full((64, 64), value, np.float32), "YX")
    write_preview(image, image, "image", tmp_path / "p.png")
    assert not panels(tmp_path / "p.png")[0].any()


def test_what_is_not_a_number_is_black(tmp_path: Path) -> None:
    pixels = np.tile(np.arange(64, dtype=np.float32), (64, 1))
    pixels[:, 40] = np.nan
    image = Image(pixels, "YX")
    write_preview(image, image, "image", tmp_path / "p.png", max_side_px=64)
    left = panels(tmp_path / "p.png")[0]
    assert not left[:, 40].any()
    assert left[0, 39, 0] > 100


def test_huge_images_are_read_in_bands(tmp_path: Path) -> None:
    image, labels = Watched((3, 16384, 8192), "uint16"), Watched((3, 16384, 8192), "uint32")
    write_preview(Image(image, "ZYX"), Image(labels, "ZYX"), "labels", tmp_path / "p.png")
    assert 0 < image.most <= 1 << 24
    assert 0 < labels.most <= 1 << 24


def test_the_same_picture_twice(tmp_path: Path) -> None:
    labels = Image(discs((90, 110), 40, 0), "YX", {"X": 0.1})
    for name in "ab":
        write_preview(labels, labels, "labels", tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    image = Image(np.zeros((8, 8), np.uint8), "YX")
    with pytest.raises(FileError, match="cannot write"):
        write_preview(image, image, "image", tmp_path / "none" / "p.png")
    assert list(tmp_path.iterdir()) == []


def test_real_nuclei(tmp_path: Path, shared_data: Path) -> None:
    from tifffile import imread

    folder = shared_data / "stardist_test_images"
    image = Image(imread(folder / "img2d.tif"), "YX")
    labels = imread(folder / "mask2d.tif")
    write_preview(image, Image(labels, "YX"), "labels", tmp_path / "p.png")
    left, right = panels(tmp_path / "p.png")
    is_coloured = np.ptp(right.astype(int), axis=-1) > 10
    # the brightest nuclei hide their tint
    assert np.mean(is_coloured == (labels > 0).repeat(2, 0).repeat(2, 1)) > 0.98
    assert np.all(np.ptp(left, axis=-1) == 0)

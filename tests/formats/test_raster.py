from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from imagecodecs import jpeg8_encode, png_encode
from PIL import Image as Pillow

from scopezoo.errors import ImageError, UsageError
from scopezoo.formats import open_image

RGB = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
GREY = np.ascontiguousarray(RGB[..., 0])


def pillow(path: Path, mode: str, **options: object) -> Path:
    Pillow.fromarray(RGB).convert(mode).save(path, **options)  # type: ignore[arg-type]
    return path


class TestPng:
    @pytest.mark.parametrize("dtype", ["u1", "u2"])
    def test_grey_and_colour(self, tmp_path: Path, dtype: str) -> None:
        for pixels, axes in ((GREY, "YX"), (RGB, "YXC")):
            stored = pixels.astype(dtype) * (257 if dtype == "u2" else 1)
            (tmp_path / "a.png").write_bytes(png_encode(stored))
            image = open_image(tmp_path / "a.png")
            assert (image.axes, image.dtype) == (axes, np.dtype(dtype))
            np.testing.assert_array_equal(image.read(), stored)

    @pytest.mark.parametrize("mode", ["RGBA", "P"])
    def test_alpha_is_dropped_and_palettes_are_colours(self, tmp_path: Path, mode: str) -> None:
        image = open_image(pillow(tmp_path / "a.png", mode))
        assert (image.axes, image.shape) == ("YXC", (20, 30, 3))
        assert image.channel_names == ("red", "green", "blue")
        expected = np.asarray(Pillow.open(tmp_path / "a.png").convert("RGB"))
        np.testing.assert_array_equal(image.read(), expected)

    @pytest.mark.parametrize("mode", ["1", "L", "LA"])
    def test_grey_of_few_bits_and_with_alpha(self, tmp_path: Path, mode: str) -> None:
        image = open_image(pillow(tmp_path / "a.png", mode))
        assert (image.axes, image.shape, image.dtype) == ("YX", (20, 30), np.uint8)

    @pytest.mark.parametrize(
        ("side", "message"), [(12_000, "says that it holds"), (60_000, "at most")]
    )
    def test_a_header_that_asks_for_too_much(self, tmp_path: Path, side: int, message: str) -> None:
        header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
        (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
        with pytest.raises(ImageError, match=message):
            open_image(tmp_path / "a.png")


class TestJpeg:
    @pytest.mark.parametrize("pixels", [GREY, RGB])
    def test_grey_and_colour(self, tmp_path: Path, pixels: np.ndarray) -> None:
        (tmp_path / "a.jpg").write_bytes(jpeg8_encode(pixels, level=98))
        image = open_image(tmp_path / "a.jpg")
        assert image.axes == "YXC"[: pixels.ndim]
        assert image.shape == pixels.shape

    def test_progressive_and_with_metadata(self, tmp_path: Path) -> None:
        path = pillow(
            tmp_path / "a.jpg", "RGB", progressive=True, dpi=(300, 300), comment=b"x" * 900
        )
        assert open_image(path).shape == (20, 30, 3)
        assert open_image(path).pixel_size_um == {}

    def test_four_colours_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ImageError, match="4 colours; expected grey or RGB"):
            open_image(pillow(tmp_path / "a.jpg", "CMYK"))

    def test_a_header_that_asks_for_too_much(self, tmp_path: Path) -> None:
        data = bytearray(jpeg8_encode(RGB))
        frame = data.index(b"\xff\xc0")
        data[frame + 5 : frame + 9] = struct.pack(">HH", 16_000, 16_000)
        (tmp_path / "a.jpg").write_bytes(data)
        with pytest.raises(ImageError, match=r"says that it holds 768\.0 MB"):
            open_image(tmp_path / "a.jpg")


class TestNpy:
    @pytest.mark.parametrize("order", ["C", "F"])
    @pytest.mark.parametrize("dtype", ["u1", ">i2", "f2", "f8", "?", "i8"])
    def test_any_number_in_any_order(self, tmp_path: Path, dtype: str, order: str) -> None:
        values = np.asarray(np.arange(24).reshape(4, 2, 3) % 7, dtype, order=order)  # type: ignore[call-overload]
        np.save(tmp_path / "a.npy", values)
        image = open_image(tmp_path / "a.npy", axes="ZYX")
        np.testing.assert_array_equal(image.read(), values)
        np.testing.assert_array_equal(image.read(Z=slice(1, 3), X=slice(0, 2)), values[1:3, :, :2])

    def test_shape_tells_or_the_user_does(self, tmp_path: Path) -> None:
        path = tmp_path / "a.npy"
        np.save(path, np.zeros((9, 20, 30)))
        with pytest.raises(ImageError, match="--axes"):
            open_image(path)
        with pytest.raises(UsageError, match=r"shape \(9, 20, 30\)"):
            open_image(path, axes="YX")
        np.save(path, np.zeros((20, 30, 3)))
        assert open_image(path).axes == "YXC"

    def test_pickles_are_never_loaded(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", np.array([[{}]]), allow_pickle=True)
        with pytest.raises(ImageError, match=r"a\.npy"):
            open_image(tmp_path / "a.npy")

    def test_a_header_that_asks_for_too_much(self, tmp_path: Path) -> None:
        stream = io.BytesIO()
        header = {"descr": "<f8", "fortran_order": False, "shape": (10**5, 10**5)}
        np.lib.format.write_array_header_1_0(stream, header)
        (tmp_path / "a.npy").write_bytes(stream.getvalue() + bytes(1000))
        with pytest.raises(ImageError, match=r"a\.npy"):
            open_image(tmp_path / "a.npy")

    @pytest.mark.parametrize("shape", [(0, 5), (5,), ()])
    def test_what_is_no_image(self, tmp_path: Path, shape: tuple[int, ...]) -> None:
        np.save(tmp_path / "a.npy", np.zeros(shape))
        with pytest.raises(ImageError, match=r"a\.npy"):
            open_image(tmp_path / "a.npy")

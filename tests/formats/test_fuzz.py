"""Whatever bytes a file holds: an image that reads, or ImageError; and little memory."""

from __future__ import annotations

import io
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from imagecodecs import jpeg8_encode, png_encode

from scopezoo.errors import ImageError
from scopezoo.formats import open_image

PLANE = np.arange(40 * 48, dtype=np.uint16).reshape(40, 48)
MAX_GROWTH_BYTES = 200e6

fuzz = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def tiff(**options: object) -> bytes:
    stream = io.BytesIO()
    stack = np.stack([PLANE, PLANE + 1, PLANE + 2])
    options.setdefault("photometric", "minisblack")
    tifffile.imwrite(stream, stack, **options)  # type: ignore[arg-type]
    return stream.getvalue()


def npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, PLANE)
    return stream.getvalue()


SAMPLES = {
    "plain.tif": tiff(photometric="rgb", planarconfig="separate", metadata=None),
    "lzw.tif": tiff(metadata={"axes": "ZYX"}, compression="lzw", predictor=True),
    "tiled.tif": tiff(metadata={"axes": "ZYX"}, tile=(16, 16), compression="zlib", bigtiff=True),
    "imagej.tif": tiff(imagej=True, metadata={"axes": "ZYX", "spacing": 2.0, "unit": "um"}),
    "ome.tif": tiff(ome=True, metadata={"axes": "CYX"}),
    "grey.png": png_encode(PLANE),
    "colour.jpg": jpeg8_encode(np.dstack([PLANE.astype(np.uint8)] * 3)),
    "plane.npy": npy(),
}


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    before = peak_bytes()
    yield
    assert peak_bytes() - before < MAX_GROWTH_BYTES


def peak_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def reads_or_raises(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    message = ""
    try:
        image = open_image(path)
        pixels = image.read()
    except ImageError as error:
        message = str(error)
    if message:
        assert "\n" not in message
        assert path.name in message
    else:
        assert (pixels.shape, pixels.dtype) == (image.shape, image.dtype)


@fuzz
@given(start=st.sampled_from([data[:4] for data in SAMPLES.values()]), rest=st.binary(max_size=600))
def test_random_bytes_after_a_true_start(tmp_path: Path, start: bytes, rest: bytes) -> None:
    reads_or_raises(tmp_path / "random", start + rest)


@pytest.mark.parametrize("name", SAMPLES)
@fuzz
@given(data=st.data())
def test_truncated_anywhere(tmp_path: Path, name: str, data: st.DataObject) -> None:
    whole = SAMPLES[name]
    end = data.draw(st.integers(0, len(whole) - 1))
    reads_or_raises(tmp_path / name, whole[:end])


@pytest.mark.parametrize("name", SAMPLES)
@fuzz
@given(data=st.data())
def test_damaged_anywhere(tmp_path: Path, name: str, data: st.DataObject) -> None:
    whole = bytearray(SAMPLES[name])
    where = st.one_of(st.integers(0, min(400, len(whole) - 1)), st.integers(0, len(whole) - 1))
    for place, value in data.draw(st.lists(st.tuples(where, st.integers(0, 255)), max_size=6)):
        whole[place] = value
    reads_or_raises(tmp_path / name, bytes(whole))


@pytest.mark.parametrize("name", [name for name in SAMPLES if name.endswith(".tif")])
def test_flipped_bits_of_the_first_directory(tmp_path: Path, name: str) -> None:
    whole = SAMPLES[name]
    for place in range(0, 280, 3):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << (place % 8)
        reads_or_raises(tmp_path / name, bytes(flipped))

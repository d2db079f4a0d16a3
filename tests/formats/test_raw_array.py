from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scopezoo.errors import FileError
from scopezoo.formats.image_writer import ImageWriter
from scopezoo.formats.raw_array import RawArray, runs

shapes = st.lists(st.integers(1, 6), min_size=1, max_size=5).map(tuple)
in_folder = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def bounds_in(draw: st.DrawFn, shape: tuple[int, ...]) -> list[tuple[int, int]]:
    ends = [sorted((draw(st.integers(0, n)), draw(st.integers(0, n)))) for n in shape]
    return [(start, stop) for start, stop in ends]


def make(folder: Path, shape: tuple[int, ...], dtype: str) -> tuple[RawArray, NDArray[Any]]:
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    path = folder / "raw"
    path.write_bytes(b"header" + values.tobytes())
    return RawArray(path, 6, shape, np.dtype(dtype)), values


@given(shape=shapes, data=st.data())
def test_runs_cover_a_region_exactly_once(shape: tuple[int, ...], data: st.DataObject) -> None:
    bounds = data.draw(bounds_in(shape))
    region = tuple(slice(start, stop) for start, stop in bounds)
    numbers = np.arange(np.prod(shape)).reshape(shape)
    block = np.full([stop - start for start, stop in bounds], -1)
    if not block.size:
        return
    for start, part in runs(shape, bounds):
        assert (block[part] == -1).all()
        count = block[part].size
        block[part] = np.arange(start, start + count).reshape(block[part].shape)
    np.testing.assert_array_equal(block, numbers[region])


@in_folder
@given(shape=shapes, dtype=st.sampled_from(["<u2", ">u2", "u1", ">f8"]), data=st.data())
def test_reads_what_numpy_reads(
    tmp_path: Path, shape: tuple[int, ...], dtype: str, data: st.DataObject
) -> None:
    raw, values = make(tmp_path, shape, dtype)
    steps = data.draw(st.lists(st.integers(1, 3), min_size=len(shape), max_size=len(shape)))
    bounds = data.draw(bounds_in(shape))
    region = tuple(
        slice(start, stop, step) for (start, stop), step in zip(bounds, steps, strict=True)
    )
    np.testing.assert_array_equal(raw[region], values[region])


@in_folder
@given(shape=shapes, data=st.data())
def test_writes_its_region_and_nothing_else(
    tmp_path: Path, shape: tuple[int, ...], data: st.DataObject
) -> None:
    raw, values = make(tmp_path, shape, ">i4")
    region = tuple(slice(start, stop) for start, stop in data.draw(bounds_in(shape)))
    raw[region] = -values[region]
    values[region] *= -1
    np.testing.assert_array_equal(raw[(slice(None),) * len(shape)], values)
    assert raw.path.read_bytes()[:6] == b"header"


def test_a_file_that_ends_early(tmp_path: Path) -> None:
    raw, _ = make(tmp_path, (4, 5), "u2")
    raw.path.write_bytes(raw.path.read_bytes()[:-1])
    assert raw[slice(0, 3), slice(None)].shape == (3, 5)
    with pytest.raises(EOFError):
        raw[slice(None), slice(None)]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_said_in_one_line() -> None:
    full = Path("/dev/full")
    writer = ImageWriter(full, RawArray(full, 0, (4, 4), np.dtype("u1")), (0, 1))
    with pytest.raises(FileError, match=r"^/dev/full cannot be written: the disk is full[^\n]*$"):
        writer[slice(0, 4), slice(0, 4)] = np.ones((4, 4), np.uint8)

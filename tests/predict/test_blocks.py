"""Blocks of a tensor: every pixel once, every chunk read once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import zarr
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from scopezoo.formats.view import View
from scopezoo.image import Image
from scopezoo.predict.outputs import finish_chain
from scopezoo.predict.processing import Chain
from scopezoo.predict.sources import Region, Source, array_source, blocks_of, samples_of
from scopezoo.store.tensors import Axis, FixedSize, SteppedSize, Tensor


def cuts(source: Source, **options: Any) -> list[Region]:
    return [region for region, _ in blocks_of(source, **options)]


def unread(_: Region) -> NDArray[Any]:
    """Stands for pixels that a test has no use for."""
    return np.empty(0, np.uint16)


@given(st.data(), st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(2, 2000))
def test_every_pixel_once(data: st.DataObject, shape: list[int], max_bytes: int) -> None:
    chunks = data.draw(st.none() | st.tuples(*(st.integers(1, 12) for _ in shape)))
    whole = data.draw(st.sets(st.integers(0, len(shape) - 1)))
    pixels = np.arange(math.prod(shape), dtype=np.uint16).reshape(shape)
    source = Source(tuple(shape), pixels.dtype, lambda region: pixels[region], chunks)
    seen = np.zeros(shape, int)
    smallest = chunks or (1,) * len(shape)
    least_px = math.prod(
        size if axis in whole else min(size, chunk)
        for axis, (size, chunk) in enumerate(zip(shape, smallest, strict=True))
    )
    for region, block in blocks_of(source, max_bytes, whole):
        seen[region] += 1
        np.testing.assert_array_equal(block, pixels[region])
        assert block.nbytes <= max(max_bytes, 2 * least_px)
        for axis, (part, size) in enumerate(zip(region, shape, strict=True)):
            assert part.start % smallest[axis] == 0
            assert part.stop % smallest[axis] == 0 or part.stop == size
            assert axis not in whole or (part.start, part.stop) == (0, size)
    assert (seen == 1).all()


def test_a_large_frame_is_cut_plane_by_plane_or_chunk_by_chunk() -> None:
    shape, dtype = (1, 1, 2000, 5000, 5000), np.dtype(np.uint16)
    plane = cuts(Source(shape, dtype, unread))[1]
    assert plane[2:] == (slice(1, 2), slice(0, 5000), slice(0, 5000))
    chunked = cuts(Source(shape, dtype, unread, (1, 1, 128, 256, 256)))[0]
    assert chunked[2:] == (slice(0, 128), slice(0, 256), slice(0, 1024))


def test_chunks_of_an_image_reach_the_tensor() -> None:
    stored = zarr.create_array({}, shape=(2, 8, 30, 40), chunks=(1, 4, 16, 32), dtype="u2")
    image = Image(View(stored, (1, 0, 2, 3), "a.zarr"), "ZCYX")
    space = [Axis(name, "space", SteppedSize(1, 1)) for name in "zyx"]
    axes = (Axis("batch", "batch", FixedSize(1)), Axis("channel", "channel", FixedSize(2)), *space)
    tensor = Tensor("raw", axes)
    sample = samples_of({"raw": image}, [tensor], None)[0]
    assert sample.sources["raw"].chunks == (1, 1, 4, 16, 32)


def test_statistics_come_before_a_step_that_mixes_channels() -> None:
    """Blocks of an output are whole along the axis of a softmax, however small they are."""
    pixels = np.random.default_rng(0).normal(size=(1, 40, 700, 700)).astype(np.float32)
    space = [Axis(name, "space", SteppedSize(1, 1)) for name in "yx"]
    axes = (Axis("batch", "batch", FixedSize(1)), Axis("channel", "channel", FixedSize(40)), *space)
    steps = [{"id": "zero_mean_unit_variance"}, {"id": "softmax", "kwargs": {"axis": "channel"}}]
    chain = Chain("out", [axis.id for axis in axes], steps)
    sums = np.zeros((1, 1, 700, 700))

    class Sum:
        def write(self, region: Region, block: NDArray[Any], _: Sequence[int]) -> None:
            sums[(*region[:1], slice(0, 1), *region[2:])] += block.sum(axis=1, keepdims=True)

    finish_chain(Tensor("out", axes), chain)(array_source(pixels), {}, Sum())
    np.testing.assert_allclose(sums, 1, atol=1e-4)

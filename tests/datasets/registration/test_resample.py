from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopezoo.datasets.registration import resample, write_resampled
from scopezoo.datasets.registration.matrices import applied
from scopezoo.formats import open_image
from scopezoo.image import Image
from tests.datasets.registration.rendered import SOURCE, TARGET, points, render, truth

KNOWN = truth(1, SOURCE, TARGET)
PLACES = points(1, SOURCE.extent_um, 40)
WIDE = (0.6, 0.4, 0.4)
CLEAN_SOURCE = SOURCE.image(render(PLACES, SOURCE, WIDE))


def test_centres_of_voxels_are_where_they_are_rendered() -> None:
    """A wrong origin of half a voxel would be an error of about a tenth."""
    turned = np.eye(4)
    turned[:3, 3] = KNOWN[:3, 3]
    expected = render(applied(turned, PLACES), TARGET, WIDE)
    moved = resample(CLEAN_SOURCE, TARGET.image(expected), turned, "cubic").read()
    inner = (slice(4, -4), slice(20, -20), slice(20, -20))
    assert np.abs(moved - expected)[inner].max() < 0.02 * expected.max()


@given(st.data())
@settings(max_examples=20)
def test_a_region_is_the_same_alone_and_in_the_whole(data: st.DataObject) -> None:
    grid = TARGET.image(np.zeros(TARGET.shape, np.float32))
    for interpolation in ("linear", "cubic"):
        image = resample(CLEAN_SOURCE, grid, KNOWN, interpolation)
        region = tuple(
            slice(*sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n)))))
            for n in image.shape
        )
        assert np.allclose(image.data[region], image.read()[region], atol=1e-4)


def test_channels_frames_and_type_are_the_sources(tmp_path: Path) -> None:
    voxels = (CLEAN_SOURCE.read() * 100).astype(np.uint16)
    frames = np.stack([np.stack([voxels, voxels // 2])] * 2)
    source = Image(frames, "TCZYX", CLEAN_SOURCE.pixel_size_um, 2.0, ("a", "b"))
    grid = TARGET.image(np.zeros(TARGET.shape, np.float32))
    write_resampled(tmp_path / "moved.ome.tif", source, grid, KNOWN)
    write_resampled(tmp_path / "moved.ome.tif", source, grid, KNOWN)
    written = open_image(tmp_path / "moved.ome.tif")
    assert written.dtype == np.uint16
    assert written.channel_names == ("a", "b")
    assert written.pixel_size_um == pytest.approx(grid.pixel_size_um)
    alone = resample(replace(CLEAN_SOURCE, data=voxels), grid, KNOWN).read()
    assert np.array_equal(written.read(T=slice(1, 2), C=slice(0, 1)).squeeze(), alone)
    assert [path.name for path in tmp_path.iterdir()] == ["moved.ome.tif"]

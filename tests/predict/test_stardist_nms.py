"""Decoding tile by tile is decoding the whole, and is what bioimageio.core does."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopezoo.predict import stardist_nms
from scopezoo.predict.stardist import CandidateFolder
from scopezoo.predict.stardist_nms import select_objects
from tests.predict.star_fields import (
    blobs,
    cuts,
    decode,
    decode_by_core,
    everything,
    parameters_2d,
    parameters_3d,
    tile_candidates,
)

pytest.importorskip("stardist")

SHAPE = (26, 30)
fields = st.builds(
    blobs,
    st.just(SHAPE),
    st.integers(1, 14),
    st.sampled_from([3.0, 6.0, 16.0]),
    st.just(12),
    st.integers(0, 10**6),
)


@settings(max_examples=60, deadline=None)
@given(
    output=fields,
    tiles=cuts(SHAPE, most=5),
    block=st.sampled_from([7, 60, 10**6]),
    nms_threshold=st.sampled_from([0.0, 0.3, 0.6]),
)
def test_tiles_change_nothing(output, tiles, block, nms_threshold) -> None:
    parameters = parameters_2d(nms_threshold=nms_threshold)
    objects, labels = decode(output, [everything(SHAPE)], parameters)
    with patch.object(stardist_nms, "BLOCK_CANDIDATES", block):
        tiled, tiled_labels = decode(output, tiles, parameters)
    np.testing.assert_array_equal(labels, tiled_labels)
    np.testing.assert_array_equal(objects.points, tiled.points)
    assert np.unique(labels[labels > 0]).tolist() == list(range(1, len(objects) + 1))


@settings(max_examples=40, deadline=None)
@given(output=fields, tiles=cuts(SHAPE, most=3), border=st.integers(0, 4))
def test_the_result_is_that_of_core(output, tiles, border) -> None:
    from stardist.matching import relabel_sequential

    parameters = parameters_2d(b=border, grid=(1, 2))
    expected = relabel_sequential(decode_by_core(output, parameters))[0]
    np.testing.assert_array_equal(decode(output, tiles, parameters)[1], expected)


@settings(max_examples=40, deadline=None)
@given(output=fields, tiles=cuts(SHAPE, most=5))
def test_equal_probabilities_are_ranked_as_by_a_stable_sort(output, tiles) -> None:
    from stardist.matching import relabel_sequential

    output[..., 0] = np.round(output[..., 0] * 4) / 4
    with patch.object(np, "argsort", partial(np.argsort, kind="stable")):
        expected = relabel_sequential(decode_by_core(output, parameters_2d()))[0]
    np.testing.assert_array_equal(decode(output, tiles, parameters_2d())[1], expected)


@settings(max_examples=25, deadline=None)
@given(output=fields, tiles=cuts(SHAPE, most=5))
def test_rays_below_zero_are_taken_as_core_takes_them(output, tiles) -> None:
    from stardist.matching import relabel_sequential

    output[..., 1:] -= 1.5
    expected = relabel_sequential(decode_by_core(output, parameters_2d()))[0]
    np.testing.assert_array_equal(decode(output, tiles, parameters_2d())[1], expected)


def test_one_cell_per_tile() -> None:
    output = blobs((11, 10), 5, 5, 12, seed=3)
    cells = [(slice(y, y + 1), slice(x, x + 1)) for y in range(11) for x in range(10)]
    expected = decode(output, [everything((11, 10))], parameters_2d())[1]
    assert expected.max() > 1
    np.testing.assert_array_equal(decode(output, cells, parameters_2d())[1], expected)


@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    tiles=cuts((8, 12, 11), most=1),
    overlap_label=st.sampled_from([None, 0, 2, 1000]),
    equal=st.booleans(),
)
def test_volumes_as_core_and_whatever_the_tiles(seed, tiles, overlap_label, equal) -> None:
    output = blobs((8, 12, 11), 5, 4.5, 16, seed=seed)
    # core's code for three dimensions fails where it finds nothing
    output[4, 6, 5] = 3.3
    if equal:
        output[..., 0] = np.round(output[..., 0] * 4) / 4
    parameters = parameters_3d(overlap_label=overlap_label)
    with patch.object(np, "argsort", partial(np.argsort, kind="stable")):
        expected = decode_by_core(output, parameters)
    np.testing.assert_array_equal(decode(output, tiles, parameters)[1], expected)


def test_a_run_that_goes_on_from_files_gives_the_same(tmp_path: Path) -> None:
    output = blobs(SHAPE, 10, 6, 12, seed=5)
    tiles = [(slice(y, y + 13), slice(x, x + 10)) for y in (0, 13) for x in (0, 10, 20)]
    found = tile_candidates(output, tiles, parameters_2d())
    first = CandidateFolder(tmp_path, len(tiles))
    for tile in (0, 3, 4):
        first.save(tile, found[tile])
    (tmp_path / "000001.part").write_bytes(b"cut short")
    again = CandidateFolder(tmp_path, len(tiles))
    assert [again.has(tile) for tile in range(6)] == [True, False, False, True, True, False]
    for tile in (1, 2, 5):
        again.save(tile, found[tile])
    told: list[int] = []
    objects = select_objects(again, parameters_2d(), told.append)
    np.testing.assert_array_equal(objects.points, select_objects(found, parameters_2d()).points)
    assert told == [1, 2, 3, 4, 5, 6]


def test_nothing_found_is_an_empty_image() -> None:
    output = np.zeros((8, 9, 13), np.float32)
    objects, labels = decode(output, [everything((8, 9))], parameters_2d())
    assert len(objects) == 0
    assert labels.dtype == np.uint16
    assert not labels.any()
    assert objects.polygons() == []

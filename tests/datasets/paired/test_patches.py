"""Patches show one place twice, and are the same ones each time."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import affine_transform

from scopezoo.datasets.paired import Dataset
from scopezoo.datasets.paired.manifest import Specimen, Transform
from scopezoo.datasets.paired.patches import Patches
from scopezoo.datasets.paired.sampling import (
    GriddedImage,
    index_map,
    index_matrix,
    inverse,
    is_inside,
    sampled_block,
)
from scopezoo.datasets.paired.store import NewImage, new_manifest
from scopezoo.errors import UsageError
from scopezoo.image import Image
from tests.datasets.paired.pairs import (
    SOURCE_SHAPE,
    SOURCE_UM,
    TARGET_SHAPE,
    TARGET_UM,
    bent,
    dataset,
    image,
    known_matrix,
    known_pair,
)

SIZE = (5, 24, 20)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return dataset(tmp_path_factory.mktemp("known") / "d", ["s", "t"])


@pytest.mark.parametrize("grid", ["source", "target"])
@pytest.mark.parametrize("order", [1, 3])
def test_source_and_target_show_the_same_place(
    known: Dataset, grid: Literal["source", "target"], order: int
) -> None:
    # both images are of one scene, so patches agree up to what interpolation loses
    contrast = float(known_pair(0)[0].read().std())
    for patch in islice(known.patches(None, SIZE, 3, grid=grid, order=order), 12):
        assert patch.source.shape == patch.target.shape == SIZE
        error = (patch.source - patch.target) / contrast
        assert np.abs(error).max() < 0.06
        assert np.sqrt(np.mean(error**2)) < 0.02


@settings(max_examples=10)
@given(
    slope=st.tuples(*[st.floats(-50, 50)] * 3),
    angle=st.floats(-4, 4),
    grid=st.sampled_from(["source", "target"]),
)
def test_a_ramp_is_met_exactly(
    slope: tuple[float, ...], angle: float, grid: Literal["source", "target"]
) -> None:
    # linear interpolation of a linear scene loses nothing: any error is one of place
    matrix = known_matrix(angle)
    images = []
    for shape, voxel, to_scene in (
        (SOURCE_SHAPE, SOURCE_UM, matrix),
        (TARGET_SHAPE, TARGET_UM, np.eye(4)),
    ):
        index = np.stack(np.indices(shape), axis=-1) * np.array(voxel)
        places = index @ to_scene[:3, :3].T + to_scene[:3, 3]
        values = 1000 + places @ np.array(slope) + places[..., 2]
        images.append(image(values.astype(np.float32), voxel))
    with TemporaryDirectory() as folder:
        made = Dataset.create(folder, new_manifest("d", "D"))
        made.add("p", Specimen(id="s"), NewImage(images[0], "a"), NewImage(images[1], "b"))
        made.set_registration("p", matrix, None, status="registered")
        for patch in islice(made.patches(None, SIZE, 0, grid=grid), 4):
            assert np.abs(patch.source - patch.target).max() < 0.01


def test_a_shift_of_one_voxel_would_be_seen(known: Dataset) -> None:
    patch = next(known.patches(None, SIZE, 3))
    good = np.abs(patch.source - patch.target).mean()
    shifted = np.abs(patch.source[:, :, :-1] - patch.target[:, :, 1:]).mean()
    assert shifted > 5 * good


def test_patches_follow_from_seed_and_number_alone(known: Dataset) -> None:
    in_order = list(islice(known.patches(None, SIZE, 5), 8))
    at_random = Patches(known, None, SIZE, 5)
    for number in (6, 1, 6, 0):
        assert np.array_equal(at_random[number].source, in_order[number].source)
        assert np.array_equal(at_random[number].target, in_order[number].target)
    others = islice(known.patches(None, SIZE, 6), 8)
    assert {(p.pair, p.start) for p in in_order} != {(p.pair, p.start) for p in others}
    assert {patch.pair for patch in in_order} == {"s_0", "t_1"}


def test_patches_are_cut_from_raw_pixels_of_the_grid(known: Dataset) -> None:
    source, _ = known_pair(0)
    for patch in islice(known.patches(None, SIZE, 1), 10):
        if patch.pair == "s_0":
            z, y, x = patch.start
            cut = source.read()[z : z + SIZE[0], y : y + SIZE[1], x : x + SIZE[2]]
            assert np.array_equal(patch.source, cut)


@pytest.mark.parametrize("grid", ["source", "target"])
@pytest.mark.parametrize("order", [1, 3])
def test_patches_honour_a_smooth_residual(
    tmp_path: Path, grid: Literal["source", "target"], order: int
) -> None:
    images = [NewImage(one, "m") for one in known_pair(0, smooth=bent())]
    made = Dataset.create(tmp_path / "d", new_manifest("d", "D"))
    pair_id = made.add("p", Specimen(id="s"), images[0], images[1]).id
    errors = []
    for smooth in (bent(), None):
        made.set_registration(pair_id, known_matrix(), None, status="registered", smooth=smooth)
        patches = list(islice(made.patches(None, SIZE, 3, grid=grid, order=order), 8))
        apart = np.concatenate([(one.source - one.target).ravel() for one in patches])
        errors.append(float(np.sqrt(np.mean(apart**2))) / float(images[0].image.read().std()))
    assert errors[0] < 0.02
    assert errors[1] > 5 * errors[0]


@settings(max_examples=15)
@given(data=st.data(), onto=st.sampled_from(["source", "target"]))
def test_a_bent_block_is_the_same_alone_and_in_the_whole(
    data: st.DataObject, onto: Literal["source", "target"]
) -> None:
    source, target = (
        GriddedImage(one, um, 0)
        for one, um in zip(known_pair(2), (SOURCE_UM, TARGET_UM), strict=True)
    )
    fixed, moving = (source, target) if onto == "source" else (target, source)
    transform = Transform(matrix=known_matrix().tolist(), smooth=bent())
    where = index_map(transform, source, target, onto=onto)
    everything = tuple(slice(0, size) for size in fixed.shape)
    whole = sampled_block(moving, where, (everything[0], everything[1], everything[2]), 3)
    parts = []
    for size in fixed.shape:
        start = data.draw(st.integers(0, size - 1))
        parts.append(slice(start, data.draw(st.integers(start + 1, size))))
    block = (parts[0], parts[1], parts[2])
    values = sampled_block(moving, where, block, 3)
    if is_inside(block, where, moving.shape):
        assert np.abs(values - whole[block]).max() < 0.5  # of 10,000


@settings(max_examples=30)
@given(data=st.data(), order=st.sampled_from([0, 1, 3]), angle=st.floats(-5, 5))
def test_a_block_is_what_resampling_the_whole_image_gives(
    data: st.DataObject, order: int, angle: float
) -> None:
    source, target = (
        GriddedImage(one, um, 0)
        for one, um in zip(known_pair(2), (SOURCE_UM, TARGET_UM), strict=True)
    )
    matrix = index_matrix(inverse(known_matrix(angle)), target, source)
    whole = affine_transform(
        source.image.read(), matrix, output_shape=TARGET_SHAPE, order=order, mode="nearest"
    )
    parts = []
    for size in TARGET_SHAPE:
        start = data.draw(st.integers(0, size - 1))
        parts.append(slice(start, data.draw(st.integers(start + 1, size))))
    block = (parts[0], parts[1], parts[2])
    values = sampled_block(source, matrix, block, order)
    assert values.shape == tuple(part.stop - part.start for part in block)
    if is_inside(block, matrix, SOURCE_SHAPE):
        assert np.abs(values - whole[block]).max() < 0.5  # of 10,000


def test_a_patch_reads_no_more_than_it_needs() -> None:
    class Counting:
        def __init__(self, shape: tuple[int, ...]) -> None:
            self.shape, self.dtype, self.read = shape, np.dtype(np.float32), 0

        def __getitem__(self, region: tuple[slice, ...]) -> np.ndarray:
            sizes = [
                len(range(*part.indices(n))) for part, n in zip(region, self.shape, strict=True)
            ]
            self.read += int(np.prod(sizes))
            return np.zeros(sizes, np.float32)

    large = Counting((200, 4000, 4000))
    moving = GriddedImage(Image(large, "ZYX"), (0.2, 0.1, 0.1), 0)
    fixed = GriddedImage(Image(Counting((100, 3000, 3000)), "ZYX"), (0.3, 0.16, 0.16), 0)
    matrix = index_matrix(known_matrix(2.0), fixed, moving)
    sampled_block(moving, matrix, (slice(40, 48), slice(1000, 1064), slice(900, 964)), 1)
    assert large.read < 20 * 8 * 64 * 64


def test_most_patches_are_where_the_signal_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.normal(100, 2, (1, 256, 256)).astype(np.float32)
    pixels[:, 32:64, 160:192] += 500
    one = image(pixels, (1.0, 0.1, 0.1))
    made = Dataset.create(tmp_path / "d", new_manifest("d", "D"))
    made.add("p", Specimen(id="s"), NewImage(one, "a"), NewImage(one, "b"), aligned=True)

    def share(foreground: float) -> float:
        some = list(islice(made.patches(None, (32, 32), 0, foreground=foreground), 200))
        assert all(patch.source.shape == (32, 32) for patch in some)
        return float(np.mean([patch.target.max() > 300 for patch in some]))

    assert share(0.0) < 0.2
    assert share(0.8) > 0.6


def test_what_cannot_be_is_told(known: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="larger than"):
        next(known.patches(None, (5, 24, 100), 0))
    with pytest.raises(UsageError, match="no split"):
        known.patches("training", SIZE, 0)
    unregistered = dataset(tmp_path / "d", ["s"], registered=False)
    with pytest.raises(UsageError, match="no registered pair"):
        unregistered.patches(None, SIZE, 0)
    unregistered.set_registration(
        "s_0", known_matrix(0, (0.0, 500.0, 0.0)), None, status="registered"
    )
    with pytest.raises(UsageError, match="found no place"):
        next(unregistered.patches(None, SIZE, 0))

"""Test inputs that are simulated or cut out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopezoo.errors import FileError
from scopezoo.packaging.metadata import InputImage
from scopezoo.packaging.test_images import credit, make_test_pixels


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(["nuclei", "spots"]),
    st.permutations("bczyx"),
    st.tuples(*[st.integers(1, 2)] * 2, st.integers(2, 6), *[st.integers(16, 40)] * 2),
)
def test_simulations_have_the_shape_and_are_the_same_each_time(
    kind: str, order: list[str], sizes: tuple[int, ...]
) -> None:
    image = InputImage(simulate=kind)
    by_axis = dict(zip("bczyx", sizes, strict=True))
    axes = "".join(order)
    first = make_test_pixels(image, axes, by_axis, Path())
    assert first.shape == tuple(by_axis[a] for a in axes)
    assert first.std() > 1
    np.testing.assert_array_equal(first, make_test_pixels(image, axes, by_axis, Path()))
    assert "simulated by scopezoo" in credit(image)


@given(st.permutations("bcyx"), st.integers(1, 12), st.integers(1, 12))
def test_an_image_is_cut_in_the_middle(
    tmp_path_factory: pytest.TempPathFactory, order: list[str], height: int, width: int
) -> None:
    field = np.arange(12 * 12, dtype=np.float32).reshape(12, 12)
    folder = tmp_path_factory.mktemp("images")
    np.save(folder / "field.npy", field)
    image = InputImage(image=Path("field.npy"), credit="me")
    sizes = {"b": 1, "c": 1, "y": height, "x": width}
    pixels = make_test_pixels(image, "".join(order), sizes, folder)
    found = pixels.transpose([order.index(a) for a in "bcyx"])[0, 0]
    top, left = (12 - height) // 2, (12 - width) // 2
    np.testing.assert_array_equal(found, field[top : top + height, left : left + width])


def test_an_image_that_is_too_small(tmp_path: Path) -> None:
    np.save(tmp_path / "field.npy", np.zeros((8, 8), np.float32))
    image = InputImage(image=Path("field.npy"), credit="me")
    with pytest.raises(FileError, match=r"expected at least .*Y 16"):
        make_test_pixels(image, "yx", {"y": 16, "x": 8}, tmp_path)
    with pytest.raises(FileError, match="C 2"):
        make_test_pixels(image, "cyx", {"c": 2, "y": 8, "x": 8}, tmp_path)


def test_the_shipped_image_is_real() -> None:
    pytest.importorskip("stardist", reason="the image is shipped by stardist")
    image = InputImage(shipped="stardist_nuclei_2d")
    pixels = make_test_pixels(image, "bcyx", {"b": 1, "c": 1, "y": 256, "x": 256}, Path())
    assert pixels.shape == (1, 1, 256, 256)
    assert pixels.max() > 100
    assert "BSD-3-Clause" in credit(image)

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from scopezoo.errors import ImageError
from scopezoo.formats.view import View
from scopezoo.image import LazyArray


@given(shape=st.lists(st.integers(1, 4), min_size=2, max_size=5), data=st.data())
def test_shows_axes_in_any_order(shape: list[int], data: st.DataObject) -> None:
    values = np.arange(np.prod(shape)).reshape(shape)
    order = data.draw(st.permutations(range(len(shape))))
    axes = tuple(order[: data.draw(st.integers(1, len(shape)))])
    view = View(values, axes, "a.tif")
    hidden = tuple(axis for axis in range(len(shape)) if axis not in axes)
    expected = values.transpose(axes + hidden)[(...,) + (0,) * len(hidden)]
    assert view.shape == expected.shape
    region = tuple(slice(data.draw(st.integers(0, n - 1)), None) for n in expected.shape)
    np.testing.assert_array_equal(view[region], expected[region])
    assert isinstance(view, LazyArray)


def test_chunks_are_in_the_order_shown() -> None:
    import zarr

    stored = zarr.create_array({}, shape=(9, 8, 7), chunks=(4, 3, 2), dtype="u1")
    assert View(stored, (2, 0), "a.zarr").chunks == (2, 4)
    assert View(np.zeros((9, 8)), (0, 1), "a.npy").chunks is None


@pytest.mark.parametrize(
    ("stored", "shown"), [(">u2", "u2"), ("?", "u1"), (">f4", "f4"), ("f2", "f2")]
)
def test_numbers_are_native(stored: str, shown: str) -> None:
    view = View(np.ones((2, 3), stored), (0, 1), "a.tif")
    assert view.dtype == np.dtype(shown)
    assert view[slice(None), slice(None)].dtype == np.dtype(shown)


@pytest.mark.parametrize("dtype", ["c8", "O", "S3", "M8[s]", "V4"])
def test_what_is_no_number_is_refused(dtype: str) -> None:
    with pytest.raises(ImageError, match=r"a\.tif holds .* values"):
        View(np.zeros((2, 3), dtype), (0, 1), "a.tif")


class Broken:
    shape = (2, 3)
    dtype = np.dtype("u1")

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getitem__(self, region: tuple[slice, ...], /) -> NDArray[Any]:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [KeyError(3), MemoryError(), RecursionError(), PermissionError(), EOFError("gone\nfor good")],
)
def test_whatever_fails_is_one_line_about_the_file(error: Exception) -> None:
    with pytest.raises(ImageError, match=r"^a\.tif [^\n]+$"):
        View(Broken(error), (0, 1), "a.tif")[slice(None), slice(None)]

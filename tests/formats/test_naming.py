from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopezoo.errors import ImageError, UsageError
from scopezoo.formats.naming import name_axes
from scopezoo.image import AXES

sizes = st.integers(1, 9)


@pytest.mark.parametrize(
    ("shape", "found", "axes", "kept"),
    [
        ((20, 30), "??", "YX", (0, 1)),
        ((20, 30, 3), "???", "YXC", (0, 1, 2)),
        ((20, 30, 4), "???", "YXC", (0, 1, 2)),
        ((1, 20, 30), "???", "YX", (1, 2)),
        ((20, 30, 3), "YXS", "YXC", (0, 1, 2)),
        ((5, 20, 30), "ZYX", "ZYX", (0, 1, 2)),
        ((1, 1, 5, 20, 30), "TCZYX", "TCZYX", (0, 1, 2, 3, 4)),
        ((1, 5, 20, 30), "QZYX", "ZYX", (1, 2, 3)),
        ((2, 1, 20, 30, 1), "CAYXS", "CYX", (0, 2, 3)),
    ],
)
def test_what_the_file_or_its_shape_tells(
    shape: tuple[int, ...], found: str, axes: str, kept: tuple[int, ...]
) -> None:
    assert name_axes("a.tif", shape, found, None) == (axes, kept)


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ((5, 20, 30), "???"),
        ((5, 20, 30), "IYX"),
        ((5, 20, 30, 3), "????"),
        ((2, 3, 4, 20, 30), "QQQYX"),
        ((2, 2, 2, 2, 20, 30), "??????"),
        ((30,), "?"),
    ],
)
def test_asks_where_only_the_user_can_tell(shape: tuple[int, ...], found: str) -> None:
    with pytest.raises(ImageError, match=r"a\.tif") as caught:
        name_axes("a.tif", shape, found, None)
    assert str(shape) in str(caught.value)
    if 3 <= len(shape) <= 5:
        assert "--axes" in str(caught.value)


@given(axes=st.permutations(AXES), count=st.integers(2, 5), data=st.data())
def test_the_user_overrides_in_either_case(
    axes: list[str], count: int, data: st.DataObject
) -> None:
    wanted = "".join(axis for axis in axes if axis in "YX" or axes.index(axis) < count)
    shape = tuple(data.draw(sizes) for _ in wanted)
    named = name_axes("a.tif", shape, "?" * len(wanted), wanted.lower())
    assert named == (wanted, tuple(range(len(wanted))))


def test_the_user_need_not_name_axes_of_length_1() -> None:
    assert name_axes("a.tif", (1, 7, 1, 20, 30), "?" * 5, "zyx") == ("ZYX", (1, 3, 4))


@pytest.mark.parametrize("wanted", ["YX", "ZYXC", "ZYQ", "ZZX", "ZTC", ""])
def test_axes_that_do_not_fit(wanted: str) -> None:
    with pytest.raises(UsageError):
        name_axes("a.tif", (5, 20, 30), "???", wanted)


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (1, 1), (1, 1, 9), (1, 9, 1), (1, 1, 1, 1)])
@pytest.mark.parametrize("wanted", [None, "YX"])
def test_an_image_one_pixel_high_or_wide_is_an_image(
    shape: tuple[int, ...], wanted: str | None
) -> None:
    axes, kept = name_axes("a.npy", shape, "?" * len(shape), wanted)
    assert axes == "YX"
    assert sorted(shape[i] for i in kept)[-1] == max(shape)
    assert list(kept) == sorted(kept)

"""Images as a model's inputs."""

from __future__ import annotations

import numpy as np
import pytest

from scopezoo.errors import UsageError
from scopezoo.image import Image
from scopezoo.predict.sources import given_images, samples_of
from scopezoo.store.tensors import Axis, FixedSize, SteppedSize, Tensor

SPACE = (
    Axis("y", "space", SteppedSize(1, 1)),
    Axis("x", "space", SteppedSize(1, 1)),
)
RGB = Tensor("raw", (Axis("channel", "channel", FixedSize(3)), *SPACE))


@pytest.mark.parametrize("axes", ["YX", "CYX", "YXC"])
def test_one_channel_taken_several_times(axes: str) -> None:
    plane = np.arange(20).reshape(4, 5)
    pixels = plane if axes == "YX" else np.expand_dims(plane, axes.index("C"))
    source = samples_of({"raw": Image(pixels, axes)}, [RGB], "0,0,0")[0].sources["raw"]
    assert source.shape == (3, 4, 5)
    whole = (slice(0, 3), slice(0, 4), slice(0, 5))
    np.testing.assert_array_equal(source.read(whole), [plane, plane, plane])
    part = (slice(1, 3), slice(1, 4), slice(2, 3))
    np.testing.assert_array_equal(source.read(part), source.read(whole)[part])


def test_channels_in_the_order_asked_for() -> None:
    pixels = np.arange(60).reshape(4, 5, 3)
    source = samples_of({"raw": Image(pixels, "YXC")}, [RGB], "2,0,1")[0].sources["raw"]
    whole = (slice(0, 3), slice(0, 4), slice(0, 5))
    np.testing.assert_array_equal(source.read(whole), pixels.transpose(2, 0, 1)[[2, 0, 1]])


def test_only_further_inputs_can_be_left_out() -> None:
    first = Tensor("raw", SPACE, optional=True)
    mask = Tensor("mask", SPACE, optional=True)
    image = Image(np.zeros((4, 5)), "YX")
    assert list(given_images(image, [first, mask])) == ["raw"]
    with pytest.raises(UsageError, match="missing: raw"):
        given_images({"mask": image}, [first, mask])

"""What an ONNX file says, against what the author says."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopezoo.errors import PackageError
from scopezoo.packaging.interface import Follows, Interface, legal, read_interface, smallest
from scopezoo.packaging.metadata import Metadata, SizeRange
from scopezoo.packaging.tensors import with_halo
from tests.packaging.networks import METADATA, blur

RANGES = st.builds(SizeRange, min=st.integers(1, 300), step=st.integers(1, 64))


def metadata(**changes: object) -> Metadata:
    return Metadata.model_validate({**METADATA, **changes})


def test_free_sizes_follow_the_stride() -> None:
    found = read_interface(blur(stride=2), metadata())
    assert found.sizes == {"y": SizeRange(min=64, step=2), "x": SizeRange(min=64, step=2)}
    assert found.follows == ({"y": Follows(Fraction(1, 2), 0), "x": Follows(Fraction(1, 2), 0)},)
    assert found.channels == (1,)


def test_margins_that_the_network_cuts_off_are_found() -> None:
    (follows,) = read_interface(blur(pad=0), metadata()).follows
    assert follows == {"y": Follows(Fraction(1), -2), "x": Follows(Fraction(1), -2)}


def test_fixed_sizes_are_taken_from_the_file() -> None:
    assert read_interface(blur(size=80), metadata()).sizes == {"y": 80, "x": 80}


@pytest.mark.parametrize(
    ("network", "changes", "problem"),
    [
        ({}, {"outputs": [{"axes": "bcyx"}, {"axes": "bcyx"}]}, "outputs: the network has 1"),
        (
            {},
            {"outputs": [{"axes": "byx"}]},
            "'byx' name 3 axes, the network has 4",
        ),
        (
            {"channels": 3},
            {"inputs": [{**METADATA["inputs"][0], "channel_names": ["a", "b"]}]},
            "inputs.0.channel_names: 2 names for 3 channels",
        ),
        (
            {"size": 80},
            {"inputs": [{**METADATA["inputs"][0], "size": {"y": 96}}]},
            "inputs.0.size.y: 96, but the network has a fixed 80",
        ),
    ],
)
def test_contradictions_are_named(
    network: dict[str, int], changes: dict[str, object], problem: str
) -> None:
    with pytest.raises(PackageError) as caught:
        read_interface(blur(**network), metadata(**changes))
    assert problem in str(caught.value)


@given(RANGES, st.integers(1, 2000))
def test_legal_sizes_are_legal(size: SizeRange, wanted: int) -> None:
    found = legal(size, wanted)
    assert (found - size.min) % size.step == 0
    assert size.min <= found <= max(wanted, size.min)
    assert found + size.step > wanted


@given(
    st.one_of(RANGES, st.integers(1, 300)),
    st.integers(0, 200),
    st.sampled_from([1, 2, 8, 16]),
    st.sampled_from([1, 0.3, 0.16, 0.1]),
)
def test_a_halo_fits_in_the_smallest_size(
    size: SizeRange | int, halo: int, stride: int, um: float
) -> None:
    before = Interface((), (), {"y": size}, {"y": stride}, (), ())
    after, declared = with_halo(before, {"y": halo * stride}, {"y": um})
    assert declared["y"] * um / um % 1 == 0
    assert smallest(after.sizes["y"]) > 2 * declared["y"]
    assert declared["y"] % stride == 0
    if isinstance(size, SizeRange):
        assert halo * stride <= declared["y"] <= (halo if um == 1 else halo + 20) * stride
        assert (smallest(after.sizes["y"]) - size.min) % size.step == 0
    else:
        assert after.sizes["y"] == size

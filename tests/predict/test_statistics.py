"""Statistics of a stream of blocks equal numpy's of the whole tensor."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise, product
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scopezoo.predict import groups, quantiles
from scopezoo.predict.groups import Region
from scopezoo.predict.statistics import Measure, compute_statistics

AXES = ("batch", "channel", "y", "x")
DTYPES = [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
DTYPES += ["bool", "float16", "float32", "float64"]
KINDS = [
    ("mean", 0.0, "linear"),
    ("std", 0.0, "linear"),
    *(("quantile", q, m) for q in (0.0, 0.01, 0.5, 0.998, 1.0) for m in ("linear", "inverted_cdf")),
]
Blocks = Callable[[], Iterator[tuple[Region, NDArray[Any]]]]


@st.composite
def tensors(draw: st.DrawFn, missing: bool = True) -> NDArray[Any]:
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = (1, *draw(hnp.array_shapes(min_dims=3, max_dims=3, max_side=7)))
    if dtype.kind != "f":
        elements = hnp.from_dtype(dtype)
    else:
        # few distinct values, so that some pixels are equal and zeros have both signs
        values = [-1e4, -3.5, -0.0, 0.0, 1.0, 1.0 + 2**-10, 2.0, 6e4]
        elements = st.sampled_from([*values, np.nan] if missing else values)
        elements |= st.floats(-100, 100, width=dtype.itemsize * 8)
    return draw(hnp.arrays(dtype, shape, elements=elements))


def cuts(size: int) -> st.SearchStrategy[list[slice]]:
    inner = st.sets(st.integers(1, size - 1)) if size > 1 else st.just(set())
    return inner.map(lambda at: [0, *sorted(at), size]).map(
        lambda at: [slice(a, b) for a, b in pairwise(at)]
    )


@st.composite
def partitions(draw: st.DrawFn, tensor: NDArray[Any]) -> Blocks:
    regions = draw(st.permutations(list(product(*(draw(cuts(n)) for n in tensor.shape)))))
    return lambda: ((region, tensor[region]) for region in regions)


def numpy_statistic(tensor: NDArray[Any], measure: Measure) -> NDArray[Any]:
    axes = AXES if measure.axes is None else ("batch", *measure.axes)
    axis = tuple(AXES.index(a) for a in axes)
    values = tensor.astype(np.float64)
    if measure.kind == "quantile":
        return np.nanquantile(values, measure.q, axis=axis, method=measure.method, keepdims=True)
    function = np.nanmean if measure.kind == "mean" else np.nanstd
    return function(values, axis=axis, keepdims=True)


def assert_as_numpy(tensor: NDArray[Any], blocks: Blocks, measures: list[Measure]) -> None:
    found = compute_statistics(measures, AXES, tensor.shape, blocks)
    assert set(found) == set(measures)
    scale = float(np.nanmax(np.abs(tensor.astype(np.float64)), initial=1.0))
    for measure, value in found.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # groups of NaN alone
            expected = numpy_statistic(tensor, measure)
        assert value.shape == expected.shape
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-12 * scale)


@st.composite
def measure_lists(draw: st.DrawFn) -> list[Measure]:
    axes = st.none() | st.sets(st.sampled_from(AXES[1:])).map(lambda s: tuple(sorted(s)))
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6))
    measures = {Measure("t", kind, draw(axes), q, method) for kind, q, method in kinds}
    return sorted(measures, key=repr)


@settings(deadline=None)
@given(st.data(), st.sampled_from([3, 17, 1 << 16]), st.sampled_from([0, 10_000, 1 << 26]))
def test_a_stream_gives_what_numpy_gives_on_the_whole(
    data: st.DataObject, piece_pixels: int, histogram_bytes: int
) -> None:
    """Whatever the type, the blocks, and the way that the size of the histograms leads to."""
    tensor = data.draw(tensors())
    blocks = data.draw(partitions(tensor))
    measures = data.draw(measure_lists())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "PIECE_PIXELS", piece_pixels)
        patch.setattr(quantiles, "HISTOGRAM_BYTES", histogram_bytes)
        assert_as_numpy(tensor, blocks, measures)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
def test_a_large_image_in_tiles(dtype: str) -> None:
    rng = np.random.default_rng(0)
    tensor = rng.normal(10_000, 30, (1, 2, 300, 500)).clip(0, 200 if dtype == "uint8" else None)
    tensor = tensor.astype(dtype)
    tiles = [
        (slice(0, 1), slice(c, c + 1), slice(y, y + 128), slice(x, x + 128))
        for c in range(2)
        for y in range(0, 300, 128)
        for x in range(0, 500, 128)
    ]
    measures = [
        Measure("t", kind, axes, q, method)
        for kind, q, method in KINDS
        for axes in (None, ("y", "x"), ("channel", "y"))
    ]
    assert_as_numpy(tensor, lambda: ((tile, tensor[tile]) for tile in tiles), measures)


def test_std_keeps_its_digits_far_from_zero() -> None:
    """The textbook formula, mean of squares minus squared mean, has none left here."""
    tensor = 1e9 + np.arange(1000.0).reshape(1, 1, 10, 100) % 2
    blocks = [((slice(0, 1), slice(0, 1), slice(y, y + 1), slice(0, 100))) for y in range(10)]
    measure = Measure("t", "std")
    found = compute_statistics(
        [measure], AXES, tensor.shape, lambda: ((b, tensor[b]) for b in blocks)
    )
    assert found[measure].item() == pytest.approx(0.5, rel=1e-12)


def test_passes_are_as_few_as_the_type_allows() -> None:
    passes: dict[str, int] = {}
    for dtype in ("uint8", "uint16", "float32", "float64"):
        tensor = np.arange(24).astype(dtype).reshape(1, 2, 3, 4)

        def blocks(tensor: NDArray[Any] = tensor, dtype: str = dtype) -> Any:
            passes[dtype] = passes.get(dtype, 0) + 1
            yield tuple(slice(0, n) for n in tensor.shape), tensor

        compute_statistics([Measure("t", "quantile", None, 0.5)], AXES, tensor.shape, blocks)
    assert passes == {"uint8": 1, "uint16": 1, "float32": 2, "float64": 4}


def test_infinite_pixels_are_values_of_their_own() -> None:
    tensor = np.array([-np.inf, 1, 2, np.inf, np.inf], np.float32).reshape(1, 1, 1, 5)
    whole = tuple(slice(0, n) for n in tensor.shape)
    measures = [Measure("t", "quantile", None, q) for q in (0.0, 0.5, 0.9)]
    measures += [Measure("t", "mean"), Measure("t", "std")]
    found = compute_statistics(measures, AXES, tensor.shape, lambda: iter([(whole, tensor)]))
    assert [found[m].item() for m in measures[:3]] == [-np.inf, 2.0, np.inf]
    assert all(np.isnan(found[m].item()) for m in measures[3:])


def test_nothing_wanted_reads_nothing() -> None:
    def blocks() -> Any:
        raise AssertionError("read")

    assert compute_statistics([], AXES, (1, 1, 4, 4), blocks) == {}


def test_big_endian_pixels() -> None:
    tensor = np.linspace(-5, 9, 24).astype(">f4").reshape(1, 2, 3, 4)
    whole = tuple(slice(0, n) for n in tensor.shape)
    measures = [Measure("t", kind, None, q) for kind, q in (("quantile", 0.3), ("mean", 0))]  # type: ignore[arg-type]
    assert_as_numpy(tensor, lambda: iter([(whole, tensor)]), measures)


def test_the_short_axis_ids_mean_the_same() -> None:
    tensor = np.arange(24.0).reshape(1, 2, 3, 4)
    whole = tuple(slice(0, n) for n in tensor.shape)
    measure = Measure("t", "mean", ("channel", "x"))
    found = compute_statistics(
        [measure], ("b", "c", "y", "x"), tensor.shape, lambda: iter([(whole, tensor)])
    )
    np.testing.assert_allclose(found[measure], numpy_statistic(tensor, measure))

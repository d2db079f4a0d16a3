"""The measured halo of networks whose true halo is known."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from scopezoo.errors import PackageError
from scopezoo.predict.graph import analyse_graph
from scopezoo.predict.halo import HaloReport, Run, SpaceAxis, TensorLayout, measure_halo

PLANE = TensorLayout(("batch", "channel", "y", "x"))


def blur(radius_y: int, radius_x: int) -> Run:
    """A mean over a box, zero outside of the image: every pixel of the box counts."""
    box = np.ones((1, 1, 2 * radius_y + 1, 2 * radius_x + 1), np.float32)
    return lambda arrays: [ndimage.convolve(arrays[0], box / box.size, mode="constant")]


def space(radius: int | None, **settings: Any) -> list[SpaceAxis]:
    given = {"min_px": 16, "step_px": 1, "grid_px": 1, **settings}
    return [SpaceAxis(axis_id, radius_px=radius, **given) for axis_id in ("y", "x")]


@given(st.integers(0, 7), st.integers(0, 7), st.sampled_from([1, 2, 4]), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_needed_is_the_radius_on_the_grid(y: int, x: int, grid: int, seed: int) -> None:
    axes = [SpaceAxis("y", 16, grid, grid, y), SpaceAxis("x", 16, grid, grid, x)]
    report = measure_halo(blur(y, x), [PLANE], [PLANE], axes, seed=seed)
    for axis_id, radius in (("y", y), ("x", x)):
        axis = report.axes[axis_id]
        assert axis.needed_px == -(-radius // grid) * grid
        errors = list(axis.error_at.values())
        assert errors == sorted(errors, reverse=True)
        assert errors[-1] <= report.tolerance


@given(st.integers(1, 6), st.integers(-6, 6))
@settings(max_examples=20, deadline=None)
def test_both_sides_are_cut(radius: int, shift: int) -> None:
    """A box that looks to one side only needs its halo there."""

    def shifted(arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
        return [ndimage.shift(arrays[0], (0, 0, 0, shift), order=0, prefilter=False)]

    axes = [SpaceAxis("y", 16, 1, 1, 0), SpaceAxis("x", 16, 1, 1, max(radius, abs(shift)))]
    report = measure_halo(shifted, [PLANE], [PLANE], axes)
    assert report.axes["x"].needed_px == abs(shift)
    assert report.axes["y"].needed_px == 0


@pytest.mark.parametrize("radius", [3, None])
def test_fixed_size_is_measured_on_shifted_windows(radius: int | None) -> None:
    sizes = []

    def run(arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
        sizes.append(arrays[0].shape[2:])
        return blur(3, 3)(arrays)

    report = measure_halo(run, [PLANE], [PLANE], space(radius, min_px=64, step_px=0))
    assert set(sizes) == {(64, 64)}
    assert [axis.needed_px for axis in report.axes.values()] == [3, 3]


def test_a_window_too_small_to_test_the_radius_falls_back_to_it() -> None:
    report = measure_halo(blur(15, 15), [PLANE], [PLANE], space(15, min_px=20, step_px=0))
    assert [axis.needed_px for axis in report.axes.values()] == [15, 15]
    assert max(report.axes["y"].error_at) < 15


def test_global_statistics_make_tiles_inexact() -> None:
    def subtract_mean(arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
        return [arrays[0] - arrays[0].mean()]

    axes = space(None, unbounded_by=("ReduceMean",))
    axis = measure_halo(subtract_mean, [PLANE], [PLANE], axes).axes["y"]
    assert axis.needed_px is None
    assert axis.unbounded_by == ("ReduceMean",)
    assert axis.error_at[max(axis.error_at)] > 1e-5


def test_an_unknown_radius_is_found_by_measuring() -> None:
    report = measure_halo(blur(5, 2), [PLANE], [PLANE], space(None))
    assert [axis.needed_px for axis in report.axes.values()] == [5, 2]


def test_channel_last_grid_output_and_a_second_input() -> None:
    """Output at half the size of the input, and a parameter that has no space."""
    strided = TensorLayout(
        ("batch", "y", "x", "channel"), {"channel": 3}, {"y": Fraction(1, 2), "x": Fraction(1, 2)}
    )

    def run(arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
        pixels, factor = arrays
        assert factor.shape == (1,)
        small = blur(4, 4)([pixels])[0][0, 0, ::2, ::2] * factor
        return [np.stack([small, small, -small], axis=-1)[None], factor]

    inputs = [PLANE, TensorLayout(("batch",))]
    outputs = [strided, TensorLayout(("batch",))]
    axes = space(5, step_px=2, grid_px=2)
    report = measure_halo(run, inputs, outputs, axes)
    assert [axis.needed_px for axis in report.axes.values()] == [4, 4]


def test_super_resolution_output() -> None:
    double = TensorLayout(PLANE.axes, scale={"y": Fraction(2), "x": Fraction(2)})

    def run(arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
        return [blur(3, 3)(arrays)[0].repeat(2, axis=2).repeat(2, axis=3)]

    report = measure_halo(run, [PLANE], [double], space(3))
    assert [axis.needed_px for axis in report.axes.values()] == [3, 3]


def test_an_unpadded_network_needs_what_it_takes_off() -> None:
    def run(arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
        return [blur(3, 3)(arrays)[0][:, :, 3:-3, 3:-3]]

    report = measure_halo(run, [PLANE], [PLANE], space(3))
    assert [axis.needed_px for axis in report.axes.values()] == [3, 3]


def test_integer_input_in_three_dimensions_stays_within_its_budget() -> None:
    volume = TensorLayout(("batch", "channel", "z", "y", "x"), {"channel": 2}, dtype="uint8")
    axes = [SpaceAxis(axis_id, 8, 4, 4, None) for axis_id in ("z", "y", "x")]
    cost = []

    def run(arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
        assert arrays[0].dtype == np.uint8
        cost.append(arrays[0].size // 2)
        return [arrays[0].astype(np.float32)]

    test_input = np.arange(2 * 8 * 8 * 8, dtype=np.uint8).reshape(1, 2, 8, 8, 8)
    report = measure_halo(run, [volume], [volume], axes, test_inputs=[test_input], max_px=10**5)
    assert sum(cost) <= 10**5
    assert all(axis.needed_px == 0 for axis in report.axes.values())


def test_what_is_no_number_counts_as_a_difference() -> None:
    def run(arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
        result = arrays[0].copy()
        result[..., :2] = np.nan
        return [result]

    report = measure_halo(run, [PLANE], [PLANE], space(8))
    assert report.axes["x"].needed_px == 2
    assert np.isfinite(list(report.axes["x"].error_at.values())).all()


def test_large_outputs_are_judged_by_their_range() -> None:
    def noisy(arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
        return [np.float32(1e6) * (arrays[0] + 1e-7 * arrays[0].shape[2])]

    report = measure_halo(noisy, [PLANE], [PLANE], space(2))
    assert report.axes["y"].needed_px == 0


def test_an_output_of_another_size_is_a_package_error() -> None:
    def run(arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
        return [arrays[0][:, :, :7, :7]]

    with pytest.raises(PackageError, match="output px per input px"):
        measure_halo(run, [PLANE], [PLANE], space(2))


def test_report_survives_json() -> None:
    report = measure_halo(blur(2, 3), [PLANE], [PLANE], space(None, unbounded_by=("Loop",)))
    assert HaloReport.from_json(json.loads(json.dumps(report.to_json()))) == report


def test_same_seed_same_report() -> None:
    first, second = (measure_halo(blur(2, 3), [PLANE], [PLANE], space(4)) for _ in range(2))
    assert first == second


def onnx_run(weights: Path) -> Run:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda arrays: list(session.run(None, {name: arrays[0]}))


def test_real_network_needs_48_of_its_58_px(shared_data: Path) -> None:
    weights = shared_data / "bmz_nuclei_broad_dynamic" / "weights.onnx"
    facts = analyse_graph(weights.read_bytes())
    axes = [
        SpaceAxis(axis_id, 192, 16, 16, axis.radius_px)
        for axis_id, axis in zip("yx", facts.axes, strict=True)
    ]
    report = measure_halo(onnx_run(weights), [PLANE], [PLANE], axes)
    for axis in report.axes.values():
        assert (axis.radius_px, axis.needed_px) == (58, 48)
        assert axis.error_at[0] > 0.4
        assert axis.error_at[32] > 1e-3
        assert axis.error_at[64] < 1e-6


def test_real_network_with_attention_has_no_halo(shared_data: Path) -> None:
    weights = shared_data / "ufish_onnx" / "v1.0-alldata-ufish_c32.onnx"
    report = measure_halo(onnx_run(weights), [PLANE], [PLANE], space(None, step_px=4, grid_px=4))
    assert all(axis.needed_px is None for axis in report.axes.values())

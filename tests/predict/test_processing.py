"""Every step of the format's processing gives what bioimageio.core gives."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from bioimageio.core.proc_ops import get_proc
from bioimageio.core.sample import Sample
from bioimageio.core.stat_calculators import compute_measures
from bioimageio.core.tensor import Tensor
from bioimageio.spec.model import v0_5
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from scopezoo.errors import PackageError
from scopezoo.predict.processing import Chain, complete_steps
from scopezoo.predict.statistics import Measure, compute_statistics

pytestmark = pytest.mark.filterwarnings("ignore:Computed dataset percentiles naively")

LAYOUTS = [
    ("batch", "channel", "y", "x"),
    ("batch", "y", "x", "channel"),
    ("batch", "channel", "z", "y", "x"),
    ("channel", "y", "x"),
    ("y", "x"),
]
DTYPES = ["float32", "float32", "float64", "uint8", "uint16", "int16"]
Arrays = Mapping[str, NDArray[Any]]
Step = dict[str, Any]

numbers = st.floats(-50, 50, width=32)
stds = st.floats(2**-12, 50, width=32)
eps = st.sampled_from([1e-6, 1e-3, 0.1])
_descr: TypeAdapter[Any] = TypeAdapter(v0_5.PostprocessingDescr)
_STATISTICAL = ("clip", "scale_range", "zero_mean_unit_variance", "scale_mean_variance")


# --- what core does ------------------------------------------------------------------------------


def core_proc(step: Step, tensor: str) -> Any:
    proc = get_proc(
        _descr.validate_python(step),
        v0_5.OutputTensorDescr.model_construct(id=v0_5.TensorId(tensor)),
    )
    if "eps" in step.get("kwargs", {}):
        proc.eps = step["kwargs"]["eps"]  # core 0.11 forgets it, except in scale_mean_variance
    return proc


def core_result(
    steps: Sequence[Step], tensor: str, arrays: Arrays, axes: Mapping[str, Sequence[str]]
) -> NDArray[Any]:
    members: Any = {name: Tensor(array, dims=axes[name]) for name, array in arrays.items()}
    sample = Sample(members=members, stat={}, id=None)
    procs = [core_proc(step, tensor) for step in steps]
    sample.stat = compute_measures({m for p in procs for m in p.required_measures}, [sample])
    for proc in procs:
        proc(sample)
    return sample.members[tensor].to_numpy()


# --- what scopezoo does --------------------------------------------------------------------------


def statistics(chain: Chain, arrays: Arrays, axes: Mapping[str, Sequence[str]]) -> Any:
    found: dict[Measure, NDArray[np.float64]] = {}
    for name, array in arrays.items():
        region = tuple(slice(0, n) for n in array.shape)
        of_this = [measure for measure in chain.measures if measure.tensor == name]
        found |= compute_statistics(
            of_this,
            axes[name],
            array.shape,
            lambda region=region, array=array: iter([(region, array)]),  # type: ignore[misc]
        )
    return found


def own_result(
    steps: Sequence[Step], tensor: str, arrays: Arrays, axes: Mapping[str, Sequence[str]]
) -> NDArray[Any]:
    """The chain's result of the whole, after a check that tiles give the same."""
    array = arrays[tensor]
    before = array.copy()
    chain = Chain(tensor, axes[tensor], steps, references=axes)
    values = statistics(chain, arrays, axes)
    whole = chain.apply(array, values)
    tiled = np.empty_like(whole)
    sides = [
        [slice(0, n)] if axis in chain.whole_axes else [slice(0, n // 2), slice(n // 2, n)]
        for axis, n in zip(axes[tensor], array.shape, strict=True)
    ]
    for region in product(*sides):
        tiled[region] = chain.apply(array[region], values, region)
    np.testing.assert_allclose(tiled, whole, rtol=1e-6)
    np.testing.assert_array_equal(array, before)
    return whole


def assert_same(step: Step, tensor: str, arrays: Arrays, axes: Mapping[str, Sequence[str]]) -> None:
    """float32 against core in float64, so that what differs is the error of float32 here."""
    own = own_result([step], tensor, arrays, axes)
    exact = {n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in arrays.items()}
    core = core_result([step], tensor, exact, axes)
    scale = max(1.0, *(float(np.abs(a.astype(float)).max()) for a in arrays.values()))
    np.testing.assert_allclose(own, core, rtol=1e-5, atol=1e-6 * scale)
    if arrays[tensor].dtype == np.float32 and step["id"] not in ("binarize", "ensure_dtype"):
        assert own.dtype == np.float32


# --- random tensors and steps --------------------------------------------------------------------


@st.composite
def tensors(draw: st.DrawFn, layouts: Any = LAYOUTS) -> tuple[NDArray[Any], tuple[str, ...]]:
    axes = draw(st.sampled_from(layouts))
    shape = tuple(1 if axis == "batch" else draw(st.integers(1, 5)) for axis in axes)
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    if dtype.kind == "f":
        elements: Any = st.floats(-100, 100, width=32)
    else:
        elements = st.integers(0 if dtype.kind == "u" else -100, 200)
    return draw(hnp.arrays(dtype, shape, elements=elements)), axes


def size(tensor: tuple[NDArray[Any], tuple[str, ...]], axis: str) -> int:
    return int(tensor[0].shape[tensor[1].index(axis)])


def some_axes(axes: Sequence[str]) -> st.SearchStrategy[dict[str, Any]]:
    some = st.lists(st.sampled_from(axes), min_size=1, unique=True)
    return (some | st.none()).map(lambda found: {"axes": found})


def along(draw: st.DrawFn, tensor: Any, **values: st.SearchStrategy[float]) -> dict[str, Any]:
    """Either a number for each name or, with an axis, a list for each."""
    if draw(st.booleans()):
        return {name: draw(value) for name, value in values.items()}
    axis = draw(st.sampled_from([axis for axis in tensor[1] if axis != "batch"]))
    n = size(tensor, axis)
    lists = {name: draw(st.lists(v, min_size=n, max_size=n)) for name, v in values.items()}
    return {"axis": axis, **lists}


@st.composite
def steps(draw: st.DrawFn, tensor: tuple[NDArray[Any], tuple[str, ...]]) -> Step:
    """Any step that needs no other tensor, and whose core counterpart takes any layout."""
    low, high = sorted(draw(st.tuples(numbers, numbers).filter(lambda pair: pair[0] != pair[1])))
    percentiles = {
        "min_percentile": draw(st.sampled_from([0, 1.5, 30])),
        "max_percentile": draw(st.sampled_from([50, 99.8, 100])),
    }
    axes = draw(some_axes(tensor[1]))
    kwargs: dict[str, dict[str, Any]] = {
        "binarize": {"threshold": low},
        "clip": draw(
            st.sampled_from(
                [
                    {"min": low, "max": high},
                    {"min": low},
                    {"max": high},
                    {**percentiles, **axes},
                    {"min_percentile": 1.5, "max": high, **axes},
                    {"min": low, "max_percentile": 99.8, **axes},
                ]
            )
        ),
        "ensure_dtype": {"dtype": draw(st.sampled_from(["float32", "float64", "int16", "int64"]))},
        "fixed_zero_mean_unit_variance": along(draw, tensor, mean=numbers, std=stds),
        "scale_linear": along(draw, tensor, gain=stds.filter(lambda g: g != 1), offset=numbers),
        "scale_range": {**percentiles, **axes, "eps": draw(eps)},
        "zero_mean_unit_variance": {**axes, "eps": draw(eps)},
    }
    name = draw(st.sampled_from(sorted(kwargs)))
    return {"id": name, "kwargs": {k: v for k, v in kwargs[name].items() if v is not None}}


@settings(deadline=None)
@given(st.data())
def test_a_step_gives_what_core_gives(data: st.DataObject) -> None:
    tensor = data.draw(tensors())
    step = data.draw(steps(tensor))
    assert_same(step, "t", {"t": tensor[0]}, {"t": tensor[1]})


@settings(deadline=None)
@given(st.data(), st.sampled_from(["scale_range", "scale_mean_variance"]))
def test_a_step_that_refers_to_another_tensor(data: st.DataObject, name: str) -> None:
    """The statistics are the other's, whatever the order of its axes."""
    array, axes = data.draw(tensors(LAYOUTS[:2]))
    order = data.draw(st.permutations(range(array.ndim)))
    offset = data.draw(numbers)
    other = (array.astype(np.float32) * 1.5 + offset)[:, ::-1].transpose(order)
    kwargs = {"reference_tensor": "raw", **data.draw(some_axes(axes)), "eps": data.draw(eps)}
    if kwargs["axes"] is None:
        del kwargs["axes"]
    assert_same(
        {"id": name, "kwargs": kwargs},
        "t",
        {"t": array, "raw": other},
        {"t": axes, "raw": [axes[i] for i in order]},
    )


@settings(deadline=None)
@given(tensors(), st.data())
def test_softmax_and_sigmoid(tensor: Any, data: st.DataObject) -> None:
    """Against core on floats: it lets the differences of unsigned integers wrap around."""
    array, axes = tensor
    axis = data.draw(st.sampled_from([axis for axis in axes if axis != "batch"]))
    step = data.draw(
        st.sampled_from([{"id": "softmax", "kwargs": {"axis": axis}}, {"id": "sigmoid"}])
    )
    own = own_result([step], "t", {"t": array}, {"t": axes})
    with np.errstate(over="ignore"):
        core = core_result([step], "t", {"t": array.astype(np.float64)}, {"t": axes})
    np.testing.assert_allclose(own, core, rtol=2e-5, atol=1e-37)


@settings(deadline=None)
@given(tensors(), st.data())
def test_binarize_along_an_axis(tensor: Any, data: st.DataObject) -> None:
    """Against core with that axis last: elsewhere it compares along the wrong one."""
    array, axes = tensor
    axis = data.draw(st.sampled_from([axis for axis in axes if axis != "batch"]))
    n = size(tensor, axis)
    thresholds = data.draw(st.lists(numbers, min_size=n, max_size=n))
    step = {"id": "binarize", "kwargs": {"axis": axis, "threshold": thresholds}}
    own = own_result([step], "t", {"t": array}, {"t": axes})
    place = axes.index(axis)
    last = [*(a for a in axes if a != axis), axis]
    core = core_result([step], "t", {"t": np.moveaxis(array, place, -1)}, {"t": last})
    np.testing.assert_array_equal(own, np.moveaxis(core, -1, place))


CHAINS: list[list[Step]] = [
    [
        {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}},
        {"id": "scale_range", "kwargs": {"axes": ["y", "x"], "max_percentile": 99.8}},
        {"id": "clip", "kwargs": {"min": 0.0, "max": 1.0}},
        {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}},
    ],
    [
        {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}},
        {"id": "scale_linear", "kwargs": {"gain": 0.5, "offset": -3.0}},
        {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["channel", "y", "x"]}},
        {"id": "sigmoid"},
    ],
    [
        {"id": "clip", "kwargs": {"min_percentile": 2, "max_percentile": 98, "axes": ["y", "x"]}},
        {"id": "zero_mean_unit_variance"},
        {"id": "softmax", "kwargs": {}},
    ],
]


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_a_chain_takes_its_statistics_from_the_raw_tensor(chain: list[Step], dtype: str) -> None:
    """Against core with its own types and the order of its own pipeline."""
    rng = np.random.default_rng(0)
    array = rng.gamma(3, 50, (1, 3, 70, 90)).astype(dtype)
    own = own_result(chain, "t", {"t": array}, {"t": LAYOUTS[0]})
    core = core_result(chain, "t", {"t": array}, {"t": LAYOUTS[0]})
    np.testing.assert_allclose(own, core, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [*_STATISTICAL, "sigmoid", "softmax", "scale_linear"])
def test_nan_pixels_spoil_no_others(name: str) -> None:
    array = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    clean = array.copy()
    array[0, 0, 1, 1] = np.nan
    kwargs: dict[str, Any] = {
        "clip": {"min_percentile": 5.0},
        "scale_linear": {"gain": 2.0},
        "scale_mean_variance": {"reference_tensor": "t"},
    }.get(name, {})
    own = own_result([{"id": name, "kwargs": kwargs}], "t", {"t": array}, {"t": LAYOUTS[0]})
    missing = np.isnan(array)
    if name == "softmax":
        missing |= missing[:, ::-1]
    assert np.isfinite(own[~missing]).all()
    assert np.isnan(own[missing]).all() != (name == "clip")
    assert np.isfinite(clean).all()


def test_numbers_far_from_zero_keep_their_digits() -> None:
    """As core does, which subtracts in float64; float32 alone would be wrong by 6 % here."""
    array = (1e6 + np.arange(16) / 16).astype(np.float32).reshape(1, 1, 4, 4)
    step = {"id": "scale_range", "kwargs": {"min_percentile": 30.0}}
    own = own_result([step], "t", {"t": array}, {"t": LAYOUTS[0]})
    core = core_result([step], "t", {"t": array}, {"t": LAYOUTS[0]})
    np.testing.assert_allclose(own, core, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("std", [1e-6, 1e-4])
def test_a_tiny_fixed_standard_deviation(std: float) -> None:
    """core adds 1e-6 to it, though the specification does not say so."""
    array = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    step = {"id": "fixed_zero_mean_unit_variance", "kwargs": {"mean": 3.0, "std": std}}
    assert_same(step, "t", {"t": array}, {"t": LAYOUTS[0]})


# --- what is refused -----------------------------------------------------------------------------

anything = st.one_of(
    st.sampled_from([0, 1, -1, 0.5, 2.0, 99.0, 100.0, 1e-7, 0.2, float("inf"), float("nan")]),
    st.lists(st.sampled_from([0.5, 2.0, 1e-7]), max_size=3),
    st.sampled_from(["channel", "batch", "y", "z", "float32", "complex64", "nonsense"]),
    st.lists(st.sampled_from(["batch", "channel", "c", "y", "x", "z"]), max_size=3, unique=True),
)
KWARGS = {
    "binarize": ["threshold", "axis"],
    "clip": ["min", "max", "min_percentile", "max_percentile", "axes"],
    "ensure_dtype": ["dtype"],
    "fixed_zero_mean_unit_variance": ["mean", "std", "axis"],
    "scale_linear": ["gain", "offset", "axis"],
    "scale_range": ["min_percentile", "max_percentile", "eps", "axes"],
    "sigmoid": [],
    "softmax": ["axis"],
    "zero_mean_unit_variance": ["axes", "eps"],
}


@st.composite
def doubtful_steps(draw: st.DrawFn) -> Step:
    name = draw(st.sampled_from(sorted(KWARGS)))
    names = st.sampled_from([*KWARGS[name], *KWARGS[name], "threshold"])
    kwargs = draw(st.dictionaries(names, anything))
    return {"id": name} if name == "sigmoid" and not kwargs else {"id": name, "kwargs": kwargs}


def core_accepts(step: Step) -> bool:
    """Whether specification and core take a step, and the tensor has the axes it names."""
    kwargs = step.get("kwargs", {})
    try:
        core_proc(step, "t")
    except (ValidationError, ValueError, AssertionError, KeyError) as error:
        # a scaling by 1 is no reason to refuse a package
        return "Redundant linear scaling" in str(error)
    named = {"channel" if axis == "c" else axis for axis in kwargs.get("axes") or ["y"]}
    named.add(kwargs.get("axis") or "y")
    return named <= set(LAYOUTS[0]) and kwargs.get("axes") != []


@settings(max_examples=400, deadline=None)
@given(doubtful_steps())
def test_kwargs_are_refused_where_core_refuses_them(step: Step) -> None:
    if core_accepts(step):
        Chain("t", LAYOUTS[0], [step])
    else:
        with pytest.raises(PackageError, match=f"{step['id']}.*'t'"):
            Chain("t", LAYOUTS[0], [step])


@pytest.mark.parametrize(
    "name", ["custom", "cellpose_flow_dynamics", None, "stardist_postprocessing"]
)
def test_a_step_that_cannot_be_run_is_named(name: str | None) -> None:
    with pytest.raises(PackageError, match=f"step 1 .{name}. of tensor 'out'"):
        Chain("out", LAYOUTS[0], [{"id": name, "kwargs": {}}])


@pytest.mark.parametrize(
    "step",
    [
        {"id": "scale_linear", "kwargs": {"axis": "channel", "gain": [1.0, 2.0]}},
        {"id": "binarize", "kwargs": {"axis": "channel", "threshold": [1.0]}},
    ],
)
def test_a_list_that_does_not_fit_the_channels(step: Step) -> None:
    with pytest.raises(PackageError, match="3 there"):
        Chain("t", LAYOUTS[0], [step], sizes={"channel": 3})
    chain = Chain("t", LAYOUTS[0], [step])
    array = np.zeros((1, 3, 4, 4), np.float32)
    with pytest.raises(PackageError, match="3 there"):
        chain.apply(array, {})
    with pytest.raises(PackageError, match="3 there"):
        chain.apply(array, {}, tuple(slice(0, n) for n in array.shape))


@pytest.mark.parametrize("reference", ["nobody", None, 3])
def test_an_unknown_reference_tensor(reference: Any) -> None:
    step = {"id": "scale_mean_variance", "kwargs": {"reference_tensor": reference}}
    with pytest.raises(PackageError, match="expected one of: raw"):
        Chain("t", LAYOUTS[0], [step], references={"raw": LAYOUTS[0]})


def test_a_reference_with_an_axis_too_many() -> None:
    step = {"id": "scale_range", "kwargs": {"reference_tensor": "raw", "axes": ["y", "x"]}}
    axes = {"t": ("batch", "y", "x"), "raw": LAYOUTS[0]}
    arrays = {"t": np.zeros((1, 4, 4)), "raw": np.arange(32.0).reshape(1, 2, 4, 4)}
    with pytest.raises(PackageError, match="2 values along axis 'channel'"):
        own_result([step], "t", arrays, axes)


# --- the casts that are always there, and start-up -----------------------------------------------


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["ensure_dtype", "binarize", "sigmoid"]), max_size=3),
    st.sampled_from(["input", "output"]),
)
def test_casts_are_added_where_the_specification_adds_them(found: list[str], role: Any) -> None:
    kwargs = {"ensure_dtype": {"dtype": "float64"}, "binarize": {"threshold": 0.5}}
    described = [{"id": n, **({"kwargs": kwargs[n]} if n in kwargs else {})} for n in found]
    axes = [{"type": "batch"}, {"type": "space", "id": "y", "size": 9}]
    common = {"id": "t", "axes": axes, "data": {"type": "uint8"}}
    if role == "input":
        expected: Any = v0_5.InputTensorDescr.model_validate(
            {**common, "preprocessing": described}
        ).preprocessing
    else:
        expected = v0_5.OutputTensorDescr.model_validate(
            {**common, "postprocessing": described}
        ).postprocessing
    completed = complete_steps(described, "uint8", role)
    assert [dict(step) for step in completed] == [p.model_dump() for p in expected]


def test_importing_is_cheap() -> None:
    code = "import sys, scopezoo.predict.processing; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"scipy", "xarray", "pydantic", "torch", "bioimageio"} & set(run.stdout.split())

"""Steps of format 0.4 become what bioimageio.spec and bioimageio.core make of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bioimageio.core.proc_ops import get_proc
from bioimageio.core.sample import Sample
from bioimageio.core.stat_calculators import compute_measures
from bioimageio.core.tensor import Tensor
from bioimageio.spec.model import v0_4, v0_5
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from scopezoo.errors import PackageError
from scopezoo.predict.processing import Chain, complete_steps
from scopezoo.predict.statistics import compute_statistics
from scopezoo.store.steps_04 import convert_steps_04

pytestmark = pytest.mark.filterwarnings("ignore:Computed dataset percentiles naively")

LETTERS = "bcyx"
AXES = ("batch", "channel", "y", "x")
Step = dict[str, Any]

_descr_04: TypeAdapter[Any] = TypeAdapter(v0_4.PostprocessingDescr)
numbers = st.floats(0.5, 50, width=32).filter(lambda n: n != 1)
modes = st.sampled_from(["per_sample", "per_dataset"])
plane_axes = st.sampled_from(["yx", "xy", "cyx"])
some_percentiles = st.fixed_dictionaries(
    {"min_percentile": st.sampled_from([0, 1.0]), "max_percentile": st.sampled_from([98, 99.8])}
)


def fixed(name: str, *keys: str, **more: Any) -> st.SearchStrategy[Step]:
    """A step with a number for each key, or along the channel a list of three."""
    scalars = st.fixed_dictionaries(dict.fromkeys(keys, numbers))
    lists = st.fixed_dictionaries({k: st.lists(numbers, min_size=3, max_size=3) for k in keys})
    along = lists.map(lambda kwargs: {**kwargs, "axes": "yx", **more})
    whole = scalars.map(lambda kwargs: {**kwargs, "axes": "cyx", **more})
    return (along | whole).map(lambda kwargs: {"name": name, "kwargs": kwargs})


@st.composite
def statistical(draw: st.DrawFn) -> Step:
    name = draw(st.sampled_from(["zero_mean_unit_variance", "scale_range", "scale_mean_variance"]))
    kwargs: Step = {"mode": draw(modes), "axes": draw(plane_axes), "eps": 1e-6}
    if name == "scale_range":
        kwargs |= draw(some_percentiles)
    if name == "scale_mean_variance" or (name == "scale_range" and draw(st.booleans())):
        kwargs["reference_tensor"] = "raw"
    return {"name": name, "kwargs": kwargs}


plain: st.SearchStrategy[Step] = st.sampled_from(
    [
        {"name": "binarize", "kwargs": {"threshold": 0.5}},
        {"name": "clip", "kwargs": {"min": 0.0, "max": 2}},
        {"name": "sigmoid"},
    ]
)
steps = st.one_of(
    plain,
    fixed("scale_linear", "gain", "offset"),
    fixed("zero_mean_unit_variance", "mean", "std", mode="fixed"),
    fixed("zero_mean_unit_variance", "mean", "std"),
    statistical(),
)


def as_in_spec(step: Step) -> Step:
    """The conversion of bioimageio.spec, as a mapping without what is None."""
    dumped = v0_5._convert_proc(_descr_04.validate_python(step), LETTERS).model_dump()
    kwargs = {k: v for k, v in dumped.get("kwargs", {}).items() if v is not None}
    return {"id": dumped["id"], **({"kwargs": kwargs} if kwargs else {})}


def converted(step: Step) -> Step:
    return convert_steps_04([step], LETTERS, "float32", "output", "outputs[0].postprocessing")[0]


@settings(deadline=None)
@given(steps)
def test_a_step_is_converted_as_the_specification_does(step: Step) -> None:
    found = converted(step)
    if step["name"] in ("scale_range", "scale_mean_variance"):
        # what the specification's conversion loses and core, which does not convert, keeps
        kept = found["kwargs"]
        if step["kwargs"]["mode"] == "per_dataset":
            assert kept["axes"].pop(0) == "batch"
        if step["name"] == "scale_range":
            assert kept.pop("reference_tensor", None) == step["kwargs"].get("reference_tensor")
    expected = as_in_spec(step)
    defaults = {"min_percentile": 0.0, "max_percentile": 100.0, "eps": 1e-6}
    if "kwargs" in expected:
        expected["kwargs"] = {
            k: v
            for k, v in expected["kwargs"].items()
            if k in found["kwargs"] or v != defaults.get(k)
        }
    assert found == expected


@settings(deadline=None)
@given(steps.filter(lambda s: s["name"] != "scale_linear" or s["kwargs"]["axes"] == "cyx"))
def test_the_result_is_that_of_core_on_the_step_of_0_4(step: Step) -> None:
    """But for scale_linear along an axis, which core has for format 0.5 alone."""
    if step["name"] == "scale_linear":
        step = {**step, "kwargs": {k: v for k, v in step["kwargs"].items() if k != "axes"}}
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(3, 2, (1, 3, 6, 7)) for name in ("t", "raw")}
    sample = Sample(
        members={name: Tensor(array, dims=AXES) for name, array in arrays.items()},  # type: ignore[misc, arg-type]
        stat={},
        id=None,
    )
    tensor = v0_4.OutputTensorDescr.model_construct(name=v0_4.TensorName("t"), axes=LETTERS)
    proc = get_proc(_descr_04.validate_python(step), tensor)
    sample.stat = compute_measures(proc.required_measures, [sample])
    proc(sample)

    chain = Chain("t", AXES, [converted(step)], references={"raw": AXES})
    whole = tuple(slice(0, n) for n in (1, 3, 6, 7))
    statistics: Any = {}
    for name, array in arrays.items():
        measures = [measure for measure in chain.measures if measure.tensor == name]
        blocks = lambda array=array: iter([(whole, array)])  # noqa: E731
        statistics |= compute_statistics(measures, AXES, array.shape, blocks)
    own = chain.apply(arrays["t"], statistics)
    np.testing.assert_allclose(own, sample.members["t"].to_numpy(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("found", [[], [{"name": "sigmoid"}]])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_an_input_is_float32_for_the_network(found: list[Step], dtype: str) -> None:
    """As core and the specification say, with which `complete_steps` agrees."""
    steps = convert_steps_04(found, LETTERS, dtype, "input", "inputs[0].preprocessing")
    casts = [step["kwargs"]["dtype"] for step in steps if step["id"] == "ensure_dtype"]
    assert casts == ([dtype] if found else []) + ["float32"]
    assert complete_steps(steps, dtype, "input") == steps


@pytest.mark.parametrize(
    ("found", "ids"),
    [
        ([], ["ensure_dtype"]),
        ([{"name": "sigmoid"}], ["sigmoid", "ensure_dtype"]),
        ([{"name": "binarize", "kwargs": {"threshold": 0.5}}], ["binarize"]),
    ],
)
def test_an_output_is_cast_after_its_steps(found: list[Step], ids: list[str]) -> None:
    steps = convert_steps_04(found, LETTERS, "uint8", "output", "outputs[0].postprocessing")
    assert [step["id"] for step in steps] == ids
    assert complete_steps(steps, "uint8", "output") == steps


@pytest.mark.parametrize(
    "step",
    [
        {"name": "scale_linear", "kwargs": {"axes": "x", "gain": [1.0, 2.0]}},
        {"name": "scale_linear", "kwargs": {"gain": [1.0, 2.0]}},
        {"name": "scale_range", "kwargs": {"mode": "fixed", "axes": "yx"}},
        {"name": "scale_range", "kwargs": {"mode": "per_sample", "axes": "zyx"}},
        {"name": "scale_range", "kwargs": {"mode": "per_sample", "axes": ["y", "x"]}},
        {"name": "clip", "kwargs": [1, 2]},
    ],
)
def test_what_cannot_be_converted_is_named(step: Step) -> None:
    with pytest.raises(PackageError, match=rf"here\[0\] \({step['name']}\): "):
        convert_steps_04([step], LETTERS, "float32", "output", "here")


def test_an_unknown_step_is_left_to_be_refused_where_it_runs() -> None:
    step = convert_steps_04([{"name": "magic"}], LETTERS, "float32", "output", "here")[0]
    with pytest.raises(PackageError, match=r"step 1 \(magic\) of tensor 't'"):
        Chain("t", AXES, [step])

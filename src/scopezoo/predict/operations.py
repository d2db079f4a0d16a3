"""The operations of the BioImage Model Zoo's pre- and post-processing, in numpy.

Specification: bioimageio.spec.model.v0_5 of bioimageio.spec 0.5.12. float32 stays float32, except
that a mean or a percentile is subtracted in float64; whole numbers become float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scopezoo.predict.kwargs import AlongAxis, Kwargs
from scopezoo.predict.statistics import Measure

Operand = float | AlongAxis | Measure
Value = Any
"""An operand's value for one block: a float, or a float64 array to broadcast against it."""

DTYPES = ("float32", "float64", "bool", *(f"{u}int{n}" for u in ("u", "") for n in (8, 16, 32, 64)))

FIXED_EPS = 1e-6
"""What bioimageio.core adds to a fixed standard deviation."""


@dataclass(frozen=True)
class Operation:
    """`run(pixels, own, *values)` with one value per operand; `own` pixels may be overwritten.

    `whole_axis` is the axis that a block must hold whole for this operation, if any.
    """

    run: Callable[..., NDArray[Any]]
    operands: tuple[Operand, ...] = ()
    whole_axis: str | None = None


def _binarize(kwargs: Kwargs) -> Operation:
    kwargs.refuse_unknown("threshold", "axis")
    return Operation(lambda x, _own, threshold: x > threshold, (*kwargs.along_axis("threshold"),))


def _clip(kwargs: Kwargs) -> Operation:
    kwargs.refuse_unknown("min", "max", "min_percentile", "max_percentile", "axes")
    given = [
        name for name in ("min_percentile", "max_percentile", "min", "max") if kwargs.given(name)
    ]
    if not given:
        raise kwargs.error("expected min, max, min_percentile or max_percentile")
    for end in ("min", "max"):
        if end in given and f"{end}_percentile" in given:
            raise kwargs.error(f"{end} and {end}_percentile exclude each other")
    if kwargs.given("axes") and not {"min_percentile", "max_percentile"} & set(given):
        raise kwargs.error("axes is for percentiles alone")
    axes, dataset = kwargs.reduced_axes(kwargs.axes)
    # bioimageio.core's choice of method, which the specification leaves open
    method: Literal["linear", "inverted_cdf"] = "linear" if dataset else "inverted_cdf"
    operands: list[Operand] = []
    for name in given:
        if name in ("min", "max"):
            operands.append(kwargs.number(name))
        else:
            q = kwargs.percentile(name)
            operands.append(Measure(kwargs.tensor, "quantile", axes, q, method))
    _check_order(kwargs, dict(zip(given, operands, strict=True)))
    return Operation(partial(_clip_to, given), tuple(operands))


def _check_order(kwargs: Kwargs, bounds: Mapping[str, Operand]) -> None:
    for low, high in (("min", "max"), ("min_percentile", "max_percentile")):
        lower, upper = (
            bound.q if isinstance(bound, Measure) else bound
            for bound in (bounds.get(low), bounds.get(high))
        )
        if isinstance(lower, float) and isinstance(upper, float) and lower >= upper:
            raise kwargs.error(
                f"{low} {kwargs.values[low]} is not below {high} {kwargs.values[high]}"
            )


_LIMITS: dict[str, np.ufunc] = {
    # fmax and fmin replace NaN by the percentile, maximum and minimum keep it: as in core
    "min_percentile": np.fmax,
    "max_percentile": np.fmin,
    "min": np.maximum,
    "max": np.minimum,
}


def _clip_to(names: list[str], x: NDArray[Any], own: bool, *bounds: Value) -> NDArray[Any]:
    out = _output(x, own)
    for name, bound in zip(names, bounds, strict=True):
        _LIMITS[name](x, np.asarray(bound, out.dtype), out=out)
        x = out
    return out


def _ensure_dtype(kwargs: Kwargs) -> Operation:
    kwargs.refuse_unknown("dtype")
    dtype = kwargs.values.get("dtype")
    if dtype not in DTYPES:
        raise kwargs.error(f"dtype is {dtype!r}, expected one of {', '.join(DTYPES)}")
    return Operation(partial(_cast, np.dtype(dtype)))


def _cast(dtype: np.dtype[Any], x: NDArray[Any], _own: bool) -> NDArray[Any]:
    with np.errstate(invalid="ignore"):  # NaN has no whole number; numpy's is platform-dependent
        return x.astype(dtype, copy=False)


def _scale_linear(kwargs: Kwargs) -> Operation:
    kwargs.refuse_unknown("gain", "offset", "axis")
    operands = kwargs.along_axis("gain", "offset", default={"gain": 1.0, "offset": 0.0})
    return Operation(_linear, (*operands,))


def _linear(x: NDArray[Any], own: bool, gain: Value, offset: Value) -> NDArray[Any]:
    out = _output(x, own)
    np.multiply(x, np.asarray(gain, out.dtype), out=out)
    out += np.asarray(offset, out.dtype)
    return out


def _fixed_zero_mean_unit_variance(kwargs: Kwargs) -> Operation:
    kwargs.refuse_unknown("mean", "std", "axis")
    (mean,) = kwargs.along_axis("mean")
    (std,) = kwargs.along_axis("std", least=1e-6)
    if isinstance(mean, AlongAxis) and isinstance(std, AlongAxis):
        sizes = len(mean.values), len(std.values)
        if sizes[0] != sizes[1]:
            raise kwargs.error(f"mean has {sizes[0]} values, std has {sizes[1]}")
    return Operation(_standardize(FIXED_EPS), (mean, std))


def _zero_mean_unit_variance(kwargs: Kwargs) -> Operation:
    kwargs.refuse_unknown("axes", "eps")
    axes, _ = kwargs.reduced_axes(kwargs.axes)
    mean, std = Measure(kwargs.tensor, "mean", axes), Measure(kwargs.tensor, "std", axes)
    return Operation(_standardize(kwargs.eps()), (mean, std))


def _standardize(eps: float) -> Callable[..., NDArray[Any]]:
    return lambda x, own, mean, std: _affine(x, own, mean, 1 / (std + eps))


def _scale_range(kwargs: Kwargs) -> Operation:
    kwargs.refuse_unknown("axes", "min_percentile", "max_percentile", "eps", "reference_tensor")
    tensor, tensor_axes = kwargs.reference()
    axes, _ = kwargs.reduced_axes(tensor_axes)
    low = kwargs.percentile("min_percentile", 0.0)
    high = kwargs.percentile("max_percentile", 100.0)
    if low >= high:
        raise kwargs.error(
            f"min_percentile {low * 100:g} is not below max_percentile {high * 100:g}"
        )
    eps = kwargs.eps()
    return Operation(
        lambda x, own, lower, upper: _affine(x, own, lower, 1 / (upper - lower + eps)),
        tuple(Measure(tensor, "quantile", axes, q) for q in (low, high)),
    )


def _scale_mean_variance(kwargs: Kwargs) -> Operation:
    kwargs.refuse_unknown("axes", "eps", "reference_tensor")
    tensor, tensor_axes = kwargs.reference(required=True)
    axes, _ = kwargs.reduced_axes(kwargs.axes)
    reference_axes, _ = kwargs.reduced_axes(tensor_axes)
    eps = kwargs.eps()

    def run(x: NDArray[Any], own: bool, *values: Value) -> NDArray[Any]:
        mean, std, reference_mean, reference_std = values
        return _affine(x, own, mean, (reference_std + eps) / (std + eps), reference_mean)

    return Operation(
        run,
        (
            Measure(kwargs.tensor, "mean", axes),
            Measure(kwargs.tensor, "std", axes),
            Measure(tensor, "mean", reference_axes),
            Measure(tensor, "std", reference_axes),
        ),
    )


def _affine(
    x: NDArray[Any], own: bool, shift: Value, scale: Value, offset: Value = None
) -> NDArray[Any]:
    """`(x - shift) * scale + offset`, where `shift` keeps its digits: it may be close to x."""
    out = _output(x, own)
    np.subtract(x, shift, out=out, dtype=np.float64, casting="same_kind")
    out *= np.asarray(scale, out.dtype)
    if offset is not None:
        out += np.asarray(offset, out.dtype)
    return out


def _sigmoid(kwargs: Kwargs) -> Operation:
    kwargs.refuse_unknown()
    return Operation(_logistic)


def _logistic(x: NDArray[Any], own: bool) -> NDArray[Any]:
    out = _output(x, own)
    np.negative(x, out=out, dtype=out.dtype)
    with np.errstate(over="ignore"):  # 1 / (1 + inf) is 0, which is right
        np.exp(out, out=out)
    out += 1
    np.reciprocal(out, out=out)
    return out


def _softmax(kwargs: Kwargs) -> Operation:
    kwargs.refuse_unknown("axis")
    axis = kwargs.axis("channel")
    return Operation(partial(_normalized_exponential, axis), whole_axis=kwargs.axes[axis])


def _normalized_exponential(axis: int, x: NDArray[Any], own: bool) -> NDArray[Any]:
    out = _output(x, own)
    with np.errstate(invalid="ignore"):  # NaN stays NaN
        np.subtract(x, x.max(axis=axis, keepdims=True), out=out, dtype=out.dtype)
        np.exp(out, out=out)
        out /= out.sum(axis=axis, keepdims=True)
    return out


def _output(x: NDArray[Any], own: bool) -> NDArray[Any]:
    """Where to write what is computed from `x`: `x` itself where it may be overwritten."""
    dtype = np.float32 if x.dtype in (np.float32, np.float16) else np.float64
    return x if own and x.dtype == dtype else np.empty(x.shape, dtype)


OPERATIONS: dict[str, Callable[[Kwargs], Operation]] = {
    "binarize": _binarize,
    "clip": _clip,
    "ensure_dtype": _ensure_dtype,
    "fixed_zero_mean_unit_variance": _fixed_zero_mean_unit_variance,
    "scale_linear": _scale_linear,
    "scale_mean_variance": _scale_mean_variance,
    "scale_range": _scale_range,
    "sigmoid": _sigmoid,
    "softmax": _softmax,
    "zero_mean_unit_variance": _zero_mean_unit_variance,
}
"""Builds the operation of each step id; PackageError for kwargs that the format does not have."""

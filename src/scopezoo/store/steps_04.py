"""Turns the processing steps of format 0.4 into those of 0.5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from scopezoo.errors import PackageError

Step = dict[str, Any]

_AXIS_IDS = {"b": "batch", "i": "index", "t": "time", "c": "channel"}


def convert_steps_04(
    steps: Sequence[Mapping[str, Any]],
    letters: str,
    dtype: str,
    role: Literal["input", "output"],
    where: str,
) -> list[Step]:
    """The steps `{"id": …, "kwargs": {…}}` of a tensor with these axes letters and data type.

    As bioimageio.spec 0.5.12 converts them: an input is cast to its `dtype` before them and to
    float32 after them, an output is cast to its `dtype` after them (where the last is not
    "binarize"). Other than there, `mode: per_dataset` and `reference_tensor` of scale_range are
    kept. (bioimageio.core 0.11 casts an output to its `dtype` before its steps, so that
    probabilities of a uint8 mask would be 0 before they are compared with a threshold.)

    What a step does not know in 0.5 either is left for whoever runs it to refuse. `where` names
    the steps in messages. Raises PackageError for axes and lists that cannot be converted.
    """
    converted = [
        _convert(step, letters, f"{where}[{i}] ({step.get('name')})")
        for i, step in enumerate(steps)
    ]
    if role == "input":
        before = [_cast(dtype)] if converted else []
        return [*before, *converted, _cast("float32")]
    if not converted or converted[-1]["id"] != "binarize":
        converted.append(_cast(dtype))
    return converted


def _cast(dtype: str) -> Step:
    return {"id": "ensure_dtype", "kwargs": {"dtype": dtype}}


def _convert(step: Mapping[str, Any], letters: str, where: str) -> Step:
    name, kwargs = step.get("name"), step.get("kwargs") or {}
    if not isinstance(kwargs, Mapping):
        raise PackageError(f"{where}: kwargs is {kwargs!r}, expected a mapping")
    rest = dict(kwargs)
    axes = rest.pop("axes", None)
    if axes is not None and (not isinstance(axes, str) or not set(axes) <= set(letters)):
        raise PackageError(f"{where}: axes is {axes!r}, expected letters of {letters!r}")
    if name == "scale_linear":
        return _along_axis("scale_linear", rest, axes, letters, where)
    if name == "zero_mean_unit_variance" and rest.get("mode", "fixed") == "fixed":
        rest.pop("mode", None)
        rest.pop("eps", None)
        return _along_axis("fixed_zero_mean_unit_variance", rest, axes, letters, where)
    dataset = _is_per_dataset(rest, where)
    if axes is not None:
        ids = [_AXIS_IDS.get(letter, letter) for letter in axes]
        rest["axes"] = ["batch", *ids] if dataset and "batch" not in ids else ids
    return {"id": name, "kwargs": rest} if rest else {"id": name}


def _is_per_dataset(kwargs: dict[str, Any], where: str) -> bool:
    """Takes `mode` out of the kwargs."""
    mode = kwargs.pop("mode", "per_sample")
    if mode not in ("per_sample", "per_dataset"):
        raise PackageError(f"{where}: mode is {mode!r}, expected per_sample or per_dataset")
    return bool(mode == "per_dataset")


def _along_axis(
    step_id: str, kwargs: dict[str, Any], axes: str | None, letters: str, where: str
) -> Step:
    """Lists of numbers run along the one axis that is neither the batch nor among `axes`."""
    kwargs = {name: _scalar_if_single(value) for name, value in kwargs.items()}
    lists = [value for value in kwargs.values() if isinstance(value, list)]
    if not lists:
        return {"id": step_id, "kwargs": kwargs}
    others = [letter for letter in letters if letter != "b" and letter not in (axes or letters)]
    if len(others) != 1:
        raise PackageError(
            f"{where}: lists need one axis that is not in axes {axes!r}, the tensor has {letters!r}"
        )
    length = len(lists[0])
    lengthened = {
        name: value if isinstance(value, list) else [value] * length
        for name, value in kwargs.items()
    }
    axis = _AXIS_IDS.get(others[0], others[0])
    return {"id": step_id, "kwargs": {"axis": axis, **lengthened}}


def _scalar_if_single(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value

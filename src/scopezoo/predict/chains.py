"""Chains of processing steps for the tensors of a package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scopezoo.predict.processing import Chain, complete_steps
from scopezoo.predict.stardist import StardistParameters
from scopezoo.store.description import Description
from scopezoo.store.tensors import FixedSize, Tensor

DECODING = "stardist_postprocessing"
CUSTOM = "custom"


def input_chain(description: Description, tensor: Tensor) -> Chain:
    """The pre-processing of an input."""
    return _chain(description, tensor, complete_steps(tensor.steps, tensor.dtype, "input"))


def output_chain(description: Description, tensor: Tensor) -> Chain:
    """The post-processing of an output that is neither decoded nor has custom steps."""
    return _chain(description, tensor, complete_steps(tensor.steps, tensor.dtype, "output"))


def part_chain(
    description: Description, tensor: Tensor, steps: Sequence[Mapping[str, Any]]
) -> Chain:
    """Some steps of a tensor, as they stand."""
    return _chain(description, tensor, steps)


def has_step(tensor: Tensor, name: str) -> bool:
    """Whether a step of this name is among the tensor's."""
    return any(step.get("id") == name for step in tensor.steps)


def decoding_parameters(tensor: Tensor) -> StardistParameters:
    """Parameters of a tensor's StarDist step. Raises PackageError for wrong ones."""
    step = next(step for step in tensor.steps if step.get("id") == DECODING)
    return StardistParameters.from_kwargs(step.get("kwargs") or {})


def _chain(description: Description, tensor: Tensor, steps: Sequence[Mapping[str, Any]]) -> Chain:
    return Chain(
        tensor.id,
        tensor.axis_ids,
        steps,
        references={t.id: t.axis_ids for t in (*description.inputs, *description.outputs)},
        sizes={
            axis.id: axis.size.size
            for axis in tensor.axes
            if axis.type == "channel" and isinstance(axis.size, FixedSize)
        },
    )

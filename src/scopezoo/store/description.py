"""What a package says of its model, as far as running it needs: formats 0.4 and 0.5 alike.

The full description is bioimageio.spec's; importing that takes longer than a prediction, so the
part that prediction needs is read here, with its own errors.
Specification: bioimage.io, model description 0.5.12 and 0.4.10.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scopezoo.errors import PackageError
from scopezoo.store.fields import file_reference, number, required, text_or_none
from scopezoo.store.format_04 import parse_tensors_04
from scopezoo.store.format_05 import parse_tensors_05
from scopezoo.store.tensors import Axis, ReferenceSize, Tensor, Weights

TENSOR_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ -]{0,63}")
"""Ids become parts of file names."""


@dataclass(frozen=True)
class Description:
    """A model's description; `rdf` is all of it, as read."""

    format_version: str
    name: str
    id: str | None
    version: str | None
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    weights: Mapping[str, Weights]
    rdf: Mapping[str, Any] = field(repr=False)

    def tensor(self, tensor_id: str) -> Tensor:
        """Raises PackageError for an id that the package does not have."""
        for tensor in (*self.inputs, *self.outputs):
            if tensor.id == tensor_id:
                return tensor
        raise PackageError(f"{self.name}: no tensor {tensor_id!r} in the description")

    @property
    def tolerance(self) -> tuple[float, float, float]:
        """(relative, absolute, mismatched elements per million) to reproduce the test tensors.

        From `config.bioimageio.reproducibility_tolerance`, first entry for no special case, or
        the defaults of bioimageio.spec: 1e-3, 1e-3, 100.
        """
        config = self.rdf.get("config")
        bioimageio = config.get("bioimageio") if isinstance(config, dict) else None
        entries = (
            bioimageio.get("reproducibility_tolerance") if isinstance(bioimageio, dict) else None
        )
        first = entries[0] if isinstance(entries, list) and entries else None
        entry = first if isinstance(first, dict) else {}
        return (
            number(entry.get("relative_tolerance", 1e-3), "relative_tolerance"),
            number(entry.get("absolute_tolerance", 1e-3), "absolute_tolerance"),
            number(entry.get("mismatched_elements_per_million", 100), "mismatched_elements"),
        )


def parse_description(rdf: Mapping[str, Any]) -> Description:
    """Read a model description of format 0.4 or 0.5.

    Raises PackageError, with the place in the description, for what is missing or of a wrong kind.
    """
    version = str(required(rdf, "format_version", "the description"))
    if rdf.get("type", "model") != "model":
        raise PackageError(f"the package is a {rdf.get('type')!r}, not a model")
    if version.startswith("0.5."):
        inputs, outputs = parse_tensors_05(rdf)
    elif version.startswith("0.4."):
        inputs, outputs = parse_tensors_04(rdf)
    else:
        raise PackageError(f"format version {version}: expected 0.4 or 0.5")
    description = Description(
        format_version=version,
        name=str(rdf.get("name") or "a model without a name"),
        id=text_or_none(rdf.get("id")),
        version=text_or_none(rdf.get("version")),
        inputs=inputs,
        outputs=outputs,
        weights=_weights(rdf),
        rdf=rdf,
    )
    _check(description)
    return description


def _check(description: Description) -> None:
    tensors = (*description.inputs, *description.outputs)
    ids = [tensor.id for tensor in tensors]
    if len(set(ids)) != len(ids):
        raise PackageError(f"tensor ids occur twice: {', '.join(ids)}")
    for name in ids:
        if not TENSOR_ID.fullmatch(name):
            raise PackageError(f"tensor id {name!r}: expected up to 64 letters, digits, _ and -")
    for tensor in tensors:
        if len(set(tensor.axis_ids)) != len(tensor.axis_ids):
            raise PackageError(f"{tensor.id}: axis ids occur twice: {', '.join(tensor.axis_ids)}")
        for axis in tensor.axes:
            _check_reference(description, tensor, axis)


def _check_reference(description: Description, tensor: Tensor, axis: Axis) -> None:
    if not isinstance(axis.size, ReferenceSize):
        return
    reference = description.tensor(axis.size.tensor)
    if axis.size.axis not in reference.axis_ids:
        raise PackageError(
            f"{tensor.id}.{axis.id} refers to axis {axis.size.axis!r} of {reference.id!r}, "
            f"which has {', '.join(reference.axis_ids)}"
        )


def _weights(rdf: Mapping[str, Any]) -> dict[str, Weights]:
    entries = required(rdf, "weights", "the description")
    if not isinstance(entries, dict) or not entries:
        raise PackageError("weights: expected a mapping of formats")
    found: dict[str, Weights] = {}
    for name, entry in entries.items():
        if entry is None:
            continue
        reference = file_reference(entry)
        if reference is None:
            raise PackageError(f"weights.{name} names no source")
        found[str(name)] = Weights(str(name), reference, entry)
    return found

"""The rules by which deepImageJ (JDLL) reads a package, found by running its reader."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from scopezoo.store.files import open_files
from scopezoo.validation.onnx_file import onnx_facts
from scopezoo.validation.subject import Subject

Finding = tuple[str, str, str]
"""(rule, what breaks it, what to change)"""

MAX_OPSET = 18
MAX_IR_VERSION = 8
_STEPS = {
    "binarize",
    "clip",
    "ensure_dtype",
    "fixed_zero_mean_unit_variance",
    "scale_linear",
    "scale_range",
    "sigmoid",
    "zero_mean_unit_variance",
}


def deepimagej_findings(subject: Subject) -> Iterator[Finding]:
    """Every rule that the package breaks."""
    rdf = subject.package.description.rdf
    yield from _layout(subject)
    yield from _form(rdf)
    yield from _channels(subject)
    yield from _processing(subject)
    yield from _weights(subject)


def _layout(subject: Subject) -> Iterator[Finding]:
    names = open_files(subject.location).names()
    if "rdf.yaml" not in names:
        found = subject.package.rdf_name
        yield "description", f"the description is {found}", "name it rdf.yaml, at the root"
    weights = subject.package.description.weights.values()
    below = [w.file.source for w in weights if w.format in subject.formats and "/" in w.file.source]
    if below:
        yield "weights", f"{', '.join(below)} is in a folder", "put weights at the root of the zip"


def _form(rdf: Mapping[str, Any]) -> Iterator[Finding]:
    if not isinstance(rdf.get("format_version"), str):
        yield "format_version", "it is no string", "quote it"
    if isinstance(rdf.get("documentation"), Mapping):
        yield (
            "documentation",
            "a mapping with source and sha256 crashes its reader",
            "write the file's name alone, with format_version 0.5.9 so that bioimageio.core agrees",
        )
    if any(isinstance(cover, Mapping) for cover in rdf.get("covers") or []):
        yield (
            "covers",
            "mappings with source and sha256 are not read",
            "write the files' names alone, with format_version 0.5.9",
        )


def _channels(subject: Subject) -> Iterator[Finding]:
    if subject.package.description.format_version.startswith("0.4"):
        return
    description = subject.package.description
    for tensor in (*description.inputs, *description.outputs):
        for axis in tensor.axes:
            if axis.type == "channel" and not axis.channel_names:
                yield "channels", f"{tensor.id} has no channel_names", "name its channels"


def _processing(subject: Subject) -> Iterator[Finding]:
    description = subject.package.description
    for tensor in (*description.inputs, *description.outputs):
        for step in tensor.steps:
            problem = _step_problem(step)
            if problem:
                name = str(step.get("id"))
                hint = "use another step, or do it inside the network"
                yield "processing", f"{tensor.id}: {name} {problem}", hint


def _step_problem(step: Mapping[str, Any]) -> str | None:
    name, arguments = step.get("id"), step.get("kwargs") or {}
    if name not in _STEPS:
        return "is not among the steps that its reader is known to run"
    if name == "clip" and {"min_percentile", "max_percentile"} & set(arguments):
        return "with percentiles is not read"
    lists = [arguments.get("mean"), arguments.get("std")]
    if name == "fixed_zero_mean_unit_variance" and any(
        isinstance(value, list) and len(value) == 1 for value in lists
    ):
        return "with lists of one value is not read; write the numbers alone"
    return None


def _weights(subject: Subject) -> Iterator[Finding]:
    weights = subject.package.description.weights
    if set(weights) == {"pytorch_state_dict"}:
        yield "engines", "only a state dict, for which it builds an environment", "add ONNX weights"
    if "onnx" in subject.formats:
        facts = onnx_facts(subject.package.read(weights["onnx"].file))
        if facts["opset"] > MAX_OPSET or facts["ir_version"] > MAX_IR_VERSION:
            found = f"opset {facts['opset']}, IR version {facts['ir_version']}"
            yield (
                "engines",
                f"{found}: its ONNX Runtime 1.13 loads up to {MAX_OPSET} and {MAX_IR_VERSION}",
                "export with opset 17 and torch.onnx.export(…, dynamo=False)",
            )
    version = (
        str(weights["torchscript"].details.get("pytorch_version", ""))
        if "torchscript" in weights
        else ""
    )
    if re.match(r"\d", version) and int(version.split(".")[0]) > 2:
        yield (
            "engines",
            f"TorchScript of torch {version}; it has 2.0.0",
            "trace with an older torch",
        )

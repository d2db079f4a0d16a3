"""Measures a package in the making: halo, agreement of the runtimes, time and memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import PackageError
from scopezoo.packaging.child import run_module
from scopezoo.packaging.figures import Figures, HaloFigures, Inference, Parity, Tolerance
from scopezoo.predict.engine import Engine
from scopezoo.predict.runtimes import RUNTIMES
from scopezoo.predict.sources import Sample, array_source
from scopezoo.store.package import Package

RELATIVE_TOLERANCE = 1e-3
LEAST_ABSOLUTE_TOLERANCE = 1e-4
LEAST_MISMATCHED_PER_MILLION = 100
"""What is stated at least: other machines differ more than the runtimes of one."""
MARGIN = 10
"""How many times the measured disagreement is tolerated."""
MOST_OF_LARGEST = 0.01
"""The format's limit for the absolute tolerance, as a part of a test output's largest value."""
MOST_MISMATCHED_PER_MILLION = 5000
"""The format's limit."""

Arrays = Mapping[str, NDArray[Any]]


def measure_halo(package: Package) -> HaloFigures:
    """The halo that the network needs, by axis id, before anything declares one."""
    engine = Engine(package, runtime="onnxruntime")
    strides = engine.facts.strides
    needed = dict(engine.halo.needed)
    return HaloFigures(
        needed_px=needed,
        radius_px=dict(engine.halo.radius),
        declared_px={a: ceil((px or 0) / strides[a]) * strides[a] for a, px in needed.items()},
    )


def run_model(package: Package, inputs: Arrays) -> dict[str, NDArray[Any]]:
    """Finished outputs of the package for whole tensors, by onnxruntime, of the described types.

    Raises PackageError where one is empty.
    """
    outputs = _finished(Engine(package, runtime="onnxruntime"), inputs)
    for name, array in outputs.items():
        if not array.any():
            raise PackageError(
                f"the test output {name!r} is 0 everywhere, which tests nothing; give another test "
                "image, or check the weights and the pre-processing"
            )
    return outputs


def _finished(engine: Engine, inputs: Arrays) -> dict[str, NDArray[Any]]:
    found = engine.without_margins(inputs, engine.predict_sample(inputs))
    return {
        # The engine gives labels in as few bits as they need.
        tensor.id: found[tensor.id].astype(tensor.dtype)
        for tensor in engine.description.outputs
    }


def measure(
    package: Package, inputs: Arrays, outputs: Arrays, halo: HaloFigures, subject_sha256: str
) -> Figures:
    """All figures of a package whose test tensors are `inputs` and `outputs`.

    Raises PackageError where a runtime disagrees beyond what the format can state.
    """
    parity = tuple(_parity(package, inputs, outputs, name) for name in _other_runtimes(package))
    return Figures(
        subject_sha256=subject_sha256,
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        halo=halo,
        parity=parity,
        inference=_inference(package),
        tolerance=_tolerance(parity, outputs),
    )


def _other_runtimes(package: Package) -> list[str]:
    """Runtimes beside onnxruntime that this package and this installation have."""
    formats = package.description.weights
    return [
        name
        for name, weights_format in RUNTIMES.items()
        if name != "onnxruntime"
        and weights_format in formats
        and find_spec("openvino" if name == "openvino" else "torch")
    ]


def _parity(package: Package, inputs: Arrays, expected: Arrays, runtime: str) -> Parity:
    reference = Engine(package, runtime="onnxruntime")
    engine = Engine(package, runtime=runtime, trust=True)
    given = _prepared(reference, inputs)
    pairs = list(zip(engine.runtime.run(given), reference.runtime.run(given), strict=True))
    finished = [(array, expected[name]) for name, array in _finished(engine, inputs).items()]
    return Parity(
        runtime=runtime,
        version=engine.runtime.version,
        raw_max_difference=max(_difference(a, b) for a, b in pairs),
        raw_max_magnitude=_rounded(max(float(np.abs(b).max()) for _, b in pairs)),
        max_difference=max(
            (_difference(a, b) for a, b in finished if b.dtype.kind == "f"), default=0.0
        ),
        mismatched_per_million=max(
            (_rounded(float(np.mean(a != b)) * 1e6) for a, b in finished if b.dtype.kind != "f"),
            default=0.0,
        ),
    )


def _prepared(engine: Engine, inputs: Arrays) -> list[NDArray[Any]]:
    """The network's own inputs for a sample."""
    sample = Sample({}, {name: array_source(array) for name, array in inputs.items()})
    statistics = engine.statistics(sample)
    return [
        engine.chains[tensor.id].apply(inputs[tensor.id], statistics)
        for tensor in engine.description.inputs
    ]


def _difference(first: NDArray[Any], second: NDArray[Any]) -> float:
    return _rounded(float(np.abs(first.astype(np.float64) - second.astype(np.float64)).max()))


def _rounded(value: float) -> float:
    """To three digits, as much as such a figure tells."""
    return float(f"{value:.3g}")


def _inference(package: Package) -> Inference:
    """Time and memory, in a process that runs nothing else."""
    printed = run_module("scopezoo.packaging.inference", [str(package.location)])
    return Inference.model_validate(json.loads(printed.splitlines()[-1]))


def _tolerance(parity: tuple[Parity, ...], outputs: Arrays) -> Tolerance:
    """What other machines are allowed: a multiple of what was seen, within the format's limits."""
    difference = max((entry.max_difference for entry in parity), default=0.0)
    mismatched = max((entry.mismatched_per_million for entry in parity), default=0.0)
    most = MOST_OF_LARGEST * min(float(array.max()) for array in outputs.values())
    if mismatched > MOST_MISMATCHED_PER_MILLION or difference > max(most, 0.0):
        worst = max(parity, key=lambda entry: (entry.mismatched_per_million, entry.max_difference))
        raise PackageError(
            f"{worst.runtime} and onnxruntime disagree on the test input: by up to {difference:g}, "
            f"and in {mismatched:.0f} of a million labels; at most {most:g} and "
            f"{MOST_MISMATCHED_PER_MILLION} can be stated: check the weights"
        )
    return Tolerance(
        relative=RELATIVE_TOLERANCE,
        absolute=min(max(LEAST_ABSOLUTE_TOLERANCE, MARGIN * difference), max(most, 0.0)),
        mismatched_per_million=min(
            MOST_MISMATCHED_PER_MILLION,
            max(LEAST_MISMATCHED_PER_MILLION, ceil(MARGIN * mismatched)),
        ),
    )

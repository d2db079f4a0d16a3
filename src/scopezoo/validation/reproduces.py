"""Level 3: every weights format that may run gives the test outputs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scopezoo.errors import MissingDependencyError, ScopezooError
from scopezoo.validation.agreement import compare, stated_tolerance
from scopezoo.validation.report import Check
from scopezoo.validation.runs import Arrays, engine, test_inputs, test_outputs
from scopezoo.validation.subject import Subject

LEVEL = "reproduces"


def checks(subject: Subject) -> Iterator[Check]:
    """For each format: does it run, and if so, does it reproduce."""
    inputs, expected = test_inputs(subject.package), test_outputs(subject.package)
    for weights_format in subject.formats:
        name = f"{weights_format} runs"
        try:
            network = engine(subject, weights_format)
            outputs = network.without_margins(inputs, network.predict_sample(inputs))
        except MissingDependencyError as error:
            yield Check(LEVEL, name, "skipped", str(error))
            continue
        except ScopezooError as error:
            hint = "it does not run at all: run it on the test input where it was made"
            yield Check(LEVEL, name, "failed", f"does not run: {error}", {}, hint)
            continue
        yield Check(LEVEL, name, "passed", "runs on the test input")
        yield from _agreements(subject, weights_format, outputs, expected)
    yield from _telling(expected)


def _agreements(
    subject: Subject, weights_format: str, outputs: Arrays, expected: Arrays
) -> Iterator[Check]:
    for tensor, wanted in expected.items():
        tolerance = stated_tolerance(subject.package.description, tensor, weights_format)
        found = compare(outputs[tensor], wanted, tolerance)
        name = f"{weights_format} reproduces {tensor}"
        if found.within(tolerance):
            message = "gives the test output within the stated tolerance"
            yield Check(LEVEL, name, "passed", message, found.measured())
            continue
        limit = (
            f"{tolerance.mismatched_ppm:g} ppm beyond {tolerance.absolute:g} + "
            f"{tolerance.relative:g}·|x|"
        )
        why = found.problem or (
            f"{found.mismatched_ppm:.4g} ppm of the pixels differ by up to {found.max_abs:.3g} "
            f"(allowed: {limit})"
        )
        yield Check(
            LEVEL,
            name,
            "failed",
            f"runs but does not reproduce: {why}",
            found.measured(),
            "make the test output again with these weights and this processing, or correct the "
            "processing steps that the description states",
        )


def _telling(expected: Arrays) -> Iterator[Check]:
    """A test output of one value would be reproduced by almost anything."""
    for tensor, wanted in expected.items():
        if wanted.size and np.all(wanted == wanted.flat[0]):
            yield Check(
                LEVEL,
                f"test output {tensor}",
                "warned",
                "all its values are the same",
                {},
                "take a test input on which the network has something to do",
            )

"""Level 6: two runs give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator

from scopezoo.validation.agreement import Tolerance, compare
from scopezoo.validation.report import Check
from scopezoo.validation.runs import engine, test_inputs
from scopezoo.validation.subject import Subject

LEVEL = "deterministic"


def checks(subject: Subject) -> Iterator[Check]:
    """Load and run every format twice."""
    inputs = test_inputs(subject.package)
    for weights_format in subject.formats:
        first, second = (engine(subject, weights_format).predict_sample(inputs) for _ in range(2))
        for tensor, array in first.items():
            name = f"{weights_format} {tensor}"
            if array.tobytes() == second[tensor].tobytes():
                yield Check(LEVEL, name, "passed", "two runs give the same bytes")
                continue
            found = compare(second[tensor], array, Tolerance())
            yield Check(
                LEVEL,
                name,
                "failed",
                f"two runs differ by up to {found.max_abs:.3g}",
                found.measured(),
                "take random operators (dropout, noise) out of the network",
            )

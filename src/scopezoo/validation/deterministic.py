"""Level 6: two runs give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from scopezoo.validation.agreement import Tolerance, compare
from scopezoo.validation.report import Check
from scopezoo.validation.runs import engine, test_inputs
from scopezoo.validation.subject import Subject

LEVEL = "deterministic"


def checks(subject: Subject) -> Iterator[Check]:
    """Run every format twice as it was loaded, and once loaded anew."""
    inputs = test_inputs(subject.package)
    for weights_format in subject.formats:
        network = engine(subject, weights_format)
        first = network.predict_sample(inputs)
        again = network.predict_sample(inputs)
        anew = engine(subject, weights_format).predict_sample(inputs)
        for tensor, array in first.items():
            yield _judge(f"{weights_format} {tensor}", array, [again[tensor], anew[tensor]])


def _judge(name: str, first: NDArray[Any], others: list[NDArray[Any]]) -> Check:
    if all(other.tobytes() == first.tobytes() for other in others):
        return Check(LEVEL, name, "passed", "three runs give the same bytes")
    differences = [compare(other, first, Tolerance()) for other in others]
    worst = max(differences, key=lambda difference: difference.max_abs)
    message = f"runs differ by up to {worst.max_abs:.3g}"
    hint = "take random operators (dropout, noise) out of the network"
    return Check(LEVEL, name, "failed", message, worst.measured(), hint)

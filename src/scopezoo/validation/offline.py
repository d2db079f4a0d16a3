"""Level 8: nothing asks for the network, neither to load the description nor to run the model."""

from __future__ import annotations

from collections.abc import Iterator

from scopezoo.validation.network import network_attempts
from scopezoo.validation.report import Check
from scopezoo.validation.runs import engine, test_inputs
from scopezoo.validation.subject import Subject

LEVEL = "offline"


def checks(subject: Subject) -> Iterator[Check]:
    """Run once more, and tell whether any level so far reached for a socket, which are blocked."""
    engine(subject).predict_sample(test_inputs(subject.package))
    attempts = network_attempts()
    if attempts:
        yield Check(
            LEVEL,
            "network",
            "failed",
            "; ".join(dict.fromkeys(attempts)),
            {"attempts": len(attempts)},
            "put what is fetched into the package",
        )
    else:
        yield Check(
            LEVEL, "network", "passed", "loads and runs with every socket blocked", {"attempts": 0}
        )

"""The levels of a validation, in order; a failed one stops those after it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator

from scopezoo.errors import ScopezooError
from scopezoo.validation.report import Check
from scopezoo.validation.subject import Subject

LEVELS = {
    "safe": "nothing in the package can harm whoever opens it",
    "format": "the description is what the specification says",
    "reproduces": "every weights format gives the test outputs",
    "seamless": "a tiled result is the whole result",
    "sizes": "any image size and pixel type goes in",
    "deterministic": "two runs give the same bytes",
    "runtimes": "all runtimes give the same result",
    "offline": "nothing asks for the network",
    "compatible": "other programs can run it",
    "resources": "it needs the memory and time that it states",
    "evidence": "its quality is on record",
}
"""Module of `scopezoo.validation` that checks each level, and what it is for."""

LevelChecks = Callable[[Subject], Iterator[Check]]


def level_checks(level: str) -> LevelChecks:
    """The function that judges a level; imported when it is asked for, for some are heavy."""
    checks: LevelChecks = importlib.import_module(f"scopezoo.validation.{level}").checks
    return checks


def run_levels(subject: Subject) -> Iterator[Check | str]:
    """All checks, each level's after its name; of a level after a failed one, one skipped check."""
    failed: str | None = None
    for level in LEVELS:
        yield level
        if failed:
            yield skipped_level(level, failed)
            continue
        for check in guarded(level, subject):
            yield check
            if check.status == "failed":
                failed = level


def skipped_level(level: str, failed: str) -> Check:
    """The check that stands for a level which was not reached."""
    return Check(level, level, "skipped", f"not looked at, since the level {failed!r} failed")


def guarded(level: str, subject: Subject) -> Iterator[Check]:
    """A level's checks, an error of theirs becoming a failed check."""
    try:
        yield from level_checks(level)(subject)
    except ScopezooError as error:
        yield Check(level, level, "failed", str(error))
    except MemoryError:
        yield Check(level, level, "failed", "it took more memory than the validator gives it")
    except Exception as error:  # a library that meets something nobody thought of
        line = " ".join(str(error).split())[:400]
        yield Check(level, level, "failed", f"could not be judged: {type(error).__name__}: {line}")

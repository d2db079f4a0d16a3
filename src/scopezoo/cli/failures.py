"""Turns what went wrong into one clear line on stderr and an exit status."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import typer

from scopezoo.errors import ScopezooError

_INTERRUPTED = 130
"""What typer makes of Ctrl-C."""
_WRONG_CALL = typer.BadParameter.__base__ or typer.BadParameter
"""click's UsageError, wherever this version of typer has it from."""


def say(text: str) -> None:
    """A line for people: to stderr, so that stdout stays for programs."""
    print(text, file=sys.stderr, flush=True)


def failure_line(error: BaseException) -> str:
    """One line that says what went wrong."""
    if isinstance(error, ScopezooError):
        return f"Error: {' '.join(str(error).split())}"
    if isinstance(error, MemoryError):
        return "Error: not enough memory; give a smaller --memory or --tile"
    if isinstance(error, OSError):
        return f"Error: {error.filename or 'a file'}: {error.strerror or error}"
    return f"Error: unexpected {type(error).__name__}: {' '.join(str(error).split())[:300]}"


def run_guarded(work: Callable[[], Any]) -> int:
    """Run a command; its exit status: 0 done, 1 failed, 2 wrong usage."""
    try:
        status = work()
    except typer.Exit as leaving:
        status = leaving.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return _stopped()
    except BrokenPipeError:
        return 1
    except Exception as error:  # the last place where an error can become a clear line
        if isinstance(error, _WRONG_CALL):
            error.show()  # type: ignore[attr-defined]
            return 2
        say(failure_line(error))
        return error.exit_status if isinstance(error, ScopezooError) else 1
    if status == _INTERRUPTED:
        return _stopped()
    return status if isinstance(status, int) else 0


def _stopped() -> int:
    say("Stopped. What was finished is kept: predict and train go on from there with --resume.")
    return 1

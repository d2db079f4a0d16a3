"""Progress with the time left, on stderr, where a person is looking."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

FIRST_SHOWN_S = 1.0
"""Work that ends sooner shows no progress."""


@contextmanager
def progress_line(label: str, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A function of (done, total) that keeps one line of a terminal up to date."""
    if quiet or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    started = time.monotonic()

    def show(done: int, total: int) -> None:
        passed = time.monotonic() - started
        if passed < FIRST_SHOWN_S or not done:
            return
        left = passed / done * (total - done)
        bar = "█" * (20 * done // total)
        sys.stderr.write(f"\r\x1b[K{label} {bar:<20} {done}/{total}, {duration(left)} left")
        sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def duration(seconds: float) -> str:
    """A time span for people: 8 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"

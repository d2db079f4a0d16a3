"""What a package may take of the machine while it is validated."""

from __future__ import annotations

import os
from dataclasses import dataclass


def _default_memory_bytes() -> int:
    """Three quarters of the machine's memory, at most 16 GiB."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on Windows
        total = 8 * 1024**3
    return min(16 * 1024**3, total * 3 // 4)


DEFAULT_MEMORY_BYTES = _default_memory_bytes()


@dataclass(frozen=True)
class Limits:
    """Of the process that looks at the package: address space, and time for any one check."""

    memory_bytes: int = DEFAULT_MEMORY_BYTES
    seconds_per_check: float = 600.0


def limit_memory(memory_bytes: int) -> None:
    """Bound the address space of this process, where the system can."""
    try:
        import resource
    except ImportError:  # Windows: the time limit remains
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    bound = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (bound, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


DEFAULT_LIMITS = Limits()

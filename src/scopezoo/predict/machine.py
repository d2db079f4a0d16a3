"""What this machine, or the container it shows, has to offer."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from pathlib import Path

CGROUP_FOLDER = Path("/sys/fs/cgroup")
CGROUP_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")
"""Of version 2 and version 1; a container sees its own group at the root."""


THREADS = "SCOPEZOO_THREADS"
"""Environment variable that bounds the threads of a network."""


def cpu_count() -> int:
    """CPU cores that this process may use, at most SCOPEZOO_THREADS."""
    has_affinity = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    limit = os.environ.get(THREADS, "")
    return min(cores, max(1, int(limit))) if limit.isdigit() else cores


def memory_bytes(cgroup: Path = CGROUP_FOLDER) -> int | None:
    """Main memory that this process may use; None where the system does not tell."""
    limits = [_cgroup_limit(cgroup / name) for name in CGROUP_LIMITS]
    return min((size for size in (_physical(), *limits) if size is not None), default=None)


def resident_bytes() -> int | None:
    """Resident memory of this process; None where the system does not tell (it is not Linux)."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def give_memory_back() -> None:
    """Return to the system what dropped objects held, where it can be asked to (glibc)."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)


def _physical() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf, others lack the names
        return None


def _cgroup_limit(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # no such group, or "max": no limit
        return None

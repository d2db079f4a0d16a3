"""Runs the worker, and turns its death or silence into a failed check."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import scopezoo
from scopezoo.validation.levels import LEVELS, skipped_level
from scopezoo.validation.limits import Limits
from scopezoo.validation.report import Check, Identity
from scopezoo.validation.subject import Subject

_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "SYSTEMROOT")


def supervised_checks(
    subject: Subject, limits: Limits, scratch: Path
) -> Iterator[Check | Identity]:
    """All checks of a package, made in a process of limited memory without the network.

    The package's identity comes after the first level. A check that takes longer than `limits`
    allows, or kills the process, is a failed check, and the levels after it are skipped. `scratch`
    is a folder for the process's home and temporary files.
    """
    with (scratch / "stderr.txt").open("w+b") as errors:
        process = _start(subject, limits, scratch, errors)
        try:
            yield from _checks(process, limits, errors)
        finally:
            _kill(process)


def _start(
    subject: Subject, limits: Limits, scratch: Path, errors: IO[bytes]
) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "scopezoo.validation.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        cwd=scratch,
        env=_environment(scratch),
        start_new_session=True,
    )
    task = {
        "location": str(subject.location.resolve()),
        "copy": str(subject.copy),
        "trust": subject.trust,
        "memory_bytes": limits.memory_bytes,
    }
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.write(json.dumps(task).encode())
        process.stdin.close()
    return process


def _environment(scratch: Path) -> dict[str, str]:
    """A home of its own, and none of the caller's tokens and settings."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    source = str(Path(scopezoo.__file__).parents[1])
    folders = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "USERPROFILE"), str(scratch))
    return {**kept, **folders, "PYTHONPATH": source, "PYTHONDONTWRITEBYTECODE": "1"}


def _checks(
    process: subprocess.Popen[bytes], limits: Limits, errors: IO[bytes]
) -> Iterator[Check | Identity]:
    lines: queue.Queue[bytes | None] = queue.Queue()
    threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
    level = next(iter(LEVELS))
    while True:
        try:
            line = lines.get(timeout=limits.seconds_per_check)
        except queue.Empty:
            yield from _stopped(
                level, f"stopped after {limits.seconds_per_check:g} s without a result"
            )
            return
        if line is None:
            break
        message = json.loads(line)
        level = message.get("level", level)
        if "check" in message:
            yield Check(**message["check"])
        if "identity" in message:
            yield Identity(**message["identity"])
    if process.wait() != 0:
        yield from _stopped(level, _cause(process.returncode, limits, errors))


def _read(stream: IO[bytes] | None, lines: queue.Queue[bytes | None]) -> None:
    assert stream is not None
    for line in stream:
        lines.put(line)
    lines.put(None)


def _stopped(level: str, why: str) -> Iterator[Check]:
    hint = "the package does not run within the validator's limits; make it smaller or faster"
    yield Check(level, level, "failed", why, {}, hint)
    order = list(LEVELS)
    for later in order[order.index(level) + 1 :]:
        yield skipped_level(later, level)


def _cause(status: int, limits: Limits, errors: IO[bytes]) -> str:
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - 2000))
    said = errors.read().decode(errors="replace").strip().splitlines()
    last = f": {said[-1][:300]}" if said else ""
    how = f"by signal {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
    gib = limits.memory_bytes / 1024**3
    return f"ended {how} (it may take {gib:.1f} GiB){last}"


def _kill(process: subprocess.Popen[Any]) -> None:
    """End it and what it started, unless it has ended: its number may be another's by then."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()

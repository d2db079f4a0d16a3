"""Runs a module of scopezoo in a fresh Python, where nothing ran before."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from scopezoo.errors import PackageError


def run_module(module: str, arguments: Sequence[str]) -> str:
    """Standard output of `python -m module …`. Raises PackageError with its last line of error."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise PackageError(f"{module} failed: {lines[-1][:300]}")
    return done.stdout
